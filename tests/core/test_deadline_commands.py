"""`deadline` and `deadlines`: every verified row, and every kind of bad row."""

import csv
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import translation

from core.deadline_table import Unreadable, read_date

VECTORS = Path(__file__).parent.parent / "data" / "deadlines.csv"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def run(tmp_path):
    """Return a function that runs `deadlines` over text (str or bytes) and returns the rows as dicts."""

    def run(content):
        source, target = tmp_path / "in.csv", tmp_path / "out.csv"
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        call_command("deadlines", csv=str(source), out=str(target), verbosity=0)
        with target.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return run


def test_deadlines_agrees_with_every_verified_row(run):
    rows = run(VECTORS.read_bytes())
    assert len(rows) == 93
    assert [row for row in rows if row["due_date"] != row["expected_due_date"]] == []
    assert list(rows[0]) == [
        "rule", "trigger_date", "expected_due_date", "why", "natural_date", "due_date", "derivation",
    ]  # fmt: skip


def test_deadlines_keeps_columns_and_order_with_a_byte_order_mark(run):
    rows = run('\ufeffid,trigger_date,备注,rule\n7,2024-02-02,"甲,乙",MEDIATION_END_15D\n'.encode())
    assert rows == [
        {
            "id": "7", "trigger_date": "2024-02-02", "备注": "甲,乙", "rule": "MEDIATION_END_15D",
            "natural_date": "2024-02-17", "due_date": "2024-02-18",
            "derivation": "2024年2月2日（星期五）收到调解申请，次日起算15日，2月17日（星期六）期满，适逢春节放假，"
            "顺延至2月18日（星期日，调休上班）。依据：《劳动争议调解仲裁法》第14条。放假安排：国办发明电〔2023〕7号。",
        }
    ]  # fmt: skip


def test_deadlines_through_its_own_output_gives_the_same(run, tmp_path):
    first = run(VECTORS.read_bytes())
    assert run((tmp_path / "out.csv").read_bytes()) == first


def test_deadlines_says_what_is_wrong_with_a_row_and_goes_on(run):
    rows = run(
        "rule,trigger_date\n"
        "NO_SUCH_RULE,2026-05-11\n"
        "MEDIATION_END_15D,2026-02-30\n"
        "MEDIATION_END_15D,\n"
        "MEDIATION_END_15D\n"
        ",2026-05-11\n"
        "UNION_TERM_5Y,9998-01-01\n"
        "\n"
        "  mediation_end_15d , 2026/5/11 \n"
        "MEDIATION_END_15D,2027-05-11\n"
    )
    assert [row["due_date"] for row in rows] == ["", "", "", "", "", "", "2026-05-26", "2027-05-26"]
    assert [row["natural_date"] for row in rows[:6]] == [""] * 6
    assert [row["derivation"] for row in rows[:6]] == [
        "There is no deadline rule «NO_SUCH_RULE».",
        "«2026-02-30» is not a date; write it like 2026-11-03.",
        "«» is not a date; write it like 2026-11-03.",
        "«» is not a date; write it like 2026-11-03.",
        "There is no deadline rule «».",
        "5 years cannot be counted from 9998-01-01: the calendar ends first.",
    ]
    assert "暂定" in rows[7]["derivation"]


def refused(capsys, call):
    """Return the one sentence with which a command refuses: nothing before it, nothing printed, and 2 for the shell."""
    with pytest.raises(SystemExit) as stop:
        call()
    out, said = capsys.readouterr()
    assert (stop.value.code, out, said.count("\n")) == (2, "", 1)
    return said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The first row must name the columns rule and trigger_date."),
        (b"rule,date\nX,2026-01-01\n", "The first row must name the columns rule and trigger_date."),
        ("规则,日期\n".encode("gb18030"), "is not in UTF-8"),
        (b"\x50\x4b\x03\x04\xff\xfe", "is not in UTF-8"),
    ],
)
def test_deadlines_refuses_an_unreadable_table_with_one_sentence(run, capsys, content, sentence):
    assert sentence in refused(capsys, lambda: run(content))


def test_deadlines_refuses_a_cell_without_end(run, capsys):
    usual = csv.field_size_limit(131_072)
    try:
        said = refused(capsys, lambda: run(b'rule,trigger_date\n"' + b"x" * 200_000))
        assert "is not a CSV file" in said
    finally:
        csv.field_size_limit(usual)


def test_deadlines_without_the_file_or_the_folder(tmp_path, capsys):
    def call(given, out):
        return refused(capsys, lambda: call_command("deadlines", csv=str(tmp_path / given), out=str(tmp_path / out)))

    assert "cannot be read" in call("none.csv", "out.csv")
    (tmp_path / "in.csv").write_text("rule,trigger_date\n")
    assert "cannot be written" in call("in.csv", "none/out.csv")


def test_deadline_prints_dates_second_reading_and_derivation(capsys):
    call_command("deadline", "ARB_HEARING_NOTICE_BACK_5D", "2026-10-12")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "ARB_HEARING_NOTICE_BACK_5D 开庭通知期限（向前数）",
        "natural date: 2026-09-28",
        "due date: 2026-09-28",
        "due date, second reading: 2026-09-30",
    ]
    assert lines[4].startswith("2026年10月12日（星期一）开庭，此前须留足5个工作日")


def test_deadline_of_one_reading_prints_one(capsys):
    call_command("deadline", "union_term_3y", "2024年2月29日")
    assert capsys.readouterr().out.splitlines()[1:3] == ["natural date: 2027-02-28", "due date: 2027-02-28"]


@pytest.mark.parametrize(
    ("rule", "day"), [("NONE", "2026-01-01"), ("UNION_TERM_5Y", "soon"), ("UNION_TERM_5Y", "9999-1-1")]
)
def test_deadline_refuses_with_one_sentence(capsys, rule, day):
    assert refused(capsys, lambda: call_command("deadline", rule, day))


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01",
        "2026-5-1",
        "2026/5/1",
        "2026.05.01",
        "2026年5月1日",
        "20260501",
        " 2026-05-01 00:00:00 ",
        "２０２６-05-01",
    ],
)
def test_read_date_reads_what_officers_write(text):
    assert read_date(text) == date(2026, 5, 1)


@pytest.mark.parametrize(
    "text", ["", "5-1", "2026-13-01", "2026-02-29", "0000-01-01", "46143", "1/5/2026", "2026-05-01x"]
)
def test_read_date_refuses_what_is_no_date(text):
    with pytest.raises(Unreadable):
        read_date(text)

"""The command check_numbers: every row of the vectors, odd rows, and one sentence when the table cannot be read."""

import csv
from pathlib import Path

import pytest
from django.core.management import call_command

VECTORS = Path(__file__).parent.parent / "data" / "id_uscc.csv"
COLUMNS = ["valid", "normalised", "sex", "birth_date"]


def run(given, out):
    call_command("check_numbers", csv=str(given), out=str(out))
    with out.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def check(tmp_path, *rows, encoding="utf-8"):
    given = tmp_path / "in.csv"
    with given.open("w", encoding=encoding, newline="") as table:
        csv.writer(table).writerows([("kind", "value"), *rows])
    return run(given, tmp_path / "out.csv")


def test_every_row_of_the_vectors_agrees(tmp_path):
    with VECTORS.open(encoding="utf-8-sig", newline="") as table:
        expected = list(csv.DictReader(table))
    found = run(VECTORS, tmp_path / "out.csv")
    assert [[row[name] for name in ["kind", "value", *COLUMNS]] for row in found] == [
        [row[name] for name in ["kind", "value", *COLUMNS]] for row in expected
    ]
    assert all(row["reason"] for row in found)


def test_columns_are_added_behind_what_was_there(tmp_path):
    given = tmp_path / "in.csv"
    given.write_text("note,kind,value\na,ID,210400198503070017\n", encoding="utf-8")
    [row] = run(given, tmp_path / "out.csv")
    assert list(row) == ["note", "kind", "value", "valid", "normalised", "sex", "birth_date", "reason"]
    assert [row[name] for name in COLUMNS] == ["Y", "210400198503070017", "M", "1985-03-07"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("id", "210400198503070017", ["Y", "210400198503070017", "M", "1985-03-07"]),
        (" ID ", "2104 0019 8503\u30000700\u00a017", ["Y", "210400198503070017", "M", "1985-03-07"]),
        ("USCC", "81210400mc\n00000129", ["Y", "81210400MC00000129", "", ""]),
        ("PASSPORT", "E12345678", ["N", "", "", ""]),
        ("", "210400198503070017", ["N", "", "", ""]),
        ("ID", "2104001985030700\x0017", ["N", "", "", ""]),
        ("ID", "2" * 300_000, ["N", "", "", ""]),
        ("USCC", "8" * 300_000, ["N", "", "", ""]),
        ("ID", "=1+1", ["N", "", "", ""]),
    ],
)
def test_an_odd_row_has_its_verdict(tmp_path, kind, value, expected):
    [row] = check(tmp_path, (kind, value))
    assert [row[name] for name in COLUMNS] == expected
    assert row["reason"]
    assert row["value"] == value


def test_a_short_row_and_gb18030(tmp_path):
    rows = check(tmp_path, ("ID",), ("身份证", "x"), encoding="gb18030")
    assert [[row[name] for name in COLUMNS] for row in rows] == [["N", "", "", ""], ["N", "", "", ""]]


@pytest.mark.parametrize("content", [b"", b"kind\nID\n", b"\xff\xfe\x00\x01"])
def test_a_table_that_is_none_is_refused_with_a_sentence(tmp_path, capsys, content):
    given = tmp_path / "in.csv"
    given.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        call_command("check_numbers", csv=str(given), out=str(tmp_path / "out.csv"))
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_table_is_refused_with_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        call_command("check_numbers", csv=str(tmp_path / "none.csv"), out=str(tmp_path / "out.csv"))
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("none.csv") == 1

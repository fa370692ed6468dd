"""换届情况表: every union with its term, how near the end is, and totals by unit."""

from datetime import date

import pytest
import time_machine
from pypdf import PdfReader

from core import papers
from unions.models import Committee, Union
from unions.papers import ordinal

TODAY = date(2026, 11, 20)


def elect(union, elected_on, years=5, number=1):
    ends = elected_on.replace(year=elected_on.year + years)
    Committee.objects.create(union=union, number=number, elected_on=elected_on, term_years=years, term_ends_on=ends)


def pages_of(paper):
    return [page.extract_text() for page in PdfReader(paper.file.path).pages]


def rows_of(page):
    """The table's rows: each begins with its number and holds a union code."""
    flat = " ".join(page.split("\n"))
    return flat.replace("  ", " ")


@pytest.fixture
def report(tree, city):
    elect(tree.city, date(2024, 5, 6), number=12)  # ends 2029
    elect(tree.district, date(2022, 5, 20))  # ends 2027-05-20: six months, the last day that counts as soon
    elect(tree.street, date(2022, 5, 21))  # one day later
    elect(tree.enterprise, date(2023, 11, 19), years=3, number=3)  # ended yesterday
    elect(tree.other_district, date(2021, 11, 20))  # ends today: not yet overdue
    with time_machine.travel(TODAY, tick=False):
        return papers.make_now(papers.ask("terms", union=tree.city, by=city))


def test_report_shows_every_union_and_its_state(report):
    page = rows_of(pages_of(report)[0])
    for row in (
        "1 云河市总工会 T00 第十二届 2024-05-06 5 年 2029-05-06 正常",
        "1 云河市滨河区总工会 T01 第一届 2022-05-20 5 年 2027-05-20 即将届满",
        "2 滨河区一道街道工会 T0101 第一届 2022-05-21 5 年 2027-05-21 正常",
        "3 云河恒达机械有限公司工会 T0101001 第三届 2023-11-19 3 年 2026-11-19 逾期 1 天",
        "4 云河恒通电子有限公司工会 T0101002 — — — — 未登记",
        "1 云河市东山区总工会 T02 第一届 2021-11-20 5 年 2026-11-20 即将届满",
    ):
        assert row in page
    assert "统计截止 2026年11月20日" in page
    assert "8 个工会　正常 2　即将届满 2　逾期 1　未登记 3" in page
    assert "云河市滨河区总工会　T01" in page
    assert "本页小计 8 个工会" in page


def test_report_ends_with_totals_by_unit(report):
    last = pages_of(report)[-1]
    rows = [line.split()[-5:] for line in last.split("\n") if line[:1].isdigit() or line.startswith("合")]
    assert [row for row in rows if all(cell.isdigit() for cell in row)] == [
        ["1", "1", "0", "0", "0"],
        ["4", "1", "1", "1", "1"],
        ["3", "0", "1", "0", "2"],
        ["8", "2", "2", "1", "3"],
    ]
    assert report.facts["figures"] == [8, 2, 2, 1, 3]


def test_report_of_one_union_has_one_row_and_no_totals(tree, enterprise):
    elect(tree.enterprise, date(2024, 5, 6))
    paper = papers.make_now(papers.ask("terms", union=tree.enterprise, by=enterprise))
    assert (paper.pages, paper.rows) == (1, 1)


def test_report_of_many_unions_keeps_their_order(tree, city):
    for number in range(60):
        Union.objects.create(
            id=100 + number, code=f"T9{number:03d}", name=f"第{number}车间工会", kind="ENTERPRISE",
            parent=tree.street, path=f"{tree.street.path}{100 + number:04d}",
        )  # fmt: skip
    paper = papers.make_now(papers.ask("terms", union=tree.street, by=city))
    codes = [word for page in pages_of(paper)[:-1] for word in page.split() if word.startswith("T9")]
    seen = [code for n, code in enumerate(codes) if code not in codes[:n]]
    assert seen == [f"T9{number:03d}" for number in range(60)]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "第一届"),
        (9, "第九届"),
        (10, "第十届"),
        (12, "第十二届"),
        (20, "第二十届"),
        (35, "第三十五届"),
        (100, "第100届"),
    ],
)
def test_term_is_numbered_in_chinese(number, text):
    assert ordinal(number) == text

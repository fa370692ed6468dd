"""工会会员名册: every member is there, once, in order, with totals; rare characters are drawn or written as codes."""

import io
import re
from datetime import date

import pikepdf
import pytest
from django.template.loader import render_to_string
from pypdf import PdfReader

from core import drawing, jobs, papers
from core.models import Job
from members.models import Membership, Person
from members.pinyin import sort_key
from unions.models import Union

ROW = re.compile(r"2104\*{10}(\d{4})")


def enrol(union, names, *, first=1, **facts):
    """Write members named `names` at `union`, straight into the database; the masked number tells them apart."""
    people = [
        Person(
            name=name, id_number=f"2104{number:014d}", id_index=f"test-{number}",
            id_masked=f"2104**********{number:04d}", sex="MF"[number % 2], born_on=date(1962, 3, 1),
        )
        for number, name in enumerate(names, start=first)
    ]  # fmt: skip
    Person.objects.bulk_create(people)
    facts = {"joined_on": date(2012, 3, 12), "employment": "CONTRACT"} | facts
    Membership.objects.bulk_create([Membership(person=person, union=union, **facts) for person in people])


def draw(union, user, scope="own"):
    return papers.make_now(papers.ask("roll", union=union, by=user, params={"scope": scope}))


def pages_of(paper):
    return [page.extract_text() for page in PdfReader(paper.file.path).pages]


def test_row_has_its_cells_in_order(tree, enterprise):
    enrol(tree.enterprise, ["陈堃"])
    [page] = pages_of(draw(tree.enterprise, enterprise))
    row = "1 陈　堃 女 1962.03 2104**********0001 劳动合同 2012-03-12"
    assert row in " ".join(page.split("\n")).replace("  ", " ")
    assert "工会：云河恒达机械有限公司工会" in page
    assert "在册 1 人　其中女 1 人" in page


@pytest.mark.once
def test_every_member_is_there_once_and_in_order_over_three_slices(tree, enterprise):
    surnames, given = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "建国伟芳娜秀英敏静丽强磊军"
    names = [surnames[n % 20] + given[n % 13] + given[n % 7] * (n % 3 > 0) for n in range(1050)]
    enrol(tree.enterprise, names)
    paper = draw(tree.enterprise, enterprise)
    assert paper.slices.count() == 3
    assert all(part.params["rows"] <= 500 for part in paper.slices.all())
    pages = pages_of(paper)
    numbers = [int(found) for page in pages for found in ROW.findall(page)]
    expected = sorted(range(1, 1051), key=lambda number: (sort_key(names[number - 1]), number))
    assert numbers == expected
    assert [f"第 {n} 页　共 {len(pages)} 页" in page for n, page in enumerate(pages, start=1)] == [True] * len(pages)
    subtotals = [int(re.search(r"(\d+) 人\n?", page.split("本页小计")[1])[1]) for page in pages]
    assert [len(ROW.findall(page)) for page in pages] == subtotals
    assert sum(subtotals) == 1050
    assert sum(count < 20 for count in subtotals) <= 1  # no page but the last stands half empty


def test_roll_of_a_subtree_goes_union_by_union_and_ends_with_totals(tree, district):
    enrol(tree.street, ["孟平"])
    enrol(tree.enterprise, ["安建国", "程思琪", "邓军云"], first=10)
    enrol(tree.sibling, ["段嘉怡", "傅强"], first=21, state="RETAINED")
    enrol(tree.neighbour_enterprise, ["郭宇"], first=30)
    paper = draw(tree.district, district, "subtree")
    first, last = pages_of(paper)
    assert [int(found) for found in ROW.findall(first)] == [1, 10, 11, 12, 21, 22]
    for head in (
        "滨河区一道街道工会　T0101",
        "云河恒达机械有限公司工会　T0101001",
        "云河恒通电子有限公司工会　T0101002",
    ):
        assert head in first
    assert "在册 6 人　其中女 3 人　保留会籍 2 人" in first
    assert "保留会籍" in first.split("2104**********0021")[1]
    figures = [line.split() for line in last.split("\n") if "T0101" in line or line.startswith("合")]
    assert [row[-3:] for row in figures] == [["1", "1", "0"], ["3", "1", "0"], ["2", "1", "2"], ["6", "3", "2"]]
    assert paper.facts["figures"] == [6, 3, 2]
    assert "东山" not in first + last


def test_roll_of_one_union_leaves_out_those_below_and_who_has_left(tree, street):
    enrol(tree.street, ["孟平"])
    enrol(tree.street, ["安建国"], first=2, state="WITHDRAWN", ended_on=date(2024, 1, 1))
    enrol(tree.enterprise, ["郭宇"], first=3)
    [page] = pages_of(draw(tree.street, street))
    assert ROW.findall(page) == ["0001"]


def test_rare_characters_are_drawn_and_uncovered_ones_written_as_codes(tree, enterprise):
    enrol(tree.enterprise, ["李䶮", "金𬭎", "陈堃", "李喆", "王𣈱"])
    paper = draw(tree.enterprise, enterprise)
    [page] = pages_of(paper)
    for name in ("李　䶮", "金　𬭎", "陈　堃", "李　喆"):
        assert name in page
    assert "〔U+23231〕" in page
    assert "𣈱" not in page
    assert paper.missing_glyphs == ["𣈱"]
    [note] = Job.objects.get(pk=paper.job_id).notes
    assert "𣈱" in note
    assert "U+23231" in note


def test_long_names_and_remarks_wrap_without_loss(tree, enterprise):
    names = [
        "阿卜杜热西提·买买提艾力·古丽娜扎玛拉木汗·努尔买买提",
        "Alexandra Konstantinopoulos-Müller",
        "Steffi Pflaum",
    ]
    enrol(tree.enterprise, names, notes="困难职工，已建档；享受相应待遇，住址已变更，待核实" * 5)
    enrol(tree.enterprise, [f"赵{number:03d}" for number in range(40)], first=10)
    paper = draw(tree.enterprise, enterprise)
    pages = pages_of(paper)
    text = re.sub(r"\s", "", "".join(pages))
    for name in names:
        assert name.replace(" ", "") in text
    assert text.count("困难职工，已建档；享受相应待遇，住址已变更，待核实" * 5) == 3
    assert [len(ROW.findall(page)) for page in pages] == [
        len(part["rows"]) for part in (page["parts"][0] for page in laid(paper))
    ]


def laid(paper):
    """The pages as they were reckoned before drawing."""
    kind = papers.kinds()["roll"]
    return [page for part in paper.slices.all() for page in kind.pages(paper, part.params, 0)[0]]


def test_slices_of_a_paper_share_one_subset_of_each_face(tree, district, monkeypatch):
    monkeypatch.setattr("core.rolls.SLICE_ROWS", 20)
    enrol(tree.enterprise, [f"{surname}　文" for surname in "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩"])
    enrol(tree.sibling, ["金𬭎", "Steffi Pflaum", "库尔班·Ablet", "Ян Цзы"], first=40)
    paper = draw(tree.district, district, "subtree")
    assert paper.slices.count() == 3
    with pikepdf.open(paper.file.path) as pdf:
        subsets = [thing for thing in pdf.objects if isinstance(thing, pikepdf.Stream) and "/OpenType" in repr(thing)]
        fonts = {font.objgen for page in pdf.pages for font in page.Resources.Font.values()}
    assert len(subsets) == len(fonts) == 2
    text = "".join(pages_of(paper))
    for name in ("王　文", "韩　文", "金　𬭎", "Steffi", "Pflaum", "Ablet", "Цзы"):
        assert name in text


def test_papers_look_as_with_the_style_sheet_of_weasyprint_itself(tree, district):
    """papers/agent.css leaves out what papers do not use, and nothing else."""
    enrol(tree.enterprise, ["陈堃", "Alexandra Konstantinopoulos-Müller"], notes="困难职工，已建档；享受相应待遇")
    enrol(tree.sibling, ["程思琪"], first=5)
    paper = papers.ask("roll", union=tree.district, by=district)
    jobs.step_now(paper.job)
    paper, kind = papers._paper_of(paper.job), papers.kinds()["roll"]
    for part in paper.slices.all():
        context = {"paper": paper, "pages": kind.pages(paper, part.params, 0)[0]}
        content, _pages, _missing = drawing.pdf(kind.template, context)
        html = render_to_string(kind.template, context)
        stock = drawing._weasyprint().HTML(string=html, url_fetcher=drawing.refuse).write_pdf()
        assert content_of(content) == content_of(stock)


def content_of(pdf):
    return [page.get_contents().get_data() for page in PdfReader(io.BytesIO(pdf)).pages]


def test_rules_are_drawn_round_the_cells_of_every_row():
    drawn = drawing.rules((10, 20, 30), [(7.6, [1, 1, 1]), (8.2, [3]), (8.2, [1, 1, 1]), (8.2, [1, 2])])
    assert drawn["height"] == 32.2
    across = ["0 0.125H60", "0 7.475H60", "0 15.675H60", "0 23.875H60", "0 32.075H60"]
    left_and_right = ["0.125 0V32.2", "59.875 0V32.2"]
    between = ["9.875 0V7.6", "29.875 0V7.6", "9.875 15.8V32.2", "29.875 15.8V24"]
    assert sorted(drawn["path"].split("M")[1:]) == sorted(across + left_and_right + between)


def test_slice_reads_its_rows_in_one_query_and_its_unions_in_another(tree, city, django_assert_num_queries):
    enrol(tree.enterprise, ["安建国"])
    enrol(tree.sibling, ["程思琪", "邓军云"], first=5)
    paper = papers.ask("roll", union=tree.city, by=city)
    jobs.step_now(paper.job)
    paper, kind = papers._paper_of(paper.job), papers.kinds()["roll"]
    params = paper.slices.first().params
    with django_assert_num_queries(2):
        _pages, rows = kind.pages(paper, params, 0)
    assert rows == 3


def test_rows_that_do_not_fit_are_laid_with_less_room(tree, enterprise, monkeypatch):
    enrol(tree.enterprise, [f"赵{number:03d}" for number in range(24)])
    monkeypatch.setattr(drawing, "BODY", drawing.BODY + 20)  # reckoned with more room than the sheet has
    paper = draw(tree.enterprise, enterprise)
    first, second = pages_of(paper)
    assert len(ROW.findall(first)) + len(ROW.findall(second)) == 24
    for page in (first, second):
        assert re.search(r"本页小计\s+(\d+) 人", page)[1] == str(len(ROW.findall(page)))


@pytest.mark.parametrize(
    ("text", "ems", "lines"),
    [
        ("", 5, [""]),
        ("陈堃", 5, ["陈堃"]),
        ("古丽娜扎艾力", 3, ["古丽娜", "扎艾力"]),
        ("古丽娜，扎艾力", 3, ["古丽", "娜，扎", "艾力"]),  # a comma begins no line
        ("a b", 9, ["a b"]),
        ("王𣈱", 3, ["王", "𣈱"]),  # room for 〔U+23231〕
        ("甲\n乙\t丙", 9, ["甲 乙 丙"]),
    ],
)
def test_text_is_broken_into_lines(text, ems, lines):
    assert drawing.wrap(text, ems) == lines


def test_two_unions_of_the_city_that_begin_alike_have_two_characters(tree, city):
    enrol(tree.neighbour_enterprise, ["郭宇"])
    Union.objects.filter(pk=tree.district.pk).update(name="云河市东湖区总工会")
    assert draw(tree.neighbour_enterprise, city).number.startswith("东山工册〔")

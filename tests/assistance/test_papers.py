"""Papers of a case: what they say, what they keep to themselves, and the dossier's contents."""

import subprocess

import pytest
from django.urls import reverse
from django.utils import translation

from assistance import papers as case_papers
from assistance.models import Cause, ConsentKind, ExpenseKind, HardshipCase, IncomeKind, Kin, Situation, VisitOpinion
from core import papers
from core.models import Paper
from tests.assistance.cases import case_in, go, officer, staff, today, visit_facts
from tests.members.people import QIAN, ZHAO

pytestmark = pytest.mark.django_db
PHONE, ACCOUNT = "13800131234", "6222020012345678901"


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def people(tree):
    return staff(tree)


@pytest.fixture
def filed(tree, people):
    facts = {"phone": PHONE, "bank_name": "工商银行云河支行", "bank_account": ACCOUNT, "bank_last4": "8901"}
    case = case_in("DRAFT", tree.enterprise, statement="本人患慢性病，自付费用较高。\n子女在校。", **facts)
    for each in case.people.all():
        each.health = "白血病"
        each.save()
    return go(case, people)


def text_of(paper):
    command = ["pdftotext", "-layout", paper.file.path, "-"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def drawn(kind, case, by):
    paper = papers.make_now(papers.ask(kind, union=case.union, by=by, params={"case": case.pk}))
    assert paper.sha256, paper.reason
    assert paper.missing_glyphs == []
    return paper, text_of(paper).replace(" ", "")


@pytest.mark.parametrize(("kind", "words"), [
    ("hardship_application", ["困难职工建档申请表", "赵建国", "2104**********0017", "工资性收入", "12000.00", "3000.00",
                              "因病支出", "子女在校。", "尾号8901", "138****1234"]),
    ("hardship_visit", ["困难职工入户调查表", "与申报一致", "guest、社区李主任", "调查人签名"]),
    ("hardship_approval", ["困难职工审批表", "民主评议", "到会9人，赞成8人，反对1人", "市级审批建档", "深度困难",
                           "（12000−3000）÷12", "-550.00", "250.00元", "市总工会意见"]),
])  # fmt: skip
def test_a_paper_says_what_it_is_for_and_keeps_numbers_and_diagnosis(filed, people, kind, words):
    _paper, text = drawn(kind, filed, people["enterer"])
    assert [word for word in words if word not in text] == []
    assert [word for word in (ZHAO, QIAN, PHONE, ACCOUNT, "白血病") if word in text] == []


def test_the_dossier_lists_every_part_of_every_cycle_with_its_page(filed, people):
    case = filed.make_move("close", by=people["checker"], reason="退档", code="REMOVED")
    case = case.make_move("reenter", by=people["enterer"], applied_on=today())
    new = case.next.get()
    paper, _text = drawn("hardship_dossier", new, people["enterer"])
    pages = text_of(paper).split("\f")
    contents = [line.split() for line in pages[0].splitlines() if "次申请" in line]
    assert [line[1] for line in contents] == [
        "困难职工建档申请表", "授权与同意", "困难职工入户调查表", "困难职工审批表"
    ] * 2  # fmt: skip
    assert [line[2] for line in contents] == ["第1次申请"] * 4 + ["第2次申请"] * 4
    assert paper.pages == len(pages) - 1
    for _number, title, cycle, page in contents:
        assert f"{title}（{cycle}）" in pages[int(page) - 1].replace(" ", ""), (title, page)


def test_what_was_found_at_length_goes_on_over_the_page(tree, people):
    case = go(case_in("DRAFT", tree.enterprise), people, "review")
    found = "\n".join(f"第{number}条：家中陈设简单，与申报情况相符。" for number in range(1, 120))
    case = case.make_move("visit", by=people["guest"], **visit_facts(found=found))
    paper, text = drawn("hardship_visit", case, people["enterer"])
    assert paper.pages > 2
    assert all(f"第{number}条：" in text for number in range(1, 120))


def test_nothing_to_print_is_said_and_another_union_prints_nothing(filed, people, tree):
    with pytest.raises(Exception, match="nothing to print"):
        papers.ask("hardship_application", union=tree.sibling, by=people["enterer"], params={"case": filed.pk})
    draft = case_papers.kinds()["hardship_visit"]
    HardshipCase.objects.filter(pk=filed.pk).update(state="FILED")
    filed.visits.get().visitors.all().delete()
    filed.visits.all().delete()
    assert draft.count(filed.union, {"case": filed.pk}) == 0


def test_a_paper_is_asked_for_on_the_page_of_the_case(filed, people, client_of, neighbour, auditor, tree):
    url = reverse("hardship_paper", args=[filed.pk])
    client = client_of(people["enterer"])
    assert "困难职工档案" in client.get(reverse("hardship_page", args=[filed.pk])).content.decode()
    answer = client_of(people["enterer"]).post(url, {"kind": "hardship_dossier"})
    paper = Paper.objects.get()
    assert answer.url == reverse("job_page", args=[paper.job_id])
    assert paper.title == f"困难职工档案（第{filed.pk}号）"
    assert paper.params == {"case": filed.pk}
    assert client_of(neighbour).post(url, {"kind": "hardship_dossier"}).status_code == 404
    assert client_of(auditor).post(url, {"kind": "hardship_dossier"}).status_code == 403
    assert client.post(url, {"kind": "roll"}).url == reverse("hardship_page", args=[filed.pk])
    cashier = officer("cashier", "cashier", tree.enterprise)  # issues papers, but sees no case
    assert client_of(cashier).post(url, {"kind": "hardship_dossier"}).status_code == 403
    assert Paper.objects.count() == 1


@pytest.mark.parametrize(("words", "choices"), [
    (case_papers.KIN, Kin), (case_papers.SITUATION, Situation), (case_papers.CAUSE, Cause),
    (case_papers.INCOME, IncomeKind), (case_papers.CONSENT, ConsentKind), (case_papers.OPINION, VisitOpinion),
])  # fmt: skip
def test_every_choice_has_its_word_on_paper(words, choices):
    assert set(words) == set(choices.values)


def test_every_step_and_expense_has_its_word_on_paper():
    assert set(case_papers.STEPS) == {move.name for move in HardshipCase.MOVES}
    assert {kind.lower() for kind in ExpenseKind.values} == set(case_papers.LABELS)

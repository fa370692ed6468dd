"""Papers of money: every line once, the sums of the ledger, and no number in clear."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from assistance import campaigns, money
from assistance.models import Grant
from core import papers
from core.models import Paper
from tests.assistance import funds
from tests.assistance.funds import approved, household, in_batch
from tests.members.people import member, number

pytestmark = pytest.mark.django_db


def text_of(kind, union, user, **params):
    paper = papers.make_now(papers.ask(kind, union=union, by=user, params=params))
    assert paper.state == "valid", paper.reason
    shown = "\n".join(page.extract_text() for page in PdfReader(paper.file.path).pages)
    for secret in (funds.ACCOUNT, "21040019850300047"):
        assert secret not in shown
        assert secret not in str(paper.facts)
    return " ".join(shown.split())


def test_the_list_of_a_batch(tree, approver):
    budget = funds.budget(tree.city)
    grants = [approved(household(union), budget, amount, "IN_KIND")
              for union, amount in ((tree.enterprise, "1000"), (tree.sibling, "2345.67"))]  # fmt: skip
    batch = money.send(in_batch(grants, method="IN_KIND"), by=None)
    money.hand_out(Grant.objects.get(pk=grants[0].pk), by=None, signed_by="安建国本人")
    shown = text_of("payment_roll", tree.city, approver, batch=batch.number)
    assert "2 笔 合计 3,345.67 元" in shown
    assert f"批次：{batch.number}" in shown
    assert "1 安建国 2104**********0017 生活救助 — 1,000.00 安建国本人" in shown
    assert "2,345.67" in shown
    for union, wrong in ((tree.city, "2026-999-001"), (tree.city, "x"), (tree.district, batch.number)):
        with pytest.raises(ValidationError, match=r"没有|nothing to print"):
            papers.ask("payment_roll", union=union, by=approver, params={"batch": wrong})


def test_the_ledger_of_a_period(tree, approver):
    budget = funds.budget(tree.city, "1000.50")
    funds.paid(household(tree.enterprise), budget, "300")
    today = timezone.localdate().isoformat()
    period = {"source": budget.source_id, "since": today, "until": today}
    shown = text_of("fund_ledger", tree.city, approver, **period)
    assert "发放 G" in shown
    assert "-300.00 700.50" in shown
    assert "合 计 0.00 1,000.50 300.00 700.50" in shown.replace("合　计", "合 计")
    with pytest.raises(ValidationError, match=r"没有|nothing to print"):
        papers.ask("fund_ledger", union=tree.city, by=approver,
                   params=period | {"since": "2020-01-01", "until": "2020-12-31"})  # fmt: skip


def test_the_result_of_a_campaign(tree, approver, street):
    budget = funds.budget(tree.city, aid_kind="COOL")
    made = campaigns.add(
        by=None, union=tree.city, kind="COOL", year=2026, name="夏送清凉", ends_on=timezone.localdate(),
        target="MEMBERS", budget=budget, amount=Decimal(100), method="IN_KIND",
    )  # fmt: skip
    places = campaigns.allocate(made, by=None, union=tree.street, places=3)
    people = [member(tree.enterprise, f"赵{name}", number(n)) for n, name in enumerate("一二", start=1)]
    campaigns.enter(made, by=street, quota=places, keys=[each.pk for each in people])
    shown = text_of("campaign_result", tree.city, approver, campaign=made.pk)
    assert "名额 3 已录入 2 人 已发放 0 人 0.00 元" in shown
    assert "实物签收 100.00 待审批" in shown
    assert people[0].person.id_number not in shown


def test_papers_are_asked_for_on_their_pages(tree, approver, client_of):
    budget = funds.budget(tree.city)
    theirs, url = client_of(approver), reverse("paper_ask", args=["fund_ledger"])
    facts = {"union": tree.city.pk, "source": budget.source_id, "since": "2020-01-01", "until": "2099-12-31"}
    assert theirs.post(url, facts).status_code == 302
    assert Paper.objects.get().params == {
        "source": budget.source_id, "since": "2020-01-01", "until": "2099-12-31"
    }  # fmt: skip
    for wrong in ({"until": "2019-01-01"}, {"since": "x"}, {"source": "x"}, {"source": "9" * 30}):
        assert theirs.post(url, facts | wrong).status_code == 200
    batch = in_batch([approved(household(tree.enterprise), budget)])
    roll = {"union": tree.city.pk, "batch": batch.number}
    assert theirs.post(reverse("paper_ask", args=["payment_roll"]), roll).status_code == 302
    assert theirs.post(reverse("paper_ask", args=["payment_roll"]), roll | {"batch": "x" * 40}).status_code == 200
    assert theirs.post(reverse("paper_ask", args=["campaign_result"]), roll | {"campaign": 99}).status_code == 200

"""Pages of money: each role does its part of one grant by the pages, and is told why where it may not."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from assistance import ledger
from assistance.models import FundSource, Grant, PaymentBatch
from tests.assistance import funds
from tests.assistance.funds import approved, ask, household, in_batch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def cashier(tree):
    return funds.officer("cashier", "cashier", tree.city)


@pytest.fixture
def case(tree):
    return household(tree.enterprise)


def text(response):
    return response.content.decode()


def post(client, name, pk, **data):
    return client.post(reverse(name, args=[pk]), data)


def test_from_the_source_to_the_bank_and_back_by_the_pages(tree, case, enterprise, approver, cashier, client_of):
    theirs, paying, ours = client_of(approver), client_of(cashier), client_of(enterprise)
    funds.rule()
    page = theirs.post(reverse("fundsource_add"), {
        "union": tree.city.name, "kind": "UNION_OWN", "year": "2026", "name": "送温暖资金", "amount": "10,000.00元",
    })  # fmt: skip
    source = FundSource.objects.get()
    assert page.url == reverse("fundsource_page", args=[source.pk])
    assert post(theirs, "fundsource_allot", source.pk, aid_kind="LIVING", amount="９,０００").status_code == 302
    budget = source.budgets.get()
    form = {"of": case.applicant.pk, "budget": budget.pk, "amount": "1000", "method": "BANK", "reason": ""}
    page = post(ours, "grant_ask", case.pk, **form)
    grant = Grant.objects.get()
    assert page.url == reverse("grant_page", args=[grant.pk])
    shown = text(theirs.get(page.url))
    assert funds.ACCOUNT not in shown
    assert case.applicant.id_number not in shown
    assert "…5678" in shown
    assert "1,000.00" in text(ours.get(reverse("hardship_page", args=[case.pk])))
    assert post(theirs, "grant_move", grant.pk, move="approve", version=grant.version).status_code == 302
    assert "1 grant" in text(paying.get(reverse("fundsource_page", args=[source.pk])))
    assert grant.reference in text(paying.get(reverse("batch_make", args=[source.pk])))
    batch_url = post(paying, "batch_make", source.pk, method="BANK", grant=[grant.pk]).url
    batch = PaymentBatch.objects.get()
    assert "Close and make the bank file" in text(paying.get(batch_url))
    assert post(paying, "batch_send", batch.pk).status_code == 302
    file = post(paying, "batch_file", batch.pk, format="csv")
    assert funds.ACCOUNT in file.content.decode("utf-8-sig")
    assert file["Cache-Control"] == "no-store"
    assert funds.ACCOUNT not in text(paying.get(batch_url))
    back = SimpleUploadedFile("b.csv", f"参考号,金额,结果\n{grant.reference},1000.01,成功\n".encode())
    assert post(paying, "batch_return", batch.pk, file=back).status_code == 302
    waiting = text(paying.get(batch_url))
    assert "another amount than sent" in waiting
    assert "The bank answers with 1,000.01 yuan" in waiting
    line = batch.lines.get()
    refused = post(paying, "batch_settle", batch.pk, line=line.pk, outcome="NOTED", reason="银行少扣")
    assert "this grant still waits" in text(refused)
    assert "银行少扣" in text(refused)
    post(paying, "batch_settle", batch.pk, line=line.pk, outcome="PAID", reason="银行已更正")
    grant.refresh_from_db()
    assert grant.state == "PAID"
    assert "银行已更正" in text(paying.get(batch_url))
    assert list(ledger.faults()) == []


def test_what_was_typed_stays_when_asking_is_refused(tree, case, enterprise, client_of):
    budget = funds.budget(tree.city)
    form = {"of": case.applicant.pk, "budget": budget.pk, "amount": "3000.01", "method": "BANK", "reason": "大病"}
    page = text(post(client_of(enterprise), "grant_ask", case.pk, **form))
    assert "At most 3000.00 yuan a person and time" in page
    assert "3000.01" in page
    assert "大病" in page
    for amount in ("abc", "0.001", "-5", ""):
        assert 'class="errors"' in (shown := text(post(client_of(enterprise), "grant_ask", case.pk, **form | {
            "amount": amount})) ) or "notice late" in shown  # fmt: skip
    assert not Grant.objects.exists()


def test_a_budget_or_person_of_elsewhere_is_no_choice(tree, case, enterprise, client_of):
    elsewhere, stranger = funds.budget(tree.other_district), household(tree.sibling)
    form = {"amount": "5", "method": "BANK"}
    page = post(client_of(enterprise), "grant_ask", case.pk, of=stranger.applicant.pk, budget=elsewhere.pk, **form)
    assert page.status_code == 200
    assert page.context["form"].errors.keys() == {"of", "budget"}


def test_a_decision_on_a_page_that_is_old_is_not_made(tree, case, approver, client_of):
    grant = ask(case, funds.budget(tree.city))
    page = client_of(approver).post(
        reverse("grant_move", args=[grant.pk]), {"move": "approve", "version": "7"}, follow=True
    )
    assert "Somebody changed this grant" in text(page)
    page = post(client_of(approver), "grant_move", grant.pk, move="refuse", version=grant.version, reason="")
    assert "This field is required" in text(page) or "Say why" in text(page)
    assert Grant.objects.get().state == "ASKED"


def test_the_asker_sees_why_the_button_is_disabled(tree, case, enterprise, client_of):
    funds.Appointment.objects.create(user=enterprise, union=tree.city, role="city_approver", valid_from="2020-01-01")
    grant = ask(case, funds.budget(tree.city), by=enterprise)
    page = text(client_of(enterprise).get(reverse("grant_page", args=[grant.pk])))
    assert "You asked for this grant or approved it" in page
    assert "disabled" in page


def test_a_hand_out_is_signed_on_the_page(tree, case, cashier, client_of):
    grant = approved(case, funds.budget(tree.city), method="IN_KIND")
    batch = in_batch([grant], method="IN_KIND")
    paying = client_of(cashier)
    post(paying, "batch_send", batch.pk)
    page = text(post(paying, "grant_sign", grant.pk, signed_by="", signed_on="2026-11-21", reason=""))
    assert "Say who signed" in page
    page = text(post(paying, "grant_sign", grant.pk, signed_by="安建国", signed_on="2050-01-01", reason=""))
    assert "lies in the future" in page
    assert "安建国" in page
    assert post(paying, "grant_sign", grant.pk, signed_by="安建国", signed_on="", reason="").status_code == 302
    assert Grant.objects.get().receipt == "安建国"


def test_a_file_that_cannot_be_read_is_said_beside_the_box(tree, case, cashier, client_of):
    batch = in_batch([approved(case, funds.budget(tree.city))])
    paying = client_of(cashier)
    post(paying, "batch_send", batch.pk)
    page = post(paying, "batch_return", batch.pk, file=SimpleUploadedFile("a.pdf", b"%PDF"))
    assert "Only workbooks" in text(page)
    assert 'class="errors"' in text(post(paying, "batch_return", batch.pk))


def test_what_is_nearly_spent_is_marked(tree, case, approver, client_of):
    budget = funds.budget(tree.city, "1000")
    seen = client_of(approver)
    for url in (reverse("fundsource_list"), reverse("fundsource_page", args=[budget.source_id])):
        assert "nearly spent" not in text(seen.get(url))
    approved(case, budget, "900.01")
    for url in (reverse("fundsource_list"), reverse("fundsource_page", args=[budget.source_id])):
        assert "nearly spent" in text(seen.get(url))


def test_lists_are_narrowed_and_end_at_the_border(tree, case, enterprise, neighbour, auditor, client_of):
    grant = ask(case, funds.budget(tree.city))
    name = reverse("grant_page", args=[grant.pk])
    seen = client_of(auditor)
    for query, there in (
        ("state=ASKED", True), ("state=PAID", False), ("aid_kind=LIVING&fund_kind=UNION_OWN", True),
        ("aid_kind=COOL", False), (f"year={grant.on.year}", True), ("year=1999", False),
        (f"source={grant.source.pk}", True),
    ):  # fmt: skip
        assert (name in text(seen.get(f"{reverse('grant_list')}?{query}"))) is there, query
    assert name in text(client_of(enterprise).get(reverse("grant_list")))
    assert name not in text(client_of(neighbour).get(reverse("grant_list")))
    assert client_of(neighbour).get(name).status_code == 404
    assert client_of(enterprise).get(reverse("fundsource_list")).status_code == 403


@pytest.mark.parametrize("line", ["", "x", "99999999999999999999", "-1", "1"])
def test_a_line_that_is_not_there_settles_nothing(tree, case, cashier, client_of, line):
    batch = in_batch([approved(case, funds.budget(tree.city))])
    assert post(client_of(cashier), "batch_settle", batch.pk, line=line).status_code == 302


@pytest.mark.parametrize("keys", [[], ["x"], ["9" * 30], ["1' OR 1=1"], ["12345"]])
def test_a_batch_of_nothing_is_refused_with_a_sentence(tree, case, cashier, client_of, keys):
    grant = approved(case, funds.budget(tree.city))
    page = post(client_of(cashier), "batch_make", grant.source.pk, method="BANK", grant=keys)
    assert page.status_code == 200
    assert "choose" in text(page).lower()
    assert not PaymentBatch.objects.exists()

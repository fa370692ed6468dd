"""Money: every refusal at its step, three people for one grant, batches whole or not at all, answers matched."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation
from openpyxl import load_workbook

from assistance import bank_files, ledger, money
from assistance.models import Budget, EntryKind, FundRule, FundSource, Grant, LedgerEntry, PaymentBatch, PayMethod
from core.cases import MoveRefused
from core.models import AuditEvent, Deadline
from members.models import AccountHolder, Kinship
from tests.assistance import funds
from tests.assistance.funds import approved, ask, household, in_batch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def cashier(tree):
    return funds.officer("cashier", "cashier", tree.city)


@pytest.fixture
def budget(tree):
    return funds.budget(tree.city)


@pytest.fixture
def case(tree):
    return household(tree.enterprise)


@pytest.fixture(autouse=True)
def _the_ledger_agrees(request, db):
    yield
    assert list(ledger.faults()) == []


def left(budget):
    return Budget.objects.get(pk=budget.pk).left


def fresh(row):
    return type(row).objects.get(pk=row.pk)


# --- Sources and budgets --------------------------------------------------------------------------------------------


def test_a_source_is_entered_with_its_money_and_divided_into_budgets(tree, approver):
    funds.rule()
    source = money.add_source(
        by=approver, union=tree.city, kind="UNION_OWN", year=2026, name="送温暖资金", amount=Decimal("100.01")
    )
    assert (source.expires_on, fresh(source).unallotted) == (date(2026, 12, 31), Decimal("100.01"))
    budget = money.allot(source, by=approver, aid_kind="LIVING", amount=Decimal("100.00"))
    money.allot(source, by=approver, aid_kind="LIVING", amount=Decimal("-40.00"))
    assert (fresh(budget).left, fresh(budget).amount, fresh(source).unallotted) == (60, 60, Decimal("40.01"))
    assert [entry.amount for entry in LedgerEntry.objects.filter(budget=budget)] == [100, -40]
    verbs = AuditEvent.objects.filter(actor_id=approver.pk).values_list("verb", flat=True)
    assert set(verbs) == {
        "assistance.add_fundsource", "assistance.appropriate_fundsource", "assistance.allot_budget"
    }  # fmt: skip


def test_no_more_is_moved_than_is_there(tree, budget):
    source = budget.source
    for act in (
        lambda: money.allot(source, by=None, aid_kind="LIVING", amount=Decimal("0.01")),
        lambda: money.allot(source, by=None, aid_kind="LIVING", amount=Decimal("-10000.01")),
        lambda: money.appropriate(source, by=None, amount=Decimal("-0.01")),
    ):
        with pytest.raises(MoveRefused, match="not that much money"):
            act()
    assert left(budget) == 10000


@pytest.mark.parametrize("amount", ["0", "1.001", "abc", "99999999999999"])
def test_an_amount_that_is_none_moves_nothing(tree, budget, amount):
    with pytest.raises(ValidationError) as refusal:
        money.appropriate(budget.source, by=None, amount=amount)
    assert "amount" in refusal.value.message_dict


def test_a_budget_needs_a_rule_in_force(tree):
    source = funds.source(tree.city)
    FundRule.objects.create(
        fund_kind="UNION_OWN", aid_kind="MEDICAL", valid_from=date(2020, 1, 1), valid_to=date(2025, 12, 31)
    )
    with pytest.raises(ValidationError, match="No rule in force permits"):
        money.allot(source, by=None, aid_kind="MEDICAL", amount=5)


def test_a_source_has_one_name_a_year_and_sound_days(tree):
    funds.source(tree.city, year=2026)
    with pytest.raises(ValidationError, match="of this name and year"):
        funds.source(tree.city, year=2026)
    with pytest.raises(ValidationError, match="before the year"):
        money.add_source(by=None, union=tree.city, kind="CITY", year=2026, name="x", amount=1,
                         expires_on=date(2025, 12, 31))  # fmt: skip
    with pytest.raises(ValidationError):
        money.add_source(by=None, union=tree.city, kind="CITY", year=1999, name="x", amount=1)


def test_only_the_keeper_of_the_source_enters_money(tree, budget, enterprise, cashier, district):
    for user in (enterprise, cashier, district):
        with pytest.raises(PermissionDenied):
            money.appropriate(budget.source, by=user, amount=5)
        with pytest.raises(PermissionDenied):
            money.allot(budget.source, by=user, aid_kind="LIVING", amount=5)


def test_the_database_itself_overdraws_nothing(budget):
    with pytest.raises(IntegrityError), transaction.atomic():
        Budget.objects.filter(pk=budget.pk).update(left=Decimal("-0.01"))
    with pytest.raises(IntegrityError), transaction.atomic():
        FundSource.objects.filter(pk=budget.source_id).update(unallotted=Decimal("-0.01"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE assistance_ledgerentry SET amount = 1",
        "DELETE FROM assistance_ledgerentry",
        "INSERT INTO assistance_ledgerentry SELECT * FROM assistance_ledgerentry WHERE true"
        " ON CONFLICT (id) DO UPDATE SET amount = 1",
        pytest.param("REPLACE INTO assistance_ledgerentry SELECT * FROM assistance_ledgerentry", id="replace"),
    ],
)
def test_the_ledger_is_never_changed(budget, statement):
    if "REPLACE" in statement and connection.vendor != "sqlite":
        return
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


# --- Asking ---------------------------------------------------------------------------------------------------------


def test_a_grant_is_asked_for_with_the_account_of_the_file(tree, budget, case, enterprise):
    grant = ask(case, budget, by=enterprise, reason="大病自付较多")
    assert (grant.state, grant.union, grant.asked_by, grant.on) == (
        "ASKED", tree.enterprise, enterprise, timezone.localdate()
    )  # fmt: skip
    stored = fresh(grant)
    assert (stored.bank_account, stored.bank_last4, stored.id_masked) == (
        funds.ACCOUNT, "5678", case.applicant.id_masked
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT bank_account, id_number FROM assistance_grant")
        assert funds.ACCOUNT not in str(cursor.fetchall())
    event = AuditEvent.objects.get(verb="assistance.ask_grant")
    assert funds.ACCOUNT not in str(event.changes)
    assert event.target_text == grant.reference
    assert left(budget) == 10000  # nothing is held before it is approved


@pytest.mark.parametrize(
    ("facts", "amount", "sentence"),
    [
        ({"state": "CITY_APPROVAL"}, "1000", "Only a filed household"),
        ({"state": "CLOSED"}, "1000", "Only a filed household"),
        ({"review_on": date(2020, 1, 1)}, "1000", "review it first"),
        ({}, "0", "other than 0"),
        ({}, "-1", "above 0"),
        ({}, "0.001", "two decimal|2 decimal"),
        ({}, "3000.01", "At most 3000.00 yuan a person and time"),
        ({"bank_account": ""}, "1000", "no account number"),
        ({"bank_account": "62220202000123x"}, "1000", "8 to 32 digits"),
    ],
)
def test_what_may_not_be_granted_is_not_asked_for(tree, budget, facts, amount, sentence):
    case = household(tree.enterprise, **facts)
    with pytest.raises(ValidationError, match=sentence):
        ask(case, budget, amount)
    assert not Grant.objects.exists()


def test_money_of_a_strange_union_pays_nothing_here(tree, case):
    elsewhere = funds.budget(tree.other_district)
    with pytest.raises(ValidationError, match="not above"):
        ask(case, elsewhere)
    assert elsewhere not in money.offered(case, timezone.localdate())


def test_money_is_used_in_its_time_only(tree, case):
    past = funds.budget(tree.city, year=timezone.localdate().year - 1)
    with pytest.raises(ValidationError, match="may be used from"):
        ask(case, past)
    coming = funds.budget(tree.city, year=timezone.localdate().year + 1)
    with pytest.raises(ValidationError, match="may be used from"):
        ask(case, coming)


def test_a_kind_that_no_rule_permits_any_more_is_refused(budget, case):
    FundRule.objects.update(valid_to=timezone.localdate() - timedelta(days=1))
    with pytest.raises(ValidationError, match="No rule in force permits"):
        ask(case, budget)


def test_the_year_ceiling_counts_all_grants_of_the_kind_of_fund(tree, budget, case):
    other = funds.budget(tree.district, aid_kind="MEDICAL", name="区级资金")
    ask(case, budget, "3000")
    approved(case, other, "2500")
    with pytest.raises(ValidationError, match=r"At most 6000\.00 yuan a person and year"):
        ask(case, budget, "500.01")
    city = funds.budget(tree.city, kind="CITY", name="市财政资金")  # another kind of money has its own ceiling
    ask(case, city, "3000")
    assert ask(case, budget, "500").state == "ASKED"


def test_the_ceiling_counts_what_a_record_got_that_was_merged_into_this_one(tree, budget, case):
    twin = household(tree.sibling)
    approved(twin, budget, "3000")
    twin.applicant.person.merged_into = case.applicant.person
    twin.applicant.person.save()
    ask(case, budget, "3000")
    with pytest.raises(ValidationError, match="a person and year"):
        ask(case, budget, "0.01")


def test_the_ceiling_begins_anew_with_the_calendar_year(tree, case):
    budget = funds.budget(tree.city)
    source = budget.source
    source.expires_on = date(source.year + 1, 6, 30)
    source.save()
    approved(case, budget, "3000")
    approved(case, budget, "3000")
    with time_machine.travel(timezone.make_aware(timezone.datetime(source.year + 1, 1, 2, 9))):
        assert ask(case, budget, "3000").state == "ASKED"


def test_what_was_refused_or_taken_back_does_not_count(budget, case):
    ask(case, budget, "3000").make_move("refuse", by=None, reason="材料不符")
    funds.paid(case, budget, "3000").make_move("reverse", by=None, reason="重复发放")
    assert ask(case, budget, "3000").state == "ASKED"
    assert ask(case, budget, "3000").state == "ASKED"
    assert left(budget) == 10000


def test_emergency_aid_comes_before_the_file_and_opens_its_deadline(tree):
    case = household(tree.enterprise, state="DRAFT")
    budget = funds.budget(tree.city, aid_kind="DISASTER")
    grant = ask(case, budget)
    assert not Deadline.objects.exists()
    grant.make_move("approve", by=None)
    deadline = Deadline.objects.get()
    assert (deadline.rule.code, deadline.subject_id) == ("HARDSHIP_EMERGENCY_FILE_30D", case.pk)
    assert deadline.natural == timezone.localdate() + timedelta(days=30)


def test_emergency_money_for_filed_households_only_waits_for_the_file(tree):
    funds.rule("DISASTER", filed_only=True)
    case, budget = household(tree.enterprise, state="DRAFT"), funds.budget(tree.city, aid_kind="DISASTER")
    with pytest.raises(ValidationError, match="Only a filed household"):
        ask(case, budget)
    rejected = household(tree.sibling, state="REJECTED")
    FundRule.objects.update(filed_only=False)
    with pytest.raises(ValidationError, match="Only a filed household"):
        ask(rejected, budget)


def test_nobody_asks_for_the_dead_or_for_a_stranger(tree, budget, case):
    other = household(tree.sibling)
    with pytest.raises(ValidationError, match="does not live in the household"):
        money.ask(by=None, case=case, of=other.applicant, budget=budget, amount=5, method="IN_KIND")
    case.applicant.person.die(timezone.localdate())
    with pytest.raises(ValidationError, match="deceased"):
        ask(case, budget)


def test_only_who_enters_at_the_union_asks(tree, budget, case, neighbour, approver, cashier):
    for user in (neighbour, approver, cashier):
        with pytest.raises(PermissionDenied):
            ask(case, budget, by=user)


def test_no_number_of_anybody_stands_in_a_reason(budget, case):
    with pytest.raises(ValidationError, match="without identity or phone numbers"):
        ask(case, budget, reason="见 210400198503070017")


# --- Approving ------------------------------------------------------------------------------------------------------


def test_an_approved_grant_holds_its_money_and_a_refused_one_gives_it_back(budget, case, enterprise, approver):
    grant = ask(case, budget, by=enterprise).make_move("approve", by=approver)
    assert (grant.state, grant.approved_by, left(budget)) == ("APPROVED", approver, 9000)
    grant = grant.make_move("refuse", by=approver, reason="本人放弃")
    assert (grant.state, left(budget)) == ("REFUSED", 10000)
    assert [entry.kind for entry in grant.entries.all()] == ["RESERVE", "RELEASE"]
    with pytest.raises(MoveRefused):
        grant.make_move("approve", by=approver)


def test_who_asked_does_not_approve(tree, budget, case, enterprise):
    for role in ("city_approver", "cashier"):
        funds.Appointment.objects.create(user=enterprise, union=tree.city, role=role, valid_from=date(2020, 1, 1))
    grant = ask(case, budget, by=enterprise)
    for name, facts in (("approve", {}), ("refuse", {"reason": "不符"})):
        with pytest.raises(MoveRefused, match="You asked for this grant"):
            grant.make_move(name, by=enterprise, **facts)
    offers = {offer.move.name: offer.refusal for offer in grant.open_moves(enterprise)}
    assert "You asked" in offers["approve"]


@pytest.mark.parametrize("move", ["visit", "review", "check", "return_review"])
def test_who_visited_or_reviewed_does_not_approve(budget, case, enterprise, approver, move):
    case.steps.create(by=approver, by_name="林", move=move, source="DRAFT", target="DRAFT")
    with pytest.raises(MoveRefused, match="You took part"):
        ask(case, budget, by=enterprise).make_move("approve", by=approver)


def test_who_approved_the_file_approves_the_grant_but_never_pays(tree, budget, case, approver):
    case.steps.create(by=approver, by_name="林", move="approve", source="CITY_APPROVAL", target="FILED")
    grant = approved(case, budget, by=approver)
    payer = funds.officer("payer", "cashier", tree.city)
    case.steps.create(by=payer, by_name="钱", move="approve", source="CITY_APPROVAL", target="FILED")
    with pytest.raises(ValidationError, match="You took part"):
        in_batch([grant], by=payer)


def test_a_relative_neither_approves_nor_pays(tree, budget, case, approver, cashier):
    for user in (approver, cashier):
        Kinship.objects.create(
            user=user, kind="SIBLING", name="安某", id_number=case.applicant.id_number, id_masked="—",
            declared_on=date(2026, 1, 1),
        )  # fmt: skip
    grant = ask(case, budget)
    with pytest.raises(MoveRefused, match="related"):
        grant.make_move("approve", by=approver)
    grant.make_move("approve", by=None)
    with pytest.raises(ValidationError, match="related"):
        in_batch([grant], by=cashier)
    AccountHolder.objects.create(user=approver, person=case.applicant.person, declared_on=date(2026, 1, 1))


def test_everything_is_asked_once_more_when_it_is_approved(tree, budget, case):
    first, second = ask(case, budget, "3000"), ask(case, budget, "3000")
    FundRule.objects.update(per_year=Decimal("5999.99"))
    first.make_move("approve", by=None)
    with pytest.raises(MoveRefused, match="a person and year"):
        second.make_move("approve", by=None)
    case.state = "CLOSED"
    case.save()
    FundRule.objects.update(per_year=None)
    with pytest.raises(MoveRefused, match="Only a filed household"):
        Grant.objects.get(pk=second.pk).make_move("approve", by=None)


def test_the_last_fen_is_granted_once(tree, case):
    budget = funds.budget(tree.city, "1000")
    first, second = ask(case, budget, "1000"), ask(case, budget, "0.01")
    first.make_move("approve", by=None)
    with pytest.raises(MoveRefused, match=r"not that much money left.*0\.00"):
        second.make_move("approve", by=None)
    assert left(budget) == 0


def test_money_of_the_city_is_approved_and_paid_by_the_city(tree, budget, case):
    below = funds.officer("below", "city_approver", tree.enterprise)
    payer = funds.officer("payer", "cashier", tree.enterprise)
    grant = ask(case, budget)
    with pytest.raises(PermissionDenied):
        grant.make_move("approve", by=below)
    with pytest.raises(PermissionDenied):
        in_batch([grant.make_move("approve", by=None)], by=payer)


# --- Batches --------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tree, budget):
    """Approved grants of three households, 100, 200 and 300 yuan."""
    places = (tree.enterprise, tree.sibling, tree.neighbour_enterprise)
    return [approved(household(union), budget, str(100 * n)) for n, union in enumerate(places, start=1)]


def lines_of(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_batch_is_made_sent_and_its_file_is_the_one_whose_hash_is_kept(three, cashier):
    batch = in_batch(three, by=cashier)
    assert (batch.state, money.total(batch)) == ("OPEN", 600)
    assert {fresh(each).state for each in three} == {"IN_BATCH"}
    with pytest.raises(ValidationError, match="when the batch is sent"):
        money.bank_file(batch, by=cashier)
    batch = money.send(batch, by=cashier)
    content = money.bank_file(batch, by=cashier)
    assert bank_files.digest(content) == batch.file_sha256
    rows = lines_of(content)
    assert [[*row[1:4], row[5]] for row in rows[1:]] == [
        [each.reference, "安建国", funds.ACCOUNT, f"{each.amount:.2f}"] for each in three
    ]
    sheet = load_workbook(io.BytesIO(money.bank_file(batch, by=cashier, workbook=True))).active
    assert (sheet["D2"].value, sheet["F4"].value) == (funds.ACCOUNT, 300)
    assert AuditEvent.objects.filter(verb="assistance.download_bankfile", actor_id=cashier.pk).count() == 2
    with pytest.raises(MoveRefused, match="is «sent out» now"):
        money.send(batch, by=cashier)


def test_a_file_that_would_differ_from_the_one_sent_is_not_handed_out(three, cashier):
    batch = money.send(in_batch(three, by=cashier), by=cashier)
    grant = fresh(three[0])
    grant.bank_account = "6222020200099999999"
    grant.save()
    with pytest.raises(ValidationError, match="no longer those that were sent"):
        money.bank_file(batch, by=cashier)
    assert AuditEvent.objects.filter(verb="assistance.refuse_bankfile").exists()


def test_who_approved_does_not_pay(tree, budget, case, approver):
    funds.Appointment.objects.create(user=approver, union=tree.city, role="cashier", valid_from=date(2020, 1, 1))
    grant = approved(case, budget, by=approver)
    with pytest.raises(ValidationError, match="You asked for this grant or approved it"):
        in_batch([grant], by=approver)
    assert not PaymentBatch.objects.exists()


def test_a_batch_is_whole_or_not_at_all(three, cashier, monkeypatch):
    three[1].person.die(timezone.localdate())
    with pytest.raises(ValidationError) as refusal:
        in_batch(three, by=cashier)
    assert [three[1].reference in sentence for sentence in refusal.value.messages] == [True]
    assert not PaymentBatch.objects.exists()
    assert {fresh(each).state for each in three} == {"APPROVED"}
    real, made = Grant.make_move, []

    def killed(grant, *args, **kwargs):
        if made:
            raise SystemExit
        made.append(grant)
        return real(grant, *args, **kwargs)

    monkeypatch.setattr(Grant, "make_move", killed)
    with pytest.raises(SystemExit):
        in_batch([three[0], three[2]], by=cashier)
    assert not PaymentBatch.objects.exists()
    assert {fresh(each).state for each in three} == {"APPROVED"}


def test_a_grant_goes_into_one_batch(three, budget, tree):
    in_batch(three[:2])
    with pytest.raises(ValidationError, match="choose again"):
        in_batch(three[1:])
    with pytest.raises(ValidationError, match="Choose the grants"):
        money.make_batch(by=None, source=budget.source, method=PayMethod.BANK, keys=[])
    other = funds.budget(tree.district, name="区级资金")
    with pytest.raises(ValidationError, match="choose again"):
        money.make_batch(by=None, source=other.source, method=PayMethod.BANK, keys=[three[2].pk])


def test_who_dies_before_the_money_goes_is_taken_out(three, budget, cashier):
    batch = in_batch(three, by=cashier)
    three[0].person.die(timezone.localdate())
    batch = money.send(batch, by=cashier)
    stopped = fresh(three[0])
    assert (stopped.state, stopped.batch, left(budget)) == ("REFUSED", None, 9500)
    assert stopped.steps.get(move="stop").facts == {"batch": batch.pk}
    assert [row[1] for row in lines_of(money.bank_file(batch, by=cashier))[1:]] == [
        each.reference for each in three[1:]
    ]


def test_a_batch_of_the_dead_alone_is_over_at_once(budget, case, cashier):
    grant = approved(case, budget)
    batch = in_batch([grant])
    case.applicant.person.die(timezone.localdate())
    assert money.send(batch, by=cashier).state == "RETURNED"
    assert left(budget) == 10000


# --- What the bank answers ------------------------------------------------------------------------------------------


def answer(batch, *rows, by=None, name="回盘.csv", heads="参考号,金额,结果,原因"):
    content = "\n".join([heads, *rows]).encode("gb18030")
    return money.read_return(batch, SimpleUploadedFile(name, content), by=by)


@pytest.fixture
def sent(three, cashier):
    return money.send(in_batch(three, by=cashier), by=cashier)


def verdicts(batch):
    return {(line.row, line.verdict, line.grant_id) for line in batch.lines.all()}


def test_every_line_is_matched_or_waits(sent, three, budget, cashier):
    a, b, c = three
    waits = answer(
        sent, f"{a.reference},100.00,成功,", f"{b.reference},200,失败,账号 6222020200012345678 户名不符",
        f"{c.reference},300.01,成功,", f"{a.reference},100,成功,", "G99999999,5,成功,", by=cashier,
    )  # fmt: skip
    assert waits == 4
    assert verdicts(sent) == {
        (2, "PAID", a.pk), (3, "FAILED", b.pk), (4, "AMOUNT", c.pk), (5, "DOUBLE", a.pk), (6, "UNKNOWN", None)
    }  # fmt: skip
    assert [fresh(each).state for each in three] == ["PAID", "FAILED", "IN_BATCH"]
    assert sent.lines.get(verdict="FAILED").said == "账号 … 户名不符"
    assert left(budget) == 10000 - 100 - 300  # paid once; the other still holds what was sent, not what was paid
    assert fresh(sent).state == "RETURNED"


def test_the_same_file_twice_changes_nothing_and_another_is_refused(sent, three, cashier):
    rows = [f"{each.reference},{each.amount},成功," for each in three]
    assert answer(sent, *rows, by=cashier) == 0
    before = LedgerEntry.objects.count()
    assert answer(sent, *rows, by=cashier) == 0
    assert (LedgerEntry.objects.count(), sent.lines.count()) == (before, 3)
    with pytest.raises(MoveRefused, match="Another file answered"):
        answer(sent, *rows[:2], by=cashier)


def test_a_grant_that_no_line_names_waits_and_is_settled_by_hand(sent, three, budget, cashier):
    a, b, c = three
    assert answer(sent, f"{a.reference},100,处理中,", f"{b.reference},贰佰,成功,", by=cashier) == 3
    assert verdicts(sent) == {(2, "UNCLEAR", a.pk), (3, "UNCLEAR", b.pk), (None, "MISSING", c.pk)}
    lines = {line.grant_id: line for line in sent.lines.all()}
    with pytest.raises(ValidationError, match="whether it was paid"):
        money.settle(lines[a.pk], by=cashier, outcome="NOTED", reason="已询问银行")
    with pytest.raises(ValidationError, match="Say why"):
        money.settle(lines[a.pk], by=cashier, outcome="PAID", reason=" ")
    money.settle(lines[a.pk], by=cashier, outcome="PAID", reason="银行电话确认到账")
    money.settle(lines[b.pk], by=cashier, outcome="PAID", reason="银行电话确认到账")
    money.settle(lines[c.pk], by=cashier, outcome="FAILED", reason="银行未处理")
    assert [fresh(each).state for each in three] == ["PAID", "PAID", "FAILED"]
    assert left(budget) == 9700
    assert not money.queue(sent).exists()
    with pytest.raises(MoveRefused, match="settled already"):
        money.settle(lines[a.pk], by=cashier, outcome="PAID", reason="再次")


def test_a_stray_line_can_only_be_noted(sent, three, cashier):
    a = three[0]
    answer(sent, *(f"{each.reference},{each.amount},成功," for each in three), f"{a.reference},100,成功,", by=cashier)
    line = sent.lines.get(verdict="DOUBLE")
    with pytest.raises(ValidationError, match="only be noted"):
        money.settle(line, by=cashier, outcome="PAID", reason="银行重复入账")
    money.settle(line, by=cashier, outcome="NOTED", reason="银行已冲正")
    assert not money.queue(sent).exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("回盘.pdf", b"%PDF", "Only workbooks"),
        ("回盘.csv", b"", "empty"),
        ("回盘.csv", "姓名,电话\n张三,1".encode(), "header|column"),
        ("回盘.csv", "参考号,金额,结果\n".encode(), "no line"),
        ("回盘.xlsx", b"PK\x03\x04broken", "workbook"),
    ],
)
def test_a_file_that_is_no_answer_is_refused_with_a_sentence(sent, cashier, name, content, sentence):
    with pytest.raises(ValidationError, match=sentence):
        money.read_return(sent, SimpleUploadedFile(name, content), by=cashier)
    assert (fresh(sent).state, sent.lines.count()) == ("SENT", 0)


def test_an_answer_comes_to_a_sent_batch_from_its_cashier(three, cashier, approver):
    batch = in_batch(three, by=cashier)
    with pytest.raises(MoveRefused, match="is «to be sent» now"):
        answer(batch, f"{three[0].reference},100,成功,", by=cashier)
    with pytest.raises(PermissionDenied):
        answer(batch, f"{three[0].reference},100,成功,", by=approver)


# --- Things and reversals -------------------------------------------------------------------------------------------


def test_things_are_signed_for(tree, budget, cashier):
    grants = [approved(household(union), budget, "100", PayMethod.IN_KIND) for union in (tree.enterprise, tree.sibling)]
    batch = in_batch(grants, by=cashier, method=PayMethod.IN_KIND)
    with pytest.raises(MoveRefused, match="is «to be sent» now"):
        money.hand_out(fresh(grants[0]), by=cashier, signed_by="安建国")
    batch = money.send(batch, by=cashier)
    for facts, field in (
        ({"signed_by": ""}, "signed_by"),
        ({"signed_by": "210400198503070017"}, "signed_by"),
        ({"signed_by": "安建国", "signed_on": timezone.localdate() + timedelta(days=1)}, "signed_on"),
        ({"signed_by": "安建国", "signed_on": timezone.localdate() - timedelta(days=1)}, "signed_on"),
    ):
        with pytest.raises(ValidationError) as refusal:
            money.hand_out(fresh(grants[0]), by=cashier, **facts)
        assert field in refusal.value.message_dict
    grant = money.hand_out(fresh(grants[0]), by=cashier, signed_by="安建国（本人）")
    assert (grant.state, grant.receipt, grant.paid_on) == ("PAID", "安建国（本人）", timezone.localdate())
    assert fresh(batch).state == "SENT"
    with pytest.raises(MoveRefused):
        money.hand_out(fresh(grants[0]), by=cashier, signed_by="安建国（本人）")
    money.hand_out(fresh(grants[1]), by=cashier, reason="本人长期外出")
    assert (fresh(grants[1]).state, fresh(batch).state, left(budget)) == ("FAILED", "RETURNED", 9900)


def test_no_bank_answers_for_things(budget, case):
    batch = money.send(in_batch([approved(case, budget, method="IN_KIND")], method="IN_KIND"), by=None)
    with pytest.raises(MoveRefused, match="signed for"):
        answer(batch, "G00000001,1,成功,")
    with pytest.raises(ValidationError):
        money.bank_file(batch, by=None)


def test_a_reversal_is_an_entry_against_the_payment(tree, budget, case, cashier):
    grant = funds.paid(case, budget)
    assert left(budget) == 9000
    with pytest.raises(ValidationError, match="Say why"):
        grant.make_move("reverse", by=cashier)
    grant = grant.make_move("reverse", by=cashier, reason="重复发放，已退回")
    assert [(entry.kind, entry.amount) for entry in grant.entries.all()] == [
        (EntryKind.RESERVE, -1000), (EntryKind.RELEASE, 1000), (EntryKind.PAY, -1000), (EntryKind.REVERSAL, 1000)
    ]  # fmt: skip
    assert left(budget) == 10000
    with pytest.raises(MoveRefused):
        grant.make_move("reverse", by=cashier, reason="再次")


def test_the_database_pays_nobody_twice(budget, case):
    grant = funds.paid(case, budget)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.create(source=budget.source, budget=budget, grant=grant, kind="PAY", amount=Decimal(-1))


def test_what_is_altered_behind_the_ledger_is_found(budget, case):
    grant = funds.paid(case, budget)
    with transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(state="FAILED")
        assert list(ledger.faults())
        transaction.set_rollback(True)
    with transaction.atomic():
        Budget.objects.filter(pk=budget.pk).update(left=Decimal("9000.01"))
        assert any("in the ledger" in fault for fault in ledger.faults())
        transaction.set_rollback(True)

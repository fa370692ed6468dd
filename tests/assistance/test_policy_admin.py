"""The policy in the admin, and what rests on it: decisions replayed, the sample drawn again."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from assistance import sample
from assistance.models import Decision, FundRule, LivingStandard
from core.models import AuditEvent
from members.identity import mask_number
from tests.assistance.cases import case_in, go, staff, standard

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


STANDARD = {"amount": "862.50", "status": "LOCAL", "valid_from": "2026-07-01", "legal_basis": "云政发〔2026〕8号"}


def said(*args, **options):
    out = StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


# --- The admin ---------------------------------------------------------------------------------------------------


def test_a_standard_is_entered_by_its_keeper_as_an_event_and_labelled(tree, city, client_of):
    client = client_of(city)
    answer = client.post("/admin/assistance/livingstandard/add/", STANDARD | {"area": tree.district.pk})
    assert answer.status_code == 302
    row = LivingStandard.objects.get()
    assert (row.amount, row.area, row.valid_from) == (Decimal("862.50"), tree.district, date(2026, 7, 1))
    event = AuditEvent.objects.get(verb="assistance.add_livingstandard")
    assert (event.actor_id, event.changes["amount"]) == (city.pk, [None, "862.50"])
    assert "to be confirmed by the federation" in client.get("/admin/assistance/livingstandard/").content.decode()


@pytest.mark.parametrize("wrong", [{"amount": "0"}, {"amount": "-5"}, {"amount": "9.999"}, {"amount": "八百"},
                                   {"valid_to": "2026-06-30"}, {"area": ""}])  # fmt: skip
def test_a_standard_that_is_none_is_refused(tree, city, client_of, wrong):
    facts = STANDARD | {"area": tree.district.pk} | wrong
    answer = client_of(city).post("/admin/assistance/livingstandard/add/", facts)
    assert answer.status_code == 200
    assert not LivingStandard.objects.exists()


def test_a_standard_that_decided_stays_what_it_was_and_is_ended_instead(tree, city, client_of):
    go(case_in("DRAFT", tree.enterprise), staff(tree))
    row = LivingStandard.objects.get()
    page = f"/admin/assistance/livingstandard/{row.pk}/change/"
    facts = {"amount": "800", "status": "LOCAL", "valid_from": "2025-01-01"}
    told = client_of(city).post(page, facts | {"amount": "900"}).content.decode()
    assert "Decisions rest on this standard" in told
    assert client_of(city).post(page, facts | {"valid_to": "2026-12-31"}).status_code == 302
    row.refresh_from_db()
    assert (row.amount, row.valid_to) == (Decimal(800), date(2026, 12, 31))


def test_a_rule_of_money_is_kept_in_the_admin(tree, city, client_of):
    facts = {"fund_kind": "CENTRAL", "aid_kind": "LIVING", "per_time": "3000", "per_year": "6000", "filed_only": "on",
             "status": "RECALLED", "valid_from": "2026-01-01"}  # fmt: skip
    assert client_of(city).post("/admin/assistance/fundrule/add/", facts).status_code == 302
    assert FundRule.objects.get().per_year == Decimal(6000)
    assert "to be confirmed by the federation" in client_of(city).get("/admin/assistance/fundrule/").content.decode()


@pytest.mark.parametrize("model", ["livingstandard", "fundrule"])
def test_only_the_keeper_at_the_root_keeps_the_policy(tree, district_staff, approver, client_of, model):
    standard(tree.city)
    for user in (district_staff, approver):
        assert client_of(user).get(f"/admin/assistance/{model}/").status_code in (302, 403)
        assert client_of(user).post(f"/admin/assistance/{model}/add/", STANDARD).status_code in (302, 403)


@pytest.mark.parametrize("model", ["livingstandard", "fundrule"])
def test_the_policy_travels_as_a_sheet_and_back(tree, city, client_of, model):
    standard(tree.district, "862.50")
    FundRule.objects.create(fund_kind="CITY", aid_kind="WARMTH", per_time=Decimal(3000))
    answer = client_of(city).post(f"/admin/assistance/{model}/export/", {"format": "0", "resource": ""})
    text = answer.content.decode("utf-8-sig")
    assert ("T01" in text and "862.50" in text) if model == "livingstandard" else "3000" in text
    assert AuditEvent.objects.filter(verb=f"assistance.export_{model}").exists()


# --- Replay ---------------------------------------------------------------------------------------------------------


def spoil(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def decided(tree):
    return go(case_in("DRAFT", tree.enterprise), staff(tree))


def test_replay_reproduces_what_was_decided(decided):
    assert said("replay_decisions") == "1 decisions replayed, 0 differences.\n"


@pytest.mark.parametrize(("statement", "value", "what"), [
    ("UPDATE assistance_income SET amount = %s", 1200001, "figures"),
    ("UPDATE assistance_decision SET shown = %s", 24999, "shown"),
    ("UPDATE assistance_decision SET category = %s", "RELATIVE", "category"),
    ("UPDATE assistance_decision SET explanation = %s", "结论：深度困难", "explanation"),
    ("UPDATE assistance_livingstandard SET amount = %s", 80001, "standard"),
    ("DELETE FROM assistance_expense WHERE kind = %s", "MEDICAL", "figures"),
])  # fmt: skip
def test_one_altered_figure_is_found(decided, statement, value, what):
    spoil(statement, value)
    out = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("replay_decisions", stdout=out)
    assert left.value.code == 1
    decision = Decision.objects.get()
    assert f"#{decision.pk} {what}:" in out.getvalue()
    assert "1 decisions replayed, 1 differences." in out.getvalue()
    person = decided.membership.person
    for word in (person.name, person.id_number, mask_number(person.id_number)):
        assert word not in out.getvalue()


def test_one_case_is_replayed_by_itself(decided):
    assert said("replay_decisions", case=decided.pk).startswith("1 decisions")
    assert said("replay_decisions", case=decided.pk + 1).startswith("0 decisions")


# --- The sample -----------------------------------------------------------------------------------------------------


@pytest.fixture
def many(decided):
    first = Decision.objects.get()
    for _each in range(9):
        first.pk = None
        first.save(force_insert=True)
    return list(Decision.objects.order_by("pk").values_list("pk", flat=True))


def test_the_same_sample_is_drawn_again_whatever_was_decided_since(many, tree):
    told = said("audit_sample", seed="2026年经审第7号", commit=True)
    assert sample.digest_of("2026年经审第7号") in told
    event = AuditEvent.objects.get(verb="assistance.commit_sample")
    assert "2026年经审第7号" not in str(event.changes)
    first = said("audit_sample", seed="2026年经审第7号", size=4)
    assert "4 of 10 decisions" in first
    assert len(first.splitlines()) == 5
    newer = Decision.objects.order_by("-pk").first()
    for _each in range(5):
        newer.pk = None
        newer.save(force_insert=True)
    assert said("audit_sample", seed="2026年经审第7号", size=4) == first
    drawn = [each.pk for each in sample.draw("2026年经审第7号", 4)[2]]
    assert set(drawn) <= set(many)
    assert [each.pk for each in sample.draw("2026年经审第7号", 2)[2]] == drawn[:2]  # a larger sample begins alike


def test_a_sample_needs_a_commitment_and_one_seed_is_committed_to_once(many):
    with pytest.raises(CommandError, match="Nobody committed"):
        said("audit_sample", seed="x", size=1)
    said("audit_sample", seed="x", commit=True)
    with pytest.raises(CommandError, match="committed to already"):
        said("audit_sample", seed="x", commit=True)
    with pytest.raises(CommandError, match="whole number"):
        said("audit_sample", seed="x", size=0)
    with pytest.raises(CommandError, match="Give a seed"):
        said("audit_sample", seed=" ", commit=True)


def test_a_sample_larger_than_all_is_all(many):
    said("audit_sample", seed="y", commit=True)
    assert sorted(each.pk for each in sample.draw("y", 99)[2]) == many

"""The remaining lists, of the admin and of roles: each asks as often for three rows as for one."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import timezone

from assistance.models import FundRule, LivingStandard
from core.models import AuditSeal, CalendarDay, CalendarYear, DeadlineRule, Digest, RetentionRule, Setting, User
from tests import cast
from tests.builders import (
    account_at,
    batch_at,
    campaign_at,
    committee_at,
    deadline_at,
    erasure_at,
    event_at,
    export_at,
    fund_source_at,
    grant_at,
    hardship_case_at,
    hold_at,
    job_at,
    match_request_at,
    merge_at,
    objection_at,
    officer_at,
    pair_at,
    paper_at,
    payment_batch_at,
    publicity_at,
    reminder_at,
    step_at,
    transfer_at,
    union_event_at,
)

PLACES = ("city", "district", "street")


def seal(tree, place):
    AuditSeal.objects.create(
        id=place + 1, at=timezone.now(), from_id=1, to_id=1, count=1, digest="0" * 64, mac="0" * 64
    )


def rule(tree, place):
    if not place:
        DeadlineRule.objects.all().delete()
    DeadlineRule.objects.create(
        code=f"R{place}", name="期限", length=5, unit="CD", jurisdiction="国家", side="OURS", who_acts="工会",
        length_status="READ", unit_status="READ", starts="—", legal_basis="—",
    )  # fmt: skip


def calendar_day(tree, place):
    if not place:
        CalendarDay.objects.all().delete()
    CalendarDay.objects.create(date=date(2030, 1, 1 + place), kind="OFF")


def calendar_year(tree, place):
    if not place:
        CalendarYear.objects.all().delete()
    CalendarYear.objects.create(year=2030 + place)


def export(tree, place):
    row = export_at(getattr(tree, PLACES[place]))
    row.asked_by = User.objects.get(username="root")  # who sees nobody else's
    row.save()


def setting(tree, place):
    if not place:
        Setting.objects.all().delete()
    Setting.objects.create(key=f"key{place}", value="1", label="—", status="DESIGN")


def retention_rule(tree, place):
    if not place:
        RetentionRule.objects.all().delete()
    RetentionRule.objects.create(kind=f"kind{place}", name="—", length=1, unit="DAY", starts="—", status="DESIGN")


def living_standard(tree, place):
    LivingStandard.objects.create(area=getattr(tree, PLACES[place]), amount=800)


def fund_rule(tree, place):
    FundRule.objects.create(fund_kind="CITY", aid_kind=("LIVING", "MEDICAL", "WARMTH")[place])


def at(build):
    return lambda tree, place: build(getattr(tree, PLACES[place]))


def with_committee(build):
    def made(tree, place):
        committee_at(getattr(tree, PLACES[place]))
        build(getattr(tree, PLACES[place]))

    return made


officer = with_committee(officer_at)


def digest(tree, place):
    Digest.objects.create(user=account_at(getattr(tree, PLACES[place])), day=date(2026, 11, 20))


LISTS = {
    "admin:core_auditevent_changelist": (lambda tree, place: event_at(getattr(tree, PLACES[place])), 4),
    "admin:core_auditseal_changelist": (seal, 4),
    "admin:core_deadlinerule_changelist": (rule, 5),
    "admin:core_calendarday_changelist": (calendar_day, 5),
    "admin:core_calendaryear_changelist": (calendar_year, 4),
    "admin:core_setting_changelist": (setting, 4),
    "admin:core_retentionrule_changelist": (retention_rule, 4),
    "admin:assistance_livingstandard_changelist": (living_standard, 4),
    "admin:assistance_fundrule_changelist": (fund_rule, 4),
    "admin:unions_committee_changelist": (lambda tree, place: committee_at(getattr(tree, PLACES[place])), 4),
    "admin:unions_officer_changelist": (officer, 4),
    "admin:unions_unionevent_changelist": (at(union_event_at), 4),
    "admin:core_deadline_changelist": (with_committee(deadline_at), 4),
    "admin:core_digest_changelist": (digest, 4),
    "admin:core_importbatch_changelist": (at(batch_at), 4),
    "admin:core_job_changelist": (at(job_at), 4),
    "admin:core_paper_changelist": (at(paper_at), 4),
    "admin:core_reminder_changelist": (with_committee(reminder_at), 4),
    "admin:members_duplicatepair_changelist": (at(pair_at), 4),
    "admin:members_membershipstep_changelist": (at(step_at), 4),
    "admin:members_personmerge_changelist": (at(merge_at), 4),
    "admin:members_transfer_changelist": (at(transfer_at), 4),
    "export_list": (export, 4),
    "pair_list": (at(pair_at), 4),
    "erasure_list": (at(erasure_at), 4),
    "grant_list": (at(grant_at), 7),
    "fundsource_list": (at(fund_source_at), 5),
    "batch_list": (at(payment_batch_at), 6),
    "campaign_list": (at(campaign_at), 4),
    "hold_list": (at(hold_at), 4),
    "hardship_list": (at(hardship_case_at), 6),
    "publicity_list": (at(publicity_at), 4),
    "objection_list": (at(objection_at), 4),
    "match_list": (at(match_request_at), 4),
    "role_list": (lambda tree, place: cast.invite(("street", "enterprise", "auditor")[place], tree), 5),
    "account_list": (lambda tree, place: cast.invite(("street", "enterprise", "auditor")[place], tree), 8),
}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", LISTS)
def test_list_asks_as_often_for_three_rows_as_for_one(tree, root, client_of, django_assert_num_queries, name, rows):
    make, queries = LISTS[name]
    for place in range(rows):
        make(tree, place)
    client = client_of(root)
    client.get("/admin/")  # the first page of a session notes when it began
    with django_assert_num_queries(queries):
        assert client.get(reverse(name)).status_code == 200

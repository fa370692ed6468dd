"""The remaining lists, of the admin and of roles: each asks as often for three rows as for one."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import timezone

from core.models import AuditSeal, CalendarDay, CalendarYear, DeadlineRule, Setting
from tests import cast
from tests.builders import committee_at, event_at

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


def setting(tree, place):
    if not place:
        Setting.objects.all().delete()
    Setting.objects.create(key=f"key{place}", value="1", label="—", status="DESIGN")


LISTS = {
    "admin:core_auditevent_changelist": (lambda tree, place: event_at(getattr(tree, PLACES[place])), 5),
    "admin:core_auditseal_changelist": (seal, 5),
    "admin:core_deadlinerule_changelist": (rule, 6),
    "admin:core_calendarday_changelist": (calendar_day, 6),
    "admin:core_calendaryear_changelist": (calendar_year, 5),
    "admin:core_setting_changelist": (setting, 5),
    "admin:unions_committee_changelist": (lambda tree, place: committee_at(getattr(tree, PLACES[place])), 5),
    "role_list": (lambda tree, place: cast.invite(("street", "enterprise", "auditor")[place], tree), 6),
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

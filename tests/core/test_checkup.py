"""The checkup: each seeded fault found and it alone, kept with its day, counted from leaf to city, gone when mended."""

import inspect
import re
import threading
from datetime import date, timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core import audit, checkup, deadlines, examination, findings, jobs, standards
from core.checkup import ALL, Gravity, checks, populations
from core.models import AuditEvent, CheckupCount, CheckupDay, Deadline, Finding, Job, Setting
from members import actions
from members import checkup as members
from members.models import Membership
from tests.sound import FAULTS, sound
from unions import checkup as unions
from unions.actions import change_union

pytestmark = pytest.mark.django_db


def examine(union, today=None):
    examination.examine(union, today=today or timezone.localdate())


def found():
    return sorted(Finding.objects.values_list("code", "subject_id"))


def stored():
    return [list(model.objects.order_by("pk").values()) for model in (Finding, CheckupCount, CheckupDay)]


def number(union, code=ALL, column="below"):
    return CheckupCount.objects.filter(union=union, code=code).values_list(column, flat=True).first() or 0


@pytest.fixture
def whole(tree):
    """The cast's tree in which nothing is wrong or missing."""
    return sound(tree)


# --- Each check ----------------------------------------------------------------------------------------------------


def test_a_sound_city_has_no_finding_and_says_how_much_was_looked_at(whole):
    examine(whole.city)
    assert found() == []
    assert {code: number(whole.city, code) for code in populations()} == whole.looked_at


def test_every_check_has_its_seeded_fault():
    assert set(FAULTS) == set(checks())


@pytest.mark.parametrize("code", FAULTS)
def test_a_seeded_fault_is_found_and_it_alone(whole, root, code):
    """By a run over the city and by looking at the record alone; and there are ways to mend it."""
    subjects, union = FAULTS[code](whole)
    label = checks()[code].of.label_of_model
    for look in (
        lambda: examine(whole.city),
        lambda: examination.look_again({(label, subject.pk) for subject in subjects}),
    ):
        for model in (Finding, CheckupCount):
            model.objects.all().delete()
        look()
        assert found() == sorted((code, subject.pk) for subject in subjects)
        assert {finding.union_id for finding in Finding.objects.all()} == {union.pk}
        assert number(union, code, "here") == number(whole.city, code) == number(whole.city) == len(subjects)
    for finding in findings.with_subjects(list(Finding.objects.select_related("union"))):
        assert finding.text
        mends = findings.mends_of(finding, root)
        assert len(mends) == len(checks()[code].mends)
        assert all(bool(url) != bool(mend.act) for mend, url in mends)


@pytest.mark.parametrize(
    "code", ["DEADLINE_WRONG", "UNION_NO_CADRE", "UNION_CODE_WRONG", "NO_UNION_AT_ALL", "DUPLICATE_WAITING", "NO_PHONE",
             "TRANSFER_UNANSWERED", "IMPORT_ROWS_LEFT"]
)  # fmt: skip
def test_a_checkup_of_its_union_alone_finds_a_fault_too(whole, code):
    subjects, union = FAULTS[code](whole)
    examine(union)
    assert found() == sorted((code, subject.pk) for subject in subjects)
    assert number(whole.city, code) == number(union, code, "here") == number(whole.city) == len(subjects)


def test_a_checkup_of_one_union_leaves_the_others_as_they_were(whole):
    FAULTS["NO_GROUP"](whole)
    examine(whole.other_district)
    assert found() == []
    examine(whole.city)
    FAULTS["UNION_NO_HEADCOUNT"](whole)
    examine(whole.other_district)
    assert number(whole.city) == 1
    examine(whole.street)
    assert number(whole.city) == number(whole.district) == number(whole.street) == 2


@pytest.mark.parametrize("code", [code for code, check in checks().items() if any(mend.act for mend in check.mends)])
def test_one_click_mends_it_and_the_trail_says_who(whole, city, code):
    [subject, *_others], _union = FAULTS[code](whole)
    examine(whole.city)
    finding = Finding.objects.select_related("union").get(code=code, subject_id=subject.pk)
    label = next(str(mend.label) for mend in checks()[code].mends if mend.act)
    before = AuditEvent.objects.count()
    assert findings.mend(finding, label, by=city)
    assert found() == []
    assert number(whole.city, code) == number(whole.city) == 0
    assert AuditEvent.objects.filter(actor_name=str(city)).count() > 0
    assert AuditEvent.objects.count() > before
    examine(whole.city)
    assert found() == []


# --- Runs ----------------------------------------------------------------------------------------------------------


def test_a_finding_keeps_its_day_and_goes_when_mended(whole):
    today = timezone.localdate()
    [member], _union = FAULTS["NO_GROUP"](whole)
    examine(whole.city, today - timedelta(days=5))
    examine(whole.city, today)
    assert Finding.objects.get().since == today - timedelta(days=5)
    member.occupation_group = "COURIER"
    member.save()
    examine(whole.city, today)
    assert found() == []
    assert number(whole.city) == 0


def test_a_record_that_went_to_another_union_takes_its_finding_along(whole):
    today = timezone.localdate()
    [member], union = FAULTS["NO_GROUP"](whole)
    examine(whole.city, today - timedelta(days=5))
    member.union = whole.sibling
    member.save()
    examine(whole.city, today)
    finding = Finding.objects.get()
    assert (finding.union, finding.since) == (whole.sibling, today - timedelta(days=5))
    assert number(union, column="here") == 0
    assert number(whole.sibling, column="here") == number(whole.city) == 1


def test_the_number_of_queries_of_a_run_does_not_grow(whole):
    def cost():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            examine(whole.city)
        return len(queries)

    examine(whole.city)
    nothing = cost()
    for code in ("NO_PHONE", "NO_GROUP", "UNION_NO_HEADCOUNT", "NO_JOINING_DAY"):
        FAULTS[code](whole)
    assert cost() == nothing
    assert found()


def test_two_runs_one_after_the_other_write_nothing_new(whole):
    for code in ("NO_GROUP", "UNION_NO_HEADCOUNT"):
        FAULTS[code](whole)
    examine(whole.city)
    before = stored()
    examine(whole.city)
    assert stored() == before


def test_what_a_check_that_is_no_more_had_found_is_forgotten(whole):
    Finding.objects.create(code="OF_OLD", union=whole.street, subject_id=1, since=date(2020, 1, 1))
    CheckupCount.objects.create(code="OF_OLD", union=whole.street, here=1, below=1)
    examine(whole.city)
    assert found() == []
    assert number(whole.city) == number(whole.street, "OF_OLD") == 0


def test_what_could_not_be_checked_is_counted_beside(whole):
    whole.enterprise.founded_on = None
    whole.enterprise.save()
    members = whole.enterprise.memberships.count()
    examine(whole.city)
    assert number(whole.city, "JOINED_BEFORE_UNION", "unclear") == members > 0
    assert number(whole.enterprise, "JOINED_BEFORE_UNION", "unclear") == members
    assert number(whole.other_district, "JOINED_BEFORE_UNION", "unclear") == 0


def test_members_of_a_union_without_a_cadre_stand_at_the_union_above(whole):
    [member], _union = FAULTS["NO_GROUP"](whole)
    examine(whole.city)
    held = Finding.objects.visible_to(whole.cadre_of["street"], findings.VIEW)
    assert held.filter(code="NO_GROUP", subject_id=member.pk).exists()
    assert findings.by_gravity(whole.cadre_of["street"]) == [(Gravity.ORDINARY, 1)]


def test_a_number_that_checks_go_by_is_a_number(whole, city):
    asked = set(re.findall(r'(?:number|years_ago)\("(\w+)"\)', "".join(map(inspect.getsource, (unions, members)))))
    for key in asked | {"checkup_aside_days", examination.DAILY_DAYS}:
        setting = Setting.objects.get(key=key)
        setting.value = "二十"
        with pytest.raises(ValidationError):
            standards.keep(setting, by=city)
    assert len(asked) >= 6


# --- Days ----------------------------------------------------------------------------------------------------------


def test_a_day_is_written_only_when_the_number_changed(whole):
    start = date(2026, 10, 1)
    for distance in range(5):
        if distance == 2:
            FAULTS["UNION_NO_HEADCOUNT"](whole)
        with time_machine.travel(f"{start + timedelta(days=distance)}T12:00+08:00", tick=False):
            examine(whole.city)
    rows = CheckupDay.objects.filter(union=whole.city, code=ALL)
    assert list(rows.values_list("day", "below")) == [(date(2026, 10, 3), 1)]
    line = findings.trend(whole.city, ALL, start + timedelta(days=4), days=4)
    assert line == [(date(2026, 10, 3), 1), (date(2026, 10, 4), 1), (date(2026, 10, 5), 1)]


def test_of_older_months_the_last_day_stays(whole):
    today = date(2026, 11, 21)
    for day, below in ((1, 3), (9, 4), (30, 5)):
        CheckupDay.objects.create(union=whole.city, code=ALL, day=date(2026, 7, day), below=below)
    for day in (2, 20):
        CheckupDay.objects.create(union=whole.city, code=ALL, day=date(2026, 10, day), below=day)
    examine(whole.city, today)
    days = CheckupDay.objects.filter(union=whole.city, code=ALL, day__lt=today).order_by("day")
    assert list(days.values_list("day", "below")) == [
        (date(2026, 7, 30), 5), (date(2026, 10, 2), 2), (date(2026, 10, 20), 20)
    ]  # fmt: skip


# --- Told by the trail ---------------------------------------------------------------------------------------------


def test_what_an_act_mends_disappears_at_once(whole, city, django_capture_on_commit_callbacks):
    [member], _union = FAULTS["NO_GROUP"](whole)
    examine(whole.city)
    with django_capture_on_commit_callbacks(execute=True):
        actions.change_membership(member, by=city, version=member.version, changes={"occupation_group": "COURIER"})
    assert found() == []
    assert number(whole.city) == 0


def test_what_an_act_breaks_is_found_at_once(whole, city, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        change_union(whole.enterprise, by=city, version=whole.enterprise.version, changes={"employees": None})
    assert found() == [("UNION_NO_HEADCOUNT", whole.enterprise.pk)]
    assert number(whole.city) == 1


def test_many_events_at_once_are_left_to_the_next_run(whole, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        audit.record_many(
            {"verb": "core.test", "target": whole.enterprise, "by": None} for _each in range(examination.FEW + 1)
        )
    assert callbacks == []


def sound_and_looked_at(tree):
    """The sound city, without what was found while it was being made."""
    whole = sound(tree)
    examine(whole.city)
    return whole


@pytest.mark.django_db(transaction=True)
def test_acts_in_a_row_are_looked_at_in_one_go(tree):
    whole = sound_and_looked_at(tree)
    with CaptureQueriesContext(connection) as queries, examination.in_one_go():
        for membership in whole.members:
            actions.change_membership(
                membership, by=None, version=membership.version, changes={"employment": "PLATFORM"}
            )
        assert found() == []
    assert found() == sorted(("NO_GROUP", membership.pk) for membership in whole.members)
    assert number(whole.city) == 4
    assert sum("UNION ALL" in query["sql"] for query in queries) == 1


@pytest.mark.django_db(transaction=True)
def test_all_that_a_request_writes_is_looked_at_once(tree, city, client_of):
    """A transfer accepted at once ends a membership, begins another and closes its deadline."""
    whole = sound_and_looked_at(tree)
    client = client_of(city)
    client.get(reverse("desk"))
    fields = {"membership": whole.members[0].pk, "to_union": tree.neighbour_enterprise.code, "reason": "工作调动"}
    with CaptureQueriesContext(connection) as queries:
        response = client.post(reverse("transfer_ask"), {**fields, "at_once": "1"})
    assert response.status_code == 302
    assert Membership.objects.open().filter(union=tree.neighbour_enterprise).exists()
    assert sum('DELETE FROM "core_finding"' in q["sql"] or 'FROM "core_finding"' in q["sql"] for q in queries) == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_looks_again_waits_for_a_checkup_under_way_and_then_lets_it_be(tree):
    """On PostgreSQL; SQLite has one writer anyway."""
    if connection.vendor != "postgresql":
        return
    whole = sound_and_looked_at(tree)
    FAULTS["NO_GROUP"](whole)
    held, ended = threading.Event(), threading.Event()

    def checkup_under_way():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                examination.alone(cursor)
                held.set()
                ended.wait(20)
        finally:
            connection.close()

    other = threading.Thread(target=checkup_under_way)
    other.start()
    held.wait(20)
    with patch.object(examination, "PATIENCE", "100ms"):
        examination.look_again({("members.Membership", whole.members[0].pk)})
    assert found() == []
    ended.set()
    other.join()
    examination.look_again({("members.Membership", whole.members[0].pk)})
    assert found() == [("NO_GROUP", whole.members[0].pk)]


@pytest.mark.django_db(transaction=True)
def test_two_checkups_at_once_find_what_one_would_have_found(tree):
    whole = sound(tree)
    for code in ("NO_GROUP", "UNION_NO_HEADCOUNT", "DUPLICATE_WAITING"):
        FAULTS[code](whole)
    faults = []

    def another():
        try:
            examine(whole.city)
        except Exception as error:  # told below, whatever it is
            faults.append(error)
        finally:
            connection.close()

    others = [threading.Thread(target=another) for _each in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert faults == []
    assert len(found()) == number(whole.city) == 3


# --- Setting aside -------------------------------------------------------------------------------------------------


def one(whole):
    FAULTS["NO_PHONE"](whole)
    examine(whole.city)
    return Finding.objects.select_related("union").get()


def test_a_finding_set_aside_is_counted_apart_and_comes_back(whole, city):
    finding, today = one(whole), timezone.localdate()
    findings.set_aside(finding, by=city, until=today + timedelta(days=10), reason="本人没有手机")
    assert (number(whole.city), number(whole.city, column="aside")) == (0, 1)
    assert number(finding.union, "NO_PHONE", "here") == 0
    examine(whole.city, today)
    assert (number(whole.city), number(whole.city, "NO_PHONE", "aside")) == (0, 1)
    event = AuditEvent.objects.get(verb="core.set_aside_finding")
    assert (event.actor_name, event.reason, event.union_id) == (str(city), "本人没有手机", finding.union_id)
    examine(whole.city, today + timedelta(days=11))
    assert (number(whole.city), number(whole.city, column="aside")) == (1, 0)


def test_a_finding_is_taken_back_into_the_count(whole, city):
    finding, today = one(whole), timezone.localdate()
    findings.set_aside(finding, by=city, until=today + timedelta(days=10), reason="本人没有手机")
    findings.take_back(finding, by=city)
    assert (number(whole.city), number(whole.city, column="aside")) == (1, 0)
    assert AuditEvent.objects.filter(verb="core.take_back_finding").count() == 1


@pytest.mark.parametrize("days", [0, 367, 4000])
def test_nothing_is_set_aside_for_good(whole, city, days):
    finding = one(whole)
    with pytest.raises(ValidationError):
        findings.set_aside(finding, by=city, until=timezone.localdate() + timedelta(days=days), reason="本人没有手机")
    assert number(whole.city) == 1


def test_only_who_keeps_the_records_sets_aside(whole, auditor):
    finding = one(whole)
    with pytest.raises(PermissionDenied):
        findings.set_aside(finding, by=auditor, until=timezone.localdate() + timedelta(days=1), reason="本人没有手机")


# --- Asking for one ------------------------------------------------------------------------------------------------


def test_a_checkup_is_a_job_and_is_asked_for_once(whole, city):
    FAULTS["NO_GROUP"](whole)
    job = checkup.start(whole.district, by=city)
    assert checkup.start(whole.district, by=city) == job
    assert checkup.last_run(whole.enterprise) is None
    jobs.run_now(job)
    assert job.state == "done"
    assert checkup.last_run(whole.enterprise) == job
    assert checkup.last_run(whole.other_district) is None
    assert found()
    assert checkup.start(whole.district, by=city) != job


def test_the_night_asks_for_the_whole_city(whole):
    assert checkup.start(by=None).union == whole.city
    assert Job.objects.get().created_by is None


def test_without_a_union_there_is_nothing_to_check(db):
    assert checkup.start(by=None) is None


# --- Dates (R45) ---------------------------------------------------------------------------------------------------


def test_every_open_deadline_is_computed_again(whole):
    deadline = Deadline.objects.open().order_by("pk").first()
    assert list(deadlines.stale(Deadline.objects.open())) == []
    for name in ("natural", "due", "earliest"):
        Deadline.objects.filter(pk=deadline.pk).update(**{name: getattr(deadline, name) + timedelta(days=1)})
        assert list(deadlines.stale(Deadline.objects.open())) == [deadline.pk]
        Deadline.objects.filter(pk=deadline.pk).update(**{name: getattr(deadline, name)})
    Deadline.objects.filter(pk=deadline.pk).update(derivation="另一种说法")
    assert list(deadlines.stale(Deadline.objects.open())) == [deadline.pk]


def test_a_rule_that_changed_makes_its_deadlines_wrong(whole):
    deadline = Deadline.objects.open().order_by("pk").first()
    deadline.rule.length += 1
    deadline.rule.save()
    examine(whole.city)
    assert (
        Finding.objects.filter(code="DEADLINE_WRONG").count()
        == Deadline.objects.open().filter(rule=deadline.rule).count()
    )

"""The loader: everything after migrate, what is missing only, never over an edit."""

import csv
from datetime import date
from pathlib import Path

import chinese_calendar.constants
import pytest
from django.core.management import call_command

from core import deadlines
from core.loader import load, rows_of
from core.models import AuditEvent, CalendarDay, CalendarYear, Deadline, DeadlineRule, Setting

# What we ship beyond the catalogue (rulebook §1.4): the approved end of an extension, and the by-election of a chair.
BESIDES_THE_CATALOGUE = {
    "UNION_TERM_EXTENDED", "UNION_CHAIR_BY_ELECTION_3M", "PERSON_ERASURE_DECIDE_15WD", "HARDSHIP_VISIT_10WD",
    "HARDSHIP_APPRAISAL_5WD", "HARDSHIP_OBJECTION_10WD", "HARDSHIP_DISTRICT_10WD", "HARDSHIP_MATCH_30D",
    "HARDSHIP_APPROVAL_10WD", "HARDSHIP_REVIEW_12M", "HARDSHIP_REVIEW_6M", "HARDSHIP_MONITOR_12M",
    "HARDSHIP_MATCH_VALID_6M", "HARDSHIP_EMERGENCY_FILE_30D",
}  # fmt: skip
CATALOGUE = Path(__file__).parent.parent / "data" / "deadline_rules.csv"


def counts():
    return [model.objects.count() for model in (CalendarDay, CalendarYear, DeadlineRule, Setting)]


@pytest.mark.django_db
def test_everything_is_there_after_migrate():
    assert counts() == [771, 23, 69, 55]


@pytest.mark.django_db
def test_rules_are_those_of_the_catalogue():
    with CATALOGUE.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            rule = DeadlineRule.objects.get(code=row["code"])
            assert {
                "length": str(rule.length), "unit": rule.unit, "direction": "-" if rule.backward else "+",
                "roll": "Y" if rule.roll else "N", "length_status": rule.length_status,
                "unit_status": rule.unit_status, "other_length": str(rule.other_length or ""),
                "other_unit": rule.other_unit, "side": rule.side,
            }.items() <= row.items()  # fmt: skip
            assert rule.jurisdiction == {"LOCAL": "地方"}.get(row["jurisdiction"], row["jurisdiction"])
            rule.full_clean()
            assert all("\u4e00" <= text[0] <= "\u9fff" for text in (rule.name, rule.starts, rule.who_acts))
        shipped = set(DeadlineRule.objects.values_list("code", flat=True))
        file.seek(0)
        assert shipped - {row["code"] for row in csv.DictReader(file)} == BESIDES_THE_CATALOGUE
        assert DeadlineRule.objects.exclude(remind_before="").count() == 4 + len(BESIDES_THE_CATALOGUE)


@pytest.mark.django_db
def test_the_shipped_calendar_is_that_of_chinesecalendar():
    days = {date.fromisoformat(row["date"]): row["kind"] for row in rows_of("calendar_days.csv")}
    assert days == {
        **dict.fromkeys(chinese_calendar.constants.holidays, "OFF"),
        **dict.fromkeys(chinese_calendar.constants.workdays, "WORK"),
    }


@pytest.mark.django_db
def test_load_adds_what_is_missing_and_keeps_edits():
    CalendarDay.objects.filter(date=date(2026, 10, 10)).delete()
    CalendarYear.objects.filter(year=2026).update(published=False, notice_no="改")
    DeadlineRule.objects.filter(code="MEDIATION_END_15D").update(length=20, name="改")
    DeadlineRule.objects.filter(code="UNION_TERM_3Y").delete()
    Setting.objects.filter(key="reminder_from").update(value="08:00", valid_from=date(2026, 1, 1))
    assert load() == 2
    assert counts() == [771, 23, 69, 55]
    assert CalendarDay.objects.get(date=date(2026, 10, 10)).kind == "WORK"
    assert CalendarYear.objects.filter(year=2026, published=False, notice_no="改").exists()
    assert DeadlineRule.objects.filter(code="MEDIATION_END_15D", length=20, name="改").exists()
    assert Setting.objects.get(key="reminder_from").value == "08:00"
    assert load() == 0


@pytest.mark.django_db
def test_load_again_takes_one_query_a_table(django_assert_num_queries):
    with django_assert_num_queries(5 + 2):  # and the savepoint around them
        load()


@pytest.mark.django_db
def test_load_of_a_new_year_recomputes_open_deadlines(tree, street):
    """An upgrade that brings the notice of a year makes what was provisional final."""
    CalendarDay.objects.filter(date__year=2026).delete()
    CalendarYear.objects.filter(year=2026).delete()
    row = deadlines.open_deadline(
        "MEDIATION_END_15D", date(2026, 2, 1), subject=tree.street, union=tree.street, title="调解", by=street
    )
    assert (row.due, row.provisional) == (date(2026, 2, 16), True)
    load()
    row.refresh_from_db()
    assert (row.due, row.provisional) == (date(2026, 2, 24), False)
    event = AuditEvent.objects.get(verb="core.recompute_deadline")
    assert (event.actor_id, event.changes["due"]) == (None, ["2026-02-16", "2026-02-24"])


@pytest.mark.django_db(transaction=True)
def test_a_flush_brings_the_reference_data_back():
    CalendarDay.objects.all().delete()
    DeadlineRule.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert counts() == [771, 23, 69, 55]
    assert not Deadline.objects.exists()

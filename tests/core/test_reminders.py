"""Reminders: at their stage, in working time, exactly once, also after a missed run and with two runs at once."""

import threading
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import deadlines, reminders
from core.deadlines import Opening
from core.models import AuditEvent, Deadline, DeadlineRule, Reminder, Setting
from core.tasks import send_reminders

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def open_term(union, elected, by, rule="UNION_TERM_3Y"):
    return deadlines.open_deadline(rule, elected, subject=union, union=union, title=f"{union}换届", by=by)


def stages(deadline):
    return list(deadline.reminders.order_by("pk").values_list("stage", flat=True))


@pytest.fixture
def term(tree, street):
    """A term that ends on 31 August 2026."""
    return open_term(tree.enterprise, date(2023, 8, 31), street)


# --- When ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-27", []),
        ("2026-02-28", ["6M"]),  # the corresponding day does not exist: the last of the month; a 调休 Saturday
        ("2026-05-29", ["6M"]),
        ("2026-06-01", ["6M", "3M"]),
        ("2026-07-31", ["6M", "3M", "1M"]),
        ("2026-08-31", ["6M", "3M", "1M"]),  # the last day is not overdue
        ("2026-09-01", ["6M", "3M", "1M", "OVERDUE"]),
        ("2027-03-01", ["6M", "3M", "1M", "OVERDUE"]),
    ],
)
def test_send_writes_every_stage_reached(term, day, expected):
    reminders.send(at(f"{day} 10:00"))
    assert stages(term) == expected


@pytest.mark.django_db
def test_send_day_by_day_writes_each_stage_once_on_its_day(term):
    written = {}
    for day in ["2026-02-27", "2026-02-28", "2026-03-02", "2026-06-01", "2026-06-02", "2026-07-31", "2026-08-31",
                "2026-09-01", "2026-09-02"]:  # fmt: skip
        for hour in ("09:00", "13:30", "17:30"):
            if reminders.send(at(f"{day} {hour}")):
                written[day] = stages(term)[-1]
    assert written == {"2026-02-28": "6M", "2026-06-01": "3M", "2026-07-31": "1M", "2026-09-01": "OVERDUE"}
    assert Reminder.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    "moment",
    [
        "2026-07-31 00:00",
        "2026-07-31 08:59",
        "2026-07-31 17:31",
        "2026-07-31 23:59",
        "2026-08-01 10:00",  # Saturday
        "2026-08-02 10:00",  # Sunday
        "2026-10-01 10:00",  # holiday on a Thursday
        "2026-10-03 10:00",
        "2026-09-25 10:00",  # Mid-autumn Friday
    ],
)
def test_send_at_night_or_on_a_rest_day_writes_nothing(term, moment):
    assert reminders.send(at(moment)) == 0
    assert not Reminder.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("moment", ["2026-09-20 10:00", "2026-10-10 09:00", "2026-07-31 09:00", "2026-07-31 17:30"])
def test_send_on_a_make_up_sunday_and_at_the_edges_of_the_day(term, moment):
    assert reminders.send(at(moment)) > 0


@pytest.mark.django_db
def test_send_in_an_unpublished_year_goes_by_the_weekday(term):
    assert reminders.send(at("2027-09-19 10:00")) == 0  # a Sunday
    assert reminders.send(at("2027-09-20 10:00")) == 4


@pytest.mark.django_db
def test_send_keeps_the_hours_of_the_settings(term):
    Setting.objects.filter(key="reminder_until").update(value="12:00")
    assert reminders.send(at("2026-07-31 12:01")) == 0
    assert reminders.send(at("2026-07-31 12:00")) == 3


@pytest.mark.django_db
def test_the_task_goes_by_the_clock_in_shanghai(term):
    with time_machine.travel("2026-07-30T16:00:00+00:00", tick=False):  # midnight
        send_reminders()
        assert not Reminder.objects.exists()
    with time_machine.travel("2026-07-31T02:00:00+00:00", tick=False):  # ten in the morning
        send_reminders()
    assert stages(term) == ["6M", "3M", "1M"]


# --- Exactly once --------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_send_after_a_missed_month_records_all_and_shows_the_last(term, street):
    assert reminders.send(at("2026-09-01 10:00")) == 4
    assert [row.stage for row in Reminder.objects.unread_by(street)] == ["OVERDUE"]
    assert AuditEvent.objects.get(verb="core.send_reminders").changes == {
        "6M": [0, 1], "3M": [0, 1], "1M": [0, 1], "OVERDUE": [0, 1],
    }  # fmt: skip
    assert reminders.send(at("2026-09-01 10:30")) == 0
    assert AuditEvent.objects.filter(verb="core.send_reminders").count() == 1


@pytest.mark.django_db
def test_send_leaves_closed_deadlines_and_rules_without_stages_alone(tree, term, street):
    deadlines.close(term, "met", on=date(2026, 1, 5), by=street)
    deadlines.open_deadline("MEDIATION_END_15D", date(2026, 2, 2), subject=tree.street, union=tree.street, title="调解",
                            by=street)  # fmt: skip
    assert reminders.send(at("2026-09-01 10:00")) == 0


@pytest.mark.django_db
def test_a_deadline_opened_again_is_not_reminded_of_twice(tree, term, street):
    reminders.send(at("2026-03-02 10:00"))
    deadlines.close(term, "void", on=date(2026, 3, 3), by=street)
    again = open_term(tree.enterprise, date(2023, 8, 31), street)
    assert reminders.send(at("2026-03-04 10:00")) == 0
    assert reminders.send(at("2026-06-01 10:00")) == 1
    assert stages(again) == ["3M"]


@pytest.mark.django_db
def test_reminders_go_by_the_natural_date(tree, street):
    DeadlineRule.objects.filter(code="MEDIATION_END_15D").update(remind_before="3D,0D")
    row = deadlines.open_deadline(
        "MEDIATION_END_15D", date(2026, 2, 1), subject=tree.street, union=tree.street, title="调解", by=street
    )
    assert (row.natural, row.due) == (date(2026, 2, 16), date(2026, 2, 24))
    reminders.send(at("2026-02-12 10:00"))
    assert stages(row) == []
    reminders.send(at("2026-02-13 10:00"))
    assert stages(row) == ["3D"]
    reminders.send(at("2026-02-24 10:00"))  # the first working day after the natural date
    assert stages(row) == ["3D", "OVERDUE"]


@pytest.mark.django_db
def test_send_takes_the_same_queries_for_one_and_for_three_hundred(tree, term, street):
    with CaptureQueriesContext(connection) as one:
        assert reminders.send(at("2026-09-01 10:00")) == 4
    openings = [
        Opening("UNION_TERM_3Y", date(2022, 1 + row % 12, 1 + row % 28), tree.street, tree.street, f"{row}")
        for row in range(84)
    ]
    deadlines.open_many(openings, by=street)
    with CaptureQueriesContext(connection) as many:
        assert reminders.send(at("2026-09-01 11:00")) == 84 * 4
    assert len(many) == len(one)


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_write_nothing_twice(tree, street):
    for union in (tree.street, tree.enterprise, tree.sibling, tree.neighbour_enterprise):
        open_term(union, date(2023, 8, 31), street)
    gate, results = threading.Barrier(4), []

    def run():
        gate.wait()
        try:
            results.append(reminders.send(at("2026-09-01 10:00")))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _run in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 0, 0, 16]
    assert Reminder.objects.count() == 16


# --- Who sees them -------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_each_reads_for_himself_and_only_in_scope(tree, term, street, district, neighbour, nobody, client_of):
    reminders.send(at("2026-03-02 10:00"))
    [reminder] = Reminder.objects.unread_by(street)
    assert list(Reminder.objects.unread_by(neighbour)) == list(Reminder.objects.unread_by(nobody)) == []
    path = f"/reminders/{reminder.pk}/read/"
    assert client_of(neighbour).post(path).status_code == 404
    assert client_of(nobody).post(path).status_code == 403
    assert client_of(street).get(path).status_code == 405
    assert client_of(street).post(path).status_code == 302
    assert client_of(street).post(path).status_code == 302  # a double click changes nothing
    assert list(Reminder.objects.unread_by(street)) == []
    assert list(Reminder.objects.unread_by(district)) == [reminder]


@pytest.mark.django_db
def test_a_later_stage_comes_back_after_the_earlier_was_put_away(term, street):
    reminders.send(at("2026-03-02 10:00"))
    Reminder.objects.get().put_away(by=street)
    reminders.send(at("2026-06-01 10:00"))
    assert [row.stage for row in Reminder.objects.unread_by(street)] == ["3M"]
    Deadline.objects.get().reminders.get(stage="3M").put_away(by=street)
    assert list(Reminder.objects.unread_by(street)) == []


# --- Stages --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [("6M,3M,1M,0D", ["6M", "3M", "1M", "OVERDUE"]), ("", []), (" 7D , 0D ", ["7D", "OVERDUE"])],
)
def test_stages_of_a_rule(text, expected):
    assert reminders.stages_of(DeadlineRule(remind_before=text)) == expected


@pytest.mark.parametrize("text", ["soon", "6W", "M6", "6M;3M", "-1D"])
def test_stages_of_an_unreadable_rule(text):
    with pytest.raises(ValueError):
        reminders.stages_of(DeadlineRule(remind_before=text))


@pytest.mark.parametrize(
    ("stage", "today", "until"),
    [
        ("6M", date(2026, 2, 28), date(2026, 8, 31)),
        ("6M", date(2026, 8, 31), date(2027, 2, 28)),
        ("6M", date(2026, 8, 30), date(2027, 2, 28)),
        ("6M", date(2026, 8, 28), date(2027, 2, 28)),
        ("6M", date(2026, 8, 27), date(2027, 2, 27)),
        ("1M", date(2028, 2, 29), date(2028, 3, 31)),
        ("7D", date(2026, 12, 30), date(2027, 1, 6)),
        ("OVERDUE", date(2026, 9, 1), date(2026, 8, 31)),
    ],
)
def test_reached_until(stage, today, until):
    assert reminders.reached_until(stage, today) == until

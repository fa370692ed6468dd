"""The calendar: published years exactly, unpublished years by the weekday and provisional."""

from datetime import date, timedelta

import chinese_calendar
import pytest

from core.calendar import Calendar
from core.models import CalendarDay, CalendarYear

pytestmark = pytest.mark.django_db

# Rulebook §0.2, typed off the notices: the second source beside chinesecalendar.
MADE_UP = {
    2024: "02-04 02-18 04-07 04-28 05-11 09-14 09-29 10-12",
    2025: "01-26 02-08 04-27 09-28 10-11",
    2026: "01-04 02-14 02-28 05-09 09-20 10-10",
}
REST = {
    2024: "01-01/01-01 02-10/02-17 04-04/04-06 05-01/05-05 06-10/06-10 09-15/09-17 10-01/10-07",
    2025: "01-01/01-01 01-28/02-04 04-04/04-06 05-01/05-05 05-31/06-02 10-01/10-08",
    2026: "01-01/01-03 02-15/02-23 04-04/04-06 05-01/05-05 06-19/06-21 09-25/09-27 10-01/10-07",
}


@pytest.fixture
def calendar(db):
    return Calendar.load()


def every_day(first, last):
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def test_is_workday_every_day_from_2004_to_2026(calendar):
    days = every_day(date(2004, 1, 1), date(2026, 12, 31))
    assert [d for d in days if calendar.is_workday(d) != chinese_calendar.is_workday(d)] == []
    assert calendar.unpublished == set()


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_is_workday_by_the_notices_read(calendar, year):
    made_up = {date.fromisoformat(f"{year}-{day}") for day in MADE_UP[year].split()}
    rest = set()
    for block in REST[year].split():
        first, last = (date.fromisoformat(f"{year}-{day}") for day in block.split("/"))
        rest.update(every_day(first, last))
    expected = {
        day
        for day in every_day(date(year, 1, 1), date(year, 12, 31))
        if day in made_up or (day.weekday() < 5 and day not in rest)
    }
    assert {day for day in every_day(date(year, 1, 1), date(year, 12, 31)) if calendar.is_workday(day)} == expected


@pytest.mark.parametrize("day", [date(2003, 12, 31), date(2027, 1, 1), date(2099, 10, 1), date.min, date.max])
def test_is_workday_in_an_unpublished_year_goes_by_the_weekday_and_is_remembered(calendar, day):
    assert calendar.is_workday(day) == (day.weekday() < 5)
    assert calendar.unpublished == {day.year}


def test_afresh_forgets_what_was_asked(calendar):
    calendar.is_workday(date(2030, 1, 1))
    assert calendar.afresh().unpublished == set()
    assert calendar.afresh().days is calendar.days


def test_is_workday_on_the_eve_of_2024_which_was_worked(calendar):
    assert calendar.is_workday(date(2024, 2, 9))


def test_next_and_previous_workday_over_a_make_up_sunday(calendar):
    assert calendar.next_workday(date(2024, 2, 10)) == date(2024, 2, 18)  # 调休 Sunday
    assert calendar.next_workday(date(2024, 2, 18)) == date(2024, 2, 18)
    assert calendar.previous_workday(date(2025, 5, 5)) == date(2025, 4, 30)
    assert calendar.previous_workday(date(2025, 4, 27)) == date(2025, 4, 27)


def test_load_takes_two_queries(django_assert_num_queries):
    with django_assert_num_queries(2):
        Calendar.load()


def test_a_day_listed_in_an_unpublished_year_counts_and_stays_provisional(db):
    CalendarDay.objects.create(date=date(2027, 1, 1), kind="OFF", name="元旦")
    CalendarYear.objects.create(year=2027, published=False)
    calendar = Calendar.load()
    assert not calendar.is_workday(date(2027, 1, 1))
    assert calendar.unpublished == {2027}
    CalendarYear.objects.filter(year=2027).update(published=True)
    calendar = Calendar.load()
    assert not calendar.is_workday(date(2027, 1, 1))
    assert calendar.unpublished == set()


def test_every_listed_day_names_its_notice(db):
    assert not CalendarDay.objects.filter(notice_no="").exists()
    assert CalendarDay.objects.get(date=date(2025, 4, 27)).notice_no == "国办发明电〔2024〕12号"
    assert CalendarDay.objects.get(date=date(2023, 12, 31)).notice_no == "国办发明电〔2023〕7号"

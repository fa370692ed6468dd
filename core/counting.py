"""Counting periods in calendar days, working days, months and years (rulebook §0.1, §0.3): pure reckoning.

The trigger day is never counted (T1). Rest days inside a period of calendar days are not subtracted (T4).
"""

import calendar as gregorian
from dataclasses import dataclass
from datetime import date, timedelta

from core.calendar import DAY
from core.models.deadline import Unit


@dataclass(frozen=True)
class Reading:
    """One way to read a period: where it ends, and what lay on the way."""

    length: int
    unit: str
    natural: date  # before rolling; internal reminders go by it
    due: date
    clipped: bool = False  # the month of the end has no corresponding day (T2)
    rolls: bool = False  # the end was held against the calendar
    rested: tuple[date, ...] = ()  # rest days passed over, while counting or while rolling
    worked: tuple[date, ...] = ()  # make-up working days that counted


def add_months(day, months):
    """`day` moved by `months` (negative: back), clipped to the end of the month (T2).

    Raises ValueError outside the years 1 to 9999.
    """
    month = day.year * 12 + day.month - 1 + months
    year, month = month // 12, month % 12 + 1
    if not 1 <= year <= 9999:
        raise ValueError("no such year")
    return date(year, month, min(day.day, gregorian.monthrange(year, month)[1]))


def step_workdays(day, count, direction, calendar):
    """Step from `day` over `count` working days, forward (1) or back (-1): the last one, rest days, make-up days."""
    rested, worked = [], []
    while count:
        day += direction * DAY
        if calendar.is_workday(day):
            count -= 1
            if day.weekday() >= 5:
                worked.append(day)
        else:
            rested.append(day)
    return day, tuple(rested), tuple(worked)


def days_between(first, last):
    """The days from `first` to the day before `last`, whichever comes first in time."""
    direction = 1 if last >= first else -1
    return tuple(first + direction * DAY * step for step in range(abs((last - first).days)))


def count(trigger, length, unit, calendar, *, backward=False, roll=True):
    """Return the `Reading` of `length` units from `trigger` (a date) on.

    Forward, a period of days, months or years that ends on a rest day rolls to the next working day if `roll` (T3);
    working days never roll. Backward, `length` clear days lie between the result and the trigger, and an end that is
    moved is moved earlier. Raises OverflowError or ValueError when the calendar ends first, and ValueError for months
    or years backward, which no rule knows.
    """
    if unit == Unit.WORKING_DAY:
        steps = (length + 1, -1) if backward else (length, 1)
        day, rested, worked = step_workdays(trigger, *steps, calendar)
        return Reading(length, unit, day, day, rested=rested, worked=worked)
    if backward:
        if unit != Unit.CALENDAR_DAY:
            raise ValueError("only days are counted backward")
        natural = trigger - timedelta(days=length + 1)
        due = calendar.previous_workday(natural) if roll else natural
    else:
        if unit == Unit.CALENDAR_DAY:
            natural = trigger + timedelta(days=length)
        else:
            natural = add_months(trigger, length * 12 if unit == Unit.YEAR else length)
        due = calendar.next_workday(natural) if roll else natural
    clipped = unit in (Unit.MONTH, Unit.YEAR) and natural.day != trigger.day
    return Reading(length, unit, natural, due, clipped, roll, rested=days_between(natural, due))

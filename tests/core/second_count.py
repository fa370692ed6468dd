"""A second, independently written calculation of deadlines, for the tests: no stepping rule is shared with the portal.

It lists days and looks, by its own holiday table (the package chinesecalendar); beyond that table by the weekday.
"""

from datetime import date, timedelta

import chinese_calendar


def works(day):
    if 2004 <= day.year <= 2026:
        return chinese_calendar.is_workday(day)
    return day.isoweekday() not in (6, 7)


def days_after(day):
    while True:
        day = date.fromordinal(day.toordinal() + 1)
        yield day


def days_before(day):
    while True:
        day = date.fromordinal(day.toordinal() - 1)
        yield day


def same_day_of_month(day, months):
    """The corresponding day `months` later, or the last day that month has."""
    year, month = day.year, day.month
    for _month in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    for number in range(day.day, 0, -1):
        try:
            return date(year, month, number)
        except ValueError:
            continue
    raise AssertionError("a month has a first day")


def clear_days(first, last, only_working):
    """How many days lie strictly between two days."""
    between = [first + timedelta(days=n) for n in range(1, (last - first).days)]
    return len([day for day in between if works(day)] if only_working else between)


def period(trigger, length, unit, backward, roll):
    """(natural, due) of a period; one of no length ends on its first day."""
    if not length:
        return trigger, trigger
    if backward:
        working = unit == "WD"
        natural = next(
            day
            for day in days_before(trigger)
            if clear_days(day, trigger, working) == length and (works(day) or not working)
        )
        if working or not roll or works(natural):
            return natural, natural
        return natural, next(day for day in days_before(natural) if works(day))
    if unit == "WD":
        worked = [day for day, _n in zip((d for d in days_after(trigger) if works(d)), range(length), strict=False)]
        return worked[-1], worked[-1]
    if unit == "CD":
        natural = [day for day, _n in zip(days_after(trigger), range(length), strict=False)][-1]
    else:
        natural = same_day_of_month(trigger, length * {"MONTH": 1, "YEAR": 12}[unit])
    if not roll or works(natural):
        return natural, natural
    return natural, next(day for day in days_after(natural) if works(day))

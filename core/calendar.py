"""The calendar of working and rest days, read once from its two tables and pure after that (rulebook §0.2)."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from core.models import CalendarDay, CalendarYear
from core.models.calendar import DayKind

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Listed:
    """A day that a holiday notice names: off, or a weekend day to be worked."""

    kind: str  # DayKind
    name: str
    notice_no: str


@dataclass(frozen=True)
class Calendar:
    """Which days are worked, and which unpublished years somebody has asked about.

    `days` maps a date to its `Listed` entry; a day not listed follows its weekday (T9). `years` are those whose
    notice is published. A count that asks about any other year goes by the weekday and is provisional: `unpublished`
    collects those years.
    """

    days: dict[date, Listed] = field(default_factory=dict)
    years: frozenset[int] = frozenset()
    unpublished: set[int] = field(default_factory=set)

    @classmethod
    def load(cls):
        """Read the calendar from the database in two queries."""
        days = CalendarDay.objects.values_list("date", "kind", "name", "notice_no")
        years = CalendarYear.objects.filter(published=True).values_list("year", flat=True)
        return cls({day: Listed(kind, name, notice) for day, kind, name, notice in days}, frozenset(years))

    def afresh(self):
        """The same calendar that has not been asked anything yet."""
        return Calendar(self.days, self.years)

    def is_workday(self, day):
        """Whether `day` is worked: a weekend is rest unless a notice has it worked, a listed holiday is rest (T9)."""
        if day.year not in self.years:
            self.unpublished.add(day.year)
        listed = self.days.get(day)
        return listed.kind == DayKind.WORK if listed else day.weekday() < 5

    def next_workday(self, day):
        """`day` itself or the first working day after it. Raises OverflowError beyond the last date there is."""
        while not self.is_workday(day):
            day += DAY
        return day

    def previous_workday(self, day):
        """`day` itself or the last working day before it. Raises OverflowError before the first date there is."""
        while not self.is_workday(day):
            day -= DAY
        return day

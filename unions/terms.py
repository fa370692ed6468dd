"""Terms of office (rulebook §1.4): how long a term may be, which rule ends it, and how near its end is."""

from dataclasses import dataclass
from datetime import date

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from unions.models import UnionKind

# 工会法 art. 16: committees of federations and industrial unions serve five years, grassroots ones three or five.
FIVE_YEARS_ONLY = frozenset({UnionKind.CITY_FED, UnionKind.DISTRICT_FED, UnionKind.INDUSTRIAL_UNION})
RULES = {3: "UNION_TERM_3Y", 5: "UNION_TERM_5Y"}


def term_lengths(kind):
    """Return the lengths of a term, in years, that a union of `kind` may have."""
    return (5,) if kind in FIVE_YEARS_ONLY else (3, 5)


class TermState(TextChoices):
    """How near the end of a term is."""

    OVERDUE = "overdue", _("re-election overdue")
    SOON = "soon", _("ends within 6 months")
    RUNNING = "running", _("term running")
    UNKNOWN = "unknown", _("term unknown")


BADGES = {
    TermState.OVERDUE: "late",
    TermState.SOON: "soon",
    TermState.RUNNING: "good",
    TermState.UNKNOWN: "rest",
}


def six_months_after(day):
    """Return the same day six months on, or the last day of that month."""
    month = day.month + 6
    year, month = day.year + (month > 12), month - 12 if month > 12 else month
    first_of_next = date(year + (month == 12), month % 12 + 1, 1)
    return date(year, month, min(day.day, (first_of_next - date.resolution).day))


@dataclass(frozen=True)
class Term:
    """The end of a term (None: not known) seen from `today`; a term is overdue from the day after it ends."""

    ends_on: date | None
    today: date

    @property
    def state(self):
        if self.ends_on is None:
            return TermState.UNKNOWN
        if self.ends_on < self.today:
            return TermState.OVERDUE
        return TermState.SOON if self.ends_on <= six_months_after(self.today) else TermState.RUNNING

    @property
    def badge(self):
        """The class of its badge: good, soon, late or rest."""
        return BADGES[self.state]

    @property
    def label(self):
        return self.state.label

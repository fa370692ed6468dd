"""Terms of office: lengths by kind, and how near the end is."""

from datetime import date

import pytest

from unions.models import UnionKind
from unions.terms import Term, TermState, six_months_after, term_lengths

FIVE = {UnionKind.CITY_FED, UnionKind.DISTRICT_FED, UnionKind.INDUSTRIAL_UNION}


@pytest.mark.parametrize("kind", UnionKind)
def test_term_lengths_federations_five_others_three_or_five(kind):
    assert term_lengths(kind) == ((5,) if kind in FIVE else (3, 5))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 1, 15), date(2026, 7, 15)),
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 6, 30), date(2026, 12, 30)),
        (date(2026, 12, 31), date(2027, 6, 30)),
    ],
)
def test_six_months_after_short_month_ends_on_its_last_day(day, expected):
    assert six_months_after(day) == expected


@pytest.mark.parametrize(
    ("ends_on", "state", "badge"),
    [
        (None, TermState.UNKNOWN, "rest"),
        (date(2026, 11, 19), TermState.OVERDUE, "late"),
        (date(2026, 11, 20), TermState.SOON, "soon"),  # the last day still counts
        (date(2027, 5, 20), TermState.SOON, "soon"),
        (date(2027, 5, 21), TermState.RUNNING, "good"),
    ],
)
def test_term_state_turns_on_the_day_after(ends_on, state, badge):
    term = Term(ends_on, date(2026, 11, 20))
    assert (term.state, term.badge, term.label) == (state, badge, state.label)

"""The state of a hardship case as a word in its colour."""

from assistance.moves import HardshipState as S
from core.columns import badge_of, word

BADGES = {
    S.FILED: "good",
    S.REVIEW: "soon",
    S.MONITORED: "good",
    S.OBJECTION: "late",
    S.REJECTED: "late",
    S.DRAFT: "rest",
    S.CLOSED: "rest",
    S.WITHDRAWN: "rest",
}


def case_badge(case):
    """Return the state of `case` as a badge; steps on the way are «soon»."""
    return badge_of(BADGES.get(case.state, "soon"), word(S, case.state))

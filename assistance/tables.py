"""The table of hardship cases: the number masked, neither cause in detail nor account nor address in it."""

import django_tables2 as tables
from django.utils.translation import gettext_lazy as _

from assistance.models import Category, Cause, ExitCode, HardshipCase
from assistance.moves import HardshipState
from core.columns import DayColumn, badge_of, link, word

BADGES = {
    HardshipState.FILED: "good",
    HardshipState.REVIEW: "good",
    HardshipState.OBJECTION: "late",
    HardshipState.MONITORED: "rest",
    HardshipState.CLOSED: "rest",
    HardshipState.REJECTED: "rest",
    HardshipState.WITHDRAWN: "rest",
}
DESK_ONLY = {"td": {"class": "desk-only"}}


def case_badge(case):
    """Return the state of a case as a word in its colour."""
    return badge_of(BADGES.get(case.state, "soon"), word(HardshipState, case.state))


class HardshipTable(tables.Table):
    name = tables.Column(_("applicant"), accessor="file__person__name")
    id_masked = tables.Column(_("identity number"), accessor="file__person__id_masked", attrs=DESK_ONLY)
    number = tables.Column(_("file number"), accessor="file__number", attrs=DESK_ONLY)
    union = tables.Column(_("union"), accessor="union__name")
    applied_on = DayColumn(_("applied on"), attrs=DESK_ONLY)
    category = tables.Column(_("category"))
    per_capita = tables.Column(
        _("net income a person and month"), attrs={"td": {"class": "figure desk-only"}, "th": {"class": "figure"}}
    )
    cause = tables.Column(_("main cause"), attrs=DESK_ONLY)
    cycle = tables.Column(_("cycle"), attrs={"td": {"class": "figure desk-only"}, "th": {"class": "figure"}})
    filed_on = DayColumn(_("filed on"), attrs=DESK_ONLY)
    review_on = DayColumn(_("to be reviewed by"), attrs=DESK_ONLY)
    exit_code = tables.Column(_("how it ended"), attrs=DESK_ONLY)
    ended_on = DayColumn(_("ended on"), attrs=DESK_ONLY)
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = HardshipCase
        fields = ()
        caption = _("Hardship cases")

    def render_name(self, value, record):
        return link("hardship_page", record.pk, value)

    def render_category(self, record):
        return word(Category, record.category)

    def render_cause(self, record):
        return word(Cause, record.cause)

    def render_exit_code(self, record):
        return word(ExitCode, record.exit_code)

    def render_state(self, record):
        return case_badge(record)

"""Tables of the lists to civil affairs and of the results."""

import django_tables2 as tables
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assistance.matching import BADGES
from assistance.models import MatchAnswer, MatchRequest, MatchResult, MatchState
from core.columns import DayColumn, badge_of, link

DESK_ONLY = {"td": {"class": "desk-only"}}
FIGURE = {"td": {"class": "figure named"}, "th": {"class": "figure"}}
COLOURS = {MatchState.ANSWERED: "good", MatchState.SENT: "soon"}


def match_badge(row):
    """Return the state of a list as a word in its colour."""
    return badge_of(COLOURS.get(row.state, "rest"), row.get_state_display())


class MatchTable(tables.Table):
    number = tables.Column(_("number"), accessor="pk")
    union = tables.Column(_("union"), accessor="union__name", attrs=DESK_ONLY)
    purpose = tables.Column(_("purpose"))
    people = tables.Column(_("people"), attrs=FIGURE)
    sent_on = DayColumn(_("sent on"), default="—", attrs=DESK_ONLY)
    valid_until = DayColumn(_("valid until"), default="—")
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = MatchRequest
        fields = ()
        caption = _("Data matches")

    def render_number(self, record):
        return link("match_page", record.pk, f"#{record.pk}")

    def render_state(self, record):
        return match_badge(record)


class AnswerTable(tables.Table):
    name = tables.Column(_("name"), accessor="asked__person__name")
    id_masked = tables.Column(_("identity number"), accessor="asked__person__id_masked", attrs=DESK_ONLY)
    case = tables.Column(_("case"), accessor="asked__person__case_id")
    union = tables.Column(_("union"), accessor="asked__person__case__union__name", attrs=DESK_ONLY)
    done = tables.Column(_("explanation"), empty_values=())
    result = tables.Column(_("result"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = MatchAnswer
        fields = ()
        caption = _("Results")

    def render_case(self, value):
        return link("hardship_page", value, f"#{value}")

    def render_done(self, record):
        if record.result != MatchResult.MISMATCH:
            return "—"
        waits = record.upheld is None
        said = (
            _now("to be explained") if waits else _now("what was found holds") if record.upheld else _now("explained")
        )
        return link("match_explain", record.pk, said)

    def render_result(self, record):
        return badge_of(BADGES[record.result], record.get_result_display())

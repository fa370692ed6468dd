"""Tables of what is in publicity and of the objections to it."""

import django_tables2 as tables
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn, MomentColumn, badge_of, link
from core.models import Objection, Publicity

DESK_ONLY = {"td": {"class": "desk-only"}}


def publicity_badge(row, today):
    """Return whether it is shown, by its stored dates, as a word in its colour."""
    down = row.taken_down_at and timezone.localdate(row.taken_down_at)
    if down and down <= row.shown_until:
        return badge_of("rest", _now("taken down"))
    return badge_of("soon", _now("in publicity")) if today <= row.shown_until else badge_of("good", _now("over"))


class PublicityTable(tables.Table):
    name = tables.Column(_("applicant"), accessor="pk")
    union = tables.Column(_("union"), accessor="union__name")
    shown_from = DayColumn(_("shown from"), attrs=DESK_ONLY)
    shown_until = DayColumn(_("shown until"))
    begun_by_name = tables.Column(_("published by"), attrs=DESK_ONLY)
    state = tables.Column(_("state"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Publicity
        fields = ()
        caption = _("Publicity")

    def render_name(self, record):
        return link("hardship_page", record.subject_id, record.shown["name"])

    def render_state(self, record):
        return publicity_badge(record, timezone.localdate())


class ObjectionTable(tables.Table):
    receipt = tables.Column(_("receipt number"))
    union = tables.Column(_("union"), accessor="publicity__union__name")
    received_at = MomentColumn(_("received"))
    answered_at = MomentColumn(_("answered"), default="—", attrs=DESK_ONLY)
    state = tables.Column(_("state"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Objection
        fields = ()
        caption = _("Objections")

    def render_receipt(self, value, record):
        return link("objection_page", record.pk, value)

    def render_state(self, record):
        return badge_of("good", _now("answered")) if record.answered_at else badge_of("late", _now("to be answered"))

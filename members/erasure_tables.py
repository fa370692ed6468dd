"""The table of erasures."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn
from members.models import Erasure, ErasureState

BADGES = {ErasureState.ASKED: "soon", ErasureState.ERASED: "good"}
DESK_ONLY = {"td": {"class": "desk-only"}}


def erasure_badge(erasure):
    """Return the state of an erasure as a word in its colour."""
    return format_html(
        '<span class="badge {}">{}</span>', BADGES.get(erasure.state, "rest"), erasure.get_state_display()
    )


class ErasureTable(tables.Table):
    name = tables.Column(_("name"), accessor="person__name")
    union = tables.Column(_("union"), accessor="union__name")
    ground = tables.Column(_("ground"))
    asked_by = tables.Column(_("asked by"), attrs=DESK_ONLY)
    asked_on = DayColumn(_("asked on"), attrs=DESK_ONLY)
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Erasure
        fields = ()
        caption = _("Erasures of personal data")

    def render_name(self, record):
        return format_html('<a href="{}">{}</a>', reverse("erasure_page", args=[record.pk]), record.person.name)

    def render_ground(self, record):
        return record.get_ground_display()

    def render_state(self, record):
        return erasure_badge(record)

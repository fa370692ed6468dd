"""The table of transfers."""

import django_tables2 as tables
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn, link
from core.templatetags.portal import days_left, nearness
from members.models import Transfer, TransferState

BADGES = {
    TransferState.REQUESTED: "soon",
    TransferState.ESCALATED: "late",
    TransferState.ACCEPTED: "good",
}
DESK_ONLY = {"td": {"class": "desk-only"}}


def transfer_badge(transfer):
    """Return the transfer's state as a word in its colour."""
    return format_html(
        '<span class="badge {}">{}</span>', BADGES.get(transfer.state, "rest"), transfer.get_state_display()
    )


class TransferTable(tables.Table):
    name = tables.Column(_("name"), accessor="membership__person__name")
    id_masked = tables.Column(_("identity number"), accessor="membership__person__id_masked", attrs=DESK_ONLY)
    from_name = tables.Column(_("the union left"), empty_values=())
    goes_to = tables.Column(_("the union joined"))
    asked_on = DayColumn(_("asked on"), attrs=DESK_ONLY)
    due = tables.Column(_("answer by"))
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Transfer
        fields = ()
        caption = _("Transfers")

    def render_name(self, value, record):
        return link("transfer_page", record.pk, value)

    def render_from_name(self, value):
        return value or _now("not told yet")

    def render_due(self, value):
        return format_html('{} <span class="badge {}">{}</span>', value.isoformat(), nearness(value), days_left(value))

    def render_state(self, record):
        return transfer_badge(record)


class DecidedTable(TransferTable):
    """The same of transfers that are over: when, instead of by when."""

    answered_on = DayColumn(_("answered on"))

    class Meta(TransferTable.Meta):
        exclude = ("due",)
        sequence = ("...", "answered_on", "state")

"""Tables of grants, sources of money and payment batches."""

import django_tables2 as tables
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from assistance import money
from assistance.grants import GrantState
from assistance.models import Campaign, FundSource, Grant, PaymentBatch
from assistance.models.money import BatchState
from core.columns import DayColumn, MomentColumn, badge_of, link, word

FIGURE = {"td": {"class": "figure"}, "th": {"class": "figure"}}
DESK_ONLY = {"td": {"class": "desk-only"}}
GRANT_BADGES = {
    GrantState.ASKED: "soon",
    GrantState.APPROVED: "soon",
    GrantState.IN_BATCH: "soon",
    GrantState.PAID: "good",
    GrantState.FAILED: "late",
}
BATCH_BADGES = {BatchState.OPEN: "soon", BatchState.SENT: "soon", BatchState.RETURNED: "good"}


class YuanColumn(tables.Column):
    """An amount as 1,234.50, to the right."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, attrs=FIGURE, **kwargs)

    def render(self, value):
        return f"{value:,.2f}"


def grant_badge(grant):
    """The state of a grant as a word in its colour."""
    return badge_of(GRANT_BADGES.get(grant.state, "rest"), word(GrantState, grant.state))


def batch_badge(batch):
    """The state of a payment batch as a word in its colour."""
    return badge_of(BATCH_BADGES[batch.state], word(BatchState, batch.state))


class GrantTable(tables.Table):
    name = tables.Column(_("name"))
    id_masked = tables.Column(_("identity number"), attrs=DESK_ONLY)
    union = tables.Column(_("union"), accessor="union__name", attrs=DESK_ONLY)
    aid_kind = tables.Column(_("kind of aid"), accessor="budget__aid_kind")
    source = tables.Column(_("source of money"), accessor="budget__source", attrs=DESK_ONLY)
    amount = YuanColumn(_("amount"))
    method = tables.Column(_("method"), attrs=DESK_ONLY)
    on = DayColumn(_("day"), attrs=DESK_ONLY)
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Grant
        fields = ()
        caption = _("Grants")

    def render_name(self, value, record):
        return link("grant_page", record.pk, value)

    def render_state(self, record):
        return grant_badge(record)


class SourceTable(tables.Table):
    name = tables.Column(_("name of the source"))
    kind = tables.Column(_("source of money"))
    year = tables.Column(_("year"), attrs=FIGURE)
    union = tables.Column(_("union"), accessor="union__name", attrs=DESK_ONLY)
    given = YuanColumn(_("appropriated"))
    left = YuanColumn(_("still left"))
    expires_on = DayColumn(_("to be used by"), attrs=DESK_ONLY)
    low = tables.Column(_("remark"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = FundSource
        fields = ()
        caption = _("Sources of money")

    def render_name(self, value, record):
        return link("fundsource_page", record.pk, value)

    @cached_property
    def share(self):
        return money.low_share(timezone.localdate())

    def render_low(self, record):
        low = record.expires_on >= timezone.localdate() and money.is_low(record.given, record.left, self.share)
        return badge_of("late", _("nearly spent")) if low else ""


class BatchTable(tables.Table):
    number = tables.Column(_("number"))
    source = tables.Column(_("source of money"))
    method = tables.Column(_("method"), attrs=DESK_ONLY)
    made_at = MomentColumn(_("made at"), attrs=DESK_ONLY)
    made_by = tables.Column(_("made by"), default="—", attrs=DESK_ONLY)
    grants = tables.Column(_("grants"), accessor="count", attrs=FIGURE)
    amount = YuanColumn(_("amount"))
    queued = tables.Column(_("waiting lines"), attrs=FIGURE)
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = PaymentBatch
        fields = ()
        caption = _("Payment batches")

    def render_number(self, value, record):
        return link("batch_page", record.pk, value)

    def render_state(self, record):
        return batch_badge(record)


class CampaignTable(tables.Table):
    name = tables.Column(_("name of the campaign"))
    kind = tables.Column(_("kind"))
    year = tables.Column(_("year"), attrs=FIGURE)
    union = tables.Column(_("union"), accessor="union__name", attrs=DESK_ONLY)
    places = tables.Column(_("places"), attrs=FIGURE)
    taken = tables.Column(_("entered"), attrs=FIGURE)
    ends_on = DayColumn(_("recipients entered by"), attrs=DESK_ONLY)
    closed_on = DayColumn(_("closed on"), default="—", attrs=DESK_ONLY)

    class Meta:
        model = Campaign
        fields = ()
        caption = _("Campaigns")

    def render_name(self, value, record):
        return link("campaign_page", record.pk, value)

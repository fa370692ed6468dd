"""The table of pairs that may be one person."""

from decimal import Decimal

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn
from members import matching
from members.models import DuplicatePair

DESK_ONLY = {"td": {"class": "desk-only"}}
ALMOST = Decimal("0.99")  # nobody but the officer is certain


class PairTable(tables.Table):
    first = tables.Column(_("record"), accessor="first__name")
    second = tables.Column(_("other record"), accessor="second__name")
    reasons = tables.Column(_("why they look alike"))
    score = tables.Column(_("likeness"), attrs={"th": {"class": "number"}, "td": {"class": "number desk-only"}})

    class Meta:
        model = DuplicatePair
        fields = ()
        caption = _("Possible duplicates")

    def render_first(self, record):
        return format_html(
            '<a href="{}">{}</a> <span class="quiet">{}</span>',
            reverse("pair_page", args=[record.pk]), record.first.name, record.first.id_masked,
        )  # fmt: skip

    def render_second(self, record):
        return format_html('{} <span class="quiet">{}</span>', record.second.name, record.second.id_masked)

    def render_reasons(self, value):
        return format_html_join("", "<div>{}</div>", ((matching.SENTENCES[reason],) for reason in value))

    def render_score(self, value):
        return f"{min(value, ALMOST):.0%}"


class DecidedPairTable(PairTable):
    """The same of pairs that were decided: by whom and when."""

    decided_by = tables.Column(_("decided by"), attrs=DESK_ONLY)
    decided_at = DayColumn(_("decided"), attrs=DESK_ONLY)

    class Meta(PairTable.Meta):
        exclude = ("score",)

"""The tables of findings, and of unions by how many findings they have."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.checkup import Gravity
from core.models import CheckupCount, Finding

FIGURE = {"th": {"class": "figure"}, "td": {"class": "figure named"}}


def gravity_badge(check):
    """How grave a check is, as a word in its colour."""
    gravity = Gravity(check.gravity)
    return format_html('<span class="badge {}">{}</span>', gravity.badge, gravity.label)


class FindingTable(tables.Table):
    """Findings `with_subjects`, each with the address of its record as `url`, and what can be done `drawn` as HTML."""

    subject = tables.Column(_("record"), accessor="text", empty_values=())
    code = tables.Column(_("what is found"))
    union = tables.Column(_("union"), attrs={"td": {"class": "desk-only"}})
    since = tables.Column(_("found on"), attrs={"td": {"class": "named day"}})
    mends = tables.Column(_("what to do"), accessor="drawn", attrs={"td": {"class": "line"}})

    class Meta:
        model = Finding
        fields = ()
        caption = _("Findings")

    def render_subject(self, record):
        if record.subject is None:
            return _("no longer there")
        if record.url:
            return format_html('<a href="{}">{}</a>', record.url, record.text)
        return record.text

    def render_since(self, value):
        return value.isoformat()

    def render_code(self, record):
        badge = gravity_badge(record.check)
        if record.is_aside_today:
            badge = format_html(
                '{} <span class="badge info">{}</span>', badge,
                _("set aside until %(day)s") % {"day": record.aside_until.isoformat()},
            )  # fmt: skip
        return format_html(
            '{} {}<div class="quiet">{}</div>', record.check.label, badge, record.aside_reason or record.check.advice
        )


class CheckupTable(tables.Table):
    """Unions by how many findings they have."""

    union = tables.Column(_("union"))
    here = tables.Column(_("here"), attrs=FIGURE)
    below = tables.Column(_("here and below"), attrs=FIGURE)
    aside = tables.Column(_("set aside"), attrs=FIGURE)

    class Meta:
        model = CheckupCount
        fields = ()
        caption = _("Findings by union")

    def render_union(self, record):
        url = f"{reverse('checkup')}?union={record.union_id}"
        return format_html('<a href="{}">{}</a>', url, record.union.name)

    def render_here(self, value, record):
        if not value:
            return value
        return format_html('<a href="{}?union={}">{}</a>', reverse("finding_list"), record.union_id, value)

"""The tables of unions and of terms."""

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.models import Deadline
from unions.models import Committee, Union
from unions.terms import Term

DESK_ONLY = {"td": {"class": "desk-only"}}
FIGURE = {"th": {"class": "figure"}, "td": {"class": "figure named"}}


def badge(ends_on):
    """Return how near the end of a term is, as a word in its colour."""
    term = Term(ends_on, timezone.localdate())
    return format_html('<span class="badge {}">{}</span>', term.badge, term.label)


class UnionTable(tables.Table):
    name = tables.Column(_("union"))
    code = tables.Column(_("code"), attrs=DESK_ONLY)
    kind = tables.Column(_("kind"))
    parent = tables.Column(_("higher union"), accessor="parent__name", attrs=DESK_ONLY)
    members = tables.Column(_("members"), attrs=FIGURE)
    term_ends_on = tables.DateColumn("Y-m-d", verbose_name=_("term ends on"), attrs=DESK_ONLY)
    state = tables.Column(_("term"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Union
        fields = ()
        caption = _("Unions")

    def render_name(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("union_page", args=[record.pk]), value)

    def render_state(self, record):
        return badge(record.term_ends_on)


class TermTable(tables.Table):
    """Unions by the end of their term, each with the reason for the date; one query more finds the reasons."""

    name = tables.Column(_("union"))
    parent = tables.Column(_("higher union"), accessor="parent__name", attrs=DESK_ONLY)
    elected_on = tables.DateColumn("Y-m-d", verbose_name=_("elected on"), attrs=DESK_ONLY)
    term_ends_on = tables.DateColumn("Y-m-d", verbose_name=_("term ends on"))
    state = tables.Column(_("term"), empty_values=(), attrs={"td": {"class": "lead"}})
    why = tables.TemplateColumn(
        "{% if record.deadline %}{% include 'parts/why.html' with deadline=record.deadline %}{% endif %}",
        verbose_name=_("why this day"), orderable=False,
    )  # fmt: skip

    class Meta:
        model = Union
        fields = ()
        caption = _("Re-elections")

    def __init__(self, data, **kwargs):
        committees = [union.committee_pk for union in data if union.committee_pk]
        deadlines = Deadline.objects.open().filter(subject_type=Committee._meta.label_lower, subject_id__in=committees)
        by_committee = {deadline.subject_id: deadline for deadline in deadlines.select_related("rule")}
        for union in data:
            union.deadline = by_committee.get(union.committee_pk)
        super().__init__(data, **kwargs)

    def render_name(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("union_page", args=[record.pk]), value)

    def render_state(self, record):
        return badge(record.term_ends_on)

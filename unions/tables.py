"""The tables of unions and of terms."""

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn, link
from core.models import Deadline
from unions.models import Committee, Union, count_members
from unions.terms import Term

DESK_ONLY = {"td": {"class": "desk-only"}}
FIGURE_DESK = {"th": {"class": "figure"}, "td": {"class": "figure desk-only"}}
FIGURE = {"th": {"class": "figure"}, "td": {"class": "figure named"}}


def badge(union):
    """Return how near the end of a union's term is, as a word in its colour; of a dissolved union, that it is."""
    if union.dissolved_on:
        return format_html('<span class="badge rest">{}</span>', _("dissolved"))
    term = Term(union.term_ends_on, timezone.localdate())
    return format_html('<span class="badge {}">{}</span>', term.badge, term.label)


def ends(day, union):
    """Return the end of a union's term as a table shows it; of an extended one, that it is."""
    if day is None:
        return "—"
    if union.extended_until:
        return format_html('{} <span class="quiet">{}</span>', day.isoformat(), _("extended"))
    return day.isoformat()


class UnionTable(tables.Table):
    name = tables.Column(_("union"))
    code = tables.Column(_("code"), attrs=DESK_ONLY)
    kind = tables.Column(_("kind"))
    parent = tables.Column(_("higher union"), accessor="parent__name", attrs=DESK_ONLY)
    members = tables.Column(_("members"), attrs=FIGURE)
    employees = tables.Column(_("employees"), attrs=FIGURE_DESK)
    uscc = tables.Column(_("unified social credit code"), attrs=DESK_ONLY)
    founded_on = DayColumn(_("founded on"), attrs=DESK_ONLY)
    elected_on = DayColumn(_("elected on"), attrs=DESK_ONLY)
    term_ends_on = DayColumn(_("term ends on"), attrs=DESK_ONLY)
    dissolved_on = DayColumn(_("dissolved on"), attrs=DESK_ONLY)
    state = tables.Column(_("term"), empty_values=(), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Union
        fields = ()
        caption = _("Unions")

    def __init__(self, data, **kwargs):
        super().__init__(count_members(data), **kwargs)

    def render_name(self, value, record):
        return link("union_page", record.pk, value)

    def render_term_ends_on(self, value, record):
        return ends(value, record)

    def render_state(self, record):
        return badge(record)


class TermTable(tables.Table):
    """Unions by the end of their term, each with the reason for the date; one query more finds the reasons."""

    name = tables.Column(_("union"))
    code = tables.Column(_("code"), attrs=DESK_ONLY)
    kind = tables.Column(_("kind"), attrs=DESK_ONLY)
    parent = tables.Column(_("higher union"), accessor="parent__name", attrs=DESK_ONLY)
    elected_on = DayColumn(_("elected on"), attrs=DESK_ONLY)
    term_ends_on = DayColumn(_("term ends on"))
    state = tables.Column(_("term"), empty_values=(), attrs={"td": {"class": "lead"}})
    why = tables.Column(_("why this day"), accessor="deadline", default="")

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

    def render_why(self, value):
        return render_to_string("parts/why.html", {"deadline": value})

    def render_name(self, value, record):
        return link("union_page", record.pk, value)

    def render_term_ends_on(self, value, record):
        return ends(value, record)

    def render_state(self, record):
        return badge(record)

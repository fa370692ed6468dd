"""Filters above the floor's lists: papers, jobs and imports."""

import django_filters as filters
from django import forms
from django.utils.translation import gettext_lazy as _

from core import imports
from core.models import ImportBatch, Job, Paper
from core.models.imports import BatchState
from core.models.job import JobState
from core.models.paper import PaperState
from core.pages import ScopedFilterSet
from core.papers import kinds


class PaperFilter(ScopedFilterSet):
    number = filters.CharFilter(lookup_expr="startswith", label=_("number begins with"), max_length=60)
    kind = filters.ChoiceFilter(choices=lambda: [(key, kind.title) for key, kind in kinds().items()], label=_("kind"))
    state = filters.ChoiceFilter(choices=PaperState, label=_("state"))

    class Meta:
        model = Paper
        fields = ()


class JobFilter(ScopedFilterSet):
    state = filters.ChoiceFilter(choices=JobState, label=_("state"))

    class Meta:
        model = Job
        fields = ()


class Mine(filters.Filter):
    """A plain yes: what the user has uploaded."""

    field_class = forms.BooleanField

    def filter(self, queryset, value):
        return queryset.filter(**{self.field_name: self.parent.user}) if value else queryset


class ImportFilter(ScopedFilterSet):
    kind = filters.ChoiceFilter(
        choices=lambda: [(key, kind.title) for key, kind in imports.kinds().items()], label=_("kind")
    )
    state = filters.ChoiceFilter(
        choices=[choice for choice in BatchState.choices if choice[0] != BatchState.DISCARDED], label=_("state")
    )
    mine = Mine("created_by", label=_("uploaded by me"))

    class Meta:
        model = ImportBatch
        fields = ()

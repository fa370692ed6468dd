"""Filters above the floor's lists: papers and jobs."""

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from core.models import Job, Paper
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

"""Filters above the list of hardship cases."""

import django_filters as filters
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance.models import Category, Cause, HardshipCase
from assistance.moves import BEFORE_FILING, HardshipState
from core.filtering import DayRangeFilter, Only
from core.models import Deadline
from core.pages import ScopedFilterSet
from core.scope import after
from unions.filters import BelowFilter
from unions.models import Union

UNDER_WAY, EVERY = "under_way", "every"
STATES = [*HardshipState.choices, (UNDER_WAY, _("not filed yet")), (EVERY, _("all, closed ones too"))]


class UnionBelowFilter(BelowFilter):
    """A union: the cases of it and of all below it."""

    def filter(self, queryset, value):
        if not value:
            return queryset
        return queryset.filter(union__path__gte=value.path, union__path__lt=after(value.path))


class HardshipFilter(ScopedFilterSet):
    """No filter by name or number: filters stand in the address, and addresses are remembered."""

    first = ("union", "state", "category", "cause", "overdue")
    by_default = {"state": _("open cases")}

    union = UnionBelowFilter(queryset=Union.objects.all(), label=_("this union and below"))
    state = filters.ChoiceFilter(choices=STATES, method="in_state", label=_("state"), empty_label=_("open cases"))
    category = filters.ChoiceFilter(choices=Category, label=_("category"))
    cause = filters.ChoiceFilter(choices=Cause, label=_("main cause"))
    overdue = Only(method="is_overdue", label=_("a step is overdue"))
    applied_on = DayRangeFilter(label=_("applied on"))
    review_on = DayRangeFilter(label=_("to be reviewed by"))
    migrant = Only(label=_("migrant worker"))

    class Meta:
        model = HardshipCase
        fields = ()

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data["state"] else queryset.open()

    def in_state(self, queryset, name, state):
        if state == EVERY:
            return queryset
        return queryset.filter(state__in=BEFORE_FILING) if state == UNDER_WAY else queryset.filter(state=state)

    def is_overdue(self, queryset, name, wanted):
        """Cases with an open deadline that is over."""
        if not wanted:
            return queryset
        label = HardshipCase._meta.label_lower
        late = Deadline.objects.overdue(timezone.localdate()).filter(subject_type=label, subject_id=OuterRef("pk"))
        return queryset.filter(Exists(late))

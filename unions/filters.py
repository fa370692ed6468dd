"""Filters above the lists of unions and of terms."""

import django_filters as filters
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters.fields import ModelChoiceField, ModelChoiceIterator

from core.filtering import LongSelect, Only
from core.pages import ScopedFilterSet
from core.scope import WIDTH
from unions.events import once_named
from unions.models import Union, UnionKind
from unions.terms import TermState, six_months_after

# Unions that have others below them: what is offered to choose from. Any union in scope is taken.
UPPER = (
    UnionKind.CITY_FED, UnionKind.DISTRICT_FED, UnionKind.INDUSTRIAL_UNION,
    UnionKind.TOWNSHIP, UnionKind.STREET, UnionKind.PARK,
)  # fmt: skip
OFFERED = 300


class UpperUnions(ModelChoiceIterator):
    def __iter__(self):
        upper = self.queryset.standing().filter(kind__in=UPPER).order_by("path")[:OFFERED]
        yield "", self.field.empty_label
        for key, path, name in upper.values_list("pk", "path", "name"):
            yield key, f"{'　' * (len(path) // WIDTH - 1)}{name}"


class UpperUnionField(ModelChoiceField):
    iterator = UpperUnions
    widget = LongSelect


class BelowFilter(filters.ModelChoiceFilter):
    """A union and everything below it."""

    field_class = UpperUnionField

    def filter(self, queryset, value):
        return queryset.below(value) if value else queryset


def in_state(queryset, name, state):
    """The unions, annotated `with_term`, whose term is in `state`."""
    today = timezone.localdate()
    soon = six_months_after(today)
    return queryset.filter(
        {
            TermState.OVERDUE: Q(term_ends_on__lt=today),
            TermState.SOON: Q(term_ends_on__gte=today, term_ends_on__lte=soon),
            TermState.RUNNING: Q(term_ends_on__gt=soon),
            TermState.UNKNOWN: Q(term_ends_on__isnull=True),
        }[state]
    )


class UnionFilter(ScopedFilterSet):
    text = filters.CharFilter(method="has_text", label=_("name or code"), max_length=100)
    union = BelowFilter(queryset=Union.objects.all(), label=_("this union and below"))
    kind = filters.ChoiceFilter(choices=UnionKind, label=_("kind"))
    state = filters.ChoiceFilter(choices=TermState, method=in_state, label=_("term"))
    dissolved = Only(method="also_dissolved", label=_("also dissolved"))

    by_default = {"dissolved": _("without dissolved unions")}

    class Meta:
        model = Union
        fields = ()

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data["dissolved"] else queryset.standing()

    def also_dissolved(self, queryset, name, value):
        """Take nothing away: without it `filter_queryset` takes the dissolved ones."""
        return queryset

    def has_text(self, queryset, name, text):
        return queryset.filter(Q(code__prefix=text) | Q(name__contains=text) | Q(pk__in=once_named(text)))

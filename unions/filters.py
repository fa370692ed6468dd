"""Filters above the lists of unions and of terms."""

import django_filters as filters
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters.fields import ModelChoiceField, ModelChoiceIterator

from core.pages import ScopedFilterSet
from unions.models import Union, UnionKind
from unions.terms import TermState, six_months_after

# Unions that have others below them: what is offered to choose from. Any union in scope is taken.
UPPER = (
    UnionKind.CITY_FED, UnionKind.DISTRICT_FED, UnionKind.INDUSTRIAL_UNION,
    UnionKind.TOWNSHIP, UnionKind.STREET, UnionKind.PARK,
)  # fmt: skip
OFFERED = 300


class UpperUnions(ModelChoiceIterator):
    def __init__(self, field):
        super().__init__(field)
        self.queryset = self.queryset.filter(kind__in=UPPER).order_by("path")[:OFFERED]


class UpperUnionField(ModelChoiceField):
    iterator = UpperUnions

    def label_from_instance(self, union):
        return f"{'　' * union.level}{union.name}"


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

    class Meta:
        model = Union
        fields = ()

    def has_text(self, queryset, name, text):
        return queryset.filter(Q(code__prefix=text) | Q(name__contains=text))

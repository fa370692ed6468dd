"""Filters above the list of members."""

import django_filters as filters
from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.pages import ScopedFilterSet
from core.scope import after
from members.models import Employment, Membership, MembershipState, OccupationGroup
from unions.models import Sex, Union


class Only(filters.Filter):
    """A plain yes: the rows that have it; without it, all rows."""

    field_class = forms.BooleanField

    def filter(self, queryset, value):
        return queryset.filter(**{self.field_name: True}) if value else queryset


class MemberFilter(ScopedFilterSet):
    """No filter by name or number: filters stand in the address, and addresses are remembered. The search box posts."""

    union = filters.ModelChoiceFilter(  # from a union's page; nobody chooses from a list of ten thousand
        queryset=Union.objects.all(), method="below", label=_("union"), widget=forms.HiddenInput
    )
    state = filters.ChoiceFilter(choices=MembershipState, label=_("state"))
    union_text = filters.CharFilter(method="in_union", label=_("union name or code"), max_length=100)
    sex = filters.ChoiceFilter("person__sex", choices=Sex, label=_("sex"))
    employment = filters.ChoiceFilter(choices=Employment, label=_("form of employment"))
    occupation_group = filters.ChoiceFilter(choices=OccupationGroup, label=_("occupational group"))
    migrant_worker = Only(label=_("migrant worker"))

    class Meta:
        model = Membership
        fields = ()

    def below(self, queryset, name, union):
        """Members of the union and of all below it."""
        return queryset.filter(union__path__gte=union.path, union__path__lt=after(union.path))

    def in_union(self, queryset, name, text):
        return queryset.filter(Q(union__code=text) | Q(union__name__contains=text))

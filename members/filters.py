"""Filters above the list of members."""

from datetime import date

import django_filters as filters
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.filtering import DayRangeFilter, NumberRangeFilter, Only
from core.pages import ScopedFilterSet
from members.models import Employment, Membership, MembershipState, OccupationGroup, SkillLevel
from unions.filters import BelowFilter
from unions.models import Sex, Union

ENDED, EVERY = "ended", "every"
OLDEST = 120
STATES = [*MembershipState.choices, (ENDED, _("ended")), (EVERY, _("all, ended and entered twice too"))]


class UnionBelowFilter(BelowFilter):
    """A union: the members of it and of all below it."""

    def filter(self, queryset, value):
        return queryset.below(value) if value else queryset


class MemberFilter(ScopedFilterSet):
    """No filter by name or number: filters stand in the address, and addresses are remembered. The search box posts."""

    first = ("union", "state", "sex", "employment", "occupation_group")
    by_default = {"state": _("open memberships")}

    union = UnionBelowFilter(queryset=Union.objects.all(), label=_("this union and below"))
    state = filters.ChoiceFilter(choices=STATES, method="in_state", label=_("state"), empty_label=_("open memberships"))
    sex = filters.ChoiceFilter("person__sex", choices=Sex, label=_("sex"))
    employment = filters.ChoiceFilter(choices=Employment, label=_("form of employment"))
    occupation_group = filters.ChoiceFilter(choices=OccupationGroup, label=_("occupational group"))
    union_text = filters.CharFilter(method="in_union", label=_("union name or code"), max_length=100)
    department = filters.CharFilter(lookup_expr="contains", label=_("department or group"), max_length=50)
    age = NumberRangeFilter(method="aged", least=0, most=OLDEST, label=_("age"))
    joined_on = DayRangeFilter(label=_("joined on"))
    skill_level = filters.ChoiceFilter(choices=SkillLevel, label=_("skill level"))
    migrant_worker = Only(label=_("migrant worker"))
    no_phone = Only("person__phone_index", having="", label=_("without a phone"))
    never_verified = Only("person__verified_on", lookup_expr="isnull", label=_("never verified"))

    class Meta:
        model = Membership
        fields = ()

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data["state"] else queryset.open()

    def in_state(self, queryset, name, state):
        if state == EVERY:
            return queryset
        return queryset.filter(ended_on__isnull=False) if state == ENDED else queryset.filter(state=state)

    def in_union(self, queryset, name, text):
        return queryset.filter(Q(union__code=text) | Q(union__name__contains=text))

    def aged(self, queryset, name, ages):
        """Of full years between two numbers, both included, today."""
        today = timezone.localdate()
        if ages.start is not None:
            queryset = queryset.filter(person__born_on__lte=years_before(today, ages.start))
        if ages.stop is not None:
            queryset = queryset.filter(person__born_on__gt=years_before(today, ages.stop + 1))
        return queryset


def years_before(day, years):
    """Return the last birth date of those who are `years` old on `day`; born on 29 February one ages on 1 March."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)

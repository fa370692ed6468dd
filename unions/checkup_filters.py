"""Filters above the lists of findings and of unions by their findings."""

import django_filters as filters
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.checkup import Gravity, Kind, checks
from core.models import CheckupCount, Finding
from core.pages import ScopedFilterSet
from unions.filters import BelowFilter
from unions.models import Union

TO_DO, ASIDE = "to_do", "aside"


class BelowUnionFilter(BelowFilter):
    """Rows at a union and everything below it."""

    def filter(self, queryset, value):
        return queryset.filter(union__in=Union.objects.below(value).values("pk")) if value else queryset


def of_checks(name):
    """A filter's method: the findings of checks whose attribute `name` is the value."""

    def method(self, queryset, field, value):
        codes = [code for code, check in checks().items() if str(getattr(check, name)) == value]
        return queryset.filter(code__in=codes)

    return method


class FindingFilter(ScopedFilterSet):
    check = filters.ChoiceFilter(
        "code", choices=lambda: [(code, check.label) for code, check in checks().items()], label=_("what is found")
    )
    kind = filters.ChoiceFilter(choices=Kind, method="of_kind", label=_("wrong or missing"))
    gravity = filters.ChoiceFilter(choices=Gravity, method="of_gravity", label=_("how grave"))
    union = BelowUnionFilter(queryset=Union.objects.all(), label=_("this union and below"))
    aside = filters.ChoiceFilter(
        choices=[(TO_DO, _("to be mended")), (ASIDE, _("set aside"))], method="is_aside", label=_("set aside or not")
    )

    class Meta:
        model = Finding
        fields = ()

    of_kind, of_gravity = of_checks("kind"), of_checks("gravity")

    def is_aside(self, queryset, name, value):
        today = timezone.localdate()
        return queryset.aside(today) if value == ASIDE else queryset.to_do(today)


class CheckupFilter(ScopedFilterSet):
    union = BelowUnionFilter(queryset=Union.objects.all(), label=_("this union and below"))

    class Meta:
        model = CheckupCount
        fields = ()

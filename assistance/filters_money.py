"""Filters above the lists of grants and payment batches."""

import django_filters as filters
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance.grants import GrantState
from assistance.models import AidKind, FundKind, FundSource, Grant, PaymentBatch
from assistance.models.money import BatchState
from core.filtering import DayRangeFilter
from core.pages import ScopedFilterSet
from unions.filters import BelowFilter
from unions.models import Union

FIRST_YEAR = 2015  # grants before it are not in the portal


class GrantFilter(ScopedFilterSet):
    first = ("state", "aid_kind", "fund_kind", "year")

    state = filters.ChoiceFilter(choices=GrantState, label=_("state"))
    aid_kind = filters.ChoiceFilter("budget__aid_kind", choices=AidKind, label=_("kind of aid"))
    fund_kind = filters.ChoiceFilter("budget__source__kind", choices=FundKind, label=_("source of money"))
    year = filters.ChoiceFilter("on__year", choices=lambda: years(), label=_("year"))
    source = filters.ModelChoiceFilter("budget__source", queryset=FundSource.objects.all(), label=_("one source"))
    union = BelowFilter(queryset=Union.objects.all(), label=_("this union and below"))
    on = DayRangeFilter(label=_("day"))

    class Meta:
        model = Grant
        fields = ()


class BatchFilter(ScopedFilterSet):
    state = filters.ChoiceFilter(choices=BatchState, label=_("state"))
    source = filters.ModelChoiceFilter(queryset=FundSource.objects.all(), label=_("source of money"))

    class Meta:
        model = PaymentBatch
        fields = ()


def years():
    """The years that grants may be of, the latest first, as choices."""
    return [(year, str(year)) for year in range(timezone.localdate().year + 1, FIRST_YEAR, -1)]

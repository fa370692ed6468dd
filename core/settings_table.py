"""Reading the settings the federation may change: the value in force on a day."""

from django.db.models import Q
from django.utils import timezone

from core.models import Setting


def value(key, on=None):
    """Return the value (str) of setting `key` on the date `on`, today by default. Raises LookupError without one."""
    on = on or timezone.localdate()
    in_force = Setting.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on), key=key, valid_from__lte=on)
    found = in_force.order_by("-valid_from").values_list("value", flat=True).first()
    if found is None:
        raise LookupError(f"Setting «{key}» has no value on {on}.")
    return found


def in_force(on):
    """Return {key: value} of every setting that has a value on the date `on`, in one query."""
    rows = Setting.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on), valid_from__lte=on)
    return dict(rows.order_by("valid_from").values_list("key", "value"))

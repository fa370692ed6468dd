"""The tables a keeper of standards changes: rules, calendar, settings. Each change is an event and moves open dates."""

import re
from datetime import time

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from core import audit, signin
from core.deadlines import CannotCount, recompute
from core.models import CalendarDay, CalendarYear, DeadlineRule, RetentionRule, Setting
from core.models.deadline import Unit
from core.models.retention import RetentionUnit
from core.reminders import stages_of
from core.scope import known_roles

# The longest period of a rule, by unit: no law knows a longer one, and every date stays countable.
LONGEST = {Unit.CALENDAR_DAY: 36500, Unit.WORKING_DAY: 25000, Unit.MONTH: 1200, Unit.YEAR: 100}

LONGEST_KEPT = {RetentionUnit.DAY: 36500, RetentionUnit.MONTH: 1200}

NUMBERS = (
    "one_time_password_hours", "account_dormant_days", "digest_soon_days", "working_age", "retirement_age_men",
    "retirement_age_women", "committee_members", "women_committee_members", "import_waiting_days", "checkup_aside_days",
    "checkup_daily_days",
)  # fmt: skip
HEALTH = "health_"  # thresholds of core.health, whole numbers all of them


@transaction.atomic
def keep(row, *, by, move_dates=True):
    """Store a row of a reference table, new or changed, and write what changed; return whether anything did.

    Open deadlines that rest on it are computed again, unless the caller does so itself after the last of many rows
    (`move_dates=False`). Raises ValidationError with the sentence for the form.
    """
    before = type(row).objects.select_for_update().filter(pk=row.pk).first()
    row.full_clean()
    check(row)
    changes = {}
    for column in row._meta.concrete_fields:
        old, new = getattr(before, column.attname, None), getattr(row, column.attname)
        if old != new and not (column.primary_key and before is None and column.auto_created):
            changes[column.name] = [old, new]
    if not changes:
        return False
    row.save()
    verb = "change" if before else "add"
    audit.record(f"{row._meta.app_label}.{verb}_{row._meta.model_name}", row, by=by, changes=changes)
    if move_dates:
        move(type(row), by=by, rules=[row] if isinstance(row, DeadlineRule) else None)
    return True


def move(model, *, by, rules=None):
    """Compute again the open deadlines that rest on the table of `model`, or on `rules` of it; return how many moved.

    Raises ValidationError when one of them has no end any more.
    """
    if model not in (DeadlineRule, CalendarDay, CalendarYear):
        return 0
    try:
        return recompute(rules, by=by)
    except CannotCount as refusal:
        raise ValidationError(str(refusal)) from None


def check(row):
    """Raise ValidationError for what the columns alone cannot refuse."""
    if isinstance(row, DeadlineRule):
        _check_rule(row)
    if isinstance(row, Setting):
        _check_setting(row)
    if isinstance(row, RetentionRule) and not 1 <= row.length <= LONGEST_KEPT[row.unit]:
        most = LONGEST_KEPT[row.unit]
        raise ValidationError({"length": _("The length must be between 1 and %(most)s.") % {"most": most}})


def _check_setting(row):
    if row.key in ("reminder_from", "reminder_until"):
        try:
            time.fromisoformat(row.value)
        except ValueError:
            raise ValidationError({"value": _("Write a time of day like 09:00.")}) from None
    if row.key in NUMBERS and not (row.value.isascii() and row.value.isdigit() and 1 <= int(row.value) <= 1000):
        raise ValidationError({"value": _("Write a whole number from 1 to 1000.")})
    if row.key.startswith(HEALTH) and not re.fullmatch("[1-9][0-9]{0,6}", row.value):
        raise ValidationError({"value": _("Write a whole number from 1 to 9999999.")})
    if row.key == "second_factor_roles" and (unknown := signin.roles_in(row.value) - known_roles()):
        said = _("There is no role «%(role)s». Write keys of roles with commas between them, or none.")
        raise ValidationError({"value": said % {"role": min(unknown)}})


def _check_rule(rule):
    readings = [("length", rule.length, rule.unit), ("other_length", rule.other_length, rule.other_unit)]
    for name, length, unit in readings:
        if unit and length is not None and not 1 <= length <= LONGEST[unit]:
            raise ValidationError({name: _("The length must be between 1 and %(most)s.") % {"most": LONGEST[unit]}})
    if bool(rule.other_length) != bool(rule.other_unit):
        raise ValidationError({"other_unit": _("A second reading has a length and a unit, or neither.")})
    days = {Unit.CALENDAR_DAY, Unit.WORKING_DAY}
    if rule.backward and not {rule.unit, rule.other_unit or rule.unit} <= days:
        raise ValidationError({"unit": _("Only days can be counted backward.")})
    try:
        stages_of(rule)
    except ValueError:
        raise ValidationError(
            {"remind_before": _("Write the stages like 6M,3M,1M,0D: months or days before; 0D: when overdue.")}
        ) from None

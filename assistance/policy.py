"""The policy in force on a day: settings `hardship_…`, the living standard of a place, rules of sources of money."""

from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from assistance.eligibility import EXCLUSIONS, CannotClassify, Policy
from assistance.models import FundRule, LivingStandard
from assistance.models.policy import in_force
from core import settings_table

PREFIX = "hardship_"
ALL, NONE = "all", "none"  # of the exclusions


def policy_on(day):
    """Return the `eligibility.Policy` in force on the date `day`. Raises CannotClassify naming what is wrong."""
    values = settings_table.in_force(day)
    return Policy(
        deep_multiple=_number(values, "deep_multiple"),
        deep_inclusive=_yes(values, "deep_inclusive"),
        relative_multiple=_number(values, "relative_multiple"),
        relative_inclusive=_yes(values, "relative_inclusive"),
        accidental_share=_number(values, "accidental_share"),
        accidental_inclusive=_yes(values, "accidental_inclusive"),
        edge_multiple=_number(values, "edge_multiple"),
        exclusions=_flags(values),
        labour_months=int(_number(values, "labour_months")),
        labour_months_for_all=_yes(values, "labour_months_for_all"),
    )


def standard_for(union, day):
    """Return the `LivingStandard` for `union` on `day`: its own or that of the nearest union above.

    Raises CannotClassify with the sentence which one is missing: a decision waits for it.
    """
    above = [*union.ancestor_ids, union.pk]
    rows = LivingStandard.objects.filter(in_force(day), area__in=above).order_by("valid_from")
    found = {row.area_id: row for row in rows}
    for key in reversed(above):
        if key in found:
            return found[key]
    said = _("There is no minimum living standard for %(union)s on %(day)s: the federation must enter it first.")
    raise CannotClassify(said % {"union": union, "day": day})


def fund_rule(fund_kind, aid_kind, day):
    """Return the `FundRule` in force on `day`, or None: this money may not be used for this."""
    rows = FundRule.objects.filter(in_force(day), fund_kind=fund_kind, aid_kind=aid_kind)
    return rows.order_by("-valid_from").first()


def number(key, day):
    """Return the setting `hardship_<key>` in force on `day` as Decimal. Raises CannotClassify."""
    return _number(settings_table.in_force(day), key)


def yes(key, day):
    """Return the setting `hardship_<key>` in force on `day` as bool. Raises CannotClassify."""
    return _yes(settings_table.in_force(day), key)


def _value(values, key):
    try:
        return values[PREFIX + key]
    except KeyError:
        raise CannotClassify(_("The setting «%(key)s» has no value for this day.") % {"key": PREFIX + key}) from None


def _number(values, key):
    text = _value(values, key)
    try:
        amount = Decimal(text)
        if amount.is_finite() and amount >= 0:
            return amount
    except InvalidOperation:
        pass
    raise CannotClassify(_("The setting «%(key)s» must be a number, not below 0.") % {"key": PREFIX + key})


def _yes(values, key):
    text = _value(values, key)
    if text not in ("0", "1"):
        raise CannotClassify(_("The setting «%(key)s» must be 0 or 1.") % {"key": PREFIX + key})
    return text == "1"


def _flags(values):
    text = _value(values, "exclusions")
    if text in (ALL, NONE):
        return tuple(EXCLUSIONS) if text == ALL else ()
    flags = [flag.strip() for flag in text.split(",") if flag.strip()]
    if unknown := set(flags) - set(EXCLUSIONS):
        said = _("The setting «%(key)s» names what is no exclusion: %(names)s.")
        raise CannotClassify(said % {"key": PREFIX + "exclusions", "names": ", ".join(sorted(unknown))})
    return tuple(flag for flag in EXCLUSIONS if flag in flags)

"""Household files as others see them: what bars an erasure."""

from django.db.models import Q
from django.utils.translation import gettext as _

from assistance.models import Grant, HardshipFile, HouseholdPerson, Recipient, StagedHousehold


def bars_to_erasure(people):
    """Return the sentences why the data of `people` (persons of the register) cannot be erased."""
    named = Q(person__in=people) | Q(id_index__in=[each.id_index for each in people])
    if HardshipFile.objects.filter(person__in=people).exists() or HouseholdPerson.objects.filter(named).exists():
        return [_("A hardship file names this person: it is kept for the audit of the money.")]
    if StagedHousehold.objects.filter(id_index__in=[each.id_index for each in people if each.id_index]).exists():
        return [_("An uploaded sheet of hardship files names this person: its rows are deleted after their period.")]
    if Grant.objects.filter(named).exists() or Recipient.objects.filter(person__in=people).exists():
        return [_("A grant or a campaign names this person: it is kept for the audit of the money.")]
    return []

"""Consents of a household: which text somebody agreed to and when, and the withdrawal (PIPL 14, 15, 29, 31)."""

import csv
from datetime import datetime
from pathlib import Path

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance.households import CHANGE
from assistance.models import Consent, ConsentKind, HardshipCase
from assistance.moves import OPEN_STATES
from core import audit, settings_table
from core.deadlocks import again_on_deadlock

TEXTS = Path(__file__).parent / "data" / "consent_texts.csv"  # version, kind, text


def text_in_force(kind, on):
    """Return (version, text) of the consent `kind` on the date `on`. Raises ValidationError naming what is missing."""
    version = settings_table.value("hardship_consent_version", on)
    with TEXTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["version"], row["kind"]) == (version, kind):
                return version, row["text"]
    raise ValidationError(_("There is no text of version «%(version)s» of this consent.") % {"version": version})


def by_guardian(person, on):
    """Whether the guardian agrees for this person of a household on that day."""
    age = on.year - person.born_on.year - ((on.month, on.day) < (person.born_on.month, person.born_on.day))
    return age < int(settings_table.value("hardship_guardian_age", on))


def not_given(case):
    """Return [(HouseholdPerson, ConsentKind)] of the consents that are not in force; which are needed is the flow's."""
    held = set(case.consents.filter(withdrawn_at__isnull=True).values_list("of_id", "kind"))
    return [(person, kind) for person in case.people.all() for kind in ConsentKind if (person.pk, kind) not in held]


@again_on_deadlock
@transaction.atomic
def give(case, *, by, given, on):
    """Record the consents `given`, [(key of a HouseholdPerson, kind)], signed on the date `on`; returns how many.

    One that is in force already stays as it is. Raises PermissionDenied, ValidationError with the sentence.
    """
    case = _held(case, by)
    today = timezone.localdate()
    if on > today:
        raise ValidationError({"on": _("This day lies in the future.")})
    if not given:
        raise ValidationError(_("Tick what was signed."))
    people = {person.pk: person for person in case.people.all()}
    held = set(case.consents.filter(withdrawn_at__isnull=True).values_list("of_id", "kind"))
    at = timezone.now() if on == today else timezone.make_aware(datetime.combine(on, datetime.min.time()))
    made = []
    for key, kind in dict.fromkeys(given):
        if key not in people or kind not in ConsentKind.values:
            raise ValidationError(_("This person is not of the household any more: look at the page again."))
        if on < people[key].born_on:
            raise ValidationError({"on": _("This day lies before the birth of somebody who agrees.")})
        if (key, kind) in held:
            continue
        version, text = text_in_force(kind, on)
        made.append(
            Consent.objects.create(
                case=case, of=people[key], kind=kind, text_version=version, text=text, given_at=at, recorded_by=by,
                by_guardian=by_guardian(people[key], on),
            )
        )  # fmt: skip
    changes = {"consents": [None, [[row.pk, row.kind, row.text_version] for row in made]]}
    if made:
        audit.record("assistance.give_consent", case, by=by, union=case.union, changes=changes)
    return len(made)


@again_on_deadlock
@transaction.atomic
def withdraw(case, *, by, consent_pk):
    """Withdraw a consent from now on; what was done until now stays done. Raises as `give`."""
    case = _held(case, by)
    row = case.consents.select_for_update().filter(pk=consent_pk, withdrawn_at__isnull=True).first()
    if row is None:
        raise ValidationError(_("This consent is withdrawn already."))
    row.withdrawn_at = timezone.now()
    row.save(update_fields=["withdrawn_at"])
    changes = {"consent": [[row.pk, row.kind], None]}
    audit.record("assistance.withdraw_consent", case, by=by, union=case.union, changes=changes)


def _held(case, by):
    case = HardshipCase.objects.select_for_update(of=("self",)).select_related("union").get(pk=case.pk)
    if by is not None and not by.has_perm(CHANGE, case):
        raise PermissionDenied(_("Your role here does not include this act."))
    if case.state not in OPEN_STATES:
        raise ValidationError(_("This case is closed: consents are neither given nor needed any more."))
    return case

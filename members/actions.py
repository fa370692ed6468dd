"""What officers do to members: enrol them, change their facts, and see a number in clear.

Each act is one transaction and one event in the trail. A refusal is a ValidationError, its sentence under the field
that it is about, so that every form shows it where it belongs.
"""

import re

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.conflicts import Conflict
from core.secrets import blind
from members import identity
from members.models import DocumentKind, Membership, Person

PERSON_FACTS = (
    "name", "phone", "ethnicity", "politics", "education", "hukou_kind", "hukou_place", "residence",
)  # fmt: skip
MEMBERSHIP_FACTS = (
    "joined_on", "department", "post", "skill_level", "employment", "occupation_group", "employment_state",
    "migrant_worker", "card_no", "dues_standard", "model_worker", "notes",
)  # fmt: skip
SEALED = ("phone", "residence")
A_NUMBER = re.compile(r"\d{11}")  # a phone or more: it must not stand in the trail


def enrol(*, by, union, name, id_number, **facts):
    """Enter a person on the roll of `union` and return the Membership.

    The person is found by the identity number, whatever form asks (rulebook §2.2: one open membership a person), or
    created. `facts` are PERSON_FACTS and MEMBERSHIP_FACTS; of a person known already, only what is given replaces what
    is stored. Raises ValidationError with the reason.
    """
    try:
        with transaction.atomic():
            return _enrol(by, union, name, id_number, facts)
    except IntegrityError:
        # Another officer entered the same person between our look and our insert. Now that theirs is stored, looking
        # again finds it and gives the reason.
        with transaction.atomic():
            return _enrol(by, union, name, id_number, facts)


def _require(by, perm, obj):
    if by is not None and not by.has_perm(perm, obj):
        raise PermissionDenied(_("Your role here does not include this act."))


def _enrol(by, union, name, id_number, facts):
    # A membership that is not written yet: the permission counts at its union.
    membership = Membership(union=union)
    _require(by, "members.add_membership", membership)
    number, person = may_enrol(by=by, union=union, name=name, id_number=id_number, joined_on=facts.get("joined_on"))
    changes = {}
    if person is None:
        person = Person(name=_checked("name", name))
        _take_number(person, number)
    _set(person, {field: facts[field] for field in PERSON_FACTS if facts.get(field)}, changes)
    person.clean_fields()
    person.save()
    membership.person = person
    _set(membership, {field: facts[field] for field in MEMBERSHIP_FACTS if facts.get(field)}, changes)
    membership.clean_fields(exclude=["person", "union"])
    membership.save()
    audit.record("members.enrol_membership", membership, by=by, union=union, changes=changes)
    return membership


def may_enrol(*, by, union, name, id_number, joined_on=None):
    """Return (the checked number, the Person it belongs to or None), or raise ValidationError with the reason.

    A union that `by` does not see is not named.
    """
    number, name = _checked("id_number", id_number), _checked("name", name)
    _check_joined_on(joined_on, number.born_on)
    person = Person.objects.filter(id_index=blind("id_number", number.number)).first()
    if person is None:
        return number, None
    if person.name != name:
        raise ValidationError(
            {"id_number": _("This identity number is recorded with another name: check both against the card.")}
        )
    if person.deceased_on:
        raise ValidationError({"id_number": _("This person is recorded as deceased and cannot be enrolled.")})
    membership = person.memberships.open().select_related("union").first()
    if membership is None:
        return number, person
    if membership.union_id == union.pk:
        raise ValidationError({"id_number": _("This person is on the roll of this union already.")})
    if by is None or by.has_perm("members.view_membership", membership):
        message = _("This person is a member of %(union)s: a transfer is needed.") % {"union": membership.union.name}
    else:
        message = _("This person is a member of another union: a transfer is needed.")
    raise ValidationError({"id_number": message})


def change_membership(membership, *, by, version, changes, reason=""):
    """Store `changes` ({fact: value} of PERSON_FACTS, MEMBERSHIP_FACTS and `id_number`) and return the Membership.

    A new `id_number` is a correction, an event of its own that needs a `reason`; sex and birth date follow it. Raises
    Conflict when the row is no longer at `version`, ValidationError with the reason when a change is refused.
    """
    try:
        with transaction.atomic():
            return _change(membership.pk, by, version, dict(changes), reason)
    except IntegrityError:
        raise ValidationError({"id_number": _("This identity number belongs to another person already.")}) from None


def _change(pk, by, version, changes, reason):
    membership = (
        Membership.objects.select_for_update(of=("self", "person")).select_related("person", "union").get(pk=pk)
    )
    _require(by, "members.change_membership", membership)
    if membership.version != version:
        raise Conflict(membership)
    if not membership.is_open:
        raise ValidationError(_("This membership has ended: it stays as it was."))
    person = membership.person
    corrected, changed = {}, {}
    if new_number := changes.pop("id_number", ""):
        _correct_number(person, new_number, reason, corrected)
    _check_joined_on(changes.get("joined_on"), person.born_on)
    _set(person, {field: changes[field] for field in PERSON_FACTS if field in changes}, changed)
    _set(membership, {field: changes[field] for field in MEMBERSHIP_FACTS if field in changes}, changed)
    if not corrected and not changed:
        return membership
    person.version += 1
    person.clean_fields()
    person.save()
    membership.version += 1
    membership.clean_fields(exclude=["person", "union"])
    membership.save()
    if corrected:
        audit.record(
            "members.correct_number", membership, by=by, union=membership.union, changes=corrected, reason=reason
        )
    if changed:
        audit.record("members.change_membership", membership, by=by, union=membership.union, changes=changed)
    return membership


def reveal(membership, *, by, reason):
    """Return {"id_number", "phone", "residence"} in clear, and write down who looked and why.

    Raises PermissionDenied without `members.reveal_membership` on this membership, ValidationError without a reason.
    """
    _require(by, "members.reveal_membership", membership)
    reason = _reason(reason)
    person = membership.person
    with transaction.atomic():
        audit.record("members.reveal_membership", membership, by=by, union=membership.union, reason=reason)
    return {"id_number": person.id_number, "phone": person.phone, "residence": person.residence}


def _reason(text):
    """Return the reason, or raise ValidationError: it stands in the trail for ever, so no numbers in it."""
    text = text.strip()
    if not text:
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if A_NUMBER.search(text):
        raise ValidationError({"reason": _("Write the reason without identity or phone numbers.")})
    return text


def _checked(field, text):
    """Return what identity.py makes of the text for this field, or raise ValidationError under it."""
    check = {"id_number": identity.check_number, "name": identity.clean_name, "phone": identity.clean_phone}[field]
    try:
        return check(text)
    except identity.Refused as refusal:
        raise ValidationError({field: str(refusal)}) from None


def _correct_number(person, text, reason, changes):
    number = _checked("id_number", text)
    if number.number == person.id_number:
        return
    _reason(reason)
    if Person.objects.filter(id_index=blind("id_number", number.number)).exists():
        raise ValidationError({"id_number": _("This identity number belongs to another person already.")})
    before = person.sex, person.born_on
    _take_number(person, number)
    changes["id_number"] = ["changed"]
    for field, old in zip(("sex", "born_on"), before, strict=True):
        if old != getattr(person, field):
            changes[field] = [old, getattr(person, field)]


def _take_number(person, number):
    """Sex, birth date, mask and document follow the number."""
    person.id_number = number.number
    person.id_masked = identity.mask_number(number.number)
    person.sex = number.sex
    person.born_on = number.born_on
    person.document_kind = (
        DocumentKind.HMT_RESIDENCE if number.number[:2] in identity.RESIDENCE_PERMITS else DocumentKind.RESIDENT_ID
    )


def _check_joined_on(joined_on, born_on):
    if joined_on and joined_on > timezone.localdate():
        raise ValidationError({"joined_on": _("The joining date lies in the future.")})
    if joined_on and joined_on < born_on:
        raise ValidationError({"joined_on": _("The joining date lies before the birth date that the number gives.")})


def _set(row, values, changes):
    """Give `row` the new `values` and note in `changes` which facts differ: of a sealed one, only that it does."""
    for field, value in values.items():
        if field == "name":
            value = _checked(field, value)
        elif field == "phone":
            value = _checked(field, value) if value else ""
            row.phone_masked = identity.mask_phone(value) if value else ""
        old = getattr(row, field)
        if old != value:
            setattr(row, field, value)
            changes[field] = ["changed"] if field in SEALED else [old, value]

"""What officers do to members: enrol them, change their facts, and see a number in clear.

Each act is one transaction and one event in the trail. A refusal is a ValidationError, its sentence under the field
that it is about, so that every form shows it where it belongs.
"""

from contextlib import contextmanager

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.conflicts import Conflict
from core.deadlocks import again_on_deadlock
from core.names import A_NUMBER
from core.secrets import blind_all
from members import candidates, identity
from members.models import DocumentKind, Membership, Person

PERSON_FACTS = (
    "name", "phone", "ethnicity", "politics", "education", "hukou_kind", "hukou_place", "residence",
)  # fmt: skip
MEMBERSHIP_FACTS = (
    "joined_on", "department", "post", "skill_level", "employment", "occupation_group", "employment_state",
    "migrant_worker", "card_no", "dues_standard", "model_worker", "notes",
)  # fmt: skip
SEALED = ("phone", "residence")
SEE = "members.view_membership"


class OutOfSight(ValidationError):
    """Refused because of somebody whom the officer does not see: whoever tries numbers learns that they are known."""


@again_on_deadlock
def enrol(*, by, union, name, id_number, **facts):
    """Enter a person on the roll of `union` and return the Membership.

    The person is found by the identity number, whatever form asks (rulebook §2.2: one open membership a person), or
    created. `facts` are PERSON_FACTS and MEMBERSHIP_FACTS; of a person known already, only what is given replaces what
    is stored. Raises ValidationError with the reason.
    """
    with fishing_is_seen(by, union):
        try:
            with transaction.atomic():
                return _enrol(by, union, name, id_number, facts)
        except IntegrityError:
            # Another officer entered the same person between our look and our insert. Now that theirs is stored,
            # looking again finds it and gives the reason.
            with transaction.atomic():
                return _enrol(by, union, name, id_number, facts)


@contextmanager
def fishing_is_seen(by, union):
    """Write down a refusal `OutOfSight`: outside the transaction, which was rolled back."""
    try:
        yield
    except OutOfSight:
        meet_elsewhere(by=by, union=union)
        raise


def meet_elsewhere(*, by, union, people=1, target=None):
    """Write down that `by` met so many people out of sight while entering people at `union`; not whom.

    `target` is what they were met by, where it is not the union itself: an uploaded register.
    """
    with transaction.atomic():
        audit.record("members.meet_elsewhere", target or union, by=by, union=union, changes={"people": [None, people]})


def out_of_sight(people, by):
    """Return those of `people` (keys) whose open membership, or with none open every one, `by` does not see."""
    if by is None:
        return set()
    rows = Membership.objects.filter(person__in=people).order_by()
    seen = rows.visible_to(by, SEE)
    hidden = rows.open().exclude(pk__in=seen.values("pk"))
    return set(people).difference(seen.values_list("person", flat=True)).union(hidden.values_list("person", flat=True))


def _require(by, perm, obj):
    if by is not None and not by.has_perm(perm, obj):
        raise PermissionDenied(_("Your role here does not include this act."))


def _enrol(by, union, name, id_number, facts):
    # A membership that is not written yet: the permission counts at its union.
    membership = Membership(union=union)
    _require(by, "members.add_membership", membership)
    # Nobody is enrolled while the union ends: whoever ends it holds this lock.
    union = membership.union = type(union).objects.select_for_update(of=("self",), no_key=True).get(pk=union.pk)
    _hold_person(id_number)
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
    candidates.find_after_commit([person.pk], by=by)
    return membership


def may_enrol(*, by, union, name, id_number, joined_on=None):
    """Return (the checked number, the Person it belongs to or None), or raise ValidationError with the reason.

    A union that `by` does not see is not named.
    """
    if union.dissolved_on:
        raise ValidationError({"union": _("This union was dissolved: nobody is enrolled there.")})
    number, name = _checked("id_number", id_number), _checked("name", name)
    _check_joined_on(joined_on, number.born_on)
    record = _recorded(number.number)
    if record is None:
        return number, None
    person = record.merged_into or record
    hidden = bool(out_of_sight([person.pk], by))
    if refusal := _why_not_enrolled(person, {person.name, record.name}, name, union, hidden):
        raise (OutOfSight if hidden else ValidationError)({"id_number": refusal})
    return number, person


def _recorded(number):
    """Return the record of a normalised number, with the one that it was merged into, or None."""
    rows = Person.objects.select_related("merged_into")
    return rows.filter(id_index__in=blind_all("id_number", number)).first()


def _hold_person(id_number):
    """Lock whom this number leads to, so that no merge and no change goes on beneath us."""
    number = identity.normalise_number(id_number)
    while record := _recorded(number):
        person, mark = record.merged_into or record, transaction.savepoint()
        list(Person.objects.filter(pk=person.pk).select_for_update(no_key=True).values_list("pk"))
        again = _recorded(number)
        if again and (again.merged_into or again) == person:
            transaction.savepoint_commit(mark)
            return
        transaction.savepoint_rollback(mark)  # lets the lock go: nobody holds one person while waiting for a lower one


def _why_not_enrolled(person, names, name, union, hidden):
    """Return why a person known by `names` is not enrolled, or nothing; `hidden`: the officer does not see whom."""
    if name not in names:
        return _("This identity number is recorded with another name: check both against the card.")
    if person.deceased_on:
        return _("This person is recorded as deceased and cannot be enrolled.")
    membership = person.memberships.open().select_related("union").first()
    if membership is None:
        return ""
    if membership.union_id == union.pk:
        return _("This person is on the roll of this union already.")
    if hidden:
        message = _("This person is a member of another union: a transfer is needed.")
    else:
        message = _("This person is a member of %(union)s: a transfer is needed.") % {"union": membership.union.name}
    return ValidationError(message, code="elsewhere")


@again_on_deadlock
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
    membership = _locked(pk)
    _require(by, "members.change_membership", membership)
    if membership.version != version:
        raise Conflict(membership)
    _require_open(membership)
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
    if corrected or {"name", "phone"} & changed.keys():
        candidates.find_after_commit([person.pk], by=by)
    return membership


def verify(membership, *, by):
    """Note that somebody held the person's card in hand today: name and number agree."""
    with transaction.atomic():
        membership = _locked(membership.pk)
        _require(by, "members.change_membership", membership)
        _require_open(membership)
        person, today = membership.person, timezone.localdate()
        changes = {"verified_on": [person.verified_on, today]}
        person.verified_on = today
        person.version += 1
        person.save(update_fields=["verified_on", "version"])
        audit.record("members.verify_person", membership, by=by, union=membership.union, changes=changes)


def follow_number(membership, *, by):
    """Take sex, birth date, mask and document of the person from the number again, where they differ from it."""
    with transaction.atomic():
        membership = _locked(membership.pk)
        _require(by, "members.change_membership", membership)
        _require_open(membership)
        person = membership.person
        names = ("sex", "born_on", "id_masked", "document_kind")
        before = [getattr(person, name) for name in names]
        _take_number(person, _checked("id_number", person.id_number))
        changes = {
            name: [old, new] for name, old in zip(names, before, strict=True) if (new := getattr(person, name)) != old
        }
        person.version += 1
        person.save()
        audit.record("members.follow_number", membership, by=by, union=membership.union, changes=changes)


def _require_open(membership):
    if not membership.is_open:
        raise ValidationError(_("This membership has ended: it stays as it was."))


def _locked(pk):
    """Return the membership under its lock, union and person locked before it."""
    Membership(pk=pk).lock_before()
    rows = Membership.objects.select_related("person", "union")
    return rows.select_for_update(of=("self",)).get(pk=pk)


def reveal(membership, *, by, reason):
    """Return {"id_number", "phone", "residence"} in clear, and write down who looked and why.

    Raises PermissionDenied without `members.reveal_membership` on this membership, ValidationError without a reason and
    when the membership has ended: a union that was left has no business with the numbers.
    """
    _require(by, "members.reveal_membership", membership)
    if not membership.is_open:
        raise ValidationError(
            _("This membership has ended: the numbers are shown to the union where the person is a member now.")
        )
    reason = checked_reason(reason)
    person = membership.person
    with transaction.atomic():
        audit.record("members.reveal_membership", membership, by=by, union=membership.union, reason=reason)
    return {"id_number": person.id_number, "phone": person.phone, "residence": person.residence}


def checked_reason(text):
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
    checked_reason(reason)
    if Person.objects.filter(id_index__in=blind_all("id_number", number.number)).exists():
        raise ValidationError({"id_number": _("This identity number belongs to another person already.")})
    before = person.sex, person.born_on, person.verified_on
    _take_number(person, number)
    person.verified_on = None  # the card that was checked bore another number
    changes["id_number"] = ["changed"]
    for field, old in zip(("sex", "born_on", "verified_on"), before, strict=True):
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

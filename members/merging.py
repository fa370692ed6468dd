"""Two records of one person become one, and are taken apart again: nothing is lost either way (R15, R16, R18).

The record given up stays, pointing at the one kept, so that its number still leads to the person; its memberships go
over. All changed rows are kept, sealed, as they were before. A merge is taken back while they are as it left them.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import audit
from core.deadlocks import again_on_deadlock
from core.models.imports import BatchState
from core.secrets import blind_all
from members import candidates, identity, matching
from members.actions import SEALED, checked_reason
from members.models import DuplicatePair, Membership, PairState, Person, PersonMerge, StagedMember, Transfer
from unions.models import Union

PERM = "members.merge_person"
KEPT, ABSORBED = "kept", "absorbed"
GONE_FOR_EVER = gettext_lazy("The data of the person was erased: the merge cannot be taken back.")
# What is chosen field by field. With the number go sex, birth date, document and when the card was checked.
FIELDS = (
    "id_number", "name", "phone", "ethnicity", "politics", "education", "hukou_kind", "hukou_place", "residence",
    "deceased_on",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One of the two people, with all memberships, the open one, and the union where permission counts."""

    person: Person
    memberships: tuple
    open: Membership | None
    place: Union | None


def current(person):
    """Return the person that `person`'s record leads to: itself, or the one that it was merged into."""
    return person.merged_into or person


def side(person):
    """Return the `Side` of a person."""
    memberships = tuple(person.memberships.select_related("union").order_by("pk"))
    opened = next((each for each in memberships if each.is_open), None)
    last = opened or max(memberships, key=lambda each: (each.ended_on, each.pk), default=None)
    return Side(person, memberships, opened, last and last.union)


def may(user, *sides):
    """Whether `user` may merge: the permission is needed on every one of the people."""
    return user is None or all(user.has_perm(PERM, _guarded_by(each)) for each in sides)


def _guarded_by(found):
    """The union where the permission counts; of a record given up that of the one it leads to."""
    kept = found.person.merged_into
    return found.place or (side(kept).place if kept else None) or found.person


def why_not(one, other):
    """Return the sentence why these two `Side`s cannot be merged now, or an empty one."""
    people = one.person, other.person
    if one.person.pk == other.person.pk:
        return _("This is one and the same record.")
    if any(person.erased_on for person in people):
        return _("The data of one of the two was erased: there is nothing to compare.")
    if any(person.merged_into_id for person in people):
        return _("One of the two records was merged already: look at the list of possible duplicates again.")
    moving = Transfer.objects.open().filter(membership__person__in=people).select_related("from_union").first()
    if moving:
        return _("A transfer from %(union)s is under way: answer it or call it off first, then merge.") % {
            "union": moving.from_union.name
        }
    for dead, alive in ((one, other), (other, one)):
        if dead.person.deceased_on and alive.open:
            return _("One record says that the person died, the other has an open membership: settle which holds.")
    if not one.place and not other.place:
        return _("Neither record has a membership: there is nothing to merge.")
    storing = StagedMember.objects.filter(batch__state__in=(BatchState.COMMITTING, BatchState.UNDOING))
    if storing.filter(id_index__in=[person.id_index for person in people]).exists():
        return _("An import that names this person is being stored: try again when it is done.")
    return ""


# --- Merging --------------------------------------------------------------------------------------------------------


@again_on_deadlock
@transaction.atomic
def merge(*, by, kept, absorbed, choices, reason, open_membership=None):
    """Make two records of one person one and return the PersonMerge.

    `choices`: {field of FIELDS: KEPT or ABSORBED}, whose value holds; what is not chosen stays as the kept record says,
    or as the other one where that says nothing. The record whose number is chosen is the one kept in the end.
    `open_membership`: which of two open memberships stays, the kept record's by default; the other one ends, as entered
    twice in the same union or as transferred from another. Raises PermissionDenied without the permission on both,
    ValidationError with the sentence.
    """
    reason = checked_reason(reason)
    choices = dict(choices)
    if choices.pop("id_number", KEPT) == ABSORBED:
        kept, absorbed = absorbed, kept
        choices = {field: KEPT if whose == ABSORBED else ABSORBED for field, whose in choices.items()}
    one, other = _locked(kept.pk, absorbed.pk)
    if not may(by, one, other):
        raise PermissionDenied(_("Your role here does not include this act."))
    if refusal := why_not(one, other):
        raise ValidationError(refusal)
    kept, absorbed = one.person, other.person
    stays, ends = _which_stays(one, other, open_membership)
    repointed = list(Person.objects.filter(merged_into=absorbed).order_by("pk"))
    moved = [*other.memberships, *([ends] if ends and ends.person_id == kept.pk else [])]
    before = {
        Person._meta.label: [_image(row) for row in (kept, absorbed, *repointed)],
        Membership._meta.label: [_image(row) for row in moved],
    }
    if ends:
        ends.make_move("duplicate" if ends.union_id == stays.union_id else "transfer", by=by, reason=reason)
    for membership in Membership.objects.filter(person=absorbed).order_by("pk"):
        membership.person = kept
        membership.version += 1
        membership.save(update_fields=["person", "version"])
    changes = _take_over(kept, absorbed, choices)
    for person in (absorbed, *repointed):
        person.merged_into = kept
        person.version += 1
        person.save(update_fields=["merged_into", "version"])
    before |= _settle_pairs(kept, absorbed, by)
    merged = PersonMerge(
        kept=kept, absorbed=absorbed, union=(stays or one.open or other.open or _latest(one, other)).union,
        before=json.dumps(before, default=_plain, ensure_ascii=False), reason=reason, made_by=by,
    )  # fmt: skip
    merged.after = {
        Person._meta.label: _versions(Person, [kept, absorbed, *repointed]),
        Membership._meta.label: _versions(Membership, moved),
        "memberships": sorted(each.pk for each in (*one.memberships, *other.memberships)),
        "ended": ends and ends.pk,
    }
    merged.save()
    audit.record("members.merge_person", merged, by=by, union=merged.union, changes=changes, reason=reason)
    audit.record_many(
        {"verb": "members.merge_membership", "target": each, "by": by, "union": each.union_id, "reason": reason}
        for each in (*one.memberships, *other.memberships)
    )
    candidates.find_after_commit([kept.pk], by=by)
    return merged


def _locked(*keys):
    """Return the `Side`s of people by their keys, everything locked in the order that all keep."""
    theirs = Membership.objects.filter(person__in=keys)
    unions = set(theirs.values_list("union_id", flat=True))
    list(Union.objects.filter(pk__in=unions).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    people = Person.objects.filter(Q(pk__in=keys) | Q(merged_into__in=keys)).order_by("pk")
    rows = {person.pk: person for person in people.select_for_update(of=("self",))}
    list(theirs.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
    sides = [side(rows[key]) for key in keys if key in rows]
    if len(sides) < len(keys) or not {each.union_id for found in sides for each in found.memberships} <= unions:
        raise ValidationError(_("Somebody changed these records just now: look at them again."))
    return sides


def _which_stays(one, other, chosen):
    """Return (the open membership that stays, the other open one that ends): either may be None."""
    if not (one.open and other.open):
        return one.open or other.open, None
    key = getattr(chosen, "pk", chosen) or one.open.pk
    if key not in (one.open.pk, other.open.pk):
        raise ValidationError({"open_membership": _("Choose which of the two open memberships stays.")})
    return (one.open, other.open) if key == one.open.pk else (other.open, one.open)


def _latest(one, other):
    return max((*one.memberships, *other.memberships), key=lambda each: (each.ended_on, each.pk))


def _take_over(kept, absorbed, choices):
    """Give the kept record the chosen values and return what changed, of sealed facts only that they did."""
    changes = {}
    for field in FIELDS[1:]:
        mine, theirs = getattr(kept, field), getattr(absorbed, field)
        if choices.get(field, KEPT if mine or not theirs else ABSORBED) == KEPT or mine == theirs:
            continue
        setattr(kept, field, theirs)
        changes[field] = ["changed"] if field in SEALED else [mine, theirs]
        if field == "phone":
            kept.phone_masked = absorbed.phone_masked
    kept.version += 1
    kept.save()
    return changes


def _settle_pairs(kept, absorbed, by):
    """Close the queue for the record given up: the pair is merged, what was decided of it holds for the kept one.

    Returns what undoing needs: the open pairs that left the queue, and the keys of the new ones.
    """
    first, second = sorted((kept.pk, absorbed.pk))
    likeness = candidates.weigh(kept, absorbed)
    DuplicatePair.objects.update_or_create(
        first_id=first, second_id=second,
        defaults={"state": PairState.MERGED, "decided_by": by, "decided_at": timezone.now()},
        create_defaults={
            "state": PairState.MERGED, "decided_by": by, "decided_at": timezone.now(),
            "score": f"{likeness.score:.3f}", "reasons": list(likeness.reasons),
        },
    )  # fmt: skip
    left, carried = [], []
    for pair in DuplicatePair.objects.filter(Q(first=absorbed) | Q(second=absorbed)).exclude(
        first=first, second=second
    ):
        third = pair.second_id if pair.first_id == absorbed.pk else pair.first_id
        if pair.state == PairState.OPEN:
            left.append(_image(pair))
            pair.delete()
        elif pair.state == PairState.NOT_SAME:
            one, other = sorted((kept.pk, third))
            known, new = DuplicatePair.objects.get_or_create(
                first_id=one, second_id=other,
                defaults={"score": pair.score, "reasons": pair.reasons, "state": PairState.NOT_SAME,
                          "decided_by": pair.decided_by, "decided_at": pair.decided_at},
            )  # fmt: skip
            carried += [known.pk] if new else []
    return {"left": left, "carried": carried}


# --- Taking it back -------------------------------------------------------------------------------------------------


@again_on_deadlock
@transaction.atomic
def undo_merge(*, by, merge):
    """Take two records apart again, every row as it was, and return the PersonMerge.

    Raises PermissionDenied without the permission on both people, ValidationError with all that was changed since.
    """
    one = _locked(merge.kept_id, merge.absorbed_id)[0]
    merged = PersonMerge.objects.select_for_update(of=("self",)).get(pk=merge.pk)
    if not merged.before:
        raise ValidationError(GONE_FOR_EVER)
    before = json.loads(merged.before)
    if not may(by, one) or not _may_have_back(by, merged, before):
        raise PermissionDenied(_("Your role here does not include this act."))
    if refusals := why_not_undo(merged):
        raise ValidationError(refusals)
    memberships = {row["id"]: row for row in before[Membership._meta.label]}
    for membership in Membership.objects.filter(pk__in=memberships).order_by("pk"):
        if membership.person_id != memberships[membership.pk]["person_id"]:
            membership.person_id = memberships[membership.pk]["person_id"]
            membership.save(update_fields=["person"])
    if merged.after["ended"]:
        Membership.objects.get(pk=merged.after["ended"]).make_move("reinstate", by=by)
    for model in (Person, Membership):
        for row in before[model._meta.label]:
            _restore(model, row)
    _reopen_pairs(merged, before)
    merged.undone_by, merged.undone_at = by, timezone.now()
    merged.save(update_fields=["undone_by", "undone_at"])
    audit.record("members.undo_personmerge", merged, by=by, union=merged.union)
    audit.record_many(
        {"verb": "members.part_membership", "target": each, "by": by, "union": each.union_id}
        for each in Membership.objects.filter(pk__in=merged.after["memberships"]).order_by("pk")
    )
    candidates.find_after_commit([merged.kept_id, merged.absorbed_id], by=by)
    return merged


def may_undo(user, merged):
    """Whether `user` holds the permission on both people that would be there again."""
    if not merged.before:
        return False
    return may(user, side(merged.kept)) and _may_have_back(user, merged, json.loads(merged.before))


def _may_have_back(user, merged, before):
    if user is None:
        return True
    theirs = [row for row in before[Membership._meta.label] if row["person_id"] == merged.absorbed_id]
    last = max(theirs, key=lambda row: (row["ended_on"] or "9999", row["id"]), default=None)
    return user.has_perm(PERM, Union.objects.get(pk=last["union_id"]) if last else merged.absorbed)


def why_not_undo(merged):
    """Return the sentences why a merge cannot be taken back: it was already, or what was changed since."""
    if merged.undone_at:
        return [_("This merge was taken back already.")]
    if not merged.before:
        return [GONE_FOR_EVER]
    kept = Person.objects.get(pk=merged.kept_id)
    if kept.merged_into_id:
        return [_("The record kept was itself merged into another one later: take that merge back first.")]
    refusals = []
    if _versions(Person, [kept.pk])[str(kept.pk)] != merged.after[Person._meta.label][str(kept.pk)]:
        refusals.append(_("The facts of the person were changed after the merge."))
    others = {key: version for key, version in merged.after[Person._meta.label].items() if key != str(kept.pk)}
    if _versions(Person, others) != others:
        refusals.append(_("A record given up was changed after the merge."))
    versions = merged.after[Membership._meta.label]
    for membership in Membership.objects.filter(pk__in=versions).select_related("union").order_by("pk"):
        if membership.version != versions[str(membership.pk)] or membership.person_id != kept.pk:
            refusals.append(
                _("The membership in %(union)s was changed after the merge.") % {"union": membership.union.name}
            )
        elif membership.pk == merged.after["ended"] and membership.union.dissolved_on:
            refusals.append(_("%(union)s was dissolved after the merge.") % {"union": membership.union.name})
    refusals += [
        _("A membership in %(union)s began after the merge.") % {"union": membership.union.name}
        for membership in kept.memberships.exclude(pk__in=merged.after["memberships"]).select_related("union")
    ]
    storing = StagedMember.objects.filter(batch__state__in=(BatchState.COMMITTING, BatchState.UNDOING))
    if storing.filter(id_index__in=[kept.id_index, merged.absorbed.id_index]).exists():
        refusals.append(_("An import that names this person is being stored: try again when it is done."))
    return refusals


def _reopen_pairs(merged, before):
    DuplicatePair.objects.filter(pk__in=before["carried"]).delete()
    first, second = sorted((merged.kept_id, merged.absorbed_id))
    pair = DuplicatePair.objects.get(first=first, second=second)
    pair.state, pair.decided_by, pair.decided_at = PairState.OPEN, None, None
    pair.save()
    for row in before["left"]:
        if not DuplicatePair.objects.filter(first=row["first_id"], second=row["second_id"]).exists():
            DuplicatePair.objects.create(**_values(DuplicatePair, row))


# --- Noticed by a person ---------------------------------------------------------------------------------------------


@transaction.atomic
def suspect(*, by, membership, id_number):
    """Return the DuplicatePair of this member and the record with the other number: an officer noticed the two.

    Raises ValidationError under `id_number` when there is no such record within the officer's reach.
    """
    try:
        number = identity.check_number(id_number).number
    except identity.Refused as refusal:
        raise ValidationError({"id_number": str(refusal)}) from None
    found = Person.objects.filter(id_index__in=blind_all("id_number", number)).select_related("merged_into").first()
    person, other = membership.person, found and current(found)
    if other is None or not may(by, side(other)):
        raise ValidationError({"id_number": _("No record with this number lies in your part of the tree.")})
    if refusal := why_not(side(person), side(other)):
        raise ValidationError({"id_number": refusal})
    first, second = sorted((person, other), key=lambda each: each.pk)
    likeness = candidates.weigh(first, second)
    pair, new = DuplicatePair.objects.get_or_create(
        first=first, second=second,
        defaults={"score": f"{likeness.score:.3f}", "reasons": [matching.NOTICED, *likeness.reasons]},
    )  # fmt: skip
    if new:
        audit.record("members.suspect_duplicatepair", pair, by=by, union=membership.union)
    return pair


# --- Not the same ---------------------------------------------------------------------------------------------------


def differ(*, by, pair):
    """Note that the two are different people: the pair leaves the queue and is not found again."""
    return _decide(by, pair, PairState.OPEN, PairState.NOT_SAME, "members.differ_duplicatepair")


def reconsider(*, by, pair):
    """Take «not the same» back: the pair stands in the queue again."""
    return _decide(by, pair, PairState.NOT_SAME, PairState.OPEN, "members.reconsider_duplicatepair")


@transaction.atomic
def _decide(by, pair, source, target, verb):
    one, other = _locked(pair.first_id, pair.second_id)
    pair = DuplicatePair.objects.select_for_update(of=("self",)).get(pk=pair.pk)
    if not may(by, one, other):
        raise PermissionDenied(_("Your role here does not include this act."))
    if pair.state != source:
        raise ValidationError(
            _("Somebody decided this pair already: «%(state)s».") % {"state": pair.get_state_display()}
        )
    pair.state = target
    pair.decided_by, pair.decided_at = (None, None) if target == PairState.OPEN else (by, timezone.now())
    pair.save(update_fields=["state", "decided_by", "decided_at"])
    audit.record(verb, pair, by=by, union=one.place)
    return pair


# --- Rows as they were ----------------------------------------------------------------------------------------------


def _image(row):
    """Every column of a row, sealed ones opened: the keys that seal them may change until it is needed."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _plain(value):
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)  # UUID, Decimal


def _values(model, image):
    return {field.attname: field.to_python(image[field.attname]) for field in model._meta.concrete_fields}


def _restore(model, image):
    row = model.objects.get(pk=image["id"])
    changed = []
    for field in model._meta.concrete_fields:
        value = field.to_python(image[field.attname])
        if getattr(row, field.attname) != value:
            setattr(row, field.attname, value)
            changed.append(field.name)
    row.save(update_fields=changed)


def _versions(model, rows):
    """Return {key as text: version} as it lies in the database."""
    keys = [int(getattr(row, "pk", row)) for row in rows]
    return {str(key): version for key, version in model.objects.filter(pk__in=keys).values_list("pk", "version")}

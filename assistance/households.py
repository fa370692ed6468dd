"""The household file is entered: opened for a member of the register, its people and amounts kept, numbers looked at.

A person lives in one open file only: whoever is entered a second time, through the spouse's union too, is refused, and
the database refuses what two officers enter at the same moment. Only a draft and a case under review are changed.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance.eligibility import EXCLUSIONS
from assistance.models import Expense, ExpenseKind, HardshipCase, HardshipFile, HouseholdPerson, Income, IncomeKind, Kin
from assistance.moves import EDITABLE, OPEN_STATES, HardshipState
from core import audit, settings_table
from core.conflicts import check_version
from core.counting import add_months
from core.deadlocks import again_on_deadlock
from core.forms import half_width
from core.secrets import blind_all
from members import identity
from members.actions import OutOfSight, checked_reason, fishing_is_seen
from members.models import Membership, Person

ADD, CHANGE = "assistance.add_hardshipcase", "assistance.change_hardshipcase"
SEE, REVEAL = "assistance.view_hardshipcase", "assistance.reveal_hardshipcase"
FACTS = (
    "applied_on", "cause", "statement", "phone", "residence", "bank_name", "bank_account", "migrant", "resident",
    "labour_months", "houses", "housing_area", "flags", "event", "event_on", "event_loss",
)  # fmt: skip
SHORTEST_ACCOUNT, LONGEST_ACCOUNT = 8, 30  # digits


@dataclass(frozen=True)
class PersonRow:
    """Somebody of the household. `pk`: the row as it stands; `number` or `health` None: as it stands there."""

    kin: str
    name: str
    situation: str
    number: identity.Number | None = None
    workplace: str = ""
    health: str | None = ""
    pk: int | None = None


@dataclass(frozen=True)
class AmountRow:
    """Yuan of twelve months; `of` is the place in the list of people, from 0."""

    of: int
    kind: str
    amount: Decimal
    notes: str = ""


# --- Opening ---------------------------------------------------------------------------------------------------------


def prefill(membership):
    """Return {fact: value} that the register proposes for an application of this member today."""
    today, since = _today(), membership.joined_on
    months = _months_since(since, today) if since else 0
    if since and add_months(since, months) > today:
        months -= 1
    return {"applied_on": today, "labour_months": max(months, 0), "migrant": membership.migrant_worker}


def why_not_apply(membership, *, by):
    """Return the sentence why no case can be opened for this member now, or an empty one."""
    if not membership.is_open:
        return _("This membership has ended: the union where the person is a member now applies.")
    if membership.person.deceased_on:
        return _("The register says that this person died: a household applies through a member who lives in it.")
    last = _last_case(membership.person)
    if last and last.state in OPEN_STATES:
        return _already(membership.person.name, last, by)
    if last and last.state == HardshipState.MONITORED:
        return _("This household is being monitored after its exit: apply again from the page of that case.")
    return ""


@again_on_deadlock
def apply(*, by, membership, facts, people, incomes, expenses):
    """Open a case for a member and return it as a draft: a new file, or the next cycle of an old one.

    `facts` are FACTS (phone and residence left out are the register's), `people` PersonRow, the amounts AmountRow.
    Raises PermissionDenied, ValidationError with the sentences by field (`people`, `incomes`, `expenses`).
    """
    rows = (people, incomes, expenses)
    with fishing_is_seen(by, membership.union):
        return _again_if_beaten(lambda: _apply(by, membership.pk, dict(facts), rows))


def _apply(by, membership_pk, facts, rows):
    memberships = Membership.objects.select_related("person", "union")
    membership = memberships.select_for_update(of=("self",), no_key=True).get(pk=membership_pk)
    person, union = membership.person, membership.union
    case = HardshipCase(union=union, membership=membership, created_by=by)
    _require(by, ADD, case)
    if refusal := why_not_apply(membership, by=by):
        last = _last_case(person)
        hidden = last and last.state in OPEN_STATES and not _sees(by, last)
        raise (OutOfSight if hidden else ValidationError)(refusal)
    last = _last_case(person)
    case.file = last.file if last else HardshipFile.objects.create(union=union, person=person, opened_on=_today())
    if last:
        case.previous, case.cycle = last, last.cycle + 1
        case.file.union = union
        case.file.save(update_fields=["union"])
    known = {"phone": person.phone, "residence": person.residence} | prefill(membership)
    _take_facts(case, known | facts)
    case.save()
    _take_rows(case, rows, by)
    changes = {"applied_on": [None, case.applied_on], "people": [0, len(rows[0])]}
    audit.record("assistance.add_hardshipcase", case, by=by, union=union, changes=changes)
    return case


def _last_case(person):
    """The latest case of the person's file, also under a record that was merged into this one."""
    files = HardshipFile.objects.filter(Q(person=person) | Q(person__merged_into=person))
    return HardshipCase.objects.filter(file__in=files).select_related("union", "file").order_by("-pk").first()


# --- Changing --------------------------------------------------------------------------------------------------------


def why_not_change(case):
    """Return the sentence why household and facts cannot be changed now, or an empty one."""
    if case.state in EDITABLE:
        return ""
    said = _("The state is «%(state)s»: the household is changed in a draft or in a periodic review only.")
    return said % {"state": case.get_state_display()}


@again_on_deadlock
def change(case, *, by, version, facts, people, incomes, expenses):
    """Store what is known of the household of `case` and return the case; the lists are complete, a missing row goes.

    Raises Conflict when it is no longer at `version`, PermissionDenied, ValidationError as `apply`.
    """
    rows = (people, incomes, expenses)
    with fishing_is_seen(by, case.union):
        return _again_if_beaten(lambda: _change(by, case.pk, version, dict(facts), rows))


def _change(by, pk, version, facts, rows):
    case = HardshipCase.objects.select_for_update(of=("self",)).select_related("union", "file").get(pk=pk)
    _require(by, CHANGE, case)
    check_version(case, version)
    if refusal := why_not_change(case):
        raise ValidationError(refusal)
    changed = _take_facts(case, facts) + _take_rows(case, rows, by)
    if changed:
        case.version += 1
        case.save()
        changes = {name: ["changed"] for name in changed}
        audit.record("assistance.change_hardshipcase", case, by=by, union=case.union, changes=changes)
    return case


def _again_if_beaten(write):
    """Write in one transaction; beaten by another officer's entry, look once more: now it is found and named."""
    try:
        with transaction.atomic():
            return write()
    except IntegrityError:
        pass
    try:
        with transaction.atomic():
            return write()
    except IntegrityError:
        said = _("Somebody of this household was entered elsewhere at the same moment: look at the people again.")
        raise ValidationError({"people": said}) from None


# --- Facts -----------------------------------------------------------------------------------------------------------


def _take_facts(case, facts):
    """Give `case` its facts and return the names of those that differ. Raises ValidationError by field."""
    if facts.get("phone"):
        facts["phone"] = _checked(identity.clean_phone, facts["phone"], "phone")
    if "bank_account" in facts:
        facts["bank_account"] = _account(facts["bank_account"])
        case.bank_last4 = facts["bank_account"][-4:]
    changed = [name for name in FACTS if name in facts and getattr(case, name) != facts[name]]
    for name in changed:
        setattr(case, name, facts[name])
    case.clean_fields(exclude=["file", "union", "membership", "created_by"])
    _check_facts(case)
    return changed


def _account(text):
    number = half_width(text).replace(" ", "").replace("-", "")
    if number and not (number.isascii() and number.isdigit() and SHORTEST_ACCOUNT <= len(number) <= LONGEST_ACCOUNT):
        raise ValidationError({"bank_account": _("An account number has 8 to 30 digits: check it against the card.")})
    return number


def _check_facts(case):
    faults = {}
    if case.applied_on > _today():
        faults["applied_on"] = _("This day lies in the future.")
    if unknown := set(case.flags) - set(EXCLUSIONS):
        faults["flags"] = _("No such exclusion is known: %(names)s.") % {"names": ", ".join(sorted(unknown))}
    if case.event_loss and not case.event:
        faults["event"] = _("Say which event the loss comes from.")
    if case.event_on and not case.event:
        faults["event"] = _("Say which event happened on that day.")
    if case.event_on and case.event_on > case.applied_on:
        faults["event_on"] = _("The event lies after the application.")
    if case.event_loss > _most_yuan():
        faults["event_loss"] = _too_much()
    if case.labour_months > _months_since(_register(case).born_on, case.applied_on):
        faults["labour_months"] = _("This is longer than the person has lived: give whole months.")
    if faults:
        raise ValidationError(faults)


def _register(case):
    """The applicant as the register knows the person now."""
    return case.membership.person if case.membership_id else case.file.person


def _months_since(day, until):
    return (until.year - day.year) * 12 + until.month - day.month


def _most_yuan():
    return Decimal(settings_table.value("hardship_most_amount"))


def _too_much():
    said = _("More than %(most)s yuan in twelve months: check the figure, it is in yuan.")
    return said % {"most": _most_yuan()}


# --- People and amounts ----------------------------------------------------------------------------------------------


def _take_rows(case, rows, by):
    """Store people, incomes and expenses; returns the names of the lists that differ. Raises ValidationError."""
    people, incomes, expenses = rows
    stored = {row.pk: row for row in case.people.all()} if case.pk else {}
    before = [_as_tuple(row) for row in stored.values()]
    kept = _checked_people(case, people, stored)
    _check_elsewhere(case, kept, by)
    gone = stored.keys() - {row.pk for row in kept}
    case.people.filter(pk__in=gone).delete()
    for row in kept:
        row.save()
    changed = ["people"] if before != [_as_tuple(row) for row in kept] else []
    for name, model, choices, given in (
        ("incomes", Income, IncomeKind, incomes),
        ("expenses", Expense, ExpenseKind, expenses),
    ):
        _check_amounts(name, choices, given, kept)
        wanted = [(kept[each.of].pk, each.kind, each.amount, each.notes) for each in given]
        there = model.objects.filter(case=case)
        if wanted != [(each.of_id, each.kind, each.amount, each.notes) for each in there]:
            there.delete()
            for of, kind, amount, notes in wanted:
                model.objects.create(case=case, of_id=of, kind=kind, amount=amount, notes=notes)
            changed.append(name)
    return changed


def _as_tuple(row):
    return row.kin, row.name, row.id_number, row.situation, row.workplace, row.health


def _checked_people(case, people, stored):
    """Return the HouseholdPerson rows that `people` describe, not yet saved. Raises ValidationError under `people`."""
    most = int(settings_table.value("hardship_most_people"))
    own = [row for row in people if row.kin == Kin.SELF]
    faults = []
    if not people:
        faults.append(_("A household has one person at least: the applicant."))
    elif len(own) != 1:
        faults.append(_("One person, and only one, is the applicant."))
    if len(people) > most:
        faults.append(_("A household of more than %(most)d people: check the rows.") % {"most": most})
    kept, numbers = [], set()
    for place, row in enumerate(people, start=1):
        try:
            kept.append(_person(case, row, stored.get(row.pk)))
        except ValidationError as refusal:
            faults += [_at(place, sentence) for sentence in refusal.messages]
            continue
        if kept[-1].id_number in numbers:
            faults.append(_at(place, _("The same person stands in another row: delete one.")))
        numbers.add(kept[-1].id_number)
    if faults:
        raise ValidationError({"people": faults})
    return kept


def _at(place, sentence):
    return _("Row %(place)d: %(sentence)s") % {"place": place, "sentence": sentence}


def _person(case, row, person):
    """Return one row as a HouseholdPerson. Raises ValidationError."""
    if row.pk and person is None:
        raise ValidationError(_("this row was deleted meanwhile: type the number in full."))
    person = person or HouseholdPerson(case=case)
    number = row.number
    if row.kin == Kin.SELF:
        register = _register(case)
        if (number and number.number != register.id_number) or row.name != register.name:
            raise ValidationError(_("name and number of the applicant are those of the register: correct them there."))
        number = identity.Number(register.id_number, register.sex, register.born_on)
    elif number is None and not person.id_number:
        raise ValidationError(identity.SENTENCES["ID_MISSING"])
    person.kin, person.situation, person.workplace = row.kin, row.situation, row.workplace
    person.name = _checked(identity.clean_name, row.name)
    if row.health is not None:
        person.health = row.health
    if number and number.number != person.id_number:
        person.id_number, person.id_masked = number.number, identity.mask_number(number.number)
        person.sex, person.born_on = number.sex, number.born_on
    person.person = _in_register(person)
    try:
        person.clean_fields(exclude=["case", "person"])
    except ValidationError as refusal:
        label = {field.name: field.verbose_name for field in person._meta.fields}
        told = [f"{label[name]}: {' '.join(said)}" for name, said in refusal.message_dict.items()]
        raise ValidationError(told) from None
    return person


def _in_register(person):
    """The Person of the register with this number and this name, or None."""
    indexes = blind_all("id_number", person.id_number)
    found = Person.objects.filter(id_index__in=indexes, name=person.name).select_related("merged_into").first()
    return found and (found.merged_into or found)


def _check_elsewhere(case, people, by):
    """Refuse people who live in another open file; a union out of sight is not named."""
    places = {}
    for person in people:
        places |= dict.fromkeys(blind_all("id_number", person.id_number), person.name)
    others = HouseholdPerson.objects.filter(live=True, id_index__in=places).exclude(case=case.pk)
    found = list(others.select_related("case__union", "case__file"))
    if found:
        told = [_already(places[each.id_index], each.case, by) for each in found]
        hidden = any(not _sees(by, each.case) for each in found)
        raise (OutOfSight if hidden else ValidationError)({"people": told})


def _already(name, case, by):
    if _sees(by, case):
        said = _("%(name)s is in the open hardship file %(file)s of %(union)s: a household has one file.")
        return said % {"name": name, "file": case.file, "union": case.union}
    said = _("%(name)s is in an open hardship file of another union: a household has one file. Ask the federation.")
    return said % {"name": name}


def _sees(by, case):
    return by is None or by.has_perm(SEE, case)


def _check_amounts(field, choices, given, people):
    faults, most = [], _most_yuan()
    for place, row in enumerate(given, start=1):
        if not 0 <= row.of < len(people):
            faults.append(_at(place, _("say whose it is: a person of the household.")))
        if row.kind not in choices.values:
            faults.append(_at(place, _("choose the kind.")))
        if row.amount < 0:
            faults.append(_at(place, _("an amount is never negative.")))
        elif row.amount > most:
            faults.append(_at(place, _too_much()))
        if len(row.notes) > Income._meta.get_field("notes").max_length:
            faults.append(_at(place, _("the remark is too long.")))
    if faults:
        raise ValidationError({field: faults})


# --- Looking ---------------------------------------------------------------------------------------------------------


def reveal(case, *, by, reason):
    """Return what is sealed in clear: {"phone", "residence", "bank_account", "statement", "people": [HouseholdPerson]}.

    Who looked and why is written down. Raises PermissionDenied, ValidationError without a reason.
    """
    _require(by, REVEAL, case)
    reason = checked_reason(reason)
    with transaction.atomic():
        audit.record("assistance.reveal_hardshipcase", case, by=by, union=case.union, reason=reason)
    sealed = ("phone", "residence", "bank_account", "statement")
    return {name: getattr(case, name) for name in sealed} | {"people": list(case.people.all())}


def _require(by, perm, obj):
    if by is not None and not by.has_perm(perm, obj):
        raise PermissionDenied(_("Your role here does not include this act."))


def _checked(check, text, field=None):
    try:
        return check(text)
    except identity.Refused as refusal:
        raise ValidationError({field: str(refusal)} if field else str(refusal)) from None


def _today():
    return timezone.localdate()

"""What is done to unions, their committees and officers, and to appointments: checked, written, recorded.

`by` is the acting user, or None for the system itself. A broken rule is a ValidationError (with the field to blame), a
missing permission a PermissionDenied with its sentence, a lost update a Conflict.
"""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, deadlines
from core.conflicts import check_version
from core.ids import allocate
from core.models import Deadline
from core.models.deadline import DeadlineState
from core.scope import reach
from unions import duties, events
from unions.models import Appointment, Committee, Officer, Position, Union, UnionEventKind, UnionPlacement
from unions.roles import GRANTS
from unions.terms import RULES, term_lengths
from unions.tree import one_at_a_time, path_of

# What an officer may write down about a union (rulebook §1.10); the place in the tree is not among it.
FACTS = (
    "code", "name", "kind", "uscc", "founded_on", "approval_no", "term_years",
    "employer_name", "employer_uscc", "employer_category", "industry", "address",
    "employees", "women_employees", "migrant_employees",
    "legal_person", "certificate_until", "contact_name", "contact_phone",
)  # fmt: skip


def _require(by, perm, obj):
    if by is not None and not by.has_perm(perm, obj):
        raise PermissionDenied(_("Your role here does not include this act."))


def _locked(row):
    """Read `row` again and hold its lock (SQLite: the transaction holds the whole database)."""
    return type(row).objects.select_for_update(of=("self",)).get(pk=row.pk)


def _insert(row):
    """Insert `row` after its own checks; a duplicate written at the same moment gets the same sentence."""
    row.full_clean()
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        row.full_clean()
        raise
    return row


def why_not_standing(union):
    """Return the sentence why nothing can be done with a union that ended, or an empty one."""
    if union.dissolved_on is None:
        return ""
    return _("This union ended on %(day)s: its records are kept as they were.") % {"day": union.dissolved_on}


def _check_standing(union):
    if refusal := why_not_standing(union):
        raise ValidationError(refusal)


def _set(row, changes, allowed):
    """Set `changes` on `row` and return {field: [old, new]} of those that differ."""
    differing = {}
    for field, new in changes.items():
        if field not in allowed:
            raise ValueError(f"{field} is not changed by this action")
        old = getattr(row, field)
        if old != new:
            setattr(row, field, new)
            differing[field] = [old, new]
    return differing


def _not_in_future(field, day):
    if day > timezone.localdate():
        raise ValidationError({field: _("This day has not come yet.")})


# --- Unions -----------------------------------------------------------------------------------------------


def _check_term_years(union):
    if union.term_years and union.term_years not in term_lengths(union.kind):
        raise ValidationError({"term_years": _("A union of this kind has a term of five years.")})


@transaction.atomic
def found_union(*, by, parent, code, name, kind, **facts):
    """Found a union below `parent` (None: the city federation itself) and return it. `facts`: other names of FACTS."""
    if parent is None:
        if by is not None and not by.is_superuser:
            raise PermissionDenied(_("Only the user who set up the portal can found the city federation."))
    else:
        one_at_a_time()  # the parent may be on the move
        parent = _locked(parent)
        _require(by, "unions.add_union", parent)
        _check_standing(parent)
    (key,) = allocate(Union, 1)
    union = Union(id=key, parent=parent, path=path_of(key, parent.path if parent else ""))
    written = _set(union, {"code": code, "name": name, "kind": kind, **facts}, FACTS)
    _check_term_years(union)
    _insert(union)
    # Without a founding date the union stands here from today: history begins when we learn of it.
    begins = union.founded_on or timezone.localdate()
    UnionPlacement.objects.create(union=union, parent=parent, valid_from=begins)
    events.note(union, UnionEventKind.FOUNDING, on=begins, by=by, approval_no=union.approval_no)
    audit.record("unions.found_union", union, by=by, union=union, changes=written)
    return union


@transaction.atomic
def change_union(union, *, by, version, changes):
    """Write `changes` ({name of FACTS: value}) to a union that is still at `version`. Raises Conflict."""
    _require(by, "unions.change_union", union)
    current = _locked(union)
    check_version(current, version)
    _check_standing(current)
    written = _set(current, changes, FACTS)
    if not written:
        return current
    _check_term_years(current)
    current.version += 1
    current.full_clean()
    current.save(update_fields=[*written, "version"])
    audit.record("unions.change_union", current, by=by, union=current, changes=written)
    if "address" in written:
        duties.certificate_is_due(current, timezone.localdate(), by=by)
    if "legal_person" in written and not current.legal_person:
        duties.certificate_is_of_no_use(current, by=by)
    return current


@transaction.atomic
def rename_union(union, *, by, name, on, approval_no="", reason=""):
    """Give `union` the new `name` from the day `on`; the old one stays findable. Returns the union."""
    union = _locked(union)
    _require(by, "unions.change_union", union)
    _check_standing(union)
    _not_in_future("on", on)
    old = union.name
    if name == old:
        raise ValidationError({"name": _("This is its name already.")})
    union.name = name
    union.version += 1
    union.full_clean()
    union.save(update_fields=["name", "version"])
    deadlines.retitle(Deadline.objects.filter(union=union, title=old[:200]), name)
    events.note(union, UnionEventKind.RENAME, on=on, by=by, approval_no=approval_no, reason=reason, old=old, new=name)
    duties.certificate_is_due(union, on, by=by)
    changes = {"name": [old, name], "approval_no": [None, approval_no]}
    audit.record("unions.rename_union", union, by=by, union=union, changes=changes, reason=reason)
    return union


@transaction.atomic
def record_certificate(union, *, by, issued_on, until, number=""):
    """Record the legal-person certificate issued to `union`: what asked for it is met. Returns the union."""
    union = _locked(union)
    _require(by, "unions.change_union", union)
    _check_standing(union)
    _not_in_future("issued_on", issued_on)
    if until <= issued_on:
        raise ValidationError({"until": _("The certificate ends after the day it was issued.")})
    written = _set(union, {"legal_person": True, "certificate_until": until}, FACTS)
    union.version += 1
    union.full_clean()
    union.save(update_fields=["legal_person", "certificate_until", "version"])
    deadlines.close(duties.certificates(union), DeadlineState.MET, on=issued_on, by=by)
    events.note(union, UnionEventKind.CERTIFICATE, on=issued_on, by=by, number=number, until=until.isoformat())
    audit.record("unions.record_certificate", union, by=by, union=union, changes=written | {"number": [None, number]})
    return union


# --- Elections and terms ----------------------------------------------------------------------------------


def term_end(elected_on, term_years):
    """Return the last day of a term: the rule's natural date, which never rolls (rulebook §1.4)."""
    return duties.natural_date(RULES[term_years], elected_on)


def _check_term(union, elected_on, term_years):
    _not_in_future("elected_on", elected_on)
    if term_years not in term_lengths(union.kind):
        lengths = term_lengths(union.kind)
        raise ValidationError(
            {
                "term_years": _("A union of this kind has a term of five years.")
                if lengths == (5,)
                else _("A term is three or five years.")
            }
        )


def _end_committee(committee, *, on, by, field="elected_on"):
    """End `committee` and its officers on the day of the next election; its deadlines are met."""
    late = committee.officers.in_office().filter(started_on__gt=on)
    if late.exists():
        raise ValidationError({field: _("An officer of the committee in office began after this day. Check the date.")})
    for officer in committee.officers.in_office():
        officer.ended_on = on
        officer.save(update_fields=["ended_on"])
    committee.ended_on = on
    committee.save(update_fields=["ended_on"])
    deadlines.close(duties.of_term(committee), DeadlineState.MET, on=on, by=by)
    deadlines.close(duties.of_chair(committee), DeadlineState.MET, on=on, by=by)


@transaction.atomic
def record_election(union, *, by, elected_on, term_years, number=None, officers=()):
    """Record that `union` elected a committee and return it: the one in office ends, a new term begins.

    `officers`: dicts with position, name and, if known, sex, phone, full_time. `number`: which term it is (第几届);
    None: the one after the last.
    """
    union = _locked(union)
    _require(by, "unions.elect_union", union)
    _check_standing(union)
    _check_term(union, elected_on, term_years)
    last = union.committees.aggregate(day=Max("elected_on"), number=Max("number"))
    if last["day"] and elected_on <= last["day"]:
        raise ValidationError(
            {"elected_on": _("The last recorded election was on %(day)s; this one must be later.") % last}
        )
    before = union.committee
    if before:
        _end_committee(before, on=elected_on, by=by)
    committee = Committee(
        union=union,
        number=number or (last["number"] or 0) + 1,
        elected_on=elected_on,
        term_years=term_years,
        term_ends_on=term_end(elected_on, term_years),
    )
    _insert(committee)
    for facts in officers:
        _insert(Officer(committee=committee, started_on=elected_on, **facts))
    if union.term_years != term_years:
        union.term_years = term_years
        union.version += 1
        union.save(update_fields=["term_years", "version"])
    duties.open_term(committee, by=by)
    if duties.outlives_certificate(committee):
        duties.certificate_is_due(union, elected_on, by=by)
    events.note(
        union, UnionEventKind.ELECTION, on=elected_on, by=by, number=committee.number,
        term_ends_on=committee.term_ends_on.isoformat(), officers=len(officers),
    )  # fmt: skip
    audit.record(
        "unions.elect_union", committee, by=by, union=union,
        changes={
            "elected_on": [before and before.elected_on, elected_on],
            "term_ends_on": [before and before.term_ends_on, committee.term_ends_on],
            "officers": [None, [f"{Position(facts['position']).value} {facts['name']}" for facts in officers]],
        },
    )  # fmt: skip
    return committee


@transaction.atomic
def correct_election(committee, *, by, elected_on, term_years, number, reason):
    """Correct the record of the committee in office (a slip of the pen, not an election) and return it."""
    union = _locked(committee.union)
    _require(by, "unions.elect_union", union)
    committee = _locked(committee)
    if committee.ended_on:
        raise ValidationError(_("Only the committee in office can be corrected."))
    _check_term(union, elected_on, term_years)
    before = union.committees.exclude(pk=committee.pk).aggregate(day=Max("elected_on"), ended=Max("ended_on"))
    if before["day"] and elected_on <= before["day"]:
        raise ValidationError(
            {"elected_on": _("The last recorded election was on %(day)s; this one must be later.") % before}
        )
    began = committee.elected_on
    previous = union.committees.filter(ended_on=began).exclude(pk=committee.pk).first()
    between = Q(committee=committee, started_on__gt=began, started_on__lt=elected_on) | Q(
        committee=previous, started_on__gt=elected_on
    )
    if Officer.objects.filter(between).exists():
        raise ValidationError({"elected_on": _("An officer began between the two dates. Check the date.")})
    written = _set(
        committee,
        {
            "elected_on": elected_on,
            "term_years": term_years,
            "number": number,
            "term_ends_on": term_end(elected_on, term_years),
        },
        ("elected_on", "term_years", "number", "term_ends_on"),
    )
    if not written:
        return committee
    if committee.extended_until and not (
        committee.term_ends_on
        < committee.extended_until
        <= duties.natural_date(duties.EXTENSION, committee.term_ends_on)
    ):
        said = _("The term was extended until %(day)s, which does not follow on the corrected term. Check the date.")
        raise ValidationError({"elected_on": said % {"day": committee.extended_until}})
    committee.full_clean()
    committee.save(update_fields=list(written))
    # Whoever left or came on the day of the election did so on the corrected day.
    if previous:
        previous.ended_on = elected_on
        previous.save(update_fields=["ended_on"])
    touched = Officer.objects.filter(Q(committee=committee, started_on=began) | Q(committee=previous, ended_on=began))
    for officer in touched:
        if officer.committee_id == committee.pk:
            officer.started_on = elected_on
        else:
            officer.ended_on = elected_on
        officer.save(update_fields=["started_on", "ended_on"])
    deadlines.close(duties.of_term(committee), DeadlineState.VOID, on=timezone.localdate(), by=by, reason=reason)
    duties.open_term(committee, by=by)
    for event in union.events.filter(kind=UnionEventKind.ELECTION, on=began):
        event.on = elected_on
        event.facts |= {"number": number, "term_ends_on": committee.term_ends_on.isoformat()}
        event.save(update_fields=["on", "facts"])
    audit.record("unions.correct_election", committee, by=by, union=union, changes=written, reason=reason)
    return committee


@transaction.atomic
def recount_term(committee, *, by):
    """Count the term of the committee in office again from its election, and open the deadline that belongs to it.

    For a stored date or a deadline that was found wrong or missing. Returns the committee.
    """
    union = _locked(committee.union)
    _require(by, "core.run_checkup", union)
    committee = _locked(committee)
    if committee.ended_on:
        raise ValidationError(_("Only the committee in office can be corrected."))
    end = term_end(committee.elected_on, committee.term_years)
    written = _set(committee, {"term_ends_on": end}, ("term_ends_on",))
    if written:
        committee.save(update_fields=["term_ends_on"])
    rule, trigger = duties.term_count(committee)
    others = duties.of_term(committee).exclude(rule__code=rule, trigger=trigger)
    reason = _("It was counted from another day than the term's.")
    deadlines.close(others, DeadlineState.VOID, on=timezone.localdate(), by=by, reason=reason)
    duties.open_term(committee, by=by)
    audit.record("unions.recount_term", committee, by=by, union=union, changes=written)
    return committee


# --- Officers ---------------------------------------------------------------------------------------------


def why_no_officer(union):
    """Return the sentence why nobody can join the committee now, or an empty one: the page's button says it too."""
    if union.committee:
        return ""
    return why_not_standing(union) or _("There is no committee in office. Record the election first.")


@transaction.atomic
def add_officer(union, *, by, position, name, started_on, sex="", phone="", full_time=False):
    """Enter an officer of the committee in office (补选, 增补) and return it."""
    union = _locked(union)
    _require(by, "unions.add_officer", union)
    committee = union.committee
    if refusal := why_no_officer(union):
        raise ValidationError(refusal)
    _not_in_future("started_on", started_on)
    if started_on < committee.elected_on:
        said = _("The committee was elected on %(day)s; nobody began before.")
        raise ValidationError({"started_on": said % {"day": committee.elected_on}})
    in_office = committee.officers.in_office()
    if in_office.filter(position=position, name=name).exists():
        raise ValidationError({"name": _("%(name)s holds this office already.") % {"name": name}})
    chair = in_office.filter(position=Position.CHAIR).first()
    if position == Position.CHAIR and chair:
        raise ValidationError({"position": _("%(name)s is the chair. End that office first.") % {"name": chair.name}})
    officer = _insert(
        Officer(
            committee=committee, position=position, name=name, sex=sex, phone=phone,
            full_time=full_time, started_on=started_on,
        )
    )  # fmt: skip
    audit.record(
        "unions.add_officer", officer, by=by, union=union,
        changes={"position": [None, position], "name": [None, name], "started_on": [None, started_on]},
    )  # fmt: skip
    if position == Position.CHAIR:
        duties.chair_came(committee, on=started_on, by=by)
    return officer


@transaction.atomic
def end_officer(officer, *, by, on, reason=""):
    """End an office on the day `on`, the last day it was held, and return the officer."""
    union = _locked(officer.committee.union)
    _require(by, "unions.change_officer", union)
    officer = _locked(officer)
    if officer.ended_on:
        said = _("%(name)s left this office on %(day)s.")
        raise ValidationError(said % {"name": officer.name, "day": officer.ended_on})
    _not_in_future("on", on)
    if on < officer.started_on:
        raise ValidationError(
            {"on": _("%(name)s began on %(day)s.") % {"name": officer.name, "day": officer.started_on}}
        )
    officer.ended_on = on
    officer.save(update_fields=["ended_on"])
    audit.record("unions.end_officer", officer, by=by, union=union, changes={"ended_on": [None, on]}, reason=reason)
    if officer.position == Position.CHAIR:
        duties.chair_left(officer, by=by)
    return officer


# --- Appointments -----------------------------------------------------------------------------------------


def _require_account(by, perm, user):
    """Refuse an account that reaches beyond the actor's own reach, and a superuser's."""
    if by is not None and not user.within(reach(by, perm)):
        raise PermissionDenied(_("This account reaches further than you do. Ask the federation above."))


@transaction.atomic
def appoint(*, by, user, union, role, valid_from, valid_to=None):
    """Give `user` the role at `union` from one date to another (both included) and return the appointment."""
    if user == by:
        raise PermissionDenied(_("Nobody appoints himself. Ask another security administrator."))
    _require(by, "unions.add_appointment", union)
    _check_standing(union)
    _require_account(by, "unions.add_appointment", user)
    if role not in GRANTS:
        raise ValidationError({"role": _("There is no such role.")})
    user = _locked(user)  # two appointments of one person wait for each other
    same = Appointment.objects.filter(user=user, union=union, role=role, ended_on__isnull=True)
    same = same.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=valid_from))
    if valid_to:
        same = same.filter(valid_from__lte=valid_to)
    if same.exists():
        raise ValidationError({"role": _("This person has this role here in these days already.")})
    appointment = _insert(Appointment(user=user, union=union, role=role, valid_from=valid_from, valid_to=valid_to))
    audit.record(
        "unions.appoint", appointment, by=by, union=union,
        changes={
            "user": [None, user.username], "role": [None, role],
            "valid_from": [None, valid_from], "valid_to": [None, valid_to],
        },
    )  # fmt: skip
    return appointment


@transaction.atomic
def end_appointment(appointment, *, by, reason=""):
    """Take the appointment away at once and return it."""
    _require(by, "unions.change_appointment", appointment)
    _require_account(by, "unions.change_appointment", appointment.user)
    return _end_appointment(appointment, by, reason)


def _end_appointment(appointment, by, reason):
    appointment = _locked(appointment)
    if appointment.ended_on is None:
        appointment.ended_on = timezone.localdate()
        appointment.save(update_fields=["ended_on"])
        audit.record(
            "unions.end_appointment", appointment, by=by, union=appointment.union,
            changes={"ended_on": [None, appointment.ended_on]}, reason=reason,
        )  # fmt: skip
    return appointment

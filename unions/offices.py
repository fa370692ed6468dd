"""Who comes into an office or goes out of it between two elections, and a term that lasts longer (rulebook §1.4).

补选 fills a vacant office by a vote, 替补 by the next candidate; 罢免 needs more than half of all who may vote; an
extension needs the approval of the union above.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, deadlines
from core.models.deadline import DeadlineState
from unions import duties, events
from unions.actions import _locked, _require, add_officer, end_officer, why_no_officer
from unions.models import Union, UnionEventKind

Kind = UnionEventKind


# --- Extension --------------------------------------------------------------------------------------------


def longest_extension(committee):
    """Return the last day to which the term of `committee` may be extended."""
    return duties.natural_date(duties.EXTENSION, committee.term_ends_on)


def why_no_extension(union):
    """Return the sentence why the term cannot be extended, or an empty one."""
    committee = union.committee
    if committee is None:
        return why_no_officer(union)
    if committee.extended_until:
        said = _("The term was extended until %(day)s already. Record the election.")
        return said % {"day": committee.extended_until}
    return ""


@transaction.atomic
def extend_term(union, *, by, until, approval_no, reason=""):
    """Record that the union above approved the number `approval_no`: the committee serves until `until`; return it."""
    union = _locked(union)
    _require(by, "unions.elect_union", union)
    if refusal := why_no_extension(union):
        raise ValidationError(refusal)
    committee = union.committee
    if not approval_no.strip():
        raise ValidationError({"approval_no": _("Give the number of the higher union's approval.")})
    if until <= committee.term_ends_on:
        said = _("The term ends on %(day)s; an extension ends later.")
        raise ValidationError({"until": said % {"day": committee.term_ends_on}})
    if until > (last := longest_extension(committee)):
        raise ValidationError({"until": _("A term is extended to %(day)s at most.") % {"day": last}})
    committee.extended_until = until
    committee.save(update_fields=["extended_until"])
    today = timezone.localdate()
    said = _("Extended until %(day)s, approval %(number)s") % {"day": until, "number": approval_no}
    deadlines.close(duties.of_term(committee), DeadlineState.WAIVED, on=today, by=by, reason=said)
    duties.open_term(committee, by=by)
    events.note(
        union, Kind.EXTENSION, on=today, by=by, approval_no=approval_no.strip(), reason=reason, until=until.isoformat()
    )
    audit.record(
        "unions.extend_term", committee, by=by, union=union,
        changes={"extended_until": [None, until], "approval_no": [None, approval_no]}, reason=reason,
    )  # fmt: skip
    return committee


# --- Into a vacant office ---------------------------------------------------------------------------------


def why_no_by_election(union):
    """Return the sentence why no by-election can be recorded, or an empty one."""
    if union.committee is None:
        return why_no_officer(union)
    return "" if events.vacancies(union.committee) else _("No office is vacant: first record who left.")


def _check_vote(entitled, in_favour):
    if in_favour > entitled:
        raise ValidationError({"in_favour": _("This is more than all who may vote.")})
    if 2 * in_favour <= entitled:
        figures = {"in_favour": in_favour, "entitled": entitled, "needed": entitled // 2 + 1}
        raise ValidationError(
            {
                "in_favour": _(
                    "%(in_favour)d of %(entitled)d are not more than half: at least %(needed)d of all entitled to "
                    "vote must be in favour."
                )
                % figures
            }
        )


@transaction.atomic
def by_elect(union, *, by, predecessor, name, on, entitled, in_favour, approval_no="", **person):
    """Record a by-election (补选) into the office that `predecessor` left; return the new officer.

    `person`: sex, phone, full_time, as far as known.
    """
    union = _locked(union)
    _check_vote(entitled, in_favour)
    if union.committee and predecessor not in events.vacancies(union.committee):
        raise ValidationError({"predecessor": _("This office is not vacant any more.")})
    if on < predecessor.ended_on:
        said = _("%(name)s left this office on %(day)s.") % {"name": predecessor.name, "day": predecessor.ended_on}
        raise ValidationError({"on": said})
    officer = _enter(union, by, predecessor, name, on, person)
    events.note(
        union, Kind.BY_ELECTION, on=on, by=by, officer=officer, approval_no=approval_no, entitled=entitled,
        in_favour=in_favour, predecessor=predecessor.pk, in_place_of=predecessor.name,
    )  # fmt: skip
    return officer


def why_no_replacement(officer):
    """Return the sentence why nobody can move up into the office of `officer`, or an empty one."""
    if officer.committee.ended_on:
        return _("The committee has left office.")
    if officer.ended_on and officer not in events.vacancies(officer.committee):
        return _("This office is not vacant any more.")
    return ""


@transaction.atomic
def replace_officer(predecessor, *, by, name, on, reason, approval_no="", **person):
    """Record that the next candidate moved up (替补) into the office of `predecessor`, who leaves it; return them."""
    union = _locked(predecessor.committee.union)
    predecessor = _locked(predecessor)
    if refusal := why_no_replacement(predecessor):
        raise ValidationError(refusal)
    if predecessor.ended_on is None:
        predecessor = end_officer(predecessor, by=by, on=on, reason=reason)
    officer = _enter(union, by, predecessor, name, on, person)
    events.note(
        union, Kind.REPLACEMENT, on=on, by=by, officer=officer, approval_no=approval_no, reason=reason,
        predecessor=predecessor.pk, in_place_of=predecessor.name,
    )  # fmt: skip
    return officer


def _enter(union, by, predecessor, name, on, person):
    try:
        return add_officer(union, by=by, position=predecessor.position, name=name, started_on=on, **person)
    except ValidationError as refusal:
        if "started_on" in getattr(refusal, "error_dict", {}):
            raise ValidationError({"on": refusal.error_dict["started_on"]}) from None
        raise


# --- Out of office by a vote ------------------------------------------------------------------------------


def why_no_removal(officer):
    """Return the sentence why `officer` cannot be removed, or an empty one."""
    if officer.ended_on is None:
        return ""
    return _("%(name)s left this office on %(day)s.") % {"name": officer.name, "day": officer.ended_on}


@transaction.atomic
def remove_officer(officer, *, by, on, entitled, in_favour, reason):
    """Record that a meeting removed `officer` from office (罢免); return the officer.

    Trade Union Law, article 18: more than half of all members or delegates must be in favour, not of those present.
    """
    if 2 * in_favour <= entitled:
        figures = {"in_favour": in_favour, "entitled": entitled, "needed": entitled // 2 + 1}
        raise ValidationError(
            {
                "in_favour": _(
                    "%(in_favour)d of %(entitled)d do not remove an officer: more than half of all members or "
                    "delegates must be in favour, here at least %(needed)d (Trade Union Law, article 18)."
                )
                % figures
            }
        )
    if in_favour > entitled:
        raise ValidationError({"in_favour": _("This is more than all who may vote.")})
    union = Union.objects.get(pk=officer.committee.union_id)
    officer = end_officer(officer, by=by, on=on, reason=reason)
    events.note(
        union, Kind.REMOVAL, on=on, by=by, officer=officer, reason=reason, entitled=entitled, in_favour=in_favour
    )
    return officer

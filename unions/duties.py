"""The duties that follow from what happens to a union: its term, the chair to be elected, the certificate to renew.

Opened and closed by the acts, in their transaction; nobody types a date (rulebook §1.4, §1.5).
"""

from django.utils import timezone
from django.utils.translation import gettext as _

from core import deadlines
from core.calendar import Calendar
from core.models import Deadline, DeadlineRule
from core.models.deadline import DeadlineState
from unions.models import Officer, Position
from unions.terms import RULES

EXTENSION = "UNION_TERM_EXTENSION_6M"  # how long an extension may be
EXTENDED = "UNION_TERM_EXTENDED"  # the end that the union above approved
TERM_RULES = (*RULES.values(), EXTENDED)
CHAIR = "UNION_CHAIR_BY_ELECTION_3M"
CERTIFICATE = "UNION_LEGAL_PERSON_CHANGE_30D"


def natural_date(rule_code, trigger):
    """Return the day on which a rule ends the count that begins on `trigger`, without rolling."""
    return deadlines.compute(DeadlineRule.objects.get(code=rule_code), trigger, Calendar.load()).natural


# --- The term ---------------------------------------------------------------------------------------------


def of_term(committee):
    """The open deadlines of a committee's term."""
    return Deadline.objects.open().of(committee).filter(rule__code__in=TERM_RULES)


def term_count(committee):
    """Return the rule's code and the day from which the end of a committee's term is counted."""
    if committee.extended_until:
        return EXTENDED, committee.extended_until
    return RULES[committee.term_years], committee.elected_on


def open_term(committee, *, by):
    """Open the deadline by which the next election is due: the term's end, or the extended one."""
    rule, trigger = term_count(committee)
    deadlines.open_deadline(rule, trigger, subject=committee, union=committee.union, title=committee.union.name, by=by)


# --- The chair --------------------------------------------------------------------------------------------


def chair_left(officer, *, by):
    """A chair left before the term ended: the office is to be filled again."""
    union = officer.committee.union
    deadlines.open_deadline(CHAIR, officer.ended_on, subject=officer, union=union, title=union.name, by=by)


def of_chair(committee):
    """The open deadlines for filling the chair of a committee."""
    return of_chairs([committee.pk])


def of_chairs(committees):
    """The same of committees by their keys."""
    officers = Officer.objects.filter(committee__in=committees, position=Position.CHAIR).values("pk")
    return Deadline.objects.open().filter(
        rule__code=CHAIR, subject_type=Officer._meta.label_lower, subject_id__in=officers
    )


def chair_came(committee, *, on, by):
    """The committee has a chair again, who is the legal representative too."""
    deadlines.close(of_chair(committee), DeadlineState.MET, on=on, by=by)
    if on > committee.elected_on:
        certificate_is_due(committee.union, on, by=by)


def running(union, committee):
    """Return (the open deadline of the term or None, those for the chair and the certificate, the next one first)."""
    kinds = [certificates(union), *([of_term(committee), of_chair(committee)] if committee else [])]
    kinds = [of_kind.order_by().values_list("pk", flat=True) for of_kind in kinds]
    keys = list(kinds[0].union(*kinds[1:], all=True))
    found = list(Deadline.objects.filter(pk__in=keys).select_related("rule").order_by("earliest", "pk"))
    term = next((deadline for deadline in found if deadline.rule.code in TERM_RULES), None)
    return term, [deadline for deadline in found if deadline.rule.code not in TERM_RULES]


# --- The legal person -------------------------------------------------------------------------------------


def certificates(union):
    """The open deadlines for renewing a union's certificate."""
    return Deadline.objects.open().of(union).filter(rule__code=CERTIFICATE)


def outlives_certificate(committee):
    """Whether the term ends after the union's certificate, which runs with the term (rulebook §1.5)."""
    return (committee.union.certificate_until or committee.elected_on) < committee.term_ends_on


def certificate_is_due(union, on, *, by):
    """Name, address, chair or term of a legal person changed: its certificate is to be renewed."""
    if union.legal_person:
        deadlines.open_deadline(CERTIFICATE, on, subject=union, union=union, title=union.name, by=by)


def certificate_is_of_no_use(union, *, by):
    """The union is no legal person any more."""
    reason = _("The union is no legal person any more.")
    deadlines.close(certificates(union), DeadlineState.VOID, on=timezone.localdate(), by=by, reason=reason)

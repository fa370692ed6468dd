"""What a checkup looks for in the unions, their committees and their deadlines (rulebook §1).

Numbers that a law or the federation sets are settings. A date is never believed: every open deadline is computed again
from its rule, its trigger and the calendar, and every fact that must have a deadline is asked for it (R45).
"""

from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Left, Length
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import deadlines, uscc
from core.calendar import Calendar
from core.checkup import Check, Gravity, Kind, Mend, Population
from core.models import Deadline, DeadlineRule
from core.scope import WIDTH
from unions import duties
from unions.actions import recount_term
from unions.models import Appointment, Committee, Officer, Position, Sex, Union, UnionKind, UnionPlacement
from unions.terms import RULES

CADRE = "cadre"  # the role that looks after a union's records
# Unions of one employer or several: the others have no employees of their own.
OF_EMPLOYERS = (
    UnionKind.ENTERPRISE, UnionKind.INSTITUTION, UnionKind.ORGAN, UnionKind.SOCIAL_ORG, UnionKind.JOINT,
    UnionKind.PROJECT,
)  # fmt: skip

# --- What is looked at -----------------------------------------------------------------------------------------------


def standing():
    return Union.objects.standing()


def with_committee():
    """Standing unions with a committee in office: `with_term` says from when to when."""
    return standing().with_term().filter(committee_pk__isnull=False)


def legal_persons():
    return standing().filter(legal_person=True)


PLACE = {"union": "pk", "page": "union_page", "perm": "unions.view_union"}
UNIONS = Population("UNIONS", gettext_lazy("unions"), standing, **PLACE)
COMMITTEES = Population("COMMITTEES", gettext_lazy("unions with a committee in office"), with_committee, **PLACE)
LEGAL_PERSONS = Population("LEGAL_PERSONS", gettext_lazy("unions that are legal persons"), legal_persons, **PLACE)
DEADLINES = Population(
    "DEADLINES", gettext_lazy("open deadlines"), Deadline.objects.open, page="union_page", page_key="union_id",
    perm="core.view_deadline",
)  # fmt: skip

# What is written at a union, as an event in the trail names it.
COMMITTEE, OFFICER, DEADLINE = "unions.Committee", "unions.Officer", "core.Deadline"
APPOINTMENT, MEMBERS = "unions.Appointment", "members.Membership"

# --- What mends it ---------------------------------------------------------------------------------------------------

ELECT = Mend(gettext_lazy("Record the election"), "unions.elect_union", "union_election")
ADD_OFFICER = Mend(gettext_lazy("Add an officer"), "unions.add_officer", "officer_add")
BY_ELECT = Mend(gettext_lazy("Record the by-election"), "unions.add_officer", "by_election")
CERTIFY = Mend(gettext_lazy("Record the certificate"), "unions.change_union", "union_certificate")
INVITE = Mend(gettext_lazy("Invite an account"), "core.add_user", "account_invite", key="")


def fill_in(field):
    """The union's form, the cursor in `field`."""
    return Mend(gettext_lazy("Fill it in"), "unions.change_union", "union_edit", focus=field)


def correct(field):
    return Mend(gettext_lazy("Correct it"), "unions.change_union", "union_edit", focus=field)


def recount(deadline, *, by):
    """Compute one deadline again from its rule, its trigger and the calendar."""
    try:
        deadlines.recompute(of=Deadline.objects.filter(pk=deadline.pk), by=by)
    except deadlines.CannotCount as refusal:
        raise ValidationError(str(refusal)) from None


def recount_term_of(union, *, by):
    """Compute the term of the committee in office again from its election, and open the deadline that belongs to it."""
    if union.committee is None:
        raise ValidationError(_("There is no committee in office. Record the election first."))
    recount_term(union.committee, by=by)


# --- Who is at fault -------------------------------------------------------------------------------------------------


def members_here():
    """The number of members with full rights in a union, as an expression: a retained one does not count (§2.2)."""
    rows = Union.memberships.rel.related_model.objects.active().filter(union=OuterRef("pk"))
    return Coalesce(Subquery(rows.order_by().values("union").annotate(number=Count("pk")).values("number")), 0)


def without_committee(rows):
    return rows.filter(~Exists(Committee.objects.in_office().filter(union=OuterRef("pk"))))


def in_office(position):
    return Exists(Officer.objects.in_office().filter(committee=OuterRef("committee_pk"), position=position))


def no_election(rows, day):
    return without_committee(rows).alias(members=members_here()).filter(members__lt=day.number("committee_members"))


def no_committee(rows, day):
    return without_committee(rows).alias(members=members_here()).filter(members__gte=day.number("committee_members"))


def no_women_head(rows, day):
    memberships = Union.memberships.rel.related_model.objects.active().order_by()
    women = memberships.filter(person__sex=Sex.FEMALE, union__in=rows.values("pk")).values("union")
    many = women.annotate(number=Count("pk")).filter(number__gte=day.number("women_committee_members"))
    return rows.filter(~in_office(Position.WOMEN_HEAD), pk__in=many.values("union"))


def nobody_looks_after(rows, day):
    """Neither here nor at the union above is there a cadre who may sign in."""
    cadres = Appointment.objects.in_force(day.today).filter(role=CADRE, user__is_active=True)
    here, above = cadres.filter(union=OuterRef("pk")), cadres.filter(union=OuterRef("parent"))
    return rows.filter(~Exists(here), ~Exists(above))


def fewer_employees(rows, day):
    return rows.filter(employees__isnull=False).alias(members=members_here()).filter(employees__lt=F("members"))


def figures_disagree(rows, day):
    return rows.filter(Q(women_employees__gt=F("employees")) | Q(migrant_employees__gt=F("employees")))


def misplaced(rows, day):
    """The path does not lie below the higher union's, or the history of places names another higher union."""
    now = UnionPlacement.objects.filter(union=OuterRef("pk"), valid_to__isnull=True)
    above = Left("path", Length("path") - WIDTH)
    wrong = ~Q(parent__path=above) | ~Exists(now.filter(parent=OuterRef("parent")))
    return rows.filter(Q(parent__isnull=False) & wrong | Q(parent__isnull=True) & ~Exists(now.filter(parent=None)))


def faulty(field):
    """A `pick` of the rows whose credit code in `field` cannot be right."""

    def pick(rows, day):
        written = rows.exclude(**{field: ""}).filter(**{f"{field}__isnull": False})
        return [key for key, code in written.values_list("pk", field) if not uscc.is_valid(code)]

    return pick


def no_term_deadline(rows, day):
    """No open deadline says when the term ends: counted from the election, or to the end that was approved."""
    open_ones = Deadline.objects.open().filter(subject_type=Committee._meta.label_lower)
    own = open_ones.filter(subject_id=OuterRef("committee_pk"))
    extended = own.filter(rule__code=duties.EXTENDED, trigger=OuterRef("extended_until"))
    elected = own.filter(rule__code__in=RULES.values(), trigger=OuterRef("elected_on"))
    by_term = [
        Q(in_office__term_years=years, extended_until__isnull=True) & ~Exists(elected.filter(rule__code=code))
        for years, code in RULES.items()
    ]
    return rows.filter(by_term[0] | by_term[1] | Q(extended_until__isnull=False) & ~Exists(extended))


def wrong_term_end(rows, day):
    """The stored end of the term is not what the rule makes of the election."""
    rules, calendar, ends = DeadlineRule.objects.in_bulk(RULES.values(), field_name="code"), Calendar.load(), {}
    facts = rows.values_list("pk", "elected_on", "in_office__term_years", "in_office__term_ends_on")
    for key, elected_on, years, ends_on in facts.iterator():
        count = elected_on, years
        if count not in ends:
            ends[count] = deadlines.compute(rules[RULES[years]], elected_on, calendar).natural
        if ends[count] != ends_on:
            yield key


def overdue_certificate(rows, day):
    return rows.filter(certificate_until__lt=day.today)


CHECKS = [
    Check(
        "DEADLINE_WRONG", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("A date that its rule does not give"),
        gettext_lazy("The stored date differs from what the rule, the starting day and the calendar give: recount it."),
        DEADLINES,
        pick=lambda rows, day: deadlines.stale(rows),
        mends=(Mend(gettext_lazy("Recount"), "core.run_checkup", act=recount),),
    ),
    Check(
        "TERM_END_WRONG", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("End of the term does not follow from the election"),
        gettext_lazy("The stored end of the term is not what the election and the years of the term give: recount it."),
        COMMITTEES,
        pick=wrong_term_end,
        mends=(Mend(gettext_lazy("Recount"), "core.run_checkup", act=recount_term_of),),
        follows=(COMMITTEE,),
    ),
    Check(
        "TERM_DEADLINE_MISSING", Kind.MISSING, Gravity.GRAVE,
        gettext_lazy("Term without a deadline for the next election"),
        gettext_lazy("Nobody would be reminded of the next election: recount, which opens the deadline."),
        COMMITTEES,
        fault=no_term_deadline,
        mends=(Mend(gettext_lazy("Recount"), "core.run_checkup", act=recount_term_of),),
        follows=(COMMITTEE, DEADLINE),
    ),
    Check(
        "UNION_MISPLACED", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Place in the tree does not agree with the higher union"),
        gettext_lazy("The stored place, the higher union and the history of places differ: tell the administrator."),
        UNIONS,
        fault=misplaced,
    ),
    Check(
        "UNION_TERM_OVERDUE", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Re-election overdue"),
        gettext_lazy("The term has ended: hold the election and record it, or record the extension that was approved."),
        COMMITTEES,
        fault=lambda rows, day: rows.filter(term_ends_on__lt=day.today),
        mends=(ELECT, Mend(gettext_lazy("Extend the term"), "unions.elect_union", "committee_extend")),
        follows=(COMMITTEE,),
    ),
    Check(
        "UNION_NO_COMMITTEE", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Enough members for a committee, and no committee"),
        gettext_lazy("With so many members the law asks for a committee of the union's own: elect and record it."),
        UNIONS,
        fault=no_committee,
        mends=(ELECT,),
        follows=(COMMITTEE, MEMBERS),
    ),
    Check(
        "UNION_CODE_WRONG", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Credit code of the union is wrong"),
        gettext_lazy("The check character does not agree: compare the code with the certificate and correct it."),
        UNIONS,
        pick=faulty("uscc"),
        mends=(correct("uscc"),),
    ),
    Check(
        "CERTIFICATE_OVERDUE", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Legal-person certificate has run out"),
        gettext_lazy("Apply for the new certificate and record it."),
        LEGAL_PERSONS,
        fault=overdue_certificate,
        unclear=lambda rows, day: rows.filter(certificate_until__isnull=True),
        why_unclear=gettext_lazy("no date is recorded until which the certificate is valid"),
        mends=(CERTIFY,),
    ),
    Check(
        "EMPLOYEES_BELOW_MEMBERS", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Fewer employees than members"),
        gettext_lazy("Ask the employer for the number of employees, or end the memberships of those who left."),
        UNIONS,
        fault=fewer_employees,
        unclear=lambda rows, day: rows.filter(employees__isnull=True),
        why_unclear=gettext_lazy("the number of employees is not recorded"),
        mends=(correct("employees"),),
        follows=(MEMBERS,),
    ),
    Check(
        "FIGURES_DISAGREE", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("More women or migrant workers than employees"),
        gettext_lazy("A part cannot be more than the whole: correct the figures."),
        UNIONS,
        fault=figures_disagree,
        unclear=lambda rows, day: rows.filter(employees__isnull=True),
        why_unclear=gettext_lazy("the number of employees is not recorded"),
        mends=(correct("employees"),),
    ),
    Check(
        "UNION_NO_ELECTION", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("No election on record"),
        gettext_lazy("Record the last election: without it nobody knows when the term ends."),
        UNIONS,
        fault=no_election,
        mends=(ELECT,),
        follows=(COMMITTEE, MEMBERS),
    ),
    Check(
        "UNION_NO_CHAIR", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("No chair in office"),
        gettext_lazy("Elect a chair and record it, or enter the chair who is in office."),
        COMMITTEES,
        fault=lambda rows, day: rows.filter(~in_office(Position.CHAIR)),
        mends=(ADD_OFFICER, BY_ELECT),
        follows=(COMMITTEE, OFFICER),
    ),
    Check(
        "UNION_NO_AUDIT_HEAD", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("No head of the funds audit"),
        gettext_lazy("Every union has its funds audited: enter who heads the funds audit committee."),
        COMMITTEES,
        fault=lambda rows, day: rows.filter(~in_office(Position.AUDIT_HEAD)),
        mends=(ADD_OFFICER,),
        follows=(COMMITTEE, OFFICER),
    ),
    Check(
        "UNION_NO_WOMEN_HEAD", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("No head of the women workers' committee"),
        gettext_lazy("With so many women members a women workers' committee is asked for: enter who heads it."),
        COMMITTEES,
        fault=no_women_head,
        mends=(ADD_OFFICER,),
        follows=(COMMITTEE, OFFICER, MEMBERS),
    ),
    Check(
        "UNION_NO_CODE", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("Legal person without a credit code"),
        gettext_lazy("The legal-person certificate carries the credit code: fill it in."),
        LEGAL_PERSONS,
        fault=lambda rows, day: rows.filter(uscc__isnull=True),
        mends=(fill_in("uscc"),),
    ),
    Check(
        "UNION_NO_CADRE", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("No cadre looks after the union"),
        gettext_lazy("Neither the union nor the one above has a cadre's account: have somebody invited."),
        UNIONS,
        fault=nobody_looks_after,
        mends=(INVITE,),
        follows=(APPOINTMENT,),
    ),
    Check(
        "UNION_NO_HEADCOUNT", Kind.MISSING, Gravity.LIGHT,
        gettext_lazy("Number of employees not recorded"),
        gettext_lazy("Ask the employer for it and fill it in."),
        UNIONS,
        fault=lambda rows, day: rows.filter(employees__isnull=True, kind__in=OF_EMPLOYERS),
        mends=(fill_in("employees"),),
    ),
    Check(
        "UNION_NO_FOUNDING_DAY", Kind.MISSING, Gravity.LIGHT,
        gettext_lazy("Day of founding not recorded"),
        gettext_lazy("Take it from the approval of the founding and fill it in."),
        UNIONS,
        fault=lambda rows, day: rows.filter(founded_on__isnull=True),
        mends=(fill_in("founded_on"),),
    ),
    Check(
        "EMPLOYER_CODE_WRONG", Kind.WRONG, Gravity.LIGHT,
        gettext_lazy("Credit code of the employer may be wrong"),
        gettext_lazy("Compare it with the business licence; some true codes of 2015 fail: then set the finding aside."),
        UNIONS,
        pick=faulty("employer_uscc"),
        mends=(correct("employer_uscc"),),
    ),
]  # fmt: skip

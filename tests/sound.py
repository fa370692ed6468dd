"""A city in which nothing is wrong or missing, and every fault that a checkup looks for, one at a time."""

from datetime import date, datetime, timedelta
from itertools import count

from django.utils import timezone

from core import deadlines
from core.models import Deadline, ImportBatch, Setting, User
from members.models import DuplicatePair, Person, Transfer
from tests.members.people import member, number
from unions import duties
from unions.models import Appointment, Committee, Officer, UnionPlacement

ELECTED = date(2024, 5, 10)
FOUNDED = date(2000, 1, 1)
GOOD_CODE, BAD_CODE = "81210400MC00000129", "81210400MC00000120"
BAD_EMPLOYER_CODE = "91350100M000100Y44"


def sound(tree):
    """Make the unions of the cast's `tree` whole and enrol a few members; return the tree.

    Besides it holds `members`, `cadre_of` (by the name of a union) and `looked_at`, {population: how many}.
    """
    unions = dict(vars(tree))
    tree.cadre_of = {}
    for name, union in unions.items():
        union.founded_on, union.employees = FOUNDED, 40
        union.save()
        committee = Committee.objects.create(
            union=union, elected_on=ELECTED, term_years=5, term_ends_on=date(2029, 5, 10)
        )
        for position in ("CHAIR", "AUDIT_HEAD"):
            Officer.objects.create(committee=committee, position=position, name="孟平", started_on=ELECTED)
        duties.open_term(committee, by=None)
        if union.kind != "ENTERPRISE":
            user = tree.cadre_of[name] = User.objects.create(username=f"cadre-{name}", name="侯明超")
            Appointment.objects.create(user=user, union=union, role="cadre", valid_from=date(2020, 1, 1))
    tree.district.legal_person, tree.district.uscc = True, GOOD_CODE
    tree.district.certificate_until = timezone.localdate() + timedelta(days=400)
    tree.district.save()
    draw = count(1)
    tree.members = [
        enrolled(union, next(draw))
        for union in (tree.enterprise, tree.enterprise, tree.sibling, tree.neighbour_enterprise)
    ]
    tree.looked_at = {
        "UNIONS": 8, "COMMITTEES": 8, "LEGAL_PERSONS": 1, "DEADLINES": 8, "ROLL": 4, "ENDED": 0, "PEOPLE": 4,
        "TRANSFERS": 0, "PAIRS": 0, "STORED_IMPORTS": 0, "PREVIEWED_IMPORTS": 0,
    }  # fmt: skip
    return tree


def enrolled(union, draw, born="19900101", joined_on=date(2020, 5, 1)):
    """Enrol somebody of whom everything is recorded; an even `draw` is a woman."""
    membership = member(
        union, name="赵建国钱秀英孙志刚李慧敏"[draw % 4 * 3 :][:3], id_number=number(draw, born), joined_on=joined_on,
        phone=f"138001300{draw:02d}", employment="CONTRACT",
    )  # fmt: skip
    membership.person.verified_on = date(2024, 1, 1)
    membership.person.save()
    return membership


def change(row, **facts):
    for name, value in facts.items():
        setattr(row, name, value)
    row.save()
    return row


def believed(rows, **facts):
    """Write what no action would: straight into the table."""
    rows.update(**facts)


FAULTS = {}


def fault(code):
    def note(seed):
        FAULTS[code] = seed
        return seed

    return note


# --- Unions --------------------------------------------------------------------------------------------------------


def term_of(union):
    return Deadline.objects.open().get(subject_type="unions.committee", subject_id=union.committee.pk)


@fault("DEADLINE_WRONG")
def deadline_wrong(city):
    deadline = term_of(city.enterprise)
    later = deadline.due + timedelta(days=30)
    change(deadline, natural=later, due=later, earliest=later)
    return [deadline], city.enterprise


@fault("TERM_END_WRONG")
def term_end_wrong(city):
    change(city.enterprise.committee, term_ends_on=date(2029, 5, 11))
    return [city.enterprise], city.enterprise


@fault("TERM_DEADLINE_MISSING")
def term_deadline_missing(city):
    term_of(city.enterprise).delete()
    return [city.enterprise], city.enterprise


@fault("UNION_MISPLACED")
def misplaced(city):
    believed(UnionPlacement.objects.filter(union=city.enterprise), parent=city.other_street)
    return [city.enterprise], city.enterprise


@fault("UNION_TERM_OVERDUE")
def term_overdue(city):
    term_of(city.enterprise).delete()
    committee = change(city.enterprise.committee, elected_on=date(2019, 5, 10), term_ends_on=date(2024, 5, 10))
    duties.open_term(committee, by=None)
    return [city.enterprise], city.enterprise


def without_committee(union):
    term_of(union).delete()
    change(union.committee, ended_on=date(2025, 5, 10))
    del union.committee


@fault("UNION_NO_COMMITTEE")
def no_committee(city):
    without_committee(city.enterprise)
    believed(Setting.objects.filter(key="committee_members"), value="2")
    return [city.enterprise], city.enterprise


@fault("UNION_NO_ELECTION")
def no_election(city):
    without_committee(city.enterprise)
    return [city.enterprise], city.enterprise


def without(city, position):
    change(city.enterprise.committee.officers.get(position=position), ended_on=date(2025, 5, 10))
    return [city.enterprise], city.enterprise


@fault("UNION_NO_CHAIR")
def no_chair(city):
    return without(city, "CHAIR")


@fault("UNION_NO_AUDIT_HEAD")
def no_audit_head(city):
    return without(city, "AUDIT_HEAD")


@fault("UNION_NO_WOMEN_HEAD")
def no_women_head(city):
    enrolled(city.enterprise, 60)
    believed(Setting.objects.filter(key="women_committee_members"), value="2")
    return [city.enterprise], city.enterprise


@fault("UNION_NO_CADRE")
def no_cadre(city):
    change(city.cadre_of["other_street"], is_active=False)
    return [city.neighbour_enterprise], city.neighbour_enterprise


@fault("UNION_CODE_WRONG")
def code_wrong(city):
    return [change(city.enterprise, uscc=BAD_CODE)], city.enterprise


@fault("UNION_NO_CODE")
def no_code(city):
    return [change(city.district, uscc=None)], city.district


@fault("CERTIFICATE_OVERDUE")
def certificate_overdue(city):
    return [change(city.district, certificate_until=date(2025, 1, 1))], city.district


@fault("EMPLOYEES_BELOW_MEMBERS")
def employees_below_members(city):
    return [change(city.enterprise, employees=1)], city.enterprise


@fault("FIGURES_DISAGREE")
def figures_disagree(city):
    return [change(city.enterprise, women_employees=41)], city.enterprise


@fault("UNION_NO_HEADCOUNT")
def no_headcount(city):
    return [change(city.enterprise, employees=None)], city.enterprise


@fault("UNION_NO_FOUNDING_DAY")
def no_founding_day(city):
    return [change(city.enterprise, founded_on=None)], city.enterprise


@fault("EMPLOYER_CODE_WRONG")
def employer_code_wrong(city):
    return [change(city.enterprise, employer_uscc=BAD_EMPLOYER_CODE)], city.enterprise


# --- Members -------------------------------------------------------------------------------------------------------


@fault("DECEASED_ON_ROLL")
def deceased_on_roll(city):
    change(city.members[0].person, deceased_on=date(2025, 3, 1))
    return [city.members[0]], city.enterprise


@fault("IN_DISSOLVED_UNION")
def in_dissolved_union(city):
    change(city.sibling, dissolved_on=date(2025, 3, 1))
    return [city.members[2]], city.sibling


@fault("NUMBER_DISAGREES")
def number_disagrees(city):
    change(city.members[0].person, born_on=date(1991, 1, 1))
    return [city.members[0]], city.enterprise


@fault("NO_UNION_AT_ALL")
def no_union_at_all(city):
    person = Person.objects.create(
        name="吴海燕", id_number=number(91), id_masked="2104**********0917", sex="M", born_on=date(1990, 1, 1)
    )
    return [person], city.city


@fault("ENDED_WITHOUT_STEP")
def ended_without_step(city):
    change(city.members[0], state="WITHDRAWN", ended_on=date(2025, 3, 1))
    return [city.members[0]], city.enterprise


@fault("UNDERAGE")
def underage(city):
    born = timezone.localdate() - timedelta(days=15 * 366)
    return [enrolled(city.enterprise, 61, f"{born:%Y%m%d}")], city.enterprise


@fault("PAST_RETIREMENT")
def past_retirement(city):
    return [enrolled(city.enterprise, 61, "19500101")], city.enterprise


@fault("JOINED_TOO_YOUNG")
def joined_too_young(city):
    return [change(city.members[0], joined_on=date(2005, 12, 31))], city.enterprise


@fault("JOINED_BEFORE_UNION")
def joined_before_union(city):
    return [enrolled(city.enterprise, 61, "19750101", joined_on=date(1999, 12, 31))], city.enterprise


@fault("TRANSFER_UNANSWERED")
def transfer_unanswered(city):
    membership = change(city.members[0], state="TRANSFER_PENDING", state_before="ACTIVE")
    transfer = Transfer.objects.create(
        membership=membership, from_union=city.enterprise, to_union=city.sibling, side="FROM", asked_on=date(2026, 3, 2)
    )
    deadlines.open_deadline(
        Transfer.RULE, date(2026, 3, 2), subject=transfer, union=city.sibling, title=city.sibling.name, by=None
    )
    return [transfer], city.sibling


@fault("DUPLICATE_WAITING")
def duplicate_waiting(city):
    one, other = city.members[0].person, city.members[2].person
    return [DuplicatePair.objects.create(first=one, second=other, score="0.900", reasons=["SAME_NAME"])], city.street


@fault("SAME_PHONE")
def same_phone(city):
    change(city.members[1].person, phone=city.members[0].person.phone)
    return city.members[:2], city.enterprise


def batch(city, **facts):
    counts = {"outcomes": {"ok": 3, "warning": 0, "duplicate": 0, "error": facts.pop("errors", 0)}, "codes": {}}
    return ImportBatch.objects.create(
        kind="members", file_name="名册.xlsx", sha256="0" * 64, union=city.street, counts=counts,
        created_by=city.cadre_of["street"], **facts,
    )  # fmt: skip


@fault("IMPORT_ROWS_LEFT")
def import_rows_left(city):
    return [batch(city, state="committed", committed_at=timezone.now(), errors=2)], city.street


@fault("IMPORT_FORGOTTEN")
def import_forgotten(city):
    row = batch(city, state="preview")
    believed(
        ImportBatch.objects.filter(pk=row.pk), created_at=datetime(2026, 1, 5, tzinfo=timezone.get_current_timezone())
    )
    return [row], city.street


@fault("NO_JOINING_DAY")
def no_joining_day(city):
    return [change(city.members[0], joined_on=None)], city.enterprise


@fault("NO_PHONE")
def no_phone(city):
    change(city.members[0].person, phone="", phone_masked="")
    return [city.members[0]], city.enterprise


@fault("NO_GROUP")
def no_group(city):
    return [change(city.members[0], employment="PLATFORM")], city.enterprise


@fault("NOT_VERIFIED")
def not_verified(city):
    change(city.members[0].person, verified_on=None)
    return [city.members[0]], city.enterprise

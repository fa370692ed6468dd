"""Hardship cases for the tests: complete ones in any state, and officers who each hold one role."""

from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from assistance.models import (
    Consent,
    Expense,
    HardshipCase,
    HardshipFile,
    HouseholdPerson,
    Income,
    LivingStandard,
)
from assistance.moves import IN_FORCE, OPEN_STATES
from core.models import Deadline, Publicity, User
from tests.assistance.published import matched
from tests.members.people import QIAN, member, number
from unions.models import Appointment, Union

APPLIED = date(2026, 3, 2)
CHILD = number(12, born="20150601")


def standard(union, amount="800", valid_from=date(2025, 1, 1)):
    return LivingStandard.objects.create(area=union, amount=Decimal(amount), valid_from=valid_from)


def person(case, kin, name, id_number, born_on, **facts):
    return HouseholdPerson.objects.create(
        case=case, kin=kin, name=name, id_number=id_number, id_masked=f"{id_number[:4]}**********{id_number[-4:]}",
        sex="F" if int(id_number[16]) % 2 == 0 else "M", born_on=born_on, situation="WORKING", **facts,
    )  # fmt: skip


def case_in(state, union, *, income="12000", applied_on=APPLIED, membership=None, **facts):
    """A complete case of three people at `union`: 12,000 yuan a year less 3,000 for illness are 250 yuan a month."""
    root = Union.objects.get(parent=None)
    LivingStandard.objects.get_or_create(area=root, valid_from=date(2025, 1, 1), defaults={"amount": Decimal(800)})
    membership = membership or member(union)
    file = HardshipFile.objects.create(union=union, person=membership.person, opened_on=applied_on)
    if state in IN_FORCE:
        facts |= {"category": "DEEP", "per_capita": Decimal("250.00"), "filed_on": applied_on + timedelta(days=40)}
    case = HardshipCase.objects.create(
        file=file, union=union, membership=membership, applied_on=applied_on, cause="ILLNESS", labour_months=60,
        state=state, **facts,
    )  # fmt: skip
    known = membership.person
    own = person(case, "SELF", known.name, known.id_number, known.born_on, person=known)
    spouse = person(case, "SPOUSE", "钱玉兰", QIAN, date(1992, 2, 29))
    person(case, "CHILD", "赵小明", CHILD, date(2015, 6, 1))
    Income.objects.create(case=case, of=own, kind="WAGE", amount=Decimal(income))
    Expense.objects.create(case=case, of=own, kind="MEDICAL", amount=Decimal(3000))
    for of in (own, spouse):
        for kind in ("CHECK", "PUBLICITY"):
            Consent.objects.create(
                case=case, of=of, kind=kind, text_version="2026-1", text="—", given_at=timezone.now()
            )
    if state not in OPEN_STATES:
        for each in case.people.all():
            each.live = False
            each.save()
    return case


def officer(name, role, union):
    user = User.objects.create(username=name, name=name)
    Appointment.objects.create(user=user, union=union, role=role, valid_from=date(2020, 1, 1))
    return user


STAFF = {
    "enterer": ("cadre", "enterprise"),
    "chair": ("union_chair", "enterprise"),
    "guest": ("visitor", "street"),
    "checker": ("district_reviewer", "district"),
    "decider": ("city_approver", "city"),
}


def staff(tree):
    """{name: user} of five people, each with one role at their own place."""
    return {name: officer(name, role, getattr(tree, place)) for name, (role, place) in STAFF.items()}


def today():
    return timezone.localdate()


def visit_facts(**facts):
    return {"on": today(), "found": "与申报一致", "opinion": "AS_DECLARED", "names": ["社区李主任"]} | facts


def facts_of(name):
    """What the move `name` records, as every test may make it."""
    return {
        "visit": visit_facts(),
        "appraise": {"on": today(), "present": 9, "favour": 8, "against": 1},
        "start_review": {"on": today()},
        "exit": {"code": "GUARANTEED"},
        "close": {"code": "REMOVED"},
        "reenter": {"applied_on": today()},
    }.get(name, {})


WAY = (
    ("submit", "enterer"),
    ("review", "chair"),
    ("visit", "guest"),
    ("appraise", "enterer"),
    ("end_publicity", "enterer"),
    ("check", "checker"),
    ("match", "checker"),
    ("approve", "decider"),
)
MATCH_FIRST = (*WAY[:4], WAY[6], WAY[4], WAY[5], WAY[7])


def publicity_is_over(case):
    """Move the publicity's clock into the past, as if the days had gone by."""
    gone = today() - timedelta(days=1)
    Deadline.objects.of(case).open().filter(rule__code="HARDSHIP_PUBLICITY_5WD").update(due=gone, natural=gone)
    Publicity.objects.of(case).standing().update(shown_from=gone - timedelta(days=30), shown_until=gone)


def go(case, people, until=None, way=WAY):
    """Take a draft along `way` by its own people, up to and with the move `until`; returns the case."""
    for name, who in way:
        if name == "end_publicity":
            publicity_is_over(case)
        if name == "match":
            matched(case, people[who])
        case = case.make_move(name, by=people[who], **facts_of(name))
        if name == until:
            break
    return case

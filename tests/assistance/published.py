"""Invented households for the tests of publicity and match: a case in any state, with people, incomes and consents."""

from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from assistance.models import (
    Consent,
    HardshipCase,
    HardshipFile,
    HouseholdPerson,
    Income,
    LivingStandard,
    MatchAnswer,
    MatchPerson,
    MatchRequest,
)
from members import identity
from members.models import Membership, Person
from tests.members.people import number
from unions.models import Union


def household(union, *, sequence=1, name="安建国", state="PUBLICITY", wage=6000, authorised=True, kin=(), **facts):
    """A case of `name` at `union`, with further people `kin` (relation, name); everybody has a number of their own."""
    LivingStandard.objects.get_or_create(area=Union.objects.get(parent__isnull=True), defaults={"amount": Decimal(800)})
    own = number(sequence)
    person = Person.objects.create(
        name=name, id_number=own, id_masked=identity.mask_number(own), sex="M", born_on=identity.born_of(own)
    )
    membership = Membership.objects.create(person=person, union=union, joined_on=date(2020, 1, 1))
    file = HardshipFile.objects.create(union=union, person=person, opened_on=date(2026, 3, 2))
    facts = {"applied_on": date(2026, 3, 2), "cause": "ILLNESS", "labour_months": 60} | facts
    case = HardshipCase.objects.create(file=file, union=union, membership=membership, state=state, **facts)
    for place, (relation, each) in enumerate([("SELF", name), *kin]):
        text = own if relation == "SELF" else number(sequence + 300 * place)
        one = HouseholdPerson.objects.create(
            case=case, person=person if relation == "SELF" else None, kin=relation, name=each, id_number=text,
            id_masked=identity.mask_number(text), sex="M", born_on=identity.born_of(text), situation="ILL",
        )  # fmt: skip
        if relation == "SELF":
            Income.objects.create(case=case, of=one, kind="WAGE", amount=Decimal(wage))
        if authorised:
            authorise(one)
    return case


def authorise(person):
    return Consent.objects.create(
        case=person.case, of=person, kind="CHECK", text_version="2026-1", text="—", given_at=timezone.now()
    )


def matched(case, by):
    """Give everybody in the case a result of today without difference; whoever had not authorised it does."""
    today = timezone.localdate()
    request = MatchRequest.objects.create(
        union=case.union, purpose="APPLICATION", state="ANSWERED", asked_by=by, issued_on=today,
        valid_until=today + timedelta(days=180),
    )  # fmt: skip
    for person in case.people.all():
        consent = person.consents.filter(kind="CHECK", withdrawn_at=None).first() or authorise(person)
        asked = MatchPerson.objects.create(request=request, person=person, consent=consent)
        MatchAnswer.objects.create(asked=asked, request=request, result="MATCH")

"""Decisions: a case's figures judged under the policy of its day, kept, and replayed at any time.

A decision keeps the figures, the policy and the verdict. Replaying judges the kept figures again under the kept policy,
and compares the kept figures with the rows that they were made of; a difference is an alarm.
"""

import json
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max

from assistance.eligibility import EXPENSES, Household, Policy, classify
from assistance.models import Decision, HardshipCase, HardshipStep
from assistance.policy import policy_on, standard_for

AMOUNTS = ("income", "standard", "loss")


@dataclass(frozen=True)
class Fault:
    """One difference that a replay found: `what` is verdict, category, per_capita, figures or standard."""

    decision: int
    what: str
    kept: str
    found: str


def household_of(case, standard):
    """Return the `Household` figures of a case (its people, incomes and expenses fetched) with a standard in yuan."""
    people, incomes, expenses = case.people.all(), case.incomes.all(), case.expenses.all()
    spent = dict.fromkeys(EXPENSES, Decimal(0))
    for each in expenses:
        spent[each.kind.lower()] += each.amount
    return Household(
        income=sum((each.amount for each in incomes), Decimal(0)),
        size=len(people),
        standard=standard,
        expenses=spent,
        event=case.event,
        loss=case.event_loss,
        migrant=case.migrant,
        resident=case.resident,
        labour_months=case.labour_months,
        member=case.membership_id is not None,
        flags=tuple(case.flags),
    )


def judge(case):
    """Return (verdict, household, policy, standard) as of the day of application. Raises CannotClassify."""
    standard = standard_for(case.union, case.applied_on)
    household, policy = household_of(case, standard.amount), policy_on(case.applied_on)
    return classify(household, policy), household, policy, standard


def decide(case, *, move, by):
    """Judge the case, keep the decision, and set the case's category and net income; returns the Decision.

    Call it from a move, which saves the case. Raises CannotClassify.
    """
    verdict, household, policy, standard = judge(case)
    case.category, case.per_capita = verdict.category, verdict.shown
    return Decision.objects.create(
        case=case, by=by, move=move, on=case.applied_on, standard=standard, figures=as_json(household),
        policy=policy.as_json(), category=verdict.category, per_capita=str(verdict.per_capita), shown=verdict.shown,
        explanation=verdict.explanation,
    )  # fmt: skip


def as_json(household):
    """The figures as JSON: amounts as text, nothing that names anybody."""
    facts = {name: getattr(household, name) for name in household.__dataclass_fields__}
    facts |= {name: f"{facts[name]:f}" for name in AMOUNTS}
    facts["expenses"] = {kind: f"{amount:f}" for kind, amount in household.expenses.items()}
    return facts | {"flags": list(household.flags)}


def from_json(figures):
    """The `Household` that `as_json` wrote."""
    facts = figures | {name: Decimal(figures[name]) for name in AMOUNTS}
    facts["expenses"] = {kind: Decimal(amount) for kind, amount in figures["expenses"].items()}
    return Household(**facts | {"flags": tuple(figures["flags"])})


def replay(decisions=None, *, chunk=1000):
    """Judge `decisions` (a queryset, all by default) again and yield a `Fault` for each difference.

    Only the last decision of a case is compared with the rows, and only while no review was begun after it: then the
    rows are made ready for the next decision.
    """
    rows = (Decision.objects.all() if decisions is None else decisions).select_related("standard").order_by("pk")
    last = 0
    while found := list(rows.filter(pk__gt=last)[:chunk]):
        last = found[-1].pk
        newest = {}
        for decision in Decision.objects.filter(case__in={each.case_id for each in found}).order_by("pk"):
            newest[decision.case_id] = decision.pk
        steps = HardshipStep.objects.filter(case__in=newest, move="start_review").order_by()
        reopened = dict(steps.values_list("case_id").annotate(last=Max("at")))
        cases = HardshipCase.objects.prefetch_related("people", "incomes", "expenses")
        cases = {case.pk: case for case in cases.filter(pk__in=newest)}
        for decision in found:
            stands = newest[decision.case_id] == decision.pk
            changed = decision.case_id in reopened and reopened[decision.case_id] > decision.at
            yield from _faults(decision, cases[decision.case_id] if stands and not changed else None)


def _faults(decision, case):
    household = from_json(decision.figures)
    verdict = classify(household, Policy.from_json(decision.policy))
    pairs = [
        ("category", decision.category, verdict.category),
        ("per_capita", decision.per_capita, str(verdict.per_capita)),
        ("shown", str(decision.shown), str(verdict.shown)),
        ("explanation", decision.explanation, verdict.explanation),
        ("standard", str(decision.standard.amount), f"{household.standard:f}"),
    ]
    if case is not None:
        found = as_json(household_of(case, household.standard))
        pairs.append(("figures", _text(decision.figures), _text(found)))
    return [Fault(decision.pk, what, kept, found) for what, kept, found in pairs if kept != found]


def _text(figures):
    """The figures in one order of their names: PostgreSQL keeps them in its own."""
    return json.dumps(figures, sort_keys=True, ensure_ascii=False)

"""An invented household: 赵建国, his wife 钱芳 and a child, entered by the action."""

from datetime import date
from decimal import Decimal

from assistance import households
from assistance.households import AmountRow, PersonRow
from members import identity
from tests.members.people import QIAN, member, number

CHILD = number(5, born="20160301")
FACTS = {"applied_on": date(2026, 3, 2), "cause": "ILLNESS", "labour_months": 60}


def person(kin="SPOUSE", name="钱芳", id_number=QIAN, situation="JOBLESS", **facts):
    return PersonRow(kin, name, situation, identity.check_number(id_number) if id_number else None, **facts)


def own(name="赵建国", **facts):
    return person("SELF", name, "", "WORKING", **facts)


def three():
    return [own(), person(), person("CHILD", "赵小宝", CHILD, "STUDENT")]


def household(union, by=None, *, membership=None, facts=(), people=None, incomes=None, expenses=None):
    """Enter the household of a new member 赵建国 of `union`, or of `membership`, and return the case."""
    return households.apply(
        by=by,
        membership=membership or member(union, phone="13800131234", residence="青年路18号"),
        facts=FACTS | dict(facts),
        people=three() if people is None else people,
        incomes=[AmountRow(0, "WAGE", Decimal("36000.50"), "工资条")] if incomes is None else incomes,
        expenses=[AmountRow(1, "MEDICAL", Decimal(12000))] if expenses is None else expenses,
    )


def rewritten(case, by=None, *, facts=(), people=None, incomes=(), expenses=()):
    """Change the household with these lists, at the version that is stored."""
    case.refresh_from_db()
    return households.change(
        case, by=by, version=case.version, facts=dict(facts), people=people or three(), incomes=list(incomes),
        expenses=list(expenses),
    )  # fmt: skip

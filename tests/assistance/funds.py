"""Money for the tests: rules, a source with budgets, filed households with an account, and who asks, approves, pays."""

from datetime import date
from decimal import Decimal

from django.utils import timezone

from assistance import money
from assistance.models import AidKind, FundKind, FundRule, Grant, PayMethod
from core.models import User
from tests.builders import hardship_case_at
from unions.models import Appointment

ACCOUNT = "6222020200012345678"


def officer(name, role, union):
    """A user with one role at one union."""
    user = User.objects.create(username=name, name=name)
    Appointment.objects.create(user=user, union=union, role=role, valid_from=date(2020, 1, 1))
    return user


def rule(kind="LIVING", per_time="3000", per_year="6000", fund=FundKind.UNION_OWN, **facts):
    return FundRule.objects.create(
        fund_kind=fund, aid_kind=kind, per_time=per_time and Decimal(per_time), per_year=per_year and Decimal(per_year),
        **facts,
    )  # fmt: skip


def source(union, amount="10000", kind=FundKind.UNION_OWN, name="送温暖资金", year=None):
    year = year or timezone.localdate().year
    return money.add_source(by=None, union=union, kind=kind, year=year, name=name, amount=Decimal(amount))


def budget(union, amount="10000", aid_kind=AidKind.LIVING, **facts):
    """A source with all of its money in one budget, and the rule that permits it."""
    made = source(union, amount, **facts)
    FundRule.objects.filter(fund_kind=made.kind, aid_kind=aid_kind).exists() or rule(aid_kind, fund=made.kind)
    return money.allot(made, by=None, aid_kind=aid_kind, amount=Decimal(amount))


def household(union, **facts):
    """A filed case with an account; `facts` are laid over it."""
    case = hardship_case_at(union)
    case.bank_name, case.bank_account, case.bank_last4 = "工商银行", ACCOUNT, ACCOUNT[-4:]
    for name, value in facts.items():
        setattr(case, name, value)
    case.save()
    return case


def ask(case, budget, amount="1000", method=PayMethod.BANK, by=None, **facts):
    return money.ask(by=by, case=case, of=case.applicant, budget=budget, amount=Decimal(amount), method=method, **facts)


def approved(case, budget, amount="1000", method=PayMethod.BANK, by=None):
    return ask(case, budget, amount, method).make_move("approve", by=by)


def in_batch(grants, by=None, method=PayMethod.BANK):
    source = grants[0].budget.source
    return money.make_batch(by=by, source=source, method=method, keys=[each.pk for each in grants])


def paid(case, budget, amount="1000"):
    grant = approved(case, budget, amount, PayMethod.IN_KIND)
    money.send(in_batch([grant], method=PayMethod.IN_KIND), by=None)
    money.hand_out(Grant.objects.get(pk=grant.pk), by=None, signed_by="本人")
    return Grant.objects.get(pk=grant.pk)

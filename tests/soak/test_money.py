"""Eight cashiers and approvers at once on the same little money: nothing overdrawn by a fen, nobody paid twice.

`make soak` lets them work for two minutes on PostgreSQL; the suite for ten seconds (SOAK_SECONDS), on both databases.
"""

import os
import random
import threading
import time
import traceback
from collections import Counter
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, connections
from django.db.models import Sum

from assistance import bank_files, ledger, money
from assistance.bank_files import Answered
from assistance.models import Budget, FundRule, Grant, HardshipCase, LedgerEntry, PaymentBatch, PayMethod, ReturnLine
from assistance.models.money import BatchState
from core.conflicts import Conflict
from tests.assistance import funds
from tests.members import invariants

OFFICERS = 8
SECONDS = int(os.environ.get("SOAK_SECONDS", "10"))
PLACES = ("enterprise", "sibling", "neighbour_enterprise", "street", "other_street")
AMOUNTS = ("0.01", "33.33", "100", "499.99", "700")

pytestmark = pytest.mark.django_db(transaction=True)


class Officer(threading.Thread):
    """One officer: asks, approves and pays in turns until the time is up; a refusal is an answer, all else a defect."""

    def __init__(self, seed, users, until):
        super().__init__()
        self.random, self.until = random.Random(seed), until
        self.asker, self.approver, self.cashier = users
        self.done, self.refused, self.defects = Counter(), Counter(), []

    def run(self):
        acts = [self.ask, self.ask, self.approve, self.approve, self.refuse, self.batch, self.send, self.answer,
                self.settle, self.hand_out, self.reverse, self.move_money]  # fmt: skip
        try:
            while time.monotonic() < self.until:
                act = self.random.choice(acts)
                try:
                    if act() is not False:
                        self.done[act.__name__] += 1
                except (ValidationError, PermissionDenied, Conflict):
                    self.refused[act.__name__] += 1
                except Exception:  # every other one is what the soak is looking for
                    self.defects.append(f"{act.__name__}: {traceback.format_exc()}")
        finally:
            connections.close_all()

    def any_of(self, rows):
        keys = list(rows.order_by().values_list("pk", flat=True))
        return rows.model.objects.get(pk=self.random.choice(keys)) if keys else None

    def ask(self):
        case, budget = self.any_of(HardshipCase.objects.all()), self.any_of(Budget.objects.all())
        method = self.random.choice(PayMethod.values)
        funds.ask(case, budget, self.random.choice(AMOUNTS), method, by=self.asker)

    def made(self, state, name, by, **facts):
        grant = self.any_of(Grant.objects.filter(state=state))
        return grant.make_move(name, by=by, **facts) if grant else False

    def approve(self):
        return self.made("ASKED", "approve", self.approver)

    def refuse(self):
        return self.made("APPROVED", "refuse", self.approver, reason="材料不符")

    def reverse(self):
        return self.made("PAID", "reverse", self.cashier, reason="退回")

    def batch(self):
        grant = self.any_of(Grant.objects.filter(state="APPROVED"))
        if grant is None:
            return False
        source = grant.budget.source
        keys = list(money.payable(source, grant.method).values_list("pk", flat=True)[:5])
        return money.make_batch(by=self.cashier, source=source, method=grant.method, keys=keys)

    def send(self):
        batch = self.any_of(PaymentBatch.objects.filter(state=BatchState.OPEN))
        return money.send(batch, by=self.cashier) if batch else False

    def answer(self):
        batch = self.any_of(PaymentBatch.objects.filter(state=BatchState.SENT, method=PayMethod.BANK))
        if batch is None:
            return False
        lines = [
            Answered(row, grant.reference, grant.amount, self.random.choice([True, True, False, None]), "")
            for row, grant in enumerate(batch.grants.order_by("pk"), start=2)
        ]
        lines = [*lines, *lines[:1]][self.random.choice([0, 0, 1]) :]
        digest = bank_files.digest(repr(lines).encode())
        money.take_return(batch, lines, digest, by=self.cashier)
        money.take_return(batch, lines, digest, by=self.cashier)
        return None

    def settle(self):
        line = self.any_of(ReturnLine.objects.filter(settled_at=None).exclude(verdict="PAID"))
        if line is None:
            return False
        return money.settle(
            line, by=self.cashier, outcome=self.random.choice(["PAID", "FAILED", "NOTED"]), reason="核对"
        )

    def hand_out(self):
        grant = self.any_of(Grant.objects.filter(state="IN_BATCH", method=PayMethod.IN_KIND))
        return money.hand_out(grant, by=self.cashier, signed_by="本人") if grant else False

    def move_money(self):
        budget = self.any_of(Budget.objects.all())
        amount = Decimal(self.random.choice(["-50", "50", "-0.01"]))
        return money.allot(budget.source, by=None, aid_kind=budget.aid_kind, amount=amount)


def test_eight_cashiers_and_approvers_at_once(tree, capsys):
    for fund, kind in (("UNION_OWN", "LIVING"), ("UNION_OWN", "MEDICAL"), ("CITY", "LIVING")):
        funds.rule(kind, "1000", "1500", fund=fund)
    own, city = funds.source(tree.city, "6000"), funds.source(tree.city, "1000", "CITY", "市财政")
    for source, kind, amount in ((own, "LIVING", "3000"), (own, "MEDICAL", "1500"), (city, "LIVING", "900")):
        money.allot(source, by=None, aid_kind=kind, amount=Decimal(amount))
    for where in PLACES:
        funds.household(getattr(tree, where))
    until = time.monotonic() + SECONDS
    officers = []
    for seed in range(OFFICERS):
        roles = ("cadre", "city_approver", "cashier")
        users = [funds.officer(f"{role}{seed}", role, tree.city) for role in roles]
        officers.append(Officer(seed, users, until))
    for officer in officers:
        officer.start()
    for officer in officers:
        officer.join(SECONDS + 120)
        assert not officer.is_alive(), "an officer waits for ever"
    done, refused = (sum((getattr(officer, name) for officer in officers), Counter()) for name in ("done", "refused"))
    with capsys.disabled():
        print(f"\n{connection.vendor}, {SECONDS} s: done {dict(done)}, refused {dict(refused)}")  # noqa: T201
    defects = [defect for officer in officers for defect in officer.defects]
    assert not defects, "\n\n".join(defects)
    assert set(done + refused) >= {"ask", "approve", "batch", "send", "move_money"}, "some act was never tried"
    assert list(ledger.faults()) == []
    paid = Grant.objects.filter(state="PAID").aggregate(sum=Sum("amount", default=Decimal(0)))["sum"]
    entries = LedgerEntry.objects.filter(kind__in=("PAY", "REVERSAL"))
    assert -entries.aggregate(sum=Sum("amount", default=Decimal(0)))["sum"] == paid
    for batch in PaymentBatch.objects.exclude(file_sha256=""):
        assert bank_files.digest(money.bank_file(batch, by=None)) == batch.file_sha256
    for rule in FundRule.objects.all():
        held = Grant.objects.filter(state__in=("APPROVED", "IN_BATCH", "PAID"), budget__source__kind=rule.fund_kind)
        for row in held.values("id_index").annotate(sum=Sum("amount")):
            assert row["sum"] <= rule.per_year
    invariants.check_trail()

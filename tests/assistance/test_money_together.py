"""Money when several act at once, and in any order: the last yuan, a killed worker, the ledger as a state machine."""

import os
import threading
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from assistance import ledger, money
from assistance.models import Budget, Grant, PaymentBatch
from core.cases import MoveRefused
from tests.assistance import funds
from tests.assistance.funds import ask, household


@pytest.mark.django_db(transaction=True)
def test_two_approvers_on_the_last_yuan(tree):
    budget = funds.budget(tree.city, "1.00")
    grants = [ask(household(union), budget, "1.00", "IN_KIND") for union in (tree.enterprise, tree.sibling)]
    approvers = [funds.officer(f"approver{n}", "city_approver", tree.city) for n in range(2)]
    barrier, outcomes = threading.Barrier(2), []

    def approve(grant, user):
        barrier.wait()
        try:
            outcomes.append(grant.make_move("approve", by=user).state)
        except MoveRefused as refusal:
            outcomes.append(" ".join(refusal.messages))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=approve, args=pair) for pair in zip(grants, approvers, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcome == "APPROVED" for outcome in outcomes) == [False, True], outcomes
    assert Budget.objects.get().left == 0
    assert list(ledger.faults()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_worker_leaves_no_half_batch(tree, after):
    budget = funds.budget(tree.city)
    places = (tree.enterprise, tree.sibling, tree.street)
    grants = [funds.approved(household(union), budget, "100") for union in places]
    connections.close_all()
    child = os.fork()
    if not child:  # a process of its own, killed as a power cut would: no rollback, no clean-up
        moves = []
        real = Grant.make_move

        def counted(grant, *args, **kwargs):
            if len(moves) == after:
                os._exit(9)
            moves.append(grant)
            return real(grant, *args, **kwargs)

        Grant.make_move = counted
        try:
            funds.in_batch(grants)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not PaymentBatch.objects.exists()
    assert set(Grant.objects.values_list("state", flat=True)) == {"APPROVED"}
    assert money.total(funds.in_batch(grants)) == 300
    assert list(ledger.faults()) == []


AMOUNT = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("60"), places=2)


class Ledger(RuleBasedStateMachine):
    """Any acts in any order against one budget of 100 yuan, beside a plain reckoning of what must be left."""

    def __init__(self):
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.budget = funds.budget(self.city, "100")
        self.case = household(self.enterprise)
        self.free, self.grants = Decimal(100), {}

    def teardown(self):
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def those(self, *states):
        return [key for key, (_amount, state) in self.grants.items() if state in states]

    def pick(self, data, *states):
        keys = self.those(*states)
        return Grant.objects.get(pk=data.draw(st.sampled_from(keys))) if keys else None

    @rule(amount=AMOUNT)
    def ask(self, amount):
        if amount > self.free:
            with pytest.raises(ValidationError, match="money left"):
                ask(self.case, self.budget, str(amount), "IN_KIND")
            return
        self.grants[ask(self.case, self.budget, str(amount), "IN_KIND").pk] = (amount, "ASKED")

    def move(self, grant, name, state, change, **facts):
        amount = self.grants[grant.pk][0]
        if self.free + change * amount < 0:
            with pytest.raises(MoveRefused):
                grant.make_move(name, by=None, **facts)
            return
        grant.make_move(name, by=None, **facts)
        self.free += change * amount
        self.grants[grant.pk] = (amount, state)

    @rule(data=st.data())
    def approve(self, data):
        if grant := self.pick(data, "ASKED"):
            self.move(grant, "approve", "APPROVED", -1)

    @rule(data=st.data())
    def refuse(self, data):
        if grant := self.pick(data, "ASKED", "APPROVED"):
            self.move(grant, "refuse", "REFUSED", grant.state == "APPROVED", reason="不符")

    @rule(data=st.data(), paid=st.booleans())
    def pay(self, data, paid):
        if grant := self.pick(data, "APPROVED"):
            money.send(funds.in_batch([grant], method="IN_KIND"), by=None)
            grant.refresh_from_db()
            facts = {"signed_by": "本人"} if paid else {"reason": "外出"}
            money.hand_out(grant, by=None, **facts)
            amount = self.grants[grant.pk][0]
            self.grants[grant.pk] = (amount, "PAID" if paid else "FAILED")
            self.free += 0 if paid else amount

    @rule(data=st.data())
    def reverse(self, data):
        if grant := self.pick(data, "PAID"):
            self.move(grant, "reverse", "REVERSED", 1, reason="退回")

    @rule(amount=AMOUNT)
    def take_back(self, amount):
        if amount > self.free:
            with pytest.raises(MoveRefused):
                money.allot(self.budget.source, by=None, aid_kind="LIVING", amount=-amount)
        else:
            money.allot(self.budget.source, by=None, aid_kind="LIVING", amount=-amount)
            self.free -= amount

    @invariant()
    def what_is_left_is_right(self):
        assert Budget.objects.get(pk=self.budget.pk).left == self.free >= 0
        assert list(ledger.faults()) == []


@pytest.mark.django_db
def test_the_ledger_stands_any_order_of_acts(tree):
    machine = type("Machine", (Ledger,), {"city": tree.city, "enterprise": tree.enterprise})
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=12, deadline=None))

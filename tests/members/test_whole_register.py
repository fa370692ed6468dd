"""Whatever order of enrolling, moving, transferring, merging, importing and taking back: it holds together."""

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core import imports
from core.models import ImportBatch
from core.models.imports import BatchState
from members import actions, merging, transfers
from members.models import Membership, Person, PersonMerge, Transfer, TransferSide
from tests.cast import plant_tree
from tests.members import invariants, registers
from tests.members.moves import facts_of
from tests.members.people import number

PLACES = ("enterprise", "sibling", "neighbour_enterprise", "street")
PEOPLE = [(name, number(index + 1, born=f"198{index}0307")) for index, name in enumerate(["安小明", "柏秀英", "常〇"])]
ANY = st.integers(0, 10**6)


class Register(RuleBasedStateMachine):
    """A few people in a few unions; each step is one act, and a refused act changes nothing."""

    folder = None  # where registers to import are written

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.tree = plant_tree()

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def do(self, act, *args, **kwargs):
        try:
            with transaction.atomic():
                act(*args, **kwargs)
        except ValidationError:
            pass

    def one(self, rows, pick):
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        return rows.model.objects.get(pk=keys[pick % len(keys)]) if keys else None

    @rule(place=st.sampled_from(PLACES), who=st.sampled_from(PEOPLE))
    def enrol(self, place, who):
        self.do(actions.enrol, by=None, union=getattr(self.tree, place), name=who[0], id_number=who[1])

    @rule(place=st.sampled_from(PLACES), pick=ANY, side=st.sampled_from(TransferSide.values))
    def ask(self, place, pick, side):
        if membership := self.one(Membership.objects.all(), pick):
            to_union = getattr(self.tree, place)
            self.do(transfers.ask_transfer, by=None, membership=membership, to_union=to_union, side=side)

    @rule(pick=ANY)
    def ask_outside(self, pick):
        if membership := self.one(Membership.objects.all(), pick):
            self.do(transfers.ask_transfer, by=None, membership=membership, to_name="外地工会", side=TransferSide.FROM)

    @rule(pick=ANY, move=st.sampled_from([move.name for move in Transfer.MOVES if move.permission]))
    def answer(self, pick, move):
        if transfer := self.one(Transfer.objects.all(), pick):
            self.do(transfer.make_move, move, by=None, reason="核对后答复")

    @rule(pick=ANY, move=st.sampled_from([move.name for move in Membership.MOVES if move.permission]))
    def move(self, pick, move):
        if membership := self.one(Membership.objects.all(), pick):
            self.do(membership.make_move, move, by=None, reason="本人书面申请", **facts_of(move))

    @rule(pick=ANY, other=ANY, stays=st.booleans())
    def merge(self, pick, other, stays):
        kept, absorbed = self.one(Person.objects.all(), pick), self.one(Person.objects.all(), other)
        if kept and kept != absorbed:
            open_one = (kept if stays else absorbed).memberships.open().first()
            self.do(
                merging.merge, by=None, kept=kept, absorbed=absorbed, choices={}, open_membership=open_one,
                reason="同一人登记两次",
            )  # fmt: skip

    @rule(pick=ANY)
    def undo_merge(self, pick):
        if merge := self.one(PersonMerge.objects.all(), pick):
            self.do(merging.undo_merge, by=None, merge=merge)

    @rule(rows=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PLACES)), min_size=1, max_size=3))
    def import_(self, rows):
        lines = [
            registers.row(name, id_number, union=getattr(self.tree, place).code) for (name, id_number), place in rows
        ]
        registers.import_(self.folder, lines, by=self.by)

    @rule(pick=ANY)
    def undo_import(self, pick):
        if batch := self.one(ImportBatch.objects.filter(state=BatchState.COMMITTED), pick):
            imports.ask_undo(batch, by=self.by)
            batch.refresh_from_db()
            imports.undo(batch)

    @invariant()
    def holds_together(self):
        invariants.check_register()


@pytest.mark.django_db
def test_whatever_the_order_the_register_holds_together(tmp_path, root):
    Register.folder, Register.by = tmp_path, root
    run = Register.TestCase()
    run.settings = settings(
        max_examples=25, stateful_step_count=15, deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )  # fmt: skip
    run.runTest()

"""Eight officers at once on the same few people: nothing doubled, nothing lost, nobody waits for ever.

`make soak` lets them work for two minutes on PostgreSQL; the suite for ten seconds (SOAK_SECONDS), on both databases.
"""

import os
import random
import threading
import time
import traceback
from collections import Counter
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, connections

from core import imports
from core.conflicts import Conflict
from core.models import ImportBatch
from core.models.imports import BatchState
from members import actions, merging, transfers
from members.models import Membership, Person, PersonMerge, Transfer, TransferSide
from tests import cast
from tests.members import invariants, registers
from tests.members.moves import facts_of
from tests.members.people import number
from unions.models import Appointment

OFFICERS = 8
PEOPLE = 40
SECONDS = int(os.environ.get("SOAK_SECONDS", "10"))
UNIONS = ("enterprise", "sibling", "neighbour_enterprise")
SURNAMES, GIVEN = "赵钱孙李周吴郑王", ("建国", "秀英", "小明", "志强", "丽华")

pytestmark = pytest.mark.django_db(transaction=True)


def person(index):
    """The name and number of one of the few people everybody works on."""
    return SURNAMES[index % 8] + GIVEN[index % 5], number(index + 1, born=f"19{70 + index % 30}0101")


class Officer(threading.Thread):
    """One officer: does whatever comes to mind until the time is up; a refusal is an answer, anything else a defect."""

    def __init__(self, seed, user, tree, folder, until):
        super().__init__()
        self.random = random.Random(seed)
        self.user, self.tree, self.folder, self.until = user, tree, folder / str(seed), until
        self.done, self.refused, self.defects = Counter(), Counter(), []

    def run(self):
        self.folder.mkdir()
        acts = [
            self.enrol,
            self.ask,
            self.answer,
            self.move,
            self.merge,
            self.undo_merge,
            self.import_,
            self.undo_import,
        ]
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

    def union(self):
        return getattr(self.tree, self.random.choice(UNIONS))

    def any_of(self, rows):
        """One of `rows` at random, or None: also when an import taken back meanwhile took it along."""
        keys = list(rows.order_by().values_list("pk", flat=True))
        return rows.model.objects.filter(pk=self.random.choice(keys)).first() if keys else None

    def enrol(self):
        name, id_number = person(self.random.randrange(PEOPLE))
        actions.enrol(by=self.user, union=self.union(), name=name, id_number=id_number)

    def ask(self):
        membership = self.any_of(Membership.objects.open())
        if membership is None:
            return False
        side = self.random.choice(TransferSide.values)
        transfers.ask_transfer(by=self.user, membership=membership, to_union=self.union(), side=side)
        return None

    def answer(self):
        transfer = self.any_of(Transfer.objects.open())
        if transfer is None:
            return False
        move = self.random.choice(["accept", "accept", "reject", "cancel"])
        transfer.make_move(move, by=self.user, reason="核对后答复")
        return None

    def move(self):
        membership = self.any_of(Membership.objects.all())
        if membership is None:
            return False
        offers = [offer.move.name for offer in membership.open_moves(self.user) if not offer.refusal]
        if not offers:
            return False
        name = self.random.choice(offers)
        membership.make_move(name, by=self.user, reason="本人书面申请", **facts_of(name))
        return None

    def merge(self):
        keys = list(Person.objects.filter(merged_into=None).order_by().values_list("pk", flat=True))
        if len(keys) < 2:
            return False
        two = list(Person.objects.filter(pk__in=self.random.sample(keys, 2)))
        if len(two) < 2:  # an import taken back meanwhile took one along
            return False
        kept, absorbed = two
        merging.merge(
            by=self.user, kept=kept, absorbed=absorbed, choices={}, reason="同一人重复登记",
            open_membership=kept.memberships.open().first() or absorbed.memberships.open().first(),
        )  # fmt: skip
        return None

    def undo_merge(self):
        merge = self.any_of(PersonMerge.objects.filter(undone_at=None))
        if merge is None:
            return False
        merging.undo_merge(by=self.user, merge=merge)
        return None

    def import_(self):
        rows = []
        for index in self.random.sample(range(PEOPLE), 10):
            name, id_number = person(index)
            rows.append(registers.row(name, id_number, union=self.union().code))
        registers.import_(self.folder, rows, by=self.user)

    def undo_import(self):
        batch = self.any_of(ImportBatch.objects.filter(state=BatchState.COMMITTED, created_by=self.user))
        if batch is None or not imports.ask_undo(batch, by=self.user):
            return False
        imports.undo(ImportBatch.objects.select_related("undone_by").get(pk=batch.pk))
        return None


def test_eight_officers_at_once(tree, tmp_path, capsys):
    users = [
        cast.invite(key, tree) for key in ("city", "district", "street", "enterprise", "neighbour", "district_staff")
    ]
    users += [cast.invite("approver", tree), cast.invite("auditor", tree)]
    for user in users[-2:]:
        Appointment.objects.create(user=user, union=tree.city, role="cadre", valid_from=date(2020, 1, 1))
        Appointment.objects.create(user=user, union=tree.city, role="union_chair", valid_from=date(2020, 1, 1))
    until = time.monotonic() + SECONDS
    officers = [Officer(seed, user, tree, tmp_path, until) for seed, user in enumerate(users)]
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
    tried = set(done) if SECONDS >= 60 else set(done + refused)  # in a short run on a busy machine luck decides
    assert tried >= {"enrol", "ask", "answer", "move", "merge", "import_"}, "some act was never tried"
    invariants.check_register()
    invariants.check_trail()

"""The city at a real size, written here at a small one: whole, deterministic, and as the acts would have left it."""

from collections import Counter
from datetime import date
from io import StringIO
from itertools import groupby

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from core import uscc
from core.models import AuditSeal, Deadline, ImportBatch
from core.progress import Progress
from members import actions, city, demo, identity, seeding
from members.city import Fate
from members.models import (
    DuplicatePair,
    Membership,
    MembershipState,
    MembershipStep,
    PairState,
    Person,
    PersonMerge,
    Transfer,
    TransferState,
    TransferStep,
)
from members.pinyin import name_keys
from tests.members import invariants
from tests.members.people import number
from unions.models import Union

SMALL = city.Scale(unions=40, members=600, histories=300, streets=2)
TODAY = date(2026, 11, 21)


@pytest.fixture
def seeded(db, settings, tmp_path, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setitem(city.SCALES, "town", SMALL)
    settings.VAR_DIR = tmp_path
    with django_capture_on_commit_callbacks(execute=True):
        call_command("seed_demo", scale="town", stdout=StringIO())
    return tmp_path / "demo-accounts.txt"


def test_city_is_whole_and_as_the_acts_would_have_left_it(seeded):
    holds_all_that_must_hold_of_a_register()
    only_what_the_tables_of_moves_allow_happened()
    every_state_is_there_with_its_deadlines()


def holds_all_that_must_hold_of_a_register():
    assert Union.objects.count() == SMALL.unions
    assert Person.objects.count() == SMALL.members + SMALL.doubles
    invariants.check_register()
    invariants.check_trail()
    assert AuditSeal.objects.exists()
    for person in Person.objects.all():
        assert identity.check_number(person.id_number).born_on == person.born_on
        assert (person.id_masked, person.id_tail) == (identity.mask_number(person.id_number), person.id_number[-4:])
        assert person.phone_masked == (identity.mask_phone(person.phone) if person.phone else "")
        assert bool(person.phone_index) == bool(person.phone)
        assert {field: getattr(person, field) for field in name_keys("")} == name_keys(person.name)


def only_what_the_tables_of_moves_allow_happened():
    for step_model in (MembershipStep, TransferStep):
        case_model = step_model._meta.get_field("case").related_model
        steps = step_model.objects.order_by("case", "id").select_related("case")
        first = case_model._meta.get_field("state").default
        for case, its_steps in groupby(steps, key=lambda step: step.case):
            state = first
            for step in its_steps:
                move = case_model.move(step.move)
                assert step.source == state
                assert step.source in move.sources
                assert step.target in move.targets
                state = step.target
            assert state == case.state
    merged = [key for pair in PersonMerge.objects.values_list("kept", "absorbed") for key in pair]
    for cases in (Membership.objects.exclude(person__in=merged), Transfer.objects.all()):
        for case in cases.prefetch_related("steps"):
            assert case.version == 1 + len(case.steps.all())


def every_state_is_there_with_its_deadlines():
    assert set(Membership.objects.values_list("state", flat=True)) == set(MembershipState)
    assert set(Transfer.objects.values_list("state", flat=True)) == set(TransferState)
    assert set(DuplicatePair.objects.values_list("state", flat=True)) >= {PairState.OPEN, PairState.MERGED}
    assert {merge.undone_at is None for merge in PersonMerge.objects.all()} == {True, False}
    waiting = Transfer.objects.open()
    open_ones = Deadline.objects.open().filter(subject_type=Transfer._meta.label_lower)
    assert sorted(open_ones.values_list("subject_id", flat=True)) == sorted(waiting.values_list("pk", flat=True))
    for transfer in Transfer.objects.all():
        assert transfer.deadlines.count() == 1 + (transfer.state == TransferState.ESCALATED)
    batches = ImportBatch.objects.all()
    assert sum(batch.counts["outcomes"]["ok"] for batch in batches) == sum(
        Membership.objects.filter(batch=batch).count() for batch in batches
    )


def test_city_can_be_worked_in_at_once(seeded):
    """Keys go on past those that were given, and everybody signs in."""
    accounts = [line.split() for line in seeded.read_text(encoding="utf-8").splitlines()]
    assert [account[0] for account in accounts] == [account[0] for account in demo.ACCOUNTS]
    assert Client().login(username="grassroots", password=accounts[0][1])
    union = Union.objects.order_by("path").last()
    new = actions.enrol(by=None, union=union, name="赵建国", id_number=number(998, born="19500101"))
    assert new.pk > SMALL.members
    assert new.person_id == SMALL.members + SMALL.doubles + 1
    invariants.check_register()
    with pytest.raises(CommandError):
        call_command("seed_demo", scale="town")


@pytest.mark.parametrize("scale", [SMALL, city.SCALES["town"]])
def test_city_is_drawn_alike_on_every_machine(scale):
    plan = city.unions(scale, TODAY)
    assert plan == city.unions(scale, TODAY)
    assert len({union.name for union in plan}) == len({union.code for union in plan}) == len(plan) == scale.unions
    assert all(uscc.is_valid(union.facts["uscc"]) for union in plan)
    first, people = 0, []
    for index, union in enumerate(plan):
        people += city.people(union, first, index, TODAY)
        first += union.size
    assert people[-plan[-1].size :] == list(city.people(plan[-1], first - plan[-1].size, len(plan) - 1, TODAY))
    assert [facts.serial for facts in people] == list(range(scale.members))
    doubles = [city.double_of(facts) for facts in people]
    numbers = [facts.id_number for facts in (*people, *doubles)]
    assert len(set(numbers)) == len(numbers)
    for facts in (*people[:200], *doubles[:200]):
        assert identity.check_number(facts.id_number, TODAY) == identity.Number(
            facts.id_number, facts.sex, facts.born_on
        )
        assert facts.joined_on is None or facts.born_on < facts.joined_on <= TODAY
    stories = [city.story_of(facts.serial, len(plan) - 1, scale, TODAY) for facts in people]
    told = Counter(story.fate for story in stories if story)
    assert told.total() == scale.histories
    assert told[Fate.MOVED] > told[Fate.EXPELLED]


def test_a_seeding_that_is_cut_short_leaves_nothing(db, settings, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError("No space left on device")

    settings.VAR_DIR = tmp_path
    monkeypatch.setitem(city.SCALES, "town", SMALL)
    monkeypatch.setattr(seeding._Register, "_merge", full)
    with pytest.raises(OSError, match="No space"):
        call_command("seed_demo", scale="town", stdout=StringIO())
    assert not Union.objects.exists()
    assert not Person.objects.exists()
    assert not (tmp_path / "demo-accounts.txt").exists()


class Stream(StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def write(self, text, ending="\n"):
        return super().write(text + ending)


def test_progress_is_a_bar_on_a_terminal_and_few_lines_elsewhere():
    bar, lines = Stream(True), Stream(False)
    for out in (bar, lines):
        progress = Progress(out, 1000)
        for done in range(1, 1001):
            progress(done)
    assert bar.getvalue().count("\r") == 200
    assert bar.getvalue().count("\n") == 1
    assert "[##############################]" in bar.getvalue()
    assert len(lines.getvalue().splitlines()) == 10
    assert "1,000 / 1,000" in lines.getvalue()

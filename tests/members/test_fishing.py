"""Whoever tries numbers of people out of sight learns little and is seen; a union that was left sees no numbers."""

from datetime import date

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation

from core import exports, imports, jobs
from core.examination import examine
from core.models import AuditEvent, Finding, ImportBatch
from members import actions, reorganising, transfers
from members.models import Person, Transfer
from tests.core.test_exports import table_of
from tests.members import registers
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number
from tests.members.test_grid import check, row, sheet

MASKED = "138****1234"
ADD, GRID = "/members/add/", "/members/grid/"


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    """A member of the neighbours, whom the officer of the enterprise does not see."""
    return member(tree.neighbour_enterprise, phone=PHONE, residence=RESIDENCE)


@pytest.fixture(autouse=True)
def _forgotten():
    """What the grid has told lately is forgotten between tests."""
    cache.clear()


def met():
    """Return [(who, target, people)] of the events that say that somebody out of sight was met."""
    events = AuditEvent.objects.filter(verb="members.meet_elsewhere").order_by("id")
    assert not any(ZHAO in str(vars(event)) or "赵" in str(vars(event)) for event in events)
    return [(event.actor_name, int(event.target_id), event.changes["people"][1]) for event in events]


def withdrawn(membership, on=date(2024, 1, 1)):
    return membership.make_move("withdraw", by=None, requested_on=on, on=on)


def test_the_checkup_tells_of_a_phone_within_the_union_only(tree, zhao):
    member(tree.enterprise, name="钱伟", id_number=QIAN, phone=PHONE)
    examine(tree.city, today=date(2026, 11, 20))
    assert not Finding.objects.filter(code="SAME_PHONE").exists()
    member(tree.enterprise, name="孙丽", id_number=number(3), phone=PHONE)
    examine(tree.city, today=date(2026, 11, 20))
    found = Finding.objects.filter(code="SAME_PHONE")
    assert [finding.union for finding in found] == [tree.enterprise] * 2


# --- Trying numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["赵建国", "王小明"])
def test_a_number_out_of_sight_that_is_refused_leaves_an_event(tree, zhao, enterprise, name):
    with pytest.raises(ValidationError):
        actions.enrol(by=enterprise, union=tree.enterprise, name=name, id_number=ZHAO)
    assert met() == [(str(enterprise), tree.enterprise.pk, 1)]


def test_the_form_that_refuses_leaves_the_event(tree, zhao, enterprise, client_of):
    client_of(enterprise).post(ADD, {"union": tree.enterprise.code, "name": "赵建国", "id_number": ZHAO})
    assert met() == [(str(enterprise), tree.enterprise.pk, 1)]


def test_the_dead_out_of_sight_are_no_oracle(tree, zhao, enterprise):
    zhao.make_move("record_death", by=None, on=date(2024, 1, 1))
    with pytest.raises(ValidationError):
        actions.enrol(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    assert len(met()) == 1


def test_people_in_sight_and_unknown_ones_leave_none(tree, zhao, city, enterprise):
    member(tree.enterprise, name="钱芳", id_number=QIAN)
    for by, id_number in ((city, ZHAO), (enterprise, QIAN)):
        with pytest.raises(ValidationError):
            actions.enrol(by=by, union=tree.enterprise, name="赵建国", id_number=id_number)
    actions.enrol(by=enterprise, union=tree.enterprise, name="孙立", id_number=number(9))
    assert met() == []


def test_a_former_member_who_is_elsewhere_now_is_out_of_sight(tree, enterprise):
    withdrawn(member(tree.enterprise))
    member(tree.neighbour_enterprise, joined_on=date(2025, 1, 1))
    with pytest.raises(ValidationError):
        actions.enrol(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    assert len(met()) == 1


def test_the_grid_that_says_so_while_typing_leaves_one_event(tree, zhao, enterprise, client_of):
    member(tree.other_street, name="钱芳", id_number=QIAN)
    clerk = client_of(enterprise)
    rows = row(), row("钱芳", QIAN), row("孙立", number(9))
    for _look in range(3):
        check(clerk, tree.enterprise, *rows)
    clerk.post(GRID, sheet(tree.enterprise, *rows[:2]))
    assert met() == [(str(enterprise), tree.enterprise.pk, 2)]


def test_a_register_that_tells_of_people_out_of_sight_leaves_one_event(tree, zhao, enterprise, city, tmp_path):
    member(tree.enterprise, name="孙立", id_number=number(9))
    member(tree.other_street, name="钱芳", id_number=QIAN)
    rows = registers.row("赵建国", ZHAO), registers.row("王小明", QIAN), registers.row("孙立", number(9))
    for by in (enterprise, city):  # who sees them all meets nobody new
        batch = ImportBatch.objects.create(
            kind="members", file_name="名册.csv", sha256="0" * 64, created_by=by, union=tree.enterprise
        )
        imports.read(batch, registers.write(tmp_path, rows))
    event = AuditEvent.objects.get(verb="members.meet_elsewhere")
    assert (event.actor_name, event.union_id, event.changes["people"]) == (
        str(enterprise), tree.enterprise.pk, [None, 2],
    )  # fmt: skip
    assert ZHAO not in str(vars(event))


def test_a_row_that_cannot_be_asked_for_leaves_the_event(tree, zhao, enterprise, tmp_path):
    batch = ImportBatch.objects.create(kind="members", file_name="名册.csv", sha256="0" * 64, created_by=enterprise)
    imports.read(batch, registers.write(tmp_path, [registers.row("赵建国", ZHAO)]))
    before = len(met())
    transfers.ask_transfer(by=None, membership=zhao, to_union=tree.sibling, side="FROM")
    with pytest.raises(ValidationError):
        transfers.ask_for_row(by=enterprise, batch=batch, row=2)
    assert len(met()) == before + 1


def test_asking_at_once_for_somebody_out_of_sight_is_no_oracle(tree, zhao, enterprise, client_of):
    facts = {"union": tree.enterprise.code, "name": "赵建国", "id_number": ZHAO, "at_once": "1"}
    client_of(enterprise).post(reverse("transfer_ask"), facts)
    assert not Transfer.objects.exists()
    assert met() == [(str(enterprise), tree.enterprise.pk, 1)]


def test_a_transfer_under_way_elsewhere_is_no_oracle(tree, zhao, enterprise):
    transfers.ask_transfer(by=None, membership=zhao, to_union=tree.sibling, side="FROM")
    with pytest.raises(ValidationError):
        transfers.ask_by_number(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    assert len(met()) == 1


def test_the_wrong_name_tells_nothing_and_leaves_nothing(tree, zhao, enterprise):
    said = []
    for id_number in (ZHAO, QIAN):
        with pytest.raises(ValidationError) as refusal:
            transfers.ask_by_number(by=enterprise, union=tree.enterprise, name="王小明", id_number=id_number)
        said.append(refusal.value.messages)
    assert said[0] == said[1]
    assert met() == []


def test_a_transfer_that_was_let_lapse_names_no_union_out_of_sight(tree, zhao, enterprise, client_of):
    transfer = transfers.ask_by_number(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    reorganising.dissolve(tree.neighbour_enterprise, by=None, on=date(2026, 11, 21), fate="RETAIN")
    page = client_of(enterprise).get(reverse("transfer_page", args=[transfer.pk])).content.decode()
    assert tree.neighbour_enterprise.name not in page


# --- A union that was left ------------------------------------------------------------------------------------


def test_numbers_of_an_ended_membership_are_not_shown(tree, enterprise, client_of):
    left = withdrawn(member(tree.enterprise, phone=PHONE))
    with pytest.raises(ValidationError):
        actions.reveal(left, by=enterprise, reason="核对")
    client = client_of(enterprise)
    page = client.post(reverse("member_reveal", args=[left.pk]), {"reason": "核对"}).content.decode()
    assert ZHAO not in page
    assert "This membership has ended" in page
    assert not AuditEvent.objects.filter(verb="members.reveal_membership").exists()
    page = client.get(reverse("member_page", args=[left.pk])).content.decode()
    assert reverse("member_reveal", args=[left.pk]) not in page


def test_an_export_in_clear_masks_those_who_left(tree, enterprise):
    withdrawn(member(tree.enterprise, phone=PHONE))
    member(tree.enterprise, name="钱芳", id_number=QIAN, phone="13900001111")
    export = exports.ask("members", by=enterprise, query="state=every&columns=*", purpose="年度统计", clear=True)
    jobs.run_now(export.job)
    export.refresh_from_db()
    text = str(table_of(export))
    assert [number in text for number in (QIAN, "13900001111", ZHAO, PHONE)] == [True, True, False, False]
    assert MASKED not in text


def test_no_phone_is_shown_to_a_union_that_was_left(tree, enterprise, root, client_of):
    left = withdrawn(member(tree.enterprise, phone=PHONE))
    member(tree.enterprise, name="钱芳", id_number=QIAN, phone="13900001111")
    client = client_of(enterprise)
    listed = client.get(reverse("member_list"), {"state": "every"}).content.decode()
    assert [phone in listed for phone in (MASKED, "139****1111")] == [False, True]
    assert MASKED not in client.get(reverse("member_page", args=[left.pk])).content.decode()
    change = reverse("admin:members_membership_change", args=[left.pk])
    assert MASKED not in client_of(root).get(change).content.decode()
    export = exports.ask("members", by=enterprise, query="state=every&columns=*", purpose="年度统计")
    jobs.run_now(export.job)
    export.refresh_from_db()
    assert MASKED not in str(table_of(export))


def test_the_former_union_does_not_vouch_for_the_person(tree, enterprise, client_of):
    left = withdrawn(member(tree.enterprise))
    client_of(enterprise).post(reverse("member_verify", args=[left.pk]))
    assert Person.objects.get().verified_on is None

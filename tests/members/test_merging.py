"""Merging two records of one person: nothing lost, taken back row for row, decided once, by who keeps both."""

import threading

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.urls import reverse

from core.models import AuditEvent
from members import actions, candidates, merging, transfers
from members.models import (
    DuplicatePair,
    Membership,
    MembershipState,
    NameSuffix,
    PairState,
    Person,
    PersonMerge,
    TransferSide,
)
from tests.members import invariants, registers
from tests.members.people import PHONE, RESIDENCE, member, number

ONE, OTHER = number(1, born="19850307"), number(3, born="19850307")  # one digit apart
SLIP = number(1, born="19850317")
pytestmark = pytest.mark.django_db


def rows():
    """Every row that a merge may touch, as it lies in the database."""
    tables = (Person, NameSuffix, Membership)
    return {model: list(model.objects.order_by("pk").values_list()) for model in tables}


@pytest.fixture
def twice(tree, django_capture_on_commit_callbacks):
    """One person entered at two unions of one street: (record of the enterprise, record of its sibling)."""
    with django_capture_on_commit_callbacks(execute=True):
        first = member(tree.enterprise, "堃小明", ONE, phone=PHONE, post="钳工")
        second = member(tree.sibling, "堃小明", SLIP, phone=PHONE, residence=RESIDENCE, education="BACHELOR")
    return first.person, second.person


def merge(twice, by=None, **kwargs):
    kept, absorbed = twice
    kwargs = {"choices": {}, "reason": "同一人登记两次"} | kwargs
    return merging.merge(by=by, kept=kept, absorbed=absorbed, **kwargs)


def test_entering_somebody_twice_is_found_on_the_way_in(twice):
    pair = DuplicatePair.objects.get()
    assert {pair.first, pair.second} == set(twice)
    assert {"NUMBER_ONE_APART", "SAME_NAME", "SAME_PHONE"} <= set(pair.reasons)


def test_a_merge_loses_nothing_and_takes_what_is_chosen(twice, tree, street):
    kept, absorbed = twice
    merged = merge(twice, by=street, choices={"residence": merging.ABSORBED})
    kept.refresh_from_db()
    assert (kept.id_number, kept.phone, kept.residence, kept.education) == (ONE, PHONE, RESIDENCE, "BACHELOR")
    assert list(kept.memberships.order_by("pk").values_list("union", "state")) == [
        (tree.enterprise.pk, MembershipState.ACTIVE),
        (tree.sibling.pk, MembershipState.TRANSFERRED),
    ]
    absorbed.refresh_from_db()
    assert absorbed.merged_into == kept
    assert DuplicatePair.objects.get().state == PairState.MERGED
    assert merged.union == tree.enterprise
    event = AuditEvent.objects.get(verb="members.merge_person")
    assert "堃" not in str(event.changes)
    assert ONE not in str(event.changes)
    invariants.check_register()


def test_the_same_union_twice_ends_as_entered_twice(tree, street):
    first, second = member(tree.enterprise, "堃小明", ONE), member(tree.enterprise, "堃小明", SLIP)
    merge((first.person, second.person), by=street)
    second.refresh_from_db()
    assert second.state == MembershipState.DUPLICATE
    assert Membership.objects.open().filter(union=tree.enterprise).count() == 1
    assert type(tree.enterprise).objects.with_members().get(pk=tree.enterprise.pk).members == 1


def test_choosing_the_other_number_keeps_the_record_that_has_it(twice, street):
    merge(twice, by=street, choices={"id_number": merging.ABSORBED})
    twice[0].refresh_from_db()
    assert twice[0].merged_into == twice[1]


def test_a_merge_is_taken_back_row_for_row(twice, street):
    before = rows()
    merged = merge(twice, by=street)
    assert rows() != before
    merging.undo_merge(by=street, merge=merged)
    assert rows() == before
    assert DuplicatePair.objects.get().state == PairState.OPEN
    with pytest.raises(ValidationError, match="已经撤销"):
        merging.undo_merge(by=street, merge=merged)


def test_a_merge_stays_when_somebody_changed_the_person_since_and_says_so(twice, street):
    merged = merge(twice, by=street)
    membership = Membership.objects.open().get(person=twice[0])
    actions.change_membership(membership, by=street, version=membership.version, changes={"post": "焊工"})
    with pytest.raises(ValidationError, match="此人的信息又有修改"):
        merging.undo_merge(by=street, merge=merged)
    assert Person.objects.get(pk=twice[1].pk).merged_into == twice[0]


def test_the_permission_is_needed_on_both(twice, tree, enterprise, neighbour, street):
    for somebody in (enterprise, neighbour):
        with pytest.raises(PermissionDenied):
            merge(twice, by=somebody)
    merged = merge(twice, by=street)
    with pytest.raises(PermissionDenied):
        merging.undo_merge(by=enterprise, merge=merged)


@pytest.mark.parametrize("who", ["kept", "absorbed"])
def test_an_open_transfer_is_settled_first(twice, tree, street, who):
    membership = twice[who == "absorbed"].memberships.get()
    transfers.ask_transfer(by=None, membership=membership, to_union=tree.neighbour_enterprise, side=TransferSide.FROM)
    with pytest.raises(ValidationError, match="正在办理"):
        merge(twice, by=street)


def test_the_number_given_up_still_leads_to_the_person(twice, tree, street, tmp_path):
    merge(twice, by=street)
    with pytest.raises(ValidationError, match="已在本工会"):
        actions.enrol(by=street, union=tree.enterprise, name="堃小明", id_number=SLIP)
    line = registers.row("堃小明", SLIP, union=tree.enterprise.code, phone=PHONE, joined_on="2020-05-01", employment="")
    assert registers.import_(tmp_path, [line], by=street) == [["ALREADY_MEMBER"]]
    assert Person.objects.count() == 2


def test_two_people_stay_two(twice, street, enterprise):
    pair = DuplicatePair.objects.get()
    with pytest.raises(PermissionDenied):
        merging.differ(by=enterprise, pair=pair)
    merging.differ(by=street, pair=pair)
    candidates.find_for([person.pk for person in twice], by=None)
    assert DuplicatePair.objects.get().state == PairState.NOT_SAME
    with pytest.raises(ValidationError, match="已有人处理"):
        merging.differ(by=street, pair=pair)
    merging.reconsider(by=street, pair=pair)
    assert DuplicatePair.objects.get().state == PairState.OPEN


def test_merging_three_records_and_taking_them_apart_in_turn(tree, street):
    people = [member(tree.enterprise, "堃小明", text).person for text in (ONE, SLIP, OTHER)]
    before = rows()
    first = merge(people[1:], by=street)
    second = merge((people[0], people[1]), by=street)
    assert set(people[0].absorbed.values_list("pk", flat=True)) == {people[1].pk, people[2].pk}
    invariants.check_register()
    with pytest.raises(ValidationError, match="又被合并"):
        merging.undo_merge(by=street, merge=first)
    merging.undo_merge(by=street, merge=second)
    merging.undo_merge(by=street, merge=first)
    assert rows() == before


# --- Pages ----------------------------------------------------------------------------------------------------------


def test_the_pages_lead_from_the_queue_to_a_merge_and_back(twice, client_of, street):
    client, pair = client_of(street), DuplicatePair.objects.get()
    assert pair.first.id_masked in client.get(reverse("pair_list")).content.decode()
    page = client.get(reverse("pair_page", args=[pair.pk])).content.decode()
    assert ONE not in page
    assert PHONE not in page
    answer = client.post(reverse("pair_merge", args=[pair.pk]), {"reason": ""})
    assert answer.status_code == 200
    assert PersonMerge.objects.count() == 0
    chosen = {
        "id_number": "kept", "residence": "absorbed", "education": "absorbed", "reason": "核对身份证",
        "open_membership": twice[1].memberships.get().pk,
    }  # fmt: skip
    answer = client.post(reverse("pair_merge", args=[pair.pk]), chosen)
    merged = PersonMerge.objects.get()
    assert answer.url == reverse("merge_page", args=[merged.pk])
    assert Membership.objects.open().get(person=twice[0]).pk == chosen["open_membership"]
    client.post(reverse("merge_undo", args=[merged.pk]))
    merged.refresh_from_db()
    assert merged.undone_at
    client.post(reverse("pair_differ", args=[pair.pk]))
    pair.refresh_from_db()
    assert pair.state == PairState.NOT_SAME


def test_an_officer_names_a_second_record(tree, client_of, street, enterprise):
    here, there = member(tree.enterprise, "安某", ONE), member(tree.sibling, "完全不同", number(8))
    assert not DuplicatePair.objects.exists()
    address = reverse("pair_suspect", args=[here.pk])
    answer = client_of(enterprise).post(address, {"id_number": number(8)})
    assert answer.status_code == 200  # out of this officer's sight: not told that it exists
    assert not DuplicatePair.objects.exists()
    client_of(street).post(address, {"id_number": number(8)})
    pair = DuplicatePair.objects.get()
    assert "NOTICED" in pair.reasons
    candidates.find_for([here.person_id, there.person_id], by=None)
    assert DuplicatePair.objects.filter(pk=pair.pk).exists()


# --- At once --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_officers_merge_the_same_pair_and_one_does(twice, street, district):
    barrier, refused, broken = threading.Barrier(2), [], []

    def act(by):
        try:
            barrier.wait()
            merge(twice if by == street else twice[::-1], by=by)
        except ValidationError as refusal:
            refused.append(refusal)
        except Exception as error:  # a deadlock, a broken constraint
            broken.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=[by]) for by in (street, district)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (broken, len(refused)) == ([], 1)
    assert PersonMerge.objects.count() == 1
    invariants.check_register()

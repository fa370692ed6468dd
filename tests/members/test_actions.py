"""Enrolling, changing and revealing: what is stored, what is refused with which sentence, and what the trail keeps."""

import threading
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, connections
from django.utils import timezone, translation

from core.conflicts import Conflict
from core.models import AuditEvent
from members import actions
from members.models import Membership, MembershipState, Person
from tests import cast
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number

TODAY = timezone.localdate


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def refusal(call, *args, **kwargs):
    """Return the {field: [sentences]} that the call is refused with."""
    with pytest.raises(ValidationError) as caught:
        call(*args, **kwargs)
    return caught.value.message_dict


def end(membership, state=MembershipState.WITHDRAWN, on=date(2024, 1, 1)):
    membership.state, membership.ended_on = state, on
    membership.save()
    return membership


# --- Enrolling ---------------------------------------------------------------------------------------------


def test_enrol_stores_the_person_sealed_and_the_facts_that_the_number_gives(tree, enterprise):
    membership = actions.enrol(
        by=enterprise, union=tree.enterprise, name=" 赵 建国 ", id_number=" 210400198503070017 ",
        phone="+86 138-0013-1234", residence=RESIDENCE, joined_on=date(2020, 5, 1), post="钳工",
    )  # fmt: skip
    person = Person.objects.get()
    assert (person.name, person.sex, person.born_on) == ("赵建国", "M", date(1985, 3, 7))
    assert (person.id_number, person.phone, person.residence) == (ZHAO, PHONE, RESIDENCE)
    assert (person.id_masked, person.phone_masked) == ("2104**********0017", "138****1234")
    assert (membership.union, membership.state, membership.post) == (tree.enterprise, "ACTIVE", "钳工")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM members_person")
        row = str(cursor.fetchall())
    assert ZHAO not in row
    assert PHONE not in row
    assert RESIDENCE not in row


def test_enrol_writes_one_event_without_sealed_values(tree, enterprise):
    membership = actions.enrol(
        by=enterprise,
        union=tree.enterprise,
        name="赵建国",
        id_number=ZHAO,
        phone=PHONE,
        residence=RESIDENCE,
        post="钳工",
    )
    event = AuditEvent.objects.get(verb="members.enrol_membership")
    assert (event.actor_id, event.target_label, event.target_id) == (
        enterprise.pk,
        "members.Membership",
        str(membership.pk),
    )
    assert event.union_id == tree.enterprise.pk
    assert event.changes == {"phone": ["changed"], "residence": ["changed"], "post": ["", "钳工"]}


def test_enrol_knows_the_permit_of_hong_kong_residents_by_its_number(tree):
    assert member(tree.enterprise, id_number="810000198902022012").person.document_kind == "HMT_RESIDENCE"


def test_enrol_at_a_union_of_others_is_refused(tree, enterprise):
    with pytest.raises(PermissionDenied):
        actions.enrol(by=enterprise, union=tree.sibling, name="赵建国", id_number=ZHAO)
    assert not Person.objects.exists()


def test_enrol_refuses_a_wrong_number(tree):
    assert list(refusal(member, tree.enterprise, id_number="210400198503070018")) == ["id_number"]


def test_enrol_refuses_a_member_of_the_same_union(tree, enterprise):
    member(tree.enterprise)
    assert refusal(actions.enrol, by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO) == {
        "id_number": ["This person is on the roll of this union already."]
    }


def test_enrol_refuses_the_number_of_another_name_without_telling_it(tree, enterprise):
    member(tree.enterprise)
    assert refusal(actions.enrol, by=enterprise, union=tree.enterprise, name="钱芳", id_number=ZHAO) == {
        "id_number": ["This identity number is recorded with another name: check both against the card."]
    }


def test_enrol_of_a_member_elsewhere_names_the_union_to_those_who_see_it(tree, street):
    member(tree.sibling)
    assert refusal(actions.enrol, by=street, union=tree.enterprise, name="赵建国", id_number=ZHAO) == {
        "id_number": ["This person is a member of 云河恒通电子有限公司工会: a transfer is needed."]
    }


def test_enrol_of_a_member_elsewhere_does_not_name_a_union_out_of_scope(tree, enterprise):
    member(tree.neighbour_enterprise)
    assert refusal(actions.enrol, by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO) == {
        "id_number": ["This person is a member of another union: a transfer is needed."]
    }


def test_enrol_refuses_the_deceased(tree):
    person = end(member(tree.enterprise), MembershipState.DECEASED).person
    person.deceased_on = date(2024, 1, 1)
    person.save()
    assert refusal(member, tree.sibling) == {
        "id_number": ["This person is recorded as deceased and cannot be enrolled."]
    }


def test_enrol_of_somebody_who_left_begins_a_new_membership_and_keeps_what_is_not_given(tree):
    old = end(member(tree.enterprise, phone=PHONE, ethnicity="汉族"))
    new = member(tree.sibling, ethnicity="满族", joined_on=date(2025, 1, 1))
    assert new.pk != old.pk
    assert new.person_id == old.person_id
    person = Person.objects.get()
    assert (person.phone, person.ethnicity) == (PHONE, "满族")


@pytest.mark.parametrize("joined_on", ["tomorrow", date(1985, 3, 6)])
def test_enrol_refuses_a_joining_date_that_cannot_be(tree, joined_on):
    day = TODAY() + timedelta(days=1) if joined_on == "tomorrow" else joined_on
    assert list(refusal(member, tree.enterprise, joined_on=day)) == ["joined_on"]


def test_enrol_refuses_a_choice_that_does_not_exist(tree):
    assert list(refusal(member, tree.enterprise, employment="SLAVE")) == ["employment"]
    assert not Person.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_officers_enrolling_one_person_at_once_one_wins_and_one_is_told():
    tree = cast.plant_tree()
    start = threading.Barrier(4)
    outcomes = []

    def enrol(union, known):
        translation.activate("en")  # each thread has a language of its own
        start.wait()
        try:
            member(union, id_number=known)
            outcomes.append("enrolled")
        except ValidationError as error:
            outcomes.append(error.message_dict["id_number"][0])
        finally:
            connections.close_all()

    for round_ in range(5):
        outcomes.clear()
        known = number(round_)
        unions = [tree.enterprise, tree.enterprise, tree.sibling, tree.sibling]
        threads = [threading.Thread(target=enrol, args=(union, known)) for union in unions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        union = (
            Membership.objects.select_related("union").get(person__id_masked=known[:4] + "*" * 10 + known[-4:]).union
        )
        assert sorted(outcomes) == sorted(
            [
                "enrolled",
                "This person is on the roll of this union already.",
                *[f"This person is a member of {union.name}: a transfer is needed."] * 2,
            ]
        )


# --- Changing ----------------------------------------------------------------------------------------------


def test_change_stores_facts_of_person_and_membership_and_tells_which(tree, enterprise):
    membership = member(tree.enterprise, phone=PHONE)
    changed = actions.change_membership(
        membership, by=enterprise, version=1, changes={"name": "赵建邦", "post": "焊工", "phone": "13900131234"}
    )
    assert (changed.person.name, changed.post, changed.version) == ("赵建邦", "焊工", 2)
    assert (changed.person.phone, changed.person.phone_masked) == ("13900131234", "139****1234")
    event = AuditEvent.objects.get(verb="members.change_membership")
    assert event.changes == {"name": ["赵建国", "赵建邦"], "phone": ["changed"], "post": ["", "焊工"]}


def test_change_that_changes_nothing_writes_nothing(tree, enterprise):
    membership = member(tree.enterprise, post="焊工")
    assert actions.change_membership(membership, by=enterprise, version=1, changes={"post": "焊工"}).version == 1
    assert not AuditEvent.objects.filter(verb="members.change_membership").exists()


def test_change_can_empty_a_phone(tree, enterprise):
    membership = member(tree.enterprise, phone=PHONE)
    person = actions.change_membership(membership, by=enterprise, version=1, changes={"phone": ""}).person
    person.refresh_from_db()
    assert (person.phone, person.phone_index, person.phone_masked) == ("", "", "")


def test_change_of_a_row_that_somebody_else_changed_is_a_conflict(tree, enterprise, street):
    membership = member(tree.enterprise)
    actions.change_membership(membership, by=street, version=1, changes={"post": "焊工"})
    with pytest.raises(Conflict) as caught:
        actions.change_membership(membership, by=enterprise, version=1, changes={"post": "钳工"})
    assert (caught.value.current.post, caught.value.current.version) == ("焊工", 2)


def test_change_of_an_ended_membership_is_refused(tree, enterprise):
    membership = end(member(tree.enterprise))
    with pytest.raises(ValidationError, match="has ended"):
        actions.change_membership(membership, by=enterprise, version=1, changes={"post": "钳工"})


def test_change_by_others_is_refused(tree, neighbour, auditor):
    membership = member(tree.enterprise)
    for user in (neighbour, auditor):
        with pytest.raises(PermissionDenied):
            actions.change_membership(membership, by=user, version=1, changes={"post": "钳工"})


def test_correcting_the_number_takes_sex_and_birth_date_along_and_is_an_event_of_its_own(tree, enterprise):
    membership = member(tree.enterprise)
    actions.change_membership(
        membership, by=enterprise, version=1, changes={"id_number": QIAN}, reason="录入时看错证件"
    )
    person = Person.objects.get()
    assert (person.id_number, person.id_masked) == (QIAN, "2104**********0029")
    assert (person.sex, person.born_on) == ("F", date(1992, 2, 29))
    event = AuditEvent.objects.get(verb="members.correct_number")
    assert event.reason == "录入时看错证件"
    assert event.changes == {
        "id_number": ["changed"], "sex": ["M", "F"], "born_on": ["1985-03-07", "1992-02-29"]
    }  # fmt: skip
    assert refusal(member, tree.sibling, id_number=QIAN)  # found under the new number
    assert member(tree.sibling, name="孙立", id_number=ZHAO).pk  # and no longer under the old one


def test_correcting_the_number_needs_a_reason(tree, enterprise):
    membership = member(tree.enterprise)
    assert list(
        refusal(actions.change_membership, membership, by=enterprise, version=1, changes={"id_number": QIAN})
    ) == ["reason"]


def test_correcting_the_number_to_another_persons_is_refused(tree, enterprise):
    membership = member(tree.enterprise)
    member(tree.sibling, name="钱芳", id_number=QIAN)
    assert refusal(
        actions.change_membership, membership, by=enterprise, version=1, changes={"id_number": QIAN}, reason="录入错误"
    ) == {"id_number": ["This identity number belongs to another person already."]}


# --- Revealing ---------------------------------------------------------------------------------------------


def test_reveal_gives_clear_values_and_writes_down_who_and_why(tree, enterprise):
    membership = member(tree.enterprise, phone=PHONE, residence=RESIDENCE)
    clear = actions.reveal(membership, by=enterprise, reason="核对入会申请表")
    assert clear == {"id_number": ZHAO, "phone": PHONE, "residence": RESIDENCE}
    event = AuditEvent.objects.get(verb="members.reveal_membership")
    assert (event.actor_id, event.target_id, event.reason) == (enterprise.pk, str(membership.pk), "核对入会申请表")
    assert event.changes == {}


@pytest.mark.parametrize("reason", ["", "   ", f"查 {ZHAO}", f"打电话 {PHONE}"])
def test_reveal_without_a_proper_reason_is_refused(tree, enterprise, reason):
    membership = member(tree.enterprise)
    assert list(refusal(actions.reveal, membership, by=enterprise, reason=reason)) == ["reason"]
    assert not AuditEvent.objects.filter(verb="members.reveal_membership").exists()


def test_reveal_is_refused_to_those_who_may_only_see(tree, auditor, neighbour):
    membership = member(tree.enterprise)
    for user in (auditor, neighbour):
        with pytest.raises(PermissionDenied):
            actions.reveal(membership, by=user, reason="好奇")

"""Enrolling somebody by a number whose record is just being merged: the person is found where it went."""

import threading
import time

import pytest
from django.db import connection, connections, transaction

from core.models import Setting
from members import actions, merging
from members.models import Membership, Person
from tests.members import invariants, registers
from tests.members.people import member, number

KEPT, GIVEN_UP = number(1, born="19850307"), number(1, born="19850317")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_whoever_is_enrolled_while_a_merge_is_made_joins_the_record_kept(tree, city):
    kept = member(tree.enterprise, "堃小明", KEPT)
    absorbed = member(tree.sibling, "堃小明", GIVEN_UP)
    for membership in (kept, absorbed):
        day = membership.joined_on
        membership.make_move("withdraw", by=None, requested_on=day, on=day)
    broken = []

    def enrol():
        try:
            actions.enrol(
                by=city, union=tree.neighbour_enterprise, name="堃小明", id_number=GIVEN_UP, phone="13800131234"
            )
        except Exception as error:
            broken.append(error)
        finally:
            connections.close_all()

    officer = threading.Thread(target=enrol)
    with transaction.atomic():
        merging.merge(by=city, kept=kept.person, absorbed=absorbed.person, choices={}, reason="同一人登记两次")
        officer.start()
        time.sleep(0.8)  # the officer has looked the number up by now, and waits for the merge
    officer.join()
    assert broken == []
    assert Person.objects.get(pk=absorbed.person_id).merged_into == kept.person
    assert Membership.objects.open().get().person == kept.person
    assert Person.objects.get(pk=kept.person_id).phone == "13800131234"
    invariants.check_register()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_a_register_stored_while_a_merge_is_made_joins_the_record_kept(tree, city, tmp_path):
    kept = member(tree.enterprise, "堃小明", KEPT)
    absorbed = member(tree.sibling, "堃小明", GIVEN_UP)
    for membership in (kept, absorbed):
        day = membership.joined_on
        membership.make_move("withdraw", by=None, requested_on=day, on=day)
    broken = []

    def store():
        try:
            rows = [registers.row("堃小明", GIVEN_UP, union=tree.neighbour_enterprise.code, joined_on="2024-05-01")]
            registers.import_(tmp_path, rows, by=city)
        except Exception as error:
            broken.append(error)
        finally:
            connections.close_all()

    officer = threading.Thread(target=store)
    with transaction.atomic():
        merging.merge(by=city, kept=kept.person, absorbed=absorbed.person, choices={}, reason="同一人登记两次")
        officer.start()
        time.sleep(2)
    officer.join()
    assert broken == []
    assert Membership.objects.open().get().person == kept.person
    invariants.check_register()


@pytest.mark.django_db(transaction=True)
def test_a_look_for_duplicates_that_fails_undoes_no_enrolment(tree):
    Setting.objects.filter(key="duplicate_threshold").delete()  # the look ends in a LookupError
    member(tree.enterprise, "堃小明", KEPT)
    member(tree.sibling, "堃小明", GIVEN_UP)
    assert Membership.objects.count() == 2

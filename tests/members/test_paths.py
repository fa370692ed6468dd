"""The copy of the union's path on a membership is right however the membership or the union is written."""

import threading
import time
from datetime import date

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from core import bulk
from members import reorganising
from members.models import Membership
from tests.members.invariants import check_paths
from tests.members.people import QIAN, member
from unions.models import Union


@pytest.fixture
def membership(tree):
    return member(tree.enterprise)


def path(membership):
    return Membership.objects.values_list("path", flat=True).get(pk=membership.pk)


def test_a_member_stands_where_the_union_stands(membership, tree):
    assert path(membership) == tree.enterprise.path
    assert Membership.objects.below(tree.street).get() == membership
    assert not Membership.objects.below(tree.other_district).exists()


def test_members_go_with_a_union_that_moves(membership, tree, city):
    other = member(tree.neighbour_enterprise, "钱秀英", QIAN)
    reorganising.move(tree.street, by=city, to=tree.other_district, on=timezone.localdate())
    assert path(membership).startswith(tree.other_district.path)
    assert path(other) == tree.neighbour_enterprise.path
    check_paths()


def test_a_row_saved_whole_from_before_the_move_does_no_harm(membership, tree, city):
    stale = Membership.objects.get(pk=membership.pk)
    reorganising.move(tree.street, by=city, to=tree.other_district, on=timezone.localdate())
    stale.department = "一车间"
    stale.save()
    check_paths()


def test_rows_written_in_bulk_and_given_to_another_union(membership, tree):
    person = membership.person
    facts = {"person": person, "union": tree.sibling, "state": "WITHDRAWN", "ended_on": date(2021, 1, 1)}
    Membership.objects.bulk_create([Membership(**facts), Membership(**facts)])
    names = ["person", "union", "state", "ended_on", "migrant_worker", "model_worker", "version", "created_at", "path"]
    names += ["department", "post", "skill_level", "employment", "occupation_group", "employment_state", "card_no"]
    names += ["dues_standard", "notes", "state_before"]
    rest = (False, False, 1, timezone.now(), *[""] * 11)
    bulk.insert(Membership, names, [(person.pk, tree.sibling.pk, "WITHDRAWN", date(2021, 1, 1), *rest)])
    check_paths()
    Membership.objects.filter(union=tree.sibling).update(union=tree.neighbour_enterprise)
    assert Membership.objects.below(tree.other_district).count() == 3
    check_paths()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
@pytest.mark.parametrize("first", ["enrolment", "move"])
def test_whoever_is_enrolled_while_the_union_moves_goes_along(tree, city, first):
    acts = {
        "enrolment": lambda: member(Union.objects.get(pk=tree.enterprise.pk)),
        "move": lambda: reorganising.move(tree.street, by=city, to=tree.other_district, on=timezone.localdate()),
    }
    broken = []

    def second():
        try:
            acts["move" if first == "enrolment" else "enrolment"]()
        except Exception as error:
            broken.append(error)
        finally:
            connections.close_all()

    officer = threading.Thread(target=second)
    with transaction.atomic():
        acts[first]()
        officer.start()
        time.sleep(0.5)  # the second waits for the first by now
    officer.join()
    assert broken == []
    assert Membership.objects.below(tree.other_district).count() == 1
    check_paths()

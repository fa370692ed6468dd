"""The look-up «begins with»: the same rows on both databases, and an index behind it."""

import pytest
from django.db import connection

from members.models import Person
from tests.members.people import member, number

NAMES = ["赵", "赵建国", "赵建邦", "赵%", "赵_国", "Zhao\\1", "zhao", "䶮", "𬭎一"]


@pytest.fixture
def people(tree):
    for sequence, name in enumerate(NAMES):
        Person.objects.filter(pk=member(tree.enterprise, id_number=number(sequence)).person_id).update(name=name)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("赵", ["赵", "赵%", "赵_国", "赵建国", "赵建邦"]),
        ("赵建", ["赵建国", "赵建邦"]),
        ("赵%", ["赵%"]),
        ("赵_", ["赵_国"]),
        ("Zhao\\", ["Zhao\\1"]),
        ("z", ["zhao"]),
        ("𬭎", ["𬭎一"]),
        ("建", []),
    ],
)
def test_prefix_finds_what_begins_with_the_text(people, typed, found):
    assert sorted(Person.objects.filter(name__prefix=typed).values_list("name", flat=True)) == sorted(found)


def test_prefix_is_served_by_the_index_of_the_name(people):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Person.objects.filter(name__prefix="赵建").order_by().values("name").explain()
    assert "members_person_name_" in plan, plan
    assert ("Index Cond" if connection.vendor == "postgresql" else "SEARCH") in plan, plan

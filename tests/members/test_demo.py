"""The demo: the size it promises, the same on every machine, with accounts that can sign in."""

from collections import Counter
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from core import uscc
from core.models import Deadline
from members import demo, identity
from members.models import Membership, Person
from unions.models import Union, UnionKind
from unions.terms import Term, TermState


@pytest.fixture
def seeded(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    call_command("seed_demo", stdout=StringIO())
    return tmp_path / "demo-accounts.txt"


def test_demo_has_the_size_it_promises_and_accounts_that_sign_in(seeded):
    kinds = Counter(Union.objects.values_list("kind", flat=True))
    assert kinds[UnionKind.CITY_FED] == 1
    assert kinds[UnionKind.DISTRICT_FED] == 7
    assert sum(kinds[kind] for kind in (UnionKind.STREET, UnionKind.TOWNSHIP, UnionKind.PARK)) == 35
    assert Union.objects.count() == 403
    assert 5500 < Membership.objects.count() < 7500
    terms = Deadline.objects.open().filter(subject_type="unions.committee")
    assert terms.count() == sum(union.committee is not None for union in Union.objects.all())
    accounts = [line.split() for line in seeded.read_text(encoding="utf-8").splitlines()]
    assert [account[0] for account in accounts] == [account[0] for account in demo.ACCOUNTS]
    assert seeded.stat().st_mode & 0o077 == 0
    for username, password, *_rest in accounts:
        assert Client().login(username=username, password=password)


def test_demo_is_refused_where_unions_are(seeded):
    with pytest.raises(CommandError):
        call_command("seed_demo")


def test_demo_is_drawn_alike_on_every_machine_and_from_today():
    first, again = demo.demo_unions(date(2026, 11, 21)), demo.demo_unions(date(2026, 11, 21))
    assert first == again
    later = demo.demo_unions(date(2027, 2, 1))
    assert [union.name for union in later] == [union.name for union in first]
    assert len({union.name for union in first}) == len({union.code for union in first}) == len(first)


@pytest.mark.parametrize("today", [date(2026, 11, 21), date(2028, 2, 29)])
def test_demo_numbers_are_well_formed_and_its_terms_of_every_state(today):
    unions = demo.demo_unions(today)
    assert all(uscc.is_valid(union.facts["uscc"]) for union in unions)
    ends = [
        date(union.elected_on.year + union.term_years, union.elected_on.month, 28) if union.elected_on else None
        for union in unions
    ]
    assert {Term(end, today).state for end in ends} == set(TermState)
    for index, union in enumerate(unions[40:60]):
        for one in demo.demo_people(index, union, today):
            assert identity.check_number(one["id_number"], today).born_on == one["born_on"]
            assert one["born_on"] < one["joined_on"] <= today


def test_demo_opens_what_it_seals(seeded):
    person = Person.objects.order_by("pk").first()
    assert identity.mask_number(person.id_number) == person.id_masked
    assert person.memberships.get().joined_on <= timezone.localdate()

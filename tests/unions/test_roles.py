"""Reach: rows, objects and roles say the same for everybody."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone

from core.models import DeadlineRule, User
from core.scope import Reach, reach, visible_or_404
from tests import cast
from unions.models import Appointment, Committee, Officer, Union
from unions.roles import EVERY_PERMISSION, GRANTS, ROLE_CHOICES

EVERYBODY = list(cast.PEOPLE)


@pytest.fixture
def everybody(tree):
    return {key: cast.invite(key, tree) for key in EVERYBODY}


@pytest.fixture
def committees(tree):
    """A committee and a chair in every union of the tree."""
    for union in Union.objects.all():
        committee = Committee.objects.create(
            union=union, elected_on=date(2024, 5, 1), term_years=5, term_ends_on=date(2029, 5, 1)
        )
        Officer.objects.create(
            committee=committee, uuid=f"{union.pk:032}", position="CHAIR", name="张三", started_on=date(2024, 5, 1)
        )


def test_grants_every_role_has_a_label_a_sentence_and_permissions():
    assert len(GRANTS) == len(ROLE_CHOICES) == 14
    for role in GRANTS.values():
        assert str(role.label)
        assert str(role.sentence).endswith((".", "。"))
        assert role.permissions


def test_grants_three_administrators_see_no_members():
    for key in ("sysadmin", "secadmin", "auditadmin"):
        assert not [perm for perm in GRANTS[key].permissions if perm.startswith("members.")]


def test_visible_to_equals_has_perm_for_every_person_permission_and_object(everybody, committees, root):
    """The one source: a row is listed exactly when its object is permitted."""
    seen = 0
    for user in [*User.objects.all(), AnonymousUser()]:
        for model in (Union, Committee, Officer, Appointment, User):
            rows = list(model.objects.all())
            assert rows
            for perm in EVERY_PERMISSION:
                visible = set(model.objects.visible_to(user, perm).values_list("pk", flat=True))
                permitted = {row.pk for row in rows if user.has_perm(perm, row)}
                assert visible == permitted, (user, perm, model)
                seen += len(visible)
    assert seen > 1000


def test_reach_of_cadre_is_the_own_union_and_all_below_never_siblings(tree, street):
    visible = Union.objects.visible_to(street, "unions.change_union")
    assert list(visible) == [tree.street, tree.enterprise, tree.sibling]


def test_reach_two_appointments_one_below_the_other_is_the_upper_one(tree, street):
    Appointment.objects.create(user=street, union=tree.district, role="cadre", valid_from=date(2020, 1, 1))
    Appointment.objects.create(user=street, union=tree.other_street, role="auditor", valid_from=date(2020, 1, 1))
    assert reach(street, "unions.change_union") == Reach((tree.district.path,))
    assert reach(street, "unions.view_union") == Reach((tree.district.path, tree.other_street.path))


@pytest.mark.parametrize(
    ("facts", "holds"),
    [
        ({}, True),
        ({"valid_to": 0}, True),  # the last day counts
        ({"valid_to": -1}, False),
        ({"valid_from": 0}, True),
        ({"valid_from": 1}, False),
        ({"ended_on": 0}, False),  # taken away: at once
        ({"valid_to": 30, "ended_on": 0}, False),
    ],
)
def test_reach_appointment_holds_in_its_days_only(tree, nobody, facts, holds):
    today = timezone.localdate()
    dates = {"valid_from": date(2020, 1, 1)} | {name: today + timedelta(days) for name, days in facts.items()}
    Appointment.objects.create(user=nobody, union=tree.street, role="cadre", **dates)
    assert nobody.has_perm("unions.change_union", tree.street) is holds
    assert nobody.has_perm("unions.change_union") is holds


def test_reach_inactive_user_has_nothing(tree, street, root):
    for user in (street, root):
        user.is_active = False
        user.save()
        assert not reach(user, "unions.view_union")
        assert not Union.objects.visible_to(user, "unions.view_union").exists()


def test_reach_superuser_has_everything_on_an_empty_tree(root):
    assert reach(root, "unions.add_union") == Reach(everything=True)
    assert root.has_perm("unions.add_union")


def test_has_perm_object_of_no_union_only_from_the_root(tree, city, root, nobody):
    rule = DeadlineRule.objects.first() or DeadlineRule(code="X")
    Appointment.objects.create(user=nobody, union=tree.district, role="standards_keeper", valid_from=date(2020, 1, 1))
    assert city.has_perm("core.change_deadlinerule", rule)
    assert root.has_perm("core.change_deadlinerule", rule)
    assert nobody.has_perm("core.change_deadlinerule")
    assert not nobody.has_perm("core.change_deadlinerule", rule)


def test_accounts_reach_beyond_the_own_hides_the_account(tree, nobody, district, neighbour, street):
    Appointment.objects.create(user=nobody, union=tree.district, role="secadmin", valid_from=date(2020, 1, 1))
    visible = set(User.objects.visible_to(nobody, "core.view_user"))
    assert visible == {nobody, district, street}
    Appointment.objects.create(user=street, union=tree.other_street, role="judge", valid_from=date(2020, 1, 1))
    assert set(User.objects.visible_to(nobody, "core.view_user")) == {nobody, district}


def test_visible_or_404_neighbour_404_own_without_role_403(tree, street, auditor):
    rows = Union.objects.all()
    assert visible_or_404(rows, street, "unions.change_union", pk=tree.enterprise.pk) == tree.enterprise
    with pytest.raises(Http404):
        visible_or_404(rows, street, "unions.change_union", pk=tree.neighbour_enterprise.pk)
    with pytest.raises(PermissionDenied):
        visible_or_404(rows, auditor, "unions.change_union", pk=tree.enterprise.pk)
    with pytest.raises(Http404):
        visible_or_404(rows, street, "unions.change_union", pk=999)

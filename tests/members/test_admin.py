"""Members and people in the admin: in scope, masked, written by the actions, nothing deleted."""

import pytest
from django.urls import reverse
from django.utils import translation

from core.models import AuditEvent, User
from members import actions
from members.models import Membership, Person
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number
from unions.models import Appointment

SECRETS = (ZHAO, PHONE, RESIDENCE)
LIST = "admin:members_membership_changelist"
ADD = "admin:members_membership_add"


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise, phone=PHONE, residence=RESIDENCE)


@pytest.fixture
def clerk(client_of, tree):
    """Signed in: a cadre of the street who also works in the admin."""
    return client_of(staff("clerk", tree.street, "cadre"))


@pytest.fixture
def reader(client_of, tree):
    """Signed in: an auditor who also looks into the admin."""
    return client_of(staff("reader", tree.city, "auditor"))


def staff(username, union, role):
    user = User.objects.create(username=username, is_staff=True)
    Appointment.objects.create(user=user, union=union, role=role, valid_from="2020-01-01")
    return user


def change(membership):
    return reverse("admin:members_membership_change", args=[membership.pk])


def names_in(response):
    return [str(row) for row in response.context["cl"].result_list]


def secrets_in(response):
    return [secret for secret in SECRETS if secret in response.content.decode()]


def form_data(response, **changed):
    """What the admin's form sends when only `changed` was touched."""
    form = response.context["adminform"].form
    data = {}
    for bound in form:
        value = bound.value()
        if value in (None, False):
            continue
        data[bound.html_name] = "on" if value is True else value
        if bound.field.show_hidden_initial:
            data[bound.html_initial_name] = data[bound.html_name]
    return data | changed


def test_lists_show_those_in_scope_masked(tree, clerk, zhao):
    member(tree.neighbour_enterprise, name="孙立", id_number=number(1))
    for url in (reverse(LIST), reverse("admin:members_person_changelist")):
        response = clerk.get(url)
        assert names_in(response) == ["赵建国"]
        assert "2104**********0017" in response.content.decode()
        assert secrets_in(response) == []


@pytest.mark.parametrize(("typed", "names"), [("赵", ["赵建国"]), ("建", []), ("孙", []), ("钱芳", ["钱芳"])])
@pytest.mark.parametrize("model", ["membership", "person"])
def test_search_finds_names_in_scope_from_their_beginning(tree, clerk, zhao, model, typed, names):
    member(tree.sibling, name="钱芳", id_number=QIAN)
    member(tree.neighbour_enterprise, name="孙立", id_number=number(1))
    assert names_in(clerk.get(reverse(f"admin:members_{model}_changelist"), {"q": typed})) == names


def test_pages_of_a_member_show_masks_only(clerk, reader, zhao):
    for client in (clerk, reader):
        for url in (change(zhao), reverse("admin:members_person_change", args=[zhao.person_id])):
            response = client.get(url)
            assert response.status_code == 200
            assert "2104**********0017" in response.content.decode()
            assert secrets_in(response) == []


def test_pages_of_a_foreign_member_are_not_found(tree, clerk):
    sun = member(tree.neighbour_enterprise, name="孙立", id_number=number(1))
    assert clerk.get(change(sun)).status_code == 404
    assert clerk.get(reverse("admin:members_person_change", args=[sun.person_id])).status_code == 404


def test_pages_are_closed_to_those_without_the_role(client_of, tree, zhao):
    client = client_of(staff("keeper", tree.city, "standards_keeper"))
    urls = [reverse(LIST), reverse(ADD), change(zhao), reverse("admin:members_person_changelist")]
    assert [client.get(url).status_code for url in urls] == [403, 403, 403, 403]


def test_the_person_page_shows_memberships_in_scope_only(tree, clerk, zhao):
    zhao.state, zhao.ended_on = "WITHDRAWN", "2024-01-01"
    zhao.save()
    member(tree.neighbour_enterprise)
    text = clerk.get(reverse("admin:members_person_change", args=[zhao.person_id])).content.decode()
    assert tree.enterprise.name in text
    assert tree.neighbour_enterprise.name not in text


def test_adding_enrols_through_the_action(tree, clerk):
    data = form_data(clerk.get(reverse(ADD)), union=tree.enterprise.pk, name="赵建国", id_number=ZHAO, phone=PHONE)
    response = clerk.post(reverse(ADD), data, follow=True)
    membership = Membership.objects.get()
    assert (membership.union, membership.person.id_number, membership.person.phone) == (tree.enterprise, ZHAO, PHONE)
    assert AuditEvent.objects.filter(verb="members.enrol_membership").count() == 1
    assert response.status_code == 200


def test_adding_shows_the_refusal_under_the_field(tree, clerk, zhao):
    data = form_data(clerk.get(reverse(ADD)), union=tree.sibling.pk, name="赵建国", id_number=ZHAO)
    response = clerk.post(reverse(ADD), data)
    assert response.context["adminform"].form.errors == {
        "id_number": [f"This person is a member of {tree.enterprise.name}: a transfer is needed."]
    }


def test_adding_at_a_union_out_of_reach_is_no_choice(tree, clerk):
    data = form_data(clerk.get(reverse(ADD)), union=tree.neighbour_enterprise.pk, name="赵建国", id_number=ZHAO)
    assert [*clerk.post(reverse(ADD), data).context["adminform"].form.errors] == ["union"]
    assert not Person.objects.exists()


def test_changing_goes_through_the_action(clerk, zhao):
    response = clerk.post(change(zhao), form_data(clerk.get(change(zhao)), post="焊工", phone="13900131234"))
    assert response.status_code == 302
    zhao = Membership.objects.get()
    assert (zhao.post, zhao.version, zhao.person.phone, zhao.person.residence) == ("焊工", 2, "13900131234", RESIDENCE)
    assert AuditEvent.objects.get(verb="members.change_membership").changes == {
        "phone": ["changed"], "post": ["", "焊工"]
    }  # fmt: skip


def test_changing_too_late_is_refused_in_words(clerk, street, zhao):
    data = form_data(clerk.get(change(zhao)), post="钳工")
    actions.change_membership(zhao, by=street, version=1, changes={"post": "焊工"})
    response = clerk.post(change(zhao), data)
    assert response.status_code == 200
    assert len(response.context["adminform"].form.non_field_errors()) == 1
    assert Membership.objects.get().post == "焊工"


def test_reading_alone_changes_nothing(reader, zhao):
    assert reader.post(change(zhao), {"post": "焊工"}).status_code == 403


@pytest.mark.parametrize("page", ["delete", "history"])
def test_there_is_no_page_to_delete(clerk, zhao, page):
    response = clerk.post(f"/admin/members/membership/{zhao.pk}/{page}/", {"post": "yes"}, follow=True)
    assert response.status_code == 404
    assert Membership.objects.count() == 1


def test_people_are_neither_added_nor_changed_here(clerk, zhao):
    assert clerk.get("/admin/members/person/add/").status_code == 403
    assert clerk.post(f"/admin/members/person/{zhao.person_id}/change/", {"name": "李四"}).status_code == 403


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("model", "queries"), [("membership", 4), ("person", 4)])
def test_lists_take_four_queries(tree, clerk, django_assert_num_queries, model, queries, rows):
    for sequence in range(rows):
        member(tree.enterprise, name="赵建国", id_number=number(sequence))
    url = reverse(f"admin:members_{model}_changelist")
    clerk.get(url)
    with django_assert_num_queries(queries):
        clerk.get(url)

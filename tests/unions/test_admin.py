"""The admin: accounts, appointments and unions by scope and role, every write through an action."""

from datetime import date

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from core.models import AuditEvent, User
from unions.models import Appointment, Committee, Officer, Union
from unions.roles import GRANTS


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


@pytest.fixture
def district_secadmin(tree, nobody):
    """A security administrator of one district only."""
    Appointment.objects.create(user=nobody, union=tree.district, role="secadmin", valid_from=date(2020, 1, 1))
    nobody.is_staff = True
    nobody.save()
    return nobody


def new_appointment(user, union, role="cadre", **facts):
    return {"user": user.pk, "union": union.pk, "role": role, "valid_from": "2026-01-01", "valid_to": "", **facts}


# --- Accounts ---------------------------------------------------------------------------------------------


def test_add_user_leads_to_the_invitation(tree, secadmin, client_of):
    client = client_of(secadmin)
    for response in (
        client.get(reverse("admin:core_user_add")),
        client.post(reverse("admin:core_user_add"), {"username": "newcomer", "password1": "Known-to-two-26"}),
    ):
        assert (response.status_code, response.url) == (302, reverse("account_invite"))
    assert not User.objects.filter(username="newcomer").exists()


def test_add_user_by_sysadmin_forbidden(tree, sysadmin, client_of):
    client = client_of(sysadmin)
    assert client.get(reverse("admin:core_user_add")).status_code == 403
    assert client.post(reverse("admin:core_user_add"), {}).status_code == 403
    assert client.get(reverse("admin:core_user_changelist")).status_code == 200


def test_change_user_page_shows_no_rights_to_tick(tree, secadmin, street, client_of):
    form = client_of(secadmin).get(reverse("admin:core_user_change", args=[street.pk])).context["adminform"].form
    assert set(form.fields) == {"username", "name", "email", "is_staff", "is_active"}


def test_change_user_switching_off_is_an_event_and_a_forged_flag_is_nothing(tree, sysadmin, street, client_of):
    response = client_of(sysadmin).post(
        reverse("admin:core_user_change", args=[street.pk]),
        {"username": "street", "name": street.name, "email": "", "is_superuser": "on", "groups": "1"},
    )
    assert response.status_code == 302
    street.refresh_from_db()
    assert (street.is_active, street.is_superuser) == (False, False)
    assert AuditEvent.objects.get().changes == {"is_active": [True, False]}
    assert not LogEntry.objects.exists()


def test_change_user_oneself_switched_off_is_refused_on_the_page(tree, sysadmin, client_of):
    response = client_of(sysadmin).post(
        reverse("admin:core_user_change", args=[sysadmin.pk]),
        {"username": "sysadmin", "name": "改名", "is_staff": "on"},
    )
    assert response.status_code == 200
    assert len(response.context["adminform"].form.non_field_errors()) == 1
    assert response.context["adminform"].form["name"].value() == "改名"  # nothing typed is lost
    sysadmin.refresh_from_db()
    assert sysadmin.is_active
    assert verbs() == []


def test_change_user_superuser_is_not_there_for_others(tree, secadmin, sysadmin, root, client_of):
    for user in (secadmin, sysadmin):
        client = client_of(user)
        assert client.get(reverse("admin:core_user_change", args=[root.pk])).status_code == 404
        assert client.post(reverse("admin:core_user_change", args=[root.pk]), {"username": "x"}).status_code == 404
        assert root not in client.get(reverse("admin:core_user_changelist")).context["cl"].queryset
    root.refresh_from_db()
    assert root.username == "root"


def test_change_user_beyond_the_own_district_is_404(tree, district_secadmin, street, neighbour, city, client_of):
    client = client_of(district_secadmin)
    assert client.get(reverse("admin:core_user_change", args=[street.pk])).status_code == 200
    for other in (neighbour, city):
        assert client.get(reverse("admin:core_user_change", args=[other.pk])).status_code == 404


def test_no_password_is_given_in_the_admin(tree, secadmin, street, client_of):
    page = client_of(secadmin).get(reverse("admin:core_user_change", args=[street.pk]))
    assert "field-password" not in page.text
    gone = client_of(secadmin).get(f"/admin/core/user/{street.pk}/password/", follow=True)
    assert gone.status_code == 404


@pytest.mark.parametrize("query", ["name__regex=(.*)*!", "name__startswith=a", "contact_phone=1", "parent__name=a"])
def test_list_takes_only_the_lookups_of_its_filters(tree, city, client_of, query):
    client = client_of(city)
    assert client.get(f"{reverse('admin:unions_union_changelist')}?{query}").status_code == 400
    for own in ("kind__exact=STREET", "kind__in=STREET,PARK"):
        assert client.get(f"{reverse('admin:unions_union_changelist')}?{own}").status_code == 200


def test_nothing_is_deleted_in_the_admin(tree, root, street, client_of):
    client = client_of(root)
    for page, pk in (("core_user", street.pk), ("unions_union", tree.street.pk), ("unions_appointment", 1)):
        changelist = reverse(f"admin:{page}_changelist")
        assert client.post(f"{changelist}{pk}/delete/", {"post": "yes"}, follow=True).status_code == 404
        client.post(changelist, {"action": "delete_selected", "_selected_action": pk, "post": "yes"})
    assert User.objects.filter(pk=street.pk).exists()
    assert Union.objects.filter(pk=tree.street.pk).exists()
    assert Appointment.objects.count() == 1


# --- Appointments -----------------------------------------------------------------------------------------


def test_add_appointment_by_secadmin_gives_the_role(tree, secadmin, nobody, client_of):
    client = client_of(secadmin)
    assert client.get(reverse("admin:unions_appointment_add")).status_code == 200
    response = client.post(reverse("admin:unions_appointment_add"), new_appointment(nobody, tree.street))
    assert response.status_code == 302
    assert nobody.has_perm("unions.change_union", tree.enterprise)
    assert verbs() == ["unions.appoint"]
    assert not LogEntry.objects.exists()


def test_add_appointment_to_oneself_forbidden(tree, secadmin, client_of):
    response = client_of(secadmin).post(
        reverse("admin:unions_appointment_add"), new_appointment(secadmin, tree.city, "city_approver")
    )
    assert response.status_code == 403
    assert [one.role for one in secadmin.appointments.all()] == ["secadmin"]
    assert verbs() == []


def test_add_appointment_foreign_keys_are_no_choice(tree, district_secadmin, street, neighbour, root, client_of):
    client = client_of(district_secadmin)
    url = reverse("admin:unions_appointment_add")
    for user, union, field in (
        (street, tree.other_street, "union"),
        (street, tree.city, "union"),
        (neighbour, tree.street, "user"),
        (root, tree.street, "user"),
    ):
        response = client.post(url, new_appointment(user, union))
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == [field]
    assert client.post(url, new_appointment(street, tree.enterprise, "judge")).status_code == 302


def test_add_appointment_twice_is_refused_under_the_role(tree, secadmin, street, client_of):
    response = client_of(secadmin).post(reverse("admin:unions_appointment_add"), new_appointment(street, tree.street))
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == ["role"]


def test_add_appointment_offers_every_role_with_its_sentence(tree, secadmin, client_of):
    form = client_of(secadmin).get(reverse("admin:unions_appointment_add")).context["adminform"].form
    offered = dict(form.fields["role"].choices)
    assert set(offered) == {"", *GRANTS}
    assert str(GRANTS["cadre"].sentence) in offered["cadre"]


def test_appointment_is_never_rewritten(tree, secadmin, street, client_of):
    appointment = street.appointments.get()
    url = reverse("admin:unions_appointment_change", args=[appointment.pk])
    client = client_of(secadmin)
    assert client.get(url).status_code == 200
    assert client.post(url, new_appointment(street, tree.city)).status_code == 403
    appointment.refresh_from_db()
    assert appointment.union == tree.street


def test_end_now_ends_only_what_is_in_scope(tree, district_secadmin, street, neighbour, client_of):
    given, foreign = street.appointments.get(), neighbour.appointments.get()
    client_of(district_secadmin).post(
        reverse("admin:unions_appointment_changelist"),
        {"action": "end_now", "_selected_action": [given.pk, foreign.pk], "reason": "调离"},
    )
    given.refresh_from_db()
    foreign.refresh_from_db()
    assert given.ended_on is not None
    assert foreign.ended_on is None
    assert list(AuditEvent.objects.values_list("verb", "reason")) == [("unions.end_appointment", "调离")]


def test_end_now_without_a_reason_ends_nothing(tree, secadmin, street, client_of):
    appointment = street.appointments.get()
    url = reverse("admin:unions_appointment_changelist")
    for reason, number in (("", 0), (" ", 0), ("调离", 1), ("又一次", 1)):
        client_of(secadmin).post(url, {"action": "end_now", "_selected_action": [appointment.pk], "reason": reason})
        assert Appointment.objects.filter(ended_on__isnull=False).count() == number


def test_end_now_without_the_right_does_nothing(tree, sysadmin, street, client_of):
    appointment = street.appointments.get()
    client_of(sysadmin).post(
        reverse("admin:unions_appointment_changelist"), {"action": "end_now", "_selected_action": [appointment.pk]}
    )
    appointment.refresh_from_db()
    assert appointment.ended_on is None


# --- Autocomplete -----------------------------------------------------------------------------------------


def offered(client, model, field, term):
    response = client.get(
        reverse("admin:autocomplete"),
        {"app_label": "unions", "model_name": model, "field_name": field, "term": term},
    )
    return response.status_code, [
        each["text"] for each in response.json()["results"]
    ] if response.status_code == 200 else None


def test_autocomplete_offers_only_what_is_in_scope(tree, district_secadmin, street, neighbour, root, client_of):
    client = client_of(district_secadmin)
    assert offered(client, "appointment", "union", "街道") == (200, [tree.street.name])
    assert offered(client, "appointment", "union", "T02") == (200, [])
    assert offered(client, "appointment", "user", "s") == (200, [street.name])
    assert offered(client, "appointment", "user", "neigh") == (200, [])
    assert offered(client, "appointment", "user", "root") == (200, [])


def test_autocomplete_without_the_right_forbidden(tree, city, client_of):
    assert offered(client_of(city), "appointment", "user", "") == (403, None)


# --- Unions and committees --------------------------------------------------------------------------------


def union_facts(union, **facts):
    return {
        "code": union.code, "name": union.name, "kind": union.kind, "parent": union.parent_id or "",
        "seen_version": union.version, **facts,
    }  # fmt: skip


def test_change_union_through_the_action_with_its_version(tree, city, client_of):
    client = client_of(city)
    url = reverse("admin:unions_union_change", args=[tree.enterprise.pk])
    assert client.get(url).status_code == 200
    assert (
        client.post(url, union_facts(tree.enterprise, employees="12", parent=tree.other_street.pk)).status_code == 302
    )
    stale = client.post(url, union_facts(tree.enterprise, employees="15"))
    assert stale.status_code == 200
    assert len(stale.context["adminform"].form.non_field_errors()) == 1
    tree.enterprise.refresh_from_db()
    assert (tree.enterprise.employees, tree.enterprise.version, tree.enterprise.parent) == (12, 2, tree.street)
    assert verbs() == ["unions.change_union"]


def test_change_union_checks_the_credit_code(tree, city, client_of):
    url = reverse("admin:unions_union_change", args=[tree.enterprise.pk])
    response = client_of(city).post(url, union_facts(tree.enterprise, uscc="123"))
    assert list(response.context["adminform"].form.errors) == ["uscc"]


def test_add_union_below_a_foreign_one_is_no_choice(tree, district, client_of):
    district.is_staff = True
    district.save()
    client = client_of(district)
    facts = {"code": "N1", "name": "新工会", "kind": "ENTERPRISE", "parent": tree.other_street.pk}
    response = client.post(reverse("admin:unions_union_add"), facts)
    assert list(response.context["adminform"].form.errors) == ["parent"]
    assert client.post(reverse("admin:unions_union_add"), facts | {"parent": tree.street.pk}).status_code == 302
    assert Union.objects.get(code="N1").path.startswith(tree.street.path)


def test_change_union_foreign_404_and_secadmin_only_looks(tree, district, secadmin, client_of):
    district.is_staff = True
    district.save()
    url = reverse("admin:unions_union_change", args=[tree.other_street.pk])
    assert client_of(district).get(url).status_code == 404
    assert client_of(secadmin).get(url).status_code == 200
    assert client_of(secadmin).post(url, union_facts(tree.other_street, name="x")).status_code == 403


def test_committees_are_to_look_at(tree, city, root, client_of):
    committee = Committee.objects.create(
        union=tree.street, elected_on=date(2024, 5, 1), term_years=3, term_ends_on=date(2027, 5, 1)
    )
    Officer.objects.create(
        committee=committee,
        uuid=f"{1:032}",
        position="CHAIR",
        name="张三",
        phone="13800138000",
        started_on=date(2024, 5, 1),
    )
    for user in (city, root):
        client = client_of(user)
        page = client.get(reverse("admin:unions_committee_change", args=[committee.pk]))
        assert page.status_code == 200
        assert "张三" in page.content.decode()
        assert "13800138000" not in page.content.decode()
        assert client.get(reverse("admin:unions_committee_add")).status_code == 403
        assert client.post(reverse("admin:unions_committee_change", args=[committee.pk]), {}).status_code == 403


@pytest.mark.parametrize(
    ("page", "queries"),
    [("core_user", 6), ("unions_appointment", 4), ("unions_union", 4)],
)
def test_changelist_asks_as_often_for_many_rows_as_for_one(
    tree, root, client_of, django_assert_num_queries, page, queries
):
    client = client_of(root)
    client.get("/admin/")  # the first page of a session notes when it began
    for number in range(3):
        user = User.objects.create(username=f"extra{number}")
        Appointment.objects.create(user=user, union=tree.street, role="judge", valid_from=date(2020, 1, 1))
        if number in (0, 2):
            with django_assert_num_queries(queries):
                client.get(reverse(f"admin:{page}_changelist"))


def test_outsiders_do_not_enter(tree, street, client_of, client):
    for page in ("core_user", "unions_appointment", "unions_union", "unions_committee"):
        url = reverse(f"admin:{page}_changelist")
        assert client.get(url).status_code == 302
        assert client_of(street).get(url).status_code in (302, 403)  # not staff


def test_events_are_seen_by_whoever_sees_officers(tree, city, secadmin, client_of):
    assert client_of(city).get(reverse("admin:unions_unionevent_changelist")).status_code == 200
    assert client_of(secadmin).get(reverse("admin:unions_unionevent_changelist")).status_code == 403


def test_account_in_use_is_not_called_as_a_membership_is(tree, secadmin, street, client_of):
    listed = client_of(secadmin).get(reverse("admin:core_user_changelist"))
    assert [spec.title for spec in listed.context["cl"].filter_specs][-1] == "账号启用"
    form = client_of(secadmin).get(reverse("admin:core_user_change", args=[street.pk])).context["adminform"].form
    assert form.fields["is_active"].label == "账号启用"

"""Accounts: invited with a password that opens one page, reset, ended, handed over, brought back."""

import re
from datetime import date, timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.models import AuditEvent, Deadline, User
from core.models.user import AccountState
from tests.builders import committee_at, deadline_at
from tests.cast import PASSWORD
from unions import accounts, actions
from unions.models import Appointment
from unions.views_accounts import with_state

OWN = "Ziji-Xuan-2026"
ONE_TIME = re.compile(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}\b")


@pytest.fixture
def district_secadmin(tree, nobody):
    """A security administrator of one district only."""
    Appointment.objects.create(user=nobody, union=tree.district, role="secadmin", valid_from=date(2020, 1, 1))
    return nobody


def invitation(**facts):
    return {
        "name": "新人", "username": "newcomer", "email": "", "role": "cadre", "union": "T0101",
        "valid_from": "2026-01-01", "valid_to": "", **facts,
    }  # fmt: skip


def sign_in(username, password):
    client = Client()
    client.post(reverse("account_login"), {"login": username, "password": password})
    return client


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


def state_of(user):
    return with_state(User.objects.all()).get(pk=user.pk).state


# --- Invited ----------------------------------------------------------------------------------------------


def test_invitation_shows_a_password_once_that_opens_one_page_until_it_is_changed(tree, secadmin, client_of):
    response = client_of(secadmin).post(reverse("account_invite"), invitation())
    (password,) = set(ONE_TIME.findall(response.text))
    assert response["Cache-Control"] == "private, no-store"
    user = User.objects.get(username="newcomer")
    assert (user.is_superuser, user.is_staff, state_of(user)) == (False, False, AccountState.INVITED)
    assert verbs() == ["core.invite_user", "unions.appoint"]
    assert all(password not in f"{each.changes}{each.reason}" for each in AuditEvent.objects.all())
    assert password not in client_of(secadmin).get(reverse("account_page", args=[user.pk])).text

    client = sign_in("newcomer", password)
    change = reverse("account_change_password")
    for name in ("desk", "union_list", "search", "mfa_index", "admin:index", "my_digest"):
        assert client.get(reverse(name)).url == change
    assert client.post(reverse("search"), {"q": "恒达"}).url == change
    partial = client.get(reverse("union_list"), headers={"HX-Request": "true"})
    assert partial["HX-Redirect"] == change
    assert client.get(change).status_code == 200
    same = client.post(change, {"oldpassword": password, "password1": password, "password2": password})
    assert list(same.context["form"].errors) == ["password1"]
    weak = client.post(change, {"oldpassword": password, "password1": "short", "password2": "short"})
    assert list(weak.context["form"].errors) == ["password1"]
    done = client.post(change, {"oldpassword": password, "password1": OWN, "password2": OWN})
    assert done.url == reverse("desk")
    assert client.get(reverse("union_list")).status_code == 200
    user.refresh_from_db()
    assert (user.must_change_password, user.password_expires_at) == (False, None)
    assert state_of(user) == AccountState.ACTIVE
    assert user.has_perm("unions.change_union", tree.enterprise)


def test_whoever_holds_a_one_time_password_may_still_sign_out(tree, secadmin):
    _user, password = invite(secadmin, tree.street)
    client = sign_in("newcomer", password)
    assert client.post(reverse("account_logout")).url == reverse("account_login")


def invite(by, union, **facts):
    given = {"username": "newcomer", "name": "新人", "email": "", "role": "cadre", "valid_from": date(2020, 1, 1)}
    return accounts.invite(by=by, union=union, **given | facts)


def test_one_time_password_runs_out_and_the_door_says_whom_to_ask(tree, secadmin, time_machine, settings):
    user, password = invite(secadmin, tree.street)
    time_machine.move_to(timezone.now() + timedelta(hours=72, seconds=1))
    client = Client()
    response = client.post(reverse("account_login"), {"login": "newcomer", "password": password}, follow=True)
    assert "_auth_user_id" not in client.session
    assert settings.FEDERATION_NAME in str(next(iter(response.context["messages"])))
    assert AuditEvent.objects.filter(verb="core.fail_sign_in", reason="expired").count() == 1
    assert state_of(user) == AccountState.EXPIRED


def test_a_one_time_password_that_runs_out_in_an_open_session_is_exchanged_for_nothing(
    tree, secadmin, time_machine, settings
):
    user, password = invite(secadmin, tree.street)
    client = sign_in("newcomer", password)
    User.objects.filter(pk=user.pk).update(password_expires_at=timezone.now() + timedelta(minutes=5))
    time_machine.move_to(timezone.now() + timedelta(minutes=6))
    data = {"oldpassword": password, "password1": OWN, "password2": OWN}
    answer = client.post(reverse("account_change_password"), data, follow=True)
    assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session
    assert settings.FEDERATION_NAME in str(next(iter(answer.context["messages"])))
    user.refresh_from_db()
    assert user.check_password(password)
    assert user.must_change_password
    assert AuditEvent.objects.filter(verb="core.sign_out", reason="expired").count() == 1


def test_no_password_goes_to_an_address_changed_lately(tree, sysadmin, secadmin, street, client_of, time_machine):
    accounts.change_user(street, by=sysadmin, changes={"email": "thief@example.test"})
    street.refresh_from_db()
    url = reverse("account_reset", args=[street.pk])
    data = {"reason": "忘记密码", "by_email": "on"}
    assert client_of(secadmin).get(url).context["form"]["by_email"].field.disabled
    page = client_of(secadmin).post(url, data)
    assert mail.outbox == []
    assert ONE_TIME.search(page.content.decode())
    assert not accounts.send_one_time_password(street, "—")
    time_machine.move_to(timezone.now() + timedelta(hours=73))
    page = client_of(secadmin).post(url, data)
    assert mail.outbox[0].to == ["thief@example.test"]
    assert not ONE_TIME.search(page.content.decode())


def test_one_time_passwords_differ_and_lie_nowhere_in_clear(tree, secadmin):
    user, first = invite(secadmin, tree.street)
    second = accounts.reset(user, by=secadmin, reason="未收到")
    assert first != second
    user.refresh_from_db()
    assert user.check_password(second)
    assert not user.check_password(first)
    assert second not in str(vars(user))


def test_password_goes_by_mail_and_is_not_shown_then(tree, secadmin, client_of):
    data = invitation(email="new@example.test", by_email="on")
    response = client_of(secadmin).post(reverse("account_invite"), data)
    (sent,) = mail.outbox
    (password,) = ONE_TIME.findall(sent.body)
    assert sent.to == ["new@example.test"]
    assert ONE_TIME.search(response.text) is None
    assert User.objects.get(username="newcomer").check_password(password)


def test_password_is_shown_when_the_mail_server_refuses(tree, secadmin, client_of, settings):
    settings.EMAIL_BACKEND = "tests.core.test_digests.BrokenBackend"
    data = invitation(email="new@example.test", by_email="on")
    response = client_of(secadmin).post(reverse("account_invite"), data)
    assert ONE_TIME.search(response.text)
    assert response.context["not_sent"]


def test_console_mail_writes_no_password_into_a_log(tree, secadmin, client_of, settings, capsys):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    data = invitation(email="new@example.test", by_email="on")
    response = client_of(secadmin).post(reverse("account_invite"), data)
    assert ONE_TIME.search(response.text)
    assert ONE_TIME.search(capsys.readouterr().out) is None


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"username": "STREET"}, "username"),  # there is «street»
        ({"username": "a b"}, "username"),
        ({"role": "root"}, "role"),
        ({"union": "T02"}, "union"),  # not in the district
        ({"union": "滨河区一道街道工会 "}, None),
        ({"valid_from": "2026-05-01", "valid_to": "2026-04-01"}, "valid_to"),
        ({"by_email": "on"}, "by_email"),
    ],
)
def test_invitation_is_checked_beside_its_fields(tree, street, district_secadmin, client_of, facts, field):
    response = client_of(district_secadmin).post(reverse("account_invite"), invitation(**facts))
    if field is None:
        assert User.objects.filter(username="newcomer").exists()
    else:
        assert list(response.context["form"].errors) == [field]
        assert not User.objects.filter(username="newcomer").exists()


def test_invite_needs_the_role_here(tree, sysadmin, city, district_secadmin):
    for by, union in ((sysadmin, tree.street), (city, tree.street), (district_secadmin, tree.other_street)):
        with pytest.raises(PermissionDenied):
            invite(by, union)
    assert not User.objects.filter(username="newcomer").exists()


# --- Changed, reset ---------------------------------------------------------------------------------------


def test_change_user_superuser_flag_is_no_fact(tree, secadmin, street):
    for field in ("is_superuser", "password", "left_on", "must_change_password"):
        with pytest.raises(ValueError):
            accounts.change_user(street, by=secadmin, changes={field: True})


def test_account_that_reaches_further_is_not_handled(tree, district_secadmin, street, city, root):
    assert not accounts.change_user(street, by=district_secadmin, changes={"is_active": False}).is_active
    for other in (city, root):
        for act in (
            lambda user: accounts.change_user(user, by=district_secadmin, changes={"is_active": False}),
            lambda user: accounts.reset(user, by=district_secadmin, reason="—"),
            lambda user: accounts.leave(user, by=district_secadmin, on=date(2026, 1, 1), reason="—"),
            lambda user: accounts.hand_on(user, Deadline.objects.all(), by=district_secadmin, to=None),
        ):
            with pytest.raises(PermissionDenied):
                act(other)


def test_nobody_handles_himself(tree, secadmin, client_of):
    with pytest.raises(ValidationError):
        accounts.change_user(secadmin, by=secadmin, changes={"is_active": False})
    with pytest.raises(ValidationError):
        accounts.reset(secadmin, by=secadmin, reason="—")
    with pytest.raises(ValidationError):
        accounts.leave(secadmin, by=secadmin, on=date(2026, 1, 1), reason="—")
    client = client_of(secadmin)
    for name in ("account_reset", "account_leave"):
        page = client.get(reverse(name, args=[secadmin.pk]))
        assert page.context["refusal"]
        assert 'aria-describedby="why-not">' in page.text
    secadmin.refresh_from_db()
    assert secadmin.check_password(PASSWORD)


def test_reset_not_by_who_only_switches_accounts_off(tree, sysadmin, secadmin, street, client_of):
    for user in (secadmin, street):
        with pytest.raises(PermissionDenied):
            accounts.reset(user, by=sysadmin, reason="—")
        assert client_of(sysadmin).post(reverse("account_reset", args=[user.pk]), {"reason": "—"}).status_code == 403
        user.refresh_from_db()
        assert user.check_password(PASSWORD)


def test_reset_needs_a_reason_and_is_an_event_without_the_password(tree, secadmin, street, client_of):
    url = reverse("account_reset", args=[street.pk])
    client = client_of(secadmin)
    assert list(client.post(url, {"reason": " "}).context["form"].errors) == ["reason"]
    response = client.post(url, {"reason": "忘记密码，已当面核对"})
    (password,) = set(ONE_TIME.findall(response.text))
    street.refresh_from_db()
    assert street.check_password(password)
    assert street.must_change_password
    event = AuditEvent.objects.get()
    assert (event.verb, event.changes, event.reason) == (
        "core.reset_user", {"password": ["changed"]}, "忘记密码，已当面核对",
    )  # fmt: skip


# --- Roles on the account's page --------------------------------------------------------------------------


def test_role_is_given_and_taken_away_on_the_page(tree, secadmin, street, client_of):
    client = client_of(secadmin)
    facts = {"role": "judge", "union": tree.street.code, "valid_from": "2026-01-01", "valid_to": ""}
    assert client.post(reverse("account_appoint", args=[street.pk]), facts).status_code == 302
    again = client.post(reverse("account_appoint", args=[street.pk]), facts)
    assert list(again.context["role_form"].errors) == ["role"]
    given = street.appointments.get(role="judge")
    url = reverse("appointment_end", args=[given.pk])
    assert client.post(url, {"reason": ""}).status_code == 200
    assert client.post(url, {"reason": "评审结束"}).status_code == 302
    given.refresh_from_db()
    assert given.ended_on == timezone.localdate()
    page = client.get(reverse("account_page", args=[street.pk]))
    assert [each.role for each, _form in page.context["held"]] == ["cadre"]
    assert [each.role for each, _form in page.context["past"]] == ["judge"]


# --- Leaving, handing over, coming back -------------------------------------------------------------------


@pytest.fixture
def owned(tree, street):
    """A duty at the street and one at the enterprise below it, both owned by the street's cadre."""
    for union in (tree.street, tree.enterprise):
        committee_at(union)
        duty = deadline_at(union)
        Deadline.objects.filter(pk=duty.pk).update(owner=street)
    return Deadline.objects.filter(owner=street)


def test_who_leaves_is_out_at_once_and_the_duties_stand_on_the_desks(
    tree, secadmin, street, district, enterprise, owned, client_of
):
    client = client_of(street)
    assert client.get(reverse("desk")).status_code == 200
    assert Deadline.objects.desk_of(district).count() == 0
    accounts.leave(street, by=secadmin, on=timezone.localdate(), reason="退休")
    assert client.get(reverse("desk")).status_code == 302
    assert "_auth_user_id" not in sign_in("street", PASSWORD).session
    street.refresh_from_db()
    assert (street.is_active, street.has_usable_password(), state_of(street)) == (False, False, AccountState.LEFT)
    assert not street.appointments.filter(ended_on__isnull=True).exists()
    assert Deadline.objects.desk_of(district).count() == 2
    assert Deadline.objects.desk_of(enterprise).count() == 1
    assert verbs() == ["unions.end_appointment", "core.leave_user", "core.fail_sign_in"]
    for act in (
        lambda: accounts.leave(street, by=secadmin, on=timezone.localdate(), reason="又"),
        lambda: accounts.reset(street, by=secadmin, reason="又"),
        lambda: accounts.change_user(street, by=secadmin, changes={"is_active": True}),
    ):
        with pytest.raises(ValidationError):
            act()


def test_sysadmin_ends_an_account_with_its_roles(tree, sysadmin, street, client_of):
    response = client_of(sysadmin).post(
        reverse("account_leave", args=[street.pk]), {"on": "2026-11-01", "reason": "调离"}
    )
    assert response.url == reverse("account_page", args=[street.pk])
    street.refresh_from_db()
    assert street.left_on == date(2026, 11, 1)


def test_duties_are_handed_on_to_a_colleague_who_sees_them(
    tree, secadmin, street, district, enterprise, owned, client_of
):
    accounts.leave(street, by=secadmin, on=timezone.localdate(), reason="退休")
    url = reverse("account_handover", args=[street.pk])
    client = client_of(secadmin)
    page = client.get(url)
    assert len(page.context["duties"]) == 2
    first, second = owned.order_by("union__path")
    none = client.post(url, {"to": "district"})
    assert none.context["form"].non_field_errors()
    foreign = client.post(url, {"to": "enterprise", "duty": [first.pk]})
    assert list(foreign.context["form"].errors) == ["to"]
    assert client.post(url, {"to": "district", "duty": [first.pk]}).status_code == 302
    assert client.post(url, {"to": "", "duty": [second.pk, first.pk], "reason": "交本级"}).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.owner, second.owner) == (district, None)
    assert verbs()[-2:] == ["core.hand_on_deadline"] * 2
    assert client.get(url).context["duties"] == []


def test_who_left_comes_back_by_a_new_invitation(tree, secadmin, street, client_of):
    accounts.leave(street, by=secadmin, on=timezone.localdate(), reason="调离")
    page = client_of(secadmin).get(reverse("account_page", args=[street.pk]))
    assert reverse("account_return", args=[street.pk]) in page.text
    facts = {"role": "judge", "union": "T01", "valid_from": "2026-01-01", "valid_to": ""}
    response = client_of(secadmin).post(reverse("account_return", args=[street.pk]), facts)
    (password,) = set(ONE_TIME.findall(response.text))
    street = User.objects.get(pk=street.pk)
    assert (street.is_active, street.left_on, state_of(street)) == (True, None, AccountState.INVITED)
    assert street.check_password(password)
    assert [one.role for one in street.appointments.filter(ended_on__isnull=True)] == ["judge"]
    with pytest.raises(ValidationError):
        accounts.come_back(street, by=secadmin, union=tree.street, role="cadre", valid_from=date(2026, 1, 1))


# --- The list ---------------------------------------------------------------------------------------------


def test_list_shows_roles_and_states_in_reach_only(
    tree, secadmin, district_secadmin, street, neighbour, city, client_of
):
    street.last_login = timezone.now() - timedelta(days=200)
    street.save()
    url = reverse("account_list")
    page = client_of(district_secadmin).get(url)
    shown = {row.record.username: row.record.state for row in page.context["table"].rows}
    assert shown == {"street": AccountState.DORMANT, "nobody": AccountState.ACTIVE}
    assert tree.street.name in page.text
    client = client_of(secadmin)
    for query, expected in (
        ("state=dormant", {"street"}),
        ("role=secadmin", {"secadmin", "nobody"}),
        (f"union={tree.other_district.pk}", {"neighbour"}),
        ("text=STREET", {"street"}),
        ("text=周", {"city"}),
    ):
        rows = client.get(f"{url}?{query}").context["table"].rows
        assert {row.record.username for row in rows} == expected, query


def test_actions_are_hidden_from_who_may_not(tree, sysadmin, street, client_of):
    page = client_of(sysadmin).get(reverse("account_page", args=[street.pk]))
    assert reverse("account_leave", args=[street.pk]) in page.text
    assert reverse("account_reset", args=[street.pk]) not in page.text
    assert page.context["role_form"] is None
    assert actions.Appointment.objects.count() == 2

"""The door: who comes in, who is locked out, when a session ends, and what the trail says of it."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from core import signin, standards
from core.models import AuditEvent, Setting, User
from core.tasks import apply_retention
from tests.cast import PASSWORD
from unions import accounts

LOGIN = "/accounts/login/"
PAGE = "/accounts/password/change/"  # a page behind the door that belongs to no other app
NOON = datetime(2026, 5, 6, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


def sign_in(client, username="city", password=PASSWORD, address="192.0.2.1", **extra):
    return client.post(LOGIN, {"login": username, "password": password}, REMOTE_ADDR=address, **extra)


def signed_in(client):
    return "_auth_user_id" in client.session


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


# --- Coming in --------------------------------------------------------------------------------------------


def test_right_password_signs_in_and_is_an_event(client, city):
    response = sign_in(client)
    assert (response.status_code, response.url) == (302, reverse("desk"))
    assert signed_in(client)
    assert list(AuditEvent.objects.values_list("verb", "actor_id", "target_id", "address")) == [
        ("core.sign_in", city.pk, str(city.pk), "192.0.2.1")
    ]


@pytest.mark.parametrize("username", ["city", "CITY", " city "])
def test_user_name_is_taken_whatever_its_case(client, city, username):
    sign_in(client, username)
    assert signed_in(client)


def test_wrong_password_is_told_plainly_and_is_an_event_without_the_name_typed(client, city):
    response = sign_in(client, password="wrong")
    assert response.status_code == 200
    assert response.context["form"].errors == {"__all__": [str(response.context["form"].errors["__all__"][0])]}
    assert not signed_in(client)
    sign_in(client, "secret-typed-as-name", "wrong")
    assert list(AuditEvent.objects.order_by("id").values_list("verb", "actor_id", "target_id", "target_text")) == [
        ("core.fail_sign_in", None, str(city.pk), "周慧敏"),
        ("core.fail_sign_in", None, "", ""),
    ]


def test_wrong_name_and_wrong_password_are_answered_alike(client, city):
    pages = [sign_in(client, "city", "wrong"), sign_in(client, "stranger", "wrong")]
    assert pages[0].context["form"].errors == pages[1].context["form"].errors


def test_account_switched_off_does_not_sign_in(client, city):
    User.objects.filter(pk=city.pk).update(is_active=False)
    response = sign_in(client)
    assert response.url == reverse("account_inactive")
    assert not signed_in(client)
    assert verbs() == ["core.fail_sign_in"]


def test_account_switched_off_while_signed_in_is_out(client, city):
    sign_in(client)
    User.objects.filter(pk=city.pk).update(is_active=False)
    assert client.get(PAGE).status_code == 302


def test_sign_out_is_a_post_and_an_event(client, city):
    sign_in(client)
    client.get(reverse("account_logout"))
    assert signed_in(client)
    response = client.post(reverse("account_logout"))
    assert response.url == reverse("account_login")
    assert not signed_in(client)
    assert verbs() == ["core.sign_in", "core.sign_out"]


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/members/?page=2", "/members/?page=2"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("https://localhost/", "/"),  # an allowed host, but not the one asked
    ],
)
def test_next_leads_to_pages_of_this_host_only(client, city, wanted, led_to):
    response = client.post(LOGIN, {"login": "city", "password": PASSWORD, "next": wanted})
    assert response.url == led_to


def test_password_change_is_an_event_and_ends_other_sessions(client, city):
    other = Client()
    sign_in(client)
    sign_in(other)
    new = "Brand-New-2027"
    response = client.post(PAGE, {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert response.status_code == 302
    assert client.get(PAGE).status_code == 200
    assert other.get(PAGE).status_code == 302
    assert verbs() == ["core.sign_in", "core.sign_in", "core.set_password"]


@pytest.mark.parametrize("password", ["Short-1", "onlysmallletters", "smalldigits12", "Password123", "chengsiqi-A1"])
def test_weak_passwords_are_refused(password):
    user = User(username="chengsiqi", name="程思琪")
    with pytest.raises(ValidationError):
        validate_password(password, user)


def test_good_password_is_taken():
    validate_password("Yunhe-Gonghui-26", User(username="chengsiqi"))


# --- Closed doors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["account_signup", "account_reset_password", "account_email", "account_set_password", "socialaccount_login"]
)
def test_routes_we_do_not_want_do_not_exist(name):
    with pytest.raises(NoReverseMatch):
        reverse(name)


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/reset/", "/accounts/email/", "/accounts/"])
def test_addresses_we_do_not_want_answer_404(client, city, path):
    assert client.get(path).status_code == 404
    sign_in(client)
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "account_change_password", "account_reauthenticate", "account_logout", "mfa_index", "mfa_activate_totp",
        "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes",
        "mfa_reauthenticate", "admin:index", "admin:password_change",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
def test_everything_but_the_door_asks_to_sign_in(client, db, name, method):
    response = getattr(client, method)(reverse(name), follow=True)
    assert response.redirect_chain[-1][0].split("?")[0] == LOGIN


def test_partial_request_leads_the_whole_page_to_the_door(client, db):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/members/?page=2"}
    response = client.get(PAGE, headers=headers)
    assert (response.status_code, response["HX-Redirect"]) == (200, f"{LOGIN}?next=/members/%3Fpage%3D2")


def test_admin_has_no_door_of_its_own(client, city, district):
    assert client.get("/admin/login/?next=/admin/core/").url == f"{LOGIN}?next=%2Fadmin%2Fcore%2F"
    sign_in(client)
    response = client.post("/admin/login/", {"username": "district", "password": "wrong"})
    assert (response.status_code, response.url) == (302, "/admin/")
    assert client.post("/admin/logout/").status_code == 302
    assert verbs() == ["core.sign_in", "core.sign_out"]


def test_admin_refuses_who_is_not_staff(client, district):
    sign_in(client, "district")
    assert client.get("/admin/", follow=True).status_code == 403


# --- Lock-out ---------------------------------------------------------------------------------------------


def test_five_failures_lock_the_account_for_fifteen_minutes(client, city):
    with time_machine.travel(NOON, tick=False) as clock:
        for _attempt in range(5):
            sign_in(client, password="wrong")
        response = sign_in(client)
        assert not signed_in(client)
        assert "15" in str(response.context["form"].errors)
        assert verbs() == ["core.fail_sign_in"] * 5 + ["core.lock_sign_in"]
        clock.shift(timedelta(minutes=14, seconds=59))
        sign_in(client)
        assert not signed_in(client)
        clock.shift(timedelta(seconds=2))
        sign_in(client)
        assert signed_in(client)


def test_lock_of_one_account_leaves_others_alone(client, city, district):
    for _attempt in range(5):
        sign_in(client, password="wrong")
    sign_in(client, "district")
    assert signed_in(client)


def test_lock_holds_from_another_address_in_another_case_and_under_another_host(city):
    for attempt in range(5):
        sign_in(Client(), password="wrong", address=f"192.0.2.{attempt}", HTTP_HOST=f"localhost:{attempt + 1}")
    client = Client()
    sign_in(client, "CiTy", address="198.51.100.7", HTTP_HOST="localhost:99")
    assert not signed_in(client)


def test_name_that_nobody_has_is_locked_alike(client, city):
    for _attempt in range(5):
        sign_in(client, "stranger", "wrong")
    unknown = sign_in(client, "stranger", "wrong").context["form"].errors
    for _attempt in range(5):
        sign_in(client, "city", "wrong")
    assert sign_in(client, "city", "wrong").context["form"].errors == unknown


def test_thirty_failures_lock_the_address(tree, city):
    for attempt in range(30):
        sign_in(Client(), f"stranger{attempt}", "wrong")
    client = Client()
    sign_in(client)
    assert not signed_in(client)
    assert verbs() == ["core.fail_sign_in"] * 30 + ["core.lock_sign_in"]
    sign_in(client, address="198.51.100.7")
    assert signed_in(client)


def test_successful_sign_in_is_not_counted(client, city):
    for _attempt in range(8):
        sign_in(client)
        client.post(reverse("account_logout"))
    sign_in(client)
    assert signed_in(client)


def test_lock_holds_without_redis(client, city, settings):
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "default": away}
    for _attempt in range(5):
        sign_in(client, password="wrong")
    caches["default"].clear()
    sign_in(client)
    assert not signed_in(client)


def test_counts_keep_no_user_name(client, city):
    sign_in(client, password="wrong")
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM core_limits")
        keys = [key for (key,) in cursor.fetchall()]
    assert keys != []
    assert [key for key in keys if re.search(r"\bcity\b", key)] == []


def test_reauthentication_counts_too(client, city):
    sign_in(client)
    for _attempt in range(5):
        client.post(reverse("account_reauthenticate"), {"password": "wrong"})
    other = Client()
    sign_in(other)
    assert not signed_in(other)


# --- Second factor ----------------------------------------------------------------------------------------


@pytest.fixture
def with_totp(city):
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(city, secret)
    return secret


def code_of(secret):
    return totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))


def test_second_factor_is_asked_for_and_signs_in(client, with_totp):
    response = sign_in(client)
    assert response.url.split("?")[0] == reverse("mfa_authenticate")
    assert not signed_in(client)
    client.post(reverse("mfa_authenticate"), {"code": code_of(with_totp)})
    assert signed_in(client)
    assert verbs() == ["core.sign_in"]


def test_second_factor_lies_sealed_in_the_database(with_totp):
    assert with_totp not in str(Authenticator.objects.get().data)


def test_wrong_codes_are_events_and_lock(client, with_totp):
    sign_in(client)
    for _attempt in range(5):
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    client.post(reverse("mfa_authenticate"), {"code": code_of(with_totp)})
    assert not signed_in(client)
    assert verbs() == ["core.fail_sign_in"] * 5 + ["core.lock_sign_in"]


def test_secadmin_takes_a_lost_second_factor_off(client, client_of, city, with_totp, secadmin):
    response = client_of(secadmin).post(
        reverse("admin:core_user_changelist"), {"action": "drop_second_factor", "_selected_action": [city.pk]}
    )
    assert response.status_code == 302
    sign_in(client)
    assert signed_in(client)
    assert list(AuditEvent.objects.order_by("id").values_list("verb", "actor_id", "target_id")) == [
        ("core.remove_second_factor", secadmin.pk, str(city.pk)),
        ("core.sign_in", city.pk, str(city.pk)),
    ]


def test_second_factor_stays_on_where_one_may_not_give_a_password(city, with_totp, district, sysadmin):
    for other in (district, sysadmin):
        with pytest.raises(PermissionDenied):
            signin.drop_second_factor(city, by=other)
    assert Authenticator.objects.count() == 1


@pytest.fixture
def asked_of(db):
    """Return asked_of(keys): write the roles that must have a second factor."""

    def write(keys):
        Setting.objects.filter(key="second_factor_roles").update(value=keys)

    return write


def test_role_asks_for_a_second_factor_and_nothing_opens_before(client, city, district, asked_of):
    asked_of("city_approver, cadre")
    sign_in(client)
    set_up = reverse("mfa_activate_totp")
    for name in ("desk", "search", "member_list", "admin:index", "account_change_password", "mfa_index"):
        assert client.get(reverse(name)).url == set_up
    assert client.get(set_up).url.startswith(reverse("account_reauthenticate"))
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(set_up)
    code = code_of(page.context["form"].secret)
    assert client.post(set_up, {"code": "000000"}).status_code == 200
    response = client.post(set_up, {"code": code})
    assert response.url == reverse("mfa_view_recovery_codes")
    assert len(client.get(response.url).context["unused_codes"]) == 10
    assert client.get(reverse("desk")).status_code == 200
    switch_off = client.post(reverse("mfa_deactivate_totp"), {})
    assert switch_off.status_code == 200  # refused: the role asks for it
    assert Authenticator.objects.filter(user=city, type="totp").exists()


@pytest.mark.parametrize(("keys", "led"), [("superuser", True), ("cadre", False), ("none", False)])
def test_superuser_is_asked_by_that_word(client, root, asked_of, keys, led):
    asked_of(keys)
    sign_in(client, "root")
    assert (client.get(reverse("desk")).status_code == 302) == led


def test_role_given_in_a_session_asks_within_a_minute(client, city, asked_of):
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client)
        assert client.get(reverse("desk")).status_code == 200
        asked_of("cadre")
        clock.shift(timedelta(seconds=61))
        assert client.get(reverse("desk")).url == reverse("mfa_activate_totp")
        asked_of("none")
        assert client.get(reverse("desk")).status_code == 200


def test_own_password_comes_before_the_second_factor(client, city, asked_of):
    asked_of("cadre")
    soon = timezone.now() + timedelta(hours=1)
    User.objects.filter(pk=city.pk).update(must_change_password=True, password_expires_at=soon)
    client.force_login(city)
    assert client.get(reverse("desk")).url == PAGE
    client.post(PAGE, {"oldpassword": PASSWORD, "password1": "Brand-New-2027", "password2": "Brand-New-2027"})
    assert client.get(reverse("desk")).url == reverse("mfa_activate_totp")


def test_setting_that_has_ended_asks_for_nothing(client, city, asked_of):
    asked_of("cadre")
    Setting.objects.filter(key="second_factor_roles").update(valid_to=date(2020, 1, 1))
    sign_in(client)
    assert client.get(reverse("desk")).status_code == 200


@pytest.mark.parametrize("text", ["cadres", "cadre,boss", "cadre；secadmin"])
def test_setting_with_a_role_nobody_knows_is_refused(city, text):
    setting = Setting.objects.get(key="second_factor_roles")
    setting.value = text
    with pytest.raises(ValidationError):
        standards.keep(setting, by=city)
    setting.value = "cadre, secadmin,superuser"
    assert standards.keep(setting, by=city)


def test_sign_in_asks_the_settings_no_more_than_once_a_minute(client, city):
    sign_in(client)
    client.get(reverse("my_digest"))
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("my_digest"))
    assert [query["sql"] for query in queries if "core_setting" in query["sql"]] == []


def test_pages_behind_the_door_are_kept_nowhere(client_of, city):
    response = client_of(city).get(reverse("desk"))
    assert response["Cache-Control"] == "private, no-store"


# --- Time-outs --------------------------------------------------------------------------------------------


def test_idle_session_ends_and_says_why(client, city):
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client)
        clock.shift(timedelta(minutes=14))
        assert client.get(PAGE).status_code == 200
        clock.shift(timedelta(minutes=14))
        assert client.get(PAGE).status_code == 200
        clock.shift(timedelta(minutes=15, seconds=1))
        response = client.get(PAGE)
        assert response.url == f"{LOGIN}?next={PAGE}"
        assert len(list(client.get(response.url).context["messages"])) == 1
        assert list(AuditEvent.objects.order_by("id").values_list("verb", "reason")) == [
            ("core.sign_in", ""),
            ("core.sign_out", "idle"),
        ]


def test_busy_session_ends_after_eight_hours(client, city):
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client)
        for _step in range(48):
            clock.shift(timedelta(minutes=10))
            assert client.get(PAGE).status_code == 200
        clock.shift(timedelta(seconds=1))
        assert client.get(PAGE).status_code == 302
        assert AuditEvent.objects.first().reason == "absolute"


def test_session_is_written_once_a_minute_at_most(client, city):
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client)
        client.get(PAGE)
        before = client.session["renewed"]
        clock.shift(timedelta(seconds=59))
        client.get(PAGE)
        assert client.session["renewed"] == before
        clock.shift(timedelta(seconds=1))
        client.get(PAGE)
        assert client.session["renewed"] == before + 60


def test_times_come_from_the_settings():
    assert (settings.SESSION_IDLE_SECONDS, settings.SESSION_ABSOLUTE_SECONDS) == (15 * 60, 8 * 3600)
    assert settings.ACCOUNT_RATE_LIMITS["login_failed"] == "30/15m/ip,5/15m/key"


def test_ended_sessions_are_cleared_at_night(client, city):
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client)
        assert Session.objects.count() == 1
        apply_retention()
        assert Session.objects.count() == 1
        clock.shift(timedelta(hours=9 + 24))
        apply_retention()
        assert Session.objects.count() == 0


def test_session_key_changes_at_sign_in(client, city):
    client.get(LOGIN)
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = session.session_key
    sign_in(client)
    assert client.session.session_key != planted


def test_new_one_time_password_ends_the_session(client, city, secadmin):
    sign_in(client)
    accounts.reset(city, by=secadmin, reason="忘记密码")
    assert client.get(PAGE).status_code == 302

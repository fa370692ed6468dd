"""The first steps at the door in a real browser: the own password after an invitation, and the second factor."""

from datetime import date

import pytest
from allauth.mfa.totp.internal import auth as totp

from core.models import Setting
from tests import cast
from tests.browser.conftest import SIZES, axe
from unions import accounts

OWN = "Ziji-Xuan-2026"


def sign_in(page, username, password):
    page.goto("/accounts/login/")
    page.fill("[name=login]", username)
    page.fill("[name=password]", password)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("width", SIZES)
def test_invited_colleague_chooses_a_password_and_is_let_in(tree, secadmin, open_as, shoot, width):
    page = open_as(secadmin, width=width)
    page.goto("/users/invite/")
    axe(page)
    for name, text in (("name", "陆文杰"), ("username", "luwenjie"), ("union", tree.street.name)):
        page.fill(f"[name={name}]", text)
    page.select_option("[name=role]", "cadre")
    page.click("main button.primary")
    password = page.locator(".once code").inner_text()
    axe(page)
    shoot(page, "one-time-password")
    colleague = open_as(None, width=width, dark=True)
    sign_in(colleague, "luwenjie", password)
    colleague.wait_for_url("**/accounts/password/change/")
    axe(colleague)
    shoot(colleague, "own-password")
    colleague.fill("[name=oldpassword]", password)
    colleague.fill("[name=password1]", OWN)
    colleague.fill("[name=password2]", OWN)
    colleague.keyboard.press("Enter")
    colleague.wait_for_url("/")


@pytest.mark.parametrize("scripts", [True, False])
def test_role_sets_up_its_second_factor_and_signs_in_with_a_code(tree, sysadmin, open_as, shoot, scripts):
    Setting.objects.filter(key="second_factor_roles").update(value="sysadmin")
    page = open_as(None, scripts=scripts)
    sign_in(page, "sysadmin", cast.PASSWORD)
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.fill("[name=password]", cast.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/totp/activate/")
    if scripts:
        axe(page)
    shoot(page, "second-factor")
    secret = page.locator(".why code").text_content()
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    page.fill("[name=code]", totp.format_hotp_value(totp.hotp_value(secret, counter)))
    page.keyboard.press("Enter")
    page.wait_for_url("**/recovery-codes/")
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    if scripts:
        axe(page)
    again = open_as(None, scripts=scripts)
    sign_in(again, "sysadmin", cast.PASSWORD)
    again.wait_for_url("**/2fa/authenticate/")
    again.fill("[name=code]", codes[0])
    again.keyboard.press("Enter")
    again.wait_for_url("/")


@pytest.mark.parametrize("width", SIZES)
def test_pages_of_an_account_break_no_rule(tree, secadmin, street, open_as, width):
    accounts.invite(
        by=secadmin,
        username="lu",
        name="陆文杰",
        email="",
        union=tree.street,
        role="cadre",
        valid_from=date(2026, 1, 1),
    )
    page = open_as(secadmin, width=width, dark=width == 390)
    for path in ("", f"{street.pk}/", f"{street.pk}/reset/", f"{street.pk}/leave/", f"{street.pk}/handover/"):
        page.goto(f"/users/{path}")
        axe(page)

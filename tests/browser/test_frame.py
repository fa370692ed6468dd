"""The frame of every page: signing in, the desk, the keyboard, the phone's menu, and all of it without scripts."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from core.models import Deadline, DeadlineRule
from tests import cast
from tests.browser.conftest import SIZES, axe


@pytest.fixture
def duties(tree):
    """One duty overdue, one of today, one in a fortnight."""
    rule = DeadlineRule.objects.order_by("code").first()
    for number, days in enumerate((-3, 0, 14)):
        day = timezone.localdate() + timedelta(days=days)
        Deadline.objects.create(
            rule=rule,
            trigger=date(2021, 1, 1),
            natural=day,
            due=day,
            earliest=day,
            derivation="因为届满之日不顺延。",
            subject_type="unions.committee",
            subject_id=number,
            title=f"第{number}号工会任期届满",
            union=tree.enterprise,
            side="OURS",
        )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", SIZES)
def test_sign_in_leads_to_the_desk(duties, street, open_as, shoot, width, dark):
    page = open_as(None, width=width, dark=dark)
    page.goto("/")
    axe(page)
    shoot(page, f"sign-in-{'dark' if dark else 'light'}")
    page.fill("[name=login]", "street")
    page.fill("[name=password]", cast.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("/")
    assert page.locator(".duty").count() == 3
    page.locator(".why summary").first.click()
    assert page.get_by_text("因为届满之日不顺延。").first.is_visible()
    axe(page)
    shoot(page, f"desk-{'dark' if dark else 'light'}")


def test_wrong_password_is_told_in_place(street, open_as, shoot):
    page = open_as(None)
    page.goto("/accounts/login/")
    page.fill("[name=login]", "street")
    page.fill("[name=password]", "wrong")
    page.keyboard.press("Enter")
    page.locator(".error-summary").wait_for()
    axe(page)
    shoot(page, "sign-in-refused")


def test_slash_goes_to_the_search_box_and_escape_closes_a_menu(street, open_as):
    page = open_as(street)
    page.goto("/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search-box"
    page.keyboard.type("/a")
    assert page.input_value("#search-box") == "/a"
    page.locator(".me > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".me .popup").is_visible()
    axe(page)
    page.keyboard.press("Escape")
    assert not page.locator(".me .popup").is_visible()


def test_first_tab_offers_to_skip_the_frame(street, open_as):
    page = open_as(street)
    page.goto("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("scripts", [True, False])
def test_phone_has_its_menu_behind_one_button(street, open_as, shoot, scripts):
    page = open_as(street, width=390, scripts=scripts)
    page.goto("/")
    entry = page.locator("#menu a").nth(1)
    assert not entry.is_visible()
    page.locator(".menu-button").click()
    assert entry.is_visible()
    shoot(page, "menu")
    if scripts:
        axe(page)


@pytest.mark.parametrize("width", SIZES)
def test_page_that_does_not_exist(street, open_as, shoot, width):
    page = open_as(street, width=width)
    page.goto("/no/such/page/")
    axe(page)
    shoot(page, "not-found")


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("address", ["/accounts/password/change/", "/accounts/2fa/", "/accounts/logout/"])
def test_account_pages(street, open_as, shoot, address, width):
    page = open_as(street, width=width)
    page.goto(address)
    axe(page)
    shoot(page, address.strip("/").replace("/", "-"))


def test_everything_works_without_scripts(duties, street, open_as):
    page = open_as(None, scripts=False)
    page.goto("/")
    page.fill("[name=login]", "street")
    page.fill("[name=password]", cast.PASSWORD)
    page.click("button.primary")
    page.wait_for_url("/")
    page.locator(".why summary").first.click()
    assert page.get_by_text("因为届满之日不顺延。").first.is_visible()
    page.locator(".me > summary").click()
    page.get_by_role("button", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator(".me > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")

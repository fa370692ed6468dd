"""The checkup in a real browser: what it found at a glance, and from a finding straight into the field to fill in."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from core import examination
from core.models import CheckupDay
from tests.browser.conftest import axe
from tests.browser.test_pages import check
from tests.sound import FAULTS, sound


@pytest.fixture
def found(tree):
    """A city with a fault of each kind, that had more of them in the weeks before."""
    whole = sound(tree)
    for code in ("NO_PHONE", "DECEASED_ON_ROLL", "UNION_NO_HEADCOUNT", "UNION_TERM_OVERDUE"):
        FAULTS[code](whole)
    today = timezone.localdate()
    for days in range(2, 80, 3):
        CheckupDay.objects.create(union=tree.city, code="", day=today - timedelta(days=days), below=days)
    examination.examine(tree.city, today=today)
    return whole


def test_the_overview_and_the_list(found, city, open_as, shoot):
    page = open_as(city)
    page.goto("/checkup/")
    assert page.locator("svg.chart polyline").count() == 1
    page.locator("details.fold-sheet > summary").click()
    check(page, shoot, "checkup-found")
    page.goto("/checkup/findings/")
    check(page, shoot, "findings-found")
    page.goto("/checkup/unions/")
    check(page, shoot, "checkup-by-union")


def test_the_overview_in_the_dark(found, city, open_as, shoot):
    page = open_as(city, dark=True)
    page.goto("/checkup/")
    axe(page)
    shoot(page, "checkup-dark")


def test_from_the_desk_into_the_field_that_mends_it(found, street, open_as):
    page = open_as(street, language="en")
    page.goto("/")
    page.get_by_role("link", name="See all").click()
    page.get_by_role("link", name="Phone not recorded", exact=True).click()
    page.get_by_role("link", name="Fill it in").click()
    expect(page.locator("#id_phone")).to_be_focused()
    page.keyboard.type("13800138111")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/members/{found.members[0].pk}/*")
    page.goto("/checkup/findings/?check=NO_PHONE")
    expect(page.locator("#list")).to_contain_text("No row matches these filters")


def test_one_click_mends(found, street, open_as):
    page = open_as(street, language="en")
    page.goto("/checkup/findings/?check=DECEASED_ON_ROLL")
    page.get_by_role("button", name="End the membership").click()
    expect(page.locator("#content")).to_contain_text("It is in order now")
    assert "check=DECEASED_ON_ROLL" in page.url

"""The search box in a real browser: live hits, keyboard only, and the same without scripts."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SIZES, axe
from tests.members.people import QIAN, member


@pytest.fixture
def two(tree):
    return member(tree.enterprise, name="曾小明"), member(tree.enterprise, name="曾小红", id_number=QIAN)


@pytest.mark.parametrize("width", SIZES)
def test_hits_appear_while_typing_and_are_opened_by_keyboard(open_as, street, two, shoot, width):
    page = open_as(street, width=width, language="en")
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("zengx")
    options = page.get_by_role("option")
    expect(options).to_have_count(2)
    box = page.locator("#search-box")
    expect(box).to_have_attribute("aria-expanded", "true")
    axe(page)
    shoot(page, "search-list")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id"))
    name = options.nth(1).locator(".label").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.keyboard.press("/")
    page.keyboard.type("xiao")
    expect(page.locator("#search-hits")).to_contain_text("Nothing found within your reach")
    page.keyboard.press("Escape")
    expect(page.locator("#search-hits")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(box).to_have_value("")
    assert "xiao" not in page.url


def test_the_page_of_hits_is_walked_by_arrows(open_as, street, two, shoot):
    page = open_as(street, language="en")
    page.goto("/search/")
    axe(page)
    shoot(page, "search-empty")
    page.keyboard.press("/")
    page.keyboard.type("曾小")
    page.keyboard.press("Enter")
    expect(page.locator("[data-hits] a")).to_have_count(2)
    axe(page)
    shoot(page, "search-page")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-hits] a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/members/*/")


def test_search_works_without_scripts(open_as, street, two):
    page = open_as(street, scripts=False)
    page.goto("/")
    page.fill("#search-box", "zxm")
    page.press("#search-box", "Enter")
    expect(page.locator("[data-hits] a")).to_have_text("曾小明")

"""Long forms in a real browser: what is typed outlives the session; the enrol grid pastes, checks, keeps bad rows."""

import re
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache

from core import drafts
from members.models import Membership
from tests import cast
from tests.browser.conftest import SIZES, axe
from tests.members.people import QIAN, ZHAO, member, number

GRID = "/members/grid/"
PAGE = re.compile(r"/members/\d+/$")
WRONG = ZHAO[:-1] + "9"


def end_session(page):
    """End the session on the server, as time would."""
    [sid] = [each["value"] for each in page.context.cookies() if each["name"] == settings.SESSION_COOKIE_NAME]
    Session.objects.filter(session_key=sid).delete()
    cache.delete(f"django.contrib.sessions.cached_db{sid}")


def sign_in(page, username):
    page.fill("[name=login]", username)
    page.fill("[name=password]", cast.PASSWORD)
    page.locator("main button[type=submit], form button.primary").first.click()


def wait_until_kept(page, user, name, value):
    """Wait until the draft of the page says `value` in the field `name`."""
    for _try in range(100):
        draft = drafts.find(user, urlsplit(page.url).path)
        if draft and value in draft.fields.get(name, []):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{name} was not kept")


def paste(page, text):
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.setData("text", text);
          document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        text,
    )


def cell(page, row, name):
    return page.locator("form.grid tbody").nth(row).locator(f"input[name={name}]")


def test_what_was_typed_outlives_the_session(tree, enterprise, open_as, shoot):
    page = open_as(enterprise)
    page.goto("/members/add/")
    page.fill("[name=id_number]", ZHAO)
    page.fill("[name=name]", "赵建国")
    page.locator("details.fold summary").first.click()
    page.fill("[name=notes]", "从原单位调来")
    page.check("[name=migrant_worker]")
    wait_until_kept(page, enterprise, "migrant_worker", "on")
    end_session(page)
    page.locator(".form-actions button.primary").click()  # everything is kept: the sign-in page takes over
    page.locator("[name=password]").wait_for(timeout=5000)
    sign_in(page, "enterprise")
    page.locator("#draft").wait_for(state="attached")
    assert page.input_value("[name=name]") == "赵建国"
    assert page.input_value("[name=notes]") == "从原单位调来"
    assert page.is_checked("[name=migrant_worker]")
    assert page.locator(".number-says").first.inner_text() != ""
    axe(page)
    shoot(page, "draft-restored")
    page.locator(".form-actions button.primary").click()
    page.wait_for_url(PAGE)
    assert Membership.objects.get().notes == "从原单位调来"
    page.goto("/members/add/")
    assert page.locator("#draft").count() == 0


def test_a_page_whose_session_ended_keeps_what_is_on_it(tree, enterprise, open_as, shoot):
    page = open_as(enterprise)
    page.goto("/members/add/")
    page.fill("[name=id_number]", ZHAO)
    wait_until_kept(page, enterprise, "id_number", ZHAO)
    end_session(page)
    page.fill("[name=name]", "赵建国")
    page.locator(".form-actions button.primary").click()
    page.locator("output.draft-says.over a").wait_for()
    assert page.url.endswith("/members/add/")
    axe(page)
    shoot(page, "session-over")
    with page.context.expect_page() as opened:
        page.locator("output.draft-says.over a").click()
    sign_in(opened.value, "enterprise")
    opened.value.wait_for_url("**/")
    page.bring_to_front()
    page.locator(".form-actions button.primary").click()
    page.wait_for_url(PAGE)
    assert Membership.objects.get().person.name == "赵建国"


def test_a_draft_is_discarded(tree, enterprise, open_as):
    page = open_as(enterprise)
    page.goto(f"/members/add/?union={tree.enterprise.pk}")
    page.fill("[name=name]", "赵建国")
    wait_until_kept(page, enterprise, "name", "赵建国")
    page.reload()
    assert page.input_value("[name=name]") == "赵建国"
    page.locator(".notice button[name=form]").click()
    page.wait_for_url(f"**/members/add/?union={tree.enterprise.pk}")
    assert page.input_value("[name=name]") == ""


@pytest.mark.parametrize("width", SIZES)
def test_rows_pasted_from_excel_are_checked_and_the_good_ones_enrolled(tree, enterprise, open_as, shoot, width):
    member(tree.sibling, name="孙立", id_number=number(7))
    page = open_as(enterprise, width=width)
    page.goto(f"{GRID}?union={tree.enterprise.pk}")
    shoot(page, "grid-empty")
    cell(page, 0, "name").focus()
    lines = [
        "序号\t姓名\t性别\t身份证号\t手机号码\t入会时间\t用工形式\t小组",
        f"1\t赵建国\t男\t{ZHAO}\t13800131234\t2020/5/1\t正式职工\t铸造车间",
        f'2\t钱芳\t女\t{QIAN}\t13800131235\t2021年3月5日\t快递员\t"二\n组"',
        f"3\t李四\t男\t{WRONG}\t13800131236\t2021-03-05\t\t三组",
        f"4\t孙立\t男\t{number(7)}\t\t2021-03-05\t\t",
    ]
    paste(page, "\r\n".join(lines) + "\r\n")
    page.locator("tbody.held").nth(1).wait_for()
    assert page.locator("tbody.ok").count() == 2
    assert cell(page, 1, "department").input_value() == "二 组"
    assert "1992-02-29" in page.locator("tbody").nth(1).locator(".about").inner_text()
    assert page.locator("tbody").nth(2).locator(".says").is_visible()
    axe(page)
    shoot(page, "grid-checked")
    page.locator(".form-actions button.primary").click()
    page.locator(".notice.good").first.wait_for()
    assert sorted(Membership.objects.filter(union=tree.enterprise).values_list("person__name", flat=True)) == [
        "赵建国",
        "钱芳",
    ]
    assert cell(page, 0, "name").input_value() == "李四"
    assert cell(page, 0, "number").input_value() == WRONG
    shoot(page, "grid-left")


def test_keys_move_as_in_excel_and_rows_come_and_go(tree, enterprise, open_as):
    page = open_as(enterprise)
    page.goto(GRID)
    page.evaluate(
        "window.sent = false; document.querySelector('form.grid').addEventListener('submit', () => window.sent = true)"
    )
    here = """() => {
      const rows = [...document.querySelectorAll("form.grid tbody")];
      return [document.activeElement.name, rows.indexOf(document.activeElement.closest("tbody"))];
    }"""
    cell(page, 0, "name").focus()
    page.keyboard.type("赵")
    for key, place in [
        ("ArrowRight", ["number", 0]),
        ("ArrowDown", ["number", 1]),
        ("Enter", ["number", 2]),
        ("ArrowUp", ["number", 1]),
        ("ArrowLeft", ["name", 1]),
        ("Tab", ["number", 1]),
        ("Shift+Enter", ["number", 0]),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(here) == place
    rows = page.locator("form.grid tbody")
    assert rows.count() == 10
    cell(page, 9, "name").fill("钱")
    assert rows.count() == 11
    page.locator("[data-more]").click()
    assert rows.count() == 21
    page.locator("td.delete button").first.click()
    assert rows.count() == 20
    assert cell(page, 8, "name").input_value() == "钱"
    assert rows.nth(8).locator("th").inner_text() == "9"
    cell(page, 0, "name").focus()
    paste(page, "甲\n" * 201)
    assert "200" in page.locator(".in-short").inner_text()
    assert rows.count() == 20
    assert page.evaluate("window.sent") is False


def test_a_grid_comes_back_with_all_its_rows(tree, enterprise, open_as):
    page = open_as(enterprise)
    page.goto(GRID)
    cell(page, 0, "name").focus()
    paste(page, "\n".join(f"王{chr(0x4E00 + place)}\t{number(place)}" for place in range(30)))
    page.locator("tbody.warning").nth(29).wait_for()  # without a joining date
    wait_until_kept(page, enterprise, "number", number(29))
    page.reload()
    page.locator("tbody.warning").nth(29).wait_for()
    assert cell(page, 29, "number").input_value() == number(29)


def test_the_grid_works_without_scripts(tree, enterprise, open_as):
    page = open_as(enterprise, scripts=False)
    page.goto(f"{GRID}?union={tree.enterprise.pk}")
    cell(page, 0, "name").fill("赵建国")
    cell(page, 0, "number").fill(ZHAO)
    cell(page, 3, "name").fill("李四")
    cell(page, 3, "number").fill(WRONG)
    page.locator(".form-actions button.primary").click()
    assert Membership.objects.get().person.name == "赵建国"
    assert cell(page, 0, "number").input_value() == WRONG
    assert page.locator("tbody").first.locator(".says").is_visible()

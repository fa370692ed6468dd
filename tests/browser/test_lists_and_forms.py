"""Lists and forms in the browser: filters in place or by the plain button, and two officers editing one union."""

import pytest

from tests.browser.conftest import SIZES, axe
from unions import actions
from unions.models import Union, UnionKind
from unions.tree import path_of


@pytest.fixture
def crowd(tree):
    """Sixty enterprises below the street: more than one page."""
    for key in range(100, 160):
        Union.objects.create(
            id=key,
            code=f"T0101{key}",
            name=f"云河第{key}有限公司工会",
            kind=UnionKind.ENTERPRISE,
            parent=tree.street,
            path=path_of(key, tree.street.path),
        )
    return tree


@pytest.mark.parametrize("width", SIZES)
def test_filter_is_applied_in_place_and_goes_with_its_chip(crowd, street, open_as, shoot, width):
    page = open_as(street, width=width)
    page.goto("/unions/")
    page.evaluate("window.still = true")
    page.locator("details.chip", has=page.locator("select[name=kind]")).locator("summary").click()
    axe(page)
    page.select_option("select[name=kind]", "STREET")
    page.wait_for_url("**kind=STREET*")
    assert page.locator("tbody tr").count() == 1
    shoot(page, "list-filtered")
    page.locator("a.chip.on").click()
    page.locator("a.chip.on").wait_for(state="detached")
    assert page.locator("tbody tr").count() == 50
    assert page.evaluate("window.still") is True  # one page all the time
    page.go_back()
    page.locator("a.chip.on").wait_for()
    assert page.locator("tbody tr").count() == 1
    assert page.locator(".bar").count() == 1


def test_next_page_is_reached_in_place(crowd, street, open_as):
    page = open_as(street)
    page.goto("/unions/")
    page.locator(".pager a[rel=next]").click()
    page.wait_for_url("**after=*")
    page.locator(".pager a[rel=prev]").wait_for()
    assert page.locator("tbody tr").count() == 13
    axe(page)


def test_filter_works_without_scripts(crowd, street, open_as):
    page = open_as(street, scripts=False)
    page.goto("/unions/")
    chip = page.locator("details.chip", has=page.locator("select[name=kind]"))
    chip.locator("summary").click()
    page.select_option("select[name=kind]", "STREET")
    chip.locator("button").click()
    page.wait_for_url("**kind=STREET*")
    assert page.locator("tbody tr").count() == 1
    page.locator("a.chip.on").click()
    assert page.locator("tbody tr").count() == 50
    page.locator(".pager a[rel=next]").click()
    assert page.locator("tbody tr").count() == 13


@pytest.mark.parametrize("width", SIZES)
def test_two_officers_edit_one_union(tree, street, district, open_as, shoot, width):
    page = open_as(street, width=width)
    page.goto(f"/unions/{tree.enterprise.pk}/edit/")
    union = Union.objects.get(pk=tree.enterprise.pk)
    actions.change_union(union, by=district, version=union.version, changes={"employees": 88, "industry": "机械"})
    page.fill("[name=employees]", "90")
    page.fill("[name=address]", "云河市一道街 1 号")
    page.locator(".form-actions button.primary").click()
    page.locator(".compare").wait_for()
    assert page.locator(".compare tbody tr").count() == 3
    assert page.input_value("[name=industry]") == "机械"
    assert page.input_value("[name=employees]") == "90"
    axe(page)
    shoot(page, "conflict")
    page.locator(".form-actions button.primary").click()
    page.wait_for_url(f"/unions/{tree.enterprise.pk}/")
    union.refresh_from_db()
    assert (union.employees, union.industry, union.address) == (90, "机械", "云河市一道街 1 号")


def test_refused_form_leads_to_the_field(tree, street, open_as, shoot):
    page = open_as(street)
    page.goto(f"/unions/{tree.enterprise.pk}/edit/")
    page.fill("[name=name]", "")
    page.fill("[name=founded_on]", "昨天")
    page.locator(".form-actions button.primary").click()
    page.locator(".error-summary").wait_for()
    assert page.evaluate("document.activeElement.className").endswith("error-summary")
    axe(page)
    shoot(page, "form-refused")
    page.locator(".error-summary a").last.click()
    assert page.evaluate("document.activeElement.id") == "id_founded_on"


def test_cell_pasted_from_excel_loses_its_line_break(tree, street, open_as):
    page = open_as(street)
    page.goto(f"/unions/{tree.enterprise.pk}/edit/")
    page.fill("[name=address]", "")
    page.focus("[name=address]")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text", "云河市一道街 1 号\\r\\n");
          const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(paste);
        }"""
    )
    assert page.input_value("[name=address]") == "云河市一道街 1 号"

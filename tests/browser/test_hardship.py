"""A hardship case in a real browser: the whole way, each step by its own person, and back from each step."""

import pytest
from django.urls import reverse

from tests.assistance.cases import WAY, case_in, publicity_is_over, staff, today
from tests.assistance.published import matched
from tests.browser.conftest import SIZES, axe

# The button of a step that gives the case back, and the state in which it stands on the page.
BACK = {"review": "return_review", "visit": "return_visit", "appraise": "return_appraisal", "check": "return_check",
        "match": "return_match", "approve": "return_approval"}  # fmt: skip
TYPED = {
    "visit": {"on": f"{today():%Y/%m/%d}", "found": "家中三口人，陈设简单。", "names": "社区李主任"},
    "appraise": {"on": f"{today():%Y%m%d}", "present": "９", "favour": "8", "against": "1"},
}


@pytest.fixture
def people(tree):
    return staff(tree)


def step(page, case, name, **typed):
    """Make the move `name` on the page of the case, as somebody would."""
    page.goto(reverse("hardship_page", args=[case.pk]))
    form = page.locator(f'form:has(input[name=move][value="{name}"])')
    fold = page.locator(f'details:has(input[name=move][value="{name}"])')
    if fold.count() and fold.get_attribute("open") is None:
        fold.locator("summary").first.click()
    for field, text in typed.items():
        form.locator(f'[name="{field}"]').fill(text)
    if name == "visit":
        form.locator('[name="opinion"][value="AS_DECLARED"]').check()
    form.locator("button[type=submit]").click()
    page.wait_for_load_state()
    case.refresh_from_db()


def test_a_case_goes_back_from_each_step_and_then_the_whole_way(tree, people, open_as, shoot):
    case = case_in("DRAFT", tree.enterprise, statement="患慢性病，自付费用较高。")
    pages = {name: open_as(user) for name, user in people.items()}
    for turned in [*BACK, None]:
        for name, who in WAY:
            if name == turned:
                step(pages[who], case, BACK[name], reason="材料不全，请补充")
                assert case.state == "DRAFT", name
                break
            if name == "end_publicity":
                publicity_is_over(case)
            if name == "match":
                matched(case, people[who])
            step(pages[who], case, name, **TYPED.get(name, {}))
            assert case.steps.first().move == name
    assert (case.state, case.category) == ("FILED", "DEEP")
    shoot(pages["decider"], "case-filed")


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize(("state", "who"), [
    ("DRAFT", "enterer"), ("HOME_VISIT", "guest"), ("APPRAISAL", "enterer"), ("CITY_APPROVAL", "decider"),
    ("FILED", "checker"), ("WITHDRAWN", "enterer"),
])  # fmt: skip
def test_the_page_of_a_case_is_accessible_in_every_state(tree, people, open_as, shoot, state, who, width):
    case = case_in(state, tree.enterprise)
    page = open_as(people[who], width=width)
    page.goto(reverse("hardship_page", args=[case.pk]))
    for fold in page.locator("details.fold-sheet > summary").all():
        fold.click()
    shoot(page, f"case-{state}")
    axe(page)

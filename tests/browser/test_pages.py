"""Every page in a real browser, wide and narrow: accessible, nothing cut off, and Chinese through and through."""

import re
from datetime import date

import pytest
from django.contrib import admin
from django.urls import reverse

from members import actions
from tests.browser.conftest import SIZES, axe
from tests.builders import BUILDERS, committee_at
from tests.test_permissions import KINDS, OUR_ROUTES, PUBLIC, methods_of
from unions.actions import add_officer

# Latin words that belong on a Chinese page: file kinds, hashes, sample codes and dates, sign-in names, an address.
ALLOWED = re.compile(
    r"https?://\S+|\b[A-Z]{0,3}\d\w*\b|\bSHA-256\b|\b(Excel|PDF|CSV|UTF|GB18030|xlsx|xls|csv|QR|TOTP|English|A4|kB|KB|MB)\b"
    r"|\b(city|district|street|enterprise|neighbour|auditor|nobody|root|asker|sysadmin|secadmin|auditadmin|approver)\b"
    r"|account\d+|\bdistrict_staff\b"
    r"|\bGB/T\b|\b(all|none|superuser)\b"  # a standard's number, and what settings may say
)
SHOWN = """
() => {
  const texts = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const owner = walk.currentNode.parentElement;
    if (owner.closest("script, style, code, [lang=en]")) continue;
    texts.push(walk.currentNode.textContent);
  }
  for (const each of document.querySelectorAll("[placeholder], [aria-label], [title], [alt]"))
    texts.push(each.placeholder || "", each.getAttribute("aria-label") || "", each.title || "", each.alt || "");
  return texts;
}
"""

DOWNLOADS = {"paper_download", "import_template", "export_download", "hardship_document"}
PAGES = [
    (name, parameters)
    for name, _text, callback, parameters in OUR_ROUTES
    if "get" in methods_of(callback) and name not in PUBLIC | DOWNLOADS
]
PERMS = {name: callback.perm for name, _text, callback, _parameters in OUR_ROUTES if hasattr(callback, "perm")}
PEOPLE = [
    ("陈堃", "210400198503070017"),
    ("黄䶮", "21040019760523206X"),
    ("周𬭎", "510100196411300466"),
    ("阿依古丽·买买提", "650100200109111023"),
]


@pytest.fixture
def furnished(tree, root):
    """The tree with committees, a chair, and four members with rare names."""
    for union in vars(tree).values():
        committee_at(union)
    add_officer(
        tree.enterprise, by=root, position="CHAIR", name="李喆", started_on=date(2023, 5, 10), phone="13800001234"
    )
    for name, number in PEOPLE:
        actions.enrol(
            by=root, union=tree.enterprise, name=name, id_number=number, joined_on=date(2020, 5, 1), phone="13912345678"
        )
    return tree


def english(page):
    """Return the English words a Chinese page shows."""
    words = []
    for text in page.evaluate(SHOWN):
        words += re.findall(r"[A-Za-z]{2,}", ALLOWED.sub(" ", text))
    return words


def check(page, shoot, name, *, chinese=True, known=frozenset()):
    """The page as it is open, and again on a phone: one opening for both, because opening is what takes time."""
    for width in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        axe(page)
        if chinese:
            assert " ".join(sorted(set(english(page)) - known)) == ""
        shoot(page, name)


@pytest.mark.parametrize(("name", "parameters"), PAGES, ids=[name for name, _parameters in PAGES])
def test_page(name, parameters, furnished, city, approver, secadmin, sysadmin, root, open_as, shoot):
    who = (city, approver, secadmin, sysadmin, root)
    page = open_as(next(user for user in who if name not in PERMS or user.has_perm(PERMS[name])))
    kwargs = {}
    for parameter in parameters:
        if parameter == "kind":
            kwargs["kind"] = KINDS[name][0]
        else:
            made = BUILDERS[parameter][0](furnished.enterprise)
            if parameter == "export_pk":  # seen by whoever asked for it
                made.asked_by = city
                made.save()
            kwargs[parameter] = made.pk
    answer = page.goto(reverse(name, kwargs=kwargs))
    assert answer.status == 200
    check(page, shoot, name)


@pytest.mark.parametrize("name", ["desk", "member_list", "union_page", "member_page"])
def test_page_in_the_dark(name, furnished, city, open_as, shoot):
    page = open_as(city, dark=True)
    kwargs = {"union_pk": furnished.enterprise.pk} if name == "union_page" else {}
    if name == "member_page":
        kwargs = {"membership_pk": furnished.enterprise.memberships.first().pk}
    page.goto(reverse(name, kwargs=kwargs))
    check(page, shoot, f"{name}-dark")


def test_switch_to_english(furnished, city, open_as, shoot):
    page = open_as(city, language="en")
    page.goto(reverse("member_list"))
    assert page.locator("h1").inner_text() == "Members"
    check(page, shoot, "member_list-english", chinese=False)


@pytest.mark.parametrize("where", ["forbidden", "foreign", "public"])
def test_page_for_those_who_may_not(where, furnished, nobody, neighbour, open_as, shoot):
    user, address, status = {
        "forbidden": (nobody, reverse("member_list"), 403),
        "foreign": (neighbour, reverse("union_page", args=[furnished.enterprise.pk]), 404),
        "public": (None, reverse("paper_public", args=[f"{1:032d}"]), 404),
    }[where]
    page = open_as(user)
    assert page.goto(address).status == status
    check(page, shoot, f"refused-{where}")


ADMIN_ALTS = {"Search", "True", "False"}  # texts of pictures that stand in Django's templates and code, untranslatable
ADMIN_PAGES = [
    "index",
    *(f"{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry),
    *(f"{label}_add" for label in ("core_user", "unions_appointment", "unions_union", "members_membership")),
    *(f"core_{model}_import" for model in ("deadlinerule", "calendarday", "calendaryear", "setting")),
]


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_page_of_the_admin(name, furnished, root, open_as, shoot):
    page = open_as(root)
    assert page.goto(reverse(f"admin:{name}")).status == 200
    check(page, shoot, f"admin-{name}", known=ADMIN_ALTS)

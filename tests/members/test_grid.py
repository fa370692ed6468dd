"""The enrol grid: rows judged as an import judges them, the good ones enrolled, the others kept with their sentence."""

import time
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from core import drafts
from core.models import AuditEvent, Draft
from members.forms_grid import LABELS, MOST
from members.models import Membership, Transfer
from tests.members.people import PHONE, QIAN, ZHAO, member, number

GRID, CHECK = "/members/grid/", "/members/grid/check/"


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def sheet(union, *rows):
    """Form data of a grid: each row a dict of its filled cells."""
    return {"union": union.code} | {name: [row.get(name, "") for row in rows] for name in LABELS}


def row(name="赵建国", id_number=ZHAO, joined_on="2020-05-01", **others):
    return {"name": name, "number": id_number, "joined_on": joined_on} | others


def crowd(count):
    return [row(f"王{chr(0x4E00 + place)}", number(place % 1000, born="19880808"), phone="") for place in range(count)]


@pytest.fixture
def clerk(client_of, enterprise):
    return client_of(enterprise)


def check(client, union, *rows):
    return client.post(CHECK, sheet(union, *rows)).json()


def test_the_grid_opens_with_the_union_and_empty_rows(clerk, tree):
    page = clerk.get(f"{GRID}?union={tree.enterprise.pk}")
    assert page.context["form"]["union"].value() == tree.enterprise.code
    assert page.content.decode().count('<input name="number"') == 11  # ten rows, and the one to copy


def test_rows_are_enrolled_each_with_its_event(clerk, tree, enterprise):
    data = sheet(
        tree.enterprise,
        row(phone="138 0013 1234", employment="快递员", migrant_worker="是", department="一组", post="骑手"),
        {},
        row("钱芳", QIAN, joined_on="2021年3月5日"),
    )
    answer = clerk.post(GRID, data)
    assert (answer.status_code, answer.url) == (302, f"/members/?union={tree.enterprise.pk}")
    zhao, qian = Membership.objects.order_by("pk")
    assert (zhao.person.id_number, zhao.person.phone, zhao.person.sex) == (ZHAO, PHONE, "M")
    assert (zhao.employment, zhao.occupation_group, zhao.migrant_worker) == ("PLATFORM", "COURIER", True)
    assert (zhao.department, zhao.post, qian.joined_on) == ("一组", "骑手", date(2021, 3, 5))
    events = AuditEvent.objects.filter(verb="members.enrol_membership")
    assert [event.actor_id for event in events] == [enterprise.pk] * 2


def test_bad_rows_stay_with_their_sentence_and_nothing_typed_is_lost(clerk, tree, enterprise):
    wrong = row("孙立", ZHAO[:-1] + "9", post="钳工", phone="13800139999")
    page = clerk.post(GRID, sheet(tree.enterprise, row(), wrong))
    assert page.status_code == 200
    assert Membership.objects.count() == 1
    [left, *empty] = page.context["rows"]
    assert left.texts == dict.fromkeys(LABELS, "") | wrong
    assert left.says == ["The check digit is wrong, a digit was mistyped: check the number against the card."]
    assert not any(any(each.texts.values()) for each in empty)
    assert "1 person is enrolled." in page.content.decode()
    assert drafts.find(enterprise, GRID).fields["number"] == [wrong["number"]]
    assert clerk.post(GRID, sheet(tree.enterprise, wrong | {"number": number(1)})).status_code == 302
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("cells", "outcome", "sentence"),
    [
        (row(), "ok", ""),
        (row(name=""), "held", "The name is missing"),
        (row(id_number=""), "held", "The identity number is missing"),
        (row(id_number="2.1040E+17"), "held", "Excel has shortened this identity number"),
        (row(phone="12345"), "held", "mobile"),
        (row(joined_on="2999-01-01"), "held", "lies in the future"),
        (row(joined_on="1980-01-01"), "held", "before the birth date"),
        (row(joined_on=""), "warning", "The joining date is missing"),
        (row(joined_on="1999-03-05"), "warning", "Younger than 16"),
        (row(employment="牛马"), "held", "choose one of the list"),
        ({}, "", ""),
    ],
)
def test_a_row_is_judged_while_it_is_typed(clerk, tree, cells, outcome, sentence):
    [said] = check(clerk, tree.enterprise, cells)["rows"]
    assert said["outcome"] == outcome
    assert sentence in said["says"]
    assert bool(said["says"]) == bool(sentence)
    assert not Membership.objects.exists()


def test_the_number_says_sex_and_birth_date(clerk, tree):
    said = check(clerk, tree.enterprise, row(), row("钱芳", QIAN))
    assert [each["about"] for each in said["rows"]] == ["male 1985-03-07", "female 1992-02-29"]
    assert said["short"] == "2 can be enrolled"


def test_rows_meet_one_another_and_those_stored(clerk, street, client_of, tree):
    here = member(tree.enterprise)
    member(tree.neighbour_enterprise, name="钱芳", id_number=QIAN)
    said = check(
        clerk, tree.enterprise, row(), row("赵大国"), row("钱芳", QIAN), row("李四", number(1)), row("李四", number(1))
    )
    outcomes = [each["outcome"] for each in said["rows"]]
    assert outcomes == ["held", "held", "held", "ok", "held"]
    assert reverse("member_page", args=[here.pk]) in said["rows"][0]["says"]
    assert "another name" in said["rows"][1]["says"]
    assert "another union" in said["rows"][2]["says"]
    assert tree.neighbour_enterprise.name not in said["rows"][2]["says"]
    assert "a row above" in said["rows"][4]["says"]
    assert said["short"] == "1 can be enrolled, 4 to be looked at again"


def test_a_transfer_is_asked_for_from_the_row_that_says_so(clerk, tree):
    there = member(tree.neighbour_enterprise, name="钱芳", id_number=QIAN)
    assert 'name="transfer"' in check(clerk, tree.enterprise, row("钱芳", QIAN))["rows"][0]["says"]
    page = clerk.post(GRID, sheet(tree.enterprise, row(), row("钱芳", QIAN)) | {"transfer": QIAN})
    transfer = Transfer.objects.get()
    assert (transfer.membership, transfer.to_union) == (there, tree.enterprise)
    assert [each.texts["name"] for each in page.context["rows"] if each.texts] == ["赵建国"]  # not enrolled yet
    assert not tree.enterprise.memberships.exists()


def test_what_a_row_says_is_text(clerk, tree):
    page = clerk.post(GRID, sheet(tree.enterprise, row(name="<script>x</script>"))).content.decode()
    assert "<script>x" not in page


@pytest.mark.parametrize("url", [GRID, CHECK])
def test_a_union_that_is_not_kept_takes_nobody(clerk, tree, url):
    page = clerk.post(url, sheet(tree.neighbour_enterprise, row()))
    assert "No union that you keep has this code or name." in page.content.decode()
    assert not Membership.objects.exists()


def test_a_dissolved_union_takes_nobody(clerk, tree):
    tree.enterprise.dissolved_on = date(2024, 1, 1)
    tree.enterprise.save()
    clerk.post(GRID, sheet(tree.enterprise, row()))
    assert not Membership.objects.exists()


def test_more_rows_than_a_grid_takes_lead_to_the_import(clerk, tree):
    rows = [{"name": "某"}] * (MOST + 1)
    page = clerk.post(GRID, sheet(tree.enterprise, *rows))
    assert "A grid takes 200 rows at most" in page.content.decode()
    assert len(page.context["rows"]) == MOST + 1
    assert "200 rows at most" in check(clerk, tree.enterprise, *rows)["short"]


def test_an_empty_grid_says_so(clerk, tree):
    assert "No row is filled in." in clerk.post(GRID, sheet(tree.enterprise, {})).content.decode()


def test_a_draft_opens_with_all_its_rows(clerk, tree, enterprise):
    drafts.keep(enterprise, GRID, {"union": [tree.enterprise.code], "name": [f"王{place}" for place in range(25)]})
    page = clerk.get(GRID)
    assert [each.texts.get("name") for each in page.context["rows"]][:25] == [f"王{place}" for place in range(25)]


def test_checking_costs_the_same_queries_however_many_rows(clerk, tree):
    member(tree.enterprise)
    check(clerk, tree.enterprise, row())
    counts = []
    for size in (1, 20):
        with CaptureQueriesContext(connection) as queries:
            check(clerk, tree.enterprise, row(), *crowd(size))
        counts.append(len(queries))
    assert counts == [10, 10]


def test_who_looks_like_a_stored_member_is_shown_beside_the_row_and_enrolled_once_that_was_seen(clerk, tree):
    stored = member(tree.enterprise, name="欧阳建国", phone=PHONE)
    member(tree.neighbour_enterprise, name="欧阳建国", id_number="210400198503070033", phone=PHONE)
    rows = row("欧阳建国", "210400198503070025", phone=PHONE), row("孙立", number(9))
    said = check(clerk, tree.enterprise, *rows)["rows"]
    assert [each["outcome"] for each in said] == ["warning", "ok"]
    assert "The mobile phones are the same." in said[0]["says"]
    assert said[0]["says"].count("<li>") == 1  # the other lies out of sight
    page = clerk.post(GRID, sheet(tree.enterprise, *rows))
    assert [each.texts["name"] for each in page.context["rows"] if each.outcome] == ["欧阳建国"]
    assert not Membership.objects.filter(person__id_masked="2104**********0025").exists()
    [held] = [each for each in page.context["rows"] if each.outcome]
    assert [shown for shown, _why in held.likely] == [stored]
    assert f'value="{held.seen}"' in page.content.decode()
    clerk.post(GRID, sheet(tree.enterprise, rows[0]) | {"seen": [held.seen]})
    assert Membership.objects.filter(person__id_masked="2104**********0025").exists()


def test_two_hundred_rows_are_checked_within_a_second(clerk, tree):
    rows = crowd(MOST)
    check(clerk, tree.enterprise, *rows[:1])
    begun = time.perf_counter()
    said = check(clerk, tree.enterprise, *rows)
    assert time.perf_counter() - begun < 1
    assert said["short"] == "200 can be enrolled"


# --- One at a time ---


def test_who_looks_like_a_stored_member_is_shown_before_enrolling(clerk, tree):
    stored = member(tree.enterprise, name="欧阳建国", phone=PHONE)
    member(tree.neighbour_enterprise, name="欧阳建国", id_number="210400198503070033", phone=PHONE)
    data = {"union": tree.enterprise.code, "name": "欧阳建国", "phone": PHONE}
    data["id_number"] = "210400198503070025"
    page = clerk.post("/members/add/", data)
    assert [shown for shown, _why in page.context["likely"]] == [stored]  # the other lies out of sight
    assert "The mobile phones are the same." in page.content.decode()
    assert Membership.objects.count() == 2
    assert clerk.post("/members/add/", data | {"seen": page.context["seen"]}).status_code == 302
    assert Membership.objects.count() == 3


def test_a_dissolved_union_is_not_offered(client_of, street, tree):
    tree.enterprise.dissolved_on = date(2024, 1, 1)
    tree.enterprise.save()
    offered = client_of(street).get("/members/add/").context["form"].offered
    assert tree.sibling.name in offered
    assert tree.enterprise.name not in offered

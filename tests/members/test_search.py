"""The search box: what it finds, that it stays in scope, and that no input breaks it or leaves a number behind."""

import pytest
from django.urls import reverse
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.identity import SENTENCES
from tests.members.people import QIAN, ZHAO, member, number


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise)


def ask(client, text):
    return client.post(reverse("search"), {"q": text})


def labels(response):
    return [hit.label for hit in response.context["hits"]]


def test_search_finds_a_name_from_its_beginning(tree, client_of, street, zhao):
    member(tree.sibling, name="赵建邦", id_number=QIAN)
    member(tree.sibling, name="李赵建", id_number=number(1))
    assert sorted(labels(ask(client_of(street), "赵建"))) == ["赵建国", "赵建邦"]


def test_search_of_the_whole_name_goes_to_the_member(client_of, street, zhao):
    response = ask(client_of(street), " 赵建国 ")
    assert (response.status_code, response.url) == (302, reverse("member_page", args=[zhao.pk]))


def test_search_of_namesakes_shows_both(tree, client_of, street, zhao):
    member(tree.sibling, id_number=QIAN)
    response = ask(client_of(street), "赵建国")
    assert [(hit.label, hit.detail) for hit in response.context["hits"]] == [
        ("赵建国", "云河恒达机械有限公司工会 · 2104**********0017 · active"),
        ("赵建国", "云河恒通电子有限公司工会 · 2104**********0029 · active"),
    ]


@pytest.mark.parametrize("typed", [ZHAO, f" {ZHAO[:6]} {ZHAO[6:]}", "".join(chr(ord(c) + 0xFEE0) for c in ZHAO)])
def test_search_of_a_full_number_goes_to_the_member_and_stands_in_no_address(client_of, street, zhao, typed):
    response = ask(client_of(street), typed)
    assert response.url == reverse("member_page", args=[zhao.pk])


def test_search_of_a_wrong_number_says_what_is_wrong(client_of, street, zhao):
    response = ask(client_of(street), "210400198503070018")
    assert (labels(response), response.context["message"]) == ([], SENTENCES["ID_CHECKSUM"])


def test_search_keeps_a_name_in_its_box(client_of, street, tree):
    assert 'value="赵&lt;"' in ask(client_of(street), "赵<").content.decode()


def test_search_does_not_repeat_the_number(client_of, street, tree):
    assert ZHAO not in ask(client_of(street), ZHAO).content.decode()


@pytest.mark.parametrize("typed", ["恒达", "T0101001", "t0101001", "云河恒达机械有限公司工会"])
def test_search_finds_a_union_by_a_part_of_its_name_or_its_code(tree, client_of, street, typed):
    response = ask(client_of(street), typed)
    found = response.url if response.status_code == 302 else response.context["hits"][0].url
    assert found == reverse("union_page", args=[tree.enterprise.pk])


@pytest.mark.parametrize("typed", ["赵建国", "赵建", ZHAO, "恒达", "T0101001", "云河恒达机械有限公司工会"])
def test_search_stays_in_scope(tree, client_of, neighbour, zhao, typed):
    response = ask(client_of(neighbour), typed)
    assert (response.status_code, labels(response)) == (200, [])
    assert "恒达" not in response.content.decode().replace(f'value="{typed}"', "")  # the box keeps what was typed


def test_search_of_members_needs_the_right_to_see_them(tree, client_of, sysadmin, nobody, zhao):
    assert labels(ask(client_of(sysadmin), "赵建")) == []
    assert labels(ask(client_of(sysadmin), "恒")) == []
    assert labels(ask(client_of(nobody), "恒达")) == []


def test_search_by_get_shows_the_box_and_takes_nothing_from_the_address(client_of, street, zhao):
    response = client_of(street).get(reverse("search"), {"q": "赵建"})
    assert (response.status_code, labels(response)) == (200, [])


def test_search_is_closed_to_those_who_are_not_signed_in(client, tree):
    assert ask(client, "赵建").url.startswith(reverse("account_login"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Type at least two characters: a name from its beginning, a full number, or a union."),
        ("  赵 ", "Type at least two characters: a name from its beginning, a full number, or a union."),
        ("赵" * 101, "This is too long to search for: type at most 100 characters."),
        ("赵\0建", "This holds characters that no name has: type it again by hand."),
        ("赵\u202e建", "This holds characters that no name has: type it again by hand."),
    ],
)
def test_search_says_why_it_cannot_search(client_of, street, zhao, typed, sentence):
    response = ask(client_of(street), typed)
    assert (response.status_code, response.context["message"]) == (200, sentence)


@pytest.mark.parametrize("typed", ["%建", "__", "赵_", "\\\\", "'; --", "赵建%"])
def test_search_takes_signs_of_the_database_as_they_are(client_of, street, zhao, typed):
    assert labels(ask(client_of(street), typed)) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120))
def test_search_survives_any_text(client_of, street, zhao, text):
    assert ask(client_of(street), text).status_code in (200, 302)


def test_search_answer_is_kept_nowhere(client_of, street, zhao):
    assert ask(client_of(street), "赵建")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("rows", [1, 3])
def test_search_takes_four_queries(tree, client_of, street, django_assert_num_queries, rows):
    for sequence in range(rows):
        member(tree.enterprise, name=f"赵建{sequence * '国'}", id_number=number(sequence))
    client = client_of(street)
    ask(client, "赵建")
    with django_assert_num_queries(4):
        ask(client, "赵建")

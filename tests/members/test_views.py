"""The pages about members: who sees what, masks everywhere, numbers in clear only on the answer to a logged POST."""

import logging

import pytest
from django.urls import reverse
from django.utils import translation

from core.models import AuditEvent
from members import actions
from members.models import Membership
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number

SECRETS = (ZHAO, PHONE, RESIDENCE)


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise, phone=PHONE, residence=RESIDENCE)


def page_of(membership):
    return reverse("member_page", args=[membership.pk])


def reveal_of(membership):
    return reverse("member_reveal", args=[membership.pk])


def edit_of(membership):
    return reverse("member_edit", args=[membership.pk])


def names_in(response):
    return [row.record.person.name for row in response.context["table"].rows]


def secrets_in(response):
    return [secret for secret in SECRETS if secret in response.content.decode()]


def facts(at, **changed):
    """What the enrol form sends for an enrolment at the union `at`."""
    return {"union": at.code, "id_number": ZHAO, "name": "赵建国", "phone": PHONE, "joined_on": "2020-05-01", **changed}


def edit_data(client, membership, **changed):
    """What the edit form sends when only `changed` was touched, initial values included."""
    form = client.get(edit_of(membership)).context["form"]
    data = {}
    for bound in [*form.visible_fields(), *form.hidden_fields()]:
        value = bound.value()
        if value in (None, False):
            continue
        data[bound.html_name] = "on" if value is True else value
        if bound.field.show_hidden_initial:
            data[bound.html_initial_name] = data[bound.html_name]
    return data | changed


# --- Who may -----------------------------------------------------------------------------------------------


def test_pages_are_closed_to_those_who_are_not_signed_in(client, zhao):
    for url in (reverse("member_list"), reverse("member_add"), page_of(zhao), edit_of(zhao)):
        response = client.get(url)
        assert (response.status_code, response.url.split("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize(
    ("who", "page", "edit", "reveal", "add"),
    [
        ("enterprise", 200, 200, 200, 200),
        ("street", 200, 200, 200, 200),
        ("neighbour", 404, 404, 404, 200),
        ("auditor", 200, 403, 403, 403),
        ("sysadmin", 403, 403, 403, 403),
        ("nobody", 403, 403, 403, 403),
        ("root", 200, 200, 200, 200),
    ],
)
def test_each_page_is_open_to_whom_it_belongs(request, client_of, zhao, who, page, edit, reveal, add):
    client = client_of(request.getfixturevalue(who))
    assert client.get(page_of(zhao)).status_code == page
    assert client.get(edit_of(zhao)).status_code == edit
    assert client.post(reveal_of(zhao), {"reason": "核对"}).status_code == reveal
    assert client.get(reverse("member_add")).status_code == add


def test_reveal_is_a_post_only(client_of, enterprise, zhao):
    assert client_of(enterprise).get(reveal_of(zhao)).status_code == 405


def test_pages_to_read_answer_a_post_with_405(client_of, enterprise, zhao):
    client = client_of(enterprise)
    assert [client.post(url).status_code for url in (reverse("member_list"), page_of(zhao))] == [405, 405]


# --- The list ----------------------------------------------------------------------------------------------


def test_list_shows_the_members_in_scope_and_no_others(tree, client_of, enterprise, street, neighbour, zhao):
    member(tree.sibling, name="钱芳", id_number=QIAN)
    member(tree.neighbour_enterprise, name="孙立", id_number=number(1))
    url = reverse("member_list")
    assert names_in(client_of(enterprise).get(url)) == ["赵建国"]
    assert names_in(client_of(street).get(url)) == ["赵建国", "钱芳"]
    assert names_in(client_of(neighbour).get(url)) == ["孙立"]


def test_list_shows_masks(client_of, enterprise, zhao):
    response = client_of(enterprise).get(reverse("member_list"))
    text = response.content.decode()
    assert "2104**********0017" in text
    assert "138****1234" in text
    assert secrets_in(response) == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"sex": "M"}, ["赵建国"]),
        ({"employment": "PLATFORM"}, ["钱芳"]),
        ({"occupation_group": "COURIER"}, ["钱芳"]),
        ({"migrant_worker": "on"}, ["钱芳"]),
        ({"state": "ACTIVE"}, ["赵建国", "钱芳"]),
        ({"state": "RETAINED"}, []),
        ({"union_text": "恒达"}, ["赵建国"]),
        ({"union_text": "T0101002"}, ["钱芳"]),
        ({"union": 5}, ["钱芳"]),
        ({"union": 3}, ["赵建国", "钱芳"]),
        ({"union": 8}, []),  # a union of others is no choice
        ({"union": "x"}, []),
        ({"union_text": "a\0b"}, []),
        ({"after": "x", "sort": "nonsense"}, ["赵建国", "钱芳"]),
    ],
)
def test_list_filters(tree, client_of, street, zhao, query, names):
    member(
        tree.sibling,
        name="钱芳",
        id_number=QIAN,
        employment="PLATFORM",
        occupation_group="COURIER",
        migrant_worker=True,
    )
    member(tree.neighbour_enterprise, name="钱立", id_number=number(1))
    assert names_in(client_of(street).get(reverse("member_list"), query)) == names


def test_list_pages_without_losing_a_row(tree, client_of, enterprise, monkeypatch):
    monkeypatch.setattr("members.views.MemberList.page_size", 2)
    for sequence in range(5):
        member(tree.enterprise, name=f"赵{'一二三四五'[sequence]}", id_number=number(sequence))
    client = client_of(enterprise)
    seen, url = [], reverse("member_list")
    while url:
        response = client.get(url)
        seen += names_in(response)
        url = response.context["following"]
    assert seen == ["赵二", "赵三", "赵四", "赵五", "赵一"]  # èr, sān, sì, wǔ, yī


@pytest.mark.parametrize("rows", [1, 3])
def test_list_takes_six_queries(tree, client_of, enterprise, django_assert_num_queries, rows):
    for sequence in range(rows):
        member(tree.enterprise, name="赵建国", id_number=number(sequence))
    client = client_of(enterprise)
    client.get(reverse("member_list"))
    # The session's user, the appointments, the saved views, the count, the kind of the one union, the rows, the unions
    # to choose from, the facts, the late duties.
    with django_assert_num_queries(6):
        client.get(reverse("member_list"))


# --- One member --------------------------------------------------------------------------------------------


def test_page_shows_masks_and_what_happened(client_of, enterprise, zhao):
    actions.change_membership(zhao, by=enterprise, version=1, changes={"post": "焊工", "phone": "13900131234"})
    response = client_of(enterprise).get(page_of(zhao))
    assert secrets_in(response) == []
    assert "13900131234" not in response.content.decode()
    assert [(entry.text, entry.note) for entry in response.context["timeline"]] == [
        ("Facts changed", "mobile phone, post or trade"),
        ("Enrolled", ""),
        ("Joined the union", ""),
    ]


def test_page_shows_other_memberships_in_scope_only(tree, client_of, street, enterprise, zhao):
    zhao.state, zhao.ended_on = "WITHDRAWN", "2024-01-01"
    zhao.save()
    new = member(tree.sibling, joined_on=None)
    assert [other.pk for other in client_of(street).get(page_of(zhao)).context["others"]] == [new.pk]
    assert [*client_of(enterprise).get(page_of(zhao)).context["others"]] == []


def test_page_of_an_ended_membership_offers_no_edit(client_of, enterprise, zhao):
    assert edit_of(zhao) in client_of(enterprise).get(page_of(zhao)).content.decode()
    zhao.state, zhao.ended_on = "WITHDRAWN", "2024-01-01"
    zhao.save()
    assert edit_of(zhao) not in client_of(enterprise).get(page_of(zhao)).content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_page_takes_seven_queries(tree, client_of, enterprise, zhao, django_assert_num_queries, rows):
    for version in range(1, rows):
        actions.change_membership(zhao, by=enterprise, version=version, changes={"post": f"工种{version}"})
    client = client_of(enterprise)
    client.get(page_of(zhao))
    with django_assert_num_queries(7):
        client.get(page_of(zhao))


# --- Numbers in clear --------------------------------------------------------------------------------------


def test_reveal_shows_clear_values_once_and_writes_it_down(client_of, enterprise, zhao):
    client = client_of(enterprise)
    response = client.post(reveal_of(zhao), {"reason": "核对入会申请表"})
    assert secrets_in(response) == [*SECRETS]
    assert "no-store" in response["Cache-Control"]
    event = AuditEvent.objects.get(verb="members.reveal_membership")
    assert (event.actor_id, event.target_id, event.reason) == (enterprise.pk, str(zhao.pk), "核对入会申请表")
    assert secrets_in(client.get(page_of(zhao))) == []


def test_reveal_without_a_reason_shows_nothing(client_of, enterprise, zhao):
    response = client_of(enterprise).post(reveal_of(zhao), {"reason": " "})
    assert secrets_in(response) == []
    assert response.context["form"].errors
    assert not AuditEvent.objects.filter(verb="members.reveal_membership").exists()


def test_reveal_of_a_foreign_member_writes_nothing(client_of, neighbour, zhao):
    assert client_of(neighbour).post(reveal_of(zhao), {"reason": "好奇"}).status_code == 404
    assert not AuditEvent.objects.filter(verb="members.reveal_membership").exists()


# --- Enrolling ---------------------------------------------------------------------------------------------


def test_add_enrols_and_goes_to_the_member(tree, client_of, enterprise):
    response = client_of(enterprise).post(reverse("member_add"), facts(tree.enterprise, education="BACHELOR"))
    membership = Membership.objects.get()
    assert (response.status_code, response.url) == (302, page_of(membership))
    assert (membership.person.id_number, membership.person.education) == (ZHAO, "BACHELOR")


def test_add_and_next_keeps_the_union(tree, client_of, street):
    client = client_of(street)
    response = client.post(reverse("member_add"), facts(tree.sibling) | {"next": "1"})
    assert response.url == f"{reverse('member_add')}?union={tree.sibling.pk}"
    assert client.get(response.url).context["form"]["union"].value() == tree.sibling.code


def test_add_fills_in_the_only_union_and_offers_several(tree, client_of, enterprise, street):
    form = client_of(enterprise).get(reverse("member_add")).context["form"]
    assert (form["union"].value(), form.fields["id_number"].widget.attrs["autofocus"]) == (tree.enterprise.name, True)
    form = client_of(street).get(reverse("member_add")).context["form"]
    assert (form["union"].value(), form.offered) == (
        None, [tree.street.name, tree.enterprise.name, tree.sibling.name],
    )  # fmt: skip


@pytest.mark.parametrize("given", ["8", "0", "x", "-1", "9" * 40])
def test_add_takes_no_foreign_union_from_the_address(client_of, street, given):
    form = client_of(street).get(reverse("member_add"), {"union": given}).context["form"]
    assert not form["union"].value()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id_number": "210400198503070018"}, "id_number"),
        ({"name": "=cmd"}, "name"),
        ({"phone": "12345"}, "phone"),
        ({"joined_on": "2999-01-01"}, "joined_on"),
        ({"joined_on": "yesterday"}, "joined_on"),
        ({"union": "T0201001"}, "union"),
        ({"union": "东山区二道街道工会"}, "union"),
        ({"employment": "SLAVE"}, "employment"),
        ({"post": "工" * 51}, "post"),
    ],
)
def test_add_says_under_the_field_what_is_wrong(tree, client_of, enterprise, changed, field):
    response = client_of(enterprise).post(reverse("member_add"), facts(tree.enterprise, **changed))
    assert [*response.context["form"].errors] == [field]
    assert not Membership.objects.exists()


def test_add_of_a_member_elsewhere_does_not_name_the_union(tree, client_of, neighbour, zhao):
    response = client_of(neighbour).post(reverse("member_add"), facts(tree.neighbour_enterprise))
    assert response.context["form"].errors == {
        "id_number": ["This person is a member of another union: a transfer is needed."]
    }
    assert tree.enterprise.name not in response.content.decode()


def test_add_warns_of_somebody_younger_than_sixteen(tree, client_of, enterprise):
    born = number(1, born="20080815")
    response = client_of(enterprise).post(
        reverse("member_add"), facts(tree.enterprise, id_number=born, joined_on="2020-05-01"), follow=True
    )
    assert [str(message) for message in response.context["messages"]] == [
        "赵建国 is enrolled.",
        "Younger than 16 on the day of joining: check the number and the date.",
    ]


# --- Changing ----------------------------------------------------------------------------------------------


def test_edit_form_shows_masks_only(client_of, enterprise, zhao):
    assert secrets_in(client_of(enterprise).get(edit_of(zhao))) == []


def test_edit_left_as_it_is_changes_nothing(client_of, enterprise, zhao):
    client = client_of(enterprise)
    response = client.post(edit_of(zhao), edit_data(client, zhao))
    zhao.refresh_from_db()
    assert (response.status_code, zhao.version, zhao.person.phone, zhao.person.residence) == (302, 1, PHONE, RESIDENCE)


def test_edit_stores_what_was_touched(client_of, enterprise, zhao):
    client = client_of(enterprise)
    client.post(edit_of(zhao), edit_data(client, zhao, phone="13900131234", post="焊工", joined_on="2020/6/1"))
    zhao = Membership.objects.get()
    assert (zhao.person.phone, zhao.post, str(zhao.joined_on), zhao.version) == ("13900131234", "焊工", "2020-06-01", 2)


def test_edit_corrects_the_number_with_a_reason(client_of, enterprise, zhao):
    client = client_of(enterprise)
    response = client.post(edit_of(zhao), edit_data(client, zhao, id_number=QIAN))
    assert [*response.context["form"].errors] == ["reason"]
    client.post(edit_of(zhao), edit_data(client, zhao, id_number=QIAN, reason="录入时看错证件"))
    assert Membership.objects.get().person.id_number == QIAN


def test_edit_that_comes_too_late_shows_both_sides(client_of, enterprise, street, zhao):
    client = client_of(enterprise)
    data = edit_data(client, zhao, post="钳工")
    actions.change_membership(zhao, by=street, version=1, changes={"post": "焊工", "phone": "13900131234"})
    response = client.post(edit_of(zhao), data)
    assert response.status_code == 409
    assert secrets_in(response) == []
    assert [(row["before"], row["theirs"], row["mine"]) for row in response.context["rows"]] == [
        ("138****1234", "139****1234", ""),
        ("—", "焊工", "钳工"),
    ]
    assert Membership.objects.get().post == "焊工"


def test_edit_of_an_ended_membership_is_refused_in_words(client_of, enterprise, zhao):
    client = client_of(enterprise)
    data = edit_data(client, zhao, post="钳工")
    zhao.state, zhao.ended_on = "WITHDRAWN", "2024-01-01"
    zhao.save()
    response = client.post(edit_of(zhao), data)
    assert response.context["form"].non_field_errors() == ["This membership has ended: it stays as it was."]


# --- Nothing leaks -----------------------------------------------------------------------------------------


def test_no_number_reaches_an_address_or_a_log(tree, client_of, enterprise, caplog):
    caplog.set_level(logging.DEBUG)
    client = client_of(enterprise)
    response = client.post(reverse("member_add"), facts(tree.enterprise, residence=RESIDENCE), follow=True)
    zhao = Membership.objects.get()
    urls = [url for url, _status in response.redirect_chain]
    client.post(reverse("member_add"), facts(tree.enterprise))  # refused: already a member
    client.post(reveal_of(zhao), {"reason": "核对"})
    client.post(edit_of(zhao), edit_data(client, zhao, phone="12345"))
    client.post(reverse("search"), {"q": ZHAO})
    said = " ".join([*urls, *(record.getMessage() for record in caplog.records)])
    assert [secret for secret in SECRETS if secret in said] == []
    trail = str([*AuditEvent.objects.values()])
    assert [secret for secret in SECRETS if secret in trail] == []

"""What nobody types by mistake: pages answer it with a sentence, never with an error of the server."""

import json

import pytest
from django.urls import reverse
from django.utils import translation

from core.models import Draft, SavedView
from tests.members.people import QIAN, member


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def saved(client, body):
    return client.post("/drafts/save/", body, content_type="application/json").json()


@pytest.mark.parametrize("body", ["[" * 200_000, '{"a":' * 50_000], ids=["lists", "objects"])
def test_a_draft_nested_without_end_is_not_kept(enterprise, client_of, body):
    assert "cannot be read" in saved(client_of(enterprise), body)["refused"]


@pytest.mark.parametrize("number", ["9" * 300, "0" * 300 + "1"])
def test_a_draft_of_a_page_with_an_endless_address_is_not_kept(city, client_of, number):
    draft = {"user": str(city.pk), "form": f"/unions/{number}/edit/", "fields": {"name": ["x"]}}
    assert "refused" in saved(client_of(city), json.dumps(draft))
    assert not Draft.objects.exists()


@pytest.mark.parametrize("address", ["//[", "http://[", "/[//["])
def test_a_draft_is_discarded_only_at_an_address(enterprise, client_of, address):
    assert client_of(enterprise).post("/drafts/discard/", {"form": address}).url == "/"


def test_a_view_has_a_name_that_can_be_stored(enterprise, client_of):
    for name in ("a\0b", "a\x07b"):
        client_of(enterprise).post("/views/save/", {"page": "member_list", "name": name, "query": "sex=F"})
    assert [view.name for view in SavedView.objects.all()] in ([], ["ab"])


@pytest.mark.parametrize("field", ["dues_since", "idle_since"])
def test_a_membership_is_not_deemed_withdrawn_by_a_day_at_the_end_of_time(tree, root, client_of, field):
    zhao = member(tree.enterprise)
    facts = dict.fromkeys(("dues_since", "idle_since", "admonished_on"), "2021-01-01") | {field: "9999-12-31"}
    url = f"{reverse('membership_move', args=[zhao.pk])}?move=deem"
    page = client_of(root).post(url, facts | {"version": zhao.version, "reason": "多次劝告", "on": "2026-11-20"})
    assert "This day must lie before the decision." in page.content.decode()


# --- Reasons stand in the trail for ever ------------------------------------------------------------------------


def test_no_reason_of_any_form_holds_a_number_of_somebody(city, secadmin, tree, nobody, client_of):
    pages = [
        (secadmin, reverse("account_reset", args=[nobody.pk]), {}),
        (secadmin, reverse("account_leave", args=[nobody.pk]), {"on": "2026-11-20"}),
        (city, reverse("union_rename", args=[tree.enterprise.pk]), {"name": "云河恒达集团工会", "on": "2026-11-20"}),
        (city, reverse("union_dissolve", args=[tree.enterprise.pk]), {"on": "2026-11-20", "fate": "END"}),
    ]
    for user, url, facts in pages:
        page = client_of(user).post(url, facts | {"reason": f"见身份证 {QIAN}"})
        assert "Write the reason without identity or phone numbers." in page.content.decode(), url

"""Drafts: kept for one user and one form, given back to that user only, dropped when the form is taken, cleaned."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from core import drafts, tasks
from core.models import AuditEvent, Draft
from members.models import Membership
from tests.members.people import ZHAO, member

ADD = "/members/add/"
TYPED = {"id_number": [ZHAO], "name": ["赵建国"], "department": ["铸造车间"]}


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def keep(client, user, form=ADD, fields=TYPED):
    said = {"user": str(user.pk), "form": form, "fields": fields}
    return client.post(reverse("draft_save"), json.dumps(said), content_type="application/json")


def given(client, url):
    """The draft that the page at `url` opens on: what its script reads."""
    found = re.search(r'<script id="draft" type="application/json">(.*?)</script>', client.get(url).content.decode())
    return found and json.loads(found[1])


def test_a_draft_comes_back_to_its_user_and_to_nobody_else(client_of, enterprise, street):
    answer = keep(client_of(enterprise), enterprise)
    assert list(answer.json()) == ["saved"]
    assert given(client_of(enterprise), ADD) == TYPED
    assert "is restored" in client_of(enterprise).get(ADD).content.decode()
    assert given(client_of(street), ADD) is None


def test_a_draft_lies_sealed_and_leaves_no_event(client_of, enterprise):
    keep(client_of(enterprise), enterprise)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content, form FROM core_draft")
        [(stored, form)] = cursor.fetchall()
    assert form == ADD
    assert ZHAO not in stored
    assert "赵" not in stored
    assert not AuditEvent.objects.exists()


def test_keeping_again_replaces_what_was_kept(client_of, enterprise):
    client = client_of(enterprise)
    keep(client, enterprise)
    keep(client, enterprise, fields={"name": ["赵建军"], "csrfmiddlewaretoken": ["x"]})
    assert drafts.find(enterprise, ADD).fields == {"name": ["赵建军"]}
    assert Draft.objects.count() == 1


def test_the_token_of_the_page_is_needed(enterprise):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(enterprise)
    assert keep(strict, enterprise).status_code == 403
    assert not Draft.objects.exists()


def test_somebody_else_at_the_same_browser_gets_no_draft_of_mine(client_of, enterprise, street):
    assert keep(client_of(street), enterprise).status_code == 403
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("/members/", TYPED),  # no form
        ("/no/such/page/", TYPED),
        ("https://example.test/members/add/", TYPED),
        (ADD, {"name": "not a list"}),
        (ADD, ["name"]),
        (ADD, {"notes": ["字" * drafts.MOST_BYTES]}),
    ],
)
def test_what_is_no_draft_is_refused_with_a_sentence(client_of, enterprise, form, fields):
    answer = keep(client_of(enterprise), enterprise, form, fields)
    assert answer.status_code == 200
    assert answer.json()["refused"].endswith(".")
    assert not Draft.objects.exists()


def test_nonsense_is_refused(client_of, enterprise):
    for body in ("", "[]", "null", '{"user": 1}'):
        client_of(enterprise).post(reverse("draft_save"), body, content_type="application/json")
    assert not Draft.objects.exists()


def test_a_form_that_the_role_does_not_include_keeps_nothing(client_of, auditor):
    assert "refused" in keep(client_of(auditor), auditor).json()


def test_the_oldest_draft_gives_way(client_of, enterprise, monkeypatch):
    monkeypatch.setattr(drafts, "MOST", 2)
    for place in (1, 2, 3):
        drafts.keep(enterprise, f"/members/{place}/edit/", {"post": [str(place)]})
    assert sorted(Draft.objects.values_list("form", flat=True)) == ["/members/2/edit/", "/members/3/edit/"]


def test_a_form_that_was_taken_drops_its_draft_and_a_refused_one_keeps_it(client_of, enterprise, tree):
    client = client_of(enterprise)
    keep(client, enterprise)
    data = {"union": tree.enterprise.code, "name": "赵建国", "id_number": "1"}
    assert client.post(ADD, data).status_code == 200
    assert Draft.objects.count() == 1
    assert client.post(ADD, data | {"id_number": ZHAO}).status_code == 302
    assert Membership.objects.count() == 1
    assert not Draft.objects.exists()
    assert given(client, ADD) is None


def test_a_post_after_the_session_ended_comes_back_to_its_draft(client_of, enterprise):
    client = client_of(enterprise)
    keep(client, enterprise)
    client.logout()
    led = client.post(ADD, {"name": "赵建国"})
    assert (led.status_code, led.url) == (302, f"{reverse('account_login')}?next={ADD}")
    client.force_login(enterprise)
    assert given(client, ADD) == TYPED


def test_discarding_opens_the_form_empty(client_of, enterprise):
    client = client_of(enterprise)
    keep(client, enterprise)
    answer = client.post(reverse("draft_discard"), {"form": f"{ADD}?union=1"})
    assert answer.url == f"{ADD}?union=1"
    assert not Draft.objects.exists()
    for elsewhere in ("//example.test/", "https://example.test/members/add/", ""):
        assert client.post(reverse("draft_discard"), {"form": elsewhere}).url == reverse("desk")


def test_an_edit_from_an_old_draft_meets_the_conflict_page(client_of, enterprise, tree):
    membership = member(tree.enterprise)
    client = client_of(enterprise)
    url = reverse("member_edit", args=[membership.pk])
    form = client.get(url).context["form"]
    fields = {"version": [str(form["version"].value())], "post": ["车工"], "name": ["赵建国"], "initial-post": [""]}
    keep(client, enterprise, url, fields)
    Membership.objects.filter(pk=membership.pk).update(version=5, post="铣工")
    answer = client.post(url, {name: values[0] for name, values in given(client, url).items()})
    assert answer.status_code == 409
    assert "铣工" in answer.content.decode()
    assert Draft.objects.count() == 1


@pytest.mark.parametrize("name", ["union_add", "union_edit", "union_election"])
def test_the_forms_of_unions_keep_drafts_too(client_of, street, tree, name):
    url = reverse(name, args=[tree.street.pk])
    client = client_of(street)
    assert "saved" in keep(client, street, url, {"name": ["某某工会"]}).json()
    assert given(client, url) == {"name": ["某某工会"]}
    assert "data-draft" in client.get(url).content.decode()


def test_drafts_nobody_comes_back_to_are_cleared(enterprise):
    drafts.keep(enterprise, ADD, TYPED)
    drafts.keep(enterprise, "/members/1/edit/", TYPED)
    old = timezone.now() - timedelta(days=14, minutes=1)
    Draft.objects.filter(form=ADD).update(saved_at=old)
    tasks.apply_retention()
    assert list(Draft.objects.values_list("form", flat=True)) == ["/members/1/edit/"]

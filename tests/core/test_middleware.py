"""What every request and answer carries."""

import re

import pytest
from django.test import RequestFactory
from django.urls import reverse

from core.middleware import client_address


def test_every_answer_carries_a_request_id_of_its_own(client, db):
    ids = [client.get(reverse("account_login"))["X-Request-ID"] for _request in range(2)]
    assert [bool(re.fullmatch("[0-9a-f]{32}", each)) for each in ids] == [True, True]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("proxies", "sent", "taken"),
    [
        (1, "abcdef-0123456789", True),
        (0, "abcdef-0123456789", False),  # nobody of ours stands before us: anybody may have written it
        (1, "short", False),
        (1, "with blanks and more", False),
    ],
)
def test_request_id_of_a_trusted_proxy_is_taken_over(client, db, settings, proxies, sent, taken):
    settings.TRUSTED_PROXIES = proxies
    answered = client.get(reverse("account_login"), headers={"X-Request-ID": sent})["X-Request-ID"]
    assert (answered == sent) is taken


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the left part was written by the client
        (2, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),  # too short to have come through both
        (1, "", "192.0.2.1"),
    ],
)
def test_address_is_what_our_own_proxies_saw(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == address


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


def test_answers_carry_the_security_headers(client, db):
    response = client.get(reverse("account_login"))
    assert {name: response[name] for name in HEADERS} == HEADERS
    directives = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in response["Content-Security-Policy"]


def test_cookies_are_kept_from_scripts_and_other_sites(client, city):
    client.get(reverse("account_login"))
    client.post(reverse("account_login"), {"login": "city", "password": "Gonghui-2026"})
    session = client.cookies["sessionid"]
    assert (session["httponly"], session["samesite"], session["max-age"]) == (True, "Lax", "")


ADMIN_PAGES = [
    "admin:index", "admin:core_user_changelist", "account_invite", "admin:unions_union_changelist",
    "admin:unions_union_add", "admin:unions_appointment_add", "admin:core_auditevent_changelist",
]  # fmt: skip


@pytest.mark.parametrize("page", ["account_login", *ADMIN_PAGES])
def test_page_has_nothing_the_content_policy_would_stop(root, client_of, client, page):
    response = (client if page == "account_login" else client_of(root)).get(reverse(page))
    assert response.status_code == 200
    html = response.content.decode()
    scripts = re.findall(r"<script\b([^>]*)>", html)
    assert [tag for tag in scripts if "src=" not in tag and "nonce=" not in tag and "application/json" not in tag] == []
    assert re.findall(r"<style\b|\sstyle=|\son\w+=", html) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', html) == []

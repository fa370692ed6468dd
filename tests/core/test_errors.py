"""Error pages: one sentence and a next step, with the frame for those who are signed in, and never a second error."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import path

from config.urls import handler400, handler403, handler404, handler429, handler500  # noqa: F401
from config.urls import urlpatterns as portal_urls
from core.views import errors

pytestmark = pytest.mark.urls(__name__)


def refuse(request):
    raise PermissionDenied("Only the chair may do this.")


def break_down(request):
    raise RuntimeError("broken")


urlpatterns = [path("refused/", refuse), path("broken/", break_down), *portal_urls]


def test_refusal_tells_its_reason(street, client_of):
    response = client_of(street).get("/refused/")
    assert response.status_code == 403
    html = response.content.decode()
    assert "Only the chair may do this." in html
    assert 'id="search-box"' in html


@pytest.mark.django_db
def test_unknown_address_looks_the_same_signed_in_or_not(street, client_of):
    for client, framed in ((client_of(street), True), (Client(), False)):
        response = client.get("/no/such/page/")
        assert response.status_code == 404
        assert ('id="search-box"' in response.content.decode()) is framed


def test_fault_of_ours_names_the_request_and_nothing_of_the_fault(street, client_of):
    client = client_of(street)
    client.raise_request_exception = False
    response = client.get("/broken/")
    assert response.status_code == 500
    html = response.content.decode()
    assert response["X-Request-ID"] in html
    assert "RuntimeError" not in html
    assert "broken" not in html.replace("/broken/", "")


def test_fault_page_asks_the_database_nothing(rf):  # pytest-django lets a test without `db` reach none
    assert errors.server_error(rf.get("/")).status_code == 500


def test_stale_form_is_told_so(tree, street):
    client = Client(enforce_csrf_checks=True)
    client.force_login(street)
    response = client.post("/language/", {"language": "en"})
    assert response.status_code == 403
    assert response.templates[0].name == "error.html"


def test_request_that_cannot_be_read_is_told_so(street, client_of, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    client = client_of(street)
    response = client.post("/language/", "language=" + "x" * 100, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 400


@pytest.mark.django_db
def test_too_many_attempts_are_told_to_wait(rf):
    response = errors.too_many(rf.get("/accounts/login/"))
    assert response.status_code == 429


@pytest.mark.parametrize(("language", "word"), [("en", "Skip to the content"), ("zh-hans", "English")])
def test_language_switch_is_kept(street, client_of, language, word):
    client = client_of(street)
    response = client.post("/language/", {"language": language, "next": "/"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert word in client.get("/").content.decode()

"""Error pages: what happened in one sentence, and what to do next."""

import sys

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpResponse, UnreadablePostError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from core import trouble

RETRY_AFTER = "60"  # seconds, for whoever asks again by itself
SIGN_IN = ("account_", "mfa_")  # pages whose fields no other page repeats


def bad_request(request, exception):
    """A request no page of ours sends: damaged, or larger than allowed."""
    return _page(
        request,
        400,
        _("This request could not be read"),
        _("Go back and send it again. A file may be too large for one upload."),
    )


def forbidden(request, exception):
    """In scope, but not with this role: the reason comes with the exception."""
    return _page(
        request,
        403,
        _("Your role does not allow this"),
        str(exception) or _("Your role does not include this. Ask your federation for the role you need."),
    )


def csrf_failure(request, reason=""):
    """A form that was open too long, or did not come from our page."""
    return _page(
        request,
        403,
        _("This form has expired"),
        _(
            "Nothing was saved. Go back, reload the page and send the form again. "
            "Cookies must be allowed for this site."
        ),
    )


def not_found(request, exception):
    """Nothing there, or nothing in this user's scope: the two look the same."""
    return _page(
        request,
        404,
        _("There is no such page for you"),
        _("The address may be wrong, or what it shows lies outside your unions. Look for it with the search box."),
    )


def too_many(request):
    """Too many attempts from one address or on one account."""
    return _page(request, 429, _("Too many attempts"), _("Wait fifteen minutes, then try again."))


def server_error(request):
    """A fault of ours, or trouble around us, told apart. Drawn without the frame and without the database."""
    met = trouble.of(sys.exception())
    if met is None:
        said = {
            "status": 500,
            "title": _("Something went wrong on our side"),
            "sentence": _(
                "Nothing was saved. Try again in a few minutes; if it stays so, tell your administrator this number:"
            ),
            "number": getattr(request, "id", ""),
        }
    else:
        said = {"status": met.status, "title": met.title, "sentence": met.sentence, "number": met.detail}
        said |= {"again": _typed(request), "address": request.get_full_path()}
    context = {"layout": "base_alone.html", "federation_name": settings.FEDERATION_NAME, **said}
    headers = {"Cache-Control": "private, no-store"}
    if said["status"] == 503:
        headers["Retry-After"] = RETRY_AFTER
    return HttpResponse(render_to_string("error.html", context), status=said["status"], headers=headers)


def _typed(request):
    """Return [(field, value)] of the form that was sent, so that it can be sent again as it is: nothing typed is lost.

    Nothing where there is more to it than fields: files, passwords and codes, or a part of a page that renews itself.
    """
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return []
    try:
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        view = resolve(request.path_info).view_name
    except (BadRequest, SuspiciousOperation, UnreadablePostError, Resolver404):
        return []
    secret = view.startswith(SIGN_IN) or any("password" in name for name, _value in fields)
    return [] if secret or "HX-Request" in request.headers else fields


def _page(request, status, title, sentence):
    signed_in = getattr(request, "user", None) is not None and request.user.is_authenticated
    layout = "base.html" if signed_in else "base_alone.html"
    context = {"layout": layout, "status": status, "title": title, "sentence": sentence, "number": ""}
    return render(request, "error.html", context, status=status)

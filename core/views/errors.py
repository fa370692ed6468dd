"""Error pages: what happened in one sentence, and what to do next."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _


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
    """A fault of ours. Drawn without the frame and without the database, which may be what failed."""
    context = {
        "layout": "base_alone.html",
        "federation_name": settings.FEDERATION_NAME,
        "status": 500,
        "title": _("Something went wrong on our side"),
        "sentence": _(
            "Nothing was saved. Try again in a few minutes; if it stays so, tell your administrator this number:"
        ),
        "number": getattr(request, "id", ""),
    }
    return HttpResponse(render_to_string("error.html", context), status=500)


def _page(request, status, title, sentence):
    signed_in = getattr(request, "user", None) is not None and request.user.is_authenticated
    layout = "base.html" if signed_in else "base_alone.html"
    context = {"layout": layout, "status": status, "title": title, "sentence": sentence, "number": ""}
    return render(request, "error.html", context, status=status)

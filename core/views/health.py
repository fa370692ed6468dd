"""Whether the portal lives and is whole: two answers for machines, and a page for whoever runs it."""

import hmac

from django.conf import settings
from django.http import HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import health
from core.models.health import HealthState
from core.scope import needs

LOOPBACK = ("127.0.0.1", "::1")
PROXIED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")  # one of them says: from elsewhere
BADGES = {
    HealthState.OK: "good",
    HealthState.WARN: "soon",
    HealthState.FAIL: "late",
    HealthState.UNKNOWN: "rest",
}
HISTORY = 20  # periods shown


class HealthMiddleware:
    """Answer /health/live and /health/ready before anything that needs a host name, a session or the database."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.answers = {"/health/live": live, "/health/ready": ready}

    def __call__(self, request):
        answer = self.answers.get(request.path)
        if answer is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = answer(request)
        response._has_been_logged = True  # Django would write an error for each time that somebody asks
        response["Cache-Control"] = "no-store"
        return response


def live(request):
    """The process answers: nothing else is asked."""
    return JsonResponse({"state": HealthState.OK})


def ready(request):
    """Everything the portal needs: 200, or 503 when something does not work; figures only for whoever may know."""
    findings = health.recent()
    state = health.overall(findings)
    detailed = _may_know(request)
    checks = {
        each.check: {"state": each.state, "key": each.key} | (each.measure if detailed else {}) for each in findings
    }
    return JsonResponse({"state": state, "checks": checks}, status=503 if state == HealthState.FAIL else 200)


def _may_know(request):
    """On this machine and not through a proxy, or with the token that settings name."""
    if request.META.get("REMOTE_ADDR") in LOOPBACK and not any(name in request.headers for name in PROXIED):
        return True
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.HEALTH_TOKEN
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


@require_safe
@never_cache
@needs("core.view_healthperiod")
def health_page(request):
    """Each check with its state, since when, and what to do; and what was wrong before."""
    findings = health.look()
    since = health.since(findings)
    rows = [
        {
            "name": each.check,
            "label": health.CHECKS[each.check].label,
            "section": health.CHECKS[each.check].section,
            "state": HealthState(each.state).label,
            "badge": BADGES[each.state],
            "since": since.get(each.check),
            "sentence": each.sentence,
            "measure": each.measure,
            "calm": each.state == HealthState.OK,
        }
        for each in findings
    ]
    past = [
        {
            "label": health.CHECKS[each.check_name].label,
            "badge": BADGES[each.state],
            "state": each.get_state_display(),
            "sentence": health.CHECKS[each.check_name].sentences.get(each.key, ""),
            "began_at": each.began_at,
            "ended_at": each.ended_at,
        }
        for each in health.history(HISTORY)
        if each.check_name in health.CHECKS
    ]
    state = health.overall(findings)
    context = {
        "rows": rows, "past": past, "at": timezone.now(), "badge": BADGES[state], "state": HealthState(state).label
    }  # fmt: skip
    return render(request, "health/health_page.html", context)

"""The page behind a paper's QR code: no sign-in, and no more than is needed to compare the paper in hand (R36)."""

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import papers
from core.models import Paper
from core.models.paper import PaperState

ISSUED = (PaperState.VALID, PaperState.REPLACED, PaperState.REVOKED)


@login_not_required
@require_safe
@never_cache
def paper_public(request, token):
    """Whether the paper is valid, and its number, kind, unit, date, pages, check value and hash; no personal data."""
    paper = Paper.objects.filter(token=token, state__in=ISSUED).select_related("union").first()
    context = {"paper": paper, "state": paper.state if paper else ""}
    if paper:
        context |= {"kind": papers.kinds()[paper.kind], "check_value": papers.check_value(paper)}
    response = render(request, "papers/paper_public.html", context, status=200 if paper else 404)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response

"""Pages without sign-in: the one behind a paper's QR code, with no more than is needed to compare the paper in hand
(R36), and a notice in publicity, with what may be shown of somebody and a way to object.
"""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core import limits, papers, publicity
from core.forms import PortalForm, add_refusal
from core.models import Paper, Publicity
from core.models.paper import PaperState

VIEWS_A_MINUTE = 60  # of public pages, from one address
OBJECTIONS_A_DAY = 5  # from one address: an office may share one
BESIDE = 50  # other notices of the union that a page leads to
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
        context |= {"unit": publicity.without_numbers(paper.union.name)}
    return _unlisted(render(request, "papers/paper_public.html", context, status=200 if paper else 404))


class ObjectionForm(PortalForm):
    """What is not right, and how the objector can be reached, who need not say it."""

    text = forms.CharField(
        label=gettext_lazy("What is not right"),
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": publicity.TEXT_MOST}),
        help_text=gettext_lazy("Only the reviewing union reads it. It is never published."),
    )
    contact = forms.CharField(
        label=gettext_lazy("How to reach you"),
        required=False,
        max_length=publicity.CONTACT_MOST,
        help_text=gettext_lazy("You need not say it. It is kept sealed, and whoever looks at it is written down."),
    )
    website = forms.CharField(required=False, widget=forms.HiddenInput)  # only a machine fills it in


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def publicity_public(request, token):
    """A notice in publicity, for its days only, and the form to object; 410 when they are over."""
    if limits.exceeded(request, "public", most=VIEWS_A_MINUTE, seconds=60):
        return _unlisted(_too_often(request))
    row, today = Publicity.objects.filter(token=token).first(), timezone.localdate()
    if row is None or not publicity.is_shown(row, today):
        return _unlisted(render(request, "publicity/publicity_over.html", status=410 if row else 404))
    form = ObjectionForm(request.POST or None)
    if form.is_valid():
        if limits.exceeded(request, "objection", most=OBJECTIONS_A_DAY, seconds=86_400, cache="limits"):
            return _unlisted(_too_often(request))
        try:
            receipt = _objected(row, form)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            said = _("Your objection was received. Receipt number: %(receipt)s. Keep it.")
            messages.success(request, said % {"receipt": receipt})
            return redirect("publicity_public", token=row.token)
    others = publicity.beside(row, today)[:BESIDE]
    context = {
        "publicity": row,
        "shown": row.shown,
        "until": publicity.shown_until(row),
        "form": form,
        "others": [(other.token, other.shown) for other in others],
    }
    return _unlisted(render(request, "publicity/publicity_public.html", context))


def _objected(row, form):
    """Take the objection and return its receipt number; a machine is told one, and nothing is kept."""
    if form.cleaned_data["website"]:
        return "—"
    facts = {name: form.cleaned_data[name] for name in ("text", "contact")}
    return publicity.object_to(row, **facts).receipt


def _too_often(request):
    return render(request, "publicity/publicity_too_often.html", status=429)


def _unlisted(response):
    """No search engine keeps it, and no other site learns the address."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response

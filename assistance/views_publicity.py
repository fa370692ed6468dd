"""Publicity and data match of a case, what is in publicity, and the objections to it."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from assistance import publicity_papers
from assistance.matching import state_of
from assistance.models import HardshipCase
from assistance.moves import CHECK
from assistance.publicity_tables import ObjectionTable, PublicityTable, publicity_badge
from core import papers, publicity
from core.cases import REASON_LENGTH
from core.forms import PortalForm, add_refusal
from core.models import Objection, Publicity
from core.pages import ListPage
from core.scope import needs, visible_or_404
from unions.views import my_unions

SEE = "assistance.view_hardshipcase"
CASE = HardshipCase._meta.label_lower
OBJECTIONS = Objection.objects.filter(publicity__subject_type=CASE).select_related("publicity__union", "answered_by")


# --- On the page of a case -----------------------------------------------------------------------------------------


def part(request, case):
    """Return what the case page shows of it."""
    today = timezone.localdate()
    rows = list(Publicity.objects.of(case))
    return {
        "publicities": [_described(row, today) for row in rows],
        "may_prove": bool(rows) and papers.may_issue(request.user, publicity_papers.KIND, case.union),
        "objections": list(OBJECTIONS.filter(publicity__in=rows)),
        "may_answer": request.user.has_perm(CHECK, case.union),
        "match": state_of(case),
    }


def _described(row, today):
    shown = publicity.is_shown(row, today)
    return {
        "row": row,
        "badge": publicity_badge(row, today),
        "until": publicity.shown_until(row),
        "address": publicity.public_address(row) if shown else "",
        "begun": row.shown_from <= today,
    }


@require_POST
@needs("core.issue_paper")
def publicity_proof(request, publicity_pk):
    """Ask for the proof of a publicity."""
    row = visible_or_404(Publicity.objects.select_related("union"), request.user, "core.issue_paper", pk=publicity_pk)
    if not papers.may_issue(request.user, publicity_papers.KIND, row.union):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    try:
        paper = publicity_papers.ask(row, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("hardship_page", hardshipcase_pk=row.subject_id)
    return redirect("job_page", job_pk=paper.job_id)


# --- What is in publicity ------------------------------------------------------------------------------------------


class PublicityList(ListPage):
    """What is or was in publicity, the latest first; in the first box what everybody sees today."""

    permission = SEE
    table_class = PublicityTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Publicity")
    template_name = "assistance/publicity_list.html"
    empty = gettext_lazy("Nothing is in publicity.")

    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        self.box = "all" if request.GET.get("box") == "all" else "now"

    def get_queryset(self):
        rows = Publicity.objects.select_related("union").filter(subject_type=CASE)
        return rows if self.box == "all" else rows.shown_on(timezone.localdate())

    def get_facts(self):
        return my_unions(self.request.user, self.permission)

    def get_context(self):
        path = self.request.path
        return {
            "boxes": [
                (_("Shown today"), path, self.box == "now"), (_("All"), f"{path}?box=all", self.box == "all")
            ],
        }  # fmt: skip


publicity_list = PublicityList.as_view()


# --- Objections ----------------------------------------------------------------------------------------------------


class ObjectionList(ListPage):
    """Objections from public pages, the latest first: for whoever reviews, not for the union that published."""

    queryset = OBJECTIONS
    permission = CHECK
    table_class = ObjectionTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Objections")
    empty = gettext_lazy("Nobody objected. Objections come from the public pages of what is in publicity.")

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


objection_list = ObjectionList.as_view()


class AnswerForm(PortalForm):
    answer = forms.CharField(
        label=gettext_lazy("What was found out"),
        max_length=publicity.TEXT_MOST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Kept sealed, as the objection. Then decide on the page of the case."),
    )


class RevealForm(PortalForm):
    reason = forms.CharField(label=gettext_lazy("reason"), max_length=REASON_LENGTH)


def the_objection(request, pk):
    return visible_or_404(OBJECTIONS, request.user, CHECK, pk=pk)


def show(request, objection, *, form=None, reveal=None, contact=""):
    """Answer with the page of an objection."""
    row = objection.publicity
    case = HardshipCase.objects.get(pk=row.subject_id)
    context = {
        "objection": objection,
        "publicity": row,
        "shown": row.shown,
        "case": case,
        "form": form or AnswerForm(),
        "reveal": reveal or RevealForm(),
        "has_contact": bool(objection.contact),
        "contact": contact,
    }
    return render(request, "assistance/objection_page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(CHECK)
def objection_page(request, objection_pk):
    """One objection, and its answer."""
    objection = the_objection(request, objection_pk)
    form = AnswerForm(request.POST or None)
    if form.is_valid():
        try:
            publicity.answer(objection, by=request.user, text=form.cleaned_data["answer"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The answer is stored."))
            return redirect("objection_page", objection_pk=objection.pk)
    return show(request, objection, form=form)


@require_POST
@never_cache
@needs(CHECK)
def objection_reveal(request, objection_pk):
    """Show on this one answer how the objector can be reached: logged."""
    objection = the_objection(request, objection_pk)
    form = RevealForm(request.POST)
    contact = ""
    if form.is_valid():
        try:
            contact = publicity.reveal_contact(objection, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
    return show(request, objection, reveal=form, contact=contact)

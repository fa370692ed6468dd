"""Pages of papers: the list, one paper, asking for one, downloading, replacing and revoking it."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import papers
from core.filters import PaperFilter
from core.forms import add_refusal
from core.models import Paper
from core.models.paper import PaperState
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.tables import PAPER_BADGES, PaperTable, state_badge

Union = Paper._meta.get_field("union").related_model


class PaperList(ListPage):
    """The papers in scope, the latest first."""

    queryset = Paper.objects.select_related("union")
    permission = "core.view_paper"
    table_class = PaperTable
    filterset_class = PaperFilter
    orders = {"latest": ("-pk",), "issued_at": ("issued_at",)}
    title = gettext_lazy("Papers")
    empty = gettext_lazy("No paper yet. Ask for one here, or on a union's page.")
    template_name = "papers/paper_list.html"

    def get_context(self):
        user = self.request.user
        held = [
            {"key": key, "title": kind.title}
            for key, kind in papers.kinds().items()
            if kind.asked_by_union and user.has_perm("core.issue_paper") and user.has_perm(kind.permission)
        ]
        return {"kinds": held}


paper_list = PaperList.as_view()


class UnionField(forms.ModelChoiceField):
    """A union by its code or full name, typed; only those where the user may issue the paper."""

    widget = forms.TextInput

    def __init__(self, user, **kwargs):
        super().__init__(Union.objects.visible_to(user, "core.issue_paper"), to_field_name="code", **kwargs)
        self.error_messages["invalid_choice"] = _("There is no such union where you may issue papers.")

    def to_python(self, value):
        text = (value or "").strip()
        named = self.queryset.filter(name=text).values_list("code", flat=True)[:2]
        return super().to_python(named[0] if len(named) == 1 else text)


class ReasonForm(forms.Form):
    """Why a paper is revoked."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def the_paper(request, pk, perm):
    rows = Paper.objects.select_related("union", "asked_by", "job", "replaces", "replaced_by")
    return visible_or_404(rows, request.user, perm, pk=pk)


def show(request, paper, form):
    """Answer with the paper's page."""
    replaced_by = getattr(paper, "replaced_by", None)
    replaces = paper.replaces
    context = {
        "paper": paper,
        "kind": papers.kinds()[paper.kind],
        "badge": state_badge(paper, PAPER_BADGES),
        "check_value": papers.check_value(paper),
        "public_address": papers.public_address(paper),
        "may_read": papers.may_read(request.user, paper),
        "may_issue": papers.may_issue(request.user, paper.kind, paper),
        "valid": paper.state == PaperState.VALID,
        "drawing": paper.state == PaperState.DRAWING,
        "replaced_by": replaced_by if replaced_by and request.user.has_perm("core.view_paper", replaced_by) else None,
        "replaces": replaces if replaces and request.user.has_perm("core.view_paper", replaces) else None,
        "missing": [{"char": char, "code": f"U+{ord(char):04X}"} for char in paper.missing_glyphs],
        "form": form,
    }
    return render(request, "papers/paper_page.html", context)


@require_safe
@needs("core.view_paper")
def paper_page(request, paper_pk):
    """One paper: what it is, whether it is valid, how it can be checked."""
    return show(request, the_paper(request, paper_pk, "core.view_paper"), ReasonForm())


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.issue_paper")
def paper_ask(request, kind):
    """Ask for a paper: the union (by code, or its key in `union`) and the options of the kind."""
    if kind not in papers.kinds() or not papers.kinds()[kind].asked_by_union:
        raise Http404
    maker = papers.kinds()[kind]
    if not request.user.has_perm(maker.permission):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    form = ask_form(request, maker)
    if form.is_valid():
        options = dict(form.cleaned_data)
        union = options.pop("code")
        if not papers.may_issue(request.user, kind, union):
            raise PermissionDenied(_("Your role does not include what this paper shows."))
        try:
            paper = papers.ask(kind, union=union, by=request.user, params=options)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return redirect("job_page", job_pk=paper.job_id)
    return render(request, "papers/paper_ask.html", {"form": form, "kind": maker, "key": kind})


def ask_form(request, maker):
    """The form of `maker`, with the union in front: the one named in `union`, or the highest the user may print for."""
    reachable = Union.objects.visible_to(request.user, "core.issue_paper")
    named = request.POST.get("union") or request.GET.get("union", "")
    if named:
        if not (named.isascii() and named.isdigit() and len(named) < 19):
            raise Http404
        union = visible_or_404(Union.objects.all(), request.user, "core.issue_paper", pk=int(named))
    else:
        union = reachable.order_by("path").first()
    data = None
    if request.method == "POST":
        data = request.POST.copy()
        data.setdefault("code", union.code if union else "")
        for name, field in (maker.form.base_fields if maker.form else {}).items():
            data.setdefault(name, field.initial)
    form = (maker.form or forms.Form)(data)
    form.fields["code"] = UnionField(
        request.user, label=_("union code or full name"), initial=union.code if union else ""
    )
    form.fields["code"].help_text = union.name if union else ""
    form.order_fields(["code"])
    return form


@require_safe
@never_cache
@needs("core.download_paper")
def paper_download(request, paper_pk):
    """The paper's file, after its hash was compared; the download is an event."""
    paper = the_paper(request, paper_pk, "core.download_paper")
    if not papers.may_read(request.user, paper):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    if not paper.sha256:
        messages.info(request, _("This paper is not finished yet."))
        return redirect("paper_page", paper_pk=paper.pk)
    try:
        file = papers.open_file(paper, by=request.user)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
        return redirect("paper_page", paper_pk=paper.pk)
    mark = "" if paper.state == PaperState.VALID else f"（{paper.get_state_display()}）"
    return FileResponse(
        file, as_attachment=True, filename=f"{paper.number} {paper.title}{mark}.pdf", content_type="application/pdf"
    )


@require_POST
@needs("core.issue_paper")
def paper_replace(request, paper_pk):
    """Issue the paper anew with today's rows; the old one is replaced when the new one is there."""
    paper = the_paper(request, paper_pk, "core.issue_paper")
    if not papers.may_issue(request.user, paper.kind, paper):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    try:
        new = papers.ask(paper.kind, union=paper.union, by=request.user, params=paper.params, replaces=paper)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
        return redirect("paper_page", paper_pk=paper.pk)
    return redirect("job_page", job_pk=new.job_id)


@require_POST
@needs("core.issue_paper")
def paper_revoke(request, paper_pk):
    """Declare the paper void, with a reason."""
    paper = the_paper(request, paper_pk, "core.issue_paper")
    if not papers.may_issue(request.user, paper.kind, paper):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            papers.revoke(paper, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("%(number)s is revoked.") % {"number": paper.number})
            return redirect("paper_page", paper_pk=paper.pk)
    return show(request, paper, form)

"""Pages of the data match: the lists to civil affairs, one with its answer and work lists, explaining a difference."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from assistance import matching
from assistance.matching_tables import AnswerTable, MatchTable, match_badge
from assistance.models import MatchAnswer, MatchPurpose, MatchRequest, MatchResult, MatchState
from assistance.moves import MATCH
from core.forms import DateField, PortalForm, add_refusal
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.sheets import SheetRefused
from core.views.imports import WORKBOOK
from unions.views import my_unions

SEE = "assistance.view_hardshipcase"
REQUESTS = MatchRequest.objects.select_related("union", "asked_by", "answered_by", "job")
ANSWERS = MatchAnswer.objects.select_related("asked__person__case__union", "request__union", "explained_by")
BACK = "BACK"
LISTS = {**{result.value: result.label for result in MatchResult}, BACK: gettext_lazy("back in hardship")}


class NewForm(PortalForm):
    """Whose cases are asked about, and why."""

    purpose = forms.ChoiceField(label=gettext_lazy("purpose"), choices=MatchPurpose, widget=forms.RadioSelect)
    union = forms.ModelChoiceField(label=gettext_lazy("cases of"), queryset=None, empty_label=None)

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["union"].queryset = matching.places_of(user)


class AnswerForm(PortalForm):
    """The file that came back."""

    file = forms.FileField(
        label=gettext_lazy("Workbook or CSV file"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )
    issued_on = DateField(label=gettext_lazy("result of the day"), help_text=gettext_lazy("As civil affairs dated it."))


class ExplainForm(PortalForm):
    """What a human found out about a difference."""

    text = forms.CharField(label=gettext_lazy("explanation"), max_length=1000, widget=forms.Textarea(attrs={"rows": 4}))
    upheld = forms.TypedChoiceField(
        label=gettext_lazy("What holds"),
        choices=[
            ("no", gettext_lazy("what was declared: the difference is explained")),
            ("yes", gettext_lazy("what was found: the case must be corrected or rejected")),
        ],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )


class MatchList(ListPage):
    """The lists that were made, the latest first."""

    queryset = REQUESTS
    permission = SEE
    table_class = MatchTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Data match with civil affairs")
    template_name = "assistance/match_list.html"
    empty = gettext_lazy("No list was made yet.")

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


match_list = MatchList.as_view()


def the_request(request, pk, perm=SEE):
    """The list in scope, or 404; 403 where the role does not reach."""
    row = visible_or_404(REQUESTS, request.user, SEE, pk=pk)
    _check(request, perm, row.union)
    return row


def _check(request, perm, union):
    if not request.user.has_perm(perm, union):
        raise PermissionDenied(_("You may see this, but your role here does not include this act."))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(MATCH)
def match_new(request):
    """Make a list."""
    first = matching.places_of(request.user).first()
    initial = {"purpose": MatchPurpose.APPLICATION, "union": first}
    form = NewForm(request.POST or None, user=request.user, initial=initial)
    if form.is_valid():
        try:
            made = matching.ask(by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The list is made: download it and hand it to civil affairs."))
            return redirect("match_page", matchrequest_pk=made.pk)
    return render(request, "assistance/match_new.html", {"form": form})


class MatchPage(ListPage):
    """One list: how far it is, and its results as work lists, differences first."""

    permission = SEE
    table_class = AnswerTable
    orders = {"id": ("pk",)}
    template_name = "assistance/match_page.html"
    empty = gettext_lazy("Nobody on this list.")

    def get_queryset(self):
        self.row = the_request(self.request, self.kwargs["matchrequest_pk"])
        counts = self.row.counts
        asked = self.request.GET.get("box", "")
        self.box = asked if asked in LISTS else next((key for key in LISTS if counts.get(key)), MatchResult.MISMATCH)
        rows = ANSWERS.filter(request=self.row)
        return rows.filter(back=True) if self.box == BACK else rows.filter(result=self.box)

    def get_title(self):
        return _("Data match %(number)d") % {"number": self.row.pk}

    def get_facts(self):
        return f"{self.row.union} · {self.row.get_purpose_display()}"

    def get_context(self):
        row, path = self.row, self.request.path
        may = self.request.user.has_perm(MATCH, row.union)
        numbers = {key: row.counts.get("back" if key == BACK else key, 0) for key in LISTS}
        return {
            "match": row,
            "badge": match_badge(row),
            "answered": row.state == MatchState.ANSWERED,
            "reading": row.state == MatchState.READING,
            "left_out": matching.left_out_words(row.left_out),
            "may_download": may and row.state in (MatchState.ASKED, MatchState.SENT),
            "may_upload": may and row.state == MatchState.SENT,
            "boxes": [(label, numbers[key], f"{path}?box={key}", key == self.box) for key, label in LISTS.items()],
            "told": [(label, row.counts.get(key, 0)) for key, label in TOLD.items()],
        }


TOLD = {
    "rows": gettext_lazy("rows of the file"),
    "unreadable": gettext_lazy("without a readable number"),
    "duplicates": gettext_lazy("numbers that stand there again"),
    "strangers": gettext_lazy("people nobody asked about"),
}

match_page = MatchPage.as_view()


@require_POST
@never_cache
@needs(MATCH)
def match_download(request, matchrequest_pk):
    """The list as a workbook, numbers in clear: each download is an event."""
    row = the_request(request, matchrequest_pk, MATCH)
    try:
        content = matching.download(row, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("match_page", matchrequest_pk=row.pk)
    response = HttpResponse(content, content_type=WORKBOOK)
    response["Content-Disposition"] = f'attachment; filename="match-{row.pk}.xlsx"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(MATCH)
def match_answer(request, matchrequest_pk):
    """Upload the answer; it is read in the background and not kept."""
    row = the_request(request, matchrequest_pk, MATCH)
    form = AnswerForm(request.POST, request.FILES) if request.method == "POST" else AnswerForm()
    if form.is_valid():
        facts = {"by": request.user, "issued_on": form.cleaned_data["issued_on"]}
        try:
            row = matching.receive(row, form.cleaned_data["file"], **facts)
        except SheetRefused as refusal:
            form.add_error("file", str(refusal))
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return redirect("job_page", job_pk=row.job_id)
    columns = [(names[0], needed) for needed, names in matching.COLUMNS.values()]
    return render(request, "assistance/match_answer.html", {"form": form, "match": row, "columns": columns})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(MATCH)
def match_explain(request, matchanswer_pk):
    """One result: what was declared, what was found, and the explanation."""
    answer = visible_or_404(ANSWERS, request.user, SEE, pk=matchanswer_pk)
    _check(request, MATCH, answer.request.union)
    form = ExplainForm(request.POST or None)
    if form.is_valid():
        try:
            matching.explain(answer, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The explanation is stored."))
            return redirect("match_page", matchrequest_pk=answer.request_id)
    context = {
        "answer": answer,
        "person": answer.asked.person,
        "case": answer.asked.person.case,
        "differences": matching.differences_of(answer),
        "form": form,
        "open": answer.result == MatchResult.MISMATCH and answer.upheld is None,
    }
    return render(request, "assistance/match_explain.html", context)

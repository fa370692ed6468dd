"""Pages of exports: one's own, asking for one, how far it is, and its file."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core import exports
from core.forms import PortalForm, add_refusal
from core.models import Export
from core.pages import ALL_COLUMNS, PAGING, PLAIN, ListPage
from core.scope import visible_or_404
from core.tables import ExportTable, job_badge
from core.views.imports import WORKBOOK

SHOWN, ALL = "shown", "all"


class ExportList(ListPage):
    """One's own exports, the latest first."""

    queryset = Export.objects.select_related("union", "job")
    table_class = ExportTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("My exports")
    empty = gettext_lazy("No export yet. The button stands above the lists of members and of unions.")


export_list = ExportList.as_view()


class AskForm(PortalForm):
    """What the workbook is for, and what it shows."""

    purpose = forms.CharField(
        label=gettext_lazy("What the list is for"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("It stands in the file and in the audit trail. Write no number of anybody into it."),
    )
    columns = forms.ChoiceField(
        label=gettext_lazy("Columns of the file"),
        choices=[
            (SHOWN, gettext_lazy("those the list shows")),
            (ALL, gettext_lazy("all, named as an import reads them")),
        ],
        initial=SHOWN,
        widget=forms.RadioSelect,
    )
    clear = forms.BooleanField(
        label=gettext_lazy("Identity numbers and phones in clear"),
        required=False,
        help_text=gettext_lazy("Only where the purpose needs them. You answer for where the file goes."),
    )

    def __init__(self, *args, may_reveal, **kwargs):
        super().__init__(*args, **kwargs)
        if not may_reveal:
            del self.fields["clear"]


@require_http_methods(["GET", "HEAD", "POST"])
def export_ask(request, kind):
    """Ask for the rows of a list as a workbook; the list's own query says which."""
    if kind not in exports.kinds():
        raise Http404
    if not request.user.has_perm(exports.kinds()[kind].permission):
        raise PermissionDenied(_("Your role does not include this export."))
    maker = exports.kinds()[kind](request.user)
    query = _kept(request.GET)
    form = AskForm(request.POST or None, may_reveal=maker.may_reveal())
    if request.method == "POST" and form.is_valid():
        wanted = query.copy()
        if form.cleaned_data["columns"] == ALL:
            wanted["columns"] = ALL_COLUMNS
        try:
            export = exports.ask(
                kind,
                by=request.user,
                query=wanted.urlencode(),
                purpose=form.cleaned_data["purpose"],
                clear=form.cleaned_data.get("clear", False),
            )
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return redirect("export_page", export_pk=export.pk)
    listed = maker.listed(query.urlencode())
    context = {
        "form": form,
        "kind": maker,
        "words": maker.words(listed),
        "count": listed.count,
        "capped": listed.capped,
        "top": maker.top(),
        "may_reveal": maker.may_reveal(),
        "reveals": bool(maker.reveal),
        "kept_days": exports.kept_days(),
        "back": f"{reverse(maker.list_url)}?{query.urlencode()}",
    }
    return render(request, "exports/export_ask.html", context)


def _kept(params):
    """The query of a list without what says where in its pages somebody stands."""
    query = QueryDict(mutable=True)
    for name, values in params.lists():
        if name not in (*PAGING, PLAIN) and any(values):
            query.setlist(name, [value for value in values if value])
    return query


def the_export(request, pk):
    return visible_or_404(Export.objects.select_related("union", "job", "asked_by"), request.user, "", pk=pk)


@require_safe
@never_cache
def export_page(request, export_pk):
    """One export: how far it is, then its file and what can be said about it; renews itself until it is finished."""
    export = the_export(request, export_pk)
    kind = exports.kinds()[export.kind](request.user)
    context = {
        "export": export,
        "kind": kind,
        "badge": job_badge(export.job),
        "there": exports.is_there(export, timezone.localdate()),
        "may_download": kind.may_download(export),
        "words": kind.words_of(export.query),
    }
    return render(request, "exports/export_page.html#export" if request.htmx else "exports/export_page.html", context)


@require_safe
@never_cache
def export_download(request, export_pk):
    """The workbook, for its asker alone; each download is an event."""
    export = the_export(request, export_pk)
    try:
        file = exports.open_file(export, by=request.user)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
        return redirect("export_page", export_pk=export.pk)
    return FileResponse(file, as_attachment=True, filename=exports.file_name(export), content_type=WORKBOOK)

"""Pages of imports: the list, a new one, and one sheet from reading over preview to what came of it."""

import re

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from core import imports, sheets
from core.forms import PortalForm
from core.models import ImportBatch
from core.models.imports import BatchState, Outcome
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.sheets import SheetRefused
from core.tables import IMPORT_BADGES, ImportTable, state_badge

PAGE = 50
SHORT = 12  # characters of a cell that stay on one line
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Before the commit a sound row is still to be stored; afterwards the outcome's own word holds.
BEFORE = {Outcome.OK: gettext_lazy("to be stored"), Outcome.WARNING: gettext_lazy("to be stored, look at it")}
OUTCOME_BADGES = {Outcome.ERROR: "late", Outcome.DUPLICATE: "rest", Outcome.WARNING: "soon", Outcome.OK: "good"}


class UploadForm(PortalForm):
    """The file to read; whether it can be read is found out from the file itself."""

    file = forms.FileField(
        label=gettext_lazy("Workbook or CSV file"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )


class ImportList(ListPage):
    """The sheets in scope and one's own, the latest first."""

    queryset = ImportBatch.objects.select_related("union", "created_by").exclude(state=BatchState.DISCARDED)
    permission = "core.view_importbatch"
    table_class = ImportTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Imports")
    empty = gettext_lazy("No sheet yet. Choose above what you want to import.")
    template_name = "imports/import_list.html"

    def get_context(self):
        return {"kinds": [kind for kind in imports.kinds().values() if self.request.user.has_perm(kind.permission)]}


import_list = ImportList.as_view()


def kind_or_refuse(request, key):
    """Return the kind of import `key`. Raises Http404 for an unknown one, PermissionDenied for one not the user's."""
    if key not in imports.kinds():
        raise Http404
    kind = imports.kinds()[key]
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied(_("Your role does not include this import."))
    return kind


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.add_importbatch")
def import_new(request, kind):
    """Choose a file; it is read in the background."""
    maker = kind_or_refuse(request, kind)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        try:
            batch = imports.receive(kind, form.cleaned_data["file"], by=request.user)
        except SheetRefused as refusal:
            form.add_error("file", str(refusal))
        else:
            return redirect("import_page", importbatch_pk=batch.pk)
    columns = [
        {"name": name, "needed": needed, "aliases": "、".join(aliases)}
        for needed, (name, *aliases) in maker.columns.values()
    ]
    return render(request, "imports/import_new.html", {"form": form, "kind": maker, "columns": columns})


@require_safe
@needs("core.add_importbatch")
def import_template(request, kind):
    """An empty workbook with the right columns; those of long numbers are text, so that Excel leaves them alone."""
    maker = kind_or_refuse(request, kind)
    response = HttpResponse(sheets.template(maker.title, maker.columns, maker.text_columns), content_type=WORKBOOK)
    response["Content-Disposition"] = f'attachment; filename="{maker.key}.xlsx"'
    return response


def the_batch(request, pk, perm):
    rows = ImportBatch.objects.select_related("union", "created_by", "committed_by", "job")
    return visible_or_404(rows, request.user, perm, pk=pk)


@require_safe
@never_cache
@needs("core.view_importbatch")
def import_page(request, importbatch_pk):
    """One sheet: how far it is, its rows with what becomes of each, and what can be done next."""
    batch = the_batch(request, importbatch_pk, "core.view_importbatch")
    kind = imports.kinds()[batch.kind]
    working = batch.state in (BatchState.READING, BatchState.COMMITTING) and batch.job and not batch.job.finished
    context = {
        "batch": batch,
        "kind": kind,
        "working": working,
        "badge": state_badge(batch, IMPORT_BADGES),
        "may_change": request.user.has_perm("core.change_importbatch") and request.user.has_perm(kind.permission),
        "may_discard": batch.state in imports.DISCARDABLE,
        "to_store": sum(batch.counts.get("outcomes", {}).get(outcome, 0) for outcome in imports.STORABLE),
        **_rows(request, batch, kind),
    }
    if request.htmx.target == "progress":
        return render(request, "imports/import_page.html#progress", context) if working else HttpResponseClientRefresh()
    partial = request.htmx and not request.htmx.history_restore_request
    return render(request, "imports/import_page.html#list" if partial else "imports/import_page.html", context)


def _rows(request, batch, kind):
    """Return what the page shows of the rows: chips by outcome and by code, and one page of rows, problems first."""
    if batch.state not in (BatchState.PREVIEW, BatchState.COMMITTING, BatchState.COMMITTED):
        return {"rows": [], "outcomes": [], "codes": [], "following": "", "previous": "", "first": ""}
    counts = batch.counts
    labels = dict(Outcome.choices) | ({} if batch.state == BatchState.COMMITTED else BEFORE)
    outcomes = [outcome for outcome in imports.GRAVITY if counts["outcomes"][outcome]]
    codes = [code for code in kind.outcomes if code in counts["codes"]]
    shown = request.GET.get("show", "")
    if shown not in (*outcomes, *codes):
        shown = str(outcomes[0]) if outcomes else ""
    rows = kind.staged.objects.filter(batch=batch)
    if shown in codes:
        rows = rows.annotate(code_text=Cast("codes", TextField())).filter(code_text__contains=f'"{shown}"')
    else:
        rows = rows.filter(outcome=shown)
    page, previous, following = _page(request, rows)
    address = f"?show={shown}"
    return {
        "rows": [_described(row, kind, labels) for row in kind(request.user).preview(page)],
        "outcomes": [
            {
                "key": outcome.value,
                "label": labels[outcome],
                "count": counts["outcomes"][outcome],
                "on": shown == outcome,
            }
            for outcome in outcomes
        ],
        "codes": [
            {"key": code, "label": _matter(kind.sentences[code]), "count": counts["codes"][code], "on": shown == code}
            for code in codes
        ],
        "following": f"{address}&after={following}" if following else "",
        "previous": f"{address}&before={previous}" if previous else "",
        "first": address if previous else "",
    }


def _page(request, rows):
    """Return (staged rows of the page, row to page back from, row to page on from); by keyset on the row number."""
    after, before = (_number(request.GET.get(name, "")) for name in ("after", "before"))
    if before is not None:
        page = list(rows.filter(row__lt=before).order_by("-row")[: PAGE + 1])
        more, page = len(page) > PAGE, page[:PAGE][::-1]
        return page, page[0].row if more else 0, page[-1].row if page else 0
    page = list(rows.filter(row__gt=after or 0).order_by("row")[: PAGE + 1])
    more, page = len(page) > PAGE, page[:PAGE]
    return page, page[0].row if page and after else 0, page[-1].row if more else 0


def _number(text):
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _matter(sentence):
    """What is the matter: a code's sentence as far as its colon, after which it says what to do."""
    return re.split("[:：]", str(sentence), maxsplit=1)[0].rstrip(".。")


def _described(row, kind, labels):
    """Add to a previewed row its colour and the sentences of its codes."""
    outcome = Outcome(row["outcome"])
    told = [{"code": code, "sentence": kind.sentences[code]} for code in row["codes"]]
    cells = [
        {"heading": heading, "text": text, "short": len(text) <= SHORT}
        for heading, text in zip(kind.headings, row["cells"], strict=True)
    ]
    return {**row, "cells": cells, "badge": OUTCOME_BADGES[outcome], "label": labels[outcome], "told": told}


@require_POST
@needs("core.change_importbatch")
def import_commit(request, importbatch_pk):
    """Ask for the rows to be stored; the second click of two changes nothing."""
    batch = the_batch(request, importbatch_pk, "core.change_importbatch")
    kind_or_refuse(request, batch.kind)
    if not imports.ask_commit(batch, by=request.user):
        messages.info(request, _("This sheet is being stored or was stored already."))
    return redirect("import_page", importbatch_pk=batch.pk)


@require_POST
@needs("core.change_importbatch")
def import_discard(request, importbatch_pk):
    """Throw the sheet away: the file and the rows read from it."""
    batch = the_batch(request, importbatch_pk, "core.change_importbatch")
    kind_or_refuse(request, batch.kind)
    if not imports.discard(batch, by=request.user):
        messages.error(request, _("A sheet that is being stored or was stored cannot be discarded."))
        return redirect("import_page", importbatch_pk=batch.pk)
    messages.success(request, _("Discarded: the file and the rows read from it are gone."))
    return redirect("import_list")

"""Pages of imports: the list, a new one, and one sheet from reading over preview to what came of it."""

import re
from bisect import bisect_left, bisect_right
from pathlib import Path

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from core import imports, returned, sheets
from core.filters import ImportFilter
from core.forms import PortalForm
from core.models import ImportBatch
from core.models.imports import STORED, BatchState, Outcome
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.sheets import SheetRefused
from core.tables import IMPORT_BADGES, OUTCOME_BADGES, ImportTable, state_badge

PAGE = 50
SHORT = 12  # characters of a cell that stay on one line
KEPT = "kept"  # what `show` says for the rows that an undo left
WITH_ROWS = (
    BatchState.PREVIEW, BatchState.COMMITTING, BatchState.COMMITTED, BatchState.UNDOING, BatchState.UNDONE
)  # fmt: skip
WORKING = (BatchState.READING, BatchState.COMMITTING, BatchState.UNDOING)
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class UploadForm(PortalForm):
    """The file to read; whether it can be read is found out from the file itself."""

    file = forms.FileField(
        label=gettext_lazy("Workbook or CSV file"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )


class ImportList(ListPage):
    """The sheets in scope and one's own, the latest first."""

    queryset = (
        ImportBatch.objects.select_related("union", "created_by", "committed_by", "undone_by")
        .exclude(state=BatchState.DISCARDED)
        .defer("kept", "columns", "other_sheets")
    )
    permission = "core.view_importbatch"
    table_class = ImportTable
    filterset_class = ImportFilter
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
    rows = ImportBatch.objects.select_related("union", "created_by", "committed_by", "undone_by", "job")
    return visible_or_404(rows, request.user, perm, pk=pk)


@require_safe
@never_cache
@needs("core.view_importbatch")
def import_page(request, importbatch_pk):
    """One sheet: how far it is, its rows with what becomes of each, and what can be done next."""
    batch = the_batch(request, importbatch_pk, "core.view_importbatch")
    kind = imports.kinds()[batch.kind]
    job_open = batch.job is not None and not batch.job.finished
    may_change = request.user.has_perm("core.change_importbatch") and request.user.has_perm(kind.permission)
    stored = batch.state == BatchState.COMMITTED
    context = {
        "batch": batch,
        "kind": kind,
        "working": batch.state in WORKING and job_open,
        "preparing": imports.preparing(batch),
        "badge": state_badge(batch, IMPORT_BADGES),
        "may_change": may_change,
        "may_discard": batch.state in imports.DISCARDABLE,
        "may_return": may_change and batch.state in imports.LOOKED_AT and bool(batch.file) and bool(batch.counts),
        "may_undo": may_change and stored and not batch.cleared_on and not kind.undo_refused,
        "undo_refused": kind.undo_refused if may_change and stored else "",
        "kept": len(batch.kept),
        "problems": imports.problems(batch),
        "to_store": imports.to_store(batch),
        "taken_back": imports.to_store(batch) - len(batch.kept),
        "remarks": kind(request.user).remarks(batch) if stored else [],
        "offers": kind(request.user).offers(batch) if may_change and batch.state in WITH_ROWS else [],
        **_rows(request, batch, kind),
    }
    working = context["working"] or context["preparing"]
    if request.htmx.target == "progress":
        return render(request, "imports/import_page.html#progress", context) if working else HttpResponseClientRefresh()
    partial = request.htmx and not request.htmx.history_restore_request
    return render(request, "imports/import_page.html#list" if partial else "imports/import_page.html", context)


def _rows(request, batch, kind):
    """Return what the page shows of the rows: chips by outcome and by code, and one page of rows, problems first."""
    if batch.state not in WITH_ROWS or batch.cleared_on:
        return {"rows": [], "outcomes": [], "codes": [], "following": "", "previous": "", "first": ""}
    counts = batch.counts
    labels = imports.AFTER if batch.state in STORED else imports.BEFORE
    kept = dict(batch.kept)
    outcomes = [outcome for outcome in imports.GRAVITY if counts["outcomes"][outcome]]
    codes = [code for code in kind.outcomes if code in counts["codes"]]
    shown = request.GET.get("show", "")
    if shown not in (*outcomes, *codes) and not (shown == KEPT and kept):
        shown = KEPT if kept else str(outcomes[0]) if outcomes else ""
    rows = kind.staged.objects.filter(batch=batch)
    if shown == KEPT:
        page, previous, following = _page_of(request, rows, [row for row, _code in batch.kept])
    else:
        rows = imports.with_codes(rows, [shown]) if shown in codes else rows.filter(outcome=shown)
        page, previous, following = _page(request, rows)
    address = f"?show={shown}"
    chips = [(outcome.value, labels[outcome], counts["outcomes"][outcome]) for outcome in outcomes]
    if kept:
        chips.insert(0, (KEPT, imports.KEPT, len(kept)))
    return {
        "rows": [_described(row, kind, labels, kept, batch.state) for row in kind(request.user).preview(page)],
        "outcomes": [{"key": key, "label": label, "count": n, "on": shown == key} for key, label, n in chips],
        "codes": [
            {"key": code, "label": _matter(kind.sentences[code]), "count": counts["codes"][code], "on": shown == code}
            for code in codes
        ],
        "following": f"{address}&after={following}" if following else "",
        "previous": f"{address}&before={previous}" if previous else "",
        "first": address if previous else "",
    }


def _page_of(request, rows, numbers):
    """The same as `_page` for the rows with these numbers, which are in order."""
    after, before = (_number(request.GET.get(name, "")) for name in ("after", "before"))
    if before is not None:
        end = bisect_left(numbers, before)
        start = max(end - PAGE, 0)
    else:
        start = bisect_right(numbers, after or 0)
        end = start + PAGE
    wanted = numbers[start:end]
    page = list(rows.filter(row__in=wanted).order_by("row"))
    return page, wanted[0] if wanted and start else 0, wanted[-1] if wanted and end < len(numbers) else 0


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


def _described(row, kind, labels, kept, state):
    """Add to a previewed row its colour and the sentences of its codes."""
    outcome = Outcome(row["outcome"])
    badge, label = OUTCOME_BADGES[outcome], labels[outcome]
    if state == BatchState.UNDONE and outcome in imports.STORABLE and row["row"] not in kept:
        badge, label = IMPORT_BADGES[state], BatchState.UNDONE.label
    told = [{"code": code, "sentence": kind.sentences[code]} for code in row["codes"]]
    cells = [
        {"heading": heading, "text": text, "short": len(text) <= SHORT}
        for heading, text in zip(kind.headings, row["cells"], strict=True)
    ]
    if code := kept.get(row["row"]):
        told.append({"code": code, "sentence": f"{imports.KEPT}：{kind.kept_sentences[code]}"})
    return {
        "offer": None, **row, "cells": cells, "badge": badge, "label": label, "told": told
    }  # fmt: skip


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
    try:
        if imports.discard(batch, by=request.user):
            messages.success(request, _("Discarded: the file and the rows read from it are gone."))
            return redirect("import_list")
        messages.error(request, _("A sheet that is being stored or was stored cannot be discarded."))
    except ValidationError as held:
        messages.error(request, " ".join(held.messages))
    return redirect("import_page", importbatch_pk=batch.pk)


@require_POST
@needs("core.change_importbatch")
def import_return(request, importbatch_pk):
    """Ask for the workbook with its problem rows marked."""
    batch = the_batch(request, importbatch_pk, "core.change_importbatch")
    kind_or_refuse(request, batch.kind)
    if not imports.ask_return(batch, by=request.user):
        messages.info(request, _("The marked workbook is being made, or the sheet is being worked on: wait a moment."))
    return redirect("import_page", importbatch_pk=batch.pk)


@require_safe
@never_cache
@needs("core.change_importbatch")
def import_returned(request, importbatch_pk):
    """The workbook with its problem rows marked; fetching it is an event."""
    batch = the_batch(request, importbatch_pk, "core.change_importbatch")
    kind_or_refuse(request, batch.kind)
    if not batch.returned:
        messages.info(request, _("There is no marked workbook: ask for it."))
        return redirect("import_page", importbatch_pk=batch.pk)
    name = f"{Path(batch.file_name).stem}-{returned.HEADER}.xlsx"
    file = imports.open_returned(batch, by=request.user)
    return FileResponse(file, as_attachment=True, filename=name, content_type=WORKBOOK)


@require_POST
@needs("core.change_importbatch")
def import_undo(request, importbatch_pk):
    """Ask for the stored rows to be taken back."""
    batch = the_batch(request, importbatch_pk, "core.change_importbatch")
    kind = kind_or_refuse(request, batch.kind)
    try:
        if not imports.ask_undo(batch, by=request.user):
            refusal = kind.undo_refused or _("Only a sheet that is stored can be taken back, and only once.")
            messages.error(request, refusal)
    except ValidationError as held:
        messages.error(request, " ".join(held.messages))
    return redirect("import_page", importbatch_pk=batch.pk)

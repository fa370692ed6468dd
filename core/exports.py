"""Exports: the rows of a list as a workbook, asked for with a purpose, made by a job, kept sealed for some days.

What the columns are is answered by a class of the app above (settings.EXPORT_KINDS). Numbers are masked unless they
were asked for in clear by somebody who may reveal every one of them. Asking, making and each download are events. The
rows are those the asker reaches when the job runs, and who downloads must still reach all of them.
"""

import hashlib
import re
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import File
from django.db import transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from core import audit, jobs, settings_table
from core.jobs import JobRefused
from core.models import Export
from core.names import A_NUMBER
from core.scope import reach
from core.sheets import FORMULA

MAKE = "core.tasks.make_export"
CHUNK = 2000  # rows read at once
MOST_ROWS = 1_000_000  # a sheet of Excel holds 48,576 more
UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML holds none of them


@dataclass(frozen=True)
class Column:
    """One column of a workbook: its header, what it says of a row, and the column of the list that it stands for."""

    header: str
    value: Callable
    shown_with: str = ""  # without one it is written with all columns only
    text: bool = False  # long digits and dates, which Excel must not change
    clear: Callable | None = None  # what it says in clear, where `value` is a mask
    width: int = 14


class ExportKind:
    """One kind of export; subclasses say of which list and what is in its columns."""

    do_not_call_in_templates = True
    key = ""  # as in settings.EXPORT_KINDS
    title = ""
    permission = ""
    reveal = ""  # the permission to see the numbers in clear; without one there are none to see
    page = None  # the ListPage whose filters and order are exported
    list_url = ""  # its URL name
    columns = ()

    def __init__(self, by):
        self.by = by
        self.list = self.page()

    def listed(self, query):
        """Return the rows (core.pages.Listed) that `by` reaches with this kind's permission, chosen by `query`."""
        return self.list.listed(self.by, QueryDict(query), also=[self.permission])

    def chosen(self, query):
        """Return the columns of the workbook: those standing for a column of the list as it is shown."""
        params = QueryDict(query)
        names = self.list.chosen_columns(params)
        everything = self.list.all_columns(params)
        return [column for column in self.columns if everything or column.shown_with in names]

    def words(self, listed):
        """Return in words what the rows were chosen by."""
        return listed.filterset.in_words() if listed.filterset else []

    def words_of(self, query):
        """The same for a query, without looking for the rows."""
        filterset = self.list.filters(self.by, QueryDict(query), self.list.get_queryset().none())
        return filterset.in_words() if filterset else []

    def prepared(self, rows):
        """The rows of a chunk with what the columns need besides, in a fixed number of queries."""
        return rows

    def tops(self):
        """The unions at the top of what `by` reaches with this kind's permission."""
        raise NotImplementedError

    def top(self):
        """The union above all of it; None while the tree is empty."""
        raise NotImplementedError

    def paths(self, tops):
        """The present tree paths of the unions with the keys `tops`."""
        raise NotImplementedError

    def may_reveal(self):
        """Whether `by` may see in clear every number that the export may hold."""
        held = bool(self.reveal) and reach(self.by, self.reveal)
        return bool(held) and all(held.covers(union.path) for union in self.tops())

    def may_download(self, export):
        """Whether `by` still reaches all that `export` may hold."""
        held = [reach(self.by, perm) for perm in (self.permission, *([self.reveal] if export.clear else []))]
        paths = self.paths(export.tops)
        return len(paths) == len(export.tops) and all(each and all(map(each.covers, paths)) for each in held)


def kinds():
    """{key: class} of every kind of export."""
    return {key: import_string(place) for key, place in settings.EXPORT_KINDS.items()}


def export_address(key, user, query):
    """Return the page on which `user` asks for the export `key` of the list with `query`; "" without the right."""
    if not key or not user.has_perm(kinds()[key].permission):
        return ""
    return f"{reverse('export_ask', args=[key])}?{urlencode(query)}"


# --- Asking ------------------------------------------------------------------------------------------------------


def ask(key, *, by, query, purpose, clear=False):
    """Ask for a workbook of the kind `key`; returns the Export, whose job makes it. Raises ValidationError."""
    kind = kinds()[key](by)
    purpose = purpose.strip()
    if not by.has_perm(kind.permission):
        raise PermissionDenied(_("Your role does not include this export."))
    if not purpose:
        raise ValidationError({"purpose": _("Say what the list is for.")})
    if A_NUMBER.search(unicodedata.normalize("NFKC", purpose)):
        raise ValidationError({"purpose": _("Say what the list is for without writing a number of anybody into it.")})
    if clear and not kind.may_reveal():
        raise ValidationError({"clear": _("You may not see the numbers of all these members: export them masked.")})
    if len(query) > Export._meta.get_field("query").max_length:
        raise ValidationError(_("These filters are too long to keep: take some away."))
    listed = kind.listed(query)
    if listed.filterset and not listed.filterset.form.is_valid():
        raise ValidationError(_("A filter cannot be applied: go back to the list and correct it."))
    if not listed.count:
        raise ValidationError(_("No row matches these filters: there is nothing to export."))
    with transaction.atomic():
        export = Export.objects.create(
            kind=key, query=query, purpose=purpose, clear=clear, union=kind.top(),
            tops=[union.pk for union in kind.tops()], asked_by=by,
            kept_until=timezone.localdate() + timedelta(days=kept_days()),
        )  # fmt: skip
        export.job = jobs.start(
            MAKE,
            title=_("Export: %(title)s") % {"title": kind.title},
            by=by,
            params={"export": export.pk},
            union=export.union,
        )
        export.save(update_fields=["job"])
        audit.record(
            "core.ask_export",
            export,
            by=by,
            union=export.union,
            changes={"rows": [None, listed.count], "clear": [None, clear]},
            reason=purpose,
        )
    return export


def kept_days():
    """How many days the file of an export is kept."""
    return int(settings_table.value("export_kept_days"))


# --- Making ------------------------------------------------------------------------------------------------------


def make(run):
    """Write the workbook of an export's job; run twice it stays as it is."""
    export = Export.objects.select_related("asked_by", "union").get(pk=run.job.params["export"])
    if export.sha256:
        return
    kind = kinds()[export.kind](export.asked_by)
    if not export.asked_by.has_perm(kind.permission) or (export.clear and not kind.may_reveal()):
        raise JobRefused(_("The right to this export was taken away after it was asked for."))
    with tempfile.TemporaryFile(prefix="portal-") as file, translation.override(settings.LANGUAGE_CODE):
        rows = write(file, kind, export, run)
        _keep(run, export, kind, file, rows)


def _keep(run, export, kind, file, rows):
    """Seal the finished workbook and store its facts; a run that lost its job leaves no file behind."""
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    name = export.file.storage.save(f"exports/{timezone.localdate():%Y/%m}/{export.pk}.xlsx", File(file))
    try:
        with transaction.atomic():
            run.hold()
            Export.objects.filter(pk=export.pk).update(
                file=name, rows=rows, sha256=sha256, tops=[union.pk for union in kind.tops()]
            )
            audit.record(
                "core.make_export",
                export,
                by=export.asked_by,
                union=export.union,
                changes={"rows": [None, rows], "clear": [None, export.clear], "sha256": ["", sha256]},
            )
    except BaseException:
        export.file.storage.delete(name)
        raise


def write(file, kind, export, run):
    """Write the rows as a workbook into `file` while they are read, and return how many they are."""
    listed = kind.listed(export.query)
    columns = kind.chosen(export.query)
    says = [column.clear if export.clear and column.clear else column.value for column in columns]
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(str(kind.title))
    for place, column in enumerate(columns, start=1):
        dimension = sheet.column_dimensions[get_column_letter(place)]
        dimension.width = column.width
        if column.text:
            dimension.number_format = "@"
    head = head_of(export, kind.words(listed))
    sheet.freeze_panes = f"A{len(head) + 2}"
    for label, text in head:
        sheet.append([neutral(f"{label}：{text}")])
    sheet.append([_header(sheet, column.header) for column in columns])
    texts = [WriteOnlyCell(sheet) if column.text else None for column in columns]
    for cell in filter(None, texts):
        cell.number_format = "@"
    rows = 0
    for chunk in listed.chunks(CHUNK):
        rows += len(chunk)
        if rows > MOST_ROWS:
            raise JobRefused(
                _("More than %(most)d rows do not fit into one sheet: choose a union or a filter first.")
                % {"most": MOST_ROWS}
            )
        for row in kind.prepared(chunk):
            sheet.append([_cell(cell, say(row)) for cell, say in zip(texts, says, strict=True)])
        run.progress(done=rows, total=max(rows, listed.count))
    workbook.save(file)
    return rows


def head_of(export, words):
    """Return the lines above the table: [(label, text)], so that the sheet says what it is wherever it goes."""
    return [
        (_("Federation"), settings.FEDERATION_NAME),
        (_("Exported for"), str(export.union or settings.FEDERATION_NAME)),
        (_("Purpose"), export.purpose),
        (_("Asked by"), f"{export.asked_by}　{date_format(timezone.localtime(export.asked_at), 'Y-m-d H:i')}"),
        (_("Rows chosen by"), "；".join(words) or _("all in my part of the tree")),
        (
            _("Numbers"),
            _("in clear: do not pass this file on") if export.clear else _("masked"),
        ),
    ]


def _header(sheet, text):
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _cell(cell, value):
    """Return what stands in the sheet for `value`: text that no program takes for a formula, or a number."""
    if isinstance(value, str):
        value = neutral(value)
    if cell is None or value == "":
        return None if value == "" else value
    cell.value = value
    return cell


def neutral(text):
    """Return `text` as no program takes it for a formula, also after it was saved as CSV: an apostrophe in front."""
    text = UNWRITABLE.sub("", text)
    return f"'{text}" if text.startswith(FORMULA) else text


# --- Downloading, and the end ------------------------------------------------------------------------------------


def open_file(export, *, by):
    """Return the workbook, open for reading; the download is an event. Raises ValidationError with the reason."""
    kind = kinds()[export.kind](by)
    if export.asked_by_id != by.pk or not kind.may_download(export):
        raise PermissionDenied(_("Your role no longer reaches all that is in this export: ask for it again."))
    if not export.sha256:
        raise ValidationError(_("This export is not finished yet."))
    if not is_there(export, timezone.localdate()):
        raise ValidationError(_("The file was kept until its last day and is gone: ask for the export again."))
    if not export.file.storage.exists(export.file.name):
        raise ValidationError(_("The file of this export is missing. Please tell the administrator."))
    file = export.file.open()
    if hashlib.file_digest(file, "sha256").hexdigest() != export.sha256:
        raise ValidationError(_("The file of this export was altered: it is not handed out. Tell the administrator."))
    file.seek(0)
    audit.record(
        "core.download_export",
        export,
        by=by,
        union=export.union,
        changes={"rows": [None, export.rows], "clear": [None, export.clear]},
        reason=export.purpose,
    )
    return file


def is_there(export, today):
    """Whether there is a file to download."""
    return bool(export.file) and export.kept_until >= today


def file_name(export):
    """The name under which the workbook is saved: nothing about anybody in it."""
    kind = kinds()[export.kind]
    return f"{kind.title}_{timezone.localtime(export.asked_at):%Y%m%d}_{export.pk}.xlsx"


def remove_old(today):
    """Delete the files of exports whose last day is over; the rows stay and tell what was exported."""
    for export in Export.objects.filter(kept_until__lt=today).exclude(file="").select_related("union"):
        name = export.file.name
        with transaction.atomic():
            if Export.objects.filter(pk=export.pk).exclude(file="").update(file=""):
                audit.record("core.remove_export", export, by=None, union=export.union)
        export.file.storage.delete(name)

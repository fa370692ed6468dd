"""Import batches: a sheet on its way from upload over reading and preview to commit.

What the rows mean is answered by a class of the app above (settings.IMPORT_KINDS). Rows are read, checked and sealed
into a staging table in short transactions; the commit is one transaction that works on sets, and so is taking it back.
A killed worker leaves a batch that is read again from the start, or a commit or an undo that never happened.
"""

import hashlib
import json
import tempfile
import uuid
from collections import Counter
from functools import partial, reduce
from operator import or_
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from core import audit, bulk, jobs, returned, settings_table, sheets
from core.deadlocks import again_on_deadlock
from core.models import Hold, ImportBatch
from core.models.imports import STORED, BatchState, Outcome
from core.sealed_files import clear_copy
from core.sheets import SheetRefused

READ, COMMIT = "core.tasks.read_import", "core.tasks.commit_import"
RETURN, UNDO = "core.tasks.return_import", "core.tasks.undo_import"
CHUNK = 5000  # rows a short transaction
TRIES = 3  # of a commit that another writer gets into the way of
LOCK = 0x494D5054  # PostgreSQL advisory lock: commits of imports wait for each other
GRAVITY = (Outcome.ERROR, Outcome.DUPLICATE, Outcome.WARNING, Outcome.OK)  # the gravest first
STORABLE = (Outcome.OK, Outcome.WARNING)
PROBLEMS = (Outcome.ERROR, Outcome.DUPLICATE, Outcome.WARNING)
DISCARDABLE = (BatchState.READING, BatchState.PREVIEW, BatchState.FAILED)
LOOKED_AT = (BatchState.PREVIEW, BatchState.COMMITTED, BatchState.UNDONE)  # the rows are read, nothing is under way

KEPT = gettext_lazy("not taken back")
# What becomes of a row, in words: before the commit a sound row is still to be stored.
AFTER = dict(Outcome.choices)
BEFORE = AFTER | {
    Outcome.OK: gettext_lazy("to be stored"),
    Outcome.WARNING: gettext_lazy("to be stored, look at it"),
}

STAGED = ("row", "outcome", "codes", "shown", "changes")  # the columns every staging table begins with


class Overtaken(Exception):
    """Others keep writing what the commit is about to write: it is rolled back and tried on the new state."""


class ImportKind:
    """One kind of import, made for one user whose scope applies; subclasses answer for their own rows."""

    do_not_call_in_templates = True
    key = ""  # as in settings.IMPORT_KINDS
    title = ""
    permission = ""
    columns = {}  # {field: (needed, spellings)}; see core.sheets.read
    text_columns = ()  # fields that a template workbook must format as text
    outcomes = {}  # {code: Outcome}, in the order in which a row's codes are listed
    sentences = {}  # {code: one sentence that says what to do}
    staged = None  # the staging table
    fields = ()  # its columns after STAGED

    def __init__(self, by):
        self.by = by

    def top(self):
        """The union above everything that the user's rows may touch; None while the tree is empty."""
        raise NotImplementedError

    def chunks(self, sheet):
        """Yield chunks of staged rows: iterables of tuples in the order of STAGED and `fields`."""
        raise NotImplementedError

    def refresh(self, batch):
        """Check the storable rows against what is stored now and change those that no longer fit."""

    def commit(self, batch):
        """Store the storable rows, inside the caller's transaction. Raises Overtaken."""
        raise NotImplementedError

    headings = ()  # of the preview's columns

    undo_refused = ""  # the sentence why a batch of this kind is not taken back
    kept_sentences = {}  # {code: why a row was not taken back}

    def afterwards(self, batch):
        """What is looked for once the batch is stored or taken back, outside its transaction; may run twice."""

    def undo(self, batch):
        """Take the stored rows back, inside the caller's transaction; returns [(row, code of `kept_sentences`)]."""
        raise NotImplementedError

    @classmethod
    def forget(cls, batch):
        """Delete what taking the batch back would need, beside the staged rows; may run twice."""

    @classmethod
    def is_held(cls, batch):
        """Whether the batch tells of something that a hold keeps."""
        return False

    def noticed(self, batch):
        """Write down whom the preview lets its reader meet, inside the transaction that opens it."""

    def remarks(self, batch):
        """Return [(sentence, address)] of what the batch's page tells about a stored batch."""
        return []

    def offers(self, batch):
        """Return [(label, address)] of what can be done about all rows of a kind at once: buttons that send."""
        return []

    def preview(self, rows):
        """Return the staged `rows`, masked, as dicts.

        row, outcome, codes, cells (texts under `headings`), said (texts that could not be read), changes ([label, old,
        new]); maybe an offer: {"label", "address", "post"}, a link or a button that sends the row.
        """
        raise NotImplementedError

    @classmethod
    def grave(cls, codes):
        """The outcome of a row: that of the gravest of its codes."""
        if not codes:
            return Outcome.OK
        found = {cls.outcomes[code] for code in codes}
        return next(outcome for outcome in GRAVITY if outcome in found)

    @classmethod
    def in_order(cls, codes):
        """`codes` without repetition, in the contract's order."""
        return [code for code in cls.outcomes if code in codes] if len(codes) > 1 else list(codes)


def kinds():
    """{key: class} of every kind of import."""
    return {key: import_string(place) for key, place in settings.IMPORT_KINDS.items()}


def kind_of(key, by):
    """Return the kind `key` as it works for the user `by`."""
    return kinds()[key](by)


class Tally:
    """Rows counted by outcome and by code."""

    def __init__(self, counts=None):
        counts = counts or {}
        self.outcomes = Counter(counts.get("outcomes", {}))
        self.codes = Counter(counts.get("codes", {}))

    def add(self, outcome, codes, times=1):
        self.outcomes[str(outcome)] += times
        for code in codes:
            self.codes[code] += times

    def as_json(self):
        """{"outcomes": {...}, "codes": {...}}: every outcome is named, only codes that occur."""
        return {
            "outcomes": {outcome.value: self.outcomes[outcome.value] for outcome in Outcome},
            "codes": {code: number for code, number in sorted(self.codes.items()) if number},
        }


# --- From upload to preview --------------------------------------------------------------------------------------


def receive(key, upload, *, by):
    """Store an uploaded file and ask for its reading; returns the batch. Raises SheetRefused."""
    kind = kind_of(key, by)
    name = Path(upload.name).name[-200:]
    batch = ImportBatch(kind=key, file_name=name, union=kind.top(), created_by=by)
    with clear_copy(upload) as path:
        sheets.check(path, name)
        batch.sha256 = digest(path)
        with path.open("rb") as file:
            batch.file.save(f"{uuid.uuid4().hex}{sheets.suffix(name)}", File(file), save=False)
    try:
        with transaction.atomic():
            batch.save()
            title = _("Read %(name)s") % {"name": name}
            batch.job = jobs.start(READ, title=title[:200], by=by, union=batch.union, params={"batch": batch.pk})
            batch.save(update_fields=["job"])
            changes = {"sha256": [None, batch.sha256]}
            audit.record("core.upload_importbatch", batch, by=by, union=batch.union, changes=changes)
    except BaseException:
        batch.file.delete(save=False)
        raise
    return batch


def digest(path):
    """Return the SHA-256 (hex) of the file at `path`."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(batch, path, *, run=None, progress=None):
    """Read the sheet at `path` into staging, from the start, and open the preview. Raises SheetRefused.

    `run` is the job's run, which must still own the job at each step; `progress(done, total)` hears how far it is.
    """
    kind = kind_of(batch.kind, batch.created_by)
    clear(batch)
    sheet = sheets.read(path, batch.file_name, kind.columns)
    tally = Tally()
    for rows in kind.chunks(sheet):
        if connection.vendor == "sqlite":
            rows = list(rows)  # its only writer does not wait for us; PostgreSQL writes while we go on
        with transaction.atomic():
            _still(batch, BatchState.READING, run)
            bulk.insert(
                kind.staged, ("batch", *STAGED, *kind.fields), ((batch.pk, *row) for row in _counted(rows, tally))
            )
        done = sum(tally.outcomes.values())
        if progress:
            progress(done, max(sheet.total, done))
    others = sheet.others()
    with transaction.atomic():
        _still(batch, BatchState.READING, run)
        batch.state, batch.counts = BatchState.PREVIEW, tally.as_json()
        batch.sheet, batch.other_sheets = sheet.name[:100], others
        batch.header_row, batch.columns = sheet.header_row, sheet.headers
        batch.save(update_fields=["state", "counts", "sheet", "other_sheets", "header_row", "columns"])
        kind.noticed(batch)


def _counted(rows, tally):
    """Pass staged `rows` on, counted."""
    for row in rows:
        tally.add(row[1], row[2])
        yield row


def _still(batch, state, run):
    """Hold the batch's row and make sure that it is still ours to go on with."""
    if run:
        run.hold()
    held = ImportBatch.objects.select_for_update(of=("self",)).filter(pk=batch.pk, state=state)
    if not held.values_list("pk").first():
        raise jobs.RunLost


def read_job(run):
    """The work of the job that reads a batch."""
    batch = ImportBatch.objects.select_related("created_by").filter(pk=run.job.params["batch"]).first()
    if batch is None or batch.state != BatchState.READING:
        return
    try:
        with batch.file.open() as file, clear_copy(file) as path, bulk.uncollected():
            read(batch, path, run=run, progress=run.progress)
    except SheetRefused as refusal:
        raise jobs.JobRefused(str(refusal)) from refusal


def reading_failed(job, sentence):
    """The job that read a batch has failed: the batch says why."""
    ImportBatch.objects.filter(pk=job.params["batch"], state=BatchState.READING).update(
        state=BatchState.FAILED, message=sentence[:500]
    )


def with_codes(rows, codes):
    """Those of the staged `rows` that have one of the `codes`."""
    wanted = reduce(or_, (Q(code_text__contains=f'"{code}"') for code in codes))
    return rows.annotate(code_text=Cast("codes", TextField())).filter(wanted)


def clear(batch):
    """Delete the batch's staged rows, in short transactions."""
    rows = kinds()[batch.kind].staged.objects.filter(batch=batch).order_by("pk")
    while pks := list(rows.values_list("pk", flat=True)[:CHUNK]):
        rows.filter(pk__gte=pks[0], pk__lte=pks[-1]).order_by().delete()


def discard(batch, *, by):
    """Throw a batch away that is not stored: its file and its staged rows go. Returns whether it could be.

    Raises ValidationError while it is held.
    """
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
        if batch.state not in DISCARDABLE:
            return False
        _refuse_if_held(batch)
        batch.state = BatchState.DISCARDED
        batch.save(update_fields=["state"])
        audit.record("core.discard_importbatch", batch, by=by, union=batch.union)
    clear(batch)
    for file in (batch.file, batch.returned):
        if file:
            file.delete()
    return True


def _refuse_if_held(batch):
    if is_held(batch.pk):
        raise ValidationError(_("This import, or somebody in it, is held: the hold must be released first."))


# --- When the period is over (core.retention) ----------------------------------------------------------------------


def is_held(pk):
    """Whether the batch must stay because it is held, or tells of something that is."""
    batch = ImportBatch.objects.get(pk=pk)
    held = Hold.objects.open().filter(subject_type=ImportBatch._meta.label_lower, subject_id=pk)
    return held.exists() or kinds()[batch.kind].is_held(batch)


def clear_old(pk):
    """Say of a batch that it is cleared, then delete its rows: whoever looks meanwhile finds it closed, not empty."""
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=pk)
        if batch.state in (BatchState.COMMITTING, BatchState.UNDOING) or is_held(pk):  # by now
            return
        if batch.cleared_on is None:
            batch.cleared_on = timezone.localdate()
            batch.state = batch.state if batch.state in STORED else BatchState.DISCARDED
            batch.save(update_fields=["cleared_on", "state"])
    clear(batch)
    kinds()[batch.kind].forget(batch)


def drop_files(batches):
    """Forget the files of cleared batches, whose content goes when the transaction ends; returns how many batches."""
    batches = list(batches.select_for_update(of=("self",)).filter(cleared_on__isnull=False))
    for batch in batches:
        for file in (batch.file, batch.returned):
            if file:
                transaction.on_commit(partial(file.storage.delete, file.name), robust=True)
        batch.file = batch.returned = ""
        batch.save(update_fields=["file", "returned"])
    return len(batches)


# --- Commit ------------------------------------------------------------------------------------------------------


def ask_commit(batch, *, by):
    """Ask for the commit of a previewed batch; returns whether this call did (the second click of two does not)."""
    with transaction.atomic():
        asked = ImportBatch.objects.filter(pk=batch.pk, state=BatchState.PREVIEW)
        if not asked.update(state=BatchState.COMMITTING, committed_by=by, message=""):
            return False
        title = _("Store %(name)s") % {"name": batch.file_name}
        batch.job = jobs.start(COMMIT, title=title[:200], by=by, union=batch.union, params={"batch": batch.pk})
        batch.save(update_fields=["job"])
    return True


def commit_job(run):
    """The work of the job that stores a batch, and looks then for what follows from it."""
    batch = ImportBatch.objects.select_related("committed_by").filter(pk=run.job.params["batch"]).first()
    if batch is not None and batch.state == BatchState.COMMITTING:
        try:
            commit(batch, run=run)
        except SheetRefused as refusal:
            raise jobs.JobRefused(str(refusal)) from refusal
    if batch is not None and batch.state == BatchState.COMMITTED:
        kind_of(batch.kind, batch.committed_by).afterwards(batch)


def committing_failed(job, sentence):
    """The job that stored a batch has failed: nothing was stored, and it can be asked for again."""
    ImportBatch.objects.filter(pk=job.params["batch"], state=BatchState.COMMITTING).update(
        state=BatchState.PREVIEW, message=sentence[:500]
    )


@again_on_deadlock
def commit(batch, *, run=None):
    """Store a batch in the state «committing»: all its storable rows and one audit event, or nothing.

    Rows that no longer fit what is stored by now get their proper codes and the counts are corrected.
    """
    kind = kind_of(batch.kind, batch.committed_by)
    for last in (False,) * (TRIES - 1) + (True,):
        kind.refresh(batch)
        try:
            with transaction.atomic(), bulk.roomy():
                _commit_alone()
                _still(batch, BatchState.COMMITTING, run)
                _commit(batch, kind)
        except (Overtaken, IntegrityError):
            if last:
                raise
        else:
            return


def _commit(batch, kind):
    kind.commit(batch)
    batch.refresh_from_db(fields=["counts", "union"])
    batch.union = batch.union or kind.top()
    batch.state, batch.committed_at = BatchState.COMMITTED, timezone.now()
    _drop_returned(batch)
    batch.save(update_fields=["union", "state", "committed_at", "returned"])
    audit.record(
        kind.permission, batch, by=kind.by, union=batch.union,
        changes={"sha256": [None, batch.sha256], **{name: [None, number] for name, number in batch.counts.items()}},
    )  # fmt: skip


def _commit_alone():
    """Let commits of imports wait for each other (on SQLite a transaction waits for every other anyway)."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def change_rows(batch, rows):
    """Give staged `rows` (with their new outcome, codes and other columns) back to the table and correct the counts.

    `rows`: [(row as it was read: (outcome, codes), the changed model instance)].
    """
    if not rows:
        return
    kind = kinds()[batch.kind]
    with transaction.atomic():
        held = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
        tally = Tally(held.counts)
        for (outcome, codes), row in rows:
            tally.add(outcome, codes, -1)
            tally.add(row.outcome, row.codes)
        names = [name for name in (*STAGED, *kind.fields) if name != "row"]
        kind.staged.objects.bulk_update([row for _was, row in rows], names, batch_size=500)
        held.counts = tally.as_json()
        held.message = _("%(rows)d rows were changed by others meanwhile: look at them again.") % {"rows": len(rows)}
        held.save(update_fields=["counts", "message"])
        batch.counts, batch.message = held.counts, held.message


# --- Taking back ---------------------------------------------------------------------------------------------------


def ask_undo(batch, *, by):
    """Ask for a stored batch to be taken back; returns whether this call did.

    Raises ValidationError while it is held.
    """
    with transaction.atomic():
        held = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
        if held.state != BatchState.COMMITTED or held.cleared_on or kinds()[held.kind].undo_refused:
            return False
        _refuse_if_held(held)
        held.state, held.undone_by, held.message = BatchState.UNDOING, by, ""
        title = _("Take back %(name)s") % {"name": held.file_name}
        held.job = jobs.start(UNDO, title=title[:200], by=by, union=held.union, params={"batch": held.pk})
        held.save(update_fields=["state", "undone_by", "message", "job"])
    return True


def undo_job(run):
    """The work of the job that takes a batch back, and looks then for what follows from it."""
    batch = ImportBatch.objects.select_related("undone_by").filter(pk=run.job.params["batch"]).first()
    if batch is not None and batch.state == BatchState.UNDOING:
        undo(batch, run=run)
    if batch is not None and batch.state == BatchState.UNDONE:
        kind_of(batch.kind, batch.undone_by).afterwards(batch)


def undoing_failed(job, sentence):
    """The job that took a batch back has failed: it is stored as it was, and taking it back can be asked for again."""
    ImportBatch.objects.filter(pk=job.params["batch"], state=BatchState.UNDOING).update(
        state=BatchState.COMMITTED, message=sentence[:500]
    )


@again_on_deadlock
def undo(batch, *, run=None):
    """Take a batch in the state «undoing» back: every row that is as the commit left it, and one audit event."""
    kind = kind_of(batch.kind, batch.undone_by)
    with transaction.atomic(), bulk.roomy():
        _commit_alone()
        _still(batch, BatchState.UNDOING, run)
        batch.kept = [[row, code] for row, code in kind.undo(batch)]
        batch.state, batch.undone_at = BatchState.UNDONE, timezone.now()
        _drop_returned(batch)
        batch.save(update_fields=["kept", "state", "undone_at", "returned"])
        changes = {"taken_back": [None, to_store(batch) - len(batch.kept)], "kept": [None, len(batch.kept)]}
        audit.record("core.undo_importbatch", batch, by=kind.by, union=batch.union, changes=changes)


def to_store(batch):
    """How many of the rows are to be stored, or were."""
    return sum(batch.counts.get("outcomes", {}).get(outcome, 0) for outcome in STORABLE)


def problems(batch):
    """How many of the rows the returned workbook tells about."""
    return len(batch.kept) + sum(batch.counts.get("outcomes", {}).get(outcome, 0) for outcome in PROBLEMS)


# --- The returned workbook -----------------------------------------------------------------------------------------


def ask_return(batch, *, by):
    """Ask for the workbook with its problem rows marked; returns whether this call did."""
    with transaction.atomic():
        held = ImportBatch.objects.select_for_update(of=("self",)).select_related("job").get(pk=batch.pk)
        if held.state not in LOOKED_AT or not held.file or preparing(held):
            return False
        title = _("Mark %(name)s") % {"name": held.file_name}
        held.job = jobs.start(RETURN, title=title[:200], by=by, union=held.union, params={"batch": held.pk})
        held.save(update_fields=["job"])
    return True


def preparing(batch):
    """Whether a returned workbook is being made."""
    return batch.job is not None and batch.job.task == RETURN and not batch.job.finished


def return_job(run):
    """The work of the job that makes the returned workbook; given up when something else was asked for meanwhile."""
    batch = ImportBatch.objects.filter(pk=run.job.params["batch"], job=run.job, state__in=LOOKED_AT).first()
    if batch is None:
        return
    most = int(settings_table.value("import_whole_rows"))
    with tempfile.NamedTemporaryFile(prefix="portal-", suffix=".xlsx") as out:
        with override("zh-hans"), batch.file.open() as file, clear_copy(file) as path:
            returned.write(
                path, batch.file_name, out,
                sheet=batch.sheet, header_row=batch.header_row, headers=batch.columns, told=told(batch),
                whole=sum(batch.counts["outcomes"].values()) <= most,
            )  # fmt: skip
        out.flush()
        _keep_returned(batch, out, run)


def _keep_returned(batch, out, run):
    name = f"{uuid.uuid4().hex}.xlsx"
    try:
        with transaction.atomic():
            run.hold()
            mine = ImportBatch.objects.select_for_update(of=("self",)).filter(pk=batch.pk, job=run.job)
            batch = mine.filter(state__in=LOOKED_AT).first()
            if batch is None:
                return
            _drop_returned(batch)
            out.seek(0)
            batch.returned.save(name, File(out), save=False)
            batch.save(update_fields=["returned"])
    except BaseException:
        if batch is not None and batch.returned and Path(batch.returned.name).name == name:
            batch.returned.delete(save=False)
        raise


def _drop_returned(batch):
    """Forget a returned workbook that is no longer true; its file goes when the transaction ends."""
    if batch.returned:
        storage, name = batch.returned.storage, batch.returned.name
        transaction.on_commit(lambda: storage.delete(name), robust=True)
        batch.returned = ""


def told(batch):
    """Return {row: (outcome, what to do)} of the rows with a problem, in the language in force."""
    kind = kinds()[batch.kind]
    labels = AFTER if batch.state == BatchState.COMMITTED else BEFORE
    rows = kind.staged.objects.filter(batch=batch).exclude(outcome=Outcome.OK)
    found = {
        row: (outcome, f"{labels[outcome]}：{''.join(str(kind.sentences[code]) for code in codes)}")
        for row, outcome, codes in rows.values_list("row", "outcome", "codes").iterator()
    }
    for row, code in batch.kept:
        found[row] = Outcome.WARNING, f"{KEPT}：{kind.kept_sentences[code]}"
    return found


def open_returned(batch, *, by):
    """Return the returned workbook as an open file; that it was fetched is an event."""
    with transaction.atomic():
        audit.record("core.download_importbatch", batch, by=by, union=batch.union)
    return batch.returned.open()


# --- The command line ----------------------------------------------------------------------------------------------


def run_file(key, path, *, by, commit_it, progress=None):
    """Read the file at `path` here and now; returns ([(row, outcome, codes)], counts). Raises SheetRefused.

    Without `commit_it` nothing is written at all.
    """
    path = Path(path)
    kind = kind_of(key, by)
    if not commit_it:
        sheet = sheets.read(path, path.name, kind.columns)
        tally, found = Tally(), []
        for rows in kind.chunks(sheet):
            for row, outcome, codes, *_rest in rows:
                tally.add(outcome, codes)
                found.append((row, str(outcome), codes))
            if progress:
                progress(len(found), max(sheet.total, len(found)))
        return found, tally.as_json()
    sheets.check(path, path.name)
    batch = ImportBatch.objects.create(
        kind=key, file_name=path.name[-200:], sha256=digest(path), union=kind.top(), created_by=by, committed_by=by
    )
    try:
        read(batch, path, progress=progress)
    except BaseException:
        clear(batch)
        batch.delete()
        raise
    batch.state = BatchState.COMMITTING
    batch.save(update_fields=["state"])
    commit(batch)
    kind.afterwards(batch)
    found = kind.staged.objects.filter(batch=batch).order_by("row").values_list("row", "outcome", "codes")
    return list(found), batch.counts


def as_json(found, counts):
    """Return the result of `run_file` as the contract's JSON text."""
    rows = [{"row": row, "outcome": outcome, "codes": codes} for row, outcome, codes in found]
    return json.dumps({"rows": rows, "summary": counts["outcomes"]}, ensure_ascii=False, indent=1)

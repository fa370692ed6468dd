"""Import batches: a sheet on its way from upload over reading and preview to commit.

What the rows mean is answered by a class of the app above (settings.IMPORT_KINDS). Rows are read, checked and sealed
into a staging table in short transactions; the commit is one transaction that works on sets. A killed worker leaves a
batch that is read again from the start, or a commit that never happened.
"""

import hashlib
import json
import uuid
from collections import Counter
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from core import audit, bulk, jobs, sheets
from core.models import ImportBatch
from core.models.imports import BatchState, Outcome
from core.sealed_files import clear_copy
from core.sheets import SheetRefused

READ, COMMIT = "core.tasks.read_import", "core.tasks.commit_import"
CHUNK = 5000  # rows a short transaction
TRIES = 3  # of a commit that another writer gets into the way of
LOCK = 0x494D5054  # PostgreSQL advisory lock: commits of imports wait for each other
GRAVITY = (Outcome.ERROR, Outcome.DUPLICATE, Outcome.WARNING, Outcome.OK)  # the gravest first
STORABLE = (Outcome.OK, Outcome.WARNING)
DISCARDABLE = (BatchState.READING, BatchState.PREVIEW, BatchState.FAILED)

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
        """Yield lists of staged rows, tuples in the order of STAGED and `fields`."""
        raise NotImplementedError

    def refresh(self, batch):
        """Check the storable rows against what is stored now and change those that no longer fit."""

    def commit(self, batch):
        """Store the storable rows, inside the caller's transaction. Raises Overtaken."""
        raise NotImplementedError

    headings = ()  # of the preview's columns

    def preview(self, rows):
        """Return the staged `rows`, masked, as dicts.

        row, outcome, codes, cells (texts under `headings`), said (texts that could not be read), changes ([label, old,
        new]).
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
    tally, done = Tally(), 0
    for rows in kind.chunks(sheet):
        with transaction.atomic():
            _still(batch, BatchState.READING, run)
            bulk.insert(kind.staged, ("batch", *STAGED, *kind.fields), ((batch.pk, *row) for row in rows))
        for _row, outcome, codes, *_rest in rows:
            tally.add(outcome, codes)
        done += len(rows)
        if progress:
            progress(done, max(sheet.total, done))
    with transaction.atomic():
        _still(batch, BatchState.READING, run)
        batch.state, batch.counts = BatchState.PREVIEW, tally.as_json()
        batch.header_row, batch.columns = sheet.header_row, sheet.headers
        batch.save(update_fields=["state", "counts", "header_row", "columns"])


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
        with batch.file.open() as file, clear_copy(file) as path:
            read(batch, path, run=run, progress=run.progress)
    except SheetRefused as refusal:
        raise jobs.JobRefused(str(refusal)) from refusal


def reading_failed(job, sentence):
    """The job that read a batch has failed: the batch says why."""
    ImportBatch.objects.filter(pk=job.params["batch"], state=BatchState.READING).update(
        state=BatchState.FAILED, message=sentence[:500]
    )


def clear(batch):
    """Delete the batch's staged rows, in short transactions."""
    rows = kinds()[batch.kind].staged.objects.filter(batch=batch).order_by("pk")
    while pks := list(rows.values_list("pk", flat=True)[:CHUNK]):
        rows.filter(pk__gte=pks[0], pk__lte=pks[-1]).order_by().delete()


def discard(batch, *, by):
    """Throw a batch away that is not stored: its file and its staged rows go. Returns whether it could be."""
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
        if batch.state not in DISCARDABLE:
            return False
        batch.state = BatchState.DISCARDED
        batch.save(update_fields=["state"])
        audit.record("core.discard_importbatch", batch, by=by, union=batch.union)
    clear(batch)
    if batch.file:
        batch.file.delete()
    return True


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
    """The work of the job that stores a batch."""
    batch = ImportBatch.objects.select_related("committed_by").filter(pk=run.job.params["batch"]).first()
    if batch is not None and batch.state == BatchState.COMMITTING:
        commit(batch, run=run)


def committing_failed(job, sentence):
    """The job that stored a batch has failed: nothing was stored, and it can be asked for again."""
    ImportBatch.objects.filter(pk=job.params["batch"], state=BatchState.COMMITTING).update(
        state=BatchState.PREVIEW, message=sentence[:500]
    )


def commit(batch, *, run=None):
    """Store a batch in the state «committing»: all its storable rows and one audit event, or nothing.

    Rows that no longer fit what is stored by now get their proper codes and the counts are corrected.
    """
    kind = kind_of(batch.kind, batch.committed_by)
    for last in (False,) * (TRIES - 1) + (True,):
        kind.refresh(batch)
        try:
            with transaction.atomic():
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
    batch.save(update_fields=["union", "state", "committed_at"])
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
    found = kind.staged.objects.filter(batch=batch).order_by("row").values_list("row", "outcome", "codes")
    return list(found), batch.counts


def as_json(found, counts):
    """Return the result of `run_file` as the contract's JSON text."""
    rows = [{"row": row, "outcome": outcome, "codes": codes} for row, outcome, codes in found]
    return json.dumps({"rows": rows, "summary": counts["outcomes"]}, ensure_ascii=False, indent=1)

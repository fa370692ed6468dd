"""Papers: asked for, planned, drawn in slices, joined and numbered; then read, revoked or replaced, never changed.

A kind of paper is a class above this floor (settings.PAPER_KINDS) that answers what `Kind` asks. The paper's own job
plans the slices, waits without holding a worker until the last of them is drawn, and then joins them. Every step may be
run twice or be killed: a file counts only when the row that names it was committed by the run that still owns the job.
"""

import errno
import hashlib
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import audit, drawing, jobs
from core.jobs import JobRefused, NotYet, RunLost
from core.models import AuditSeal, Job, Paper, PaperSlice
from core.models.paper import PaperState

MAKE, DRAW = "core.tasks.make_paper", "core.tasks.draw_slice"
SLICE_ROWS = 500
MOST_ROWS = 50_000
NUMBER_TRIES = 20
READ_AT_ONCE = 1 << 20
NO_ROOM = gettext_lazy(
    "There is no room left on the disk. Please tell the administrator; the paper can be asked for again."
)
CHANGED_MEANWHILE = gettext_lazy("The rows changed while the paper was being made. Please ask for it again.")


@dataclass(frozen=True)
class Slice:
    """What one task draws: `params` (JSON, keys only, no personal data) and the number of rows in it."""

    params: dict
    rows: int


class Kind:
    """One kind of paper; subclasses answer for their own rows."""

    title = ""  # the kind in words, as on its public page
    letter = ""  # its character in the number: 滨工〔册〕
    permission = ""  # needed beside core.issue_paper to ask for one, and beside core.download_paper to read one
    template = ""  # draws the pages that `pages` returns
    form = None  # a Form of options, or None
    asked_by_union = True  # on the page of papers, for any union; else only where its subject is shown

    def heading(self, union, params):
        """The title printed on the paper."""
        raise NotImplementedError

    def unit(self, union):
        """The unit's abbreviation in the number: 滨工."""
        raise NotImplementedError

    def count(self, union, params):
        """How many rows the paper would have now."""
        raise NotImplementedError

    def plan(self, paper, day):
        """Return (facts without personal data: totals, filters, cut-off; `Slice`s in order) as of the date `day`."""
        raise NotImplementedError

    def pages(self, paper, params, less):
        """Return (list of page contexts, number of rows on them) of one slice, laid with `less` mm of room less."""
        raise NotImplementedError


@lru_cache(maxsize=1)
def kinds():
    """{key: kind} of every kind of paper."""
    return {key: import_string(place)() for key, place in settings.PAPER_KINDS.items()}


# --- Asking and planning -----------------------------------------------------------------------------------------


def ask(kind, *, union, by, params=None, replaces=None):
    """Ask for a paper of `kind` (a key) on `union`; returns the `Paper`, being made by its job.

    `replaces`: a valid paper that this one takes the place of when it is issued. Raises ValidationError when there is
    nothing to print, too much for one paper, or a replacement is on its way already.
    """
    maker = kinds()[kind]
    params = params or {}
    rows = maker.count(union, params)
    if not rows:
        raise ValidationError(_("There is nothing to print: no rows for %(union)s.") % {"union": union})
    if rows > MOST_ROWS:
        raise ValidationError(
            _("%(rows)d rows are too many for one paper (at most %(most)d): please print by lower unions.")
            % {"rows": rows, "most": MOST_ROWS}
        )
    title = maker.heading(union, params)
    with transaction.atomic():
        if replaces is not None:
            _check_replaceable(replaces)
        job = jobs.start(MAKE, title=title, by=by, union=union, total=rows)
        paper = Paper.objects.create(
            kind=kind, title=title, union=union, subject_type=union._meta.label, subject_id=union.pk, params=params,
            token=secrets.token_urlsafe(16), job=job, asked_by=by, asked_by_name=str(by), replaces=replaces, rows=rows,
        )  # fmt: skip
        audit.record("core.ask_paper", paper, by=by, union=union)
    return paper


def _check_replaceable(paper):
    current = Paper.objects.select_for_update(of=("self",)).get(pk=paper.pk)
    if current.state != PaperState.VALID:
        raise ValidationError(_("Only a valid paper can be replaced."))
    if Paper.objects.filter(replaces=current).exists():
        raise ValidationError(_("A replacement is being made already."))


def make(run):
    """The paper's own job: plan its slices, or join them when the last one is drawn."""
    paper = _paper_of(run.job)
    if paper.state != PaperState.DRAWING:
        return
    if not paper.slices.exists():
        _plan(run, paper)
    if _undrawn(paper):
        raise NotYet(lambda: not _undrawn(paper))
    _issue(run, paper)


def make_now(paper):
    """Plan, draw and join `paper` here, to its end; returns it fresh. For the command line."""
    job = Job.objects.get(pk=paper.job_id)
    jobs.step_now(job)
    for part in paper.slices.select_related("job"):
        jobs.run_now(part.job)
    jobs.run_now(job)
    paper.refresh_from_db()
    return paper


def _paper_of(job):
    return Paper.objects.select_related("union", "job").get(job=job)


def _undrawn(paper):
    return paper.slices.filter(drawn_at__isnull=True).exists()


def _plan(run, paper):
    facts, slices = kinds()[paper.kind].plan(paper, timezone.localdate())
    rows = sum(part.rows for part in slices)
    if not rows:
        raise JobRefused(_("There is nothing to print: no rows for %(union)s.") % {"union": paper.union})
    with transaction.atomic():
        run.progress(total=rows, message=_("drawing"))  # also: this run still owns the job
        for index, part in enumerate(slices):
            job = jobs.start(DRAW, title=paper.title, by=paper.asked_by, union=paper.union, total=part.rows)
            PaperSlice.objects.create(paper=paper, index=index, job=job, params={**part.params, "rows": part.rows})
        Paper.objects.filter(pk=paper.pk).update(facts=facts, rows=rows)


# --- Drawing a slice -----------------------------------------------------------------------------------------------


def draw(run):
    """A slice's job: draw its pages into a file of its own; whoever draws the last one wakes the join."""
    part = PaperSlice.objects.select_related("paper__union", "paper__job").get(job=run.job)
    paper = part.paper
    if part.drawn_at is None and paper.state == PaperState.DRAWING:
        _draw(run, part)
    if not _undrawn(paper):
        jobs.wake(paper.job)


def _draw(run, part):
    paper, maker = part.paper, kinds()[part.paper.kind]
    drawn_rows = 0

    def lay(less):
        nonlocal drawn_rows
        pages, drawn_rows = maker.pages(paper, part.params, less)
        return {"paper": paper, "pages": pages, "opening": part.index == 0}

    content, pages, uncovered = drawing.fitting_pdf(maker.template, lay)
    if drawn_rows != part.params["rows"]:
        raise JobRefused(CHANGED_MEANWHILE)
    name = f"slices/{paper.pk}/{part.index}-{run.job.run_token.hex[:8]}.pdf"
    with _gone_if_lost(name):
        with _new_file(name) as file:
            file.write(content)
        with transaction.atomic():
            run.hold()
            PaperSlice.objects.filter(pk=part.pk).update(
                file=name, pages=pages, drawn_at=timezone.now(), params={**part.params, "missing": uncovered}
            )
            jobs.tell(paper.job, done=drawn_rows)


# --- The join ------------------------------------------------------------------------------------------------------


def _issue(run, paper):
    """Give the paper its number and facts, join and stamp its slices, and make it valid."""
    if paper.number is None:
        _number(run, paper)
    name = f"papers/{paper.issued_at:%Y/%m}/{paper.pk}-{run.job.run_token.hex[:8]}.pdf"
    slices = list(paper.slices.all())
    uncovered = sorted({char for part in slices for char in part.params["missing"]})
    with _gone_if_lost(name):
        with _new_file(name) as file:
            pages = drawing.join(
                [default_storage.path(part.file.name) for part in slices],
                file, title=f"{paper.title} {paper.number}", stamp=_stamp(paper),
            )  # fmt: skip
        sha256, size = digest_of(name), default_storage.size(name)
        with transaction.atomic():
            run.hold()
            Paper.objects.filter(pk=paper.pk, state=PaperState.DRAWING).update(
                state=PaperState.VALID, file=name, sha256=sha256, size=size, pages=pages, missing_glyphs=uncovered
            )
            paper.refresh_from_db()
            audit.record(
                "core.issue_paper", paper, by=paper.asked_by, union=paper.union, changes={"sha256": ["", sha256]}
            )
            if paper.replaces_id:
                _replace(paper)
            run.result(reverse("paper_page", args=[paper.pk]))
            for char in uncovered:
                run.note(
                    _("The faces have no «%(char)s» (U+%(code)s); it is printed as its code.")
                    % {"char": char, "code": f"{ord(char):04X}"}
                )
    _sweep(paper, keep=name)


def _number(run, paper):
    """Give `paper` the next number of its series, and write down when and from what it is issued."""
    now = timezone.localtime()
    maker = kinds()[paper.kind]
    seal = AuditSeal.objects.order_by("-id").first()
    paper.issued_at = now
    paper.series = f"{maker.unit(paper.union)}{maker.letter}〔{now.year}〕"
    paper.seal_id, paper.seal_digest = (seal.id, seal.digest) if seal else (None, "")
    for _try in range(NUMBER_TRIES):
        paper.serial = _next_serial(paper.series)
        paper.number = f"{paper.series}{paper.serial:04d}号"
        facts = {**paper.facts, "number": paper.number, "kind": paper.kind, "title": paper.title, "rows": paper.rows}
        paper.facts_digest = hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        try:
            with transaction.atomic():
                run.hold()
                paper.save(
                    update_fields=["issued_at", "series", "serial", "number", "facts_digest", "seal_id", "seal_digest"]
                )
        except IntegrityError:
            continue  # another paper took this number in the same moment
        return
    raise IntegrityError(f"no number in {paper.series}")


def _next_serial(series):
    """The smallest free number of `series`: the next one, or the one a failed paper gave back."""
    numbered = Paper.objects.filter(series=series, serial__isnull=False)
    found = numbered.aggregate(last=Max("serial"), count=Count("serial"))
    if found["count"] == (found["last"] or 0):
        return found["count"] + 1
    taken = set(numbered.values_list("serial", flat=True))
    return next(serial for serial in range(1, found["last"] + 1) if serial not in taken)


def _stamp(paper):
    """What stands on every page: number, cut-off, who made it, check value, seal, time, the public page as a code."""
    title = drawing.wrap(paper.title, drawing.TITLE_EMS)
    return {
        "paper": paper,
        "title": title[0] + ("…" if title[1:] else ""),
        "number_top": drawing.number_top(title),
        "seal": f"{paper.seal_id:,}" if paper.seal_id else "",
        "cut_off": paper.facts["cut_off"],
        "check_value": check_value(paper),
        "qr": drawing.qr_code(public_address(paper)),
        "issued": timezone.localtime(paper.issued_at),
        "federation": settings.FEDERATION_NAME,
    }


def check_value(paper):
    """The beginning of the digest of the paper's facts, in groups of four: what a reader compares."""
    return " ".join(paper.facts_digest[i : i + 4] for i in range(0, 16, 4))


def public_address(paper):
    """Where the QR code leads: no sign-in, minimal data."""
    return settings.PUBLIC_URL + reverse("paper_public", args=[paper.token])


def _replace(paper):
    replaced = Paper.objects.filter(pk=paper.replaces_id, state=PaperState.VALID).update(state=PaperState.REPLACED)
    if replaced:
        audit.record(
            "core.replace_paper", paper.replaces, by=paper.asked_by, union=paper.union,
            changes={"state": [PaperState.VALID, PaperState.REPLACED], "replaced_by": ["", paper.number]},
        )  # fmt: skip


# --- Failing ---------------------------------------------------------------------------------------------------------


def slice_failed(job, sentence):
    """A slice failed: the whole paper does."""
    jobs.give_up(PaperSlice.objects.select_related("paper__job").get(job=job).paper.job, sentence)


def paper_failed(job, sentence):
    """The paper's job failed: the paper gives its number and what it was to replace back."""
    paper = _paper_of(job)
    Paper.objects.filter(pk=paper.pk, state=PaperState.DRAWING).update(
        state=PaperState.FAILED, number=None, serial=None, series="", replaces=None, reason=sentence[:500]
    )
    transaction.on_commit(lambda: _sweep(paper, keep=None))


# --- Files -----------------------------------------------------------------------------------------------------------


@contextmanager
def _new_file(name):
    """Open the stored file `name` for writing; it appears whole at the end of the block, or not at all."""
    path = Path(default_storage.path(name))
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(settings.FILE_UPLOAD_PERMISSIONS)
        draft.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise JobRefused(NO_ROOM) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _gone_if_lost(name):
    """Remove the file `name` again when another run took the work over; what a killed run leaves, `_sweep` removes."""
    try:
        yield
    except RunLost:
        default_storage.delete(name)
        raise


def _sweep(paper, *, keep):
    """Remove the slices of `paper`, and whatever a killed run left behind of its file."""
    folder = Path(default_storage.path(f"slices/{paper.pk}"))
    if folder.is_dir():
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        folder.rmdir()
    if paper.issued_at:
        for file in Path(default_storage.path(f"papers/{paper.issued_at:%Y/%m}")).glob(f"{paper.pk}-*"):
            if keep is None or file.name != Path(keep).name:
                file.unlink(missing_ok=True)


def digest_of(name):
    """The SHA-256 (hex) of the stored file `name`, read in pieces."""
    digest = hashlib.sha256()
    with default_storage.open(name) as file:
        for piece in iter(lambda: file.read(READ_AT_ONCE), b""):
            digest.update(piece)
    return digest.hexdigest()


# --- Reading and revoking --------------------------------------------------------------------------------------------


def may_read(user, paper):
    """Whether `user` may download `paper`: its union in scope, and the permission on what it shows."""
    return user.has_perm("core.download_paper", paper) and user.has_perm(kinds()[paper.kind].permission, paper)


def may_issue(user, kind, union_or_paper):
    """Whether `user` may ask for, replace and revoke papers of `kind` there."""
    return user.has_perm("core.issue_paper", union_or_paper) and user.has_perm(kinds()[kind].permission, union_or_paper)


def open_file(paper, *, by):
    """Return the paper's file, open for reading, after its hash was compared; the download is an event.

    Raises ValidationError, and records that, when the file is gone or is not the one that was issued.
    """
    sentence = ""
    if not default_storage.exists(paper.file.name):
        sentence = _("The file of this paper is missing. Please tell the administrator.")
    elif digest_of(paper.file.name) != paper.sha256:
        sentence = _(
            "The file of this paper was altered after it was issued; it is not handed out. Tell the administrator."
        )
    if sentence:
        audit.record("core.refuse_paper", paper, by=by, union=paper.union, reason=sentence)
        raise ValidationError(sentence)
    audit.record("core.download_paper", paper, by=by, union=paper.union)
    return default_storage.open(paper.file.name)


def revoke(paper, *, by, reason):
    """Declare a valid paper void, with the reason that its pages show. Raises ValidationError."""
    if not reason.strip():
        raise ValidationError({"reason": _("Please give the reason.")})
    with transaction.atomic():
        if not Paper.objects.filter(pk=paper.pk, state=PaperState.VALID).update(
            state=PaperState.REVOKED, reason=reason.strip()
        ):
            raise ValidationError(_("Only a valid paper can be revoked."))
        audit.record(
            "core.revoke_paper", paper, by=by, union=paper.union, reason=reason,
            changes={"state": [PaperState.VALID, PaperState.REVOKED]},
        )  # fmt: skip
    paper.refresh_from_db()
    return paper

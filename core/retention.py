"""Retention: what is kept longer than its period says is deleted at night, in short transactions, unless it is held.

How long each kind is kept is data (`RetentionRule`); what it is and how it is deleted stands here, in `KINDS`. A run
that is broken off leaves its count behind, the next one goes on with it: one event a kind and run, always with the true
number. The audit trail is never deleted: it is append-only by law and by design. A person's record goes by the decision
of two people only (`members.erasure`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, imports
from core.counting import add_months
from core.models import (
    Digest,
    Draft,
    Export,
    HealthPeriod,
    Hold,
    ImportBatch,
    Job,
    PaperSlice,
    RetentionRule,
    RetentionRun,
)
from core.models.imports import BatchState
from core.models.job import JobState
from core.models.paper import PaperState
from core.models.retention import RetentionUnit, SignInLimit
from core.names import A_NUMBER

BATCH = 500  # rows a transaction
REASON_LENGTH = 500


def _delete(rows):
    return rows.delete()[1].get(rows.model._meta.label, 0)


@dataclass(frozen=True)
class Kind:
    """One kind of thing that is kept for a time.

    `over(before)`: the rows whose period began before that moment. `begin(pk)`: what must be done beforehand, outside
    the transaction, and may be done twice. `delete(rows)`: deletes them and returns how many. `held(pk)`: whether a
    hold on something else keeps this row too.
    """

    over: Callable
    delete: Callable = _delete
    begin: Callable | None = None
    held: Callable = lambda pk: False
    chunk: int = BATCH


# --- What there is -------------------------------------------------------------------------------------------------


def _batches(states, since):
    """Imports in one of `states` since the column `since`; those that an earlier run only began with, too."""

    def over(before):
        left = Q(cleared_on__isnull=True) | ~Q(file="") | ~Q(returned="")
        for kind in imports.kinds().values():
            left |= Exists(kind.staged.objects.filter(batch=OuterRef("pk")))
        return ImportBatch.objects.filter(left, **{f"{since}__lt": before}, state__in=states)

    return Kind(over, imports.drop_files, imports.clear_old, imports.is_held, chunk=1)


def _unreferred_jobs(before):
    """Finished jobs; not those that a paper, an import or an export names. Slices of a finished paper go along."""
    jobs = Job.objects.filter(state__in=[JobState.DONE, JobState.FAILED], finished_at__lt=before)
    for relation in Job._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and relation.related_model is not PaperSlice:
            jobs = jobs.exclude(Exists(relation.related_model.objects.filter(**{relation.field.name: OuterRef("pk")})))
    drawing = PaperSlice.objects.filter(job=OuterRef("pk"), paper__state=PaperState.DRAWING)
    return jobs.exclude(Exists(drawing))


def _delete_jobs(jobs):
    PaperSlice.objects.filter(job__in=list(jobs.values_list("pk", flat=True))).delete()
    return _delete(jobs)


KINDS = {
    "import_stored": _batches([BatchState.COMMITTED], "committed_at"),
    "import_undone": _batches([BatchState.UNDONE], "undone_at"),
    "import_unstored": _batches(
        [BatchState.READING, BatchState.PREVIEW, BatchState.FAILED, BatchState.DISCARDED], "created_at"
    ),
    "draft": Kind(lambda before: Draft.objects.filter(saved_at__lt=before)),
    "export": Kind(lambda before: Export.objects.filter(asked_at__lt=before, file="")),
    "job": Kind(_unreferred_jobs, _delete_jobs),
    "digest": Kind(lambda before: Digest.objects.filter(day__lt=timezone.localdate(before))),
    "session": Kind(lambda before: Session.objects.filter(expire_date__lt=before)),
    "sign_in_limit": Kind(lambda before: SignInLimit.objects.filter(expires__lt=before)),
    "health": Kind(lambda before: HealthPeriod.objects.filter(ended_at__lt=before)),
}
PERSON = "person"  # a period that opens the way to an erasure; nothing is deleted by it alone


# --- Reckoning -----------------------------------------------------------------------------------------------------


def moment(rule, now):
    """Return the moment before which a period of `rule` must have begun to be over at `now` (both aware datetimes)."""
    if rule.unit == RetentionUnit.DAY:
        return now - timedelta(days=rule.length)
    day = add_months(timezone.localdate(now), -rule.length)
    return timezone.make_aware(datetime.combine(day, time.min))


def over(rule, now):
    """Return the rows that the run at `now` would delete by `rule`; those held directly are left out."""
    rows = KINDS[rule.kind].over(moment(rule, now))
    held = list(Hold.objects.on(rows.model))  # few, and no subquery: the key of a session is no number
    return rows.exclude(pk__in=held).order_by("pk")


@dataclass(frozen=True)
class Preview:
    """What a run would delete by one rule, what a hold keeps, and what the last run deleted."""

    rule: RetentionRule
    number: int
    held: int
    last: RetentionRun | None


def preview(now):
    """Return a `Preview` for each rule by which something is deleted; nothing is changed."""
    previews = []
    for rule in RetentionRule.objects.filter(kind__in=KINDS).order_by("name"):
        kind, rows = KINDS[rule.kind], over(rule, now)
        number = rows.count()
        held = kind.over(moment(rule, now)).count() - number
        if kind.chunk == 1:
            kept = sum(kind.held(pk) for pk in rows.values_list("pk", flat=True))
            number, held = number - kept, held + kept
        last = RetentionRun.objects.filter(kind=rule.kind).first()
        previews.append(Preview(rule, number, held, last))
    return previews


# --- Deleting ------------------------------------------------------------------------------------------------------


def run(now):
    """Delete what is over its period and return {kind: how many}; one event for each kind of which there was something.

    Safe to run twice, also at once: each row is counted by whoever deleted it.
    """
    deleted = {}
    for rule in RetentionRule.objects.filter(kind__in=KINDS).order_by("kind"):
        kind, last = KINDS[rule.kind], None
        while True:
            rows = over(rule, now)
            if last is not None:
                rows = rows.filter(pk__gt=last)
            if not (pks := list(rows.values_list("pk", flat=True)[: kind.chunk])):
                break
            last = pks[-1]
            if free := [pk for pk in pks if not kind.held(pk)]:
                _delete_some(rule, kind, free, over(rule, now))
        deleted[rule.kind] = _end(rule, now)
    return deleted


def _delete_some(rule, kind, pks, rows):
    if kind.begin:
        for pk in pks:
            kind.begin(pk)
        rows = rows.model.objects  # what was begun is finished, whatever it looks like meanwhile
    with transaction.atomic():
        number = kind.delete(rows.filter(pk__in=pks))
        open_run = RetentionRun.objects.filter(kind=rule.kind, ended_at__isnull=True)
        if number and not open_run.update(deleted=F("deleted") + number):
            RetentionRun.objects.create(kind=rule.kind, began_at=timezone.now(), deleted=number)


@transaction.atomic
def _end(rule, now):
    """Close the open run of a kind with its event, and return how many it deleted."""
    open_run = RetentionRun.objects.select_for_update().filter(kind=rule.kind, ended_at__isnull=True).first()
    if open_run is None:
        return 0
    open_run.ended_at = timezone.now()
    open_run.save(update_fields=["ended_at"])
    changes = {"deleted": [None, open_run.deleted], "before": [None, moment(rule, now)]}
    audit.record("core.apply_retentionrule", rule, by=None, changes=changes)
    return open_run.deleted


# --- Holds ---------------------------------------------------------------------------------------------------------


def hold_on(subject):
    """Return the open hold on an object, or None."""
    return Hold.objects.open().filter(subject_type=subject._meta.label_lower, subject_id=subject.pk).first()


@transaction.atomic
def place_hold(subject, *, union, by, reason):
    """Keep `subject` (an import or a membership) from deletion until the hold is released, and return the Hold.

    Whoever is about to delete it locks it too: what comes first counts. Raises PermissionDenied without
    `core.add_hold` at `union`, ValidationError with the sentence.
    """
    if by is not None and not by.has_perm("core.add_hold", union):
        raise PermissionDenied(_("Your role here does not include this act."))
    reason = _checked(reason)
    subject = type(subject).objects.select_for_update(of=("self",), no_key=True).get(pk=subject.pk)
    if refusal := subject.why_not_hold():
        raise ValidationError(refusal)
    if hold_on(subject):
        raise ValidationError(_("This is held already."))
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                subject_type=subject._meta.label_lower, subject_id=subject.pk, union=union, reason=reason, placed_by=by
            )
    except IntegrityError:
        raise ValidationError(_("This is held already.")) from None
    audit.record("core.add_hold", hold, by=by, union=union, reason=reason)
    return hold


@transaction.atomic
def release_hold(hold, *, by, reason):
    """Let a held thing go its way again, and return the Hold. Raises PermissionDenied, ValidationError."""
    hold = Hold.objects.select_for_update(of=("self",)).select_related("union").get(pk=hold.pk)
    if by is not None and not by.has_perm("core.release_hold", hold):
        raise PermissionDenied(_("Your role here does not include this act."))
    reason = _checked(reason)
    if hold.released_at:
        raise ValidationError(_("This hold was released already."))
    hold.released_by, hold.released_at, hold.release_reason = by, timezone.now(), reason
    hold.save(update_fields=["released_by", "released_at", "release_reason"])
    audit.record("core.release_hold", hold, by=by, union=hold.union, reason=reason)
    return hold


def _checked(reason):
    """A reason stands in the trail for ever: there must be one, and no numbers in it."""
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if A_NUMBER.search(reason):
        raise ValidationError({"reason": _("Write the reason without identity or phone numbers.")})
    if len(reason) > REASON_LENGTH:
        said = _("At most %(number)d characters: this is a reason, not a file.")
        raise ValidationError({"reason": said % {"number": REASON_LENGTH}})
    return reason

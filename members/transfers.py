"""会籍接转: asking for a transfer, answering it, and what becomes of silence (rulebook §2.2).

Either union asks; the other answers. Until then the member stays where they are, with all rights. Answering is a move
of the `Transfer`; this module holds what comes before it, and the handing up of what nobody answered.
"""

import logging

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core import audit, jobs
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.deadlines import CannotCount
from core.deadlocks import again_on_deadlock
from core.imports import with_codes
from core.models import Deadline, ImportBatch, Job
from core.secrets import blind_all
from members import identity
from members.actions import OutOfSight, fishing_is_seen, out_of_sight
from members.models import MembershipState, Person, StagedMember, Transfer, TransferSide, TransferState

logger = logging.getLogger(__name__)
ASK_ROWS = "members.tasks.ask_for_rows"
ROWS_NAMED = 40  # numbers of rows in one sentence
UNKNOWN = "id_number"  # the field that a person who cannot be asked for is refused under


@again_on_deadlock
@transaction.atomic
def ask_transfer(*, by, membership, side, to_union=None, to_name="", reason="", asked_on=None, at_once=False):
    """Ask that the member goes to `to_union`, or to the union `to_name` outside the register; return the Transfer.

    `side` says who asks: the union left (FROM) or the union joined (TO). `at_once`: whoever keeps both unions answers
    in the same act. Raises PermissionDenied without the permission at that union, MoveRefused with the sentence when
    the membership cannot go, ValidationError by field.
    """
    to_name, today = to_name.strip(), timezone.localdate()
    asked_on = asked_on or today
    transfer = Transfer(
        membership=membership,
        from_union=membership.union,
        to_union=to_union,
        to_name="" if to_union else to_name,
        side=side,
        reason=reason.strip(),
        asked_by=by,
        asked_on=asked_on,
    )
    _check_place(transfer)
    if by is not None and not by.has_perm(Transfer.ASK, transfer.asking_union):
        raise PermissionDenied(_("Your role here does not include this act."))
    if asked_on > today:
        raise ValidationError({"asked_on": _("This day lies in the future.")})
    transfer.clean_fields(exclude=["membership", "from_union", "to_union", "result", "asked_by"])
    membership.lock_with([to_union.pk] if to_union else [])
    if to_union:
        to_union.refresh_from_db()
        _check_place(transfer)  # once more: it may have been dissolved while we waited
    membership = membership.make_move("pend", by=by)
    if membership.union_id != transfer.from_union_id:
        raise Conflict(membership)
    transfer.membership = membership
    transfer.save()
    facts = {"side": ["", side], "to_union": [None, to_union and to_union.pk], "to_name": ["", transfer.to_name]}
    audit.record("members.ask_transfer", transfer, by=by, union=transfer.asking_union, changes=facts, reason=reason)
    if not at_once:
        transfer.open_deadline(transfer.answering_union, asked_on, by=by)
        return transfer
    if by is not None and not by.has_perm(Transfer.ANSWER, transfer.answering_union):
        raise ValidationError(_("You do not answer for the other union: ask, and it will answer."))
    return transfer.make_move("accept", by=by)


def _check_place(transfer):
    to_union, membership = transfer.to_union, transfer.membership
    if to_union is None and (not transfer.to_name or transfer.side == TransferSide.TO):
        raise ValidationError({"to_union": _("Say which union the member goes to.")})
    if to_union and to_union.dissolved_on:
        raise ValidationError({"to_union": _("This union was dissolved: nobody is transferred to it.")})
    if to_union and to_union.pk == membership.union_id:
        raise ValidationError({"to_union": _("The member is on the roll of this union already.")})
    if membership.state == MembershipState.TRANSFER_PENDING:
        raise MoveRefused(_("A transfer of this member is under way: it must be answered or called off first."))


def ask_by_number(*, by, union, name, id_number, reason="", at_once=False):
    """The joining `union` asks for a person it need not see: by the exact name and number on the card in hand."""
    try:
        number, name = identity.check_number(id_number), identity.clean_name(name)
    except identity.Refused as refusal:
        raise ValidationError({UNKNOWN: str(refusal)}) from None
    indexes = blind_all("id_number", number.number)
    person = Person.objects.filter(id_index__in=indexes).select_related("merged_into").first()
    with fishing_is_seen(by, union):
        return _ask_for(by, union, person, name, reason, at_once)


def ask_for_row(*, by, batch, row):
    """Ask for the person of row number `row` of an uploaded register: its union is the one joined."""
    staged = StagedMember.objects.filter(batch=batch, row=row).select_related("union").first()
    if staged is None or "ACTIVE_ELSEWHERE" not in staged.codes:
        raise ValidationError(_("This row asks for no transfer."))
    if not staged.id_index:
        said = _("The keys were renewed after this sheet was read, so its rows find nobody: upload it once more.")
        raise ValidationError(said)
    person = Person.objects.filter(id_index=staged.id_index).select_related("merged_into").first()
    with fishing_is_seen(by, staged.union):
        return _ask_for(by, staged.union, person, staged.name, "", at_once=False)


def rows_elsewhere(batch):
    """The staged rows of `batch` whose person belongs to another union, and for whom their own has not asked yet."""
    rows = with_codes(StagedMember.objects.filter(batch=batch), ["ACTIVE_ELSEWHERE"])
    asked = Transfer.objects.open().filter(
        membership__person__id_index=OuterRef("id_index"), to_union=OuterRef("union")
    )
    return rows.exclude(Exists(asked))


def ask_for_batch(batch, *, by):
    """Have a job ask for the people of all these rows; returns the Job: the one under way, if there is one."""
    rows = rows_elsewhere(batch).count()
    if not rows:
        raise ValidationError(_("No row of this sheet asks for a transfer."))
    with transaction.atomic():
        ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)  # the second click of two finds the job
        if job := Job.objects.unfinished().filter(task=ASK_ROWS, params__batch=batch.pk).first():
            return job
        title = _("Ask for transfers: %(name)s") % {"name": batch.file_name}
        return jobs.start(ASK_ROWS, title=title[:200], by=by, union=batch.union, params={"batch": batch.pk}, total=rows)


def ask_rows(run):
    """The work of that job: each row by itself, so that one refused holds up none; run twice it asks for the rest."""
    batch, by = ImportBatch.objects.get(pk=run.job.params["batch"]), run.job.created_by
    rows, refused = list(rows_elsewhere(batch).order_by("row").values_list("row", flat=True)), {}
    for done, row in enumerate(rows, start=1):
        try:
            ask_for_row(by=by, batch=batch, row=row)
        except (PermissionDenied, ValidationError, Conflict) as refusal:
            why = " ".join(getattr(refusal, "messages", None) or [str(refusal)])
            refused.setdefault(why, []).append(row)
        run.progress(done=done, total=len(rows))
    for why, numbers in refused.items():
        named = ", ".join(map(str, numbers[:ROWS_NAMED])) + (" …" if len(numbers) > ROWS_NAMED else "")
        words = ngettext("%(n)d row not asked for (%(rows)s): %(why)s", "%(n)d rows not asked for (%(rows)s): %(why)s",
                         len(numbers))  # fmt: skip
        run.note(words % {"n": len(numbers), "rows": named, "why": why})
    run.result(reverse("import_page", args=[batch.pk]))


def _ask_for(by, union, person, name, reason, at_once):
    person = person and (person.merged_into or person)
    if person is None or person.name != name:
        raise ValidationError({UNKNOWN: _("No member is recorded with this number and name: check both on the card.")})
    try:
        return _ask_for_person(by, union, person, reason, at_once)
    except ValidationError as refusal:
        if out_of_sight([person.pk], by):
            raise OutOfSight(refusal) from refusal
        raise


def _ask_for_person(by, union, person, reason, at_once):
    if person.deceased_on:
        raise ValidationError({UNKNOWN: _("This person is recorded as deceased and cannot be transferred.")})
    membership = person.memberships.open().select_related("union", "person").first()
    if membership is None:
        raise ValidationError(
            {UNKNOWN: _("This person is a member of no union now: enrol them, no transfer is needed.")}
        )
    return ask_transfer(
        by=by, membership=membership, to_union=union, side=TransferSide.TO, reason=reason, at_once=at_once
    )


def whom(keys, user):
    """Return {key: the member's name} of the transfers with these `keys` that `user` sees."""
    rows = Transfer.objects.visible_to(user, "members.view_transfer").filter(pk__in=keys).order_by()
    return dict(rows.values_list("pk", "membership__person__name"))


@transaction.atomic
def lapse(transfer, *, by, reason):
    """Let a transfer fall away because one of its unions ends: the member stays."""
    transfer = transfer.make_move("lapse", by=by, reason=reason)
    if transfer.membership.state == MembershipState.TRANSFER_PENDING:
        transfer.membership.make_move("stay", by=by, reason=reason)
    return transfer


def escalate_overdue(*, today):
    """Pass to the union above what was not answered in time; return how many. May run twice at any time.

    A union outside the register is not ours to hurry: such a transfer stays, overdue, with the union left.
    """
    late = Deadline.objects.open().overdue(today).filter(
        rule__code=Transfer.RULE, subject_type=Transfer._meta.label_lower
    )  # fmt: skip
    waiting = Transfer.objects.filter(
        state=TransferState.REQUESTED, to_union__isnull=False, pk__in=late.values("subject_id")
    )
    passed = 0
    for transfer in waiting.order_by("pk"):
        try:
            transfer.make_move("escalate", by=None)
            passed += 1
        except (MoveRefused, Conflict):
            continue  # answered meanwhile, passed on by another run, or nobody stands above
        except CannotCount:
            logger.exception("Transfer %s could not be passed on: its deadline cannot be counted.", transfer.pk)
    return passed

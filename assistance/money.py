"""Money from the source to the hand: budgets, grants asked for, payment batches, what the bank answers, hand-outs.

Locks are taken in one order: sources of a kind, then the batch, then its grants, each by key. A batch is made, sent or
answered in one transaction: whole, or not at all.
"""

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance import bank_files
from assistance.bank_files import Sent
from assistance.grants import HOLDING, PAY, GrantState
from assistance.models import Budget, EntryKind, FundSource, Grant, PaymentBatch, PayMethod, ReturnLine, Verdict
from assistance.models.money import BatchState
from assistance.policy import fund_rule, number
from core import audit
from core.cases import MoveRefused
from core.deadlocks import again_on_deadlock
from core.names import A_NUMBER
from core.sheets import SheetRefused, suffix

MOST_OF_A_BATCH = 500  # grants: as many as a slice of a paper holds
ADD, KEEP = "assistance.add_grant", "assistance.keep_fundsource"
LIVE = (GrantState.ASKED, *HOLDING)
ACCOUNT_LENGTHS = range(8, 33)


def _check(by, perm, union):
    if by is not None and not by.has_perm(perm, union):
        raise PermissionDenied(_("Your role here does not include this act."))


# --- Sources and budgets --------------------------------------------------------------------------------------------


@transaction.atomic
def add_source(*, by, union, kind, year, name, amount, expires_on=None):
    """Enter a source of money with its first `amount` (yuan) and return it. Raises ValidationError by field."""
    _check(by, KEEP, union)
    source = FundSource(union=union, kind=kind, year=year, name=name.strip(), expires_on=expires_on)
    source.clean_fields(exclude=["expires_on", "union"])
    source.expires_on = expires_on or date(year, 12, 31)
    if source.expires_on < date(year, 1, 1):
        raise ValidationError({"expires_on": _("This day lies before the year of the money.")})
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError:
        raise ValidationError({"name": _("The union has a source of this name and year already.")}) from None
    audit.record("assistance.add_fundsource", source, by=by, union=union, changes={"kind": ["", kind]})
    appropriate(source, by=by, amount=amount)
    return source


@again_on_deadlock
@transaction.atomic
def appropriate(source, *, by, amount, reason=""):
    """Add `amount` (yuan) to a source, or take it back where it is below 0. Raises MoveRefused, ValidationError."""
    _check(by, KEEP, source.union)
    amount = _whole(amount)
    source.lock()
    source.enter(amount, by=by)
    audit.record(
        "assistance.appropriate_fundsource", source, by=by, union=source.union, changes={"amount": [None, amount]},
        reason=reason,
    )  # fmt: skip


@again_on_deadlock
@transaction.atomic
def allot(source, *, by, aid_kind, amount):
    """Move `amount` (yuan; below 0: back) from a source into its budget for `aid_kind`, and return the Budget.

    Raises ValidationError when no rule in force permits this kind, MoveRefused when the money is not there.
    """
    _check(by, KEEP, source.union)
    amount = _whole(amount)
    if fund_rule(source.kind, aid_kind, timezone.localdate()) is None:
        raise ValidationError({"aid_kind": _("No rule in force permits this kind of aid from this source.")})
    source.lock()
    budget, _made = Budget.objects.get_or_create(source=source, aid_kind=aid_kind)
    source.enter(-amount, by=by)
    budget.enter(EntryKind.APPROPRIATION, amount, by=by)
    changes = {"amount": [budget.amount - amount, budget.amount]}
    audit.record("assistance.allot_budget", budget, by=by, union=source.union, changes=changes)
    return budget


def _whole(amount):
    """Return a sound amount other than 0, in yuan. Raises ValidationError under `amount`."""
    field = Grant._meta.get_field("amount")
    try:
        amount = field.to_python(amount)
    except ValidationError as refusal:
        raise ValidationError({"amount": refusal.messages}) from None
    if not amount:
        raise ValidationError({"amount": _("Enter an amount other than 0.")})
    return amount


def low_share(day):
    """The share of a budget, as a Decimal, below which it counts as nearly spent (`hardship_budget_low_percent`)."""
    return number("budget_low_percent", day) / 100


def is_low(given, left, share):
    """Whether of `given` yuan less than the `share` is `left`."""
    return given > 0 and left < given * share


# --- Asking ---------------------------------------------------------------------------------------------------------


def offered(case, day):
    """The budgets that may pay something for a household on `day`, as far as source and place go."""
    return Budget.objects.offered(case.union, day)


@again_on_deadlock
@transaction.atomic
def ask(*, by, case, of, budget, amount, method, reason=""):
    """Ask for a grant to `of`, a person of the household of `case`; returns the Grant.

    A transfer goes to the account of the file. Raises PermissionDenied, ValidationError by field with the sentence.
    """
    if of.case_id != case.pk:
        raise ValidationError({"of": _("This person does not live in the household.")})
    grant = Grant(
        case=case, union=case.union, person=of.person, name=of.name, id_number=of.id_number, id_masked=of.id_masked,
        budget=budget, amount=amount, method=method,
    )  # fmt: skip
    account = case.bank_account if method == PayMethod.BANK else ""
    return enter(grant, by=by, bank_name=case.bank_name, account=account, reason=reason)


def enter(grant, *, by, bank_name, account, reason=""):
    """Store an asked grant after every check, inside the caller's transaction; returns it."""
    _check(by, ADD, grant.union)
    grant.amount = _whole(grant.amount)
    if grant.amount < 0:
        raise ValidationError({"amount": _("Enter an amount above 0.")})
    if grant.method not in PayMethod.values:
        raise ValidationError({"method": _("Say how it is to be paid.")})
    if grant.method == PayMethod.BANK:
        _give_account(grant, bank_name, account)
    if A_NUMBER.search(reason):
        raise ValidationError({"reason": _("Write the reason without identity or phone numbers.")})
    grant.asked_by, grant.on = by, timezone.localdate()
    grant.lock_before()
    if refusal := grant.why_impossible(grant.on, states=LIVE):
        raise ValidationError(refusal)
    grant.save()
    grant.steps.create(
        by=by, by_name=str(by or ""), move="ask", source="", target=GrantState.ASKED, reason=reason,
        facts={"amount": str(grant.amount)},
    )  # fmt: skip
    changes = {"amount": [None, grant.amount], "budget": [None, grant.budget_id], "method": ["", grant.method]}
    audit.record("assistance.ask_grant", grant, by=by, union=grant.union, changes=changes, reason=reason)
    return grant


def _give_account(grant, bank_name, account):
    digits = "".join(account.split())
    if not digits:
        said = _("There is no account number: enter it first, or grant in kind.")
        raise ValidationError({"method": said})
    if not (digits.isascii() and digits.isdigit() and len(digits) in ACCOUNT_LENGTHS):
        raise ValidationError({"method": _("The account number must have 8 to 32 digits.")})
    grant.bank_name, grant.bank_account, grant.bank_last4 = bank_name, digits, digits[-4:]


# --- Batches --------------------------------------------------------------------------------------------------------


def payable(source, method):
    """The approved grants that a batch of this source and method may hold."""
    return Grant.objects.filter(budget__source=source, method=method, state=GrantState.APPROVED).order_by("pk")


@again_on_deadlock
@transaction.atomic
def make_batch(*, by, source, method, keys):
    """Put the approved grants with `keys` into a new batch and return it: all of them, or none.

    Raises PermissionDenied, ValidationError with a sentence for each grant that cannot be paid by this user now.
    """
    _check(by, PAY, source.union)
    keys = set(keys)
    if not keys:
        raise ValidationError(_("Choose the grants that are to be paid."))
    if len(keys) > MOST_OF_A_BATCH:
        raise ValidationError(_("At most %(most)d grants go into one batch.") % {"most": MOST_OF_A_BATCH})
    source.lock()
    grants = list(payable(source, method).filter(pk__in=keys).select_related("budget__source__union", "case", "union"))
    if len(grants) != len(keys):
        raise ValidationError(_("Some of these grants are in another batch or refused by now: choose again."))
    last = source.batches.aggregate(last=Max("serial"))["last"] or 0
    batch = PaymentBatch.objects.create(source=source, serial=last + 1, method=method, made_by=by)
    refusals = []
    for grant in grants:
        try:
            grant.make_move("enter_batch", by=by, batch=batch.pk)
        except MoveRefused as refusal:
            refusals.append(f"{grant.reference}: {' '.join(refusal.messages)}")
    if refusals:
        raise ValidationError(refusals)
    changes = {"grants": [0, len(grants)], "amount": [None, total(batch)]}
    audit.record("assistance.make_paymentbatch", batch, by=by, union=source.union, changes=changes)
    return batch


def total(batch):
    """Yuan of the grants that are, or were, to be paid with the batch."""
    return batch.grants.aggregate(sum=Sum("amount", default=Decimal(0)))["sum"]


def _locked(batch, state, by):
    """Return the batch read anew under its locks. Raises PermissionDenied, MoveRefused unless it is in `state`."""
    _check(by, PAY, batch.union)
    batch.source.lock()
    rows = PaymentBatch.objects.select_related("source__union").select_for_update(of=("self",))
    batch = rows.get(pk=batch.pk)
    if batch.state != state:
        raise MoveRefused(_("The batch is «%(state)s» now: look once more.") % {"state": batch.get_state_display()})
    return batch


def _in_batch(batch):
    rows = batch.grants.filter(state=GrantState.IN_BATCH).order_by("pk")
    return list(rows.select_related("budget__source__union", "case", "union"))


@again_on_deadlock
@transaction.atomic
def send(batch, *, by):
    """Close a batch for payment and return it; whoever died meanwhile is taken out and the grant stopped.

    The hash of the bank's file is kept; `bank_file` hands it out. Raises PermissionDenied, MoveRefused.
    """
    batch = _locked(batch, BatchState.OPEN, by)
    for grant in _in_batch(batch):
        if refusal := grant.why_apart(by, "pay"):
            raise MoveRefused(refusal)
        if refusal := grant.why_not_enter_batch(by):
            grant.make_move("stop", by=by, reason=refusal)
    left = _in_batch(batch)
    batch.state, batch.sent_at, batch.sent_by = BatchState.SENT, timezone.now(), by
    if not left:
        batch.state, batch.returned_at = BatchState.RETURNED, batch.sent_at
    if batch.method == PayMethod.BANK:
        batch.file_sha256 = bank_files.digest(bank_files.as_csv(_sent(left)))
    batch.save()
    changes = {"state": [BatchState.OPEN, batch.state], "grants": [None, len(left)], "sha256": ["", batch.file_sha256]}
    audit.record("assistance.send_paymentbatch", batch, by=by, union=batch.union, changes=changes)
    return batch


def _sent(grants):
    return [Sent(each.reference, each.name, each.bank_account, each.bank_name, each.amount) for each in grants]


def bank_file(batch, *, by, workbook=False):
    """Return the bank's file (bytes) of a sent batch, with the accounts in clear; handing it out is an event.

    Raises ValidationError, and records that, when it would not be the file whose hash was kept.
    """
    _check(by, PAY, batch.union)
    if batch.method != PayMethod.BANK or batch.state == BatchState.OPEN:
        raise ValidationError(_("There is a bank file when the batch is sent, and none for things."))
    lines = _sent(batch.grants.order_by("pk"))
    content = bank_files.as_csv(lines)
    altered = bank_files.digest(content) != batch.file_sha256
    verb = "assistance.refuse_bankfile" if altered else "assistance.download_bankfile"
    audit.record(verb, batch, by=by, union=batch.union, changes={"workbook": [None, workbook]})
    if altered:
        raise ValidationError(_("The grants are no longer those that were sent. Please tell the administrator."))
    return bank_files.as_workbook(lines) if workbook else content


# --- What comes back ------------------------------------------------------------------------------------------------


def read_return(batch, upload, *, by):
    """Read the bank's answer, an uploaded file, and return how many of its lines wait for somebody.

    The same file a second time changes nothing. Raises PermissionDenied, MoveRefused, ValidationError.
    """
    with tempfile.NamedTemporaryFile(prefix="portal-", suffix=suffix(upload.name)) as file:
        content = b"".join(upload.chunks())
        file.write(content)
        file.flush()
        try:
            lines = bank_files.read(Path(file.name), upload.name)
        except SheetRefused as refusal:
            raise ValidationError({"file": str(refusal)}) from None
    if not lines:
        raise ValidationError({"file": _("The file holds no line.")})
    return take_return(batch, lines, bank_files.digest(content), by=by)


@again_on_deadlock
@transaction.atomic
def take_return(batch, lines, sha256, *, by):
    """Take the `bank_files.Answered` lines of a return file with the hash `sha256`; see `read_return`."""
    _check(by, PAY, batch.union)
    batch.source.lock()
    now = PaymentBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
    if now.return_sha256 == sha256:
        return queue(now).count()
    if now.return_sha256:
        raise MoveRefused(_("Another file answered this batch already: a batch has one."))
    batch = _locked(batch, BatchState.SENT, by)
    if batch.method != PayMethod.BANK:
        raise MoveRefused(_("Things are signed for: no bank answers."))
    waiting = {grant.reference: grant for grant in _in_batch(batch)}
    seen = set()
    for line in lines:
        grant = waiting.get(line.reference)
        verdict = _verdict(line, grant, seen)
        seen.add(line.reference)
        if verdict == Verdict.PAID:
            grant.make_move("pay", by=by, receipt=f"#{line.row}")
        elif verdict == Verdict.FAILED:
            grant.make_move("fail", by=by, reason=line.said)
        batch.lines.create(
            row=line.row, reference=line.reference, grant=grant, amount=_storable(line.amount), verdict=verdict,
            said=line.said,
        )  # fmt: skip
    for reference, grant in waiting.items():
        if reference not in seen:
            batch.lines.create(reference=reference, grant=grant, verdict=Verdict.MISSING)
    batch.state, batch.return_sha256, batch.returned_at = BatchState.RETURNED, sha256, timezone.now()
    batch.save()
    waits = queue(batch).count()
    changes = {"sha256": ["", sha256], "lines": [0, len(lines)], "waiting": [0, waits]}
    audit.record("assistance.return_paymentbatch", batch, by=by, union=batch.union, changes=changes)
    return waits


def _verdict(line, grant, seen):
    if grant is None:
        return Verdict.UNKNOWN
    if line.reference in seen:
        return Verdict.DOUBLE
    if line.paid is None or line.amount is None:
        return Verdict.UNCLEAR
    if not line.paid:
        return Verdict.FAILED
    return Verdict.PAID if line.amount == grant.amount else Verdict.AMOUNT


def _storable(amount):
    try:
        return Grant._meta.get_field("amount").to_python(amount)
    except ValidationError:  # more digits than any money has
        return None


def queue(batch):
    """The lines of a batch that wait for somebody."""
    return batch.lines.filter(settled_at=None).exclude(verdict=Verdict.PAID)


PAID_AFTER_ALL, NOT_PAID, NOTED = "PAID", "FAILED", "NOTED"


@again_on_deadlock
@transaction.atomic
def settle(line, *, by, outcome, reason):
    """Settle a queued line: its grant was paid after all, was not, or it is noted only. Raises MoveRefused …"""
    batch = _locked(line.batch, BatchState.RETURNED, by)
    line = ReturnLine.objects.select_for_update(of=("self",)).get(pk=line.pk)
    if line.settled_at or line.verdict == Verdict.PAID:
        raise MoveRefused(_("This line is settled already."))
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if A_NUMBER.search(reason):
        raise ValidationError({"reason": _("Write the reason without identity or phone numbers.")})
    undecided = line.grant is not None and line.grant.state == GrantState.IN_BATCH and line.verdict != Verdict.DOUBLE
    if undecided and outcome not in (PAID_AFTER_ALL, NOT_PAID):
        raise ValidationError({"outcome": _("Say whether it was paid: this grant still waits.")})
    if not undecided and outcome != NOTED:
        raise ValidationError({"outcome": _("This line can only be noted: no grant waits for it.")})
    if outcome == PAID_AFTER_ALL:
        line.grant.make_move("pay", by=by, reason=reason)
    elif outcome == NOT_PAID:
        line.grant.make_move("fail", by=by, reason=reason)
    line.settled_at, line.settled_by, line.settlement = timezone.now(), by, f"{outcome}: {reason}"[:200]
    line.save(update_fields=["settled_at", "settled_by", "settlement"])
    changes = {"line": [None, line.pk], "outcome": ["", outcome]}
    audit.record("assistance.settle_returnline", batch, by=by, union=batch.union, changes=changes, reason=reason)
    return line


# --- Hand-outs ------------------------------------------------------------------------------------------------------


@again_on_deadlock
@transaction.atomic
def hand_out(grant, *, by, signed_by="", signed_on=None, reason=""):
    """Record that a thing was signed for (实名签收), or with a `reason` that it was not handed out.

    Raises PermissionDenied, MoveRefused, ValidationError by field.
    """
    if grant.batch is None or grant.method != PayMethod.IN_KIND:
        raise MoveRefused(_("Only things of a batch are signed for."))
    batch = _locked(grant.batch, BatchState.SENT, by)
    today = timezone.localdate()
    if reason.strip():
        grant = grant.make_move("fail", by=by, reason=reason)
    else:
        if not signed_by.strip():
            raise ValidationError({"signed_by": _("Say who signed.")})
        if A_NUMBER.search(signed_by):
            raise ValidationError({"signed_by": _("Write the name only.")})
        signed_on = signed_on or today
        if signed_on > today:
            raise ValidationError({"signed_on": _("This day lies in the future.")})
        if signed_on < timezone.localdate(batch.sent_at):
            raise ValidationError({"signed_on": _("This day lies before the hand-out began.")})
        grant = grant.make_move("pay", by=by, on=signed_on, receipt=signed_by.strip()[:100])
    if not batch.grants.filter(state=GrantState.IN_BATCH).exists():
        batch.state, batch.returned_at = BatchState.RETURNED, timezone.now()
        batch.save(update_fields=["state", "returned_at"])
        audit.record("assistance.return_paymentbatch", batch, by=by, union=batch.union)
    return grant

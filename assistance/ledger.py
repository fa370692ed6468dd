"""The ledger as the database keeps it: entries are added, never changed; and whether all that hangs on it agrees."""

from decimal import Decimal

from django.db.models import F, Q, Sum

from assistance.grants import HOLDING, GrantState
from assistance.models import Budget, FundSource, Grant, LedgerEntry, PaymentBatch
from assistance.models.money import BatchState, EntryKind, PayMethod

T = LedgerEntry._meta.db_table
SAID = "the ledger is append-only"
FUNCTIONS = {}  # that which refuses is core's


def triggers(vendor):
    """Return what `core.triggers` creates for the ledger."""
    if vendor == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        same = "id = NEW.id OR (grant_id = NEW.grant_id AND kind = NEW.kind)"
        there = f"EXISTS (SELECT 1 FROM {T} WHERE {same})"  # noqa: S608
        return {
            T: {
                f"{T}_no_update": f"BEFORE UPDATE ON {T} {refuse}",
                f"{T}_no_delete": f"BEFORE DELETE ON {T} {refuse}",
                f"{T}_no_replace": f"BEFORE INSERT ON {T} WHEN {there} {refuse}",
            }
        }
    events = f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {T} FOR EACH STATEMENT"
    return {T: {f"{T}_no_change": f"{events} EXECUTE FUNCTION core_refuse('{SAID}')"}}


def faults():
    """Yield a sentence wherever ledger, balances, grants, batches and returns disagree; none: all is well."""
    zero = Decimal(0)
    own = Sum("entries__amount", filter=Q(entries__budget=None), default=zero)
    for source in FundSource.objects.annotate(sum=own).exclude(unallotted=F("sum")):
        yield f"source {source.pk}: {source.unallotted} kept, {source.sum} in the ledger"
    given = Sum("entries__amount", filter=Q(entries__kind=EntryKind.APPROPRIATION), default=zero)
    budgets = Budget.objects.annotate(sum=Sum("entries__amount", default=zero), given=given)
    for budget in budgets.exclude(left=F("sum"), amount=F("given")):
        yield f"budget {budget.pk}: {budget.left} kept, {budget.sum} in the ledger"
    holding = Sum("grants__amount", filter=Q(grants__state__in=HOLDING), default=zero)
    for budget in Budget.objects.annotate(held=holding).exclude(held=F("amount") - F("left")):
        yield f"budget {budget.pk}: {budget.amount - budget.left} used, {budget.held} granted"
    moved = Sum("entries__amount", filter=Q(entries__kind__in=(EntryKind.PAY, EntryKind.REVERSAL)), default=zero)
    for grant in Grant.objects.annotate(moved=moved):
        if -grant.moved != (grant.amount if grant.state == GrantState.PAID else zero):
            yield f"grant {grant.pk}: {grant.state}, {-grant.moved} paid in the ledger"
    for batch in PaymentBatch.objects.exclude(state=BatchState.OPEN):
        if batch.method == PayMethod.BANK and not batch.file_sha256:
            yield f"batch {batch.pk}: sent without a file"
        waiting = set(batch.grants.filter(state=GrantState.IN_BATCH).values_list("pk", flat=True))
        told = set(batch.lines.filter(settled_at=None).values_list("grant", flat=True))
        if batch.state == BatchState.RETURNED and waiting - told:
            yield f"batch {batch.pk}: answered, but nobody is told of {sorted(waiting - told)}"

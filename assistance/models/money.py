"""Money: sources and their budgets, grants, payment batches with what the bank answered, and the ledger of it all.

The ledger is append-only (`assistance.ledger`); what is left of a source or a budget is its sum, kept beside it under a
constraint, and both change only under the lock on the source.
"""

import uuid
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from assistance.grants import HOLDING, MOVES, GrantMoves, GrantState
from assistance.models.policy import AidKind, FundKind, FundRule, in_force
from assistance.moves import BEFORE_FILING, EMERGENCY_RULE, IN_FORCE
from core import deadlines, secrets
from core.cases import Case, CaseStep, MoveRefused
from core.fields import BlindIndex, EncryptedText, MoneyField
from core.scope import ScopedQuerySet
from members.models import Person


class EntryKind(models.TextChoices):
    APPROPRIATION = "APPROPRIATION", _("appropriation")
    RESERVE = "RESERVE", _("reserved")
    RELEASE = "RELEASE", _("reserve released")
    PAY = "PAY", _("paid")
    REVERSAL = "REVERSAL", _("reversed")


TAKES, GIVES = (EntryKind.RESERVE, EntryKind.PAY), (EntryKind.RELEASE, EntryKind.REVERSAL)


class FundSource(models.Model):
    """Money of one kind and year that a union keeps apart; the kinds of aid are those of the `FundRule`s in force."""

    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    kind = models.CharField(_("source of money"), max_length=10, choices=FundKind)
    year = models.PositiveSmallIntegerField(_("year"), validators=[MinValueValidator(2000), MaxValueValidator(2100)])
    name = models.CharField(_("name of the source"), max_length=60)
    expires_on = models.DateField(_("to be used by"))
    unallotted = MoneyField(_("not in a budget yet"), default=Decimal(0), editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("source of money")
        verbose_name_plural = _("sources of money")
        ordering = ["-year", "name"]
        constraints = [
            models.UniqueConstraint(fields=["union", "year", "name"], name="fund_source_once"),
            models.CheckConstraint(condition=Q(unallotted__gte=0), name="fund_source_not_overdrawn"),
        ]

    def __str__(self):
        return f"{self.name} {self.year}"

    def lock(self):
        """Lock all sources of this kind, in the order of keys: a person's ceiling of the year goes over all of them."""
        rows = FundSource.objects.filter(kind=self.kind).order_by("pk")
        list(rows.select_for_update(no_key=True, of=("self",)).values_list("pk"))

    def enter(self, amount, *, by):
        """Write `amount` (yuan, signed) as appropriated, under the lock. Raises MoveRefused when it is not there."""
        self.refresh_from_db(fields=["unallotted"])
        self.unallotted = _after(self.unallotted, amount, self)
        self.save(update_fields=["unallotted"])
        return self.entries.create(kind=EntryKind.APPROPRIATION, amount=amount, by=by)


class BudgetQuerySet(ScopedQuerySet):
    scope_path = "source__union__path"

    def offered(self, union, day):
        """Those that may pay something at `union` on `day`: of its own sources and those of the unions above."""
        above = [*union.ancestor_ids, union.pk]
        rows = self.filter(source__union__in=above, source__year__lte=day.year, source__expires_on__gte=day)
        return rows.select_related("source").order_by("source__union__path", "source__name", "aid_kind")


class Budget(models.Model):
    """What of a source is meant for one kind of aid."""

    source = models.ForeignKey(FundSource, on_delete=models.PROTECT, related_name="budgets")
    aid_kind = models.CharField(_("kind of aid"), max_length=12, choices=AidKind)
    amount = MoneyField(_("budget"), default=Decimal(0), editable=False)
    left = MoneyField(_("still left"), default=Decimal(0), editable=False)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["source", "aid_kind"]
        constraints = [
            models.UniqueConstraint(fields=["source", "aid_kind"], name="budget_once"),
            models.CheckConstraint(condition=Q(left__gte=0), name="budget_not_overdrawn"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="budget_not_negative"),
        ]

    def __str__(self):
        return f"{self.source} · {self.get_aid_kind_display()}"

    def enter(self, kind, amount, *, by, grant=None):
        """Write one entry, under the lock on the source. Raises MoveRefused when that much is not there."""
        self.refresh_from_db(fields=["left", "amount"])
        self.left = _after(self.left, amount, self)
        if kind == EntryKind.APPROPRIATION:
            self.amount = _after(self.amount, amount, self)
        self.save(update_fields=["left", "amount"])
        return self.entries.create(source_id=self.source_id, kind=kind, amount=amount, by=by, grant=grant)


def _after(left, amount, what):
    if left + amount < 0:
        said = gettext("There is not that much money left in «%(what)s»: %(left)s yuan.")
        raise MoveRefused(said % {"what": what, "left": left})
    return left + amount


class LedgerEntry(models.Model):
    """One movement of money: `amount` is what it changes in what is left. Never changed: errors are reversed."""

    source = models.ForeignKey(FundSource, on_delete=models.PROTECT, related_name="entries")
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, null=True, related_name="entries")  # null: unallotted
    grant = models.ForeignKey("assistance.Grant", on_delete=models.PROTECT, null=True, related_name="entries")
    kind = models.CharField(_("kind"), max_length=13, choices=EntryKind)
    amount = MoneyField(_("amount"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["id"]
        constraints = [
            # Reserved, released, paid and taken back once each: nobody is paid twice.
            models.UniqueConstraint(fields=["grant", "kind"], name="ledger_once_a_grant"),
            models.CheckConstraint(
                condition=Q(kind__in=TAKES, amount__lt=0)
                | Q(kind__in=GIVES, amount__gt=0)
                | (Q(kind=EntryKind.APPROPRIATION) & ~Q(amount=0)),
                name="ledger_signed",
            ),
            models.CheckConstraint(
                condition=Q(kind=EntryKind.APPROPRIATION, grant__isnull=True)
                | (~Q(kind=EntryKind.APPROPRIATION) & Q(grant__isnull=False, budget__isnull=False)),
                name="ledger_names_the_grant",
            ),
        ]
        indexes = [models.Index(fields=["source", "at"])]

    def __str__(self):
        return f"{self.get_kind_display()} {self.amount}"


class PayMethod(models.TextChoices):
    BANK = "BANK", _("bank transfer")
    IN_KIND = "IN_KIND", _("in kind, signed for")


class BatchState(models.TextChoices):
    OPEN = "OPEN", _("to be sent")
    SENT = "SENT", _("sent out")
    RETURNED = "RETURNED", _("answered")


class BatchQuerySet(ScopedQuerySet):
    scope_path = "source__union__path"


class PaymentBatch(models.Model):
    """Grants of one source that are paid together: one bank file out, one return file in; or one list to be signed."""

    source = models.ForeignKey(FundSource, on_delete=models.PROTECT, related_name="batches")
    serial = models.PositiveIntegerField(editable=False)  # within the source
    method = models.CharField(_("method"), max_length=7, choices=PayMethod)
    state = models.CharField(_("state"), max_length=8, choices=BatchState, default=BatchState.OPEN)
    file_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    return_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)
    made_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    sent_at = models.DateTimeField(_("sent at"), null=True)
    sent_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    returned_at = models.DateTimeField(_("answered"), null=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment batch")
        verbose_name_plural = _("payment batches")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["source", "serial"], name="payment_batch_serial")]

    def __str__(self):
        return self.number

    @property
    def number(self):
        return f"{self.source.year}-{self.source_id:03d}-{self.serial:03d}"

    @property
    def union(self):
        return self.source.union


class Grant(GrantMoves, Case):
    """Money or a thing for one person: of a household with a case, or a recipient of a campaign."""

    MOVES = MOVES

    case = models.ForeignKey(
        "assistance.HardshipCase", on_delete=models.PROTECT, null=True, related_name="grants", editable=False
    )
    recipient = models.OneToOneField(
        "assistance.Recipient", on_delete=models.PROTECT, null=True, related_name="grant", editable=False
    )
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=GrantState, default=GrantState.ASKED)
    # Who gets it, as known on the day it was asked for.
    person = models.ForeignKey("members.Person", on_delete=models.PROTECT, null=True, related_name="grants")
    name = models.CharField(_("name"), max_length=50)
    id_number = EncryptedText(_("identity number"))
    id_index = BlindIndex("id_number")
    id_masked = models.CharField(_("identity number"), max_length=18)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="grants", verbose_name=_("budget"))
    amount = MoneyField(_("amount"), validators=[MinValueValidator(Decimal("0.01"))])
    method = models.CharField(_("method"), max_length=7, choices=PayMethod)
    bank_name = models.CharField(_("bank"), max_length=50, blank=True)
    bank_account = EncryptedText(_("account number"), blank=True)
    bank_last4 = models.CharField(_("account, last four"), max_length=4, blank=True)
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    on = models.DateField(_("day"))  # asked on, then approved on: the ceiling of its year counts it
    approved_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    batch = models.ForeignKey(PaymentBatch, on_delete=models.PROTECT, null=True, related_name="grants")
    paid_on = models.DateField(_("paid on"), null=True)
    receipt = models.CharField(_("receipt"), max_length=100, blank=True)  # who signed, or the bank's line
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_positive"),
            models.CheckConstraint(
                condition=Q(case__isnull=False) | Q(recipient__isnull=False), name="grant_for_somebody"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[GrantState.IN_BATCH, GrantState.PAID]) | Q(batch__isnull=False),
                name="grant_paid_in_a_batch",
            ),
        ]
        indexes = [
            models.Index(fields=["id_index", "on"]),
            models.Index(fields=["budget", "state"]),
            models.Index(fields=["union", "state"]),
        ]

    def __str__(self):
        return self.reference  # never the name: the trail keeps it

    @property
    def reference(self):
        """What the bank's file and its answer call it."""
        return f"G{self.pk:08d}"

    @property
    def payer(self):
        """The union whose money it is: approved and paid there."""
        return self.budget.source.union

    def indexes(self):
        """Whom a relation is looked for to: the person, and the household."""
        return [*(self.case.indexes() if self.case else []), self.id_index]

    def lock_before(self):
        self.budget.source.lock()

    # --- What its moves do ---

    def why_not_approve(self, user):
        return self.why_impossible(timezone.localdate(), states=HOLDING)

    def on_approve(self, *, by, reason):
        self.on, self.approved_by = timezone.localdate(), by
        self.budget.enter(EntryKind.RESERVE, -self.amount, by=by, grant=self)
        if self.case and self.case.state in BEFORE_FILING:
            deadlines.open_deadline(
                EMERGENCY_RULE, self.on, subject=self.case, union=self.union, title=str(self.union), by=by
            )

    def on_refuse(self, *, by, reason):
        self._release(by)

    def on_stop(self, *, by, reason):
        self._release(by)
        left, self.batch_id = self.batch_id, None
        return {"batch": left}

    def on_fail(self, *, by, reason):
        self._release(by)

    def _release(self, by):
        if self.state != GrantState.ASKED:
            self.budget.enter(EntryKind.RELEASE, self.amount, by=by, grant=self)

    def why_not_enter_batch(self, user):
        return self._why_dead() or self._why_expired(timezone.localdate())

    def on_enter_batch(self, *, by, reason, batch):
        self.batch_id = batch
        return {"batch": batch}

    def on_pay(self, *, by, reason, on=None, receipt=""):
        self.paid_on, self.receipt = on or timezone.localdate(), receipt
        self.budget.enter(EntryKind.RELEASE, self.amount, by=by, grant=self)
        self.budget.enter(EntryKind.PAY, -self.amount, by=by, grant=self)

    def on_reverse(self, *, by, reason):
        self.budget.enter(EntryKind.REVERSAL, self.amount, by=by, grant=self)

    # --- Why it is impossible ---

    @cached_property
    def source(self):
        return self.budget.source

    def why_impossible(self, day, *, states):
        """Return the sentence why this may not be granted on `day`, or an empty one.

        `states`: of the person's other grants that count for the ceiling of the year.
        """
        return (
            self._why_dead()
            or self._why_expired(day)
            or self._why_elsewhere()
            or self._why_ruled_out(day, states)
            or self._why_no_money()
        )

    def _why_dead(self):
        mine = Q(id_index__in=secrets.blind_all("id_number", self.id_number)) | Q(pk=self.person_id)
        if Person.objects.filter(mine, deceased_on__isnull=False).exists():
            return gettext("This person is recorded as deceased: the grant must be refused.")
        return ""

    def _why_expired(self, day):
        if day.year < self.source.year or day > self.source.expires_on:
            said = gettext("The money of «%(source)s» may be used from %(year)d to %(day)s only.")
            return said % {"source": self.source, "year": self.source.year, "day": self.source.expires_on}
        return ""

    def _why_elsewhere(self):
        if not self.union.path.startswith(self.payer.path):
            return gettext("This money belongs to a union that is not above this one.")
        return ""

    def _why_ruled_out(self, day, states):
        rows = FundRule.objects.filter(in_force(day), fund_kind=self.source.kind, aid_kind=self.budget.aid_kind)
        rule = rows.order_by("-valid_from").first()
        kinds = {"source": self.source.get_kind_display(), "aid": self.budget.get_aid_kind_display()}
        if rule is None:
            return gettext("No rule in force permits «%(aid)s» from «%(source)s».") % kinds
        if refusal := self._why_not_filed(rule, day):
            return refusal
        if rule.per_time is not None and self.amount > rule.per_time:
            said = gettext("At most %(most)s yuan a person and time may be granted here.")
            return said % {"most": rule.per_time}
        if rule.per_year is not None:
            before = self._granted_in(day.year, states)
            if before + self.amount > rule.per_year:
                said = gettext(
                    "At most %(most)s yuan a person and year may come from «%(source)s»; %(before)s yuan of %(year)d"
                    " are granted or asked for already."
                )
                return said % {**kinds, "most": rule.per_year, "before": before, "year": day.year}
        return ""

    def _why_not_filed(self, rule, day):
        case = self.case
        if case is None:
            return gettext("This money is for filed households only.") if rule.filed_only else ""
        if case.state in IN_FORCE:
            if case.review_on and case.review_on < day:
                return gettext("The review of this file was due on %(day)s: review it first.") % {"day": case.review_on}
            return ""
        if self.budget.aid_kind == AidKind.DISASTER and case.state in BEFORE_FILING and not rule.filed_only:
            return ""
        return gettext("Only a filed household is granted aid; emergency aid may come before.")

    def _granted_in(self, year, states):
        """Yuan of the same kind of source that the person is granted in a calendar year, this grant left out."""
        same = Q(id_index__in=secrets.blind_all("id_number", self.id_number))
        if self.person_id:  # also under the number of a record that was merged into this one
            same |= Q(person=self.person_id) | Q(person__merged_into=self.person_id)
        rows = Grant.objects.filter(same, budget__source__kind=self.source.kind, on__year=year, state__in=states)
        return rows.exclude(pk=self.pk).aggregate(sum=Sum("amount", default=Decimal(0)))["sum"]

    def _why_no_money(self):
        left = Budget.objects.values_list("left", flat=True).get(pk=self.budget_id)
        if left < self.amount:
            said = gettext("There is not that much money left in «%(what)s»: %(left)s yuan.")
            return said % {"what": self.budget, "left": left}
        return ""


class GrantStep(CaseStep):
    case = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="steps")


class Verdict(models.TextChoices):
    """What a line of a return file comes to."""

    PAID = "PAID", _("paid")
    FAILED = "FAILED", _("not paid out")
    AMOUNT = "AMOUNT", _("another amount than sent")
    UNCLEAR = "UNCLEAR", _("result or amount unreadable")
    DOUBLE = "DOUBLE", _("second line of one grant")
    UNKNOWN = "UNKNOWN", _("no grant of this batch")
    MISSING = "MISSING", _("no line came back")


class ReturnLine(models.Model):
    """One line of a bank's answer, or a grant it says nothing of; whatever is not simply paid waits for somebody."""

    batch = models.ForeignKey(PaymentBatch, on_delete=models.PROTECT, related_name="lines")
    row = models.PositiveIntegerField(_("row"), null=True)  # null: no line came back
    reference = models.CharField(_("reference"), max_length=40, blank=True)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, related_name="lines")
    amount = MoneyField(_("amount"), null=True)
    verdict = models.CharField(_("verdict"), max_length=7, choices=Verdict)
    said = models.CharField(_("what the bank says"), max_length=100, blank=True)  # without long numbers
    settled_at = models.DateTimeField(_("settled"), null=True)
    settled_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    settlement = models.CharField(_("settlement"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("line of a return file")
        verbose_name_plural = _("lines of return files")
        ordering = ["id"]

    def __str__(self):
        return self.reference

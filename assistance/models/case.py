"""A hardship case: one cycle of a household's file from the draft to its end (rulebook §3.2–3.3), and its decisions."""

import uuid
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from assistance.moves import MOVES, OPEN_STATES, HardshipMoves, HardshipState
from core.cases import Case, CaseStep
from core.fields import EncryptedText, MoneyField
from core.scope import ScopedQuerySet


class Cause(models.TextChoices):
    """致困原因 in general words: the only words about it that are ever published."""

    ILLNESS = "ILLNESS", _("because of illness")
    DISABILITY = "DISABILITY", _("because of disability")
    EDUCATION = "EDUCATION", _("because of schooling")
    DISASTER = "DISASTER", _("because of a disaster or accident")
    LOW_INCOME = "LOW_INCOME", _("low income")
    JOBLESS = "JOBLESS", _("loss of work")
    OTHER = "OTHER", _("other causes")


class Category(models.TextChoices):
    """困难类别; the first three are those of `assistance.eligibility`."""

    DEEP = "DEEP", _("deep hardship")
    RELATIVE = "RELATIVE", _("relative hardship")
    ACCIDENTAL = "ACCIDENTAL", _("hardship by accident")
    NONE = "NONE", _("no category")
    NOT_ELIGIBLE = "NOT_ELIGIBLE", _("not eligible")


class Event(models.TextChoices):
    ACCIDENT = "ACCIDENT", _("accident")
    SUDDEN_EVENT = "SUDDEN_EVENT", _("sudden event")
    CRITICAL_ILLNESS = "CRITICAL_ILLNESS", _("critical illness")
    DISASTER_INJURY_OR_DEATH = "DISASTER_INJURY_OR_DEATH", _("injury or death in a disaster or major accident")


class ExitCode(models.TextChoices):
    """退出方式 (rulebook §3.3)."""

    RELIEVED = "RELIEVED", _("out of hardship")
    GUARANTEED = "GUARANTEED", _("guaranteed by the state, helped regularly")
    REMOVED = "REMOVED", _("file closed")
    DECEASED = "DECEASED", _("cancelled, the applicant died")
    TRANSFERRED = "TRANSFERRED", _("transferred elsewhere")
    REIDENTIFIED = "REIDENTIFIED", _("closed after a new check of all files")


class HardshipCaseQuerySet(ScopedQuerySet):
    def open(self):
        """Not closed: their people live in no other open case."""
        return self.filter(state__in=OPEN_STATES)


class HardshipCase(HardshipMoves, Case):
    """One cycle; `assistance.moves` holds its moves. Figures are those of the twelve months before `applied_on`."""

    MOVES = MOVES

    file = models.ForeignKey("assistance.HardshipFile", on_delete=models.PROTECT, related_name="cases")
    cycle = models.PositiveSmallIntegerField(default=1, editable=False)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    membership = models.ForeignKey(  # the applicant's, open on the day of application; null: not (any more) a member
        "members.Membership", on_delete=models.PROTECT, null=True, related_name="hardship_cases"
    )
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=HardshipState, default=HardshipState.DRAFT)
    state_before = models.CharField(max_length=16, choices=HardshipState, blank=True, editable=False)
    applied_on = models.DateField(_("applied on"))
    cause = models.CharField(_("main cause"), max_length=10, choices=Cause)
    statement = EncryptedText(_("how it came about"), blank=True)
    phone = EncryptedText(_("contact phone"), blank=True)
    residence = EncryptedText(_("residence"), blank=True)
    bank_name = models.CharField(_("bank"), max_length=50, blank=True)
    bank_account = EncryptedText(_("account number"), blank=True)
    bank_last4 = models.CharField(max_length=4, blank=True, editable=False)
    # What the rules ask about (§3.1).
    migrant = models.BooleanField(_("migrant worker"), default=False)
    resident = models.BooleanField(_("lives in the city"), default=True)
    labour_months = models.PositiveSmallIntegerField(
        _("months of labour relation"), validators=[MaxValueValidator(720)]
    )
    houses = models.PositiveSmallIntegerField(_("homes"), default=1, validators=[MaxValueValidator(20)])
    housing_area = models.DecimalField(
        _("living space, m²"), max_digits=7, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    flags = models.JSONField(_("what excludes"), default=list, blank=True)  # of eligibility.EXCLUSIONS
    event = models.CharField(_("event"), max_length=24, choices=Event, blank=True)
    event_on = models.DateField(_("day of the event"), null=True, blank=True)
    event_loss = MoneyField(_("loss after compensation"), default=Decimal(0), validators=[MinValueValidator(0)])
    # What was decided last.
    category = models.CharField(_("category"), max_length=12, choices=Category, blank=True, editable=False)
    per_capita = MoneyField(_("net income a person and month"), null=True, editable=False)
    filed_on = models.DateField(_("filed on"), null=True, editable=False)
    review_on = models.DateField(_("to be reviewed by"), null=True, editable=False)
    exit_code = models.CharField(_("how it ended"), max_length=12, choices=ExitCode, blank=True, editable=False)
    ended_on = models.DateField(_("ended on"), null=True, editable=False)
    previous = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="next")
    created_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = HardshipCaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("hardship case")
        verbose_name_plural = _("hardship cases")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["file"], condition=Q(state__in=OPEN_STATES), name="hardship_one_open"),
            models.UniqueConstraint(fields=["file", "cycle"], name="hardship_cycle"),
            models.CheckConstraint(condition=Q(event_loss__gte=0), name="hardship_loss_not_negative"),
        ]
        indexes = [
            models.Index(fields=["union", "state"]),
            models.Index(fields=["state", "review_on"]),
            models.Index(fields=["category", "state"]),
        ]

    def __str__(self):
        return f"#{self.pk}"  # never the name: the trail keeps it

    @cached_property
    def applicant(self):
        """The applicant as a person of the household."""
        return next(each for each in self.people.all() if each.kin == "SELF")

    def indexes(self):
        """The blind indexes of everybody in the household: whom a relation is looked for to."""
        return list(self.people.values_list("id_index", flat=True))


class HardshipStep(CaseStep):
    case = models.ForeignKey(HardshipCase, on_delete=models.PROTECT, related_name="steps")


class Decision(models.Model):
    """What was decided on which figures and under which policy: written once, replayed at will (`decisions`)."""

    case = models.ForeignKey(HardshipCase, on_delete=models.PROTECT, related_name="decisions")
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    move = models.CharField(max_length=30)  # approve, confirm …
    on = models.DateField(_("policy of the day"))
    standard = models.ForeignKey("assistance.LivingStandard", on_delete=models.PROTECT, related_name="decisions")
    figures = models.JSONField()  # eligibility.Household as text: amounts and marks, no names
    policy = models.JSONField()  # eligibility.Policy
    category = models.CharField(_("category"), max_length=12, choices=Category)
    per_capita = models.CharField(max_length=60)  # the exact fraction: «24000/36»
    shown = MoneyField(_("net income a person and month"))
    explanation = models.TextField(_("derivation"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-id"]

    def __str__(self):
        return f"#{self.pk}"

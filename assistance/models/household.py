"""The household file (一户一档): who lives together, what comes in, what must be paid, and what each agreed to."""

import uuid

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.fields import BlindIndex, EncryptedText, MoneyField, SealedCopy
from core.models.imports import StagedRow
from core.scope import ScopedQuerySet
from unions.models import Sex


class HardshipFile(models.Model):
    """One household's file; each application of it is a `HardshipCase`, a cycle of the file."""

    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    person = models.ForeignKey(  # who applied first
        "members.Person", on_delete=models.PROTECT, related_name="hardship_files", verbose_name=_("applicant")
    )
    number = models.CharField(_("file number"), max_length=40, blank=True)  # given when it is filed first
    opened_on = models.DateField(_("opened on"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("hardship file")
        verbose_name_plural = _("hardship files")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["number"], condition=~Q(number=""), name="hardship_file_number"),
            models.UniqueConstraint(fields=["person"], name="hardship_file_once"),
        ]

    def __str__(self):
        return self.number or f"#{self.pk}"


class Kin(models.TextChoices):
    """与申请人关系."""

    SELF = "SELF", _("applicant")
    SPOUSE = "SPOUSE", _("spouse")
    CHILD = "CHILD", _("child")
    PARENT = "PARENT", _("parent")
    SIBLING = "SIBLING", _("brother or sister")
    GRANDPARENT = "GRANDPARENT", _("grandparent")
    GRANDCHILD = "GRANDCHILD", _("grandchild")
    OTHER = "OTHER", _("other dependant")


class Situation(models.TextChoices):
    WORKING = "WORKING", _("working")
    JOBLESS = "JOBLESS", _("without work")
    STUDENT = "STUDENT", _("at school")
    RETIRED = "RETIRED", _("retired")
    ILL = "ILL", _("seriously ill")
    DISABLED = "DISABLED", _("disabled")
    MINOR = "MINOR", _("under school age")


class HouseholdPerson(models.Model):
    """Somebody who lives in the household during one cycle, as declared then. The numbers are sealed (PIPL 28)."""

    case = models.ForeignKey("assistance.HardshipCase", on_delete=models.CASCADE, related_name="people")
    person = models.ForeignKey(  # the register's, when the number is there
        "members.Person", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="households"
    )
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kin = models.CharField(_("relation to the applicant"), max_length=12, choices=Kin)
    name = models.CharField(_("name"), max_length=50)
    id_number = EncryptedText(_("identity number"))
    id_index = BlindIndex("id_number")
    id_masked = models.CharField(_("identity number"), max_length=18, editable=False)
    sex = models.CharField(_("sex"), max_length=1, choices=Sex, editable=False)
    born_on = models.DateField(_("born on"), editable=False)
    situation = models.CharField(_("situation"), max_length=8, choices=Situation)
    workplace = models.CharField(_("unit or school"), max_length=100, blank=True)
    health = EncryptedText(_("illness or disability"), blank=True)
    # True while the case is open: nobody lives in two households at once.
    live = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("person of a household")
        verbose_name_plural = _("people of a household")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["id_index"], condition=Q(live=True), name="household_person_once"),
            models.UniqueConstraint(fields=["case", "id_index"], name="household_person_once_a_case"),
            models.UniqueConstraint(fields=["case"], condition=Q(kin="SELF"), name="household_one_applicant"),
        ]
        indexes = [models.Index(fields=["id_index"])]

    def __str__(self):
        return f"#{self.pk}"


class IncomeKind(models.TextChoices):
    WAGE = "WAGE", _("wages")
    BUSINESS = "BUSINESS", _("net business income")
    PROPERTY = "PROPERTY", _("net property income")
    TRANSFER = "TRANSFER", _("net transfers")
    OTHER = "OTHER", _("other income")


class ExpenseKind(models.TextChoices):
    """刚性支出; the values in small letters are those of `assistance.eligibility.EXPENSES`."""

    MEDICAL = "MEDICAL", _("illness, paid by oneself")
    EDUCATION = "EDUCATION", _("schooling, without compulsory school")
    DISABILITY = "DISABILITY", _("disability")
    HOUSING = "HOUSING", _("housing")
    OTHER = "OTHER", _("other unavoidable expenses")
    JOB = "JOB", _("necessary costs of working")


class Amount(models.Model):
    """Yuan of the twelve months before the application."""

    amount = MoneyField(_("yuan in twelve months"), validators=[MinValueValidator(0)])
    notes = models.CharField(_("how it was reckoned"), max_length=200, blank=True)

    class Meta:
        abstract = True
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gte=0), name="%(class)s_not_negative")]


class Income(Amount):
    case = models.ForeignKey("assistance.HardshipCase", on_delete=models.CASCADE, related_name="incomes")
    of = models.ForeignKey(HouseholdPerson, on_delete=models.CASCADE, related_name="incomes", verbose_name=_("whose"))
    kind = models.CharField(_("income"), max_length=8, choices=IncomeKind)

    class Meta(Amount.Meta):
        verbose_name = _("income")
        verbose_name_plural = _("incomes")

    def __str__(self):
        return f"#{self.pk}"


class Expense(Amount):
    case = models.ForeignKey("assistance.HardshipCase", on_delete=models.CASCADE, related_name="expenses")
    of = models.ForeignKey(HouseholdPerson, on_delete=models.CASCADE, related_name="expenses", verbose_name=_("whose"))
    kind = models.CharField(_("expense"), max_length=10, choices=ExpenseKind)

    class Meta(Amount.Meta):
        verbose_name = _("expense")
        verbose_name_plural = _("expenses")

    def __str__(self):
        return f"#{self.pk}"


class ConsentKind(models.TextChoices):
    CHECK = "CHECK", _("authorisation to check the economic situation")
    PUBLICITY = "PUBLICITY", _("agreement to publicity, masked")
    SENSITIVE = "SENSITIVE", _("agreement to the use of sensitive data")


class Consent(models.Model):
    """What somebody of the household agreed to: the text's version, when, and when it was withdrawn (PIPL 15, 29)."""

    case = models.ForeignKey("assistance.HardshipCase", on_delete=models.CASCADE, related_name="consents")
    of = models.ForeignKey(HouseholdPerson, on_delete=models.CASCADE, related_name="consents", verbose_name=_("whose"))
    kind = models.CharField(_("consent"), max_length=9, choices=ConsentKind)
    text_version = models.CharField(_("version of the text"), max_length=20)
    text = models.TextField(_("text"))
    by_guardian = models.BooleanField(_("given by the guardian"), default=False)  # for children under 14 (PIPL 31)
    given_at = models.DateTimeField(_("given at"))
    recorded_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["of", "kind"], condition=Q(withdrawn_at__isnull=True), name="consent_in_force_once"
            )
        ]

    def __str__(self):
        return f"#{self.pk}"


class UploadKind(models.TextChoices):
    """Papers that are handed in for a case (rulebook §3.2), kept as `core.Upload`."""

    APPLICATION = "APPLICATION", _("application, signed")
    COMMITMENT = "COMMITMENT", _("commitment on income")
    AUTHORISATION = "AUTHORISATION", _("authorisation to check")
    ID_CARD = "ID_CARD", _("identity card")
    HUKOU = "HUKOU", _("household register")
    INCOME = "INCOME", _("proof of income")
    MEDICAL = "MEDICAL", _("medical proof")
    SCHOOL = "SCHOOL", _("proof of schooling")
    DISABILITY = "DISABILITY", _("proof of disability")
    HOUSING = "HOUSING", _("proof of housing")
    EVENT = "EVENT", _("proof of the event")
    BANK_CARD = "BANK_CARD", _("bank card")
    VISIT = "VISIT", _("photo or form of the home visit")
    OTHER = "OTHER", _("other paper")


class StagedHousehold(StagedRow):
    """One row of a sheet of old files, a person of a household, between reading and commit; the number is sealed."""

    SEALED_COPIES = (SealedCopy("id_number", HouseholdPerson._meta.get_field("id_number"), "person_uuid", "id_index"),)

    file_key = models.CharField(max_length=40, blank=True)
    person_uuid = models.UUIDField(null=True)
    name = models.CharField(max_length=50, blank=True)
    id_number = models.TextField(blank=True)  # ciphertext, sealed for person_uuid
    id_index = models.CharField(max_length=64, blank=True)
    id_masked = models.CharField(max_length=18, blank=True)
    kin = models.CharField(max_length=12, blank=True)
    situation = models.CharField(max_length=8, blank=True)
    workplace = models.CharField(max_length=100, blank=True)
    applied_on = models.DateField(null=True)
    cause = models.CharField(max_length=10, blank=True)
    labour_months = models.PositiveSmallIntegerField(null=True)
    incomes = models.JSONField(default=dict)  # kind → yuan as text
    expenses = models.JSONField(default=dict)
    membership = models.ForeignKey(  # the applicant's, as it was found when the row was read
        "members.Membership", on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False,
        related_name="+",
    )  # fmt: skip

    class Meta(StagedRow.Meta):
        abstract = False

"""People known to the unions by their real name, and their memberships."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.fields import BlindIndex, EncryptedText
from core.models.imports import StagedRow
from core.scope import ScopedQuerySet
from unions.models import Sex


class DocumentKind(models.TextChoices):
    RESIDENT_ID = "RESIDENT_ID", _("resident identity card")
    HMT_RESIDENCE = "HMT_RESIDENCE", _("residence permit for Hong Kong, Macao and Taiwan residents")


class HukouKind(models.TextChoices):
    URBAN = "URBAN", _("urban")
    RURAL = "RURAL", _("rural")


class Education(models.TextChoices):
    PRIMARY = "PRIMARY", _("primary school or below")
    MIDDLE = "MIDDLE", _("middle school")
    HIGH = "HIGH", _("high or vocational school")
    COLLEGE = "COLLEGE", _("college")
    BACHELOR = "BACHELOR", _("bachelor")
    MASTER = "MASTER", _("master or above")


class Politics(models.TextChoices):
    PARTY = "PARTY", _("Party member")
    LEAGUE = "LEAGUE", _("League member")
    DEMOCRATIC = "DEMOCRATIC", _("member of a democratic party")
    MASSES = "MASSES", _("no party")


class Employment(models.TextChoices):
    """用工形式 (import contract, synonym table)."""

    CONTRACT = "CONTRACT", _("labour contract")
    DISPATCH = "DISPATCH", _("labour dispatch")
    PLATFORM = "PLATFORM", _("new form of employment")
    OTHER = "OTHER", _("other")


class OccupationGroup(models.TextChoices):
    """八大群体 (rulebook §1.9)."""

    TRUCK_DRIVER = "TRUCK_DRIVER", _("truck driver")
    COURIER = "COURIER", _("courier")
    CARE_WORKER = "CARE_WORKER", _("care worker")
    DOMESTIC_WORKER = "DOMESTIC_WORKER", _("domestic worker")
    SHOP_CLERK = "SHOP_CLERK", _("shop information clerk")
    FOOD_RIDER = "FOOD_RIDER", _("food-delivery rider")
    ESTATE_AGENT = "ESTATE_AGENT", _("estate agent")
    SECURITY_GUARD = "SECURITY_GUARD", _("security guard")
    OTHER_NEW = "OTHER_NEW", _("other new form (ride-hailing driver and the like)")


class EmploymentState(models.TextChoices):
    AT_WORK = "AT_WORK", _("at work")
    WAITING = "WAITING", _("waiting for work")
    UNEMPLOYED = "UNEMPLOYED", _("unemployed")
    RETIRED = "RETIRED", _("retired")


class SkillLevel(models.TextChoices):
    NONE = "NONE", _("no level")
    JUNIOR = "JUNIOR", _("junior worker")
    MIDDLE = "MIDDLE", _("intermediate worker")
    SENIOR = "SENIOR", _("senior worker")
    TECHNICIAN = "TECHNICIAN", _("technician")
    SENIOR_TECHNICIAN = "SENIOR_TECHNICIAN", _("senior technician")


class Person(models.Model):
    """A person by identity number: sealed, found through a blind index; sex and birth date come from the number."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50, db_index=True)
    document_kind = models.CharField(
        _("document"), max_length=14, choices=DocumentKind, default=DocumentKind.RESIDENT_ID
    )
    id_number = EncryptedText(_("identity number"))
    id_index = BlindIndex("id_number", unique=True)
    id_masked = models.CharField(_("identity number"), max_length=18)  # 2104**********0017: what lists show
    sex = models.CharField(_("sex"), max_length=1, choices=Sex)
    born_on = models.DateField(_("born on"))
    phone = EncryptedText(_("mobile phone"), blank=True)
    phone_index = BlindIndex("phone", db_index=True)
    phone_masked = models.CharField(_("mobile phone"), max_length=11, blank=True)  # 138****1234
    ethnicity = models.CharField(_("ethnicity"), max_length=20, blank=True)
    politics = models.CharField(_("political status"), max_length=12, choices=Politics, blank=True)
    education = models.CharField(_("education"), max_length=10, choices=Education, blank=True)
    hukou_kind = models.CharField(_("household registration"), max_length=6, choices=HukouKind, blank=True)
    hukou_place = models.CharField(_("registered at"), max_length=100, blank=True)
    residence = EncryptedText(_("residence"), blank=True)
    deceased_on = models.DateField(_("died on"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="person_has_a_name")]

    def __str__(self):
        return self.name

    def age_on(self, day):
        """Full years on `day`."""
        return day.year - self.born_on.year - ((day.month, day.day) < (self.born_on.month, self.born_on.day))


class MembershipState(models.TextChoices):
    """会籍 states (rulebook §2.2)."""

    ACTIVE = "ACTIVE", _("active")
    TRANSFER_PENDING = "TRANSFER_PENDING", _("transfer pending")
    RETAINED = "RETAINED", _("retained")
    TRANSFERRED = "TRANSFERRED", _("transferred out")
    WITHDRAWN = "WITHDRAWN", _("withdrawn")
    EXPELLED = "EXPELLED", _("expelled")
    DECEASED = "DECEASED", _("deceased")


OPEN_STATES = (MembershipState.ACTIVE, MembershipState.TRANSFER_PENDING, MembershipState.RETAINED)


class MembershipQuerySet(ScopedQuerySet):
    def named(self, text):
        """Of people whose name begins with `text`. A subquery, so that SQLite begins at the index of names too."""
        return self.filter(person__in=Person.objects.filter(name__prefix=text))

    def open(self):
        return self.filter(state__in=OPEN_STATES)

    def active(self):
        """On the roll with full rights: retained members do not count (rulebook §2.2)."""
        return self.filter(state__in=(MembershipState.ACTIVE, MembershipState.TRANSFER_PENDING))


class Membership(models.Model):
    """A person's membership in one union from joining to leaving; at most one is open a person."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    union = models.ForeignKey(  # found by the two indexes below that begin with it
        "unions.Union", on_delete=models.PROTECT, db_index=False, related_name="memberships", verbose_name=_("union")
    )
    state = models.CharField(_("state"), max_length=16, choices=MembershipState, default=MembershipState.ACTIVE)
    joined_on = models.DateField(_("joined on"), null=True, blank=True)
    ended_on = models.DateField(_("ended on"), null=True, blank=True)
    department = models.CharField(_("department or group"), max_length=50, blank=True)
    post = models.CharField(_("post or trade"), max_length=50, blank=True)
    skill_level = models.CharField(_("skill level"), max_length=18, choices=SkillLevel, blank=True)
    employment = models.CharField(_("form of employment"), max_length=10, choices=Employment, blank=True)
    occupation_group = models.CharField(_("occupational group"), max_length=16, choices=OccupationGroup, blank=True)
    employment_state = models.CharField(_("employment state"), max_length=10, choices=EmploymentState, blank=True)
    migrant_worker = models.BooleanField(_("migrant worker"), default=False)
    card_no = models.CharField(_("member card"), max_length=30, blank=True)
    dues_standard = models.CharField(_("dues"), max_length=30, blank=True)
    model_worker = models.BooleanField(_("model worker or May 1 medal"), default=False)
    notes = models.CharField(_("remarks"), max_length=200, blank=True)
    batch = models.ForeignKey("core.ImportBatch", on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["person"], condition=Q(state__in=OPEN_STATES), name="membership_one_open"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, ended_on__isnull=True)
                | (~Q(state__in=OPEN_STATES) & Q(ended_on__isnull=False)),
                name="membership_ended_on",
            ),
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(joined_on__isnull=True) | Q(ended_on__gte=F("joined_on")),
                name="membership_dates_in_order",
            ),
        ]
        indexes = [models.Index(fields=["union", "id"]), models.Index(fields=["union", "state"])]

    def __str__(self):
        return str(self.person)

    @property
    def is_open(self):
        return self.state in OPEN_STATES


class StagedMember(StagedRow):
    """One row of a member register between reading and commit: identity sealed, ready for a set-based insert."""

    person_uuid = models.UUIDField(null=True)  # the stored person's, or the one a new person will have
    name = models.CharField(max_length=50, blank=True)
    document_kind = models.CharField(max_length=14, blank=True)
    id_number = models.TextField(blank=True)  # ciphertext, sealed for person_uuid
    id_index = models.CharField(max_length=64, blank=True)
    id_masked = models.CharField(max_length=18, blank=True)
    sex = models.CharField(max_length=1, blank=True)
    born_on = models.DateField(null=True)
    phone = models.TextField(blank=True)  # ciphertext
    phone_index = models.CharField(max_length=64, blank=True)
    phone_masked = models.CharField(max_length=11, blank=True)
    ethnicity = models.CharField(max_length=20, blank=True)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    joined_on = models.DateField(null=True)
    employment = models.CharField(max_length=10, blank=True)
    occupation_group = models.CharField(max_length=16, blank=True)
    migrant_worker = models.BooleanField(null=True)  # null: the sheet says nothing
    department = models.CharField(max_length=50, blank=True)
    post = models.CharField(max_length=50, blank=True)
    card_no = models.CharField(max_length=30, blank=True)
    notes = models.CharField(max_length=200, blank=True)
    person = models.ForeignKey(Person, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")
    membership = models.ForeignKey(Membership, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")

    class Meta(StagedRow.Meta):
        abstract = False
        indexes = [*StagedRow.Meta.indexes, models.Index(fields=["batch", "id_index"])]

"""The tree of unions, where each stood when, committees and their officers, and appointments of users."""

import uuid
from datetime import date

from django.db import models
from django.db.models import Case, Count, F, FilteredRelation, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedText
from core.models.imports import StagedRow
from core.scope import WIDTH, ScopedQuerySet, after


class UnionKind(models.TextChoices):
    """Kinds of union organisation (rulebook §1.2)."""

    CITY_FED = "CITY_FED", _("city federation of trade unions")
    DISTRICT_FED = "DISTRICT_FED", _("county or district federation")
    INDUSTRIAL_UNION = "INDUSTRIAL_UNION", _("local industrial union")
    TOWNSHIP = "TOWNSHIP", _("township union")
    STREET = "STREET", _("street union")
    PARK = "PARK", _("development-zone (park) union")
    VILLAGE = "VILLAGE", _("village union")
    COMMUNITY = "COMMUNITY", _("community union")
    REGIONAL_FED = "REGIONAL_FED", _("regional federation of unions")
    INDUSTRY_FED = "INDUSTRY_FED", _("industry federation of unions")
    ENTERPRISE = "ENTERPRISE", _("enterprise union")
    INSTITUTION = "INSTITUTION", _("public-institution union")
    ORGAN = "ORGAN", _("government-organ union")
    SOCIAL_ORG = "SOCIAL_ORG", _("social-organisation union")
    JOINT = "JOINT", _("joint grassroots union")
    PROJECT = "PROJECT", _("project (site) union")
    WORK_COMMITTEE = "WORK_COMMITTEE", _("union working committee")


class EmployerCategory(models.TextChoices):
    """单位类别 of the union table (rulebook §1.10)."""

    STATE = "110", _("state-owned")
    COLLECTIVE = "120", _("collective")
    SHARE_COOPERATIVE = "130", _("share cooperative")
    JOINTLY_OPERATED = "140", _("jointly operated")
    WHOLLY_STATE = "151", _("wholly state-owned company")
    OTHER_LIMITED = "159", _("other limited company")
    STATE_CONTROLLED = "161", _("state-controlled share company")
    OTHER_SHARE = "169", _("other share company")
    PRIVATE = "170", _("private")
    OTHER_DOMESTIC = "190", _("other domestic")
    HK_MACAO_TAIWAN = "200", _("invested from Hong Kong, Macao or Taiwan")
    FOREIGN = "300", _("foreign-invested")
    INSTITUTION = "400", _("public institution")
    ORGAN = "500", _("government organ")
    INDIVIDUAL = "600", _("individual business")
    PRIVATE_NON_ENTERPRISE = "700", _("private non-enterprise unit")


class Sex(models.TextChoices):
    MALE = "M", _("male")
    FEMALE = "F", _("female")


class UnionQuerySet(ScopedQuerySet):
    scope_path = "path"

    def standing(self):
        """Neither dissolved nor merged into another."""
        return self.filter(dissolved_on__isnull=True)

    def below(self, union):
        """`union` and everything below it."""
        return self.filter(path__gte=union.path, path__lt=after(union.path))

    def with_term(self):
        """Each with `term_ends_on`, `elected_on` and `committee_pk` of its committee in office, None without one.

        The term ends on the day it was extended to, if it was (`extended_until`). `term_order` is the term's end to
        sort by: who has none comes last.
        """
        in_office = FilteredRelation("committees", condition=Q(committees__ended_on__isnull=True))
        return self.annotate(
            in_office=in_office,
            committee_pk=F("in_office__pk"),
            elected_on=F("in_office__elected_on"),
            extended_until=F("in_office__extended_until"),
            term_ends_on=Coalesce(F("in_office__extended_until"), F("in_office__term_ends_on")),
            term_order=Coalesce(F("in_office__extended_until"), F("in_office__term_ends_on"), Value(date.max)),
        )

    def with_members(self):
        """Each with `members`, the open memberships in the union itself, not below it."""
        rows = _memberships().filter(union=OuterRef("pk"))
        return self.annotate(members=_counted(rows.order_by(), "union"))

    def with_children(self):
        """Each with `lower`, the unions directly below it."""
        rows = self.model.objects.standing().filter(parent=OuterRef("pk"))
        return self.annotate(lower=_counted(rows.order_by(), "parent"))


def count_members(unions):
    """Give each of `unions` (a list) its `members`, as `with_members` does, in one query for all; return the list."""
    rows = _memberships().filter(union__in=unions).order_by()
    numbers = dict(rows.values_list("union").annotate(Count("pk")))
    for union in unions:
        union.members = numbers.get(union.pk, 0)
    return unions


def _memberships():
    """The open memberships: their model lies a floor above."""
    return Union.memberships.rel.related_model.objects.open()


def _counted(rows, group):
    """Return the number of `rows` as a subquery; 0 when there is none."""
    return Coalesce(Subquery(rows.values(group).annotate(number=Count("pk")).values("number")), 0)


class Union(models.Model):
    """One union organisation; `path` is the parent's path plus the own key in four base-36 digits."""

    id = models.BigIntegerField(primary_key=True)  # allocated before the insert: the path is made of it
    code = models.CharField(_("union code"), max_length=40, unique=True)
    name = models.CharField(_("union name"), max_length=100, db_index=True)
    kind = models.CharField(_("kind"), max_length=20, choices=UnionKind)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("higher union")
    )
    path = models.CharField(max_length=60, unique=True, editable=False)
    uscc = models.CharField(_("unified social credit code"), max_length=18, unique=True, null=True, blank=True)
    founded_on = models.DateField(_("founded on"), null=True, blank=True)
    approval_no = models.CharField(_("approval number"), max_length=60, blank=True)
    term_years = models.PositiveSmallIntegerField(_("length of term"), null=True, blank=True)
    employer_name = models.CharField(_("employer"), max_length=100, blank=True)
    employer_uscc = models.CharField(_("employer's credit code"), max_length=18, blank=True)
    employer_category = models.CharField(_("employer category"), max_length=3, choices=EmployerCategory, blank=True)
    industry = models.CharField(_("industry"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    employees = models.PositiveIntegerField(_("employees"), null=True, blank=True)
    women_employees = models.PositiveIntegerField(_("women employees"), null=True, blank=True)
    migrant_employees = models.PositiveIntegerField(_("migrant employees"), null=True, blank=True)
    legal_person = models.BooleanField(_("legal person"), default=False)
    certificate_until = models.DateField(_("certificate valid until"), null=True, blank=True)
    contact_name = models.CharField(_("contact"), max_length=50, blank=True)
    contact_phone = models.CharField(_("contact phone"), max_length=30, blank=True)
    dissolved_on = models.DateField(_("dissolved on"), null=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="merged",
    )
    version = models.PositiveIntegerField(default=1, editable=False)  # a lost update shows a conflict page
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UnionQuerySet.as_manager()

    class Meta:
        verbose_name = _("union")
        verbose_name_plural = _("unions")
        ordering = ["path"]
        constraints = [
            # A null parent is equal to no other null: the index needs a value to compare.
            models.UniqueConstraint(
                Coalesce("parent_id", 0),
                condition=Q(parent__isnull=True),
                name="union_one_root",
                violation_error_message=_("There is one city federation already."),
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="union_not_its_own_parent"),
            models.CheckConstraint(
                condition=Q(term_years__isnull=True) | Q(term_years__in=[3, 5]), name="union_term_3_or_5"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="union_has_a_name"),
        ]
        indexes = [models.Index(fields=["kind", "path"])]  # the few unions that have others below them

    def __str__(self):
        return self.name

    @property
    def level(self):
        """0 for the root."""
        return len(self.path) // WIDTH - 1

    @property
    def ancestor_ids(self):
        """Keys of the unions above, from the root down."""
        return [int(self.path[i : i + WIDTH], 36) for i in range(0, len(self.path) - WIDTH, WIDTH)]

    def members_below(self, cap):
        """The open memberships here and below, counted to `cap` at most."""
        return _memberships().below(self).order_by()[:cap].count()

    @cached_property
    def committee(self):
        """The committee in office, or None."""
        return next((each for each in self.committees.all() if each.ended_on is None), None)


class UnionPlacement(models.Model):
    """Where a union stood in the tree between two dates, without gaps; `valid_to` is the first day it no longer did."""

    union = models.ForeignKey(Union, on_delete=models.PROTECT, related_name="placements")
    parent = models.ForeignKey(Union, on_delete=models.PROTECT, null=True, related_name="+")
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("to"), null=True)

    class Meta:
        ordering = ["union", "valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["union"], condition=Q(valid_to__isnull=True), name="placement_one_now"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="placement_dates_in_order"
            ),
        ]


class CommitteeQuerySet(ScopedQuerySet):
    def in_office(self):
        return self.filter(ended_on__isnull=True)


class Committee(models.Model):
    """A union committee from its election to the next; the term's end is derived and never rolls (§1.4).

    With the approval of the higher union it serves on until `extended_until`.
    """

    union = models.ForeignKey(Union, on_delete=models.PROTECT, related_name="committees", verbose_name=_("union"))
    number = models.PositiveSmallIntegerField(_("term number"), default=1)  # 第几届
    elected_on = models.DateField(_("elected on"))
    term_years = models.PositiveSmallIntegerField(_("length of term"))
    term_ends_on = models.DateField(_("term ends on"), db_index=True)
    ended_on = models.DateField(_("left office"), null=True, blank=True)
    extended_until = models.DateField(_("extended until"), null=True, blank=True)  # with the higher union's approval

    objects = CommitteeQuerySet.as_manager()

    class Meta:
        verbose_name = _("committee")
        verbose_name_plural = _("committees")
        ordering = ["union", "-elected_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["union"], condition=Q(ended_on__isnull=True), name="committee_one_in_office"
            ),
            models.UniqueConstraint(fields=["union", "elected_on"], name="committee_one_election_a_day"),
            models.CheckConstraint(condition=Q(term_years__in=[3, 5]), name="committee_term_3_or_5"),
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(ended_on__gte=F("elected_on")), name="committee_dates_in_order"
            ),
        ]

    def __str__(self):
        return f"{self.union} {self.elected_on}"

    @property
    def serves_until(self):
        """The day by which the next election is due."""
        return self.extended_until or self.term_ends_on


class Position(models.TextChoices):
    CHAIR = "CHAIR", _("chair")
    VICE_CHAIR = "VICE_CHAIR", _("vice-chair")
    AUDIT_HEAD = "AUDIT_HEAD", _("head of the funds audit committee")
    WOMEN_HEAD = "WOMEN_HEAD", _("head of the women workers' committee")
    MEMBER = "MEMBER", _("committee member")


class OfficerQuerySet(ScopedQuerySet):
    scope_path = "committee__union__path"

    def in_office(self):
        return self.filter(ended_on__isnull=True)

    def by_rank(self):
        """In the order of a list of officers: the chair first."""
        ranks = [When(position=position, then=rank) for rank, position in enumerate(Position)]
        return self.order_by(Case(*ranks), "id")


class Officer(models.Model):
    """A person in an office of a committee."""

    committee = models.ForeignKey(Committee, on_delete=models.PROTECT, related_name="officers")
    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # the place its sealed phone is bound to
    position = models.CharField(_("position"), max_length=12, choices=Position)
    name = models.CharField(_("name"), max_length=50)
    sex = models.CharField(_("sex"), max_length=1, choices=Sex, blank=True)
    phone = EncryptedText(_("phone"), blank=True)
    full_time = models.BooleanField(_("full-time"), default=False)
    started_on = models.DateField(_("since"))
    ended_on = models.DateField(_("until"), null=True, blank=True)

    objects = OfficerQuerySet.as_manager()

    class Meta:
        verbose_name = _("officer")
        verbose_name_plural = _("officers")
        ordering = ["committee", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["committee"], condition=Q(position="CHAIR", ended_on__isnull=True), name="officer_one_chair"
            ),
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(ended_on__gte=F("started_on")), name="officer_dates_in_order"
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def phone_masked(self):
        """138****1234; of a shorter number only its end; empty without a phone."""
        if len(self.phone) < 11:
            return self.phone and f"****{self.phone[-2:]}"
        return f"{self.phone[:3]}****{self.phone[-4:]}"


class UnionEventKind(models.TextChoices):
    """What can happen to a union (rulebook §1.4, last line)."""

    FOUNDING = "FOUNDING", _("founding")
    ELECTION = "ELECTION", _("election")
    BY_ELECTION = "BY_ELECTION", _("by-election")
    REPLACEMENT = "REPLACEMENT", _("replacement")
    EXTENSION = "EXTENSION", _("extension of the term")
    REMOVAL = "REMOVAL", _("removal from office")
    RENAME = "RENAME", _("rename")
    MOVE = "MOVE", _("move in the tree")
    CERTIFICATE = "CERTIFICATE", _("legal-person certificate")
    MERGER = "MERGER", _("merger")
    DISSOLUTION = "DISSOLUTION", _("dissolution")


class UnionEvent(models.Model):
    """One event in a union's life, on its statutory day, with its approval and its figures."""

    union = models.ForeignKey(Union, on_delete=models.PROTECT, related_name="events", verbose_name=_("union"))
    kind = models.CharField(_("kind"), max_length=12, choices=UnionEventKind)
    on = models.DateField(_("on"))
    approval_no = models.CharField(_("approval number"), max_length=60, blank=True)
    officer = models.ForeignKey(Officer, on_delete=models.PROTECT, null=True, related_name="events")
    facts = models.JSONField(_("facts"), default=dict)  # votes, old and new name, counts of what moved
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("event of a union")
        verbose_name_plural = _("events of unions")
        ordering = ["-on", "-id"]

    def __str__(self):
        return f"{self.union} {self.get_kind_display()}"


class AppointmentQuerySet(ScopedQuerySet):
    def in_force(self, today):
        return self.filter(
            Q(valid_to__isnull=True) | Q(valid_to__gte=today), valid_from__lte=today, ended_on__isnull=True
        )


class Appointment(models.Model):
    """A user has a role at a union, and so at all below it, from one date to another (both included).

    `ended_on` says that it was taken away, at once, whatever its dates.
    """

    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="appointments", verbose_name=_("user"))
    union = models.ForeignKey(Union, on_delete=models.PROTECT, related_name="appointments", verbose_name=_("union"))
    role = models.CharField(_("role"), max_length=20)  # a key of unions.roles.GRANTS; choices set there
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    ended_on = models.DateField(_("ended on"), null=True, editable=False)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ["user", "union", "role"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "union", "role"],
                condition=Q(valid_to__isnull=True, ended_on__isnull=True),
                name="appointment_once",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="appointment_dates_in_order"
            ),
        ]

    def __str__(self):
        return f"{self.user} · {self.union}"


class StagedUnion(StagedRow):
    """One row of a union sheet between reading and commit."""

    code = models.CharField(max_length=40, blank=True)
    parent_code = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=20, blank=True)
    uscc = models.CharField(max_length=18, blank=True)
    employees = models.PositiveIntegerField(null=True)
    founded_on = models.DateField(null=True)
    term_years = models.PositiveSmallIntegerField(null=True)
    elected_on = models.DateField(null=True)
    # The stored one, if any.
    union = models.ForeignKey(Union, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")

"""Deadlines: the rules as data, and one row for every date somebody must keep."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models.setting import RuleStatus
from core.scope import ScopedQuerySet


class Unit(models.TextChoices):
    CALENDAR_DAY = "CD", _("calendar days")
    WORKING_DAY = "WD", _("working days")
    MONTH = "MONTH", _("months")
    YEAR = "YEAR", _("years")


class Side(models.TextChoices):
    OURS = "OURS", _("ours")
    PARTY = "PARTY", _("the party we help")
    THEIRS = "THEIRS", _("somebody else's")


class DeadlineRule(models.Model):
    """One statutory or local period (rulebook §0, §4.2; columns as in the rule catalogue)."""

    code = models.CharField(_("code"), max_length=60, unique=True)
    name = models.CharField(_("period"), max_length=60)
    length = models.PositiveSmallIntegerField(_("length"))
    unit = models.CharField(_("unit"), max_length=5, choices=Unit)
    backward = models.BooleanField(_("counted backward"), default=False)
    roll = models.BooleanField(_("rolls to a working day"), default=True)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=20)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    length_status = models.CharField(_("status of the length"), max_length=10, choices=RuleStatus)
    unit_status = models.CharField(_("status of the unit"), max_length=10, choices=RuleStatus)
    other_length = models.PositiveSmallIntegerField(_("length, second reading"), null=True, blank=True)
    other_unit = models.CharField(_("unit, second reading"), max_length=5, choices=Unit, blank=True)
    side = models.CharField(_("side"), max_length=6, choices=Side)
    who_acts = models.CharField(_("who acts"), max_length=60)
    starts = models.CharField(_("starts"), max_length=120)
    legal_basis = models.CharField(_("legal basis"), max_length=200)
    consequence = models.CharField(_("consequence"), max_length=120, blank=True)
    # When to remind, before the natural date: «6M,3M,1M,0D»; empty: no reminder of its own.
    remind_before = models.CharField(_("remind before"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("deadline rule")
        verbose_name_plural = _("deadline rules")
        ordering = ["code"]

    def __str__(self):
        return self.name


class DeadlineState(models.TextChoices):
    OPEN = "open", _("open")
    MET = "met", _("met")
    WAIVED = "waived", _("waived")
    VOID = "void", _("void")


class DeadlineQuerySet(ScopedQuerySet):
    def open(self):
        return self.filter(state=DeadlineState.OPEN)

    def to_do(self):
        """What we, or the worker we help, must do."""
        return self.open().filter(side__in=[Side.OURS, Side.PARTY])

    def desk_of(self, user):
        """What stands on a user's desk: the user's own duties, and those in scope that nobody here owns.

        Whoever left, or was switched off, owns nothing any more: the duties are the union's at once (R20).
        """
        nobodys = Q(owner__isnull=True) | Q(owner__is_active=False)
        return self.to_do().filter(Q(owner=user) | nobodys).visible_to(user, "core.view_deadline")

    def waiting(self):
        """What somebody else must do."""
        return self.open().filter(side=Side.THEIRS)

    def overdue(self, today):
        return self.open().filter(earliest__lt=today)

    def of(self, subject):
        """The deadlines of one object."""
        return self.filter(subject_type=subject._meta.label_lower, subject_id=subject.pk)


class Deadline(models.Model):
    """A date derived from a rule and a fact; never typed. Written by `core.deadlines` only."""

    rule = models.ForeignKey(DeadlineRule, on_delete=models.PROTECT, related_name="deadlines")
    trigger = models.DateField(_("counted from"))
    natural = models.DateField(_("natural date"))
    due = models.DateField(_("due date"))
    other_due = models.DateField(_("due date, second reading"), null=True)
    earliest = models.DateField(_("earlier reading"))  # min(due, other_due): the desk's order
    derivation = models.TextField(_("why this day"))
    provisional = models.BooleanField(_("provisional"), default=False)
    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    title = models.CharField(_("about"), max_length=200)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="deadlines")
    side = models.CharField(_("side"), max_length=6, choices=Side)
    owner = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="deadlines")
    state = models.CharField(_("state"), max_length=6, choices=DeadlineState, default=DeadlineState.OPEN)
    closed_on = models.DateField(null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = DeadlineQuerySet.as_manager()

    class Meta:
        verbose_name = _("deadline")
        verbose_name_plural = _("deadlines")
        ordering = ["earliest", "id"]
        constraints = [
            # R44: the identity of a deadline is its rule, subject and trigger, never its words.
            models.UniqueConstraint(
                fields=["rule", "subject_type", "subject_id", "trigger"],
                condition=models.Q(state=DeadlineState.OPEN),
                name="deadline_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state=DeadlineState.OPEN, closed_on__isnull=True)
                | (~models.Q(state=DeadlineState.OPEN) & models.Q(closed_on__isnull=False)),
                name="deadline_closed_on",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_type", "subject_id"]),
            models.Index(fields=["state", "side", "earliest", "id"]),
        ]

    def __str__(self):
        return f"{self.title} {self.due}"

    def days_left(self, today):
        """Days from `today` to the earlier reading; negative when overdue."""
        return (self.earliest - today).days

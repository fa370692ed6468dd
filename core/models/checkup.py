"""What a checkup found: records that are wrong or incomplete, how many a union has, and how many it had."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet


class FindingQuerySet(ScopedQuerySet):
    def to_do(self, today):
        """Those that nobody has set aside, or no longer."""
        return self.exclude(self.model.set_aside_on(today))

    def aside(self, today):
        """Those set aside until a day that has not passed."""
        return self.filter(self.model.set_aside_on(today))


class Finding(models.Model):
    """One record at which one check found something; gone when the record is mended.

    `code` names the check, and the check the kind of record (`core.checkup`). Written by `core.checkup` and
    `core.findings` only.
    """

    code = models.CharField(_("check"), max_length=32)
    union = models.ForeignKey(  # found by the index below that begins with it
        "unions.Union", on_delete=models.PROTECT, db_index=False, related_name="findings", verbose_name=_("union")
    )
    subject_id = models.BigIntegerField()
    since = models.DateField(_("found on"))
    aside_until = models.DateField(_("set aside until"), null=True)
    aside_reason = models.CharField(_("reason"), max_length=200, default="", blank=True)
    aside_by = models.ForeignKey(
        "core.User",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("set aside by"),
    )

    objects = FindingQuerySet.as_manager()

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [
            models.UniqueConstraint(fields=["code", "subject_id"], name="finding_once"),
            models.CheckConstraint(
                condition=Q(aside_until__isnull=True, aside_reason="")
                | (Q(aside_until__isnull=False) & ~Q(aside_reason="")),
                name="finding_aside_with_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["union", "code", "id"]),
            models.Index(fields=["union", "aside_until"], condition=Q(aside_until__isnull=False), name="finding_aside"),
        ]

    def __str__(self):
        return f"{self.code} {self.subject_id}"

    @staticmethod
    def set_aside_on(day):
        """The Q of findings that are set aside on `day`."""
        return Q(aside_until__isnull=False, aside_until__gte=day)

    def is_aside(self, today):
        return self.aside_until is not None and self.aside_until >= today


class CheckupCount(models.Model):
    """How many records of a union, and of all unions below it, a check has found, as things stand now.

    `code` is a check's, or "" for all of them together, or a population's: then `here` and `below` are how many records
    were looked at. A row that would hold only zeros need not be there.
    """

    union = models.ForeignKey(
        "unions.Union", on_delete=models.CASCADE, db_index=False, related_name="checkup_counts",
        verbose_name=_("union"),
    )  # fmt: skip
    code = models.CharField(_("check"), max_length=32, blank=True)
    here = models.PositiveIntegerField(_("here"), default=0)
    below = models.PositiveIntegerField(_("here and below"), default=0)
    aside = models.PositiveIntegerField(_("set aside"), default=0)  # here and below, not among those
    unclear = models.PositiveIntegerField(_("could not be checked"), default=0)  # here and below

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("result of a check")
        verbose_name_plural = _("results of checks")
        constraints = [models.UniqueConstraint(fields=["union", "code"], name="checkup_count_once")]
        indexes = [models.Index(fields=["code", "-below"])]

    def __str__(self):
        return f"{self.code} {self.below}"


class CheckupDay(models.Model):
    """How many findings there were at a union and below on a day; written on days on which the number changed only."""

    union = models.ForeignKey(
        "unions.Union", on_delete=models.CASCADE, db_index=False, related_name="checkup_days", verbose_name=_("union")
    )
    code = models.CharField(_("check"), max_length=32, blank=True)  # "": all of them together
    day = models.DateField(_("day"), db_index=True)
    below = models.PositiveIntegerField(_("here and below"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("day of a check")
        verbose_name_plural = _("days of checks")
        constraints = [models.UniqueConstraint(fields=["union", "code", "day"], name="checkup_day_once")]

    def __str__(self):
        return f"{self.code} {self.day} {self.below}"

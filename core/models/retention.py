"""How long things are kept, what must not be deleted meanwhile, and what was deleted when."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models.setting import RuleStatus
from core.scope import ScopedQuerySet


class RetentionUnit(models.TextChoices):
    DAY = "DAY", _("calendar days")
    MONTH = "MONTH", _("months")


class RetentionRule(models.Model):
    """How long one kind of thing is kept (个人信息保护法 19: no longer than its purpose needs)."""

    kind = models.SlugField(_("kind"), max_length=20, unique=True)  # a key of core.retention.KINDS
    name = models.CharField(_("what is kept"), max_length=60)
    length = models.PositiveSmallIntegerField(_("length"))
    unit = models.CharField(_("unit"), max_length=5, choices=RetentionUnit)
    starts = models.CharField(_("counted from"), max_length=120)
    legal_basis = models.CharField(_("legal basis"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=RuleStatus)

    class Meta:
        verbose_name = _("retention period")
        verbose_name_plural = _("retention periods")
        ordering = ["kind"]

    def __str__(self):
        return self.name


class RetentionRun(models.Model):
    """One night's deletions of one kind; one without an end was broken off, and the next run finishes it."""

    kind = models.CharField(_("kind"), max_length=20)
    began_at = models.DateTimeField(_("begun"))
    ended_at = models.DateTimeField(null=True)
    deleted = models.PositiveIntegerField(_("deleted"), default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(ended_at__isnull=True), name="retention_run_one_open"
            )
        ]

    def __str__(self):
        return self.kind


class HoldQuerySet(ScopedQuerySet):
    def open(self):
        return self.filter(released_at__isnull=True)

    def on(self, model):
        """The keys of the rows of `model` that are held now, as a subquery."""
        return self.open().filter(subject_type=model._meta.label_lower).values_list("subject_id", flat=True)


class Hold(models.Model):
    """留存: something that may become evidence is not deleted until somebody releases it."""

    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="holds", verbose_name=_("union"))
    reason = models.CharField(_("reason"), max_length=500)
    placed_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    placed_at = models.DateTimeField(_("placed"), auto_now_add=True)
    released_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(_("released"), null=True)
    release_reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id"],
                condition=models.Q(released_at__isnull=True),
                name="hold_one_open",
            )
        ]

    def __str__(self):
        return f"{self.subject_type} {self.subject_id}"


class AuditRestriction(models.Model):
    """Of this target the trail's words are shown to nobody any more: the person was erased, the events must stay."""

    target_label = models.CharField(max_length=60)  # as in AuditEvent
    target_id = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target_label", "target_id"], name="audit_restriction_once")]

    def __str__(self):
        return f"{self.target_label} {self.target_id}"


class SignInLimit(models.Model):
    """A row of the cache `limits` (failed sign-ins), which Django's database cache writes and only sometimes clears."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    expires = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "core_limits"

    def __str__(self):
        return self.cache_key

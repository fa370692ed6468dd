"""Papers: PDFs issued once, numbered, hashed and kept; and the slices a long one is drawn in."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet


class PaperState(models.TextChoices):
    DRAWING = "drawing", _("being made")
    VALID = "valid", _("valid")
    REPLACED = "replaced", _("replaced")
    REVOKED = "revoked", _("revoked")
    FAILED = "failed", _("failed")


class Paper(models.Model):
    """One issued paper. Written by `core.papers` only; facts, file and hash never change once it is valid."""

    kind = models.CharField(_("kind"), max_length=40)  # a key of settings.PAPER_KINDS
    number = models.CharField(_("number"), max_length=60, unique=True, null=True)
    series = models.CharField(max_length=40, blank=True)  # what the number begins with: unit, kind and year
    serial = models.PositiveIntegerField(null=True)  # 1, 2, 3 … in the series, without gaps
    title = models.CharField(_("title"), max_length=200)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="papers")
    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    params = models.JSONField(default=dict)
    facts = models.JSONField(_("facts"), default=dict)  # totals and filters it was made from; no personal data
    facts_digest = models.CharField(max_length=64, blank=True)
    token = models.CharField(max_length=32, unique=True)  # the public page behind the QR code
    state = models.CharField(_("state"), max_length=8, choices=PaperState, default=PaperState.DRAWING)
    file = models.FileField(upload_to="papers/%Y/%m", blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    missing_glyphs = models.JSONField(default=list)
    seal_id = models.BigIntegerField(null=True)
    seal_digest = models.CharField(max_length=64, blank=True)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="paper")
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="papers")
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    issued_at = models.DateTimeField(_("issued"), null=True)
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("paper")
        verbose_name_plural = _("papers")
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject_type", "subject_id"]), models.Index(fields=["union", "id"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[PaperState.DRAWING, PaperState.FAILED])
                | (models.Q(issued_at__isnull=False, number__isnull=False) & ~models.Q(sha256="")),
                name="paper_issued_whole",
            ),
            models.UniqueConstraint(fields=["series", "serial"], name="paper_numbered_once"),
        ]

    def __str__(self):
        return f"{self.title} {self.number or ''}".strip()


class PaperSlice(models.Model):
    """At most 500 rows of a paper, drawn by one task; whoever finishes the last one claims the join."""

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="slices")
    index = models.PositiveIntegerField()
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, related_name="paper_slice")
    params = models.JSONField(default=dict)
    file = models.FileField(upload_to="slices", blank=True)
    pages = models.PositiveIntegerField(default=0)
    drawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["paper", "index"], name="slice_once")]

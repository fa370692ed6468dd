"""Uploads: photos, scans and PDFs that somebody handed in, sealed on the disk (written by `core.uploads`)."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet
from core.sealed_files import SealedStorage


class UploadQuerySet(ScopedQuerySet):
    def of(self, subject):
        """The uploads kept with one object that are there still."""
        there = self.filter(removed_at__isnull=True)
        return there.filter(subject_type=subject._meta.label_lower, subject_id=subject.pk)


class Upload(models.Model):
    """One file as it is kept. The name it came with is forgotten: people write names into it."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    kind = models.CharField(_("kind"), max_length=30)  # a word of the app above
    file = models.FileField(storage=SealedStorage(), blank=True)  # empty once it is removed
    content_type = models.CharField(max_length=30)
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField("SHA-256", max_length=64)  # of the clear content
    pages = models.PositiveSmallIntegerField(_("pages"), default=1)
    uploaded_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    removed_reason = models.CharField(max_length=200, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("uploaded paper")
        verbose_name_plural = _("uploaded papers")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(file=""), name="upload_removed_leaves_no_file"
            )
        ]
        indexes = [models.Index(fields=["subject_type", "subject_id"])]

    def __str__(self):
        return f"#{self.pk}"

    @property
    def suffix(self):
        """How the name of the file ends."""
        return "pdf" if self.content_type == "application/pdf" else "jpg"

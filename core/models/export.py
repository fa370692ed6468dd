"""Exports: a workbook that a user asked for, with the purpose that was given."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet
from core.sealed_files import SealedStorage


class ExportQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """One's own, nobody else's: a file holds what its asker could see."""
        return self.filter(asked_by=user)


class Export(models.Model):
    """One workbook: what was asked for and why, the file sealed, gone after its last day."""

    kind = models.CharField(_("kind"), max_length=20)  # a key of settings.EXPORT_KINDS
    query = models.CharField(max_length=1000, blank=True)  # filters, order and columns of the list it was asked from
    purpose = models.CharField(_("purpose"), max_length=200)
    clear = models.BooleanField(_("numbers in clear"), default=False)
    # Above all rows: events belong there. And the tops of the subtrees the rows come from: who downloads reaches all.
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, related_name="exports")
    tops = models.JSONField(default=list)
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="exports")
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    job = models.ForeignKey("core.Job", on_delete=models.PROTECT, null=True, related_name="+")
    file = models.FileField(upload_to="exports/%Y/%m", storage=SealedStorage(), blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    kept_until = models.DateField(_("kept until"))

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]

    def __str__(self):
        return f"{self.kind} {self.pk}"

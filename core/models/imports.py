"""Import batches: one uploaded file on its way from reading over preview to commit."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet, reach
from core.sealed_files import SealedStorage


class BatchState(models.TextChoices):
    READING = "reading", _("being read")
    PREVIEW = "preview", _("to be looked at")
    COMMITTING = "committing", _("being stored")
    COMMITTED = "committed", _("stored")
    UNDOING = "undoing", _("being taken back")
    UNDONE = "undone", _("taken back")
    FAILED = "failed", _("could not be read")
    DISCARDED = "discarded", _("discarded")


STORED = (BatchState.COMMITTED, BatchState.UNDOING, BatchState.UNDONE)


class Outcome(models.TextChoices):
    """What becomes of a row, gravest last (import contract)."""

    OK = "ok", _("stored")
    WARNING = "warning", _("stored, look at it")
    DUPLICATE = "duplicate", _("already there")
    ERROR = "error", _("not stored")


class ImportBatchQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """One's own uploads, and those at unions in reach: a batch stands above every union its rows may touch."""
        held = reach(user, perm)
        return self.filter(held.condition("union__path") | models.Q(created_by=user)) if held else self.none()


class ImportBatch(models.Model):
    """One file. The rows lie in the staging table of the app that reads it (`staged_rows`)."""

    kind = models.CharField(_("kind"), max_length=10)  # «unions» or «members»
    file = models.FileField(upload_to="imports/%Y/%m", storage=SealedStorage(), blank=True)
    file_name = models.CharField(_("file"), max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, related_name="import_batches")
    state = models.CharField(_("state"), max_length=10, choices=BatchState, default=BatchState.READING)
    sheet = models.CharField(max_length=100, blank=True)  # the one that was read; a CSV file has none
    other_sheets = models.JSONField(default=list)  # names of those that have a header row too and were not read
    header_row = models.PositiveIntegerField(default=0)
    columns = models.JSONField(default=list)  # the sheet's headers as they stand
    counts = models.JSONField(default=dict)  # {"outcomes": {...}, "codes": {...}}
    message = models.CharField(_("message"), max_length=500, blank=True)
    job = models.ForeignKey("core.Job", on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="import_batches")
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    committed_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    committed_at = models.DateTimeField(_("stored at"), null=True)
    returned = models.FileField(upload_to="returned/%Y/%m", storage=SealedStorage(), blank=True)  # with 处理结果
    undone_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(_("taken back at"), null=True)
    kept = models.JSONField(default=list)  # [[row, reason code]] of what an undo could not take back
    cleared_on = models.DateField(null=True)  # file and rows were deleted when their period was over (core.retention)

    objects = ImportBatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        indexes = [models.Index(fields=["union", "id"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=STORED, committed_at__isnull=False)
                | (~models.Q(state__in=STORED) & models.Q(committed_at__isnull=True)),
                name="import_committed_at",
            )
        ]

    def __str__(self):
        return self.file_name

    def why_not_hold(self):
        """The sentence why there is nothing left to hold, or an empty one."""
        if self.cleared_on or self.state == BatchState.DISCARDED:
            return gettext("File and rows of this import were deleted already: nothing of it is left to be held.")
        return ""


class StagedRow(models.Model):
    """One row of a sheet after reading, checking and sealing; each importing app adds its typed columns."""

    # Every index of this table begins with the batch; one more a row would cost the commit, and nobody would use it.
    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, db_index=False, related_name="%(class)ss")
    row = models.PositiveIntegerField(_("row"))  # as Excel numbers it
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome)
    codes = models.JSONField(_("codes"), default=list)
    shown = models.JSONField(_("shown"), default=dict)  # what the preview shows: masked, no full numbers
    changes = models.JSONField(_("changes"), default=dict)  # field -> [old, new] of an UPDATED row

    class Meta:
        abstract = True
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["batch", "row"], name="%(class)s_once")]
        indexes = [models.Index(fields=["batch", "outcome", "row"])]

"""How the portal's parts are: their last signs of life, and since when a check says what it says."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Pulse(models.Model):
    """The last sign of life of one part; `core.health` writes it each minute."""

    part = models.CharField(primary_key=True, max_length=20)  # «beat», «worker»
    at = models.DateTimeField()

    def __str__(self):
        return self.part


class HealthState(models.TextChoices):
    OK = "ok", _("in order")
    WARN = "warn", _("needs attention")
    FAIL = "fail", _("does not work")
    UNKNOWN = "unknown", _("cannot be told")


class HealthPeriod(models.Model):
    """From when to when a check said the same; the one without an end is what it says now."""

    check_name = models.CharField(_("check"), max_length=20)
    state = models.CharField(_("state"), max_length=7, choices=HealthState)
    key = models.CharField(max_length=40)  # which of the check's sentences
    began_at = models.DateTimeField(_("in this state since"))
    seen_at = models.DateTimeField()  # last said so
    ended_at = models.DateTimeField(_("in this state until"), null=True)

    class Meta:
        verbose_name = _("state of a check")
        verbose_name_plural = _("states of checks")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["check_name"], condition=models.Q(ended_at__isnull=True), name="health_period_one_now"
            )
        ]

    def __str__(self):
        return f"{self.check_name} {self.state}"

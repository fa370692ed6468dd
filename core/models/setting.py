"""Settings the federation may change: each value with its legal basis, source and dates."""

from datetime import date

from django.db import models
from django.utils.translation import gettext_lazy as _


class RuleStatus(models.TextChoices):
    """How far a rule is known (rulebook: how to read this file)."""

    READ = "READ", _("clause read")
    RECALLED = "RECALLED", _("to be confirmed by the federation")
    LOCAL = "LOCAL", _("local rule, to be confirmed by the federation")
    DESIGN = "DESIGN", _("our convention, to be confirmed by the federation")


class Setting(models.Model):
    """One value in force between two dates. `core.settings_table.value(key, on)` reads it."""

    key = models.SlugField(_("key"), max_length=60)
    value = models.CharField(_("value"), max_length=200)
    label = models.CharField(_("meaning"), max_length=200)
    legal_basis = models.CharField(_("legal basis"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=RuleStatus)
    valid_from = models.DateField(_("valid from"), default=date(2000, 1, 1))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)

    class Meta:
        verbose_name = _("setting")
        verbose_name_plural = _("settings")
        ordering = ["key", "valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["key", "valid_from"], name="setting_once_a_day"),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gte=models.F("valid_from")),
                name="setting_dates_in_order",
            ),
        ]

    def __str__(self):
        return self.label

"""The home visit (入户调查): on which day, by whom, what was found; and everybody who went along."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedText


class VisitOpinion(models.TextChoices):
    AS_DECLARED = "AS_DECLARED", _("as declared")
    DIFFERS = "DIFFERS", _("differs from what was declared")


class Visit(models.Model):
    """One visit of the household; `found` may name illnesses, so it is sealed."""

    case = models.ForeignKey("assistance.HardshipCase", on_delete=models.PROTECT, related_name="visits")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    on = models.DateField(_("visited on"))
    found = EncryptedText(_("what was found"))
    opinion = models.CharField(_("opinion"), max_length=11, choices=VisitOpinion)

    class Meta:
        verbose_name = _("home visit")
        verbose_name_plural = _("home visits")
        ordering = ["-id"]

    def __str__(self):
        return f"#{self.pk}"


class Visitor(models.Model):
    """Somebody who went along; with an account or without one."""

    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, related_name="visitors")
    user = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(_("name"), max_length=50)

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["visit", "user"], name="visitor_once")]

    def __str__(self):
        return f"#{self.pk}"

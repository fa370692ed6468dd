"""The audit trail: events written once, and the seals over them. No foreign keys to live data."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """One thing that happened. Written by `core.audit.record` only; the database refuses any change."""

    id = models.BigIntegerField(_("number"), primary_key=True)  # allocated before the insert, so that the MAC covers it
    at = models.DateTimeField(_("at"), db_index=True)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    actor_name = models.CharField(_("actor name"), max_length=150)
    verb = models.CharField(_("verb"), max_length=60, db_index=True)
    target_label = models.CharField(_("kind of target"), max_length=60)
    target_id = models.CharField(_("target"), max_length=40, blank=True)
    target_text = models.CharField(_("target in words"), max_length=200, blank=True)
    union_id = models.BigIntegerField(_("union"), null=True)
    changes = models.JSONField(_("changes"), default=dict)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    request_id = models.CharField(_("request"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    uuid = models.UUIDField(unique=True)
    mac = models.CharField(_("MAC"), max_length=64)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["target_label", "target_id"]),
            models.Index(fields=["union_id", "id"]),
        ]

    def __str__(self):
        return f"{self.verb} #{self.pk}"  # no words: those about somebody who was erased are shown nowhere


class AuditSeal(models.Model):
    """A digest over consecutive events, chained to the seal before it."""

    id = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(_("at"))
    from_id = models.BigIntegerField(_("first event"))
    to_id = models.BigIntegerField(_("last event"))
    count = models.PositiveIntegerField(_("events"))
    digest = models.CharField(_("digest"), max_length=64)
    previous = models.CharField(_("previous digest"), max_length=64, blank=True)
    mac = models.CharField(_("MAC"), max_length=64)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        ordering = ["-id"]

    def __str__(self):
        return f"#{self.id}"

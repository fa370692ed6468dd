"""Publicity (公示): what was shown of somebody, masked, from when to when; and the objections to it."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedText
from core.scope import ScopedQuerySet


class PublicityQuerySet(ScopedQuerySet):
    def of(self, subject):
        """The publicities of one object, the latest first."""
        return self.filter(subject_type=subject._meta.label_lower, subject_id=subject.pk).order_by("-pk")

    def standing(self):
        """Not taken down; the dates may be over."""
        return self.filter(taken_down_at__isnull=True)

    def shown_on(self, day):
        """What everybody can see on the date `day`, by its stored dates."""
        return self.standing().filter(shown_from__lte=day, shown_until__gte=day)


class Publicity(models.Model):
    """One notice on a public page. Written by `core.publicity` only; what is shown never changes."""

    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    token = models.CharField(max_length=24, unique=True)  # the public page; letters only: it holds no number
    title = models.CharField(_("title"), max_length=100)
    shown = models.JSONField(_("what is shown"))  # core.publicity.Notice.shown()
    digest = models.CharField("SHA-256", max_length=64)  # of what is shown
    rule_code = models.CharField(max_length=60)  # the deadline rule that says how long
    shown_from = models.DateField(_("shown from"))
    shown_until = models.DateField(_("shown until"))  # the last day
    taken_down_at = models.DateTimeField(_("taken down"), null=True)
    taken_down_why = models.CharField(_("why it was taken down"), max_length=200, blank=True)
    begun_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    begun_by_name = models.CharField(_("published by"), max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PublicityQuerySet.as_manager()

    class Meta:
        verbose_name = _("publicity")
        verbose_name_plural = _("publicities")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id"], condition=Q(taken_down_at__isnull=True), name="publicity_once"
            ),
            models.CheckConstraint(condition=Q(shown_until__gte=F("shown_from")), name="publicity_dates_in_order"),
        ]
        indexes = [models.Index(fields=["union", "shown_until"])]

    def __str__(self):
        return f"{self.title} #{self.pk}"


class ObjectionQuerySet(ScopedQuerySet):
    scope_path = "publicity__union__path"

    def waiting(self):
        return self.filter(answered_at__isnull=True)


class Objection(models.Model):
    """What somebody sent from the public page. Text and contact are sealed: they may name anybody."""

    publicity = models.ForeignKey(Publicity, on_delete=models.PROTECT, related_name="objections")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    receipt = models.CharField(_("receipt number"), max_length=12, unique=True)
    text = EncryptedText(_("objection"))
    contact = EncryptedText(_("how to reach the objector"), blank=True)
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    answer = EncryptedText(_("what was found out"), blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    answered_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")

    objects = ObjectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("objection")
        verbose_name_plural = _("objections")
        ordering = ["-id"]

    def __str__(self):
        return self.receipt

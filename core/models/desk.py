"""What the portal keeps for one user: saved views of lists, drafts of forms, e-mail digests."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedText


class SavedView(models.Model):
    """A list as a user wants to see it again: filters, order and columns, as the query of its address."""

    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=60)  # the list's URL name
    name = models.CharField(_("name"), max_length=50)
    query = models.CharField(max_length=1000)
    is_default = models.BooleanField(_("opens by default"), default=False)  # in place of the bare list

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "page", "name"], name="saved_view_once"),
            models.UniqueConstraint(
                fields=["user", "page"], condition=models.Q(is_default=True), name="saved_view_one_default"
            ),
        ]

    def __str__(self):
        return self.name


class Draft(models.Model):
    """What a user has typed into a form and not yet sent; the form opens on it again (R26)."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="drafts")
    form = models.CharField(max_length=200)  # the path of the form's page
    content = EncryptedText()  # JSON: {field: [values]}
    saved_at = models.DateTimeField(_("saved"), auto_now=True)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [models.UniqueConstraint(fields=["user", "form"], name="draft_once")]

    def __str__(self):
        return self.form


class DigestState(models.TextChoices):
    CLAIMED = "claimed", _("being sent")
    SENT = "sent", _("sent")
    UNSURE = "unsure", _("perhaps sent")


class Digest(models.Model):
    """The e-mail of one day to one user: claimed before it is sent, so that it is never sent twice."""

    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="digests")
    day = models.DateField()
    state = models.CharField(_("state"), max_length=7, choices=DigestState, default=DigestState.CLAIMED)
    duties = models.PositiveIntegerField(default=0)
    claimed_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("digest")
        verbose_name_plural = _("digests")
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="digest_once_a_day")]

    def __str__(self):
        return f"{self.user} {self.day}"

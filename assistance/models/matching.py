"""Data match with civil affairs: who was asked about with whose authorisation, and what the answer says."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedText
from core.scope import ScopedQuerySet
from core.sealed_files import SealedStorage


class MatchPurpose(models.TextChoices):
    """Why people are asked about: whose cases the request is made of."""

    APPLICATION = "APPLICATION", _("applications")
    REVIEW = "REVIEW", _("filed households, periodic review")
    RETURN = "RETURN", _("households that exited: are they back in hardship?")


class MatchState(models.TextChoices):
    ASKED = "ASKED", _("list made")
    SENT = "SENT", _("waiting for the answer")
    READING = "READING", _("the answer is being read")
    ANSWERED = "ANSWERED", _("answered")


class MatchRequest(models.Model):
    """One list to civil affairs, and the one answer to it. Of the files only hash, size, user and counts are kept."""

    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    purpose = models.CharField(_("purpose"), max_length=12, choices=MatchPurpose)
    state = models.CharField(_("state"), max_length=8, choices=MatchState, default=MatchState.ASKED)
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by"))
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    cases = models.PositiveIntegerField(_("cases"), default=0)
    people = models.PositiveIntegerField(_("people"), default=0)
    left_out = models.JSONField(default=dict)  # {"withdrawn": n, "missing": n} people without authorisation
    sent_on = models.DateField(_("sent on"), null=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)  # of the list as it was downloaded last
    # The answer.
    answer_name = models.CharField(_("file name"), max_length=200, blank=True)
    answer_sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    answer_file = models.FileField(upload_to="matches", storage=SealedStorage(), blank=True)  # only until it is read
    answered_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    issued_on = models.DateField(_("result of the day"), null=True)  # said by whoever uploads it
    valid_until = models.DateField(_("valid until"), null=True)
    counts = models.JSONField(default=dict)  # rows, unreadable, duplicates, strangers, MATCH, MISMATCH, NOT_FOUND, back
    job = models.ForeignKey("core.Job", on_delete=models.PROTECT, null=True, related_name="+")
    message = models.CharField(max_length=500, blank=True)  # why the last answer could not be read

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("data match")
        verbose_name_plural = _("data matches")
        ordering = ["-id"]

    def __str__(self):
        return f"#{self.pk}"


class MatchPerson(models.Model):
    """Somebody on the list, with the authorisation it stands on."""

    request = models.ForeignKey(MatchRequest, on_delete=models.CASCADE, related_name="asked")
    person = models.ForeignKey("assistance.HouseholdPerson", on_delete=models.PROTECT, related_name="matches")
    consent = models.ForeignKey("assistance.Consent", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "person"], name="match_person_once")]


class MatchResult(models.TextChoices):
    MISMATCH = "MISMATCH", _("differs")
    NOT_FOUND = "NOT_FOUND", _("not found")
    MATCH = "MATCH", _("agrees")


class MatchAnswerQuerySet(ScopedQuerySet):
    scope_path = "request__union__path"

    def unexplained(self):
        """Differences that wait for a human."""
        return self.filter(result=MatchResult.MISMATCH, upheld__isnull=True)


class MatchAnswer(models.Model):
    """What the answer says of one person. Differences are explained by a human before anybody is rejected for them."""

    asked = models.OneToOneField(MatchPerson, on_delete=models.CASCADE, related_name="answer")
    request = models.ForeignKey(MatchRequest, on_delete=models.CASCADE, related_name="answers")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    result = models.CharField(_("result"), max_length=9, choices=MatchResult)
    # [{"field", "declared", "found"}] of a mismatch, as JSON: family finances, so sealed (PIPL 28).
    differences = EncryptedText(_("differences"), blank=True)
    # The household exited, and what was found is hardship again (返困).
    back = models.BooleanField(_("back in hardship"), default=False)
    explanation = EncryptedText(_("explanation"), blank=True)
    upheld = models.BooleanField(
        _("the difference holds"), null=True
    )  # False: explained; True: what was found is right
    explained_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    explained_at = models.DateTimeField(null=True)

    objects = MatchAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("result of a data match")
        verbose_name_plural = _("results of data matches")
        ordering = ["id"]
        indexes = [models.Index(fields=["request", "result"])]

    def __str__(self):
        return f"#{self.pk}"


class MatchNumber(models.Model):
    """The blind index of a row of an answer, while it is read: a table put aside (`core.bulk.aside`), else empty."""

    row = models.PositiveIntegerField(primary_key=True)
    id_index = models.CharField(max_length=43)

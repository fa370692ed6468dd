"""Campaigns (四季送): what is given in a season and to whom, how many places each union has, and who gets it."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from assistance.models.case import Category
from assistance.models.money import PayMethod
from core.fields import MoneyField
from core.scope import WIDTH, ScopedQuerySet, reach


class CampaignKind(models.TextChoices):
    SPRING = "SPRING", _("jobs in spring")
    COOL = "COOL", _("coolness in summer")
    EDUCATION = "EDUCATION", _("schooling in autumn")
    WARMTH = "WARMTH", _("warmth in winter")


class Target(models.TextChoices):
    MEMBERS = "MEMBERS", _("members")
    HOUSEHOLDS = "HOUSEHOLDS", _("members of filed hardship households")


class CampaignQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """Those of the unions reached, and those that give places to them, to a union below or to one above."""
        held = reach(user, perm)
        if held.everything:
            return self.all()
        above = [top[:end] for top in held.paths for end in range(WIDTH, len(top), WIDTH)]
        places = Quota.objects.filter(held.condition("union__path") | Q(union__path__in=above))
        return self.filter(held.condition("union__path") | Q(pk__in=places.values("campaign")))


class Campaign(models.Model):
    """One season's campaign of a union. `query` is that of a saved view of the list of members; empty: all of them."""

    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    kind = models.CharField(_("kind"), max_length=9, choices=CampaignKind)
    year = models.PositiveSmallIntegerField(_("year"), validators=[MinValueValidator(2000), MaxValueValidator(2100)])
    name = models.CharField(_("name of the campaign"), max_length=60)
    ends_on = models.DateField(_("recipients entered by"))
    target = models.CharField(_("meant for"), max_length=10, choices=Target)
    category = models.CharField(_("category of hardship"), max_length=12, choices=Category, blank=True)
    query = models.CharField(max_length=1000, blank=True, editable=False)
    target_name = models.CharField(_("saved view"), max_length=50, blank=True, editable=False)
    budget = models.ForeignKey(  # null: nothing that is paid for, as help to find work
        "assistance.Budget", on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns",
        verbose_name=_("budget"),
    )  # fmt: skip
    amount = MoneyField(_("yuan a person"), default=Decimal(0), validators=[MinValueValidator(0)])
    method = models.CharField(_("method"), max_length=7, choices=PayMethod, default=PayMethod.IN_KIND)
    closed_on = models.DateField(_("closed on"), null=True, editable=False)
    made_by = models.ForeignKey(  # whose saved view it is meant by: it chooses within that user's scope
        "core.User", on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["union", "year", "name"], name="campaign_once"),
            models.CheckConstraint(
                condition=Q(budget__isnull=True, amount=0) | Q(budget__isnull=False, amount__gt=0),
                name="campaign_pays_or_not",
            ),
        ]

    def __str__(self):
        return f"{self.name} {self.year}"


class Quota(models.Model):
    """How many recipients a union and all below it may enter."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="quotas")
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    places = models.PositiveIntegerField(_("places"), validators=[MinValueValidator(1), MaxValueValidator(100_000)])
    taken = models.PositiveIntegerField(_("entered"), default=0, editable=False)

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        ordering = ["union__path"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "union"], name="quota_once"),
            models.CheckConstraint(condition=Q(taken__lte=F("places")), name="quota_not_exceeded"),
        ]

    def __str__(self):
        return str(self.union)


class Recipient(models.Model):
    """Somebody who gets what a campaign gives: once."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="recipients")
    quota = models.ForeignKey(Quota, on_delete=models.PROTECT, related_name="recipients")
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    person = models.ForeignKey("members.Person", on_delete=models.PROTECT, related_name="+")
    entered_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    entered_at = models.DateTimeField(_("entered"), auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["campaign", "person"], name="recipient_once")]

    def __str__(self):
        return f"#{self.pk}"

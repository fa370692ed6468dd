"""What decides, effective-dated: the 低保 standard of a place, and what each source of money may be used for.

Single values (multiples, shares, months, the order of publicity and match) are settings of the portal: `hardship_…`.
"""

from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.fields import MoneyField
from core.models.setting import RuleStatus


class Dated(models.Model):
    """A value in force between two dates, with where it comes from."""

    legal_basis = models.CharField(_("legal basis"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=RuleStatus, default=RuleStatus.LOCAL)
    valid_from = models.DateField(_("valid from"), default=date(2000, 1, 1))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="%(class)s_dates_in_order"
            )
        ]


def in_force(on):
    """The Q of rows in force on the date `on`."""
    return Q(valid_from__lte=on) & (Q(valid_to__isnull=True) | Q(valid_to__gte=on))


class LivingStandard(Dated):
    """最低生活保障标准: yuan a person and month, for the union `area` and all below it that has none of its own."""

    area = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("area"))
    amount = MoneyField(_("yuan a person and month"), validators=[MinValueValidator(1)])

    class Meta(Dated.Meta):
        verbose_name = _("minimum living standard")
        verbose_name_plural = _("minimum living standards")
        ordering = ["area__path", "valid_from"]
        constraints = [
            *Dated.Meta.constraints,
            models.UniqueConstraint(fields=["area", "valid_from"], name="living_standard_once_a_day"),
        ]

    def __str__(self):
        return f"{self.area} {self.amount}"

    def clean(self):
        """A standard that decided stays what it was: the decisions are replayed with it."""
        before = type(self).objects.filter(pk=self.pk).values("area_id", "amount", "valid_from").first()
        if before is None or all(before[name] == getattr(self, name) for name in before):
            return
        if self.decisions.exists():
            raise ValidationError(
                _("Decisions rest on this standard: end it, and add the new one from the day it is valid.")
            )


class FundKind(models.TextChoices):
    """Where the money comes from (rulebook §3.5, §3.6)."""

    CENTRAL = "CENTRAL", _("central treasury")
    PROVINCIAL = "PROVINCIAL", _("provincial treasury")
    CITY = "CITY", _("city treasury")
    UNION_OWN = "UNION_OWN", _("the union's own funds")
    DONATION = "DONATION", _("donation")
    EMPLOYER = "EMPLOYER", _("employer")
    OTHER = "OTHER", _("other lawful source")


class AidKind(models.TextChoices):
    """Kinds of aid (rulebook §3.4)."""

    LIVING = "LIVING", _("living allowance")
    EDUCATION = "EDUCATION", _("schooling of children")
    MEDICAL = "MEDICAL", _("medical aid")
    WARMTH = "WARMTH", _("warmth in winter")
    COOL = "COOL", _("coolness in summer")
    SPRING = "SPRING", _("jobs in spring")
    EMPLOYMENT = "EMPLOYMENT", _("employment help")
    TRAINING = "TRAINING", _("training")
    STARTUP = "STARTUP", _("start-up help")
    LEGAL = "LEGAL", _("legal aid")
    MUTUAL = "MUTUAL", _("mutual aid")
    PSYCH = "PSYCH", _("psychological help")
    DISASTER = "DISASTER", _("emergency aid")
    MODEL_WORKER = "MODEL_WORKER", _("model workers")


class FundRule(Dated):
    """What money of one kind may pay: the kinds of aid, and the ceilings a person, each time and in a calendar year."""

    fund_kind = models.CharField(_("source of money"), max_length=10, choices=FundKind)
    aid_kind = models.CharField(_("kind of aid"), max_length=12, choices=AidKind)
    per_time = MoneyField(_("ceiling a person and time"), null=True, blank=True, validators=[MinValueValidator(0)])
    per_year = MoneyField(_("ceiling a person and year"), null=True, blank=True, validators=[MinValueValidator(0)])
    filed_only = models.BooleanField(_("only for filed households"), default=False)

    class Meta(Dated.Meta):
        verbose_name = _("rule of a source of money")
        verbose_name_plural = _("rules of sources of money")
        ordering = ["fund_kind", "aid_kind", "valid_from"]
        constraints = [
            *Dated.Meta.constraints,
            models.UniqueConstraint(fields=["fund_kind", "aid_kind", "valid_from"], name="fund_rule_once_a_day"),
        ]

    def __str__(self):
        return f"{self.get_fund_kind_display()} → {self.get_aid_kind_display()}"

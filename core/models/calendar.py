"""The holiday calendar as data: each listed day with the notice that ordered it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DayKind(models.TextChoices):
    OFF = "OFF", _("rest day")
    WORK = "WORK", _("make-up working day")


class CalendarYear(models.Model):
    """A year whose holiday notice is published; a count that touches another year is provisional."""

    year = models.PositiveSmallIntegerField(_("year"), primary_key=True)
    notice_no = models.CharField(_("notice"), max_length=100, blank=True)
    published = models.BooleanField(_("published"), default=False)

    class Meta:
        verbose_name = _("calendar year")
        verbose_name_plural = _("calendar years")
        ordering = ["-year"]

    def __str__(self):
        return str(self.year)


class CalendarDay(models.Model):
    """A day that differs from the weekday rule (rulebook §0.2); a day not listed follows its weekday."""

    date = models.DateField(_("date"), primary_key=True)
    kind = models.CharField(_("kind"), max_length=4, choices=DayKind)
    name = models.CharField(_("holiday"), max_length=40, blank=True)
    notice_no = models.CharField(_("notice"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("holiday or make-up day")
        verbose_name_plural = _("holidays and make-up days")
        ordering = ["-date"]

    def __str__(self):
        return f"{self.date} {self.get_kind_display()}"

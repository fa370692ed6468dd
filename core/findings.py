"""What people do about findings: look at them with their records, mend them by a click, set them aside for a while.

A finding that was set aside is counted apart and stays in sight; the day and the reason are kept with the name.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, examination, settings_table
from core.checkup import ALL, Gravity, checks, populations
from core.models import CheckupCount, CheckupDay, Finding
from core.scope import reach

VIEW = "core.view_finding"
ASIDE = "core.aside_finding"
RUN = "core.run_checkup"
TREND_DAYS = 90  # shown in the chart
SUMMED_UP = 4  # checks named on a union's page


# --- Looking at them -------------------------------------------------------------------------------------------------


def with_subjects(findings):
    """Give each of `findings` its `check`, its `subject` and `text` (None and "" when the record is gone).

    One query for each kind of record among them.
    """
    keys = defaultdict(list)
    for finding in findings:
        finding.check = checks()[finding.code]
        keys[finding.check.of].append(finding.subject_id)
    rows = {
        population: population.rows().select_related(*population.related).in_bulk(keys[population])
        for population in populations().values()
        if population in keys
    }
    for finding in findings:
        finding.subject = rows[finding.check.of].get(finding.subject_id)
        finding.text = "" if finding.subject is None else str(finding.subject)
    return findings


def mends_of(finding, user):
    """[(Mend, address)] of the ways to mend a finding `with_subjects` that `user` may go; "" where a click does it."""
    if finding.subject is None:
        return []
    return [
        (mend, "" if mend.act else mend.url(finding.subject))
        for mend in finding.check.mends
        if user.has_perm(mend.perm, finding.union)
    ]


def by_gravity(user):
    """[(Gravity, number)] of the findings that `user` sees and should do something about, the grave ones first."""
    held = reach(user, VIEW)
    if not held:
        return []
    rows = CheckupCount.objects.filter(code__in=checks())
    rows = rows.filter(union__parent__isnull=True) if held.everything else rows.filter(union__path__in=held.paths)
    numbers = Counter()
    for code, number in rows.values_list("code").annotate(number=Sum("below")):
        numbers[Gravity(checks()[code].gravity)] += number
    return sorted((gravity, number) for gravity, number in numbers.items() if number)


def summary(union, user):
    """{"total", "aside", "lines": [(Check, number)]} of a union and all below, the gravest first; None out of sight."""
    if not user.has_perm(VIEW, union):
        return None
    counts = {count.code: count for count in CheckupCount.objects.filter(union=union)}
    found = [(check, counts[code].below) for code, check in checks().items() if code in counts and counts[code].below]
    total = counts.get(ALL, CheckupCount())
    return {"total": total.below, "aside": total.aside, "lines": found[:SUMMED_UP], "checked": bool(counts)}


def trend(union, code, today, days=TREND_DAYS):
    """[(day, number)] of the findings of `code` at `union` and below, one for each of the last `days`, today's too.

    Before the first day that is known there is none.
    """
    rows = CheckupDay.objects.filter(union=union, code=code).order_by("day")
    begin = today - timedelta(days=days - 1)
    before = rows.filter(day__lt=begin).order_by("-day").values_list("below", flat=True).first()
    noted = dict(rows.filter(day__gte=begin, day__lte=today).values_list("day", "below"))
    numbers, number = [], before
    for distance in range(days):
        day = begin + timedelta(days=distance)
        number = noted.get(day, number)
        if number is not None:
            numbers.append((day, number))
    return numbers


# --- Mending by a click ----------------------------------------------------------------------------------------------


def mend(finding, label, *, by):
    """Do the act `label` that mends `finding`, and look again. Returns whether it is mended.

    Raises PermissionDenied, and ValidationError with the reason when it cannot be done.
    """
    with_subjects([finding])
    done = next((each for each, url in mends_of(finding, by) if not url and str(each.label) == label), None)
    if done is None:
        raise PermissionDenied(_("Your role here does not include this act."))
    done.act(finding.subject, by=by)
    return look_again(finding)


def look_again(finding):
    """Compare the record of one finding with the facts as they are now; returns whether it is mended."""
    check = checks()[finding.code]
    examination.look_again({(check.of.label_of_model, finding.subject_id)})
    return not Finding.objects.filter(pk=finding.pk).exists()


# --- Setting aside ---------------------------------------------------------------------------------------------------


def longest_aside(today):
    """The last day until which a finding can be set aside."""
    return today + timedelta(days=int(settings_table.value("checkup_aside_days")))


def set_aside(finding, *, by, until, reason):
    """Set `finding` aside until the day `until`, included. Raises ValidationError."""
    today = timezone.localdate()
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if not today < until <= longest_aside(today):
        raise ValidationError(
            {
                "until": _("Choose a day after today and until %(day)s: nothing is set aside for good.")
                % {"day": longest_aside(today)}
            }
        )
    _write(finding, "core.set_aside_finding", by=by, until=until, reason=reason.strip()[:200])


def take_back(finding, *, by):
    """End the setting aside of `finding`: it is to be mended again."""
    _write(finding, "core.take_back_finding", by=by, until=None, reason="")


def _write(finding, verb, *, by, until, reason):
    with transaction.atomic():
        with connection.cursor() as cursor:
            examination.alone(cursor)
        finding = Finding.objects.select_related("union").filter(pk=finding.pk).first()
        if finding is None:
            raise ValidationError(_("This is mended already: the finding is gone."))
        if not by.has_perm(ASIDE, finding.union):
            raise PermissionDenied(_("Your role here does not include this act."))
        today = timezone.localdate()
        was, before = finding.is_aside(today), finding.aside_until
        finding.aside_until, finding.aside_reason, finding.aside_by = until, reason, by if until else None
        finding.save(update_fields=["aside_until", "aside_reason", "aside_by"])
        moved = int(finding.is_aside(today)) - int(was)
        examination.count_on({(finding.union_id, finding.code): {"here": -moved, "aside": moved}})
        audit.record(verb, finding, by=by, union=finding.union, changes={"aside_until": [before, until]}, reason=reason)

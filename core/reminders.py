"""Reminders: each stage of each open deadline is written exactly once, in working time.

A stage is due when its day has come and it was not yet sent, so a run that was missed is made up for by the next one.
If several stages have come by then, each is recorded once and only the last is shown (`unread_by`).
"""

import re
from datetime import date, time, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from core import audit
from core.calendar import DAY, Calendar
from core.counting import add_months
from core.models import Deadline, DeadlineRule, Reminder
from core.settings_table import value

CHUNK = 1000
OVERDUE = "OVERDUE"
STAGE = re.compile(r"(\d{1,3})([MD])")


def stages_of(rule):
    """Return the stages in `rule.remind_before`: «6M» six months before, «7D» seven days, «0D» when it is overdue.

    Raises ValueError if the text is none of these, separated by commas.
    """
    stages = []
    for text in filter(None, (part.strip() for part in rule.remind_before.split(","))):
        found = STAGE.fullmatch(text)
        if found is None:
            raise ValueError(text)
        stages.append(OVERDUE if int(found[1]) == 0 else text)
    return stages


def reached_until(stage, today):
    """The last natural date that has reached `stage` today: months clip to the end of the month (T2)."""
    if stage == OVERDUE:
        return today - DAY
    number, unit = STAGE.fullmatch(stage).groups()
    if unit == "D":
        return today + timedelta(days=int(number))
    last = add_months(today, int(number))
    while add_months(last + DAY, -int(number)) <= today:  # 28 February is six months before 28 to 31 August
        last += DAY
    return last


def in_sight(deadlines, today):
    """Leave out of the queryset `deadlines` what nobody need think of yet: before its rule's first reminder.

    A rule without reminders of its own is always in sight.
    """
    for rule in DeadlineRule.objects.exclude(remind_before=""):
        last = max(reached_until(stage, today) for stage in stages_of(rule))
        deadlines = deadlines.exclude(rule=rule, natural__gt=last)
    return deadlines


def working_time(now):
    """Whether `now` (aware) lies in the hours of the settings on a working day (R1)."""
    local = timezone.localtime(now)
    first, last = (time.fromisoformat(value(key, local.date())) for key in ("reminder_from", "reminder_until"))
    return first <= local.time() <= last and Calendar.load().is_workday(local.date())


def send(now):
    """Write every reminder whose stage has come by `now` (aware) and that is not yet there; return how many.

    Nothing at night or on rest days. A few queries whatever the number of deadlines; two runs at once write nothing
    twice: the second waits for the first, and the unique key stands behind both.
    """
    if not working_time(now):
        return 0
    today = timezone.localdate(now)
    with transaction.atomic():
        rules = list(DeadlineRule.objects.exclude(remind_before="").order_by("pk").select_for_update(no_key=True))
        sent = {}
        for rule in rules:
            # Far stages first, so that of several written at once the nearest comes last.
            reached = sorted(((reached_until(stage, today), stage) for stage in stages_of(rule)), reverse=True)
            for until, stage in reached:
                sent[stage] = sent.get(stage, 0) + _write(rule, stage, until)
        changes = {stage: [0, number] for stage, number in sent.items() if number}
        if changes:
            audit.record("core.send_reminders", None, by=None, changes=changes)
    return sum(sent.values())


def _write(rule, stage, until: date):
    """Write the reminders of one rule and stage for open deadlines up to the natural date `until`."""
    there = Reminder.objects.filter(
        rule_code=rule.code,
        subject_type=OuterRef("subject_type"),
        subject_id=OuterRef("subject_id"),
        trigger=OuterRef("trigger"),
        stage=stage,
    )
    due = Deadline.objects.open().filter(~Exists(there), rule=rule, natural__lte=until).order_by("natural", "pk")
    new = [
        Reminder(
            deadline_id=pk, rule_code=rule.code, subject_type=subject_type, subject_id=subject_id, trigger=trigger,
            stage=stage, union_id=union_id,
        )
        for pk, subject_type, subject_id, trigger, union_id in due.values_list(
            "pk", "subject_type", "subject_id", "trigger", "union_id"
        )
    ]  # fmt: skip
    Reminder.objects.bulk_create(new, batch_size=CHUNK)
    return len(new)

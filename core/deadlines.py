"""Deadlines: computed from a rule, a fact and the calendar; opened, closed and computed again, never typed."""

from dataclasses import dataclass
from datetime import date
from uuid import uuid4

from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from core import audit, derivation
from core.calendar import Calendar
from core.counting import count
from core.models import Deadline, DeadlineRule
from core.models.deadline import DeadlineState

CHUNK = 1000
LATE_KEPT = 60  # seconds that a count of what is late is good for, if nobody opens or closes a deadline meanwhile
WRITTEN = "deadlines-written"  # cache key of a mark that changes whenever deadlines were written
COMPUTED = ("natural", "due", "other_due", "earliest", "derivation", "provisional", "side")


class CannotCount(ValueError):
    """A period that has no end; carries the sentence that says why."""


@dataclass(frozen=True)
class Computed:
    """What a rule makes of a trigger: dates, and the derivation that explains them."""

    natural: date  # before rolling; reminders go by it
    due: date
    other_due: date | None  # by the second reading, where the unit is in doubt
    derivation: str
    provisional: bool  # a year without a published notice was touched

    @property
    def earliest(self):
        """The earlier of the two readings: what a careful officer keeps."""
        return min(self.due, self.other_due or self.due)


@dataclass(frozen=True)
class Opening:
    """One deadline to open: `subject` is a stored row of any model, `union` a Union or its key."""

    rule_code: str
    trigger: date
    subject: object
    union: object
    title: str
    owner: object = None

    @property
    def key(self):
        return (self.rule_code, self.subject._meta.label_lower, self.subject.pk, self.trigger)


def compute(rule, trigger, calendar):
    """Return the `Computed` dates of `rule` (a DeadlineRule) from `trigger` (a date), by rulebook §0.3.

    Pure: `calendar` is a loaded `Calendar`, and nothing else is read. Raises CannotCount.
    """
    calendar = calendar.afresh()
    other = None
    try:
        reading = count(trigger, rule.length, rule.unit, calendar, backward=rule.backward, roll=rule.roll)
        if rule.other_length:
            other = count(trigger, rule.other_length, rule.other_unit, calendar, backward=rule.backward, roll=True)
    except (OverflowError, ValueError):
        raise CannotCount(
            _("%(length)s %(unit)s cannot be counted from %(date)s: the calendar ends first.")
            % {"length": rule.length, "unit": rule.get_unit_display(), "date": trigger}
        ) from None
    return Computed(
        natural=reading.natural,
        due=reading.due,
        other_due=other.due if other else None,
        derivation=derivation.tell(rule, trigger, reading, other, calendar),
        provisional=bool(calendar.unpublished),
    )


class Reckoner:
    """Computes with one loaded calendar, each rule and trigger once: many deadlines start on the same day."""

    def __init__(self, calendar):
        self.calendar = calendar
        self.done = {}

    def columns(self, rule, trigger):
        """The computed columns of a deadline, by field name."""
        key = rule.pk, trigger
        if key not in self.done:
            computed = compute(rule, trigger, self.calendar)
            self.done[key] = {name: getattr(computed, name) for name in COMPUTED[:-1]} | {"side": rule.side}
        return self.done[key]


def open_deadline(rule_code, trigger, *, subject, union, title, by, owner=None):
    """Open the deadline of `rule_code` from `trigger` for `subject`, or return the open one there is (R44).

    `union` (a Union or its key) is where the deadline stands; `title` says what it is about. Raises CannotCount.
    """
    opening = Opening(rule_code, trigger, subject, union, title, owner)
    with transaction.atomic():
        open_many([opening], by=by)
        return Deadline.objects.open().of(subject).get(rule__code=rule_code, trigger=trigger)


@transaction.atomic
def open_many(openings, *, by):
    """Open every one of `openings` that is not open yet, in few queries; return the new deadlines.

    Raises CannotCount. Call it in the transaction that stores the subjects: two that open the same deadline at the
    same moment make one of them fail on the unique key.
    """
    wanted = {opening.key: opening for opening in openings}
    if not wanted:
        return []
    rules = DeadlineRule.objects.in_bulk({opening.rule_code for opening in wanted.values()}, field_name="code")
    there = _open_keys(wanted)
    reckoner = Reckoner(Calendar.load())
    new = [
        Deadline(
            rule=rules[opening.rule_code],
            trigger=opening.trigger,
            subject_type=opening.subject._meta.label_lower,
            subject_id=opening.subject.pk,
            title=opening.title[:200],
            union_id=getattr(opening.union, "pk", opening.union),
            owner=opening.owner,
            **reckoner.columns(rules[opening.rule_code], opening.trigger),
        )
        for key, opening in wanted.items()
        if key not in there
    ]
    Deadline.objects.bulk_create(new, batch_size=CHUNK)
    _note_written()
    audit.record_many(
        {
            "verb": "core.open_deadline",
            "target": row,
            "by": by,
            "union": row.union_id,
            "changes": {"due": [None, row.due]},
        }
        for row in new
    )
    return new


def _open_keys(wanted):
    """Which of the keys in `wanted` are open already, as a set."""
    there = set()
    keys = list(wanted)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        rows = Deadline.objects.open().filter(
            rule__code__in={key[0] for key in chunk},
            subject_type__in={key[1] for key in chunk},
            subject_id__in={key[2] for key in chunk},
        )
        there.update(rows.values_list("rule__code", "subject_type", "subject_id", "trigger"))
    return there


@transaction.atomic
def close(deadlines, state, *, on, by, reason=""):
    """Close `deadlines` (one Deadline or a queryset), those that are still open; return how many there were.

    `state` is met, waived or void; waiving needs a reason (R43). `on` is the day it happened.
    """
    if state == DeadlineState.WAIVED and not reason.strip():
        raise ValueError(_("A deadline is waived with a reason only."))
    if state == DeadlineState.OPEN:
        raise ValueError(_("Closed means met, waived or void."))
    one = deadlines if isinstance(deadlines, Deadline) else None
    rows = Deadline.objects.filter(pk=one.pk) if one else deadlines
    closing = list(rows.open().order_by("pk").select_for_update(of=("self",)))
    facts = {"state": state, "closed_on": on, "reason": reason[:500]}
    for start in range(0, len(closing), CHUNK):
        Deadline.objects.filter(pk__in=[row.pk for row in closing[start : start + CHUNK]]).update(**facts)
    _note_written()
    audit.record_many(
        {
            "verb": "core.close_deadline",
            "target": row,
            "by": by,
            "union": row.union_id,
            "changes": {"state": [row.state, state], "closed_on": [None, on]},
            "reason": reason,
        }
        for row in closing
    )
    if one and closing:
        one.state, one.closed_on, one.reason = state, on, facts["reason"]
    return len(closing)


@transaction.atomic
def hand_on(deadlines, *, to, by, reason=""):
    """Give those of the queryset `deadlines` that are open to the user `to`, None: to the desk of their unions.

    Returns how many there were.
    """
    given = list(deadlines.open().order_by("pk").select_for_update(of=("self",)))
    for start in range(0, len(given), CHUNK):
        Deadline.objects.filter(pk__in=[row.pk for row in given[start : start + CHUNK]]).update(owner=to)
    _note_written()
    audit.record_many(
        {
            "verb": "core.hand_on_deadline",
            "target": row,
            "by": by,
            "union": row.union_id,
            "changes": {"owner": [row.owner_id, to and to.pk]},
            "reason": reason,
        }
        for row in given
    )
    return len(given)


def retitle(deadlines, title):
    """Write the new `title` of what the open ones of the queryset `deadlines` are about; return how many."""
    return deadlines.open().update(title=title[:200])


def stale(deadlines):
    """Yield the keys of those of the queryset `deadlines` whose stored dates their rule and trigger do not give."""
    reckoner = Reckoner(Calendar.load())
    for row in deadlines.select_related("rule").iterator(chunk_size=CHUNK):
        try:
            wrong = _changes(row, reckoner.columns(row.rule, row.trigger))
        except CannotCount:
            wrong = True
        if wrong:
            yield row.pk


def _changes(row, new):
    """{column: [stored, new]} of what differs."""
    return {name: [getattr(row, name), new[name]] for name in COMPUTED if getattr(row, name) != new[name]}


@transaction.atomic
def recompute(rules=None, *, of=None, by):
    """Compute the open deadlines of `rules` (all when None), or of the queryset `of`, again; return how many changed.

    Called when the calendar or a rule was changed, or a date was found wrong. Deadlines of one rule and trigger have
    the same dates, so each pair is one update. Old and new dates go into the trail. Raises CannotCount.
    """
    meant = (Deadline.objects.all() if of is None else of).open()
    if rules is not None:
        meant = meant.filter(rule__in=rules)
    rows = meant.select_related("rule").order_by("pk")
    reckoner = Reckoner(Calendar.load())
    differing, events = {}, []
    for row in rows.select_for_update(of=("self",)).iterator(chunk_size=CHUNK):
        new = reckoner.columns(row.rule, row.trigger)
        if changes := _changes(row, new):
            differing[row.rule_id, row.trigger] = new
            events.append(
                {"verb": "core.recompute_deadline", "target": row, "by": by, "union": row.union_id, "changes": changes}
            )
    for (rule_id, trigger), new in differing.items():
        meant.filter(rule_id=rule_id, trigger=trigger).update(**new)
    _note_written()
    audit.record_many(events)
    return len(events)


def late(user, today, cap, *, afresh=False):
    """Return how many duties on the desk of `user` are overdue on the day `today`, counted to `cap` at most.

    The figure stands on every page, so it is kept for `LATE_KEPT` seconds, but never beyond the next deadline that
    anybody opens, closes, hands on or computes again. `afresh` counts whatever is kept.
    """
    name = f"late-{user.pk}-{today}"
    kept = {} if afresh else cache.get_many([name, WRITTEN])
    if name in kept and kept[name][0] == kept.get(WRITTEN):
        return kept[name][1]
    written = kept.get(WRITTEN) if kept else cache.get(WRITTEN)
    number = Deadline.objects.desk_of(user).overdue(today)[:cap].count()
    cache.set(name, (written, number), LATE_KEPT)
    return number


def _note_written():
    """What was counted before is no longer good, from the commit on."""
    transaction.on_commit(lambda: cache.set(WRITTEN, uuid4().hex, 2 * LATE_KEPT))

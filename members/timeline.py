"""What happened to a membership or a transfer, in words, newest first: from steps, transfers, import and trail."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.models import AuditEvent
from members.models import Membership, Person, Transfer, TransferState
from members.states import MOVES, MembershipState, RetainedFor

LONGEST = 50  # entries shown

WORDS = {
    "members.enrol_membership": gettext_lazy("Enrolled"),
    "members.change_membership": gettext_lazy("Facts changed"),
    "members.correct_number": gettext_lazy("Identity number corrected"),
    "members.reveal_membership": gettext_lazy("Numbers shown in clear"),
    "members.verify_person": gettext_lazy("Card checked"),
}
MARKED = ("members.enrol_membership", "members.correct_number")
TOLD_BY_ROWS = [f"members.{move.name}_membership" for move in MOVES] + ["members.arrive_membership"]

STEPS = {
    "retain": gettext_lazy("Membership retained"),
    "restore": gettext_lazy("Membership restored"),
    "withdraw": gettext_lazy("Withdrew on own request"),
    "deem": gettext_lazy("Deemed withdrawn"),
    "expel": gettext_lazy("Expelled"),
    "record_death": gettext_lazy("Died"),
    "reopen": gettext_lazy("Ending taken back"),
}
TOLD_BY_TRANSFER = ("pend", "stay")
HAPPENED = ("on", "decided_on", "since")  # the fact of a step that says when it took effect
FACTS = {
    "requested_on": gettext_lazy("written request of %(fact)s"),
    "dues_since": gettext_lazy("no dues since %(fact)s"),
    "idle_since": gettext_lazy("no part in union life since %(fact)s"),
    "admonished_on": gettext_lazy("admonished on %(fact)s"),
    "decision_no": gettext_lazy("decision %(fact)s"),
}
ANSWERS = {
    TransferState.ACCEPTED: gettext_lazy("Transferred to %(union)s"),
    TransferState.REJECTED: gettext_lazy("Transfer to %(union)s refused"),
    TransferState.CANCELLED: gettext_lazy("Transfer to %(union)s called off"),
    TransferState.ESCALATED: gettext_lazy("Transfer to %(union)s not answered in time: passed to the union above"),
}


@dataclass(frozen=True)
class Entry:
    """One line: the day, what happened, a note below it, who did it; a marked one changed the membership itself."""

    day: date
    text: str
    note: str = ""
    by: str = ""
    marked: bool = False


def of(membership):
    """Return the entries of `membership` (its batch and who stored it already joined), newest first."""
    steps = list(membership.steps.exclude(move__in=TOLD_BY_TRANSFER)[:LONGEST])
    transfers = list(
        Transfer.objects.filter(Q(membership=membership) | Q(result=membership))
        .select_related("from_union", "to_union", "asked_by")
        .prefetch_related("steps")
    )
    left_by_transfer = any(
        transfer.membership_id == membership.pk and transfer.state == TransferState.ACCEPTED for transfer in transfers
    )
    entries = []
    for transfer in transfers:
        entries += _arrival(transfer) if transfer.result_id == membership.pk else of_transfer(transfer)
    acts = [(step.at, _step(step)) for step in steps if not (step.move == "transfer" and left_by_transfer)]
    acts += _events(membership)
    entries += [entry for _at, entry in sorted(acts, key=lambda act: act[0], reverse=True)]  # the order within a day
    if membership.batch and membership.batch.committed_at:
        entries.append(
            Entry(
                day=timezone.localdate(membership.batch.committed_at),
                text=_("Entered from the register %(file)s") % {"file": membership.batch.file_name},
                by=str(membership.batch.committed_by),
                marked=True,
            )
        )
    if membership.ended_on and not any(step.target == membership.state for step in steps):
        entries.append(Entry(day=membership.ended_on, text=membership.get_state_display(), marked=True))
    if membership.joined_on:
        entries.append(Entry(day=membership.joined_on, text=_("Joined the union"), marked=True))
    return sorted(entries, key=lambda entry: entry.day, reverse=True)


def of_transfer(transfer):
    """Return the entries of a transfer, newest first: its steps, and that it was asked for."""
    words = {"union": transfer.goes_to}
    entries = [
        Entry(
            day=timezone.localdate(step.at),
            text=ANSWERS[step.target] % words,
            note=step.reason,
            by=step.by_name,
            marked=step.target == TransferState.ACCEPTED,
        )
        for step in transfer.steps.all()
    ]
    asked = Entry(
        day=transfer.asked_on,
        text=_("Transfer to %(union)s asked for") % words,
        note=transfer.reason,
        by=str(transfer.asked_by or ""),
    )
    return [*entries, asked]


def _arrival(transfer):
    text = _("Came by transfer from %(union)s") % {"union": transfer.from_union}
    return [Entry(day=transfer.answered_on, text=text, note=transfer.reason, marked=True)]


def _step(step):
    day = next((date.fromisoformat(step.facts[name]) for name in HAPPENED if name in step.facts), None)
    notes = [str(words) % {"fact": step.facts[name]} for name, words in FACTS.items() if name in step.facts]
    if kind := step.facts.get("kind"):
        notes.insert(0, str(RetainedFor(kind).label))
    return Entry(
        day=day or timezone.localdate(step.at),
        text=str(STEPS.get(step.move) or MembershipState(step.target).label),
        note=" · ".join(filter(None, [*notes, step.reason])),
        by=step.by_name,
        marked=True,
    )


def _events(membership):
    events = AuditEvent.objects.filter(target_label=Membership._meta.label, target_id=str(membership.pk))
    return [
        (
            event.at,
            Entry(
                day=timezone.localdate(event.at),
                text=str(WORDS.get(event.verb, event.verb)),
                note="" if membership.person.erased_on else event.reason or changed_facts(event),
                by=event.actor_name,
                marked=event.verb in MARKED,
            ),
        )
        for event in events.exclude(verb__in=TOLD_BY_ROWS)[:LONGEST]
    ]


def changed_facts(event):
    """Return the labels of the facts that an event changed; what they were stays in the trail."""
    if event.verb != "members.change_membership":
        return ""
    fields = [*Person._meta.concrete_fields, *Membership._meta.concrete_fields]
    return _(", ").join(str(field.verbose_name) for field in fields if field.name in event.changes)

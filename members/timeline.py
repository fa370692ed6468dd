"""What happened to a membership, in words, newest first: from the trail, its import, and the dates it bears."""

from dataclasses import dataclass
from datetime import date

from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.models import AuditEvent
from members.models import Membership, Person

LONGEST = 50  # entries shown

WORDS = {
    "members.enrol_membership": gettext_lazy("Enrolled"),
    "members.change_membership": gettext_lazy("Facts changed"),
    "members.correct_number": gettext_lazy("Identity number corrected"),
    "members.reveal_membership": gettext_lazy("Numbers shown in clear"),
}
MARKED = ("members.enrol_membership", "members.correct_number")


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
    events = AuditEvent.objects.filter(target_label=Membership._meta.label, target_id=str(membership.pk))[:LONGEST]
    entries = [
        Entry(
            day=timezone.localdate(event.at),
            text=str(WORDS.get(event.verb, event.verb)),
            note=event.reason or changed_facts(event),
            by=event.actor_name,
            marked=event.verb in MARKED,
        )
        for event in events
    ]
    if membership.batch and membership.batch.committed_at:
        entries.append(
            Entry(
                day=timezone.localdate(membership.batch.committed_at),
                text=_("Entered from the register %(file)s") % {"file": membership.batch.file_name},
                by=str(membership.batch.committed_by),
                marked=True,
            )
        )
    if membership.ended_on:
        entries.append(Entry(day=membership.ended_on, text=membership.get_state_display(), marked=True))
    if membership.joined_on:
        entries.append(Entry(day=membership.joined_on, text=_("Joined the union"), marked=True))
    return sorted(entries, key=lambda entry: entry.day, reverse=True)


def changed_facts(event):
    """Return the labels of the facts that an event changed; what they were stays in the trail."""
    if event.verb != "members.change_membership":
        return ""
    fields = [*Person._meta.concrete_fields, *Membership._meta.concrete_fields]
    return get_text_list([str(field.verbose_name) for field in fields if field.name in event.changes], _("and"))

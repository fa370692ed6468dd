"""What happened to a union, and on which day: one event an act, told on the union's page as its timeline."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from unions.models import Position, UnionEvent, UnionEventKind

Kind = UnionEventKind


def note(union, kind, *, on, by, officer=None, approval_no="", reason="", **facts):
    """Write one event and return it. `facts`: figures and names of unions, dates as text."""
    return UnionEvent.objects.create(
        union=union, kind=kind, on=on, officer=officer, approval_no=approval_no, reason=reason, facts=facts, by=by
    )


def once_named(text):
    """The keys of the unions that had `text` in an earlier name."""
    renamed = UnionEvent.objects.filter(kind=Kind.RENAME, facts__old__icontains=text)
    return renamed.order_by().values("union")


@dataclass(frozen=True)
class Entry:
    """One line of the timeline: the day, what happened, the figures and reasons below it."""

    day: date
    title: str
    note: str = ""
    by: str = ""
    union: object = None  # another one that took part


def timeline(union):
    """Return the entries of `union`, newest first.

    Of a union that was there before its events were, the founding and the elections are told from their own rows.
    """
    events = list(union.events.select_related("officer", "by"))
    others = type(union).objects.in_bulk({event.facts["other"] for event in events if "other" in event.facts})
    entries = [
        Entry(
            event.on,
            _title(event),
            " · ".join(filter(None, [*_notes(event), event.reason])),
            str(event.by or ""),
            others.get(event.facts.get("other")),
        )
        for event in events
    ]
    told = {(event.kind, event.on) for event in events}
    if union.founded_on and not any(kind == Kind.FOUNDING for kind, _day in told):
        entries.append(Entry(union.founded_on, Kind.FOUNDING.label, _approval(union.approval_no)))
    for committee in union.committees.all():
        if (Kind.ELECTION, committee.elected_on) not in told:
            until = committee.term_ends_on.isoformat()
            entries.append(Entry(committee.elected_on, Kind.ELECTION.label, _term(committee.number, until)))
    return sorted(entries, key=lambda entry: entry.day, reverse=True)  # stable: of one day the later stays first


def _title(event):
    title = event.get_kind_display()
    if event.officer:
        title = _("%(event)s: %(name)s, %(position)s") % {
            "event": title,
            "name": event.officer.name,
            "position": event.officer.get_position_display(),
        }
    return title


def _notes(event):
    """The figures of an event in words."""
    facts = event.facts
    if event.kind == Kind.ELECTION:
        yield _term(facts["number"], facts["term_ends_on"])
        if facts["officers"]:
            yield ngettext("%(number)d officer", "%(number)d officers", facts["officers"]) % {
                "number": facts["officers"]
            }
    if "in_place_of" in facts:
        yield _("in place of %(name)s") % {"name": facts["in_place_of"]}
    if "entitled" in facts:
        yield _("%(in_favour)d of %(entitled)d entitled to vote in favour") % facts
    if "until" in facts:
        yield _("until %(day)s") % {"day": facts["until"]}
    if event.kind == Kind.RENAME:
        yield _("from «%(old)s» to «%(new)s»") % facts
    if event.kind == Kind.MOVE:
        yield _("from %(old)s to %(new)s") % facts
    if event.kind == Kind.MERGER and "into" in facts:
        yield _("merged into %(union)s") % {"union": facts["into"]}
    if event.kind == Kind.MERGER and "from" in facts:
        yield _("%(union)s was merged into this union") % {"union": facts["from"]}
    if facts.get("members"):
        yield ngettext("%(number)d member went over", "%(number)d members went over", facts["members"]) % {
            "number": facts["members"]
        }
    if facts.get("ended"):
        yield ngettext("%(number)d membership ended", "%(number)d memberships ended", facts["ended"]) % {
            "number": facts["ended"]
        }
    yield _approval(event.approval_no)
    if facts.get("number") and event.kind == Kind.CERTIFICATE:
        yield _("certificate %(number)s") % {"number": facts["number"]}


def _approval(number):
    return number and _("approval %(number)s") % {"number": number}


def _term(number, ends_on):
    return _("term %(number)s, until %(day)s") % {"number": number, "day": ends_on}


def vacancies(committee):
    """The officers of `committee` who left and in whose place nobody has come yet, the chair first."""
    left = list(committee.officers.filter(ended_on__isnull=False).by_rank())
    if not left:
        return []
    events = UnionEvent.objects.filter(union=committee.union, kind__in=(Kind.BY_ELECTION, Kind.REPLACEMENT))
    filled = {facts.get("predecessor") for facts in events.values_list("facts", flat=True)}
    if committee.officers.in_office().filter(position=Position.CHAIR).exists():
        filled.update(officer.pk for officer in left if officer.position == Position.CHAIR)
    return [officer for officer in left if officer.pk not in filled]

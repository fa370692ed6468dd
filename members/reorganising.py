"""A union moves, merges into another or is dissolved, with all its members: what that touches, and doing it.

`preview_…` counts what moves, for the page that asks once more; the act counts again under its locks and refuses with
`Changed` when it is not the same any more. Members go over set-based, with a step and an event each. Where many go,
`ask` has a job do it: the same act in the same one transaction.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, F, Max, Q, Sum, TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core import audit, jobs, settings_table
from core.models import Deadline, Job, Paper
from members import transfers
from members.models import OPEN_STATES, Membership, MembershipState, MembershipStep, Person, Transfer
from members.states import RetainedFor
from unions import events
from unions import reorganising as tree
from unions.models import Appointment, Officer, Union, UnionEventKind

CHUNK = 1000
RUN = "members.tasks.reorganise"
State = MembershipState


class Changed(ValidationError):
    """What moves is not what the page showed: it is to be looked at again."""

    def __init__(self):
        super().__init__(
            _("What moves has changed since you looked. These are the figures now: look once more, then decide.")
        )


class Fate(TextChoices):
    """What becomes of the members of a union that is dissolved (工会法 13)."""

    RETAIN = "RETAIN", gettext_lazy("keep their membership with the union above")
    END = "END", gettext_lazy("end with the union")


# --- What it touches --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preview:
    """What an act moves: `counts` by name, `mark` a fingerprint of all that was counted."""

    counts: dict
    mark: str


def preview_move(union, to):
    """What goes along when `union` moves below `to`."""
    inside = Union.objects.standing().below(union)
    gone = {*union.ancestor_ids} - {*to.ancestor_ids, to.pk}
    come = {*to.ancestor_ids, to.pk} - {*union.ancestor_ids}
    counts = {"unions": inside.count(), **_inside(inside)}
    today = timezone.localdate()
    held = Appointment.objects.in_force(today)
    counts["lose"] = held.filter(union__in=gone).count()
    counts["gain"] = held.filter(union__in=come).count()
    return _preview("move", [union, to], counts, inside)


def preview_merge(union, into):
    """What goes over when `union` merges into `into`."""
    return _preview_end("merge", union, [union, into])


def preview_dissolve(union):
    """What ends and what goes to the union above when `union` is dissolved."""
    return _preview_end("dissolve", union, [union])


def _preview_end(act, union, unions):
    alone = Union.objects.filter(pk=union.pk)
    counts = {"children": union.children.standing().count(), **_inside(alone)}
    return _preview(act, unions, counts, alone)


def _inside(unions):
    """Count what belongs to `unions`."""
    today = timezone.localdate()
    rows = Membership.objects.filter(union__in=unions, state__in=OPEN_STATES).order_by()
    members = rows.aggregate(members=Count("pk"), retained=Count("pk", filter=Q(state=State.RETAINED)))
    return {
        **members,
        "officers": Officer.objects.in_office().filter(committee__union__in=unions).count(),
        "appointments": Appointment.objects.in_force(today).filter(union__in=unions).count(),
        "deadlines": Deadline.objects.open().filter(union__in=unions).count(),
        "transfers": Transfer.objects.open().filter(Q(from_union__in=unions) | Q(to_union__in=unions)).count(),
        "papers": Paper.objects.filter(union__in=unions).count(),
    }


def _preview(act, unions, counts, inside):
    rows = Membership.objects.filter(union__in=inside, state__in=OPEN_STATES).order_by()
    last = rows.aggregate(last=Max("pk"), changes=Sum("version"))
    seen = [act, [[union.pk, union.path, union.name] for union in unions], counts, last]
    return Preview(counts, hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32])


# --- The acts ---------------------------------------------------------------------------------------------


def _silent(done):
    """Nobody wants to hear how far it is."""


@transaction.atomic
def move(union, *, by, to, on, reason="", seen="", told=_silent):
    """Move `union` with all below it below `to`; `seen` is the mark of the preview decided upon. Returns the union.

    One statement moves the subtree, so there is nothing for `told` to hear.
    """
    rows = _locked(union, to)
    union, to = rows[union.pk], rows[to.pk]
    tree.check_reorganise(union, by)
    tree.check_to(by, to)
    _check_seen(seen, lambda: preview_move(union, to))
    return tree.move_union(union, by=by, to=to, on=on, reason=reason)


@transaction.atomic
def merge(union, *, by, into, on, reason="", approval_no="", seen="", told=_silent):
    """Merge `union` into `into`, which takes its members and what stands below it; the union ends. Returns `into`.

    `told(done)` hears how many members went over.
    """
    rows = _locked(union, into)
    union, into = rows[union.pk], rows[into.pk]
    tree.check_reorganise(union, by)
    tree.check_to(by, into)
    if union.pk == into.pk or into.path.startswith(union.path):
        said = _("A union cannot merge into itself or into a union below it: move that one away first.")
        raise ValidationError({"to": said})
    if refusal := tree.why_not_standing(into):
        raise ValidationError({"to": refusal})
    _check_seen(seen, lambda: preview_merge(union, into))
    _check_day(union, on)
    _let_transfers_lapse(union, by, _("One of the two unions was merged into another: ask again."))
    _hand_down(union, into, by, on, reason)
    went = _carry(union, into, on=on, by=by, reason=reason, told=told)
    facts = {"members": went}
    tree.end_union(
        union, by=by, on=on, kind=UnionEventKind.MERGER, reason=reason, approval_no=approval_no, into=into, **facts
    )
    told = {"other": union.pk, "from": union.name, **facts}
    events.note(into, UnionEventKind.MERGER, on=on, by=by, approval_no=approval_no, reason=reason, **told)
    audit.record("unions.absorb_union", into, by=by, union=into, changes=told, reason=reason)
    return into


@transaction.atomic
def dissolve(union, *, by, on, fate, reason="", approval_no="", seen="", told=_silent):
    """Dissolve `union`: its members stay retained with the union above or end (`Fate`). Returns the union.

    `told(done)` hears how many of them it was done for.
    """
    rows = _locked(union, union.parent or union)
    union = rows[union.pk]
    tree.check_reorganise(union, by)
    above = rows[union.parent_id]
    _check_seen(seen, lambda: preview_dissolve(union))
    _check_day(union, on)
    _let_transfers_lapse(union, by, _("One of the two unions was dissolved."))
    _hand_down(union, above, by, on, reason)
    if fate == Fate.RETAIN:
        facts = {"members": _carry(union, above, on=on, by=by, reason=reason, told=told, state=State.RETAINED)}
    else:
        facts = {"ended": _carry(union, None, on=on, by=by, reason=reason, told=told)}
    tree.end_union(
        union, by=by, on=on, kind=UnionEventKind.DISSOLUTION, reason=reason, approval_no=approval_no, **facts
    )
    return union


def _locked(union, other):
    """Lock the unions and all that changes with them, by key; return them as they are now, by key."""
    keys = {union.pk, other.pk, union.parent_id} - {None}
    keys.update(Union.objects.below(union).values_list("pk", flat=True))
    running = Transfer.objects.open().filter(Q(from_union=union) | Q(to_union=union))
    for pair in running.values_list("from_union", "to_union"):
        keys.update(key for key in pair if key)
    rows = tree.locked(keys)
    parent = rows[union.pk].parent_id
    if parent and parent not in rows:  # it was moved while we waited
        rows |= tree.locked([parent])
    return rows


def _check_seen(seen, count):
    if seen and seen != count().mark:
        raise Changed


def _check_day(union, on):
    if on > timezone.localdate():
        raise ValidationError({"on": _("This day has not come yet.")})
    later = union.memberships.filter(state__in=OPEN_STATES, joined_on__gt=on).count()
    if later:
        said = ngettext(
            "%(number)d member joined after this day: choose a later one.",
            "%(number)d members joined after this day: choose a later one.",
            later,
        )
        raise ValidationError({"on": said % {"number": later}})


def _let_transfers_lapse(union, by, reason):
    """The reason names no union: the one that asked may not see the other."""
    running = Transfer.objects.open().filter(Q(from_union=union) | Q(to_union=union))
    for transfer in running.order_by("pk"):
        transfers.lapse(transfer, by=by, reason=reason)


def _hand_down(union, to, by, on, reason):
    """Put what stands directly below `union` below `to`."""
    for child in union.children.standing().select_related("parent").order_by("pk"):
        try:
            tree.move_union(child, by=by, to=to, on=on, reason=reason)
        except ValidationError as refusal:
            field = "on" if "on" in getattr(refusal, "error_dict", {}) else None
            said = _("%(union)s stands below and cannot go along. %(why)s")
            words = said % {"union": child, "why": " ".join(refusal.messages)}
            raise ValidationError({field: words} if field else words) from None


# --- In a request or by a job -----------------------------------------------------------------------------

ACTS = {"move": move, "merge": merge, "dissolve": dissolve}


def ask(act, union, *, by, seen, title, to=None, **facts):
    """Do `act` (a key of ACTS) here; or where more members go along than a page can wait for, have a job do it.

    `to` is the other union, `seen` the mark of the preview decided upon, `facts` the rest that the act takes. Returns
    the union whose page comes next, or the Job. Raises as the act does; the job is refused what changes until it runs.
    """
    inside = {"union__in": Union.objects.standing().below(union)} if act == "move" else {"union": union}
    members = Membership.objects.filter(**inside, state__in=OPEN_STATES).count()
    if members <= int(settings_table.value("reorganise_at_once_members")):
        return ACTS[act](union, by=by, seen=seen, **_with_other(act, to), **facts)
    tree.check_reorganise(union, by)
    if to:
        tree.check_to(by, to)
    previews = {"move": preview_move, "merge": preview_merge, "dissolve": preview_dissolve}
    _check_seen(seen, lambda: previews[act](*([union, to] if to else [union])))
    if act != "move":
        _check_day(union, facts["on"])
    with transaction.atomic():
        return under_way(union) or jobs.start(
            RUN,
            title=f"{title} · {union.name}"[:200],
            by=by,
            params={"act": act, "union": union.pk, "to": to and to.pk, "seen": seen, "facts": _plain(facts)},
            union=union,
            total=members,
        )


def under_way(union):
    """The job that is about to move, merge or dissolve `union`, or None."""
    return Job.objects.unfinished().filter(task=RUN, union=union).first()


def work(run):
    """The work of the job: the act in one transaction, which marks the job as well, so that it is done once."""
    params, by = run.job.params, run.job.created_by
    if run.job.result_url:
        return  # a run that was broken off after it had done it
    unions = Union.objects.select_related("parent").in_bulk(key for key in (params["union"], params["to"]) if key)
    facts = params["facts"] | {"on": date.fromisoformat(params["facts"]["on"])}
    act, to = params["act"], unions.get(params["to"])
    run.progress(message=_("What goes along is being moved."))
    try:
        with transaction.atomic():
            after = ACTS[act](
                unions[params["union"]], by=by, seen=params["seen"], told=run.reached, **_with_other(act, to), **facts
            )
            run.result(reverse("union_page", args=[after.pk]))
    except Changed:
        said = _("What moves has changed since it was decided, so nothing was done: look once more, then decide.")
        raise jobs.JobRefused(said) from None
    except (ValidationError, PermissionDenied) as refusal:
        raise jobs.JobRefused(" ".join(getattr(refusal, "messages", [str(refusal)]))) from None


def _with_other(act, to):
    return {"into" if act == "merge" else "to": to} if to else {}


def _plain(facts):
    """The facts as JSON holds them."""
    return {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in facts.items()}


# --- Members ----------------------------------------------------------------------------------------------


def _carry(union, to, *, on, by, reason, told, state=""):
    """End every open membership of `union` on `on`, and begin one at `to` (None: nowhere) with the facts that go along.

    `state`: of the new ones; empty: that of the old. Returns how many.
    """
    people = Membership.objects.filter(union=union, state__in=OPEN_STATES).values("person")
    list(Person.objects.filter(pk__in=people).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    rows = Membership.objects.filter(union=union, state__in=OPEN_STATES).order_by("pk")
    keys = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        olds = list(
            Membership.objects.filter(pk__in=keys[start : start + CHUNK]).select_related("person").order_by("pk")
        )
        _end(olds, to, on, by, reason)
        if to:
            _begin(olds, to, state, on, by, reason)
        told(start + len(olds))
    return len(keys)


def _end(olds, to, on, by, reason):
    name, target = ("transfer", State.TRANSFERRED) if to else ("withdraw", State.WITHDRAWN)
    Membership.objects.filter(pk__in=[old.pk for old in olds]).update(
        state=target, state_before=F("state"), ended_on=on, version=F("version") + 1
    )
    _tell(olds, name, target, {"on": on.isoformat()}, by, reason, {"ended_on": [None, on]})


def _begin(olds, to, state, on, by, reason):
    taken = Transfer.TAKEN_ALONG
    news = Membership.objects.bulk_create(
        [
            Membership(
                person=old.person,
                union=to,
                state=state or old.state,
                **{fact: getattr(old, fact) for fact in taken},
            )
            for old in olds
        ]
    )
    audit.record_many(
        {
            "verb": "members.arrive_membership",
            "target": new,
            "by": by,
            "union": to,
            "changes": {"state": ["", new.state], "union": [old.union_id, to.pk]},
            "reason": reason,
        }
        for old, new in zip(olds, news, strict=True)
    )
    facts = {"kind": str(RetainedFor.UNIT_CLOSED), "since": on.isoformat()}
    MembershipStep.objects.bulk_create(
        _step(new, "retain", State.ACTIVE, State.RETAINED, facts, by, reason)
        for old, new in zip(olds, news, strict=True)
        if new.state == State.RETAINED != old.state
    )


def _tell(rows, name, target, facts, by, reason, changes):
    """Write a step and an event for each of `rows`, which were read before the change."""
    MembershipStep.objects.bulk_create(_step(row, name, row.state, target, facts, by, reason) for row in rows)
    audit.record_many(
        {
            "verb": f"members.{name}_membership",
            "target": row,
            "by": by,
            "union": row.union_id,
            "changes": {"state": [row.state, target], **changes},
            "reason": reason,
        }
        for row in rows
    )


def _step(case, name, source, target, facts, by, reason):
    return MembershipStep(
        case=case, by=by, by_name=str(by or ""), move=name, source=source, target=target, reason=reason, facts=facts
    )

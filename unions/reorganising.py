"""The shape of the tree: a union moves to another place, or ends. What becomes of members is `members.reorganising`'s.

Whoever keeps the union above decides; for a move, whoever keeps both. One reorganisation runs at a time.
"""

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from core import audit, deadlines
from core.models import Deadline
from core.models.deadline import DeadlineState
from unions import events
from unions.actions import _end_appointment, _end_committee, _not_in_future, why_not_standing
from unions.models import Union, UnionEventKind, UnionKind, UnionPlacement
from unions.tree import move_subtree, one_at_a_time, path_of

Kind = UnionKind
PERM = "unions.reorganise_union"
# How high a kind stands (rulebook §1.1); those not named are grassroots unions, which may have branches.
RANKS = {
    Kind.CITY_FED: 0,
    **dict.fromkeys((Kind.DISTRICT_FED, Kind.INDUSTRIAL_UNION), 1),
    **dict.fromkeys((Kind.TOWNSHIP, Kind.STREET, Kind.PARK), 2),
    **dict.fromkeys((Kind.VILLAGE, Kind.COMMUNITY, Kind.REGIONAL_FED, Kind.INDUSTRY_FED), 3),
}
GRASSROOTS = 4


def rank(kind):
    return RANKS.get(kind, GRASSROOTS)


# --- Whether it is possible -------------------------------------------------------------------------------


def why_not_reorganise(union, by):
    """Return the sentence why `by` cannot move, merge or dissolve `union`, or an empty one: buttons say it too."""
    if refusal := why_not_standing(union):
        return refusal
    if union.parent_id is None:
        return _("The city federation stays where it is.")
    if by is not None and not by.has_perm(PERM, union.parent):
        return _("Only whoever keeps the union above, %(union)s, can do this.") % {"union": union.parent.name}
    return ""


def why_not_below(union, to):
    """Return the sentence why `union` cannot stand below `to`, or an empty one."""
    if refusal := why_not_standing(to):
        return refusal
    if to.pk == union.pk or to.path.startswith(union.path):
        return _("A union cannot stand below itself: %(to)s is part of %(union)s.") % {"to": to, "union": union}
    if rank(to.kind) < rank(union.kind) or rank(union.kind) == GRASSROOTS:
        return ""
    return _("%(kind)s cannot stand below %(above)s: choose a union of a higher level.") % {
        "kind": union.get_kind_display(),
        "above": to.get_kind_display(),
    }


def check_reorganise(union, by):
    """Refuse whoever may not, with the sentence of the button."""
    if refusal := why_not_reorganise(union, by):
        if union.parent_id and not union.dissolved_on:
            raise PermissionDenied(refusal)
        raise ValidationError(refusal)


def check_to(by, to):
    if by is not None and not by.has_perm(PERM, to):
        raise ValidationError({"to": _("You do not keep this union. Ask the federation above both.")})


def locked(keys):
    """Lock the unions with these `keys`, each by its key, and return them by key: nobody else reorganises now."""
    one_at_a_time()
    rows = Union.objects.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
    return {union.pk: union for union in rows.select_related("parent")}


# --- Acts: call them in the transaction of `members.reorganising`, with `locked` unions ----------------------


def move_union(union, *, by, to, on, reason=""):
    """Put `union`, with all below it, below `to` from the day `on`."""
    if to.pk == union.parent_id:
        raise ValidationError({"to": _("It stands below this union already.")})
    if refusal := why_not_below(union, to):
        raise ValidationError({"to": refusal})
    _not_in_future("on", on)
    old = union.parent
    _place(union, to, on)
    facts = {"old": old.name, "new": to.name}
    events.note(union, UnionEventKind.MOVE, on=on, by=by, reason=reason, **facts)
    changes = {"parent": [old.pk, to.pk], "path": [path_of(union.pk, old.path), union.path], "on": [None, on]}
    audit.record("unions.move_union", union, by=by, union=union, changes=changes, reason=reason)
    return union


def _place(union, to, on):
    place = union.placements.get(valid_to__isnull=True)
    if on < place.valid_from:
        said = _("%(union)s has stood at its present place since %(day)s: choose a later day.")
        raise ValidationError({"on": said % {"union": union, "day": place.valid_from}})
    place.valid_to = on
    place.save(update_fields=["valid_to"])
    UnionPlacement.objects.create(union=union, parent=to, valid_from=on)
    new_path = path_of(union.pk, to.path)
    if len(new_path) > Union._meta.get_field("path").max_length:
        raise ValidationError({"to": _("The tree would become too deep.")})
    move_subtree(Union.objects, union.path, new_path)
    union.parent, union.path = to, new_path
    union.version += 1
    union.save(update_fields=["parent", "version"])


def end_union(union, *, by, on, kind, reason, approval_no="", into=None, **facts):
    """End `union` on the day `on`: committee, officers, appointments and duties end; nothing may stand below it.

    `kind` is the event: a dissolution, or a merger into `into`.
    """
    _not_in_future("on", on)
    place = union.placements.get(valid_to__isnull=True)
    if on < place.valid_from:
        said = _("%(union)s has stood at its present place since %(day)s: choose a later day.")
        raise ValidationError({"on": said % {"union": union, "day": place.valid_from}})
    committee = union.committee
    if committee and on < committee.elected_on:
        said = _("The committee in office was elected on %(day)s: choose a later day.")
        raise ValidationError({"on": said % {"day": committee.elected_on}})
    words = _("The union was merged.") if into else _("The union was dissolved.")
    running = Deadline.objects.filter(union=union)
    deadlines.close(running, DeadlineState.VOID, on=on, by=by, reason=words)
    if committee:
        _end_committee(committee, on=on, by=by, field="on")
    for appointment in union.appointments.filter(ended_on__isnull=True).order_by("pk"):
        _end_appointment(appointment, by, words)
    place.valid_to = on
    place.save(update_fields=["valid_to"])
    union.dissolved_on, union.merged_into = on, into
    union.version += 1
    union.save(update_fields=["dissolved_on", "merged_into", "version"])
    if into:
        facts |= {"other": into.pk, "into": into.name}
    events.note(union, kind, on=on, by=by, approval_no=approval_no, reason=reason, **facts)
    verb = "unions.merge_union" if into else "unions.dissolve_union"
    changes = {"dissolved_on": [None, on], "merged_into": [None, into and into.pk], **facts}
    audit.record(verb, union, by=by, union=union, changes=changes, reason=reason)

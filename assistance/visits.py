"""Recording the home visit: at least as many people as the setting asks, none of them with another part in the case."""

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance import policy
from assistance.models import Visit, VisitOpinion, Visitor
from assistance.moves import VISITS, but, check_day
from core.models import User
from members import relations
from unions.models import Appointment


def colleagues(case, by):
    """The accounts that may have gone along: everybody appointed at the case's union or above it, but for `by`."""
    at = Appointment.objects.in_force(timezone.localdate()).filter(union__in=[*case.union.ancestor_ids, case.union_id])
    found = User.objects.filter(is_active=True).filter(Q(pk__in=at.values("user_id")))
    return found.exclude(pk=by.pk if by else None).order_by("name", "username")


def record(case, *, by, on, found, opinion, others=(), names=()):
    """Store the visit of `by`, the accounts `others` and people without an account, by `names`; returns the facts.

    Raises ValidationError by field.
    """
    check_day(case, "on", on)
    if opinion not in VisitOpinion.values:
        raise ValidationError({"opinion": _("Say whether it is as declared.")})
    if not found.strip():
        raise ValidationError({"found": _("Write down what was found.")})
    others = [user for user in others if user != by]
    names = list(dict.fromkeys(filter(None, (name.strip() for name in names))))
    _check_others(case, others)
    _check_names(case, by, names)
    needed = int(policy.number("visitors", case.applied_on))
    people = [by, *others] if by else others
    if len(people) + len(names) < needed:
        said = _("At least %(number)d people visit a household: name the others.")
        raise ValidationError({"names": said % {"number": needed}})
    visit = Visit.objects.create(case=case, on=on, found=found.strip(), opinion=opinion)
    for user in people:
        Visitor.objects.create(visit=visit, user=user, name=user.name or user.username)
    for name in names:
        Visitor.objects.create(visit=visit, name=name)
    return {"on": on.isoformat(), "visitors": len(people) + len(names), "opinion": opinion}


def _check_others(case, others):
    indexes = case.indexes()
    for user in others:
        if case.steps.filter(by=user, move__in=but(VISITS)).exists():
            said = _("%(name)s took part in an earlier step: somebody else must go along.")
            raise ValidationError({"others": said % {"name": user}})
        if relations.bars(user, indexes):
            said = _("%(name)s is related to the household: somebody else must go along.")
            raise ValidationError({"others": said % {"name": user}})


def _check_names(case, by, names):
    for name in names:
        if len(name) > Visitor._meta.get_field("name").max_length:
            raise ValidationError({"names": _("One name a line.")})
        if by and name == by.name:
            raise ValidationError({"names": _("You are among the visitors already: name the others.")})
        if colleagues(case, by).filter(name=name).exists():
            said = _("%(name)s has an account: tick the name instead of writing it.")
            raise ValidationError({"names": said % {"name": name}})

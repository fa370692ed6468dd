"""Cases: a row that goes from state to state by named moves, each checked, recorded as a step and audited.

A model that is a case names its `MOVES`; the flow, who may make which move, and why a button is disabled are read from
that table. `docs/case-flows.md` is drawn from it too (`manage.py case_flows`).
"""

from dataclasses import dataclass

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import audit
from core.conflicts import check_version
from core.deadlocks import again_on_deadlock

REASON_LENGTH = 500
GONE = gettext_lazy("This record is gone: what had entered it was taken back meanwhile.")


class MoveRefused(ValidationError):
    """The move is not possible now; carries the sentence that the disabled button shows too."""


@dataclass(frozen=True)
class Move:
    """One way from a state to another.

    `target`: the state it leads to; empty: `on_<name>` sets one of `back_to`. `permission`: who may, at the union that
    the case's attribute `at` names; empty: no person makes this move, another action does. `apart_from`: moves whose
    doer may not make this one (separation of duties).
    """

    name: str
    label: object
    sources: tuple
    target: str
    permission: str
    at: str = "union"
    reason_required: bool = False
    apart_from: tuple = ()
    back_to: tuple = ()

    @property
    def targets(self):
        """The states it may lead to."""
        return (self.target,) if self.target else self.back_to


@dataclass(frozen=True)
class Offer:
    """A move as a page offers it to one user; `refusal` is why its button is disabled, or empty."""

    move: Move
    refusal: str


class Case(models.Model):
    """A row with a `state`, a `version` and `steps` that changes its state by `make_move` only.

    A subclass may define for a move `why_not_<name>(user)`, the sentence why it is impossible now or an empty one, and
    `on_<name>(by, reason, **facts)`, which sets fields of the row (they are saved) and returns the facts for its step.
    `lock_before()` takes the locks on other rows that must be held before the lock on this one.
    """

    MOVES = ()

    class Meta:
        abstract = True

    @classmethod
    def move(cls, name):
        """Return the `Move` of this name. Raises KeyError."""
        return {move.name: move for move in cls.MOVES}[name]

    def open_moves(self, user):
        """Return the `Offer`s of the moves from the present state that `user` may make, possible now or not."""
        return [
            Offer(move, self._why_not(move, user))
            for move in self.MOVES
            if self.state in move.sources and move.permission and self._may(move, user)
        ]

    def lock_before(self):
        """Lock what this case's moves change besides itself, in the order that everybody keeps."""

    def moved(self, move, source, *, by):
        """What every move does besides its own hook, once the state is the new one; fields it sets are saved."""

    @again_on_deadlock
    def make_move(self, name, *, by, reason="", version=None, **facts):
        """Make the move `name` and return the case as it is then, read anew under its lock.

        `by` is the acting user, None for the system; `version` is the one the user looked at, if any. Raises
        MoveRefused with the sentence, Conflict when the case is no longer at that version, ValidationError when facts
        or reason are wrong, PermissionDenied without the permission at the case's union.
        """
        reason = reason.strip()
        with transaction.atomic():
            try:
                self.lock_before()
                case = type(self).objects.select_for_update(of=("self",)).get(pk=self.pk)
            except ObjectDoesNotExist:
                raise MoveRefused(GONE) from None
            move = case.check_move(name, by=by)
            if version is not None:
                check_version(case, version)
            _check_reason(move, reason)
            before = {field.attname: getattr(case, field.attname) for field in case._meta.concrete_fields}
            hook = getattr(case, f"on_{name}", None)
            told = (hook(by=by, reason=reason, **facts) if hook else None) or {}
            if move.target:
                case.state = move.target
            case.moved(move, before["state"], by=by)
            case.version += 1
            changed = [
                field
                for field in case._meta.concrete_fields
                if getattr(case, field.attname) != before[field.attname]
            ]  # fmt: skip
            case.save(update_fields=[field.name for field in changed])
            case.steps.create(
                by=by,
                by_name=str(by or ""),
                move=name,
                source=before["state"],
                target=case.state,
                reason=reason,
                facts=told,
            )
            audit.record(
                f"{case._meta.app_label}.{name}_{case._meta.model_name}",
                case,
                by=by,
                union=case.union,
                changes={f.name: [before[f.attname], getattr(case, f.attname)] for f in changed if f.name != "version"},
                reason=reason,
            )
        return case

    def check_move(self, name, *, by):
        """Return the `Move` if `by` may make it now. Raises MoveRefused with the sentence, or PermissionDenied."""
        move = self.move(name)
        if by is not None and move.permission and not self._may(move, by):
            raise PermissionDenied(_("Your role here does not include this act."))
        if self.state not in move.sources:
            raise MoveRefused(
                _("«%(move)s» is not possible any more: the state is «%(state)s» now.")
                % {"move": move.label, "state": self.get_state_display()}
            )
        if refusal := self._why_not(move, by):
            raise MoveRefused(refusal)
        return move

    def _may(self, move, user):
        place = getattr(self, move.at)
        return place is not None and user.has_perm(move.permission, place)

    def _why_not(self, move, user):
        if user is not None and move.apart_from and self.steps.filter(by=user, move__in=move.apart_from).exists():
            return _("You took part in an earlier step: somebody else must do this.")
        why_not = getattr(self, f"why_not_{move.name}", None)
        return why_not(user) if why_not else ""


def _check_reason(move, reason):
    if move.reason_required and not reason:
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if len(reason) > REASON_LENGTH:
        raise ValidationError(
            {"reason": _("At most %(number)d characters: this is a reason, not a file.") % {"number": REASON_LENGTH}}
        )


class CaseStep(models.Model):
    """One move that was made. Each case model has its own table of steps, with `case` as a real foreign key."""

    at = models.DateTimeField(gettext_lazy("at"), auto_now_add=True)
    by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    by_name = models.CharField(max_length=150, blank=True)
    move = models.CharField(max_length=30)
    source = models.CharField(max_length=20)
    target = models.CharField(max_length=20)
    reason = models.CharField(gettext_lazy("reason"), max_length=REASON_LENGTH, blank=True)
    facts = models.JSONField(default=dict)  # dates and figures of the move: no names, no numbers

    class Meta:
        abstract = True
        ordering = ["-id"]

    def __str__(self):
        return self.move


def case_models():
    """Every model that is a case, by label."""
    found = [model for model in apps.get_models() if issubclass(model, Case)]
    return sorted(found, key=lambda model: model._meta.label)

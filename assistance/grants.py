"""The states of a grant and its moves, from asking to the money (rulebook §3.6).

Who asks, who approves and who pays are three people; whoever visited or reviewed the household approves and pays
nothing of it, and who is related to it recuses. Money is reserved when a grant is approved.
"""

from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assistance.moves import APPROVALS, CHECKS, REVIEWS, VISITS
from core.cases import Move
from members import relations


class GrantState(models.TextChoices):
    ASKED = "ASKED", _("waits for approval")
    APPROVED = "APPROVED", _("approved")
    IN_BATCH = "IN_BATCH", _("being paid")
    PAID = "PAID", _("paid")
    FAILED = "FAILED", _("not paid out")
    REFUSED = "REFUSED", _("not granted")
    REVERSED = "REVERSED", _("reversed")


S = GrantState
HOLDING = (S.APPROVED, S.IN_BATCH, S.PAID)  # they hold money of their budget, and count for the ceiling of the year
APPROVE, PAY = "assistance.approve_grant", "assistance.pay_grant"

MOVES = (
    Move("approve", _("approve the grant"), (S.ASKED,), S.APPROVED, APPROVE, at="payer"),
    Move("refuse", _("refuse the grant"), (S.ASKED, S.APPROVED), S.REFUSED, APPROVE, at="payer", reason_required=True),
    Move("enter_batch", _("enter into a batch"), (S.APPROVED,), S.IN_BATCH, ""),
    Move("stop", _("stop before payment"), (S.ASKED, S.APPROVED, S.IN_BATCH), S.REFUSED, ""),
    Move("pay", _("record as paid"), (S.IN_BATCH,), S.PAID, ""),
    Move("fail", _("record as not paid out"), (S.IN_BATCH,), S.FAILED, ""),
    Move("reverse", _("reverse the payment"), (S.PAID,), S.REVERSED, PAY, at="payer", reason_required=True),
)
DECIDES = ("approve", "refuse")
PAYS = ("enter_batch", "pay", "fail", "reverse")
VISITED_OR_REVIEWED = (*VISITS, *REVIEWS, *CHECKS)


class GrantMoves:
    """Who may not make a move of a grant, whatever the role."""

    def _why_not(self, move, user):
        return super()._why_not(move, user) or self.why_apart(user, move.name)

    def why_apart(self, user, name):
        """Return the sentence why `user` must leave the move `name` to somebody else, or an empty one."""
        if user is None or name not in DECIDES + PAYS:
            return ""
        earlier = ()
        if name in DECIDES:
            others, earlier = [self.asked_by_id], VISITED_OR_REVIEWED
        else:
            others, earlier = [self.asked_by_id, self.approved_by_id], ("submit", *VISITED_OR_REVIEWED, *APPROVALS)
        if user.pk in others:
            return _now("You asked for this grant or approved it: somebody else must do this.")
        case = self.case
        if case and (case.steps.filter(by=user, move__in=earlier).exists() or case.went_along(user)):
            return _now("You took part in the decision about this household: somebody else must do this.")
        return relations.bars(user, self.indexes())

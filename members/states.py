"""What states a membership has, what each means for votes, dues and counts, and what its moves do (rulebook §2.2)."""

from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import settings_table
from core.cases import Move
from core.counting import add_months


class MembershipState(models.TextChoices):
    """会籍 states (rulebook §2.2)."""

    ACTIVE = "ACTIVE", gettext_lazy("active")
    TRANSFER_PENDING = "TRANSFER_PENDING", gettext_lazy("transfer pending")
    RETAINED = "RETAINED", gettext_lazy("retained")
    TRANSFERRED = "TRANSFERRED", gettext_lazy("transferred out")
    WITHDRAWN = "WITHDRAWN", gettext_lazy("withdrawn")
    EXPELLED = "EXPELLED", gettext_lazy("expelled")
    DECEASED = "DECEASED", gettext_lazy("deceased")
    DUPLICATE = "DUPLICATE", gettext_lazy("entered twice")  # found by a merge: never a membership of its own


S = MembershipState
OPEN_STATES = (S.ACTIVE, S.TRANSFER_PENDING, S.RETAINED)
KEEP, DECIDE = "members.move_membership", "members.decide_membership"

MOVES = (
    Move("retain", gettext_lazy("retain the membership"), (S.ACTIVE,), S.RETAINED, KEEP),
    Move("restore", gettext_lazy("restore the membership"), (S.RETAINED,), S.ACTIVE, KEEP),
    Move("withdraw", gettext_lazy("withdraw on request"), (S.ACTIVE, S.RETAINED), S.WITHDRAWN, KEEP),
    Move("deem", gettext_lazy("deem withdrawn"), (S.ACTIVE,), S.WITHDRAWN, DECIDE, reason_required=True),
    Move("expel", gettext_lazy("expel"), (S.ACTIVE, S.RETAINED), S.EXPELLED, DECIDE, reason_required=True),
    Move("record_death", gettext_lazy("record the death"), OPEN_STATES, S.DECEASED, KEEP),
    Move("reopen", gettext_lazy("take the ending back"), (S.WITHDRAWN, S.EXPELLED, S.DECEASED), "", DECIDE,
         reason_required=True, back_to=(S.ACTIVE, S.RETAINED)),
    # Made by a transfer, a merge or the end of a union.
    Move("pend", gettext_lazy("ask for a transfer"), (S.ACTIVE, S.RETAINED), S.TRANSFER_PENDING, ""),
    Move("stay", gettext_lazy("stay after all"), (S.TRANSFER_PENDING,), "", "", back_to=(S.ACTIVE, S.RETAINED)),
    Move("transfer", gettext_lazy("transfer out"), OPEN_STATES, S.TRANSFERRED, ""),
    Move("duplicate", gettext_lazy("end as entered twice"), (S.ACTIVE, S.RETAINED), S.DUPLICATE, ""),
    Move("reinstate", gettext_lazy("take the merge back"), (S.DUPLICATE, S.TRANSFERRED), "", "",
         back_to=(S.ACTIVE, S.RETAINED)),
)  # fmt: skip


class RetainedFor(models.TextChoices):
    """Why a membership is retained (章程 8; a closed unit's members are kept by the union above)."""

    RETIRED = "RETIRED", gettext_lazy("retired")
    UNEMPLOYED = "UNEMPLOYED", gettext_lazy("unemployed")
    UNIT_CLOSED = "UNIT_CLOSED", gettext_lazy("the unit closed")


@dataclass(frozen=True)
class Right:
    """One thing that a state means: whether it is so, and the sentence that says it."""

    held: bool
    sentence: object


VOTES = Right(True, gettext_lazy("Votes and may be elected."))
DUES = Right(True, gettext_lazy("Pays dues."))
COUNTS = Right(True, gettext_lazy("Counts towards the 25 members for which a union has its own committee."))
NO_VOTE = Right(False, gettext_lazy("Has no vote and cannot be elected while the membership is retained."))
NO_DUES = Right(False, gettext_lazy("Pays no dues while the membership is retained."))
NOT_COUNTED = Right(
    False, gettext_lazy("Does not count towards the 25 members for which a union has its own committee.")
)
ENDED = Right(False, gettext_lazy("The membership has ended: no vote, no dues, not counted."))


NO_DUES_DAY = gettext_lazy("Record since when no dues were paid.")
NO_IDLE_DAY = gettext_lazy("Record since when the member took no part in union life.")
NO_ADMONITION = gettext_lazy("Record when the member was admonished: without it nobody is deemed withdrawn.")


class MembershipMoves:
    """What a membership's state means, and what each of its moves does beside changing it."""

    @property
    def is_open(self):
        return self.state in OPEN_STATES

    @property
    def phone_shown(self):
        """The person's phone, masked; "" once the membership has ended: it is no business of a union that was left."""
        return self.person.phone_masked if self.is_open else ""

    @property
    def standing(self):
        """The state whose rights hold: while a transfer is under way, the one before it."""
        return self.state_before or S.ACTIVE if self.state == S.TRANSFER_PENDING else self.state

    @property
    def rights(self):
        """The `Right`s in force: votes, dues, counts; of an ended membership the one that says so."""
        if self.standing == S.ACTIVE:
            return VOTES, DUES, COUNTS
        if self.standing == S.RETAINED:
            return NO_VOTE, NO_DUES, NOT_COUNTED
        return (ENDED,)

    @property
    def votes(self):
        return self.standing == S.ACTIVE

    @property
    def pays_dues(self):
        return self.standing == S.ACTIVE

    @property
    def counts(self):
        return self.standing == S.ACTIVE

    # --- What the moves do ---

    def on_retain(self, *, by, reason, kind, since):
        if kind not in RetainedFor.values:
            raise ValidationError({"kind": _("Say why the membership is retained.")})
        self._check_day("since", since)
        if kind in (RetainedFor.RETIRED, RetainedFor.UNEMPLOYED):
            self.employment_state = kind
        return {"kind": str(kind), "since": since.isoformat()}

    def on_restore(self, *, by, reason, on=None):
        on = on or timezone.localdate()
        self._check_day("on", on)
        if self.employment_state in (RetainedFor.RETIRED, RetainedFor.UNEMPLOYED):
            self.employment_state = "AT_WORK"
        return {"on": on.isoformat()}

    def on_withdraw(self, *, by, reason, requested_on, on):
        self._check_day("requested_on", requested_on)
        self._end("on", on)
        if on < requested_on:
            raise ValidationError({"on": _("Nobody withdraws before asking in writing.")})
        return {"requested_on": requested_on.isoformat(), "on": on.isoformat()}

    def on_deem(self, *, by, reason, dues_since=None, idle_since=None, admonished_on=None, on=None):
        """Deemed withdrawal rests on three recorded facts and a human decision."""
        on = on or timezone.localdate()
        self._end("on", on)
        months = int(settings_table.value("deemed_withdrawal_months", on))
        if faults := lacking(dues_since, idle_since, admonished_on, on=on, months=months):
            raise ValidationError(faults)
        return {
            "dues_since": dues_since.isoformat(),
            "idle_since": idle_since.isoformat(),
            "admonished_on": admonished_on.isoformat(),
            "on": on.isoformat(),
        }

    def on_expel(self, *, by, reason, decided_on, decision_no):
        if not decision_no.strip():
            raise ValidationError({"decision_no": _("Give the number of the committee's decision.")})
        self._end("decided_on", decided_on)
        return {"decided_on": decided_on.isoformat(), "decision_no": decision_no.strip()[:60]}

    def on_record_death(self, *, by, reason, on):
        """The person dies with every union; a transfer under way falls away."""
        self._end("on", on)
        if on < self.person.born_on:
            raise ValidationError({"on": _("This day lies before the birth date.")})
        self.person.die(on)
        for transfer in self.transfers.open():
            transfer.make_move("lapse", by=by, reason=_("The member died."))
        return {"on": on.isoformat()}

    def why_not_reopen(self, user):
        if self.person.erased_on:
            return _("The data of this person was erased: nobody knows any more whose membership this was.")
        if self.person.memberships.open().exists():
            return _("The person has an open membership again: transfer that one.")
        if self.person.deceased_on and self.state != S.DECEASED:
            return _("The person is recorded as deceased.")
        if self.union.dissolved_on:
            return _("The union was dissolved: enrol the person where they work now.")
        return ""

    def on_reopen(self, *, by, reason):
        if self.state == S.DECEASED:
            self.person.die(None)
        self._back()
        self.ended_on = None

    def on_pend(self, *, by, reason):
        self.state_before = self.state

    def on_stay(self, *, by, reason):
        self._back()

    def on_transfer(self, *, by, reason, on=None):
        self._end("on", on or timezone.localdate())

    def on_duplicate(self, *, by, reason):
        self._end("on", timezone.localdate())

    def on_reinstate(self, *, by, reason):
        self._back()
        self.ended_on = None

    def _back(self):
        self.state, self.state_before = self.state_before or S.ACTIVE, ""

    def _end(self, field, on):
        self._check_day(field, on)
        if self.state != S.TRANSFER_PENDING:
            self.state_before = self.state
        self.ended_on = on

    def _check_day(self, field, day):
        if not isinstance(day, date):
            raise ValidationError({field: _("Give the day.")})
        if day > timezone.localdate():
            raise ValidationError({field: _("This day lies in the future.")})
        if self.joined_on and day < self.joined_on:
            raise ValidationError({field: _("This day lies before the day of joining.")})


def lacking(dues_since, idle_since, admonished_on, *, on, months):
    """Return {field: sentence} of the facts that are missing or too young for a deemed withdrawal on the day `on`."""
    faults = {}
    for field, since, missing in (
        ("dues_since", dues_since, NO_DUES_DAY),
        ("idle_since", idle_since, NO_IDLE_DAY),
    ):
        if since is None:
            faults[field] = missing
        elif since > on:
            faults[field] = _("This day must lie before the decision.")
        elif add_months(since, months) > on:
            faults[field] = _("This must have lasted %(months)d months: until %(day)s it is too early.") % {
                "months": months,
                "day": add_months(since, months),
            }
    if admonished_on is None:
        faults["admonished_on"] = NO_ADMONITION
    elif admonished_on > on:
        faults["admonished_on"] = _("The admonition must lie before the decision.")
    return faults

"""The states of a hardship case and its moves, from the draft to the end (rulebook §3.2, §3.3).

Whoever visits, reviews, approves and pays are four people; who is related to the household recuses
(`members.relations`). Whether the data match comes before or after publicity is a setting (`hardship_match_first`).
"""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from assistance.eligibility import HELPED, CannotClassify
from core import deadlines
from core.cases import Move, MoveRefused
from core.deadlines import CannotCount
from core.models import Deadline, DeadlineRule
from members import relations
from members.models import Membership
from unions.models import Union, UnionKind


class HardshipState(models.TextChoices):
    """困难职工建档 states."""

    DRAFT = "DRAFT", _("draft")
    UNION_REVIEW = "UNION_REVIEW", _("union review")
    HOME_VISIT = "HOME_VISIT", _("home visit")
    APPRAISAL = "APPRAISAL", _("appraisal")
    PUBLICITY = "PUBLICITY", _("in publicity")
    OBJECTION = "OBJECTION", _("objection looked into")
    DISTRICT_REVIEW = "DISTRICT_REVIEW", _("district review")
    DATA_MATCH = "DATA_MATCH", _("data match")
    CITY_APPROVAL = "CITY_APPROVAL", _("city approval")
    FILED = "FILED", _("filed")
    REVIEW = "REVIEW", _("periodic review")
    MONITORED = "MONITORED", _("monitored after exit")
    CLOSED = "CLOSED", _("closed")
    REJECTED = "REJECTED", _("rejected")
    WITHDRAWN = "WITHDRAWN", _("withdrawn by the applicant")


S = HardshipState
BEFORE_FILING = (
    S.DRAFT, S.UNION_REVIEW, S.HOME_VISIT, S.APPRAISAL, S.PUBLICITY, S.OBJECTION, S.DISTRICT_REVIEW, S.DATA_MATCH,
    S.CITY_APPROVAL,
)  # fmt: skip
EDITABLE = (S.DRAFT, S.REVIEW)  # what was declared may be changed
IN_FORCE = (S.FILED, S.REVIEW)  # grants may be made
OPEN_STATES = (*BEFORE_FILING, *IN_FORCE)

ENTER, REVIEW, VISIT = (
    "assistance.change_hardshipcase",
    "assistance.review_hardshipcase",
    "assistance.visit_hardshipcase",
)
CHECK, MATCH = "assistance.check_hardshipcase", "assistance.match_hardshipcase"
APPROVE = "assistance.approve_hardshipcase"

# Nobody takes two of these parts in one case; paying, the fourth, is `assistance.money`'s.
REVIEWS = ("review", "return_review", "reject_review")
VISITS = ("visit", "return_visit")
CHECKS = ("check", "return_check", "reject_check", "dismiss_objection", "uphold_objection")
APPROVALS = ("approve", "return_approval", "reject_approval")


def but(own):
    return tuple(name for part in (("submit",), REVIEWS, VISITS, CHECKS, APPROVALS) if part != own for name in part)


MOVES = (
    Move("submit", _("submit"), (S.DRAFT,), S.UNION_REVIEW, ENTER),
    Move("review", _("pass the union review"), (S.UNION_REVIEW,), S.HOME_VISIT, REVIEW, apart_from=but(REVIEWS)),
    Move("return_review", _("give back to be corrected"), (S.UNION_REVIEW,), S.DRAFT, REVIEW,
         reason_required=True, apart_from=but(REVIEWS)),
    Move("reject_review", _("reject"), (S.UNION_REVIEW,), S.REJECTED, REVIEW,
         reason_required=True, apart_from=but(REVIEWS)),
    Move("visit", _("record the home visit"), (S.HOME_VISIT,), S.APPRAISAL, VISIT, apart_from=but(VISITS)),
    Move("return_visit", _("give back to be corrected"), (S.HOME_VISIT,), S.DRAFT, VISIT,
         reason_required=True, apart_from=but(VISITS)),
    Move("appraise", _("record the appraisal"), (S.APPRAISAL,), "", ENTER, back_to=(S.PUBLICITY, S.DATA_MATCH)),
    Move("return_appraisal", _("give back to be corrected"), (S.APPRAISAL,), S.DRAFT, ENTER, reason_required=True),
    Move("object", _("record an objection"), (S.PUBLICITY,), S.OBJECTION, ENTER, reason_required=True),
    Move("dismiss_objection", _("dismiss the objection, publish again"), (S.OBJECTION,), S.PUBLICITY, CHECK,
         reason_required=True, apart_from=but(CHECKS)),
    Move("uphold_objection", _("uphold the objection"), (S.OBJECTION,), S.REJECTED, CHECK,
         reason_required=True, apart_from=but(CHECKS)),
    Move("end_publicity", _("end the publicity"), (S.PUBLICITY,), S.DISTRICT_REVIEW, ENTER),
    Move("check", _("pass the district review"), (S.DISTRICT_REVIEW,), "", CHECK,
         apart_from=but(CHECKS), back_to=(S.DATA_MATCH, S.CITY_APPROVAL)),
    Move("return_check", _("give back to be corrected"), (S.DISTRICT_REVIEW,), S.DRAFT, CHECK,
         reason_required=True, apart_from=but(CHECKS)),
    Move("reject_check", _("reject"), (S.DISTRICT_REVIEW,), S.REJECTED, CHECK,
         reason_required=True, apart_from=but(CHECKS)),
    Move("match", _("close the data match"), (S.DATA_MATCH,), "", MATCH, back_to=(S.PUBLICITY, S.CITY_APPROVAL)),
    Move("return_match", _("give back to be corrected"), (S.DATA_MATCH,), S.DRAFT, MATCH, reason_required=True),
    Move("approve", _("approve and file"), (S.CITY_APPROVAL,), S.FILED, APPROVE, apart_from=but(APPROVALS)),
    Move("return_approval", _("give back to be corrected"), (S.CITY_APPROVAL,), S.DRAFT, APPROVE,
         reason_required=True, apart_from=but(APPROVALS)),
    Move("reject_approval", _("reject"), (S.CITY_APPROVAL,), S.REJECTED, APPROVE,
         reason_required=True, apart_from=but(APPROVALS)),
    Move("withdraw", _("withdraw the application"), BEFORE_FILING, S.WITHDRAWN, ENTER, reason_required=True),
    Move("start_review", _("begin the periodic review"), (S.FILED,), S.REVIEW, ENTER),
    Move("confirm", _("confirm after the review"), (S.REVIEW,), S.FILED, CHECK, apart_from=("start_review",)),
    Move("exit", _("exit, to be monitored"), IN_FORCE, S.MONITORED, CHECK, reason_required=True),
    Move("close", _("close the file"), OPEN_STATES, S.CLOSED, CHECK, reason_required=True),
    Move("end_monitoring", _("end the monitoring"), (S.MONITORED,), S.CLOSED, CHECK),
    Move("reenter", _("apply again"), (S.MONITORED, S.CLOSED, S.REJECTED, S.WITHDRAWN), "", ENTER,
         back_to=(S.CLOSED, S.REJECTED, S.WITHDRAWN)),
)  # fmt: skip
ANYBODY = {"submit", "withdraw", "object", "start_review", "reenter", "return_appraisal"}  # entering decides nothing
PARTS = (*REVIEWS, *VISITS, *CHECKS, *APPROVALS)

# How a case ends: in monitoring (exit), or with its file closed.
EXITS = ("RELIEVED", "GUARANTEED")
CLOSINGS = ("REMOVED", "DECEASED", "TRANSFERRED", "REIDENTIFIED")

OWN, DISTRICT, CITY = "own", "district", "city"
# The clock of each step: its rule, and at which union it is a duty. Publicity keeps its own (`assistance.publicity`).
CLOCKS = {
    S.UNION_REVIEW: ("HARDSHIP_UNION_REVIEW_5D", OWN),
    S.HOME_VISIT: ("HARDSHIP_VISIT_10WD", OWN),
    S.APPRAISAL: ("HARDSHIP_APPRAISAL_5WD", OWN),
    S.OBJECTION: ("HARDSHIP_OBJECTION_10WD", DISTRICT),
    S.DISTRICT_REVIEW: ("HARDSHIP_DISTRICT_10WD", DISTRICT),
    S.DATA_MATCH: ("HARDSHIP_MATCH_30D", DISTRICT),
    S.CITY_APPROVAL: ("HARDSHIP_APPROVAL_10WD", CITY),
}
REVIEW_RULE, MONITOR_RULE = "HARDSHIP_REVIEW_", "HARDSHIP_MONITOR_"  # and the months of the setting: 12M
PUBLICITY_RULE = "HARDSHIP_PUBLICITY_5WD"
EMERGENCY_RULE = "HARDSHIP_EMERGENCY_FILE_30D"  # aid given before the file was there (rulebook §3.6)
STEP_RULES = (*(rule for rule, _place in CLOCKS.values()), PUBLICITY_RULE)
BROKEN_OFF = ("withdraw", "object", "close")  # the step was not done: its clock is void


class HardshipMoves:
    """What each move of a hardship case does beside changing its state."""

    # --- Who may -------------------------------------------------------------------------------------------------

    def _why_not(self, move, user):
        if self.deceased_on and self.state in OPEN_STATES and move.name != "close":
            said = gettext("The applicant died on %(day)s: the case can only be closed, as cancelled by death.")
            return said % {"day": self.deceased_on}
        if user is not None and move.name not in ANYBODY:
            if bar := self._bar_of(user):
                return bar
            if move.name in PARTS and move.name not in VISITS and self.went_along(user):
                return gettext("You went along on the home visit: somebody else must do this.")
        return super()._why_not(move, user)

    def _bar_of(self, user):
        """Why `user` recuses, asked once for all the buttons of a page."""
        asked = self.__dict__.setdefault("_bars", {})
        if user.pk not in asked:
            asked[user.pk] = relations.bars(user, self.indexes())
        return asked[user.pk]

    def went_along(self, user):
        """Whether `user` was on a home visit of this case."""
        return self.visits.filter(visitors__user=user).exists()

    def took_part(self, user):
        """Whether `user` reviewed, visited, checked or approved: whoever did pays nothing of this case."""
        return self.steps.filter(by=user, move__in=PARTS).exists() or self.went_along(user)

    @cached_property
    def deceased_on(self):
        """The applicant's day of death as the register has it; None: alive, or not in the register."""
        return self.people.filter(kin="SELF").values_list("person__deceased_on", flat=True).first()

    def make_move(self, name, *, by, **facts):
        try:
            return super().make_move(name, by=by, **facts)
        except (CannotClassify, CannotCount) as refusal:
            raise MoveRefused(str(refusal)) from None

    # --- The clock of the step, and the end ------------------------------------------------------------------------

    def moved(self, move, source, *, by):
        """Close the clock of the step that ended, open that of the next; let the people go when the case is over."""
        from assistance import publicity

        if self.state == source or move.name == "start_review":  # the clock of a filed case runs on in its review
            return
        today = timezone.localdate()
        deadlines.close(self.clocks(), "void" if move.name in BROKEN_OFF else "met", on=today, by=by)
        if source == S.PUBLICITY:
            publicity.stop(self, str(move.label))
        if self.state in CLOCKS:
            rule, place = CLOCKS[self.state]
            self._open_clock(rule, self.place(place), by)
        elif self.state == S.PUBLICITY:
            publicity.begin(self, by=by)
        elif self.state == S.FILED:
            deadlines.close(Deadline.objects.of(self).filter(rule__code=EMERGENCY_RULE), "met", on=today, by=by)
            self.review_on = self._open_clock(_by_months(REVIEW_RULE, "review_months"), self.union, by).due
        elif self.state == S.MONITORED:
            self._open_clock(_by_months(MONITOR_RULE, "monitoring_months"), self.union, by)
        if source in OPEN_STATES and self.state not in OPEN_STATES:
            self.ended_on = today
            for each in self.people.filter(live=True):
                each.live = False
                each.save(update_fields=["live"])

    def clocks(self):
        """The deadlines of the steps, open or not: those of money and match results are not among them."""
        months = models.Q(rule__code__startswith=REVIEW_RULE) | models.Q(rule__code__startswith=MONITOR_RULE)
        return Deadline.objects.of(self).filter(months | models.Q(rule__code__in=STEP_RULES))

    def _open_clock(self, rule, union, by):
        return deadlines.open_deadline(
            rule, timezone.localdate(), subject=self, union=union, title=self.union.name, by=by
        )

    def place(self, level):
        """The union that acts: the case's own, the district's above it (or the highest), the highest."""
        if level == OWN:
            return self.union
        above = [*Union.objects.filter(pk__in=self.union.ancestor_ids).order_by("path"), self.union]
        districts = [union for union in above if union.kind == UnionKind.DISTRICT_FED]
        return districts[-1] if level == DISTRICT and districts else above[0]

    def _done(self, name):
        """Whether the step `name` was made since the case was handed in last."""
        last = self.steps.filter(move="submit").values_list("pk", flat=True).first()
        return self.steps.filter(move=name, pk__gt=last or 0).exists()

    # --- From the draft to the appraisal ----------------------------------------------------------------------------

    def why_not_submit(self, user):
        return " ".join(self.missing())

    def missing(self):
        """The sentences what a draft still needs before it is handed in."""
        people = list(self.people.all())
        if not any(each.kin == "SELF" for each in people):
            return [gettext("Enter the household first: the applicant is missing.")]
        sentences = []
        given = set(self.consents.filter(withdrawn_at=None).values_list("of_id", "kind"))
        adults = [each for each in people if age_on(each.born_on, self.applied_on) >= ADULT]
        for kind, said in CONSENTS.items():
            if lacking := [each.get_kin_display() for each in adults if (each.pk, kind) not in given]:
                sentences.append(said % {"people": gettext(", ").join(map(str, lacking))})
        if not self.incomes.exists():
            sentences.append(gettext("Enter the income, or a line of 0 that says there is none."))
        return sentences

    def on_visit(self, *, by, reason, on, found, opinion, others=(), names=()):
        from assistance import visits

        return visits.record(self, by=by, on=on, found=found, opinion=opinion, others=others, names=names)

    def on_appraise(self, *, by, reason, on, present, favour, against):
        from assistance import policy

        check_day(self, "on", on)
        if present < 1 or min(favour, against) < 0 or favour + against > present:
            raise ValidationError({"favour": gettext("More votes than people: count once more.")})
        if favour <= against:
            raise ValidationError(
                {"favour": gettext("The appraisal did not agree: give the case back and say what was objected to.")}
            )
        self.state = S.DATA_MATCH if policy.yes("match_first", self.applied_on) else S.PUBLICITY
        return {"on": on.isoformat(), "present": present, "favour": favour, "against": against}

    # --- Publicity, district, match -------------------------------------------------------------------------------

    def why_not_end_publicity(self, user):
        from assistance import publicity

        return publicity.may_end(self)

    def why_not_dismiss_objection(self, user):
        from assistance import publicity

        return publicity.unanswered(self)

    why_not_uphold_objection = why_not_dismiss_objection

    def why_not_match(self, user):
        from assistance import matching

        return matching.why_not_done(self)

    def on_check(self, *, by, reason):
        self.state = S.CITY_APPROVAL if self._done("match") else S.DATA_MATCH

    def on_match(self, *, by, reason):
        self.state = S.CITY_APPROVAL if self._done("end_publicity") else S.PUBLICITY

    # --- The decision ----------------------------------------------------------------------------------------------

    def why_not_approve(self, user):
        return self._why_not_helped()

    def why_not_confirm(self, user):
        return self._why_not_helped()

    def _why_not_helped(self):
        """Why no file can be kept: a value of the policy is missing, or the derivation that ends in no category."""
        from assistance import decisions

        try:
            verdict, *_figures = decisions.judge(self)
        except CannotClassify as refusal:
            return str(refusal)
        return "" if verdict.category in HELPED else verdict.explanation

    def on_approve(self, *, by, reason):
        from assistance import decisions

        decision = decisions.decide(self, move="approve", by=by)
        self.filed_on = timezone.localdate()
        if not self.file.number:
            self.file.number = f"困〔{self.filed_on.year}〕{self.file_id:06d}号"
            self.file.save(update_fields=["number"])
        return {"category": decision.category}

    # --- Review, exit, monitoring, the next cycle --------------------------------------------------------------------

    def on_start_review(self, *, by, reason, on):
        """The figures are those of the twelve months before `on` from now, under the policy of that day."""
        check_day(self, "on", on)
        before, self.applied_on = self.applied_on, on
        self.membership = self._membership_now()
        return {"on": on.isoformat(), "figures_before": before.isoformat()}

    def on_confirm(self, *, by, reason):
        from assistance import decisions

        return {"category": decisions.decide(self, move="confirm", by=by).category}

    def on_exit(self, *, by, reason, code, months=None):
        from assistance import decisions, policy

        if code not in EXITS:
            raise ValidationError({"code": gettext("Say how the household leaves.")})
        if code == "RELIEVED":
            if self.state != S.REVIEW:
                raise MoveRefused(gettext("Begin the periodic review first: «out of hardship» needs fresh figures."))
            verdict, _household, _policy, standard = decisions.judge(self)
            if verdict.per_capita <= standard.amount:
                said = gettext("The net income of %(shown)s yuan is not above the line of %(line)s yuan.")
                raise MoveRefused(said % {"shown": verdict.shown, "line": standard.amount})
            needed = int(policy.number("exit_months", self.applied_on))
            if months is None or months < needed:
                said = gettext("The income must have been above the line for %(months)d months in a row.")
                raise ValidationError({"months": said % {"months": needed}})
        if self.state == S.REVIEW:
            decisions.decide(self, move="exit", by=by)
        self.exit_code = code
        return {"code": code, "months": months}

    def why_not_close(self, user):
        if self.state in BEFORE_FILING and not self.deceased_on:
            return gettext("Nothing is filed yet: reject the case, give it back, or record that it is withdrawn.")
        return ""

    def on_close(self, *, by, reason, code):
        if code not in CLOSINGS:
            raise ValidationError({"code": gettext("Say how the file ends.")})
        if self.deceased_on and code != "DECEASED":
            raise ValidationError({"code": gettext("The applicant died: the file is cancelled by death.")})
        registered = self.people.filter(kin="SELF", person__isnull=False)
        if code == "DECEASED" and not self.deceased_on and registered.exists():
            raise ValidationError({"code": gettext("Record the death on the member's page first.")})
        self.exit_code = code
        return {"code": code}

    def why_not_end_monitoring(self, user):
        due = Deadline.objects.of(self).open().filter(rule__code__startswith=MONITOR_RULE).first()
        if due and due.natural > timezone.localdate():
            return gettext("The household is monitored until %(day)s.") % {"day": due.natural}
        return ""

    def why_not_reenter(self, user):
        if self.deceased_on:
            said = gettext("The applicant died on %(day)s: another person of the household applies.")
            return said % {"day": self.deceased_on}
        if type(self).objects.filter(file=self.file_id, cycle__gt=self.cycle).exists():
            return gettext("The household has applied again since: see the later case.")
        return ""

    def on_reenter(self, *, by, reason, applied_on):
        """Open the next cycle of the same file as a draft: the people go along, figures and consents are asked anew."""
        check_day(self, "applied_on", applied_on)
        membership = self._membership_now()
        union = membership.union if membership else self.union
        if by is not None and not by.has_perm(ENTER, union):
            raise MoveRefused(gettext("The applicant belongs to another union now: it files the application."))
        copied = {name: getattr(self, name) for name in CARRIED_ON}
        try:
            with transaction.atomic():
                case = type(self).objects.create(
                    file=self.file, cycle=self.cycle + 1, union=union, membership=membership, previous=self,
                    applied_on=applied_on, created_by=by, **copied,
                )  # fmt: skip
                for each in self.people.all():
                    case.people.create(**{name: getattr(each, name) for name in PERSON_CARRIED_ON})
        except IntegrityError:
            raise MoveRefused(
                gettext("Somebody of this household lives in another open case: close that one, or correct it, first.")
            ) from None
        if self.state == S.MONITORED:
            self.state = S.CLOSED
        return {"next": case.pk, "applied_on": applied_on.isoformat()}

    def _membership_now(self):
        person = self.people.filter(kin="SELF").values_list("person", flat=True).first()
        return Membership.objects.open().filter(person=person).select_related("union").first() if person else None


ADULT = 18  # 民法典 17
CONSENTS = {
    "CHECK": _("The authorisation to check the economic situation is missing: %(people)s."),
    "PUBLICITY": _("The agreement to publicity is missing: %(people)s."),
}
CARRIED_ON = (
    "cause", "statement", "phone", "residence", "bank_name", "bank_account", "bank_last4", "migrant", "resident",
    "labour_months", "houses", "housing_area",
)  # fmt: skip
PERSON_CARRIED_ON = (
    "person", "kin", "name", "id_number", "id_masked", "sex", "born_on", "situation", "workplace", "health",
)  # fmt: skip


def age_on(born_on, day):
    """Full years on `day`."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def check_day(case, name, day):
    """Refuse a day in the future or before the application. Raises ValidationError under the field `name`."""
    if day > timezone.localdate():
        raise ValidationError({name: gettext("This day lies in the future.")})
    if day < case.applied_on:
        raise ValidationError({name: gettext("This day lies before the application.")})


def _by_months(rule, key):
    """The code of the rule for the months that the setting `hardship_<key>` names today. Raises CannotCount."""
    from assistance import policy

    code = f"{rule}{int(policy.number(key, timezone.localdate()))}M"
    if not DeadlineRule.objects.filter(code=code).exists():
        said = gettext("There is no deadline rule «%(code)s»: correct the setting «%(key)s».")
        raise CannotCount(said % {"code": code, "key": f"hardship_{key}"})
    return code

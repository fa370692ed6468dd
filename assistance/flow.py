"""What the page of a case says of its flow: the clock, who is to act, what happened, and the derivation."""

from dataclasses import dataclass
from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assistance import decisions
from assistance.eligibility import CATEGORIES, Policy, classify
from assistance.models import ExitCode, HardshipCase, VisitOpinion
from assistance.moves import BEFORE_FILING, MOVES, HardshipState

LABELS = {move.name: move.label for move in MOVES}
# The way of a case as a row of stages; which states belong to each.
STAGES = (
    (gettext_lazy("application"), (HardshipState.DRAFT,)),
    (gettext_lazy("union review"), (HardshipState.UNION_REVIEW,)),
    (gettext_lazy("home visit"), (HardshipState.HOME_VISIT,)),
    (gettext_lazy("appraisal"), (HardshipState.APPRAISAL,)),
    (gettext_lazy("publicity"), (HardshipState.PUBLICITY, HardshipState.OBJECTION)),
    (gettext_lazy("district review"), (HardshipState.DISTRICT_REVIEW,)),
    (gettext_lazy("data match"), (HardshipState.DATA_MATCH,)),
    (gettext_lazy("city approval"), (HardshipState.CITY_APPROVAL,)),
    (gettext_lazy("filed"), (HardshipState.FILED, HardshipState.REVIEW)),
)
MATCHED = 6  # where the data match stands among the stages


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    day: date
    text: str
    note: str
    by: str


def clock(case):
    """The open deadline of the present step, or None."""
    return case.clocks().open().select_related("rule", "union").order_by("earliest").first()


def stages(case, *, match_first):
    """[(label, "done", "current" or "")] on the way of a case that is not filed yet; none afterwards."""
    if case.state not in BEFORE_FILING:
        return []
    rows = list(STAGES)
    if match_first:
        rows.insert(4, rows.pop(MATCHED))
    at = next(index for index, (_label, states) in enumerate(rows) if case.state in states)
    return [
        (label, "done" if index < at else "current" if index == at else "")
        for index, (label, _states) in enumerate(rows)
    ]


def timeline(case):
    """The steps as `Entry`s, newest first."""
    return [
        Entry(timezone.localdate(step.at), str(LABELS.get(step.move, step.move)), _note(step), step.by_name)
        for step in case.steps.all()
    ]


def _note(step):
    facts, said = step.facts, []
    if step.move == "visit":
        said.append(_("visited on %(day)s by %(number)d people") % {"day": facts["on"], "number": facts["visitors"]})
        said.append(str(VisitOpinion(facts["opinion"]).label))
    if step.move == "appraise":
        said.append(_("%(present)d present, %(favour)d in favour, %(against)d against") % facts)
    if step.move in ("approve", "confirm") and facts:
        said.append(CATEGORIES[facts["category"]])
    if step.move in ("exit", "close"):
        said.append(str(ExitCode(facts["code"]).label))
    return " · ".join(filter(None, [*said, step.reason]))


def verdicts(case):
    """[(a decision, its `Verdict` worked out again from what was kept)], the newest first."""
    return [
        (decision, classify(decisions.from_json(decision.figures), Policy.from_json(decision.policy)))
        for decision in case.decisions.select_related("standard")
    ]


def whom(keys, user):
    """{key: the applicant's name} of the cases with these keys that `user` sees: shown at the desk only."""
    rows = HardshipCase.objects.visible_to(user, "assistance.view_hardshipcase").filter(pk__in=keys, people__kin="SELF")
    return dict(rows.order_by().values_list("pk", "people__name"))

"""Moves of a case: what can be done next, by whom, and what happened."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from assistance import decisions, flow, papers, policy
from assistance.case_badges import case_badge
from assistance.eligibility import CATEGORIES, CannotClassify
from assistance.flow_forms import form_for
from assistance.models import HardshipCase
from assistance.moves import APPROVE, BEFORE_FILING, CHECK, ENTER, REVIEW, VISIT, HardshipState
from core import papers as core_papers
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.forms import add_refusal
from core.scope import needs
from unions.roles import GRANTS

FORWARD = {
    "submit", "review", "visit", "appraise", "end_publicity", "check", "match", "approve", "start_review", "confirm",
    "end_monitoring", "reenter", "dismiss_objection",
}  # fmt: skip
READ_VISITS = (ENTER, REVIEW, VISIT, CHECK, APPROVE)  # who works on the case; others see that there was a visit


def part(request, case, *, bound=None):
    """Return what the case page shows of it; `bound`: the form of a move that was refused."""
    offers = []
    for offer in case.open_moves(request.user):
        own = bound if bound is not None and bound.made == offer.move else None
        offers.append((offer, own or form_for(offer.move, case=case, user=request.user)))
    before = case.state in BEFORE_FILING
    preview, waits = preview_of(case) if before or case.state == HardshipState.REVIEW else (None, "")
    return {
        "badge": case_badge(case),
        "stages": flow.stages(case, match_first=_match_first(case)) if before else [],
        "next_moves": [pair for pair in offers if pair[0].move.name in FORWARD],
        "other_moves": [pair for pair in offers if pair[0].move.name not in FORWARD],
        "waiting_for": waiting_for(case),
        "clock": flow.clock(case),
        "timeline": flow.timeline(case),
        "decided": flow.verdicts(case)[:1],
        "papers": papers.issued(case) if request.user.has_perm("core.view_paper", case) else [],
        "paper_kinds": papers.offered(case) if request.user.has_perm("core.issue_paper", case) else [],
        "preview": preview,
        "waits": waits,
        "missing": case.missing() if case.state == HardshipState.DRAFT else [],
        "categories": CATEGORIES,
        "visits": case.visits.prefetch_related("visitors"),
        "may_read_visits": any(request.user.has_perm(perm, case) for perm in READ_VISITS),
        "previous": seen(request, case.previous),
        "following": [each for each in case.next.all() if seen(request, each)],
    }


def seen(request, case):
    """`case` if the user sees it, else None."""
    return case if case is not None and request.user.has_perm("assistance.view_hardshipcase", case) else None


def preview_of(case):
    """(the `Verdict` that would be reached with the figures as they are, why there is none)."""
    try:
        return decisions.judge(case)[0], ""
    except CannotClassify as refusal:
        return None, str(refusal)


def _match_first(case):
    try:
        return policy.yes("match_first", case.applied_on)
    except CannotClassify:
        return False


def waiting_for(case):
    """Who is to act next: the words for the roles that make the first move onward."""
    perm = next((m.permission for m in case.MOVES if case.state in m.sources and m.name in FORWARD), None)
    return [role.label for role in GRANTS.values() if perm in role.permissions]


@require_POST
@needs("assistance.view_hardshipcase")
def hardship_move(request, hardshipcase_pk):
    """Make one move of a case with the facts of its form."""
    from assistance.views import show, the_case

    case = the_case(request, hardshipcase_pk, "assistance.view_hardshipcase")
    name = request.POST.get("move", "")
    if name not in {move.name for move in HardshipCase.MOVES}:
        return redirect("hardship_page", hardshipcase_pk=case.pk)
    move = HardshipCase.move(name)
    form = form_for(move, request.POST, case=case, user=request.user)
    try:
        case.check_move(name, by=request.user)
        if form.is_valid():
            known = {"version": form.cleaned_data["version"], "reason": form.cleaned_data["reason"]}
            made = case.make_move(name, by=request.user, **known, **form.facts())
            messages.success(request, _("Recorded: %(move)s.") % {"move": move.label})
            return redirect("hardship_page", hardshipcase_pk=_next(made, name))
    except MoveRefused as refusal:
        if case.state not in move.sources:
            messages.error(request, " ".join(refusal.messages))
            return redirect("hardship_page", hardshipcase_pk=case.pk)
        form.full_clean()
        form.add_error(None, refusal)
    except Conflict:
        messages.error(request, _("Somebody changed this case while you were here: look once more, then decide."))
        return redirect("hardship_page", hardshipcase_pk=case.pk)
    except ValidationError as refusal:
        add_refusal(form, refusal)
    return show(request, case, bound=form)


@require_POST
@needs("core.issue_paper")
def hardship_paper(request, hardshipcase_pk):
    """Ask for a paper about a case: application, visit form, approval form or the dossier."""
    from assistance.views import the_case

    case = the_case(request, hardshipcase_pk, "core.issue_paper")
    kind = request.POST.get("kind", "")
    if kind not in papers.KINDS:
        return redirect("hardship_page", hardshipcase_pk=case.pk)
    if not core_papers.may_issue(request.user, kind, case.union):
        raise PermissionDenied(_("Your role does not include what this paper shows."))
    try:
        paper = core_papers.ask(kind, union=case.union, by=request.user, params={"case": case.pk})
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("hardship_page", hardshipcase_pk=case.pk)
    return redirect("job_page", job_pk=paper.job_id)


def _next(case, name):
    """Where to go on: to the case itself, or to the new cycle that the move opened."""
    return case.steps.first().facts["next"] if name == "reenter" else case.pk

"""Pages on which a union moves, merges or is dissolved: first all that moves is shown, then it is decided."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from core.forms import add_refusal
from core.models import Job
from core.scope import needs
from members import reorganising
from members.forms_reorganising import DissolveForm, MergeForm, MoveForm
from unions import reorganising as tree
from unions.views import the_union

METHODS = ["GET", "HEAD", "POST"]

# What the counts of a preview are called, in the order of the page.
LABELS = {
    "unions": gettext_lazy("unions that move"),
    "children": gettext_lazy("unions directly below that get another higher union"),
    "members": gettext_lazy("members"),
    "retained": gettext_lazy("of these retained"),
    "officers": gettext_lazy("officers in office"),
    "appointments": gettext_lazy("appointments of users here"),
    "lose": gettext_lazy("appointments above that reach it no more"),
    "gain": gettext_lazy("appointments above that reach it from now on"),
    "deadlines": gettext_lazy("open deadlines"),
    "transfers": gettext_lazy("transfers under way"),
    "papers": gettext_lazy("papers"),
}


@dataclass(frozen=True)
class Plan:
    """One way to reorganise, as its page tells it."""

    title: str
    button: str
    sentence: str
    consequences: tuple


def decide(request, union, form, plan, *, preview, do):
    """Show the form; once it is filled in, what moves; and when that was seen and is the same still, do it.

    `preview(facts)` counts, `do(facts, seen)` acts and returns the union whose page comes next, or the job that acts.
    """
    if job := reorganising.under_way(union):
        return redirect("job_page", job.pk)
    refusal = tree.why_not_reorganise(union, request.user)
    found = None
    if not refusal and form.is_valid():
        facts = form.cleaned_data
        try:
            if "seen" in request.POST and "look" not in request.POST:
                after = do(facts, request.POST["seen"] or "-")
                if isinstance(after, Job):
                    return redirect("job_page", after.pk)
                messages.success(request, _("Done: %(act)s.") % {"act": plan.title})
                return redirect("union_page", after.pk)
            found = preview(facts)
        except ValidationError as fault:
            add_refusal(form, fault)
            if isinstance(fault, reorganising.Changed):
                found = preview(facts)
    counts = [(label, found.counts[name]) for name, label in LABELS.items() if name in found.counts] if found else []
    context = {"union": union, "form": form, "plan": plan, "refusal": refusal, "found": found, "counts": counts}
    return render(request, "unions/reorganise.html", context)


@require_http_methods(METHODS)
@needs(tree.PERM)
def union_move(request, union_pk):
    """Move a union, with all below it, to another place in the tree."""
    union = the_union(request, union_pk, tree.PERM)
    plan = Plan(
        title=_("Move the union"),
        button=_("Move it now"),
        sentence=_("It stands below another union from that day on, with all unions below it."),
        consequences=(
            _("Members, committee, deadlines, papers and transfers go along unchanged."),
            _("Whoever is appointed above sees it by the new place; appointments at the union itself stay."),
        ),
    )
    form = MoveForm(request.POST or None, union=union, by=request.user)
    return decide(
        request, union, form, plan,
        preview=lambda facts: reorganising.preview_move(union, facts["to"]),
        do=lambda facts, seen: reorganising.ask(
            "move", union, by=request.user, seen=seen, title=plan.title, **facts
        ),
    )  # fmt: skip


@require_http_methods(METHODS)
@needs(tree.PERM)
def union_merge(request, union_pk):
    """Merge a union into another."""
    union = the_union(request, union_pk, tree.PERM)
    plan = Plan(
        title=_("Merge the union"),
        button=_("Merge it now"),
        sentence=_("The union ends on that day, and another takes its members."),
        consequences=(
            _("Every member goes over with the day of joining; retained ones stay retained."),
            _("The unions below get the union that takes the members as their higher union."),
            _("Committee, officers and appointments of this union end; its open deadlines fall away."),
            _("Transfers under way are called off: they are asked for anew."),
            _("Its page and papers stay readable."),
        ),
    )

    form = MergeForm(request.POST or None, union=union, by=request.user)
    return decide(
        request, union, form, plan,
        preview=lambda facts: reorganising.preview_merge(union, facts["to"]),
        do=lambda facts, seen: reorganising.ask(
            "merge", union, by=request.user, seen=seen, title=plan.title, **facts
        ),
    )  # fmt: skip


@require_http_methods(METHODS)
@needs(tree.PERM)
def union_dissolve(request, union_pk):
    """Dissolve a union whose employer ended."""
    union = the_union(request, union_pk, tree.PERM)
    plan = Plan(
        title=_("Dissolve the union"),
        button=_("Dissolve it now"),
        sentence=_("Only when the employer has ended: nobody may dissolve a union at will (Trade Union Law, art. 13)."),
        consequences=(
            _("The memberships are retained with the union above, or end, as chosen."),
            _("The unions below get the union above as their higher union."),
            _("Committee, officers and appointments of this union end; its open deadlines fall away."),
            _("Transfers under way are called off."),
            _("Its page and papers stay readable."),
        ),
    )

    form = DissolveForm(request.POST or None, union=union, by=request.user)
    return decide(
        request, union, form, plan,
        preview=lambda facts: reorganising.preview_dissolve(union),
        do=lambda facts, seen: reorganising.ask(
            "dissolve", union, by=request.user, seen=seen, title=plan.title, **facts
        ),
    )  # fmt: skip

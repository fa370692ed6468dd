"""Pages about people who may be entered twice: the queue, two records side by side, and a merge that can be undone."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.forms import add_refusal
from core.pages import ListPage
from core.scope import needs, visible_or_404
from members import matching, merging
from members.merge_forms import MergeForm, SuspectForm
from members.merge_tables import DecidedPairTable, PairTable
from members.merging import PERM
from members.models import DuplicatePair, Membership, PairState, PersonMerge
from members.views import the_membership
from unions.views import my_unions

BOXES = {
    PairState.OPEN: gettext_lazy("To look at"),
    PairState.NOT_SAME: gettext_lazy("Two different people"),
    PairState.MERGED: gettext_lazy("Merged"),
}
NOTHING = {
    PairState.OPEN: gettext_lazy("Nobody seems to be entered twice."),
    PairState.NOT_SAME: gettext_lazy("Nobody was told apart yet."),
    PairState.MERGED: gettext_lazy("Nothing was merged yet."),
}


class PairList(ListPage):
    """The queue, the likeliest first; and what was decided, the latest first. Only pairs both of whom one reaches."""

    permission = PERM
    title = gettext_lazy("Possible duplicates")
    template_name = "members/pair_list.html"

    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        asked = request.GET.get("box", "")
        self.box = asked if asked in BOXES else PairState.OPEN
        self.orders = {"likeness": ("-score", "pk")} if self.box == PairState.OPEN else {"latest": ("-pk",)}
        self.empty = NOTHING[self.box]
        self.table_class = PairTable if self.box == PairState.OPEN else DecidedPairTable

    def get_queryset(self):
        rows = DuplicatePair.objects.select_related("first", "second", "decided_by")
        return rows.filter(state=self.box)

    def get_facts(self):
        return my_unions(self.request.user, self.permission)

    def get_context(self):
        boxes = [(label, f"{self.request.path}?box={name}", name == self.box) for name, label in BOXES.items()]
        return {"boxes": boxes}


pair_list = PairList.as_view()


def the_pair(request, pk):
    rows = DuplicatePair.objects.select_related("first", "second", "decided_by")
    return visible_or_404(rows, request.user, PERM, pk=pk)


def show(request, pair, *, form=None):
    """Answer with two records side by side; `form`: a merge that was refused."""
    one, other = merging.side(pair.first), merging.side(pair.second)
    may = merging.may(request.user, one, other)
    merges = PersonMerge.objects.filter(kept__in=[pair.first, pair.second], absorbed__in=[pair.first, pair.second])
    context = {
        "pair": pair,
        "sides": [one, other],
        "form": form or MergeForm(one=one, other=other),
        "reasons": [matching.SENTENCES[reason] for reason in pair.reasons],
        "may": may,
        "refusal": merging.why_not(one, other)
        if may
        else _("One of the two belongs to a union where you do not decide: the union above both must."),
        "merge": merges.filter(undone_at=None).last(),
    }
    return render(request, "members/pair_page.html", context)


@require_safe
@needs(PERM)
def pair_page(request, duplicatepair_pk):
    """Two records side by side, why they look alike, and the two decisions: one person, or two."""
    return show(request, the_pair(request, duplicatepair_pk))


@require_POST
@needs(PERM)
def pair_merge(request, duplicatepair_pk):
    """Merge the two as chosen, field by field."""
    pair = the_pair(request, duplicatepair_pk)
    one, other = merging.side(pair.first), merging.side(pair.second)
    form = MergeForm(request.POST, one=one, other=other)
    if form.is_valid():
        try:
            merged = merging.merge(
                by=request.user,
                kept=pair.first,
                absorbed=pair.second,
                choices=form.choices(),
                open_membership=form.cleaned_data.get("open_membership"),
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The two records are one now. Nothing is lost: it can be taken back here."))
            return redirect("merge_page", personmerge_pk=merged.pk)
    return show(request, pair, form=form)


@require_POST
@needs(PERM)
def pair_differ(request, duplicatepair_pk):
    """The two are different people; or, of a pair decided so, they are to be looked at again."""
    pair = the_pair(request, duplicatepair_pk)
    again = "again" in request.POST
    try:
        (merging.reconsider if again else merging.differ)(by=request.user, pair=pair)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("pair_page", duplicatepair_pk=pair.pk)
    if again:
        messages.success(request, _("The pair is to be looked at again."))
        return redirect("pair_page", duplicatepair_pk=pair.pk)
    messages.success(request, _("Noted: two different people. The pair will not be shown again."))
    return redirect("pair_list")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(PERM)
def pair_suspect(request, membership_pk):
    """An officer noticed that a member is entered a second time: the other record is named by its number."""
    membership = the_membership(request, membership_pk, "members.view_membership")
    form = SuspectForm(request.POST or None)
    if form.is_valid():
        try:
            pair = merging.suspect(by=request.user, membership=membership, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return redirect("pair_page", duplicatepair_pk=pair.pk)
    return render(request, "members/pair_suspect.html", {"form": form, "membership": membership})


# --- Merges ---------------------------------------------------------------------------------------------------------


def the_merge(request, pk):
    rows = PersonMerge.objects.select_related("kept", "absorbed", "union", "made_by", "undone_by")
    return visible_or_404(rows, request.user, PERM, pk=pk)


@require_safe
@needs(PERM)
def merge_page(request, personmerge_pk):
    """What was merged, by whom and why; and taking it back, or what stands in the way."""
    merged = the_merge(request, personmerge_pk)
    memberships = Membership.objects.filter(person__in=[merged.kept, merged.absorbed]).select_related("union")
    context = {
        "merge": merged,
        "memberships": memberships.visible_to(request.user, "members.view_membership").order_by("-pk"),
        "may_undo": merging.may_undo(request.user, merged),
        "refusals": merging.why_not_undo(merged),
    }
    return render(request, "members/merge_page.html", context)


@require_POST
@needs(PERM)
def merge_undo(request, personmerge_pk):
    """Make two records of the one again, each as it was."""
    merged = the_merge(request, personmerge_pk)
    try:
        merging.undo_merge(by=request.user, merge=merged)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, _("Taken back: both records are as they were before the merge."))
    return redirect("merge_page", personmerge_pk=merged.pk)

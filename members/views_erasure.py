"""Pages about erasing a person's data: asking with a preview, deciding with the same; and holding it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import retention
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.forms import add_refusal
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.views.retention import ask_hold
from members import erasure
from members.erasure_forms import AskErasureForm, DecideErasureForm
from members.erasure_tables import ErasureTable, erasure_badge
from members.merging import current, side
from members.models import Erasure, ErasureGround
from members.views import the_membership
from unions.views import my_unions

ROWS = Erasure.objects.select_related("person", "union", "asked_by")


class ErasureList(ListPage):
    """What is asked for and what was decided, the latest first."""

    queryset = ROWS
    permission = "members.view_erasure"
    table_class = ErasureTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Erasures of personal data")
    empty = gettext_lazy("Nobody asked for an erasure yet. It begins on the page of a member who has left.")

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


erasure_list = ErasureList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("members.ask_erasure")
def member_erase(request, membership_pk):
    """Ask for a person's data to be erased; the page says what would go and what would stay."""
    membership = the_membership(request, membership_pk, "members.ask_erasure")
    person = current(membership.person)
    if not request.user.has_perm(Erasure.ASK, side(person).place):
        # A member elsewhere since: of that nothing is told here.
        raise PermissionDenied(_("Your role here does not include this act."))
    form = AskErasureForm(request.POST or None, initial={"ground": ErasureGround.REQUEST})
    if form.is_valid():
        try:
            asked = erasure.ask(by=request.user, person=person, **form.cleaned_data)
        except PermissionDenied as refusal:
            form.add_error(None, str(refusal))
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Asked for. Somebody else must decide; nothing is erased before."))
            return redirect("erasure_page", erasure_pk=asked.pk)
    goes, stays = erasure.preview(person)
    asked = Erasure.objects.filter(person=person, state=Erasure.State.ASKED).first()
    refusals = erasure.why_not(person, ErasureGround.REQUEST, by=request.user)
    context = {
        "membership": membership, "person": person, "form": form, "goes": goes, "stays": stays, "asked": asked,
        "refusals": refusals,
    }  # fmt: skip
    return render(request, "members/member_erase.html", context)


def show(request, row, *, bound=None):
    """Answer with the page of an erasure; `bound`: the form of a decision that was refused."""
    offers = []
    for offer in row.open_moves(request.user):
        own = bound if bound is not None and bound.made == offer.move else None
        offers.append((offer, own or DecideErasureForm(move=offer.move, erasure=row)))
    goes, stays = erasure.preview(row.person) if row.state == Erasure.State.ASKED else ([], [])
    seen = row.person.memberships.visible_to(request.user, "members.view_membership").select_related("union")
    context = {
        "erasure": row, "person": row.person, "badge": erasure_badge(row), "offers": offers, "goes": goes,
        "stays": stays, "steps": row.steps.all(), "memberships": seen,
    }  # fmt: skip
    return render(request, "members/erasure_page.html", context)


@require_safe
@never_cache
@needs("members.view_erasure")
def erasure_page(request, erasure_pk):
    """One erasure: who asked and why, what goes and what stays, and the decision."""
    return show(request, visible_or_404(ROWS, request.user, "members.view_erasure", pk=erasure_pk))


@require_POST
@needs("members.view_erasure")
def erasure_move(request, erasure_pk):
    """Erase, refuse or call off."""
    row = visible_or_404(ROWS, request.user, "members.view_erasure", pk=erasure_pk)
    name = request.POST.get("move", "")
    if name not in {move.name for move in Erasure.MOVES}:
        return redirect("erasure_page", erasure_pk=row.pk)
    form = DecideErasureForm(request.POST, move=Erasure.move(name), erasure=row)
    try:
        row.check_move(name, by=request.user)
        if form.is_valid():
            version, reason = form.cleaned_data["version"], form.cleaned_data["reason"]
            row = row.make_move(name, by=request.user, version=version, reason=reason)
            messages.success(request, _("Recorded: %(move)s.") % {"move": row.get_state_display()})
            return redirect("erasure_page", erasure_pk=row.pk)
    except MoveRefused as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("erasure_page", erasure_pk=row.pk)
    except Conflict:
        messages.error(request, _("Somebody changed this erasure while you were here: look once more, then decide."))
        return redirect("erasure_page", erasure_pk=row.pk)
    except ValidationError as refusal:
        add_refusal(form, refusal)
    return show(request, row, bound=form)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("core.add_hold")
def member_hold(request, membership_pk):
    """Hold a member's data: nothing of it is deleted until the hold is released."""
    membership = the_membership(request, membership_pk, "core.add_hold")
    heading = f"{membership.person.name} · {membership.union}"
    return ask_hold(request, membership, membership.union, heading, retention.hold_on(membership))

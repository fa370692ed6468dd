"""Pages by which a membership changes its state, and the note that a card was checked."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.cases import MoveRefused
from core.conflicts import Conflict
from core.forms import add_refusal
from core.scope import needs
from members import actions
from members.move_forms import FORMS
from members.views import the_membership


@require_http_methods(["GET", "HEAD", "POST"])
@needs("members.move_membership")
def membership_move(request, membership_pk):
    """Make one move of a membership; `?move=` names it."""
    membership = the_membership(request, membership_pk, "members.move_membership")
    name = request.GET.get("move", "")
    if name not in FORMS:
        return redirect("member_page", membership_pk=membership.pk)
    move, status = membership.move(name), 200
    form = FORMS[name](request.POST or None, move=move, membership=membership)
    try:
        membership.check_move(name, by=request.user)
        if form.is_valid():
            facts = form.facts() | {name: form.cleaned_data[name] for name in ("version", "reason")}
            membership.make_move(name, by=request.user, **facts)
            messages.success(request, _("Recorded: %(move)s.") % {"move": move.label})
            return redirect("member_page", membership_pk=membership.pk)
    except MoveRefused as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("member_page", membership_pk=membership.pk)
    except Conflict as conflict:
        form.data = form.data.copy()
        form.data["version"] = conflict.current.version
        form.add_error(None, _("Somebody changed this member while you were here: look once more, then decide."))
        membership, status = conflict.current, 409
    except ValidationError as refusal:
        add_refusal(form, refusal)
    context = {"membership": membership, "form": form, "move": move}
    return render(request, "members/move.html", context, status=status)


@require_POST
@needs("members.change_membership")
def member_verify(request, membership_pk):
    """The officer held the card in hand today, and name and number agree."""
    membership = the_membership(request, membership_pk, "members.change_membership")
    try:
        actions.verify(membership, by=request.user)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
    except Conflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, _("Noted: name and number were checked against the card today."))
    return redirect("member_page", membership_pk=membership.pk)

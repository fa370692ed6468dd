"""The enrol grid: many members of one union on one sheet, checked while they are typed, enrolled in one go."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from core import drafts, examination
from core.conflicts import Conflict
from core.drafts import drafted
from core.scope import needs
from members import actions, transfers
from members.forms_grid import (
    KINDS_OF_WORK,
    LABELS,
    MOST,
    NEEDED,
    ROWS,
    GridForm,
    GridRow,
    filled,
    headers,
    in_short,
    judge,
    typed,
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("members.add_membership")
@drafted
def member_grid(request):
    """Enrol many; `?union=` is the union the grid begins with. What cannot be enrolled stays, with its sentence."""
    form = GridForm(request.POST or None, user=request.user, union_pk=request.GET.get("union", ""))
    rows = filled(typed(request.POST))
    enrolled = []
    if form.is_valid() and within(rows, form):
        union = form.cleaned_data["union"]
        judge(rows, by=request.user, union=union, seen=set(request.POST.getlist("seen")))
        asked = "transfer" in request.POST
        if asked:
            ask_for(request, rows, union)
        else:
            with examination.in_one_go():
                enrolled = enrol(rows, by=request.user, union=union)
        rows = [row for row in rows if row.outcome]
        if enrolled and not rows:
            messages.success(request, in_number(enrolled))
            return redirect(f"{reverse('member_list')}?union={union.pk}")
        if not rows and not asked:
            form.add_error(None, _("No row is filled in."))
        if enrolled or asked:
            keep_the_rest(request, rows)
    if request.draft:
        rows = typed(request.draft.fields)
    empty = max(ROWS - len(rows), 1 if len(rows) < MOST else 0)
    context = {
        "form": form,
        "rows": rows + [GridRow({}) for _place in range(empty)],
        "blank": GridRow({}),
        "columns": [(name, label, name in NEEDED) for name, label in LABELS.items()],
        "kinds_of_work": KINDS_OF_WORK,
        "headers": headers(),
        "most": MOST,
        "enrolled": enrolled,
        "in_number": in_number(enrolled),
        "in_short": in_short(rows),
    }
    return render(request, "members/member_grid.html", context)


def in_number(enrolled):
    """Say how many are enrolled."""
    said = ngettext("%(number)d person is enrolled.", "%(number)d people are enrolled.", len(enrolled))
    return said % {"number": len(enrolled)}


def within(rows, form):
    """Whether the grid takes so many rows; if not, the form says what to do."""
    if len(rows) <= MOST:
        return True
    form.add_error(None, _("A grid takes %(most)d rows at most: import the others as a file.") % {"most": MOST})
    return False


def enrol(rows, *, by, union):
    """Enrol the rows that are ready, each an act of its own, and return the memberships; others say why not."""
    enrolled = []
    for row in rows:
        if not row.ready:
            continue
        try:
            enrolled.append(actions.enrol(by=by, union=union, **row.facts()))
        except ValidationError as refusal:
            row.hold(*refusal.messages)
        else:
            row.outcome = ""
    return enrolled


def ask_for(request, rows, union):
    """Ask for the transfer of the one row whose number the button carries; it leaves the grid."""
    for row in rows:
        if not row.may_ask or row.texts["number"] != request.POST["transfer"]:
            continue
        try:
            transfers.ask_by_number(by=request.user, union=union, name=row.read.name, id_number=row.read.number)
        except ValidationError as refusal:
            row.hold(*refusal.messages)
        except Conflict as conflict:
            row.hold(str(conflict))
        else:
            row.outcome = ""
            messages.success(request, _("A transfer of %(name)s is asked for.") % {"name": row.read.name})


def keep_the_rest(request, rows):
    """The draft holds what the page still shows, not those just enrolled."""
    fields = {name: [row.texts[name] for row in rows] for name in LABELS}
    drafts.keep(request.user, request.path, fields | {"union": [request.POST["union"]]})


@require_POST
@needs("members.add_membership")
def member_grid_check(request):
    """Say of each row what would become of it, and of all of them in short. Nothing is stored."""
    form = GridForm(request.POST, user=request.user)
    rows = typed(request.POST)
    if not form.is_valid() or not within(filled(rows), form):
        return JsonResponse({"rows": [], "short": " ".join(said for errors in form.errors.values() for said in errors)})
    judge(rows, by=request.user, union=form.cleaned_data["union"])
    said = [
        {
            "outcome": row.outcome,
            "about": row.about,
            "says": render_to_string("members/grid_says.html", {"row": row}) if row.says or row.likely else "",
        }
        for row in rows
    ]
    return JsonResponse({"rows": said, "short": in_short(rows)})

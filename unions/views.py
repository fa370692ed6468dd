"""Pages about unions: the tree, the list, one union, founding and changing it, elections, officers and terms."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Prefetch, Q, prefetch_related_objects
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import findings
from core.conflicts import Conflict, conflict_page
from core.drafts import drafted
from core.forms import add_refusal
from core.models import User
from core.pages import ListPage
from core.scope import needs, reach, visible_or_404
from unions import actions, duties, events, offices, reorganising
from unions.filters import UnionFilter
from unions.forms import CorrectionForm, ElectionForm, OfficerEndForm, OfficerForm, UnionEditForm, UnionForm, seats
from unions.models import Appointment, Committee, Officer, Position, Union
from unions.roles import GRANTS, tops_of
from unions.tables import TermTable, UnionTable
from unions.terms import Term, six_months_after, term_lengths

VIEW = "unions.view_union"
HOLDERS = 1000  # appointments shown on the page of roles; the numbers are of all
SHOWN = 200  # lower unions shown in the tree; the list has them all
REGISTRATION = (
    "approval_no", "term_years", "employer_name", "employer_uscc", "employer_category", "industry", "address",
    "women_employees", "migrant_employees", "legal_person", "certificate_until", "contact_name", "contact_phone",
)  # fmt: skip
COUNTED = 20_000  # members counted on a union's page, no further


def the_union(request, pk, perm):
    return visible_or_404(Union.objects.select_related("parent", "merged_into"), request.user, perm, pk=pk)


# --- The tree ---------------------------------------------------------------------------------------------


def branch_of(unions, above=None):
    """Return what the tree shows of `unions` (those below `above`): at most SHOWN, with terms and what lies below."""
    today = timezone.localdate()
    found = list(unions.standing().with_term().with_members().with_children().order_by("code")[: SHOWN + 1])
    for union in found:
        union.term = Term(union.term_ends_on, today)
        union.branch = None  # not opened
    return {"unions": found[:SHOWN], "more": len(found) > SHOWN, "above": above}


def asked_for(request, name):
    """Return the union that the parameter `name` names, None without a number. Raises Http404 out of scope."""
    pk = request.GET.get(name, "")
    return the_union(request, int(pk), VIEW) if pk.isascii() and pk.isdigit() and len(pk) < 12 else None


@require_safe
@needs(VIEW)
def union_tree(request):
    """The tree from the roots of my scope; `?open=` opens it down to one union.

    htmx gets that one union alone: opened for `?open=`, closed for `?close=`.
    """
    opened, closed = asked_for(request, "open"), asked_for(request, "close")
    if request.htmx and (opened or closed):
        [union] = branch_of(Union.objects.filter(pk=(opened or closed).pk))["unions"]
        if opened:
            union.branch = branch_of(opened.children.all(), opened)
        return render(request, "unions/item.html", {"union": union})
    held = reach(request.user, VIEW)
    tops = Union.objects.filter(parent__isnull=True) if held.everything else Union.objects.filter(path__in=held.paths)
    top = branch = branch_of(tops)
    if opened is None and len(top["unions"]) == 1:  # one union alone says nothing: show what stands below it
        [opened] = top["unions"]
    for key in [*opened.ancestor_ids, opened.pk] if opened else []:
        union = next((each for each in branch["unions"] if each.pk == key), None)
        if union:  # a union above my scope is in no branch
            branch = union.branch = branch_of(union.children.all(), union)
    return render(request, "unions/union_tree.html", {"branch": top, "facts": my_unions(request.user, VIEW)})


# --- Lists ------------------------------------------------------------------------------------------------


def my_unions(user, perm):
    """Return in words which part of the tree the user reaches with `perm`."""
    held = reach(user, perm)
    if held.everything:
        return _("All unions")
    return _("%(unions)s and below") % {"unions": _(", ").join(top.name for top in tops_of(user, perm))}


class UnionList(ListPage):
    """The unions in scope by code, which runs down the tree."""

    permission = VIEW
    table_class = UnionTable
    filterset_class = UnionFilter
    orders = {"code": ("code",), "name": ("name",), "term_ends_on": ("term_order", "code")}
    default_columns = ("name", "code", "kind", "parent", "members", "term_ends_on", "state")
    export_kind = "unions"
    title = gettext_lazy("Unions")
    empty = gettext_lazy("No unions yet. Import the union table.")
    template_name = "unions/union_list.html"

    def get_queryset(self):
        return Union.objects.select_related("parent").with_term()

    def get_facts(self):
        return my_unions(self.request.user, VIEW)


class TermList(ListPage):
    """The unions in scope by the end of their term: overdue first, without a recorded election last."""

    permission = "unions.view_committee"
    table_class = TermTable
    filterset_class = UnionFilter
    orders = {"term_ends_on": ("term_order", "code"), "name": ("name",)}
    default_columns = ("name", "parent", "elected_on", "term_ends_on", "state", "why")
    export_kind = "unions"
    title = gettext_lazy("Re-elections")
    empty = gettext_lazy("No unions yet. Import the union table.")
    template_name = "unions/term_list.html"

    def get_queryset(self):
        return Union.objects.select_related("parent").with_term()

    def get_facts(self):
        today = timezone.localdate()
        ends = "term_ends_on"
        found = Union.objects.visible_to(self.request.user, self.permission).standing().with_term()
        counts = found.aggregate(
            late=Count("pk", filter=Q(**{f"{ends}__lt": today})),
            soon=Count("pk", filter=Q(**{f"{ends}__gte": today, f"{ends}__lte": six_months_after(today)})),
            unknown=Count("pk", filter=Q(**{f"{ends}__isnull": True})),
        )
        return _("%(late)d overdue · %(soon)d end within 6 months · %(unknown)d without a recorded election") % counts


union_list = UnionList.as_view()
term_list = TermList.as_view()


# --- One union --------------------------------------------------------------------------------------------


def crumbs(union, user):
    """Return the unions above as (union, whether the user may open it), from the root down."""
    held = reach(user, VIEW)
    above = Union.objects.in_bulk(union.ancestor_ids)
    return [(above[key], held.covers(above[key].path)) for key in union.ancestor_ids]


@require_safe
@needs(VIEW)
def union_page(request, union_pk):
    """One union: what it is, who leads it until when, what came before, and what can be done."""
    return show(request, the_union(request, union_pk, VIEW))


def with_forms(officers, refused):
    """Return each officer with the form that ends the office, None where it has ended; `refused`: {key: its form}."""
    forms = {
        officer.pk: refused.get(officer.pk) or OfficerEndForm(auto_id=f"end-{officer.pk}-%s")
        for officer in officers
        if officer.ended_on is None
    }
    return [(officer, forms.get(officer.pk)) for officer in officers]


def registration(union):
    """Return the facts of the registration sheet that are not on top of the page, as (label, value in words)."""
    facts = []
    for name in REGISTRATION:
        value = getattr(union, name)
        if value not in (None, "", False):
            shown = getattr(union, f"get_{name}_display", lambda value=value: value)()
            if name == "term_years":
                shown = _("%(years)d years") % {"years": value}
            facts.append((Union._meta.get_field(name).verbose_name, _("yes") if shown is True else shown))
    return facts


def show(request, union, *, refused=None):
    """Answer with the union's page; `refused`: {officer's key: the refused form that was to end the office}."""
    chairs = Prefetch("officers", Officer.objects.filter(position=Position.CHAIR), to_attr="chairs")
    prefetch_related_objects([union], Prefetch("committees", Committee.objects.prefetch_related(chairs)))
    committee = union.committee
    deadline, other_duties = duties.running(union, committee)
    members = union.members_below(COUNTED + 1)
    context = {
        "union": union,
        "crumbs": crumbs(union, request.user),
        "committee": committee,
        "officers": with_forms(committee.officers.by_rank() if committee else [], refused or {}),
        "term": Term(committee and committee.serves_until, timezone.localdate()),
        "deadline": deadline,
        "other_duties": other_duties,
        "events": events.timeline(union),
        "earlier": [each for each in union.committees.all() if each.ended_on],
        "no_officer": actions.why_no_officer(union),
        "no_by_election": offices.why_no_by_election(union),
        "no_extension": offices.why_no_extension(union),
        "not_standing": actions.why_not_standing(union),
        "no_reorganising": reorganising.why_not_reorganise(union, request.user),
        "members": min(members, COUNTED),
        "members_capped": members > COUNTED,
        "lower": Union.objects.standing().below(union).exclude(pk=union.pk).count(),
        "checkup": findings.summary(union, request.user),
        "facts": registration(union),
        "places": union.placements.select_related("parent"),
    }
    return render(request, "unions/union_page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.add_union")
@drafted
def union_add(request, union_pk):
    """Found a union below this one."""
    parent = the_union(request, union_pk, "unions.add_union")
    if parent.dissolved_on and request.method != "POST":  # its page says so
        return redirect("union_page", parent.pk)
    form = UnionForm(request.POST or None, instance=Union(parent=parent))
    if form.is_valid():
        try:
            union = actions.found_union(by=request.user, parent=parent, **form.facts())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("%(union)s is entered.") % {"union": union})
            return redirect("union_page", union.pk)
    return render(request, "unions/union_add.html", {"form": form, "parent": parent})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.change_union")
@drafted
def union_edit(request, union_pk):
    """Change what is known of a union."""
    union = the_union(request, union_pk, "unions.change_union")
    if union.dissolved_on and request.method != "POST":  # its page says so
        return redirect("union_page", union.pk)
    form = UnionEditForm(request.POST or None, instance=union)
    if form.is_valid():
        try:
            actions.change_union(union, by=request.user, version=form.cleaned_data["version"], changes=form.changes())
        except Conflict as conflict:
            return conflict_page(request, form, conflict, back_url=reverse("union_page", args=[union.pk]))
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The changes are stored."))
            return redirect("union_page", union.pk)
    return render(request, "unions/union_edit.html", {"form": form, "union": the_union(request, union_pk, VIEW)})


# --- Elections and officers -------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.elect_union")
@drafted
def union_election(request, union_pk):
    """Record an election: a new committee, its officers, and a new term."""
    union = the_union(request, union_pk, "unions.elect_union")
    if union.dissolved_on and request.method != "POST":  # its page says so
        return redirect("union_page", union.pk)
    last = union.committees.order_by("-elected_on").first()
    usual = union.term_years if union.term_years in term_lengths(union.kind) else term_lengths(union.kind)[-1]
    initial = {"term_years": usual, "number": last.number + 1 if last else 1}
    form = ElectionForm(request.POST or None, union=union, initial=initial)
    rows = seats(request.POST or None)
    if form.is_valid() and rows.is_valid():
        try:
            committee = actions.record_election(union, by=request.user, officers=rows.officers(), **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(
                request, _("The election is recorded. The term ends on %(day)s.") % {"day": committee.term_ends_on}
            )
            return redirect("union_page", union.pk)
    return render(request, "unions/union_election.html", {"form": form, "rows": rows, "union": union, "last": last})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.elect_union")
def election_correct(request, union_pk):
    """Correct the record of the last election, with the reason."""
    union = the_union(request, union_pk, "unions.elect_union")
    committee = union.committee
    if committee is None:
        messages.warning(request, _("There is no committee in office. Record the election first."))
        return redirect("union_page", union.pk)
    initial = {name: getattr(committee, name) for name in ("elected_on", "term_years", "number")}
    form = CorrectionForm(request.POST or None, union=union, initial=initial)
    if form.is_valid():
        try:
            actions.correct_election(committee, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The record is corrected."))
            return redirect("union_page", union.pk)
    return render(request, "unions/election_correct.html", {"form": form, "union": union, "committee": committee})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.add_officer")
def officer_add(request, union_pk):
    """Enter an officer who joins the committee in office."""
    union = the_union(request, union_pk, "unions.add_officer")
    if union.dissolved_on and request.method != "POST":  # its page says so
        return redirect("union_page", union.pk)
    form = OfficerForm(request.POST or None)
    if form.is_valid():
        try:
            officer = actions.add_officer(union, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("%(name)s is entered.") % {"name": officer.name})
            return redirect("union_page", union.pk)
    return render(request, "unions/officer_add.html", {"form": form, "union": union})


@require_POST
@needs("unions.change_officer")
def officer_end(request, officer_pk):
    """End an office on the given day."""
    officers = Officer.objects.select_related("committee__union__parent")
    officer = visible_or_404(officers, request.user, "unions.change_officer", pk=officer_pk)
    union = officer.committee.union
    form = OfficerEndForm(request.POST, auto_id=f"end-{officer.pk}-%s")
    if form.is_valid():
        try:
            actions.end_officer(officer, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("%(name)s has left this office.") % {"name": officer.name})
            return redirect("union_page", union.pk)
    return show(request, union, refused={officer.pk: form})


# --- Roles ------------------------------------------------------------------------------------------------


@require_safe
@needs("unions.view_appointment")
def role_list(request):
    """The access review: every role in one sentence, and who has it in my scope today."""
    appointments = Appointment.objects.visible_to(request.user, "unions.view_appointment").in_force(
        timezone.localdate()
    )
    numbers = dict(appointments.order_by().values_list("role").annotate(Count("pk")))
    holders = {}
    for each in appointments.select_related("user", "union").order_by("union__path", "user__username")[:HOLDERS]:
        holders.setdefault(each.role, []).append(each)
    roles = [(role, numbers.get(key, 0), holders.get(key, [])) for key, role in GRANTS.items()]
    whole = reach(request.user, "unions.view_appointment").whole
    superusers = User.objects.filter(is_superuser=True, is_active=True) if whole else []
    return render(request, "unions/role_list.html", {"roles": roles, "superusers": superusers})

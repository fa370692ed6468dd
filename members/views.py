"""Pages about members: the list, one member, enrolling, changing, and looking at a number."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import settings_table
from core.conflicts import Conflict, conflict_page
from core.drafts import drafted
from core.fields import holds
from core.pages import ListPage
from core.scope import needs, visible_or_404
from members import actions, candidates, identity, matching, timeline
from members.actions import MEMBERSHIP_FACTS, PERSON_FACTS
from members.filters import MemberFilter
from members.forms import ChangeForm, EnrolForm, RevealForm
from members.models import Membership
from members.move_forms import FORMS
from members.tables import MemberTable, badge
from unions.filters import UPPER
from unions.roles import tops_of
from unions.views import my_unions

KEY_FACTS = ("name", "phone", "joined_on")  # the page shows these above the others


class MemberList(ListPage):
    """The members in scope: union by union, the latest enrolled first; those of one union alone by pinyin.

    Indexes serve the first at every level. The others are of people or of the whole city, so no index serves them in
    every part of the tree: up to `sort_cap` rows are sorted by them in a moment.
    """

    queryset = Membership.objects.select_related("person", "union")
    permission = "members.view_membership"
    table_class = MemberTable
    filterset_class = MemberFilter
    orders = {
        "union": ("path", "-pk"),
        "name": ("person__name_sort",),
        "joined_on": ("joined_on",),
        "age": ("-person__born_on",),
    }
    heavy_orders = ("name", "joined_on", "age")
    default_columns = ("name", "sex", "age", "id_masked", "phone_masked", "union", "employment", "joined_on", "state")
    export_kind = "members"
    title = gettext_lazy("Members")
    empty = gettext_lazy("No members yet. Enrol one, or import the register kept until now.")
    template_name = "members/member_list.html"

    def get_default_order(self, user, filterset):
        chosen = filterset.form.cleaned_data.get("union")
        kinds = [chosen.kind] if chosen else [top.kind for top in tops_of(user, self.permission)]
        return "name" if len(kinds) == 1 and kinds[0] not in UPPER else "union"

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


member_list = MemberList.as_view()


def the_membership(request, pk, perm):
    rows = Membership.objects.select_related("person", "union", "batch__committed_by")
    return visible_or_404(rows, request.user, perm, pk=pk)


def show(request, membership, *, form, clear=None):
    """Answer with the member's page; `clear` holds the values just revealed."""
    offers = [offer for offer in membership.open_moves(request.user) if offer.move.name in FORMS]
    ended = membership.state in membership.move("reopen").sources
    context = {
        "membership": membership,
        "person": membership.person,
        "age": membership.person.age_on(timezone.localdate()),
        "badge": badge(membership),
        "facts": known_facts(membership),
        "timeline": timeline.of(membership),
        "offers": offers,
        "ask_chair": ended and not offers and request.user.has_perm("members.move_membership", membership),
        "transfer": membership.open_transfer,
        "others": membership.person.memberships.exclude(pk=membership.pk)
        .visible_to(request.user, "members.view_membership")
        .select_related("union")
        .order_by("-id"),
        "form": form,
        "clear": clear,
    }
    return render(request, "members/member_page.html", context)


def known_facts(membership):
    """Return [(label, value)] of what is recorded beyond the key facts; the residence only as «recorded»."""
    facts = []
    for row, names in ((membership, MEMBERSHIP_FACTS), (membership.person, PERSON_FACTS)):
        for name in names:
            if name in KEY_FACTS:
                continue
            value = holds(row, name) if name == "residence" else getattr(row, name)
            if value:
                display = getattr(row, f"get_{name}_display", None)
                value = (
                    _("yes")
                    if value is True
                    else _("recorded")
                    if name == "residence"
                    else display()
                    if display
                    else value
                )
                facts.append((row._meta.get_field(name).verbose_name, value))
    return facts


@require_safe
@needs("members.view_membership")
def member_page(request, membership_pk):
    """One member: facts with masked numbers, and what happened."""
    return show(request, the_membership(request, membership_pk, "members.view_membership"), form=RevealForm())


@require_POST
@never_cache
@needs("members.reveal_membership")
def member_reveal(request, membership_pk):
    """Show the numbers in clear on this one answer: logged, kept nowhere, gone when the page is opened again."""
    membership = the_membership(request, membership_pk, "members.reveal_membership")
    form = RevealForm(request.POST)
    clear = None
    if form.is_valid():
        try:
            clear = actions.reveal(membership, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            form.add_error(None, refusal)
    return show(request, membership, form=form, clear=clear)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("members.add_membership")
@drafted
def member_add(request):
    """Enrol a member; `?union=` is the union the form begins with."""
    form = EnrolForm(request.POST or None, user=request.user, union_pk=request.GET.get("union", ""))
    likely = looks_like(request.user, form.cleaned_data) if form.is_valid() else []
    if form.is_valid() and seen(likely) == request.POST.get("seen", ""):
        try:
            membership = actions.enrol(by=request.user, **form.facts())
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            return enrolled(request, membership)
    elsewhere = form.is_bound and form.has_error("id_number", "elsewhere")  # leads to asking for a transfer
    context = {"form": form, "likely": likely, "seen": seen(likely), "elsewhere": elsewhere}
    return render(request, "members/member_add.html", context)


def looks_like(user, facts):
    """Return [(membership, sentences why)] of members in sight who may be the person about to be enrolled."""
    record = matching.Record(facts["name"], facts["id_number"], identity.born_of(facts["id_number"]), facts["phone"])
    return candidates.looking_like({0: record}, by=user).get(0, [])


def seen(likely):
    """What the form sends along once these were shown: enrolling again is then a decision."""
    return ",".join(str(membership.person_id) for membership, _sentences in likely)


def enrolled(request, membership):
    """Say so, and go on: to the member's page, or to the next one of the same union."""
    messages.success(request, _("%(name)s is enrolled.") % {"name": membership.person.name})
    joined_on, age = membership.joined_on or timezone.localdate(), int(settings_table.value("working_age"))
    if sentence := identity.too_young(membership.person.born_on, joined_on, age):
        messages.warning(request, sentence)
    if "next" in request.POST:
        return redirect(f"{reverse('member_add')}?union={membership.union_id}")
    return redirect("member_page", membership_pk=membership.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("members.change_membership")
@drafted
def member_edit(request, membership_pk):
    """Change what is known of a member."""
    membership = the_membership(request, membership_pk, "members.change_membership")
    form = ChangeForm(request.POST or None, instance=membership)
    if form.is_valid():
        try:
            actions.change_membership(
                membership,
                by=request.user,
                version=form.cleaned_data["version"],
                changes=form.facts(),
                reason=form.cleaned_data["reason"],
            )
        except Conflict as conflict:
            return conflict_page(request, form, conflict, back_url=reverse("member_page", args=[membership.pk]))
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            messages.success(request, _("The changes are stored."))
            return redirect("member_page", membership_pk=membership.pk)
    return render(request, "members/member_edit.html", {"form": form, "membership": membership})

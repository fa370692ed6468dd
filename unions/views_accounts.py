"""Pages about accounts: the list, one account, inviting, resetting, roles given and ended, leaving, handing on."""

import django_filters as filters
import django_tables2 as tables
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import signin
from core.columns import MomentColumn, link
from core.forms import add_refusal
from core.models import AuditEvent, Deadline, User
from core.models.user import AccountState
from core.pages import ListPage, ScopedFilterSet
from core.scope import needs, visible_or_404
from core.settings_table import value
from unions import accounts, actions
from unions.filters import BelowFilter
from unions.forms_accounts import HandOnForm, InviteForm, LeaveForm, ReasonForm, ResetForm, ReturnForm, RoleForm
from unions.models import Appointment, Union
from unions.roles import GRANTS, ROLE_CHOICES

VIEW = "core.view_user"
EVENTS = 20  # of the last days at the door, on the account's page
DUTIES = 100  # shown for handing on; the rest comes when these are handed on
# What is shown of the trail on an account's page: what happened at the door.
DOOR = {
    "core.sign_in": gettext_lazy("signed in"),
    "core.sign_out": gettext_lazy("signed out"),
    "core.fail_sign_in": gettext_lazy("sign-in failed"),
    "core.lock_sign_in": gettext_lazy("sign-in locked"),
    "core.set_password": gettext_lazy("chose a password"),
    "core.reset_user": gettext_lazy("new one-time password"),
    "core.add_second_factor": gettext_lazy("second factor set up"),
    "core.remove_second_factor": gettext_lazy("second factor taken off"),
}
BADGES = {
    AccountState.ACTIVE: "good",
    AccountState.INVITED: "soon",
    AccountState.EXPIRED: "late",
    AccountState.DORMANT: "soon",
    AccountState.OFF: "rest",
    AccountState.LEFT: "rest",
}


def the_account(request, pk, perm):
    return visible_or_404(with_state(User.objects.all()), request.user, perm, pk=pk)


def with_state(users):
    return users.with_state(timezone.now(), int(value("account_dormant_days")))


def state_badge(state):
    """The state of an account as a word in its colour."""
    return format_html('<span class="badge {}">{}</span>', BADGES[state], AccountState(state).label)


# --- The list ---------------------------------------------------------------------------------------------


class AccountFilter(ScopedFilterSet):
    text = filters.CharFilter(method="has_text", label=gettext_lazy("name or user name"), max_length=100)
    state = filters.ChoiceFilter(choices=AccountState, label=gettext_lazy("state"))
    role = filters.ChoiceFilter(choices=ROLE_CHOICES, method="has_role", label=gettext_lazy("role"))
    union = BelowFilter(
        queryset=Union.objects.all(), method="has_place", label=gettext_lazy("role at this union or below")
    )

    class Meta:
        model = User
        fields = ()

    def has_text(self, users, name, text):
        return users.filter(Q(username__icontains=text) | Q(name__contains=text))

    def has_role(self, users, name, role):
        return users.filter(pk__in=in_force().filter(role=role).values("user"))

    def has_place(self, users, name, union):
        return users.filter(pk__in=in_force().filter(union__in=Union.objects.below(union)).values("user"))


def in_force():
    return Appointment.objects.in_force(timezone.localdate()).order_by("union__path", "role")


class AccountTable(tables.Table):
    name = tables.Column(gettext_lazy("name"), accessor="pk")
    username = tables.Column(gettext_lazy("user name"), attrs={"td": {"class": "desk-only"}})
    roles = tables.Column(gettext_lazy("roles"), accessor="pk")
    last_login = MomentColumn(gettext_lazy("last sign-in"), default="—")
    state = tables.Column(gettext_lazy("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = User
        fields = ()
        caption = gettext_lazy("Accounts")

    def render_name(self, record):
        return link("account_page", record.pk, record)

    def render_roles(self, record):
        places = ((GRANTS[one.role].label, one.union.name) for one in record.places)
        return format_html_join(mark_safe("<br>"), "{} · {}", places) or "—"

    def render_state(self, value):
        return state_badge(value)


class AccountList(ListPage):
    """The accounts in reach, by user name."""

    permission = VIEW
    table_class = AccountTable
    filterset_class = AccountFilter
    orders = {"username": ("username",), "last_login": ("last_login",)}
    title = gettext_lazy("Accounts")
    empty = gettext_lazy("No account yet. Invite a colleague.")
    template_name = "accounts/account_list.html"

    def get_queryset(self):
        places = Prefetch("appointments", in_force().select_related("union"), to_attr="places")
        return with_state(User.objects.prefetch_related(places))


account_list = AccountList.as_view()


# --- One account ------------------------------------------------------------------------------------------


class Rights:
    """What the acting user may do with one account, and the sentence where it is not possible now."""

    def __init__(self, by, user):
        self.by, self.user = by, user

    @cached_property
    def make(self):
        return self.by.has_perm("core.add_user", self.user)

    @cached_property
    def change(self):
        return self.by.has_perm("core.change_user", self.user)

    @cached_property
    def appoint(self):
        return self.by != self.user and not self.user.left_on and self.by.has_perm("unions.add_appointment", self.user)

    @cached_property
    def no_reset(self):
        return accounts.why_no_reset(self.user, self.by)

    @cached_property
    def no_leave(self):
        return accounts.why_no_leave(self.user, self.by)


def duties_of(user):
    return Deadline.objects.open().filter(owner=user)


@require_safe
@needs(VIEW)
def account_page(request, user_pk):
    """One account: who it is, what roles it has and had, what happened at the door, what it owns."""
    return show(request, the_account(request, user_pk, VIEW))


def show(request, user, *, role_form=None, refused=None):
    """Answer with the account's page; `refused`: {appointment's key: the refused form that was to end it}."""
    rights = Rights(request.user, user)
    today = timezone.localdate()
    held, past = [], []
    for each in user.appointments.select_related("union").order_by("-valid_from", "-pk"):
        over = each.ended_on or (each.valid_to and each.valid_to < today)
        each.label = GRANTS[each.role].label
        each.until = each.ended_on or each.valid_to
        may_end = not over and rights.by.has_perm("unions.change_appointment", each)
        form = (refused or {}).get(each.pk) or ReasonForm(auto_id=f"end-{each.pk}-%s")
        (past if over else held).append((each, form if may_end else None))
    events = AuditEvent.objects.filter(target_label=User._meta.label, target_id=str(user.pk), verb__in=DOOR)
    context = {
        "account": user,
        "badge": state_badge(user.state),
        "rights": rights,
        "held": held,
        "past": past,
        "role_form": role_form or (RoleForm(by=request.user) if rights.appoint else None),
        "second_factor": signin.has_second_factor(user),
        "events": [(event, DOOR[event.verb]) for event in events.order_by("-id")[:EVENTS]],
        "duties": duties_of(user).count(),
    }
    return render(request, "accounts/account_page.html", context)


# --- Passwords that are shown once ------------------------------------------------------------------------


def hand_over_password(request, user, password, form):
    """Answer with the one-time password, or send it by e-mail, as the form says.

    The answer to the POST itself holds it: after a redirect it would have to be kept somewhere in between.
    """
    sent = form.cleaned_data["by_email"] and accounts.send_one_time_password(user, password)
    context = {
        "account": user,
        "password": "" if sent else password,
        "not_sent": form.cleaned_data["by_email"] and not sent,
    }
    return render(request, "accounts/password.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.add_user")
def account_invite(request):
    """Make an account with its first role."""
    form = InviteForm(request.POST or None, by=request.user, no_mail=accounts.why_no_mail())
    if form.is_valid():
        try:
            user, password = accounts.invite(by=request.user, **form.account(), **form.facts())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return hand_over_password(request, user, password, form)
    return render(request, "accounts/account_invite.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.add_user")
def account_reset(request, user_pk):
    """Give an account a new one-time password."""
    user = the_account(request, user_pk, "core.add_user")
    form = ResetForm(request.POST or None, no_mail=accounts.why_no_mail(user), address=user.email)
    if form.is_valid():
        facts = {name: form.cleaned_data[name] for name in ("reason", "drop_second_factor")}
        try:
            password = accounts.reset(user, by=request.user, **facts)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return hand_over_password(request, User.objects.get(pk=user.pk), password, form)
    context = {"form": form, "account": user, "refusal": accounts.why_no_reset(user, request.user)}
    return render(request, "accounts/account_reset.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.add_user")
def account_return(request, user_pk):
    """Invite somebody who has left again."""
    user = the_account(request, user_pk, "core.add_user")
    form = ReturnForm(request.POST or None, by=request.user, no_mail=accounts.why_no_mail(user), address=user.email)
    if form.is_valid():
        try:
            password = accounts.come_back(user, by=request.user, **form.facts())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            return hand_over_password(request, User.objects.get(pk=user.pk), password, form)
    return render(request, "accounts/account_return.html", {"form": form, "account": user})


# --- Roles ------------------------------------------------------------------------------------------------


@require_POST
@needs("unions.add_appointment")
def account_appoint(request, user_pk):
    """Give the account one more role."""
    user = the_account(request, user_pk, "unions.add_appointment")
    form = RoleForm(request.POST, by=request.user)
    if form.is_valid():
        try:
            actions.appoint(by=request.user, user=user, **form.facts())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The role is given."))
            return redirect("account_page", user.pk)
    return show(request, user, role_form=form)


@require_POST
@needs("unions.change_appointment")
def appointment_end(request, appointment_pk):
    """Take a role away at once."""
    rows = Appointment.objects.select_related("user", "union")
    appointment = visible_or_404(rows, request.user, "unions.change_appointment", pk=appointment_pk)
    user = the_account(request, appointment.user_id, VIEW)
    form = ReasonForm(request.POST, auto_id=f"end-{appointment.pk}-%s")
    if form.is_valid():
        actions.end_appointment(appointment, by=request.user, **form.cleaned_data)
        messages.success(request, _("The role is taken away."))
        return redirect("account_page", user.pk)
    return show(request, user, refused={appointment.pk: form})


# --- Leaving and handing on -------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.change_user")
def account_leave(request, user_pk):
    """End the account of somebody who leaves, and go on to what is to be handed on."""
    user = the_account(request, user_pk, "core.change_user")
    form = LeaveForm(request.POST or None)
    if form.is_valid():
        try:
            accounts.leave(user, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The account is ended: it has no role any more and opens nothing."))
            return redirect("account_handover" if duties_of(user).exists() else "account_page", user.pk)
    context = {
        "form": form,
        "account": user,
        "roles": user.appointments.filter(ended_on__isnull=True).count(),
        "duties": duties_of(user).count(),
        "refusal": accounts.why_no_leave(user, request.user),
    }
    return render(request, "accounts/account_leave.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.change_user")
def account_handover(request, user_pk):
    """What a colleague owns, before leaving or after, and handing it on."""
    user = the_account(request, user_pk, "core.change_user")
    rows = duties_of(user)
    form = HandOnForm(request.POST or None, by=request.user, user=user)
    chosen = {int(pk) for pk in request.POST.getlist("duty") if pk.isascii() and pk.isdigit() and len(pk) < 19}
    if form.is_valid():
        if not chosen:
            form.add_error(None, _("Choose the duties to hand on."))
        else:
            try:
                number = accounts.hand_on(user, rows.filter(pk__in=chosen), by=request.user, **form.cleaned_data)
            except ValidationError as refusal:
                add_refusal(form, refusal)
            else:
                said = ngettext("%(number)d duty is handed on.", "%(number)d duties are handed on.", number)
                messages.success(request, said % {"number": number})
                return redirect("account_handover", user.pk)
    duties = list(rows.select_related("rule", "union").order_by("earliest", "id")[: DUTIES + 1])
    context = {
        "form": form,
        "account": user,
        "duties": [(each, not chosen or each.pk in chosen) for each in duties[:DUTIES]],
        "more": len(duties) > DUTIES,
    }
    return render(request, "accounts/account_handover.html", context)

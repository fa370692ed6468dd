"""Accounts, appointments, unions and committees in the admin: the same scope, roles and actions as on every page."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth import admin as _auth_admin  # noqa: F401 it registers what is taken out again below
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core import signin
from core.exported_admin import ExportedAdmin
from core.models import User
from core.scoped_admin import ScopedModelAdmin
from unions import accounts, actions
from unions.forms import UnionFacts
from unions.models import Appointment, Committee, Officer, Union, UnionEvent
from unions.roles import GRANTS

admin.site.unregister(Group)  # rights come from appointments alone


# --- Accounts ---------------------------------------------------------------------------------------------


class AccountForm(forms.ModelForm):
    class Meta:
        model = User
        fields = accounts.FACTS


IN_USE = _("account in use")  # «active» is what a membership is


class InUseFilter(admin.BooleanFieldListFilter):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.title = IN_USE


@admin.register(User)
class UserAdmin(ScopedModelAdmin):
    """Accounts to look at and to correct; they are invited, reset and ended on their own pages."""

    form = AccountForm
    fieldsets = (
        (None, {"fields": accounts.FACTS}),
        (_("Traces"), {"fields": ("roles", "last_login", "date_joined")}),
    )
    readonly_fields = ("roles", "last_login", "date_joined")
    list_display = ("username", "name", "roles", "is_staff", "in_use", "last_login")
    list_filter = ("is_staff", ("is_active", InUseFilter))
    search_fields = ("username__startswith", "name__startswith")
    actions = ("drop_second_factor",)

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("appointments__union")

    @admin.action(description=_("Take the second factor off the selected accounts"), permissions=["add"])
    def drop_second_factor(self, request, queryset):
        for user in queryset:
            signin.drop_second_factor(user, by=request.user)
        messages.success(request, _("They sign in with the password alone until they set up a new device."))

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "is_active":
            kwargs["label"] = IN_USE
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=IN_USE, boolean=True, ordering="is_active")
    def in_use(self, user):
        return user.is_active

    @admin.display(description=_("roles"))
    def roles(self, user):
        given = [one for one in user.appointments.all() if one.ended_on is None]
        return "；".join(f"{GRANTS[one.role].label} {one.union}" for one in given) or "—"

    def write(self, request, obj, form, change):
        facts = {name: form.cleaned_data[name] for name in form.changed_data}
        accounts.change_user(User.objects.get(pk=obj.pk), by=request.user, changes=facts)

    def add_view(self, request, form_url="", extra_context=None):
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect("account_invite")


# --- Appointments -----------------------------------------------------------------------------------------


def sentences():
    """Every role with its sentence, in the language of the request."""
    return [(key, f"{role.label} — {role.sentence}") for key, role in GRANTS.items()]


class AppointmentForm(forms.ModelForm):
    role = forms.ChoiceField(label=_("role"), choices=lambda: [("", "—"), *sentences()])


class ReasonForm(ActionForm):
    reason = forms.CharField(label=_("reason"), required=False, max_length=500)


@admin.register(Appointment)
class AppointmentAdmin(ScopedModelAdmin):
    form = AppointmentForm
    fields = ("user", "role", "union", "valid_from", "valid_to")
    autocomplete_fields = ("user", "union")
    list_display = ("user", "role_label", "union", "valid_from", "valid_to", "ended_on")
    list_select_related = ("user", "union")
    list_filter = (("ended_on", admin.EmptyFieldListFilter),)
    search_fields = ("user__username__startswith", "user__name__startswith", "union__name__contains")
    action_form = ReasonForm
    actions = ("end_now",)

    @admin.display(description=_("role"), ordering="role")
    def role_label(self, appointment):
        return GRANTS[appointment.role].label

    def get_fields(self, request, obj=None):
        return ("user", "role_label", "union", "valid_from", "valid_to", "ended_on") if obj else self.fields

    def has_change_permission(self, request, obj=None):
        return False  # given and ended, never rewritten

    def has_end_permission(self, request):
        return self.allowed(request, "change")

    def write(self, request, obj, form, change):
        obj.pk = actions.appoint(by=request.user, **form.cleaned_data).pk

    @admin.action(description=_("End the selected appointments now"), permissions=["end"])
    def end_now(self, request, queryset):
        reason = request.POST.get("reason", "").strip()
        if not reason:
            messages.error(request, _("Please give the reason."))
            return
        running = list(queryset.filter(ended_on__isnull=True))
        for appointment in running:
            actions.end_appointment(appointment, by=request.user, reason=reason)
        number = len(running)
        said = ngettext("%(number)d appointment ended.", "%(number)d appointments ended.", number)
        messages.success(request, said % {"number": number})


# --- Unions and committees --------------------------------------------------------------------------------


class UnionForm(UnionFacts):
    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Union
        fields = actions.FACTS

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["seen_version"].initial = self.instance.version


@admin.register(Union)
class UnionAdmin(ScopedModelAdmin):
    form = UnionForm
    list_display = ("name", "code", "kind", "parent", "founded_on")
    list_select_related = ("parent",)
    list_filter = ("kind",)
    search_fields = ("code__startswith", "name__contains")
    autocomplete_fields = ("parent",)

    def get_fields(self, request, obj=None):
        return ("parent", *actions.FACTS) if obj is None else ("parent", *actions.FACTS, "seen_version")

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else ("parent",)  # a move is an act of its own

    def write(self, request, obj, form, change):
        facts = {name: form.cleaned_data[name] for name in actions.FACTS}
        if change:
            actions.change_union(
                Union.objects.get(pk=obj.pk), by=request.user, version=form.cleaned_data["seen_version"], changes=facts
            )
        else:
            obj.pk = actions.found_union(by=request.user, parent=form.cleaned_data["parent"], **facts).pk


class OfficerInline(admin.TabularInline):
    model = Officer
    fields = readonly_fields = ("position", "name", "sex", "full_time", "started_on", "ended_on")
    extra = 0
    can_delete = False

    def has_view_permission(self, request, obj=None):
        return request.user.has_perm("unions.view_officer", obj)

    def has_add_permission(self, request, obj):
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Committee)
class CommitteeAdmin(ExportedAdmin):
    """To look at: elections are recorded on the union's page."""

    exported_with = "unions.export_union"
    list_display = ("union", "number", "elected_on", "term_ends_on", "ended_on")
    list_select_related = ("union",)
    list_filter = (("ended_on", admin.EmptyFieldListFilter),)
    search_fields = ("union__code__startswith", "union__name__contains")
    inlines = (OfficerInline,)


@admin.register(Officer)
class OfficerAdmin(ExportedAdmin):
    """Entered and ended on the union's page."""

    exported_with = "unions.export_union"
    list_display = ("name", "union", "position", "sex", "phone_masked", "full_time", "started_on", "ended_on")
    list_select_related = ("committee__union",)
    list_filter = ("position", ("ended_on", admin.EmptyFieldListFilter))
    ordering = ("-pk",)
    search_fields = ("name__startswith", "committee__union__code__startswith")
    fields = list_display

    @admin.display(description=_("union"))
    def union(self, officer):
        return officer.committee.union

    @admin.display(description=_("phone"))
    def phone_masked(self, officer):
        return officer.phone_masked


@admin.register(UnionEvent)
class UnionEventAdmin(ExportedAdmin):
    """What happened to a union, recorded on its page."""

    seen_with = "unions.view_officer"  # it names officers, as the timeline on the page does
    exported_with = "unions.export_union"
    labels = {"by": _("recorded by"), "officer": _("officer"), "on": _("day")}
    list_display = ("union", "kind", "on", "approval_no", "reason", "by")
    list_select_related = ("union", "by")
    list_filter = ("kind",)
    search_fields = ("union__code__startswith", "union__name__contains")
    fields = ("union", "kind", "on", "approval_no", "officer", "reason", "by")

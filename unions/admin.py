"""Accounts, appointments, unions and committees in the admin: the same scope, roles and actions as on every page."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.utils import unquote
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from core import signin
from core.models import User
from core.scoped_admin import ScopedModelAdmin
from unions import actions
from unions.forms import UnionFacts
from unions.models import Appointment, Committee, Officer, Union
from unions.roles import GRANTS

admin.site.unregister(Group)  # rights come from appointments alone


# --- Accounts ---------------------------------------------------------------------------------------------


class NewAccountForm(auth_forms.AdminUserCreationForm):
    usable_password = None  # everybody signs in with a password

    class Meta(auth_forms.AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "name", "email", "is_staff")


class NewPasswordForm(auth_forms.AdminPasswordChangeForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)


@admin.register(User)
class UserAdmin(ScopedModelAdmin, auth_admin.UserAdmin):
    add_form = NewAccountForm
    add_fieldsets = ((None, {"fields": ("username", "name", "email", "is_staff", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email", "is_staff", "is_active")}),
        (_("Traces"), {"fields": ("roles", "last_login", "date_joined")}),
    )
    readonly_fields = ("roles", "last_login", "date_joined")
    list_display = ("username", "name", "roles", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username__startswith", "name__startswith")
    filter_horizontal = ()
    actions = ("drop_second_factor",)

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("appointments__union")

    def get_fieldsets(self, request, obj=None):
        """Without the way to a new password for those who may not give one."""
        if obj is None or request.user.has_perm("core.add_user", obj):
            return super().get_fieldsets(request, obj)
        (title, options), *others = self.fieldsets
        return ((title, {"fields": [name for name in options["fields"] if name != "password"]}), *others)

    @admin.action(description=_("Take the second factor off the selected accounts"), permissions=["add"])
    def drop_second_factor(self, request, queryset):
        for user in queryset:
            signin.drop_second_factor(user, by=request.user)
        messages.success(request, _("They sign in with the password alone until they set up a new device."))

    @admin.display(description=_("roles"))
    def roles(self, user):
        given = [one for one in user.appointments.all() if one.ended_on is None]
        return "；".join(f"{GRANTS[one.role].label} {one.union}" for one in given) or "—"

    def write(self, request, obj, form, change):
        if change:
            facts = {name: form.cleaned_data[name] for name in form.changed_data if name in actions.ACCOUNT_FACTS}
            actions.change_user(User.objects.get(pk=obj.pk), by=request.user, changes=facts)
        else:
            facts = {name: form.cleaned_data[name] for name in ("username", "name", "email", "is_staff")}
            obj.pk = actions.create_user(by=request.user, password=form.cleaned_data["password1"], **facts).pk

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request, id, form_url=""):  # noqa: A002 the name is Django's
        user = self.get_object(request, unquote(id))
        if not request.user.has_perm("core.add_user", user):
            raise PermissionDenied
        form = NewPasswordForm(user, request.POST or None)
        if request.method == "POST" and form.is_valid():
            user = actions.set_password(user, by=request.user, password=form.cleaned_data["password1"])
            if user == request.user:
                update_session_auth_hash(request, user)
            messages.success(request, _("The password has been set."))
            return redirect("admin:core_user_change", user.pk)
        fieldsets = [(None, {"fields": list(form.fields)})]
        context = {
            **self.admin_site.each_context(request),
            "title": _("New password for %(user)s") % {"user": user},
            "adminForm": admin.helpers.AdminForm(form, fieldsets, {}),
            "form": form, "form_url": form_url, "opts": self.opts, "original": user,
            "is_popup": False, "add": True, "change": False, "save_as": False, "show_save": True,
            "has_delete_permission": False, "has_change_permission": True, "has_absolute_url": False,
        }  # fmt: skip
        return TemplateResponse(request, "admin/auth/user/change_password.html", context)


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
class CommitteeAdmin(ScopedModelAdmin):
    """To look at: elections are recorded on the union's page."""

    list_display = ("union", "number", "elected_on", "term_ends_on", "ended_on")
    list_select_related = ("union",)
    list_filter = (("ended_on", admin.EmptyFieldListFilter),)
    search_fields = ("union__code__startswith", "union__name__contains")
    inlines = (OfficerInline,)

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

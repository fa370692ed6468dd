"""Members and people in the admin: in scope, masked, written by the same actions, nothing deleted."""

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from core.exported_admin import ExportedAdmin
from core.scope import WIDTH, reach
from core.scoped_admin import ReadOnlyAdmin, ScopedModelAdmin
from members import actions, matching
from members.actions import MEMBERSHIP_FACTS
from members.forms import ChangeForm, MemberForm
from members.identity import normalise_name
from members.models import (
    DuplicatePair,
    Membership,
    MembershipState,
    MembershipStep,
    Person,
    PersonMerge,
    Transfer,
)
from unions.models import Union

MASKED = ("id_masked", "phone_masked")


class AdminEnrolForm(MemberForm):
    class Meta(MemberForm.Meta):
        fields = ("union", *MEMBERSHIP_FACTS)

    def facts(self):
        return {name: self.cleaned_data[name] for name in self.fields}


def fieldsets(form, *besides):
    """Return the admin's fieldsets for a member form: its groups, and `besides` in the first."""
    return ((None, {"fields": (*besides, *form.FIRST)}), *((title, {"fields": names}) for title, names in form.GROUPS))


@admin.register(Membership)
class MembershipAdmin(ScopedModelAdmin):
    list_display = ("name", *MASKED, "union", "state", "joined_on")
    list_display_links = ("name",)
    list_select_related = ("person", "union")
    list_filter = ("state", "employment", "occupation_group", "migrant_worker")
    show_facets = admin.ShowFacets.NEVER  # each facet would count every row
    search_fields = ("person__name",)  # for the box; how it searches stands in get_search_results
    search_help_text = _("The name from its beginning")
    ordering = ("path", "-pk")
    sortable_by = ()
    autocomplete_fields = ("union",)

    def get_search_results(self, request, queryset, search_term):
        name = normalise_name(search_term)
        return (queryset.named(name) if name else queryset), False

    @admin.display(description=_("name"))
    def name(self, membership):
        return membership.person.name

    @admin.display(description=_("identity number"))
    def id_masked(self, membership):
        return membership.person.id_masked

    @admin.display(description=_("mobile phone"))
    def phone_masked(self, membership):
        return membership.phone_shown

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("person", "union")

    def has_change_permission(self, request, obj=None):
        return (obj is None or obj.is_open) and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request, obj=None):
        if obj is None:
            return ()
        return ("id_masked", "union") if self.has_change_permission(request, obj) else self.facts_shown

    facts_shown = ("name", *MASKED, "union", "state", "ended_on", *MEMBERSHIP_FACTS)

    def get_fieldsets(self, request, obj=None):
        if obj is None:
            return fieldsets(AdminEnrolForm)
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": self.facts_shown}),)
        return fieldsets(ChangeForm, "id_masked", "union", "version")

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = AdminEnrolForm
        elif self.has_change_permission(request, obj):
            # Named here, because `version` is the form's own field and none of the model's.
            kwargs |= {"form": ChangeForm, "fields": MEMBERSHIP_FACTS}
        else:
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "union":
            kwargs["queryset"] = Union.objects.standing().visible_to(request.user, "members.add_membership")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def write(self, request, obj, form, change):
        if change:
            actions.change_membership(
                obj,
                by=request.user,
                version=form.cleaned_data["version"],
                changes=form.facts(),
                reason=form.cleaned_data["reason"],
            )
        else:
            membership = actions.enrol(by=request.user, **form.facts())
            obj.pk, obj.person = membership.pk, membership.person


class MembershipInline(admin.TabularInline):
    """The person's memberships in scope, to read."""

    model = Membership
    fields = readonly_fields = ("union", "state", "joined_on", "ended_on")
    extra = 0
    show_change_link = True
    ordering = ("-pk",)

    def get_queryset(self, request):
        return Membership.objects.visible_to(request.user, "members.view_membership").select_related("person", "union")

    def has_view_permission(self, request, obj=None):
        return request.user.has_perm("members.view_membership")

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    """People, to read: whoever has a membership in scope. They are entered by enrolling and changed on a membership."""

    seen_with = "members.view_membership"
    scope_path = "memberships__path"
    list_display = ("name", "sex", "born_on", *MASKED)
    search_fields = ("name__prefix",)
    search_help_text = _("The name from its beginning")
    ordering = ("-pk",)
    fields = (
        "name", "document_kind", *MASKED, "sex", "born_on", "ethnicity", "politics", "education",
        "hukou_kind", "hukou_place", "deceased_on",
    )  # fmt: skip
    inlines = (MembershipInline,)

    def get_queryset(self, request):
        people = admin.ModelAdmin.get_queryset(self, request)
        held = reach(request.user, "members.view_membership")
        if held.everything or any(len(top) == WIDTH for top in held.paths):
            return people  # from the root of the tree: nobody to leave out, and no million keys to compare
        return people.filter(
            pk__in=Membership.objects.visible_to(request.user, "members.view_membership").values("person")
        )


# --- What becomes of members, to look something up ----------------------------------------------------------


@admin.register(MembershipStep)
class MembershipStepAdmin(ReadOnlyAdmin):
    """会籍变化: every change of a membership's state."""

    seen_with = "members.view_membership"
    scope_path = "case__union__path"
    labels = {"case": _("member"), "by_name": _("recorded by")}
    list_display = ("case", "union", "made", "was", "became", "by_name", "at")
    list_select_related = ("case__person", "case__union")
    ordering = ("-pk",)
    search_fields = ("case__person__name__prefix",)
    search_help_text = _("The name from its beginning")
    fields = ("case", "union", "made", "was", "became", "by_name", "at", "reason")

    @admin.display(description=_("union"))
    def union(self, step):
        return step.case.union

    @admin.display(description=_("change"))
    def made(self, step):
        return next((move.label for move in Membership.MOVES if move.name == step.move), step.move)

    @admin.display(description=_("state before"))
    def was(self, step):
        return dict(MembershipState.choices).get(step.source, step.source)

    @admin.display(description=_("state after"))
    def became(self, step):
        return dict(MembershipState.choices).get(step.target, step.target)


@admin.register(Transfer)
class TransferAdmin(ExportedAdmin):
    exported_with = "members.export_membership"
    list_display = ("name", "left", "joined", "side", "asked_on", "state", "answered_on")
    list_select_related = ("membership__person", "from_union", "to_union")
    list_filter = ("state", "side")
    ordering = ("-pk",)
    search_fields = ("membership__person__name__prefix",)
    search_help_text = _("The name from its beginning")
    fields = ("name", "left", "joined", "side", "asked_on", "reason", "state", "answered_on")

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.with_names(reach(request.user, "unions.view_union"))

    @admin.display(description=_("name"))
    def name(self, transfer):
        return transfer.membership.person.name

    @admin.display(description=_("the union left"))
    def left(self, transfer):
        return transfer.from_name or "—"  # not told to those who do not see it, until it has answered

    @admin.display(description=_("the union joined"))
    def joined(self, transfer):
        return transfer.to_union or transfer.to_name


@admin.register(DuplicatePair)
class DuplicatePairAdmin(ReadOnlyAdmin):
    seen_with = "members.merge_person"
    labels = {"first": _("first record"), "second": _("second record"), "decided_by": _("decided by")}
    list_display = ("first", "second", "score", "why", "state", "found_at")
    list_select_related = ("first", "second")
    list_filter = ("state",)
    fields = ("first", "second", "score", "why", "state", "found_at", "decided_by", "decided_at")

    @admin.display(description=_("reasons"))
    def why(self, pair):
        return " ".join(str(matching.SENTENCES.get(reason, reason)) for reason in pair.reasons)


@admin.register(PersonMerge)
class PersonMergeAdmin(ReadOnlyAdmin):
    seen_with = "members.merge_person"
    labels = {
        "kept": _("record kept"),
        "absorbed": _("record given up"),
        "made_by": _("merged by"),
        "undone_by": _("taken back by"),
    }
    list_display = ("kept", "union", "made_by", "made_at", "undone_at")
    list_select_related = ("kept", "union", "made_by")
    fields = ("kept", "absorbed", "union", "reason", "made_by", "made_at", "undone_by", "undone_at")

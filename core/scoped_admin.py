"""The admin's base class: rows in scope, permissions by appointment, writes through actions, nothing deleted."""

from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.forms import Media
from django.http import Http404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.conflicts import Conflict
from core.forms import add_refusal
from core.scope import reach

COUNT_UP_TO = 1000
FILTER_VERBS = ("", "exact", "in", "isnull", "isempty")  # what Django's list filters write into an address


class CappedPaginator(Paginator):
    """Counts no further than `COUNT_UP_TO` rows: a list of a million members costs what a list of a thousand does."""

    @cached_property
    def count(self):
        return self.object_list.order_by()[:COUNT_UP_TO].count()


class NamedAutocomplete(AutocompleteSelect):
    """Says what to do while it is empty: without that, a screen reader has no name for the box."""

    def build_attrs(self, base_attrs, extra_attrs=None):
        return super().build_attrs(base_attrs, extra_attrs) | {"data-placeholder": _("Type to search")}

    @property
    def media(self):
        return super().media + Media(js=["js/autocomplete.js"])


class ScopedModelAdmin(admin.ModelAdmin):
    """A page of the admin that sees and does what the user's appointments allow, as every other page.

    A subclass that saves defines `write(request, obj, form, change)`, which calls an action; the action stores the
    row and writes the audit event, so the admin's own log stays empty. Rows that belong to no union are reached from
    the root of the tree only.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50

    def write(self, request, obj, form, change):
        """Store `obj` through an action; `change` is False when it is new."""
        raise NotImplementedError(f"{type(self).__name__} names no action that saves.")

    # --- Scope -------------------------------------------------------------------------------------------
    def perm(self, verb):
        """The permission string for `verb` on this model."""
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    @property
    def scoped(self):
        return hasattr(self.model._default_manager.all(), "visible_to")

    def allowed(self, request, verb, obj=None):
        """Whether the user holds `verb` at `obj`, or anywhere when there is no object yet."""
        if obj is None and not self.scoped:
            obj = self.model()  # belongs to no union: counts from the root only
        return request.user.has_perm(self.perm(verb), obj)

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if self.scoped:
            return rows.visible_to(request.user, self.perm("view"))
        return rows if self.allowed(request, "view") else rows.none()

    def get_object(self, request, object_id, from_field=None):
        """The row in scope. Raises PermissionDenied without any right here, Http404 out of scope."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found

    def lookup_allowed(self, lookup, value, request=None):
        """Only what the page's own filters ask: an address with any other (`name__regex=`) could hold the database."""
        offered = {
            getattr(each, "parameter_name", each[0] if isinstance(each, tuple) else each) for each in self.list_filter
        }
        name, _mark, verb = lookup.partition("__")
        return name in offered and verb in FILTER_VERBS and super().lookup_allowed(lookup, value, request)

    # --- Permissions -------------------------------------------------------------------------------------
    def has_module_permission(self, request):
        return self.allowed(request, "view")

    def has_view_permission(self, request, obj=None):
        return self.allowed(request, "view", obj)

    def has_add_permission(self, request):
        return self.allowed(request, "add")

    def has_change_permission(self, request, obj=None):
        return self.allowed(request, "change", obj)

    def has_delete_permission(self, request, obj=None):
        return False

    # --- Fields ------------------------------------------------------------------------------------------
    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """Offer, and take, only rows that the user sees: a foreign key from outside is no valid choice."""
        rows = db_field.remote_field.model._default_manager.all()
        if hasattr(rows, "visible_to"):
            meta = db_field.remote_field.model._meta
            kwargs.setdefault("queryset", rows.visible_to(request.user, f"{meta.app_label}.view_{meta.model_name}"))
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", NamedAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # --- Writes ------------------------------------------------------------------------------------------
    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """When the action refuses, show the page again with its sentence and everything that was typed."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as refusal:
            request.refusal = refusal
        except Conflict:
            request.refusal = ValidationError(
                _("Somebody else has changed this in the meantime. Open it again, look, and repeat your change.")
            )
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        if refusal is None:
            return form

        class Refused(form):
            def _post_clean(self):
                super()._post_clean()
                add_refusal(self, refusal)

        return Refused

    def save_model(self, request, obj, form, change):
        self.write(request, obj, form, change)

    def save_formset(self, request, form, formset, change):
        """Inlines are for reading."""
        if formset.has_changed():
            raise NotImplementedError(f"{type(self).__name__} names no action that saves its inlines.")

    def log_addition(self, request, obj, message):
        """Nothing: the action has written the audit event."""

    def log_change(self, request, obj, message):
        """Nothing: the action has written the audit event."""

    def get_urls(self):
        """Without the history page (it would show the admin's empty log) and without the delete page."""
        closed = {f"{self.opts.app_label}_{self.opts.model_name}_{page}" for page in ("history", "delete")}
        return [url for url in super().get_urls() if url.name not in closed]


UNION = {"union": gettext_lazy("union")}


def _column(name, label):
    """Return what shows the field `name` under `label`."""

    @admin.display(description=label, empty_value="—")
    def shown(row):
        in_words = getattr(row, f"get_{name}_display", None)
        return in_words() if in_words else getattr(row, name)

    return shown


class ReadOnlyAdmin(ScopedModelAdmin):
    """Rows to read and to find: what writes them are the actions behind the portal's pages.

    `seen_with` is the permission that shows them, by default the model's own; `scope_path` is the lookup of their
    union's path where the model has no scope of its own; `labels` name the fields that have no name in the model.
    """

    seen_with = ""
    scope_path = ""
    labels = {}
    show_facets = admin.ShowFacets.NEVER  # each facet would count every row
    sortable_by = ()

    @cached_property
    def labelled(self):
        labels = {name: label for name, label in (UNION | self.labels).items() if not hasattr(self, name)}
        return {name: _column(name, label) for name, label in labels.items()}

    def get_list_display(self, request):
        return [self.labelled.get(name, name) for name in super().get_list_display(request)]

    def get_fields(self, request, obj=None):
        return [self.labelled.get(name, name) for name in super().get_fields(request, obj)]

    def perm(self, verb):
        return self.seen_with or super().perm(verb)

    @property
    def scoped(self):
        return bool(self.scope_path) or super().scoped

    def get_queryset(self, request):
        if not self.scope_path:
            return super().get_queryset(request)
        held = reach(request.user, self.perm("view"))
        return admin.ModelAdmin.get_queryset(self, request).filter(held.condition(self.scope_path))

    def has_view_permission(self, request, obj=None):
        return self.allowed(request, "view")  # a row was found in scope already

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

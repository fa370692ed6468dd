"""A list of the admin that can be taken away as a sheet: what it shows, for a purpose, and as an event of the trail."""

from django import forms
from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ExportForm
from import_export.resources import ModelResource

from core import audit
from core.exports import neutral
from core.names import A_NUMBER
from core.scoped_admin import ReadOnlyAdmin

MOST = 5000  # rows: a sheet is made within the request


class PurposeForm(ExportForm):
    """What the sheet is for: it stands in the trail."""

    purpose = forms.CharField(label=gettext_lazy("What the list is for"), max_length=200)

    def clean_purpose(self):
        purpose = self.cleaned_data["purpose"]
        if A_NUMBER.search(purpose):
            raise ValidationError(_("Write the purpose without identity or phone numbers."))
        return purpose


class ShownField(Field):
    """A column of the sheet: the list's column of that name, in words, and never a formula."""

    def __init__(self, name, model_admin):
        super().__init__(column_name=str(label_for_field(name, model_admin.model, model_admin)))
        self.name, self.model_admin = name, model_admin

    def __deepcopy__(self, memo):
        return self  # a resource copies its fields; the admin that this one asks is not to be copied

    def export(self, instance, **kwargs):
        field, _attribute, value = lookup_field(self.name, instance, self.model_admin)
        if field is not None and not field.is_relation:
            value = display_for_field(value, field, "")
        return neutral("" if value is None else str(value))


class ExportedAdmin(ExportMixin, ReadOnlyAdmin):
    """`exported_with` is the permission to take rows away; only rows that it reaches go into the sheet."""

    exported_with = ""
    formats = [XLSX, CSV]
    export_form_class = PurposeForm
    to_encoding = "utf-8-sig"  # Excel reads Chinese in a CSV file only with the mark

    def has_export_permission(self, request):
        return request.user.has_perm(self.exported_with)

    def get_export_resource_classes(self, request):
        columns = {
            f"column{place}": ShownField(name, self) for place, name in enumerate(self.get_list_display(request))
        }
        return [type("ListResource", (ModelResource,), columns | {"Meta": type("Meta", (), {"fields": ()})})]

    def get_export_queryset(self, request):
        return super().get_export_queryset(request).visible_to(request.user, self.exported_with)

    def get_export_data(self, file_format, request, queryset, **kwargs):
        """The file; taking it away is an event. Raises ValueError, which the page shows, when the rows are too many."""
        if queryset.order_by()[: MOST + 1].count() > MOST:
            raise ValueError(_("More than %(most)d rows: filter the list first.") % {"most": MOST})
        data = super().get_export_data(file_format, request, queryset, **kwargs)
        purpose = kwargs["export_form"].cleaned_data["purpose"]
        audit.record(f"{self.opts.app_label}.export_{self.opts.model_name}", None, by=request.user, reason=purpose)
        return data

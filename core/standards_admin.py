"""The admin's page of a reference table: changed by hand or by a sheet, always through `core.standards`."""

from django.core.exceptions import PermissionDenied
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ExportForm

from core import audit, standards
from core.scoped_admin import ScopedModelAdmin


class StandardsAdmin(ImportExportMixin, ScopedModelAdmin):
    """`fixed` names the fields that identify a row and so stay as they were entered."""

    fixed = ()
    formats = [CSV, XLSX]
    export_form_class = ExportForm  # all columns: what is taken away can be brought back
    to_encoding = "utf-8-sig"  # Excel reads Chinese in a CSV file only with the mark

    def write(self, request, obj, form, change):
        standards.keep(obj, by=request.user)

    def get_readonly_fields(self, request, obj=None):
        return self.fixed if obj else ()

    def has_import_permission(self, request):
        return self.allowed(request, "add") and self.allowed(request, "change")

    def has_export_permission(self, request):
        return self.allowed(request, "view")

    def changelist_view(self, request, extra_context=None):
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied  # before anything is counted
        return super().changelist_view(request, extra_context)

    def get_export_data(self, file_format, request, queryset, **kwargs):
        """The file; taking it away is an event."""
        data = super().get_export_data(file_format, request, queryset, **kwargs)
        audit.record(f"{self.opts.app_label}.export_{self.opts.model_name}", None, by=request.user)
        return data

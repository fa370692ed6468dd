"""Sheets of the reference tables: the columns of the table, stored through `core.standards`."""

from datetime import datetime

from import_export.resources import ModelResource
from import_export.widgets import DateWidget

from core import standards
from core.deadline_table import read_date
from core.models import CalendarDay, CalendarYear, DeadlineRule, Setting


class SheetDateWidget(DateWidget):
    """Reads a date however Excel has written it: as a date with a time, or as text."""

    def clean(self, value, row=None, **kwargs):
        if isinstance(value, datetime):
            return value.date()
        return read_date(value) if value else None


class StandardsResource(ModelResource):
    """Rows that are there are changed, others added, the unchanged left alone, none deleted."""

    WIDGETS_MAP = {**ModelResource.WIDGETS_MAP, "DateField": SheetDateWidget}

    class Meta:
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True

    def before_import(self, dataset, **kwargs):
        self.by = kwargs["user"]
        self.changed = False

    def do_instance_save(self, instance, is_create):
        self.changed |= standards.keep(instance, by=self.by, move_dates=False)

    def after_import(self, dataset, result, **kwargs):
        if self.changed and not kwargs.get("dry_run"):
            standards.move(self._meta.model, by=self.by)
        super().after_import(dataset, result, **kwargs)


class CalendarDayResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = CalendarDay
        import_id_fields = ["date"]


class CalendarYearResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = CalendarYear
        import_id_fields = ["year"]


class DeadlineRuleResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = DeadlineRule
        import_id_fields = ["code"]
        exclude = ["id"]


class SettingResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = Setting
        import_id_fields = ["key", "valid_from"]
        exclude = ["id"]

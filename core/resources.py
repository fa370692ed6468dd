"""Sheets of the reference tables: the columns of the table, stored through `core.standards`."""

from datetime import datetime

from django.utils import translation
from import_export.resources import ModelResource
from import_export.widgets import DateWidget

from core import standards
from core.deadline_table import read_date
from core.exports import neutral
from core.models import CalendarDay, CalendarYear, DeadlineRule, RetentionRule, Setting


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

    def __init__(self, **kwargs):
        """The columns carry the Chinese names of the fields, whatever language the page is in: sheets travel."""
        super().__init__(**kwargs)
        with translation.override("zh-hans"):
            for name, field in self.fields.items():
                field.column_name = str(self._meta.model._meta.get_field(name).verbose_name)

    def before_import(self, dataset, **kwargs):
        """Take the fields' own names as headers too: sheets of earlier releases have them."""
        self.by = kwargs["user"]
        self.changed = False
        named = {name: field.column_name for name, field in self.fields.items()}
        dataset.headers = [named.get(header, header) for header in dataset.headers or ()]

    def before_import_row(self, row, **kwargs):
        """Take the apostrophe off again that the export puts before what Excel would reckon."""
        for column, value in row.items():
            if isinstance(value, str) and value.startswith("'") and neutral(value[1:]) == value:
                row[column] = value[1:]

    def export_field(self, field, instance, **kwargs):
        value = super().export_field(field, instance, **kwargs)
        return neutral(value) if isinstance(value, str) else value

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


class RetentionRuleResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = RetentionRule
        import_id_fields = ["kind"]
        exclude = ["id"]

"""Filters that lists are narrowed by: a plain yes, and from–to in days or whole numbers, either end left open."""

from html import escape

import django_filters as filters
from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django_filters.widgets import SuffixedMultiWidget

from core.forms import DateField, IntegerField


class LongSelect(forms.Select):
    """A select of hundreds of options, written at once: Django draws each from a template of its own."""

    def render(self, name, value, attrs=None, renderer=None):
        chosen = "" if value is None else str(value)
        choices = [(str(key), escape(str(label))) for key, label in self.choices]
        options = "".join(
            f'<option value="{escape(key)}"{" selected" if key == chosen else ""}>{label}</option>'
            for key, label in choices
        )
        facts = flatatt({"name": name, **self.attrs, **(attrs or {})})
        return mark_safe(f"<select{facts}>{options}</select>")  # noqa: S308 every part is escaped


class RangeWidget(SuffixedMultiWidget):
    """Two boxes side by side."""

    suffixes = ["from", "to"]
    template_name = "parts/range.html"

    def __init__(self, widget=forms.TextInput, attrs=None):
        super().__init__([widget({"aria-label": _("from")}), widget({"aria-label": _("to")})], attrs)

    def decompress(self, value):
        return [value.start, value.stop] if value else [None, None]


class HiddenRangeWidget(RangeWidget):
    template_name = "django/forms/widgets/multiwidget.html"

    def __init__(self, attrs=None):
        super().__init__(forms.HiddenInput, attrs)


class RangeField(forms.MultiValueField):
    """Two ends, each may be left empty; becomes a slice."""

    widget = RangeWidget
    hidden_widget = HiddenRangeWidget
    default_error_messages = {"backwards": _("The end lies before the beginning: exchange them.")}

    def __init__(self, of=IntegerField, of_kwargs=None, **kwargs):
        ends = [of(required=False, **(of_kwargs or {})) for _end in range(2)]
        super().__init__(ends, require_all_fields=False, **kwargs)
        for widget, end in zip(self.widget.widgets, ends, strict=True):
            widget.attrs.update(end.widget_attrs(widget))

    def compress(self, values):
        start, stop = values or (None, None)
        if start is not None and stop is not None and stop < start:
            raise ValidationError(self.error_messages["backwards"], code="backwards")
        return slice(start, stop)


class Only(filters.Filter):
    """A plain yes: the rows whose field is `having`; without it, all rows."""

    field_class = forms.BooleanField

    def __init__(self, *args, having=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.having = having

    def filter(self, queryset, value):
        return queryset.filter(**{f"{self.field_name}__{self.lookup_expr}": self.having}) if value else queryset


class DayRangeFilter(filters.Filter):
    """Rows whose date lies between two days, both included."""

    field_class = RangeField

    def __init__(self, *args, **kwargs):
        super().__init__(*args, of=DateField, **kwargs)

    def filter(self, queryset, value):
        if value and value.start is not None:
            queryset = queryset.filter(**{f"{self.field_name}__gte": value.start})
        if value and value.stop is not None:
            queryset = queryset.filter(**{f"{self.field_name}__lte": value.stop})
        return queryset


class NumberRangeFilter(filters.Filter):
    """Two whole numbers, neither below `least` nor above `most`; what they mean is said by `method`."""

    field_class = RangeField

    def __init__(self, *args, least, most, **kwargs):
        super().__init__(*args, of=IntegerField, of_kwargs={"min_value": least, "max_value": most}, **kwargs)

"""Forms: how they are drawn, fields that forgive how people type, and the version that guards an edit."""

import re
import unicodedata
from datetime import date

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.renderers import TemplatesSetting
from django.utils.translation import gettext_lazy as _

from core.names import A_NUMBER

REQUIRED = _("This field is required.")  # Django's sentence: our catalogue says what to do
DATE = re.compile(r"(\d{4})(?:\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?|(\d{2})(\d{2}))")


class PortalRenderer(TemplatesSetting):
    """Draw forms and fields from our own templates, widgets from Django's."""

    form_template_name = "parts/form.html"
    field_template_name = "parts/field.html"


def half_width(text):
    """Return what was typed with full-width letters, digits and signs made plain, without space around it."""
    return unicodedata.normalize("NFKC", text).strip()


class DateField(forms.DateField):
    """A date typed as 2019-03-05, 2019/3/5, 20190305 or 2019年3月5日. A text box: faster than a picker from Excel."""

    widget = forms.TextInput
    default_error_messages = {"invalid": _("Enter a date like 2019-03-05.")}

    def to_python(self, value):
        if value in self.empty_values:
            return None
        if isinstance(value, date):
            return super().to_python(value)
        match = DATE.fullmatch(half_width(str(value)))
        try:
            return date(*(int(part) for part in match.groups() if part is not None))
        except (AttributeError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def prepare_value(self, value):
        return value.isoformat() if isinstance(value, date) else value

    def widget_attrs(self, widget):
        return {"placeholder": "2019-03-05", "maxlength": 20}


class IntegerField(forms.IntegerField):
    """A whole number, also typed in full width or with thousands separators."""

    widget = forms.TextInput

    def to_python(self, value):
        if isinstance(value, str):
            value = half_width(value).replace(",", "")
        return super().to_python(value)

    def widget_attrs(self, widget):
        return {"inputmode": "numeric"}


def portal_field(db_field, **kwargs):
    """Return the form field of a model field: dates and whole numbers become ours (`formfield_callback` of a Meta)."""
    if type(db_field) is models.DateField:
        return db_field.formfield(form_class=DateField, **kwargs)
    if isinstance(db_field, models.IntegerField) and not db_field.choices:
        return db_field.formfield(form_class=IntegerField, **kwargs)
    field = db_field.formfield(**kwargs)
    if db_field.choices and not field.required:
        field.choices = [("", ""), *db_field.choices]  # nothing chosen looks like an empty box, not like dashes
    return field


class PortalForm(forms.Form):
    """A form about somebody else: the browser fills in nothing of the user's own."""

    use_required_attribute = False  # our own sentences beside the fields, not the browser's bubbles

    def clean_reason(self):
        """A reason, whatever it is for, stands in the trail for ever: no number of anybody in it."""
        text = self.cleaned_data["reason"]
        if A_NUMBER.search(text):
            raise ValidationError(_("Write the reason without identity or phone numbers."))
        return text

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in (bound.field for bound in self.visible_fields()):
            field.widget.attrs.setdefault("autocomplete", "off")
            if field.required:
                field.widget.attrs.setdefault("aria-required", "true")


class PortalModelForm(PortalForm, forms.ModelForm):
    """The same for a model; give its Meta `formfield_callback = portal_field`."""


class VersionedForm(PortalForm):
    """A form that edits a record: it carries the record's version and what each field said when it was opened."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        record = kwargs.get("instance")
        if record is not None:
            self.initial.setdefault("version", record.version)
        for name, field in self.fields.items():
            if name != "version" and not isinstance(field, forms.FileField):
                field.show_hidden_initial = True

    def changes(self):
        """Return {field: value} of what was changed, for the action."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name != "version"}

    def values_of(self, record):
        """Return {field: value} of a record. A form over several models says here where its fields live."""
        return {bound.name: getattr(record, bound.name) for bound in self.visible_fields()}

    def value_before(self, bound):
        """Return what a field held when the form was opened."""
        raw = bound.field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        try:
            return bound.field.to_python(raw)
        except ValidationError:
            return raw

    def lay_over(self, record):
        """Turn the bound form into mine over the present record: fields I left alone take its values."""
        changed = set(self.changed_data)
        present = self.values_of(record)
        data = self.data.copy()
        data[self.add_prefix("version")] = record.version
        for bound in self.visible_fields():
            value = bound.field.prepare_value(present[bound.name])
            _write(data, bound.html_initial_name, value)
            if bound.name not in changed:
                _write(data, bound.html_name, value)
        self.data = data


def _write(data, name, value):
    """Put a prepared value into form data as a browser would send it."""
    if isinstance(value, list | tuple):
        data.setlist(name, value)
    elif value is None or value is False:
        data.pop(name, None)
    else:
        data[name] = "on" if value is True else value


def add_refusal(form, refusal):
    """Show an action's ValidationError in `form`: under the field it blames if the form has it, else on top."""
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for field, errors in refusal.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)

"""A form field of many rows: a table typed or pasted as in Excel, each column one list of texts (`people-name=…&…`).

Its value is `Rows`, a list of {column: text}; hidden it travels as JSON, so that an edit knows what stood there.
"""

import json
from dataclasses import dataclass
from itertools import zip_longest

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


@dataclass(frozen=True)
class RowColumn:
    """One column: a text box, a choice where `choices` are given, or carried along unseen."""

    name: str
    label: object = ""
    choices: tuple = ()
    hidden: bool = False
    maxlength: int = 100
    figure: bool = False
    needed: bool = False


class Rows(list):
    """Rows of texts; as words for people it is one line a row, without what is carried unseen."""

    def __init__(self, rows=(), columns=()):
        super().__init__(rows)
        self.columns = columns

    def __str__(self):
        return "；".join(filter(None, map(self._words, self))) or "—"

    def _words(self, row):
        words = [
            str(dict(column.choices).get(row.get(column.name), row.get(column.name, "")))
            for column in self.columns
            if not column.hidden
        ]
        return " ".join(filter(None, words))


class RowsWidget(forms.Widget):
    """Draws the table, with some empty rows at its end."""

    template_name = "parts/rows.html"
    use_fieldset = True

    def __init__(self, columns, empty, most):
        super().__init__()
        self.columns, self.empty, self.most = columns, empty, most

    def value_from_datadict(self, data, files, name):
        if name in data:  # laid over the record's present rows, see VersionedForm.lay_over
            return data.get(name)
        return self.typed(data, name)

    def typed(self, data, name):
        """Return the Rows in form data (a QueryDict, or a draft's {field: [texts]})."""
        names = [f"{name}-{column.name}" for column in self.columns]
        lists = [data.getlist(each) if hasattr(data, "getlist") else data.get(each, []) for each in names]
        rows = [
            {column.name: text.strip() for column, text in zip(self.columns, texts, strict=True)}
            for texts in zip_longest(*lists, fillvalue="")
        ]
        return Rows([row for row in rows if any(row.values())], self.columns)

    def value_omitted_from_data(self, data, files, name):
        return False

    def get_context(self, name, value, attrs):
        rows = _read(value, self.columns) or []
        empty = max(self.empty, 1) if len(rows) < self.most else 0
        drawn = [self._cells(name, row, place) for place, row in enumerate([*rows, *[{}] * empty], start=1)]
        context = super().get_context(name, value, attrs)
        return context | {
            "columns": [column for column in self.columns if not column.hidden],
            "rows": drawn,
            "blank": self._cells(name, {}, ""),
            "most": self.most,
        }

    def _cells(self, name, row, place):
        return {
            "place": place,
            "cells": [
                {
                    "column": column, "name": f"{name}-{column.name}", "value": row.get(column.name, ""),
                    "label": f"{column.label} {place}".strip(),
                }
                for column in self.columns
            ],
        }  # fmt: skip


class RowsField(forms.Field):
    """Rows of the `columns`; what the texts mean is read by the form's own `clean_<name>`."""

    hidden_widget = forms.HiddenInput
    default_error_messages = {"many": gettext_lazy("More rows than fit here: delete some.")}

    def __init__(self, columns, *, empty, most, **kwargs):
        self.columns, self.most = columns, most
        super().__init__(widget=RowsWidget(columns, empty, most), **kwargs)

    def prepare_value(self, value):
        return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value

    def to_python(self, value):
        rows = _read(value, self.columns)
        if rows is None:
            raise ValidationError(_("These rows cannot be read: open the page again."))
        if len(rows) > self.most:
            raise ValidationError(self.error_messages["many"])
        return rows

    def has_changed(self, initial, data):
        return _read(initial, self.columns) != _read(data, self.columns)


def _read(value, columns):
    """Return Rows from themselves, plain lists or JSON; None for what is neither."""
    if isinstance(value, str):
        try:
            value = json.loads(value or "[]")
        except (ValueError, RecursionError):
            return None
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    names = [column.name for column in columns]
    rows = [{name: row[name] if isinstance(row.get(name), str) else "" for name in names} for row in value]
    return Rows([row for row in rows if any(row.values())], columns)

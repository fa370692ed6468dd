"""What a list's table is drawn from: columns of days and moments, links, and all rows as HTML at once.

Tables are declared with django-tables2. Drawn by it, each cell asks anew how its column renders, which arguments that
takes and which attributes it has, and a template looks up each of them by name: 3 ms a row. Here all of that is settled
once a column, and a row is a few calls.
"""

import html
import inspect
from datetime import datetime
from functools import cache
from operator import attrgetter

import django_tables2 as tables
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

MARK = 10**15  # stands for a key while an address is taken apart


class DayColumn(tables.Column):
    """A date as 2026-11-20, of a moment our day."""

    def render(self, value):
        return (timezone.localdate(value) if isinstance(value, datetime) else value).isoformat()


class MomentColumn(tables.Column):
    """A moment as 2026-11-20 09:30, in our time."""

    def render(self, value):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")


class TickColumn(tables.Column):
    """A tick for yes, nothing for no."""

    def render(self, value):
        return "✓" if value else ""


def link(url_name, pk, text):
    """Return a link to the page `url_name` of the object with the key `pk` (int)."""
    before, after = _halves(url_name)
    return mark_safe(f'<a href="{before}{pk}{after}">{html.escape(str(text))}</a>')  # noqa: S308 all parts are ours or escaped


def badge_of(css, words):
    """Return `words` as a badge in the colour of the class `css`."""
    return mark_safe(f'<span class="badge {css}">{html.escape(str(words))}</span>')  # noqa: S308 the class is ours


def word(choices, key):
    """Return the word for `key` of a choices class, "" for none: a tenth of what `get_…_display` of a model costs."""
    return _spelled(choices, key, get_language()) if key else ""


@cache
def _spelled(choices, key, _language):
    return str(choices(key).label)


@cache
def _halves(url_name):
    """Return an address before and after the key: `reverse` for each row would cost more than the row."""
    before, _key, after = reverse(url_name, args=[MARK]).partition(str(MARK))
    return before, after


def rows(table):
    """Return the rows of a bound django-tables2 table as HTML, `<tr>` by `<tr>`.

    Of django-tables2 it knows what our tables use: accessors, `default`, `empty_values`, choices in words,
    `render_<name>` and a column's own `render` with `value` and `record`, and fixed attributes. Nothing else: no
    `linkify`, no attributes by row.
    """
    cells = [_cell(table, column, first=not place) for place, column in enumerate(table.columns)]
    records = table.data.data
    return mark_safe("".join([f"<tr>{''.join([cell(record) for cell in cells])}</tr>\n" for record in records]))  # noqa: S308 cells are escaped


def _cell(table, bound, *, first):
    """Return what draws the cell of the column `bound` for a record."""
    css = bound.attrs["td"].get("class")
    css = f' class="{escape(css)}"' if css else ""
    if first:
        opening, closing = f'<th scope="row"{css}>', "</th>"
    else:
        opening, closing = f'<td data-label="{escape(bound.header)}"{css}>', "</td>"
    names = str(bound.accessor).replace("__", ".")
    value_of = attrgetter(names)
    words = _words(table._meta.model, names.split("."))
    empty, default = bound.column.empty_values, _html(bound.default)
    render = _render(bound)

    def cell(record):
        try:
            value = value_of(record)
        except (AttributeError, ObjectDoesNotExist):  # a row without what the column tells of
            value = None
        if words is not None:
            value = words.get(value, value)
        content = default if value in empty else _html(render(value, record))
        return f"{opening}{content}{closing}"

    return cell


def _render(bound):
    """Return a column's `render` as a function of value and record."""
    render = bound.render
    if getattr(render, "__func__", None) is tables.Column.render:
        return lambda value, _record: value
    wanted = frozenset(inspect.signature(render).parameters)
    if wanted == {"value"}:
        return lambda value, _record: render(value=value)
    if wanted == {"record"}:
        return lambda _value, record: render(record=record)
    if wanted == {"value", "record"}:
        return lambda value, record: render(value=value, record=record)
    raise TypeError(f"The column «{bound.name}» asks for more than value and record.")


def _words(model, names):
    """Return {value: word} of the field that the accessor `names` leads to from `model`, None without choices."""
    field = None
    for name in names:
        try:
            field = model._meta.get_field(name) if model else None
        except FieldDoesNotExist:
            return None
        model = field.related_model if field is not None and field.is_relation else None
    choices = getattr(field, "flatchoices", None)
    return {key: str(word) for key, word in choices} if choices else None


def _html(value):
    """Return `value` as a template would write it; Django's own escaping takes five times as long for a text."""
    if type(value) is str:
        return html.escape(value)
    if type(value) is int:
        return str(value)
    return value if isinstance(value, SafeString) else conditional_escape(localize(value))

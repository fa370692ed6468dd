"""The rows of a list's table: drawn at once, they say what django-tables2 and a template say of each cell."""

from datetime import UTC, date, datetime

import django_tables2 as tables
import pytest
from django.template import Context, Template
from django.utils import translation

from core import columns
from unions.models import Union, UnionKind


class Example(tables.Table):
    name = tables.Column()
    kind = tables.Column(attrs={"td": {"class": "desk-only"}})
    parent = tables.Column(accessor="parent__name", attrs={"td": {"class": "lead"}})
    parent_kind = tables.Column("<above>", accessor="parent__kind")
    employees = tables.Column(default="none")
    legal_person = columns.TickColumn(empty_values=())
    founded_on = columns.DayColumn()
    created_at = columns.MomentColumn()
    state = tables.Column(empty_values=(), accessor="pk")

    class Meta:
        model = Union
        fields = ()

    def render_name(self, value, record):
        return columns.link("union_page", record.pk, value)

    def render_state(self, record):
        return columns.badge_of("good", columns.word(UnionKind, record.kind))


SLOWLY = Template(
    "{% for row in table.rows %}<tr>{% for column, cell in row.items %}"
    '{% if forloop.first %}<th scope="row">{{ cell }}</th>{% else %}<td data-label="{{ column.header }}"'
    '{% if column.attrs.td.class %} class="{{ column.attrs.td.class }}"{% endif %}>{{ cell }}</td>{% endif %}'
    "{% endfor %}</tr>\n{% endfor %}"
)


@pytest.fixture
def unions():
    """One of everything, signs that HTML knows in each text, and one with nothing in it."""
    above = Union(id=1, name="<b>总工会</b> & Co", kind=UnionKind.CITY_FED, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    below = Union(
        id=12345, name="甲'\"厂", kind=UnionKind.ENTERPRISE, parent=above, employees=12345, legal_person=True,
        founded_on=date(2020, 2, 29), created_at=datetime(2026, 11, 20, 20, 30, tzinfo=UTC),
    )  # fmt: skip
    return [above, below]


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_rows_drawn_at_once_are_those_drawn_cell_by_cell(unions, language):
    with translation.override(language):
        assert columns.rows(Example(unions)) == SLOWLY.render(Context({"table": Example(unions)}))


def test_days_and_moments_are_ours(unions):
    drawn = columns.rows(Example(unions))
    assert ">2020-02-29<" in drawn
    assert ">2026-11-21 04:30<" in drawn  # half past eight in the evening, eight hours west
    assert columns.DayColumn().render(unions[1].created_at) == "2026-11-21"


def test_columns_taken_out_are_not_drawn(unions):
    assert "data-label" not in columns.rows(Example(unions, exclude=[*Example.base_columns][1:]))


def test_a_column_that_asks_for_more_is_refused():
    class Asking(tables.Table):
        name = tables.Column()

        def render_name(self, value, bound_row):
            return value

    with pytest.raises(TypeError, match="name"):
        columns.rows(Asking([]))

"""The list page: no row lost or doubled between pages, nothing shown beyond the scope, a constant number of queries."""

import random

import django_filters
import django_tables2
import pytest
from django import forms
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path

from config.urls import urlpatterns as portal_urls
from core.pages import ListPage, ScopedFilterSet
from unions.models import Union, UnionKind
from unions.tree import path_of

pytestmark = pytest.mark.urls(__name__)


class Filters(ScopedFilterSet):
    kind = django_filters.ChoiceFilter(label="Kind", choices=UnionKind.choices)
    parent = django_filters.ModelChoiceFilter(label="Parent", queryset=Union.objects.all())
    name = django_filters.CharFilter(label="Name", lookup_expr="startswith")
    legal_person = django_filters.BooleanFilter(label="Legal person", widget=forms.CheckboxInput)
    founded_on = django_filters.DateFromToRangeFilter(label="Founded")

    class Meta:
        model = Union
        fields = ()

    def filter_queryset(self, queryset):
        if not self.form.cleaned_data["legal_person"]:
            self.form.cleaned_data["legal_person"] = None
        return super().filter_queryset(queryset)


class Table(django_tables2.Table):
    name = django_tables2.Column()
    code = django_tables2.Column()
    employees = django_tables2.Column()


class UnionRows(ListPage):
    queryset = Union.objects.all()
    permission = "unions.view_union"
    table_class = Table
    filterset_class = Filters
    orders = {
        "name": ("name",),
        "code": ("code",),
        "employees": ("employees", "name"),
        "newest": ("-founded_on", "-pk"),
    }
    page_size = 3
    count_cap = 10
    title = "Rows"


urlpatterns = [path("list/", UnionRows.as_view(), name="list"), *portal_urls]

ORDERS = ["name", "-name", "code", "-code", "employees", "-employees", "newest", "-newest"]


@pytest.fixture
def crowd(tree):
    """Twenty unions below the street with many equal names, sizes and dates, and some without."""
    chance = random.Random(7)
    for key in range(100, 120):
        Union.objects.create(
            id=key,
            code=f"C{chance.randrange(10**6):06}",
            name=chance.choice(["甲厂工会", "乙厂工会"]),
            kind=UnionKind.ENTERPRISE,
            parent=tree.street,
            path=path_of(key, tree.street.path),
            employees=chance.choice([None, None, 5, 5, 80]),
            founded_on=chance.choice([None, "2001-02-03", "2001-02-03", "2020-05-06"]),
        )
    return tree


def rows(response):
    return [row.record for row in response.context["table"].rows]


def walk(client, address, link="following"):
    """Follow a list from `address` by its next (or previous) links; return the primary keys of each page."""
    pages = []
    while address:
        response = client.get(address)
        pages.append([row.pk for row in rows(response)])
        address = response.context[link]
        assert len(pages) < 30
    return pages


@pytest.mark.parametrize("sort", ORDERS)
def test_pages_hold_every_row_once_in_order(crowd, street, client_of, sort):
    pages = walk(client_of(street), f"/list/?sort={sort}")
    found = [pk for page in pages for pk in page]
    assert sorted(found) == sorted(Union.objects.below(crowd.street).values_list("pk", flat=True))
    assert [len(page) for page in pages] == [3] * (len(found) // 3) + [len(found) % 3] * bool(len(found) % 3)
    unions = Union.objects.in_bulk(found)
    field = {"newest": "founded_on"}.get(sort.strip("-"), sort.strip("-"))
    values = [getattr(unions[pk], field) for pk in found]
    known = [value for value in values if value is not None]
    descending = sort.startswith("-") != (sort.strip("-") == "newest")
    if field != "name" and field != "code":
        assert known == sorted(known, reverse=descending)
    if None in values:  # rows without a value come last, or first in the order turned round
        nones = [value is None for value in values]
        assert nones == sorted(nones, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", ORDERS)
def test_previous_links_lead_back_over_the_same_rows(crowd, street, client_of, sort):
    client = client_of(street)
    forward = walk(client, f"/list/?sort={sort}")
    last = f"/list/?sort={sort}&after={forward[-2][-1]}"
    back = walk(client, last, link="previous")
    assert [pk for page in reversed(back) for pk in page] == [pk for page in forward for pk in page]


def test_order_turned_round_is_the_reverse(crowd, street, client_of):
    client = client_of(street)
    for name in ("name", "code", "employees", "newest"):
        there = [pk for page in walk(client, f"/list/?sort={name}") for pk in page]
        back = [pk for page in walk(client, f"/list/?sort=-{name}") for pk in page]
        assert back == there[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=-1",
        "after=9" * 30,
        "after=%00",
        "before=²",
        "after=999999",
        "after=",
        "sort=--name",
        "sort=password",
        "page=7",
    ],
)
def test_garbage_in_the_address_means_the_first_page(crowd, street, client_of, query):
    client = client_of(street)
    first = [row.pk for row in rows(client.get("/list/"))]
    assert [row.pk for row in rows(client.get(f"/list/?{query}"))] == first


def test_edge_outside_the_scope_means_the_first_page(crowd, street, client_of):
    client = client_of(street)
    first = [row.pk for row in rows(client.get("/list/"))]
    assert [row.pk for row in rows(client.get(f"/list/?after={crowd.neighbour_enterprise.pk}"))] == first


def test_past_the_last_row_leads_back(crowd, street, client_of):
    client = client_of(street)
    end = walk(client, "/list/")[-1][-1]
    response = client.get(f"/list/?after={end}")
    assert rows(response) == []
    assert response.context["previous"] == "/list/"


def test_count_stops_at_its_cap(crowd, street, enterprise, client_of):
    capped = client_of(street).get("/list/")
    assert (capped.context["count"], capped.context["count_capped"]) == (10, True)
    whole = client_of(enterprise).get("/list/")
    assert (whole.context["count"], whole.context["count_capped"]) == (1, False)


def test_filter_narrows_and_its_chip_takes_it_away(crowd, street, client_of):
    response = client_of(street).get("/list/?kind=STREET&sort=code&after=")
    assert [row.pk for row in rows(response)] == [crowd.street.pk]
    assert [(str(chip["label"]), chip["without"]) for chip in response.context["chips"]] == [
        (str(UnionKind.STREET.label), "/list/?sort=code")
    ]


def test_range_filter_is_one_chip(crowd, street, client_of):
    response = client_of(street).get("/list/?founded_on_after=2001-01-01&founded_on_before=2001-12-31")
    assert {row.founded_on.year for row in rows(response)} == {2001}
    assert [(chip["label"], chip["without"]) for chip in response.context["chips"]] == [
        ("Founded 2001-01-01–2001-12-31", "/list/")
    ]


def test_unknown_choice_shows_no_row_and_says_so(crowd, street, client_of):
    response = client_of(street).get("/list/?kind=NONSENSE")
    assert rows(response) == []
    assert "NONSENSE" in response.content.decode()


def test_row_of_the_scope_is_a_choice(crowd, street, client_of):
    response = client_of(street).get(f"/list/?parent={crowd.street.pk}&name=云河")
    assert {row.pk for row in rows(response)} == {crowd.enterprise.pk, crowd.sibling.pk}


@pytest.mark.parametrize("name", ["parent", "union", "id", "pk", "path", "after", "before", "sort", "name", "kind"])
def test_foreign_id_in_any_parameter_shows_nothing_foreign(crowd, street, client_of, name):
    foreign = crowd.neighbour_enterprise
    for value in (foreign.pk, foreign.code, foreign.path, crowd.other_street.pk, crowd.city.pk):
        response = client_of(street).get("/list/", {name: value})
        assert all(row.path.startswith(crowd.street.path) for row in rows(response))
        assert foreign.name not in response.content.decode()


def test_htmx_receives_the_list_alone(crowd, street, client_of):
    client = client_of(street)
    whole, part = client.get("/list/"), client.get("/list/", headers={"HX-Request": "true"})
    restored = client.get("/list/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in whole.content.decode()
    assert "<html" in restored.content.decode()
    assert part.content.decode().strip().startswith('<section class="sheet" id="list"')
    assert "HX-Request" in part["Vary"]


def test_whoever_may_not_is_told(nobody, client_of):
    assert client_of(nobody).get("/list/").status_code == 403


def test_list_is_for_reading(street, client_of):
    assert client_of(street).post("/list/").status_code == 405


# The user, the appointments, the saved views, the rows, their count, the late duties and the choices of a filter; the
# edge of a page.
@pytest.mark.parametrize(("query", "number"), [("", 6), ("parent=3", 6), ("after=3", 7), ("before=3&sort=-code", 7)])
@pytest.mark.parametrize("more", [1, 3])
def test_queries_do_not_grow_with_the_rows(tree, street, client_of, more, query, number):
    for key in range(100, 100 + more):
        place = path_of(key, tree.street.path)
        Union.objects.create(id=key, code=f"C{key}", name="丙厂工会", kind="ENTERPRISE", parent=tree.street, path=place)
    client = client_of(street)
    client.get("/list/")  # the first page of a session writes it
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/list/?{query}")
    assert len(queries) == number

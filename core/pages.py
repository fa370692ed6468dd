"""The list page: rows in scope, filters, a table, pages by keyset and a capped count. The one class-based view."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce

from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, F, Q, QuerySet
from django.http import QueryDict
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.generic import View
from django_filters import CharFilter, FilterSet, ModelChoiceFilter, ModelMultipleChoiceFilter

from core.exports import export_address
from core.models import SavedView
from core.scope import needs

PAGING = ("after", "before")
COUNT, EXACT = "count", "exact"  # the parameter that asks for the whole number of rows, and its one value
PLAIN = "plain"  # the parameter of a list asked for as it is, without the user's own default view
ALL_COLUMNS = "*"
DRAWN = {}  # empty filter fields as HTML: (filter set, name, language) → text
FEW = 1000  # rows that are found by their keys
WIDE = 10  # columns that fit side by side; more of them scroll


class ScopedFilterSet(FilterSet):
    """Filters whose choices of rows are only those the user may see: a foreign id is no choice (R23)."""

    first = ()  # the filters that stand above the list; the others are folded. Without any, all stand there
    by_default = {}  # filter → what holds while it is not set, in words

    def __init__(self, data=None, queryset=None, *, user, **kwargs):
        super().__init__(data, queryset, **kwargs)
        self.user = user
        for each in self.filters.values():
            if isinstance(each, ModelChoiceFilter | ModelMultipleChoiceFilter):
                meta = each.queryset.model._meta
                each.queryset = each.queryset.visible_to(user, f"{meta.app_label}.view_{meta.model_name}")

    def is_typed(self, name):
        """Whether anything may be typed into the filter `name`."""
        return type(self.filters[name]) is CharFilter

    def in_force(self):
        """Return [(bound field, value)] of the filters that are set and sound."""
        self.form.is_valid()
        cleaned = self.form.cleaned_data
        return [(bound, cleaned[bound.name]) for bound in self.form if _in_force(cleaned.get(bound.name))]

    def in_words(self):
        """Return what the rows were chosen by, a phrase each: what is set, and what holds by default."""
        set_ = self.in_force()
        named = {bound.name for bound, _value in set_}
        return [str(words) for name, words in self.by_default.items() if name not in named] + [
            _describe(bound, value) for bound, value in set_
        ]


@dataclass(frozen=True)
class Listed:
    """What a list holds for one user and one query: the rows, how many (to a cap), and their order."""

    scoped: QuerySet
    filterset: FilterSet | None
    rows: QuerySet
    count: int
    capped: bool
    sort: str  # as in the URL
    keyset: list
    too_many: bool  # for the order that was asked for

    def chunks(self, size):
        """Yield lists of all rows, `size` at a time, in the list's order; what is written meanwhile doubles nothing."""
        found = self.rows.order_by(*(key.ordering for key in self.keyset))
        chunk = list(found[:size])
        while chunk:
            yield chunk
            edge = [reduce(getattr, key.path.split("__"), chunk[-1]) for key in self.keyset]
            chunk = list(found.filter(_beyond(self.keyset, edge))[:size]) if len(chunk) == size else []


class ListPage(View):
    """A list of the rows that a user reaches with `permission`; without one the rows' own queryset says whose they are.

    `orders` names the orders a user may choose: name → lookups, the first is the default. A name that is also a
    column's makes its head a link; `?sort=-name` turns the order round. The primary key is always the last lookup,
    so that equal keys lose no row between pages. `?after=` and `?before=` hold the primary key of the row at the
    edge of a page: it is looked up in scope, and whatever is no such row means the first page.

    An order that no index serves at every size stands in `heavy_orders` too: up to `sort_cap` rows are sorted by it.
    Rows are counted up to `count_cap`, and with `?count=exact` to the last. With `default_columns` the user chooses
    columns (`?columns=`, repeated); the first of the table always stays. Filters, order and columns can be saved as a
    view; a user's default view opens in place of the bare address.
    """

    http_method_names = ["get", "head", "options"]
    queryset = None
    permission = ""
    table_class = None
    filterset_class = None
    orders = {"id": ("pk",)}
    heavy_orders = ()
    default_columns = ()
    export_kind = ""  # a key of settings.EXPORT_KINDS: puts the button on the list
    page_size = 50
    count_cap = 1000
    sort_cap = 10_000
    title = ""
    empty = gettext_lazy("Nothing here yet.")
    template_name = "parts/list.html"

    @classmethod
    def as_view(cls, **initkwargs):
        view = super().as_view(**initkwargs)
        return require_safe(needs(cls.permission)(view) if cls.permission else view)

    def get_queryset(self):
        """All rows of the list, before scope and filters."""
        return self.queryset.all()

    def get_default_order(self, user, filterset):
        """The order of a list whose address names none."""
        return next(iter(self.orders))

    def get_title(self):
        return self.title

    def get_facts(self):
        """One line under the title."""
        return ""

    def get_context(self):
        """What the page's own template needs besides the list."""
        return {}

    def get(self, request, *args, **kwargs):
        if not request.GET and (view := next((view for view in self.views if view.is_default), None)):
            return redirect(f"{request.path}?{view.query}")
        listed = self.listed(request.user, request.GET)
        filterset = listed.filterset
        page, previous, following = self._page(listed)
        columns = self.chosen_columns(request.GET)
        table = self._table(page, columns)
        table.sorts = self._sorts(listed)
        kept = self.kept_query(filterset, request.GET)
        context = {
            "title": self.get_title(),
            "facts": self.get_facts(),
            "table": table,
            "page_length": len(page),
            "wide": len(columns) > WIDE,
            "count": listed.count,
            "count_capped": listed.capped,
            "count_url": self._url(**{COUNT: EXACT}),
            "too_many": listed.too_many,
            "previous": previous,
            "following": following,
            "first": self._url() if previous else "",
            "carried": self._carried("columns", "sort"),
            "chips": self._chips(filterset),
            "filters": self._offers(filterset),
            "filter_errors": _faults(filterset),
            "column_choices": self._column_choices(columns),
            "carried_beside_columns": self._carried(but="columns"),
            "views": self._view_chips(kept),
            "savable": self._savable,
            "request_query": self._url(drop=[PLAIN, COUNT]).partition("?")[2],
            "url_name": request.resolver_match.view_name,
            "export_url": export_address(self.export_kind, request.user, self._carried()),
            "empty": self.empty,
            "path": request.path,
            "plain": self._url(drop=[*request.GET]),
            **self.get_context(),
        }
        partial = request.htmx and not request.htmx.history_restore_request
        response = render(request, "parts/list.html#list" if partial else self.template_name, context)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def listed(self, user, params, also=()):
        """Return what the list holds for `user` and the query `params`: what the page shows and an export writes.

        `also` are permissions that must reach the rows besides the list's own.
        """
        scoped = self.get_queryset()
        for permission in (self.permission, *also):
            scoped = scoped.visible_to(user, permission)
        filterset, rows = self.filters(user, params, scoped), scoped
        if filterset:
            rows = filterset.qs if filterset.form.is_valid() else scoped.none()
        default = self.get_default_order(user, filterset)
        asked = params.get("sort", "")
        if asked.removeprefix("-") not in self.orders:
            asked = default
        heavy = asked.removeprefix("-") in self.heavy_orders
        cap = self.sort_cap if heavy else None if params.get(COUNT) == EXACT else self.count_cap
        if cap is not None and (heavy or (filterset and filterset.in_force())):
            rows, count = _few(scoped, rows, cap)
        else:
            count = rows.order_by()[: cap and cap + 1].count()
        capped = cap is not None and count > cap
        too_many = heavy and capped and asked == params.get("sort")
        if heavy and capped:
            asked = next(name for name in (default, *self.orders) if name not in self.heavy_orders)
        keyset = self._keyset(scoped.model, asked)
        return Listed(scoped, filterset, rows, min(count, cap) if capped else count, capped, asked, keyset, too_many)

    def filters(self, user, params, rows):
        """Return the list's filters over `rows`, None when it has none."""
        return self.filterset_class(params, queryset=rows, user=user) if self.filterset_class else None

    # --- Columns and saved views ---

    def all_columns(self, params):
        """Whether every column is asked for, those of an export too that no list shows."""
        return not self.default_columns or ALL_COLUMNS in params.getlist("columns")

    def chosen_columns(self, params):
        """Return the names of the columns asked for, in the table's order; the default ones when none is."""
        asked = set(params.getlist("columns"))
        names = [*self.table_class.base_columns]
        if self.all_columns(params):
            return names
        chosen = [name for name in names if name in asked] or self.default_columns
        return [name for name in names if name in chosen or name == names[0]]

    def _table(self, page, columns):
        hidden = [name for name in self.table_class.base_columns if name not in columns]
        return self.table_class(page, orderable=False, exclude=hidden)

    def _column_choices(self, columns):
        """The columns a user may choose from: name, label, whether shown; the first is always there."""
        if not self.default_columns:
            return []
        _first, *others = self.table_class.base_columns.items()
        return [{"name": name, "label": column.verbose_name, "on": name in columns} for name, column in others]

    @property
    def _savable(self):
        return bool(self.filterset_class or self.default_columns or len(self.orders) > 1)

    @cached_property
    def views(self):
        """The views of this list that the user has saved."""
        if not self._savable:
            return []
        return list(SavedView.objects.filter(user=self.request.user, page=self.request.resolver_match.view_name))

    def kept_query(self, filterset, params):
        """Return what a saved view keeps of the query `params`: sound filters, order, columns, and no typed text.

        What is typed freely may be anything, a person's name too: it does not belong into what is kept.
        """
        kept = QueryDict(mutable=True)
        if filterset:
            for bound, _value in filterset.in_force():
                if not filterset.is_typed(bound.name):
                    for name in _names(bound.name):
                        if values := [text for text in params.getlist(name) if text]:
                            kept.setlist(name, values)
        if params.get("sort", "").removeprefix("-") in self.orders:
            kept["sort"] = params["sort"]
        columns = self.chosen_columns(params)
        if columns != self.chosen_columns(QueryDict()):
            kept.setlist("columns", columns)
        return kept.urlencode()

    def _view_chips(self, shown):
        """The saved views as links, the one that is shown marked; in front the list as it is."""
        if not self.views:
            return []
        chips = [
            {"view": view, "label": view.name, "url": f"{self.request.path}?{view.query}", "on": view.query == shown}
            for view in self.views
        ]
        plain = {"view": None, "label": _("All"), "url": f"{self.request.path}?{PLAIN}=1", "on": not shown}
        return [plain, *chips]

    # --- Order and pages ---

    def _keyset(self, model, sort):
        """Return the keys of the order `sort`, as it stands in the URL."""
        name, turned = sort.removeprefix("-"), sort.startswith("-")
        lookups = [lookup for lookup in self.orders[name] if lookup.removeprefix("-") != "pk"]
        last = "-pk" if "-pk" in self.orders[name] else "pk"
        keyset = []
        for lookup in [*lookups, last]:
            path, descending = lookup.removeprefix("-"), lookup.startswith("-") != turned
            text = isinstance(_fields(model, path)[-1], CharField)
            keyset.append(Key(path, descending, nulls_last=not turned, nullable=_nullable(model, path), text=text))
        return keyset

    def _page(self, listed):
        """Return (rows of the page, address of the previous page, address of the next)."""
        keyset = listed.keyset
        after, before = (self._edge(listed.scoped, keyset, name) for name in PAGING)
        backward = before is not None and after is None
        if backward:
            keyset = [key.turned() for key in keyset]
        edge = before if backward else after
        found = listed.rows.order_by(*(key.ordering for key in keyset))
        found = found.filter(_beyond(keyset, edge) if edge is not None else keyset[0].beginning)
        page = list(found[: self.page_size + 1])
        more = len(page) > self.page_size
        page = page[: self.page_size]
        if backward:
            page.reverse()
        has_previous, has_next = (more, True) if backward else (edge is not None, more)
        previous = self._url(before=page[0].pk) if page and has_previous else ""
        following = self._url(after=page[-1].pk) if page and has_next else ""
        if edge is not None and not page:
            previous = self._url()
        return page, previous, following

    def _edge(self, scoped, keyset, name):
        """Return the key values of the row that `?after=` or `?before=` names, or None."""
        given = self.request.GET.get(name, "")
        if not (given.isascii() and given.isdigit() and len(given) < 19):
            return None
        return scoped.order_by().filter(pk=int(given)).values_list(*(key.path for key in keyset)).first()

    # --- Addresses and filters ---

    def _url(self, drop=(), **changes):
        """Return this page's address from its start, without the parameters `drop`, with `changes`."""
        query = self.request.GET.copy()
        for name in [*query]:
            if name in (*PAGING, PLAIN) or name in drop or not any(query.getlist(name)):
                del query[name]
        for name, value in changes.items():
            query[name] = value
        if not query and any(view.is_default for view in self.views):
            query[PLAIN] = "1"  # the bare address would open the default view
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path

    def _carried(self, *names, but=""):
        """The parameters in force, all or those in `names`, as [(name, value)]: a form sends them along."""
        return [
            (name, value)
            for name, values in self.request.GET.lists()
            if name not in (*PAGING, PLAIN, but) and (not names or name in names)
            for value in values
            if value
        ]

    def _sorts(self, listed):
        """Return column name → address and present direction, for the heads of the table."""
        current, turned = listed.sort.removeprefix("-"), listed.sort.startswith("-")
        return {
            name: {
                "url": self._url(sort=f"-{name}" if name == current and not turned else name),
                "direction": ("descending" if turned else "ascending") if name == current else "",
            }
            for name in self.orders
            if name == current or not (listed.too_many and name in self.heavy_orders)
        }

    def _chips(self, filterset):
        """The filters in force: label, address without it, and the bound field that carries it on."""
        return [
            {"label": _describe(bound, value), "without": self._url(drop=_names(bound.name)), "field": bound}
            for bound, value in (filterset.in_force() if filterset else [])
        ]

    def _offers(self, filterset):
        """The filters that could be set: those above the list, each a bound field or a link for a plain yes; others."""
        if filterset is None:
            return {"first": [], "more": []}
        set_ = {bound.name for bound, _value in filterset.in_force()}
        offered = [bound for bound in filterset.form if not bound.is_hidden and bound.name not in set_]
        first = [bound for bound in offered if not filterset.first or bound.name in filterset.first]
        return {
            "first": [
                {"label": bound.label, "url": self._url(**{bound.name: "on"})}
                if bound.widget_type == "checkbox"
                else {"label": bound.label, "drawn": self._drawn(filterset, bound)}
                for bound in first
            ],
            "more": [self._drawn(filterset, bound) for bound in offered if bound not in first],
        }

    def _drawn(self, filterset, bound):
        """Return a filter's field as HTML.

        While nothing stands in it, the field says the same to everybody, unless its choices are rows of the user's
        scope: then it is drawn once for each language.
        """
        if hasattr(bound.field, "queryset") or any(self.request.GET.get(name) for name in _names(bound.name)):
            return bound.as_field_group()
        key = type(filterset), bound.name, get_language()
        if key not in DRAWN:
            DRAWN[key] = bound.as_field_group()
        return DRAWN[key]


def _few(scoped, rows, cap):
    """Return (queryset, number) of the filtered `rows`: when they are `cap` at most, found by their keys from here on.

    The keys are looked for in no order, so that the database begins where it finds fewest. Looked for in the order of
    the list, few rows would be met with by going through all of it. More than FEW stay in the database: to write them
    down would take longer than to find them again.
    """
    keys = rows.order_by().values_list("pk", flat=True)
    few = list(keys[: FEW + 1])
    if len(few) <= min(FEW, cap):
        return scoped.filter(pk__in=few), len(few)
    number = keys[: cap + 1].count() if cap > FEW else cap + 1
    return (rows if number > cap else scoped.filter(pk__in=keys[:cap])), number


class Key:
    """One lookup of an order: the direction, and where rows without a value stand."""

    def __init__(self, path, descending, *, nulls_last, nullable, text):
        self.path, self.descending, self.nulls_last = path, descending, nulls_last
        self.nullable, self.text = nullable, text

    def turned(self):
        facts = {"nulls_last": not self.nulls_last, "nullable": self.nullable, "text": self.text}
        return Key(self.path, not self.descending, **facts)

    @property
    def beginning(self):
        """Return a Q that holds for every row: without a bound on it, SQLite does not walk the index of this key."""
        return Q(**{f"{self.path}__gte": ""}) if self.text and not self.nullable else Q()

    @property
    def ordering(self):
        nulls = {}
        if self.nullable:  # the databases disagree on where rows without a value stand
            nulls = {"nulls_last": True} if self.nulls_last else {"nulls_first": True}
        return F(self.path).desc(**nulls) if self.descending else F(self.path).asc(**nulls)

    def beyond(self, value):
        """Return the Q of rows that stand after `value`."""
        if value is None:
            return Q(pk__in=()) if self.nulls_last else Q(**{f"{self.path}__isnull": False})
        beyond = Q(**{f"{self.path}__{'lt' if self.descending else 'gt'}": value})
        return beyond | Q(**{f"{self.path}__isnull": True}) if self.nullable and self.nulls_last else beyond

    def equal(self, value):
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})


def _beyond(keyset, edge):
    """Return the Q of the rows after the row with key values `edge`."""
    condition = keyset[-1].beyond(edge[-1])
    for key, value in zip(keyset[-2::-1], edge[-2::-1], strict=True):
        condition = key.beyond(value) | (key.equal(value) & condition)
    first, value = keyset[0], edge[0]
    if len(keyset) > 1 and not first.nullable:  # a bound on the first column alone, which an index can use
        condition &= Q(**{f"{first.path}__{'lte' if first.descending else 'gte'}": value})
    return condition


def _nullable(model, path):
    """Whether a lookup may be null; an annotation must not be."""
    return any(field is not None and field.null for field in _fields(model, path))


def _fields(model, path):
    """Return the fields that a lookup leads over, None for an annotation."""
    fields = []
    for name in path.split("__"):
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist:
            return [*fields, None]
        fields.append(field)
        model = field.related_model
    return fields


def _names(name):
    """The parameters that a filter may stand in: its own, and those of a range's ends."""
    return [name, *(f"{name}_{part}" for part in ("min", "max", "after", "before", "from", "to", "0", "1"))]


def _faults(filterset):
    """The sentences of filters that cannot be applied, each with the filter's name in front."""
    if filterset is None:
        return []
    form = filterset.form
    return [f"{form[name].label}: {' '.join(errors)}" for name, errors in form.errors.items()]


def _in_force(value):
    if isinstance(value, slice):
        return value.start is not None or value.stop is not None
    if hasattr(value, "exists"):
        return bool(value)
    return value not in (None, "", False, [], ())


def _describe(bound, value):
    """Return what a filter says, as words on its chip."""
    if value is True:
        return str(bound.label)
    if isinstance(value, slice):
        return f"{bound.label} {_words(value.start)}–{_words(value.stop)}"
    if isinstance(value, list | tuple) or hasattr(value, "exists"):
        return f"{bound.label} {'、'.join(_choice(bound, each) for each in value)}"
    choice = _choice(bound, value)
    return choice if hasattr(bound.field, "choices") else f"{bound.label} {choice}"


def _choice(bound, value):
    if hasattr(bound.field, "choices") and not hasattr(value, "pk"):
        for key, label in bound.field.choices:
            if str(key) == str(value):
                return str(label)
    return _words(value)


def _words(value):
    if value is None:
        return ""
    return date_format(value, "Y-m-d") if isinstance(value, date) else str(value)

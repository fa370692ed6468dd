"""The list page: rows in scope, filters, a table, pages by keyset and a capped count. The one class-based view."""

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Q
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django.views.generic import View
from django_filters import FilterSet, ModelChoiceFilter, ModelMultipleChoiceFilter

from core.scope import needs

PAGING = ("after", "before")


class ScopedFilterSet(FilterSet):
    """Filters whose choices of rows are only those the user may see: a foreign id is no choice (R23)."""

    def __init__(self, data=None, queryset=None, *, request=None, prefix=None):
        super().__init__(data, queryset, request=request, prefix=prefix)
        for each in self.filters.values():
            if isinstance(each, ModelChoiceFilter | ModelMultipleChoiceFilter):
                meta = each.queryset.model._meta
                each.queryset = each.queryset.visible_to(request.user, f"{meta.app_label}.view_{meta.model_name}")


class ListPage(View):
    """A list of the rows that a user reaches with `permission`.

    `orders` names the orders a user may choose: name → lookups, the first is the default. A name that is also a
    column's makes its head a link; `?sort=-name` turns the order round. The primary key is always the last lookup,
    so that equal keys lose no row between pages. `?after=` and `?before=` hold the primary key of the row at the
    edge of a page: it is looked up in scope, and whatever is no such row means the first page.
    """

    http_method_names = ["get", "head", "options"]
    queryset = None
    permission = ""
    table_class = None
    filterset_class = None
    orders = {"id": ("pk",)}
    page_size = 50
    count_cap = 1000
    title = ""
    empty = _("Nothing here yet.")
    template_name = "parts/list.html"

    @classmethod
    def as_view(cls, **initkwargs):
        return require_safe(needs(cls.permission)(super().as_view(**initkwargs)))

    def get_queryset(self):
        """All rows of the list, before scope and filters."""
        return self.queryset.all()

    def get_title(self):
        return self.title

    def get_facts(self):
        """One line under the title."""
        return ""

    def get_context(self):
        """What the page's own template needs besides the list."""
        return {}

    def get(self, request, *args, **kwargs):
        scoped = self.get_queryset().visible_to(request.user, self.permission)
        filterset, rows = None, scoped
        if self.filterset_class:
            filterset = self.filterset_class(request.GET, queryset=scoped, request=request)
            rows = filterset.qs if filterset.form.is_valid() else scoped.none()
        sort, keyset = self._order(scoped.model)
        page, previous, following = self._page(scoped, rows, keyset)
        count = rows.order_by()[: self.count_cap + 1].count()
        table = self.table_class(page, orderable=False)
        table.sorts = self._sorts(sort)
        context = {
            "title": self.get_title(),
            "facts": self.get_facts(),
            "table": table,
            "page_length": len(page),
            "count": min(count, self.count_cap),
            "count_capped": count > self.count_cap,
            "previous": previous,
            "following": following,
            "first": self._url() if previous else "",
            "sort": request.GET.get("sort", "") if sort else "",
            "chips": self._chips(filterset),
            "filters": self._offers(filterset),
            "filter_errors": filterset.form.errors if filterset else {},
            "empty": self.empty,
            "path": request.path,
            **self.get_context(),
        }
        partial = request.htmx and not request.htmx.history_restore_request
        response = render(request, "parts/list.html#list" if partial else self.template_name, context)
        patch_vary_headers(response, ["HX-Request"])
        return response

    # --- Order and pages ---

    def _order(self, model):
        """Return (sort as in the URL, keyset) for the order asked for, the first of `orders` when it is unknown."""
        asked = self.request.GET.get("sort", "")
        name, turned = asked.removeprefix("-"), asked.startswith("-")
        if name not in self.orders:
            name, turned = next(iter(self.orders)), False
        lookups = [lookup for lookup in self.orders[name] if lookup.removeprefix("-") != "pk"]
        last = "-pk" if "-pk" in self.orders[name] else "pk"
        keyset = []
        for lookup in [*lookups, last]:
            path, descending = lookup.removeprefix("-"), lookup.startswith("-") != turned
            keyset.append(Key(path, descending, nulls_last=not turned, nullable=_nullable(model, path)))
        return f"-{name}" if turned else name, keyset

    def _page(self, scoped, rows, keyset):
        """Return (rows of the page, address of the previous page, address of the next)."""
        after, before = (self._edge(scoped, keyset, name) for name in PAGING)
        backward = before is not None and after is None
        if backward:
            keyset = [key.turned() for key in keyset]
        edge = before if backward else after
        found = rows.order_by(*(key.ordering for key in keyset))
        if edge is not None:
            found = found.filter(_beyond(keyset, edge))
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
            if name in PAGING or name in drop or not any(query.getlist(name)):
                del query[name]
        for name, value in changes.items():
            query[name] = value
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path

    def _sorts(self, sort):
        """Return column name → address and present direction, for the heads of the table."""
        current, turned = sort.removeprefix("-"), sort.startswith("-")
        return {
            name: {
                "url": self._url(sort=f"-{name}" if name == current and not turned else name),
                "direction": ("descending" if turned else "ascending") if name == current else "",
            }
            for name in self.orders
        }

    def _chips(self, filterset):
        """The filters in force: label, address without it, and the bound field that carries it on."""
        if filterset is None:
            return []
        chips = []
        for bound in filterset.form:
            value = getattr(filterset.form, "cleaned_data", {}).get(bound.name)
            if _in_force(value):
                names = [bound.name, *(f"{bound.name}_{part}" for part in ("min", "max", "after", "before", "0", "1"))]
                chips.append({"label": _describe(bound, value), "without": self._url(drop=names), "field": bound})
        return chips

    def _offers(self, filterset):
        """The filters that could be set: a bound field with its chip, or a link for a plain yes."""
        if filterset is None:
            return []
        cleaned = getattr(filterset.form, "cleaned_data", {})
        return [
            {"field": bound, "url": self._url(**{bound.name: "on"}) if bound.widget_type == "checkbox" else ""}
            for bound in filterset.form
            if not bound.is_hidden and not _in_force(cleaned.get(bound.name))
        ]


class Key:
    """One lookup of an order: the direction, and where rows without a value stand."""

    def __init__(self, path, descending, *, nulls_last, nullable):
        self.path, self.descending, self.nulls_last, self.nullable = path, descending, nulls_last, nullable

    def turned(self):
        return Key(self.path, not self.descending, nulls_last=not self.nulls_last, nullable=self.nullable)

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
    meta = model._meta
    for name in path.split("__"):
        try:
            field = meta.pk if name == "pk" else meta.get_field(name)
        except FieldDoesNotExist:
            return False
        if field.null:
            return True
        if field.is_relation:
            meta = field.related_model._meta
    return False


def _in_force(value):
    if isinstance(value, slice):
        return value.start is not None or value.stop is not None
    if hasattr(value, "exists"):
        return bool(value)
    return value not in (None, "", False, [], ())


def _describe(bound, value):
    """Return what a filter says, as words on its chip."""
    if value is True:
        return bound.label
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
    return date_format(value, "Y-m-d") if hasattr(value, "year") else str(value)

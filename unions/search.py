"""Unions in the search box: by code from its beginning, or by a part of the name."""

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from core.search import Hit
from unions.models import Union


def find(user, text, limit):
    """Return at most `limit` hits among the unions that `user` sees, from the top of the tree down."""
    unions = (
        Union.objects.visible_to(user, "unions.view_union")
        .filter(Q(code__prefix=text) | Q(code__prefix=text.upper()) | Q(name__contains=text))
        .order_by("path")[:limit]
    )
    return [
        Hit(
            kind=_("Unions"),
            label=union.name,
            detail=f"{union.code} · {union.get_kind_display()}",
            url=reverse("union_page", args=[union.pk]),
            exact=union.code in (text, text.upper()) or text == union.name,
        )
        for union in unions
    ]

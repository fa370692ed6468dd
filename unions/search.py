"""Unions in the search box: by code from its beginning, or by parts of the name.

Written in SQL, as the members' search is: names are compared one by one, and this is done for every text that is typed.
"""

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from core.lookups import holding
from core.scope import after, reach
from core.search import Hit
from unions.models import Union, UnionEvent, UnionEventKind, UnionKind

U, E = Union._meta.db_table, UnionEvent._meta.db_table


def find(user, text, limit):
    """Return at most `limit` hits among the unions that `user` sees: exact, then by code, then from the top down.

    Dissolved unions come last. A union is also found by an earlier name.
    """
    held = reach(user, "unions.view_union")
    if not held:
        return []
    words, codes = text.split(), sorted({text, text.upper()})
    coded = " OR ".join(["substr(u.code, 1, %s) = %s"] * len(codes))
    code_parameters = [value for code in codes for value in (len(code), code)]
    once = "e.facts ->> 'old'" if connection.vendor == "postgresql" else "json_extract(e.facts, '$.old')"
    renamed = f"SELECT e.union_id FROM {E} e WHERE e.kind = '{UnionEventKind.RENAME.value}' AND {holding(once)}"  # noqa: S608
    ranges = " OR ".join(["u.path >= %s AND u.path < %s"] * len(held.paths))
    bounds = [] if held.whole else [bound for top in held.paths for bound in (top, after(top))]
    sql = f"""
        SELECT u.id, u.code, u.name, u.kind, u.dissolved_on FROM {U} u
        WHERE ({"TRUE" if held.whole else ranges})
        AND (({" AND ".join([holding("u.name")] * len(words))}) OR {coded} OR u.id IN ({renamed}))
        ORDER BY u.dissolved_on IS NOT NULL, CASE WHEN u.code = %s OR u.code = %s OR u.name = %s THEN 0
        WHEN {coded} THEN 1 WHEN substr(u.name, 1, %s) = %s THEN 2 ELSE 3 END, u.path LIMIT %s"""  # noqa: S608
    parameters = [*bounds, *words, *code_parameters, text, codes[0], codes[-1], text, *code_parameters, len(text), text]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, limit])
        rows = cursor.fetchall()
    return [
        Hit(
            kind=_("Unions"),
            label=name,
            detail=" · ".join(filter(None, [code, str(UnionKind(kind).label), dissolved_on and _("dissolved")])),
            url=reverse("union_page", args=[key]),
            exact=code in codes or text == name,
            part=text,
        )
        for key, code, name, kind, dissolved_on in rows
    ]

"""Primary keys allocated before the insert, for rows whose own key is part of what they say (a path, a MAC).

PostgreSQL has a sequence for each such table: it holds no lock, so writers do not wait for one another's commits.
SQLite has one small counter table: its only writer holds the database anyway. Keys only ever climb; gaps are normal.
"""

from django.apps import apps
from django.db import connections, models, router

COUNTERS = "core_keys"  # SQLite only; no model, so that a flush never turns the counters back


def allocate(model, n=1):
    """Return `n` fresh primary keys of `model`, ascending (list of int, not always consecutive).

    They lie above every key in the table, also one that was written by hand. Works inside a transaction and without.
    """
    connection = connections[router.db_for_write(model)]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"INSERT INTO {COUNTERS} (name, last) SELECT %s, coalesce(max(id), 0) + %s FROM {table} WHERE true"  # noqa: S608
                f" ON CONFLICT (name) DO UPDATE SET last = max(last + %s, excluded.last) RETURNING last",
                [model._meta.db_table, n, n],
            )
            [[last]] = cursor.fetchall()
            return list(range(last - n + 1, last + 1))
        return _draw(cursor, table, _sequence(model), n)


def _draw(cursor, table, sequence, n):
    """Draw `n` values of `sequence`; past keys written by hand it draws on: a sequence must never go back."""
    statement = f"SELECT nextval(%s), (SELECT max(id) FROM {table}) FROM generate_series(1, %s)"  # noqa: S608
    while True:
        cursor.execute(statement, [sequence, n])
        rows = cursor.fetchall()
        keys, highest = [key for key, _highest in rows], rows[0][1] or 0
        if keys[0] > highest:
            return keys
        cursor.execute("SELECT max(nextval(%s)) FROM generate_series(1, %s)", [sequence, max(highest - keys[-1], 0)])
        cursor.fetchall()


def _sequence(model):
    return f"{model._meta.db_table}_id_seq"


def prepare(using, **_signal):
    """Create what `allocate` draws from, where it is missing (post_migrate)."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {COUNTERS} (name text PRIMARY KEY, last integer NOT NULL)")
            return
        for model in apps.get_models():
            if type(model._meta.pk) is models.BigIntegerField:
                cursor.execute(f"CREATE SEQUENCE IF NOT EXISTS {connection.ops.quote_name(_sequence(model))}")

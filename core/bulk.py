"""The bulk writer: many rows into one table at once, by COPY on PostgreSQL and executemany on SQLite."""

import gc
import json
from contextlib import contextmanager

from django.db import connection, models

ROOM = 64 * 1024  # KiB: SQLite's page cache, what PostgreSQL sorts or hashes in


def insert(model, names, rows):
    """Write `rows` (tuples of plain Python values in the order of the field `names`) into the table of `model`.

    No model code runs: no defaults, no checks but the database's. JSON values are given as Python values.
    """
    fields = [model._meta.get_field(name) for name in names]
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    adapters = [(place, adapter) for place, field in enumerate(fields) if (adapter := _adapter(field))]
    adapted = (_adapt(row, adapters) for row in rows)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in adapted:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", adapted)  # noqa: S608


@contextmanager
def aside(model):
    """Have the table of `model` to this connection alone, empty and without indexes, until the end of the block.

    A temporary table of the same name lies before the real one: nothing in it is logged, kept or seen by anybody else,
    and it is gone with the process. The model's own table stays empty.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    if connection.vendor == "postgresql":
        make, place = f"CREATE TEMPORARY TABLE {table} (LIKE {table})", "pg_temp"
    else:
        make, place = f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM {table} WHERE 0", "temp"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {place}.{table}")
        cursor.execute(make)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {place}.{table}")


@contextmanager
def roomy():
    """Give a large set room, within the caller's transaction: SQLite's only writer is kept half as long.

    SQLite keeps the indexes that the set touches in memory; PostgreSQL sorts in memory, and does not compile what runs
    once.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET LOCAL work_mem = '{ROOM}kB'; SET LOCAL jit = off")
            yield
            return
        before = cursor.execute("PRAGMA cache_size").fetchone()[0]
        cursor.execute(f"PRAGMA cache_size = -{ROOM}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA cache_size = {before}")


@contextmanager
def uncollected():
    """Let no garbage be looked for while rows come and go by the hundred thousand: none of them is part of a circle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _adapt(row, adapters):
    row = list(row)
    for place, adapter in adapters:
        if row[place] is not None:
            row[place] = adapter(row[place])
    return row


def _adapter(field):
    """How the database's driver wants a value of `field`, or None: as it is."""
    if isinstance(field, models.JSONField):
        return _json
    if connection.vendor == "sqlite":
        if isinstance(field, models.UUIDField):
            return lambda value: value.hex
        if isinstance(field, models.DateTimeField):
            return connection.ops.adapt_datetimefield_value
        if isinstance(field, models.DateField):
            return lambda value: value.isoformat()
        if isinstance(field, models.DecimalField):
            return lambda value: connection.ops.adapt_decimalfield_value(value, field.max_digits, field.decimal_places)
    return None


def _json(value):
    if value == [] or value == {}:  # most of them are
        return "[]" if isinstance(value, list) else "{}"
    return json.dumps(value, ensure_ascii=False)

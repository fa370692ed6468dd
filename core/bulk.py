"""The bulk writer: many rows into one table at once, by COPY on PostgreSQL and executemany on SQLite."""

import json

from django.db import connection, models


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
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in adapted:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", adapted)  # noqa: S608


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
        if isinstance(field, models.DateField):
            return lambda value: value.isoformat()
    return None


def _json(value):
    return json.dumps(value, ensure_ascii=False) if value else ("[]" if isinstance(value, list) else "{}")

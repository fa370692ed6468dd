"""The look-up «begins with» that an index serves on both databases: `name__prefix="张"`.

PostgreSQL serves LIKE 'x%' from the pattern index that Django adds to a CharField with `db_index`. SQLite's LIKE uses
no index, but its text sorts by code point: there it is a range.
"""

from django.db import connection
from django.db.models import Lookup

LAST = "\U0010ffff"  # no character sorts after it


class Prefix(Lookup):
    """Whether the text begins with the given one, upper and lower case apart."""

    lookup_name = "prefix"

    def as_sql(self, compiler, connection):
        column, column_params = self.process_lhs(compiler, connection)
        text = connection.ops.prep_for_like_query(self.rhs)
        return f"{column} LIKE %s", [*column_params, f"{text}%"]

    def as_sqlite(self, compiler, connection):
        column, column_params = self.process_lhs(compiler, connection)
        return f"({column} >= %s AND {column} < %s)", [*column_params, self.rhs, *column_params, self.rhs + LAST]


def holding(column):
    """Return the SQL condition that the text `column` holds its one parameter, upper and lower case apart.

    LIKE '%x%' takes PostgreSQL four times as long.
    """
    return f"{'strpos' if connection.vendor == 'postgresql' else 'instr'}({column}, %s) > 0"

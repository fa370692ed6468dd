"""The tree as text: a union's path is its parent's path plus its own key in four base-36 digits.

A path is never renumbered and needs no lock: it is made of the union's own key. p⁺ (`core.scope.after`) bounds a
subtree.
"""

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr

from core.scope import DIGITS, WIDTH, after

LARGEST = 36**WIDTH - 1
LOCK = 0x54524545  # PostgreSQL advisory lock of whoever changes the shape of the tree. Any number will do.


def one_at_a_time():
    """Wait until nobody else changes the shape of the tree, and keep others out until this transaction ends.

    SQLite needs no lock: its writer has the database alone (BEGIN IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def segment(key):
    """Return `key` as four base-36 digits. Raises ValueError past 1,679,615."""
    if not 0 < key <= LARGEST:
        raise ValueError(f"A union's key must lie between 1 and {LARGEST}.")
    digits = ""
    for _place in range(WIDTH):
        key, digit = divmod(key, 36)
        digits = DIGITS[digit] + digits
    return digits


def path_of(key, parent_path=""):
    """Return the path of the union with primary key `key` below `parent_path`."""
    return parent_path + segment(key)


def move_subtree(unions, old_path, new_path):
    """Rewrite the paths of everything at and below `old_path` in one update of the queryset `unions`."""
    return unions.filter(path__gte=old_path, path__lt=after(old_path)).update(
        path=Concat(Value(new_path), Substr(F("path"), len(old_path) + 1))
    )

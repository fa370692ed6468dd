"""Doing an act once more when PostgreSQL ended it because two writers waited for each other.

Locks are taken in one order (unions, people, memberships, transfers, each by key), so this is rare; but rows that come
to light only after a wait can break any order. Nothing of the ended transaction was written, so it is simply repeated.
"""

from functools import wraps

from django.db import OperationalError, connection

TRIES = 4
DEADLOCK = "40P01"  # SQLSTATE deadlock_detected


def again_on_deadlock(act):
    """Let `act`, which opens its own transaction, be tried again. Inside somebody else's transaction it is not."""

    @wraps(act)
    def tried(*args, **kwargs):
        for _try in range(TRIES - 1):
            if connection.in_atomic_block:
                break
            try:
                return act(*args, **kwargs)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") != DEADLOCK:
                    raise
        return act(*args, **kwargs)

    return tried

"""Knowing a full disk when it is met, whoever met it: a file, SQLite or PostgreSQL. Nothing of the work was kept."""

import errno
import sqlite3

from django.utils.translation import gettext_lazy

SENTENCE = gettext_lazy("The disk is full. Nothing was stored: tell your administrator, then try again.")

DISK_FULL = "53100"  # SQLSTATE disk_full
# What SQLite says where it can no longer write: the database, its log, or the map of the log in memory.
SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}


def is_full(error):
    """Whether `error`, or what led to it, says that there is no room left (or no quota)."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if getattr(error, "sqlstate", None) == DISK_FULL or getattr(error, "sqlite_errorcode", None) in SQLITE:
            return True
        error = error.__cause__
    return False

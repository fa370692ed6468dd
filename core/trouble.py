"""Trouble around the portal, told apart so that a person reads one clear sentence: whatever page or job meets it.

The database is away, or busy with others; no room is left on a disk; a key that opens sealed numbers is missing. None
of these is a fault of the person or of the page: the same act goes well once the trouble is over.
"""

from dataclasses import dataclass, replace

from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core import full_disk
from core.secrets import CannotOpen

# SQLSTATE, PostgreSQL's appendix A: 08… connection, 57P0n shutting down or starting up, 53300 too many connections.
AWAY = ("08", "57P01", "57P02", "57P03", "53300")
BUSY = ("40001", "40P01", "55P03")  # serialization, deadlock, lock not available


@dataclass(frozen=True)
class Trouble:
    """What a person is told, with the HTTP status; `detail` names what the administrator looks for, nobody's data."""

    status: int
    title: Promise
    sentence: Promise
    detail: str = ""


DATABASE_AWAY = Trouble(
    503,
    _("The database cannot be reached at the moment"),
    _(
        "What was stored before is safe. Wait a minute, then try again: you see then whether what you just sent was "
        "stored."
    ),
)
DATABASE_BUSY = Trouble(
    503,
    _("Too many are writing at the same moment"),
    _("Nothing of what you sent was stored. Wait a minute, then send it again."),
)
DISK_IS_FULL = Trouble(507, _("There is no room left on the disk"), full_disk.SENTENCE)
KEY_IS_MISSING = Trouble(
    503,
    _("A number on this page cannot be opened"),
    _(
        "The portal does not have the key that opens it; nothing is lost. Please tell the administrator to put this "
        "key back:"
    ),
)
SEAL_IS_BROKEN = Trouble(
    500,
    _("Something on this page cannot be opened"),
    _("What is sealed here was altered or moved, not by the portal. Please tell the administrator where:"),
)


def of(error):
    """Return the `Trouble` behind an exception, looking through what it was raised from; None: a fault of ours."""
    if full_disk.is_full(error):
        return DISK_IS_FULL
    while error is not None:
        if trouble := _of(error):
            return trouble
        error = error.__cause__ or error.__context__
    return None


def _of(error):
    if isinstance(error, CannotOpen):
        return replace(KEY_IS_MISSING if error.key_id else SEAL_IS_BROKEN, detail=error.key_id or error.place)
    if isinstance(error, DatabaseError | InterfaceError):
        return _of_database(error)
    return None


def _of_database(error):
    state = getattr(error.__cause__, "sqlstate", None) or ""
    sqlite = getattr(error.__cause__, "sqlite_errorname", "")
    if state in BUSY or sqlite.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DATABASE_BUSY
    if state.startswith(AWAY) or (isinstance(error, OperationalError | InterfaceError) and not state and not sqlite):
        return DATABASE_AWAY  # psycopg gives no code when there is no connection to ask
    if sqlite.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_READONLY")):
        return DATABASE_AWAY
    return None

"""A pytest plugin, loaded before the settings are read: the tests' own secrets and broker; no `.env` is looked at.

The broker is an embedded Valkey on a socket in a temporary folder, one for each pytest process, never that of a portal
running in this folder. Where REDIS_URL names a real one (redis://host:port/9), its database of that number is emptied
and used; each pytest-xdist worker takes a number of its own above it.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from config import valkey

os.environ["ENV_FILE"] = os.devnull
os.environ |= {
    "SECRET_KEY": "only for tests, where nothing is secret, and long enough for Django's check",
    "FIELD_KEYS": "t1:dGVzdHMgc2VhbCB3aXRoIHRoaXMga2V5LCAzMmJ5dGU=",
    "INDEX_KEYS": "t1:dGVzdHMgZmluZCBieSB0aGlzIGtleSwgMzIgYnl0ZXM=",
    "AUDIT_KEY": "dGVzdHMgc2lnbiB0aGUgdHJhaWwgYnkgdGhpcyBvbmU=",
}

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # "gw0", "gw1", …; empty without pytest-xdist
FOLDER = None
GIVEN = "REDIS_URL" in os.environ and "PORTAL_TESTS_EMBEDDED" not in os.environ

if GIVEN:
    address = urlsplit(os.environ["REDIS_URL"])
    number = int(address.path.strip("/") or 0)
    if WORKER:
        number += 1 + int(WORKER.removeprefix("gw"))
    if number == 0:
        raise pytest.UsageError("REDIS_URL must name a database that the tests may empty, for example …/9, never 0.")
    os.environ["REDIS_URL"] = urlunsplit(address._replace(path=f"/{number}"))
else:
    FOLDER = Path(tempfile.mkdtemp(prefix="portal-tests-"))
    os.environ["PORTAL_TESTS_EMBEDDED"] = "1"  # tells the xdist workers that REDIS_URL was not given but chosen here
    os.environ["REDIS_URL"] = valkey.url(FOLDER / "valkey.sock")

EVERYTHING = contextlib.ExitStack()


def pytest_sessionstart():
    from django.conf import settings

    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # in var/, where the SQLite test database lies too
    if FOLDER:
        EVERYTHING.callback(shutil.rmtree, FOLDER)
        EVERYTHING.enter_context(valkey.running(FOLDER / "valkey.sock", FOLDER, log=FOLDER / "valkey.log"))
    else:
        import redis

        redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()


def pytest_unconfigure():
    EVERYTHING.close()

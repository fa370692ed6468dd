"""The databases that measurements run on, and the processes they run in.

Everything measured runs in a process of its own (`Database.run`), so that one variant's memory and caches are not
another's. Databases are the bench's own: `fresh` ones are dropped again, `seeded` ones are kept until what seeds them
changes. Keys and files of the bench lie in var/bench/.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "bench"
SERVER = os.environ.get("BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
SCALES = ("town", "city")  # of `seed_demo --scale`: 10,000 and 1,000,000 members


class GroundRefused(Exception):
    """Nothing can be measured here; the message says what is missing."""


@dataclass(frozen=True)
class Database:
    """One database of the bench, and how a process gets to it."""

    name: str
    environment: dict

    def manage(self, *arguments):
        """Run `manage.py` on this database; its output is shown."""
        self._call([sys.executable, "manage.py", *arguments], stdout=None)

    def run(self, function, **parameters):
        """Call `function` ("bench.imports:stock") with JSON-able keyword arguments in a new process; its answer.

        The answer is the dict the function returned, with "mb" added: the peak memory of that process in MB.
        """
        answer = self._call(
            [sys.executable, "-m", "bench.child", function, json.dumps(parameters)], stdout=subprocess.PIPE
        )
        return json.loads(answer.splitlines()[-1])

    def _call(self, command, *, stdout):
        environment = os.environ | self.environment
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=stdout, text=True)
        if done.returncode:
            raise GroundRefused(f"{' '.join(command[1:4])} ended with {done.returncode} on {self.name}: see above.")
        return done.stdout


class Ground:
    """The bench's databases on one kind of server; one measurement runs on a machine at a time."""

    def __init__(self, vendor):
        self.vendor = vendor
        VAR.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        self._lock = (VAR / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GroundRefused("Another measurement runs in this folder: wait for its end.") from None
        if self.vendor == "postgresql":
            try:
                psycopg.connect(SERVER, connect_timeout=5).close()
            except psycopg.OperationalError:
                raise GroundRefused("PostgreSQL does not answer: set BENCH_POSTGRES, or measure --on sqlite.") from None
        return self

    def __exit__(self, *_error):
        self._lock.close()

    @contextmanager
    def fresh(self, scale=None, *, name="scratch"):
        """A database to write into, dropped at the end: migrated and empty, or a copy of the seeded one of `scale`."""
        if scale:
            origin = self.seeded(scale)
        else:
            origin = self._kept("empty", self._fingerprint("*/migrations/*.py", "core/data/*", "core/loader.py"), [])
        self._drop(name)
        if self.vendor == "postgresql":
            self._on_server("CREATE DATABASE {} TEMPLATE {}", name, origin.name)
        else:
            shutil.copyfile(self._file(origin.name), self._file(name))
        try:
            yield self._database(name)
        finally:
            self._drop(name)

    def seeded(self, scale):
        """The database of `seed_demo --scale`, one of SCALES; made when it is not there or no longer current."""
        seed = ("*/migrations/*.py", "members/city.py", "members/demo.py", "members/seeding.py")
        accounts = VAR / f"{self.vendor}-{scale}-accounts.txt"
        command = ["seed_demo", "--scale", scale, "--accounts", str(accounts)]
        return self._kept(scale, self._fingerprint(*seed), command)

    # --- What both kinds of server need ---------------------------------------------------------------------------

    def _kept(self, name, fingerprint, seeding):
        """A database that stays: migrated, then filled by the command `seeding`, until `fingerprint` changes."""
        stamp = VAR / f"{self.vendor}-{name}.made"
        database = self._database(name)
        if stamp.exists() and stamp.read_text() == fingerprint and self._exists(name):
            return database
        stamp.unlink(missing_ok=True)
        self._drop(name)
        if self.vendor == "postgresql":
            self._on_server("CREATE DATABASE {}", name)
        database.manage("migrate", "--verbosity", "0")
        if seeding:
            database.manage(*seeding)
        if self.vendor == "postgresql":
            with psycopg.connect(self._url(name), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        elif self._file(name).exists():
            database.run("bench.ground:tidy")
        stamp.write_text(fingerprint)
        return database

    def _database(self, name):
        files = VAR / f"files-{self.vendor}-{name}"
        return Database(
            name,
            {"DATABASE_URL": self._url(name), "FILES_ROOT": str(files), "LOG_LEVEL": "WARNING", "DEBUG": "0"} | keys(),
        )

    def _url(self, name):
        if self.vendor == "postgresql":
            return urlunsplit(urlsplit(SERVER)._replace(path=f"/portal_bench_{name}"))
        return f"sqlite:///{self._file(name)}"

    def _file(self, name):
        return VAR / f"{name}.sqlite3"

    def _exists(self, name):
        if self.vendor == "sqlite":
            return self._file(name).exists()
        with psycopg.connect(SERVER) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"portal_bench_{name}"])
            return row.fetchone() is not None

    def _drop(self, name):
        if self.vendor == "postgresql":
            self._on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        else:
            for end in ("", "-wal", "-shm"):
                self._file(name).with_name(self._file(name).name + end).unlink(missing_ok=True)
        shutil.rmtree(VAR / f"files-{self.vendor}-{name}", ignore_errors=True)

    def _on_server(self, statement, *names):
        with psycopg.connect(SERVER, autocommit=True) as connection:
            given = [name if name.startswith("portal_bench_") else f"portal_bench_{name}" for name in names]
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, given)))

    def _fingerprint(self, *patterns):
        digest = hashlib.sha256()
        for pattern in patterns:
            for file in sorted(ROOT.glob(pattern)):
                digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
        return digest.hexdigest()


def keys():
    """The bench's own keys: the kept databases are sealed with them."""
    file = VAR / "keys.json"
    if not file.exists():
        file.touch(mode=0o600)
        fresh = [b64encode(secrets.token_bytes(32)).decode() for _ in range(4)]
        names = {"FIELD_KEYS": f"b1:{fresh[0]}", "INDEX_KEYS": f"b1:{fresh[1]}"}
        file.write_text(json.dumps(names | {"AUDIT_KEY": fresh[2], "SECRET_KEY": fresh[3]}))
    return json.loads(file.read_text())


def tidy():
    """Let SQLite measure its tables, as PostgreSQL does by itself."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {}

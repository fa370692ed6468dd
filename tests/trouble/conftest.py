"""What the drills stand on: a PostgreSQL, a broker and portal processes of their own, which they stop and kill.

The machine's own servers are never touched, nor is the suite's test database. `make trouble` runs the drills; what each
did and what was seen is written down in docs/drills.md.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from bench.servers import ROOT, Broker, Cluster, Portal, free_port
from bench.trial.browser import Browser
from bench.trial.officers import Officer

PASSWORD = "Only-for-the-Drill-9"
STALE = 3  # seconds of JOB_STALE_SECONDS, so that no drill waits two minutes


class Ground:
    """A portal's processes on a database of their own, and officers who use it."""

    def __init__(self, url, broker, folder):
        self.broker, self.folder = broker, Path(folder)
        self.environment = {
            **{name: os.environ[name] for name in ("SECRET_KEY", "FIELD_KEYS", "INDEX_KEYS", "AUDIT_KEY")},
            "ENV_FILE": os.devnull,
            "DATABASE_URL": url,
            "REDIS_URL": broker.url,
            "FILES_ROOT": str(self.folder / "files"),
            "JOB_STALE_SECONDS": str(STALE),
            "LOGIN_RATE": "1000/m/ip",
            "TRUSTED_PROXIES": "1",
            "LOG_LEVEL": "WARNING",
        }
        self.portal = Portal(self.environment, self.folder / "parts")
        self.port = free_port()
        self.samples = []

    def child(self, function, **parameters):
        """Call `function` («bench.trial.verdict:seed») in a process of the portal and return its answer (dict)."""
        done = subprocess.run(
            [sys.executable, "-m", "bench.child", function, json.dumps(parameters)], cwd=ROOT, check=True, text=True,
            env=os.environ | self.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])

    def manage(self, *arguments):
        """Run manage.py and return (exit code, everything it said)."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=os.environ | self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def wake(self):
        """What the timetable does each minute."""
        assert self.manage("shell", "-c", "from core import jobs; jobs.wake_waiting()")[0] == 0

    def browser(self, number=1):
        return Browser([self.port], f"10.2.0.{number}", self.samples)

    def signed_in(self, account, number=1):
        browser = self.browser(number)
        browser.get("sign-in page", "/accounts/login/")
        page = browser.post("sign in", "/accounts/login/", {"login": account["username"], "password": PASSWORD})
        assert page.status == 302, page.text
        return browser

    def officer(self, account, neighbour, number=0, until=0.0):
        """An officer of the trial, signed in, on this portal."""
        officer = Officer(number, {**account, "password": PASSWORD}, neighbour, [self.port], until)
        officer.samples = officer.browser.samples = self.samples
        return officer

    def kinds(self):
        """How often each answer was given."""
        return Counter(sample.kind for sample in self.samples)

    def seed(self):
        """Migrate, and fill the database with the demo and eight officers."""
        for command in ("collectstatic", "--noinput"), ("migrate",):
            code, said = self.manage(*command, "--verbosity", "0")
            assert code == 0, said
        told = self.child("bench.trial.verdict:seed", folder=str(self.folder), officers=8, password=PASSWORD)
        self.accounts = told["accounts"]

    def close(self):
        self.portal.stop()


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL of the drills' own with a database «seeded» (the demo and eight officers) to copy from."""
    cluster = Cluster()
    broker = Broker()
    folder = Path(tempfile.mkdtemp(prefix="portal-drills-"))
    try:
        cluster.start()
        broker.start()
        cluster.execute("CREATE DATABASE seeded")
        ground = Ground(cluster.url("seeded"), broker, folder)
        ground.seed()
        cluster.accounts = ground.accounts
        yield cluster
    finally:
        broker.remove()
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def broker():
    broker = Broker()
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


@pytest.fixture
def ground(cluster, broker, tmp_path):
    """A portal on a copy of the seeded database; its processes end with the test."""
    if not listening(cluster):
        cluster.start()
    cluster.execute("DROP DATABASE IF EXISTS drill WITH (FORCE)")
    cluster.execute("CREATE DATABASE drill TEMPLATE seeded")
    ground = Ground(cluster.url("drill"), broker, tmp_path)
    ground.accounts, ground.cluster = cluster.accounts, cluster
    try:
        yield ground
    finally:
        ground.close()


def listening(cluster):
    try:
        cluster.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def little_disk():
    """Mount file systems of a few MB in memory; needs root."""
    places = []

    def mounted(megabytes):
        place = Path(tempfile.mkdtemp(prefix="portal-disk-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", place], check=True)
        places.append(place)
        return place

    yield mounted
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


class Load:
    """Officers at work in threads, until the block ends."""

    def __init__(self, ground, officers=4):
        self.until = [time.monotonic() + 600]
        accounts = ground.accounts
        self.officers = []
        for number in range(officers):
            officer = ground.officer(accounts[number], accounts[(number + 1) % officers], number, self.until[0])
            self.officers.append(officer)

    def __enter__(self):
        for officer in self.officers:
            officer.start()
        return self

    def __exit__(self, *error):
        for officer in self.officers:
            officer.until = 0
        for officer in self.officers:
            officer.join(90)

    def verdict(self, ground):
        """What the database says about all that the officers were told: the faults, as sentences."""
        file = ground.folder / "officers.json"
        file.write_text(json.dumps([officer.facts() for officer in self.officers]))
        defects = [f"{officer.name} {defect}" for officer in self.officers for defect in officer.defects]
        return ground.child("bench.trial.verdict:check", file=str(file), worker_killed_at=None)["faults"] + defects

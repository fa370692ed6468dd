"""A broker that can be stopped and real Celery workers that can be killed, on the test's own database.

Use with `@pytest.mark.django_db(transaction=True)` and `@pytest.mark.worker`, and import the fixtures where they are
needed: `from tests.workers import broker, workers`. The test's files folder (`settings.MEDIA_ROOT`) and
JOB_STALE_SECONDS reach the worker as they stand when it is started.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import kombu.pools
import pytest
import redis
from celery import current_app
from django.conf import settings as current_settings
from django.db import connection

from config import processes, valkey
from core import jobs

PATIENCE = 60  # seconds for a worker to start and do what the test waits for; a loaded machine is slow


class Broker:
    """A Valkey on a socket of its own; the test's own Celery application sends to it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="portal-broker-"))  # short: a socket's path has 107 bytes
        self.socket = self.folder / "valkey.sock"
        self.url = valkey.url(self.socket)
        self.process = None

    def start(self):
        """Start it, or start it again with what it had kept."""
        self.process = valkey.start(self.socket, self.folder, log=self.folder / "valkey.log")
        valkey.wait_until_answers(self.process, self.url)
        jobs._broker_silent_until = 0.0

    def client(self):
        """A client of it, to be closed."""
        return redis.Redis.from_url(self.url)

    def stop(self):
        if self.process is not None:
            processes.stop(self.process)


class Workers:
    """Celery workers: `start()` returns the process, `kill(process)` ends it and its children without a word."""

    def __init__(self, broker):
        self.broker = broker
        self.processes = []

    def start(self, *arguments):
        environ = os.environ | {
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.broker.url,
            "FILES_ROOT": str(current_settings.MEDIA_ROOT),
            "JOB_STALE_SECONDS": str(current_settings.JOB_STALE_SECONDS),
        }
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency=1", "--loglevel=INFO"]
        log = self.broker.folder / f"worker{len(self.processes)}.log"
        process = processes.start(
            [*command, f"--hostname=w{len(self.processes)}@test", *arguments], log=log, environ=environ
        )
        process.log = log
        self.processes.append(process)
        return process

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in self.processes:
            processes.stop(process)


def database_url():
    """The test database as a worker process must name it."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    login = quote(facts["USER"]) + (f":{quote(facts['PASSWORD'])}" if facts["PASSWORD"] else "")
    return f"postgres://{login}@{facts['HOST'] or 'localhost'}:{facts['PORT'] or 5432}/{facts['NAME']}"


def wait_for(happened, *, patience=PATIENCE):
    """Wait until `happened()` is true and return its value; fail after `patience` seconds."""
    end = time.monotonic() + patience
    while not (value := happened()):
        if time.monotonic() > end:
            pytest.fail(f"waited {patience} seconds in vain")
        time.sleep(0.05)
    return value


def _point_to(url):
    current_app.conf.broker_url = url.replace("unix://", "redis+socket://", 1)
    kombu.pools.reset()
    current_app._pool = None
    current_app.amqp._producer_pool = None
    jobs._broker_silent_until = 0.0


@pytest.fixture
def broker():
    """A running `Broker` of the test's own; the session's broker is used again afterwards."""
    broker = Broker()
    before = current_settings.REDIS_URL
    try:
        broker.start()
        _point_to(broker.url)
        yield broker
    finally:
        _point_to(before)
        broker.stop()
        shutil.rmtree(broker.folder, ignore_errors=True)


@pytest.fixture
def workers(broker):
    """`Workers` on the broker; all of them are ended with the test."""
    workers = Workers(broker)
    try:
        yield workers
    finally:
        workers.stop()

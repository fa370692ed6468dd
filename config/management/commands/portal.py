"""`manage.py portal`, behind `make run`: prepares the folder, then runs the whole portal on this machine until stopped.

Valkey (unless REDIS_URL names one), a Celery worker, the timetable (beat) and gunicorn run as its children. It ends
when asked (Ctrl-C, SIGTERM) or when one of them ends, and takes the others along. One folder runs one portal at a time.
"""

import fcntl
import hashlib
import http.client
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.shortcuts import resolve_url

from config import processes, valkey

LOGS = settings.VAR_DIR / "log"
RUN = settings.VAR_DIR / "run"
PYTHON = [sys.executable, "-m"]


def check_port(port):
    """Refuse a port on which gunicorn could not listen."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except PermissionError:
            raise CommandError(f"Port {port} needs root: choose another, for example `PORT=8001 make run`.") from None
        except OSError:
            raise CommandError(f"Port {port} is in use: choose another, for example `PORT=8001 make run`.") from None


@contextmanager
def only_one_here():
    """Hold this folder's lock; refuse if another portal holds it."""
    RUN.mkdir(parents=True, exist_ok=True)
    with settings.PORTAL_LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError("The portal of this folder is running already: stop it first.") from None
        yield


def collect_static():
    """Collect the static files if any of them changed since the last time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=[]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    stamp = RUN / "static.sha256"
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    if not (manifest.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest()):
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(digest.hexdigest())


def database_is_empty():
    """Return whether nobody began to use this database: no account, no union."""
    return not get_user_model().objects.exists() and not apps.get_model("unions", "Union").objects.exists()


def wait_until_served(process, port, *, patience=120):
    """Wait until the web process answers the sign-in page; refuse an answer that is an error."""
    end = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < end:
        browser = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            browser.request("GET", resolve_url(settings.LOGIN_URL))
            status = browser.getresponse().status
        except OSError:
            time.sleep(0.1)
        else:
            if status >= 500:
                raise CommandError(f"The sign-in page answers {status}: var/log/web.log says why.")
            return
        finally:
            browser.close()
    raise CommandError("web did not start: var/log/web.log says why.")


class Command(BaseCommand):
    help = "Migrate, fill an empty database with the demo, and run the whole portal until Ctrl-C or SIGTERM."

    def add_arguments(self, parser):
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="port on 127.0.0.1 (or PORT)")

    def handle(self, *, port, **options):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise CommandError(f"PORT is a number from 1 to 65535, not «{port}».")
        port = int(port)
        self.children = {}
        try:
            with only_one_here():
                check_port(port)
                self.prepare()
                try:
                    self.run(port)
                finally:
                    self.stop()
        except KeyboardInterrupt:
            self.say("Stopped.")

    def say(self, text):
        self.stdout.write(text)
        self.stdout.flush()

    def prepare(self):
        """Bring database and static files up to date; an empty database gets the demo."""
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"The database cannot be used: {reason}") from None
        if database_is_empty():
            self.say("Filling the empty database with the demo …")
            call_command("seed_demo")
        collect_static()
        connection.close()

    def run(self, port):
        """Start all parts, say where the portal is, and watch them."""
        os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")  # what QR codes lead to
        if "REDIS_URL" in os.environ:
            if not valkey.answers(settings.REDIS_URL):
                raise CommandError("Nothing answers at REDIS_URL: start it, or unset it to use the embedded Valkey.")
        else:
            self.start_valkey()
        caches["default"].clear()  # whatever was done to the database while the portal stood still counts
        self.start(
            "worker",
            "celery --app config --quiet worker --concurrency 2 --without-gossip --without-mingle --loglevel WARNING",
        )
        self.start("beat", "celery --app config --quiet beat --pidfile= --loglevel WARNING --schedule", RUN / "beat")
        web = self.start(
            "web",
            f"gunicorn config.wsgi --bind 127.0.0.1:{port} --workers 3 --worker-class sync --preload "
            "--no-control-socket --logger-class config.gunicorn.Logger --log-level warning",
        )
        wait_until_served(web, port)
        self.check_children()
        self.welcome(port)
        while True:
            time.sleep(0.3)
            self.check_children()

    def check_children(self):
        """Refuse to go on without one of the parts."""
        for name, process in self.children.items():
            if process.poll() is not None:
                raise CommandError(f"{name} ended by itself, so all was stopped: var/log/{name}.log says why.")

    def start_valkey(self):
        path = valkey.socket_path(settings.VAR_DIR)
        try:
            process = valkey.start(path, settings.VAR_DIR / "valkey", log=self.log_of("valkey"))
            self.children["valkey"] = process
            valkey.wait_until_answers(process, settings.REDIS_URL)
        except (RuntimeError, OSError) as error:
            raise CommandError(f"{error}: var/log/valkey.log says why.") from None

    def start(self, name, line, *more):
        """Start the Python module and arguments of `line` under the name that logs and sentences use."""
        process = processes.start([*PYTHON, *line.split(), *more], log=self.log_of(name))
        self.children[name] = process
        return process

    def log_of(self, name):
        """Return a fresh log file for a child; the log of the time before stays beside it as .1."""
        LOGS.mkdir(parents=True, exist_ok=True)
        path = LOGS / f"{name}.log"
        if path.exists():
            path.replace(LOGS / f"{name}.log.1")
        return path

    def stop(self):
        """End all children, the last started first: nobody asks, then nobody works, then the broker goes."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it is under way: a second Ctrl-C must not leave orphans
        for process in reversed(self.children.values()):
            processes.stop(process)

    def welcome(self, port):
        accounts = settings.VAR_DIR / "demo-accounts.txt"
        if accounts.exists():
            self.say(
                "\nDemo accounts (kept in var/demo-accounts.txt):\n\n" + accounts.read_text(encoding="utf-8").rstrip()
            )
        self.say(f"\nThe portal runs at http://127.0.0.1:{port}/ (Ctrl-C stops it).")

"""A PostgreSQL, a Redis and portal processes that a measurement or a drill may kill: never the machine's own."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from config import processes, valkey

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds for a part to start; a loaded machine is slow


def free_port():
    """Return a TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def wait_for(happened, *, patience=PATIENCE, what="it"):
    """Wait until `happened()` is true and return its value. Raises TimeoutError."""
    end = time.monotonic() + patience
    while not (value := happened()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience} seconds for {what} in vain")
        time.sleep(0.05)
    return value


class Cluster:
    """A PostgreSQL cluster in the folder `place` (made and removed by us), on a port of its own, trusted from here.

    PostgreSQL refuses to run as root; started by root it runs as Debian's user postgres.
    """

    def __init__(self, place=None, *, options=()):
        self.place = Path(place or tempfile.mkdtemp(prefix="portal-cluster-"))
        self.data = self.place / "data"
        self.options = ("fsync=off", *options)  # a drill kills processes, never the machine
        self.port = free_port()
        self.owner = None
        if os.getuid() == 0:
            self.owner = "postgres"
            shutil.chown(self.place, self.owner)
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")

    def _run(self, program, *arguments, check=True):
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
        command = [str(folders[-1] / program), "--pgdata", str(self.data), *arguments]
        account = pwd.getpwnam(self.owner) if self.owner else None
        ids = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        return subprocess.run(
            command, check=check, cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **ids
        )

    def start(self):
        """Start it and wait until it answers."""
        options = " ".join(f"-c {option}" for option in self.options)
        options += f" -p {self.port} -k {self.place} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "--wait", "--log", str(self.place / "log"), "--options", options, "start")

    def stop(self, how="fast"):
        """Stop it: «fast» ends all sessions, «immediate» is as a power cut."""
        self._run("pg_ctl", "--wait", "--mode", how, "stop", check=False)

    def pid(self):
        """The process of its postmaster."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, database="postgres"):
        """The DATABASE_URL of one of its databases."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement, database="postgres"):
        """Run one statement outside a transaction and return its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def remove(self):
        """Stop it and remove all it has written."""
        self.stop("immediate")
        shutil.rmtree(self.place, ignore_errors=True)


class Broker:
    """A Valkey that keeps nothing on disk beyond its append-only file, in a folder of its own."""

    def __init__(self):
        self.place = Path(tempfile.mkdtemp(prefix="portal-broker-"))
        self.socket = self.place / "valkey.sock"
        self.url = valkey.url(self.socket)
        self.process = None

    def start(self):
        """Start it, or start it again with what it had kept."""
        self.process = valkey.start(self.socket, self.place, log=self.place / "log")
        valkey.wait_until_answers(self.process, self.url)

    def stop(self):
        if self.process is not None:
            processes.stop(self.process)

    def remove(self):
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)


class Portal:
    """The processes of one portal on the given environment: any number of web servers, workers, and one timetable."""

    def __init__(self, environment, folder):
        self.environment = os.environ | environment
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.running = []

    def manage(self, *arguments):
        """Run one command of manage.py and return what it printed. Raises CalledProcessError."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, check=True, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        return done.stdout

    def web(self, port, *, workers=2):
        """Start gunicorn as production does and wait until it answers; returns its process."""
        process = self._start(
            f"web{port}",
            f"gunicorn config.wsgi --bind 127.0.0.1:{port} --workers {workers} --worker-class sync --preload "
            "--worker-tmp-dir /dev/shm --no-control-socket --log-level warning",
        )
        wait_for(lambda: listens(port) or process.poll() is not None, what="web")
        return process

    def worker(self, name, *, concurrency=1):
        """Start a Celery worker; returns its process."""
        line = "celery --app config --quiet worker --without-gossip --without-mingle --loglevel WARNING"
        return self._start(f"worker-{name}", f"{line} --concurrency {concurrency} --hostname {name}@trial")

    def beat(self):
        """Start the timetable; returns its process."""
        schedule = self.folder / "beat"
        return self._start(
            "beat", f"celery --app config --quiet beat --pidfile= --loglevel WARNING --schedule {schedule}"
        )

    def _start(self, name, line):
        log = self.folder / f"{name}.log"
        process = processes.start([sys.executable, "-m", *line.split()], log=log, environ=self.environment)
        self.running.append(process)
        return process

    def kill(self, process):
        """End a part and its children without a word."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in reversed(self.running):
            processes.stop(process)


def listens(port):
    """Whether somebody accepts connections on 127.0.0.1:`port`."""
    with contextlib.closing(socket.socket()) as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(root):
    """The processor time (seconds) of the process `root` and of everything below it, also what has ended by now."""
    ticks = os.sysconf("SC_CLK_TCK")
    stats = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            stats[int(place.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    below, found = {root}, True
    while found:
        found = {pid for pid, (parent, _time) in stats.items() if parent in below and pid not in below}
        below |= found
    return sum(stats[pid][1] for pid in below if pid in stats) / ticks

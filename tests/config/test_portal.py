"""The runner behind `make run`, as a real process in a copy of this folder: it starts all and leaves nothing behind."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from config import valkey
from config.management.commands import portal

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"valkey-server", "celery", "gunicorn"}


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class Folder:
    """A copy of the portal with data of its own, and a runner in it."""

    def __init__(self, path):
        self.path = path
        shutil.copytree(ROOT, path, ignore=shutil.ignore_patterns(".*", "var", "tests", "docs"))
        self.port = free_port()
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if name not in {"REDIS_URL", "DATABASE_URL", "PORTAL_TESTS_EMBEDDED", "PORT", "PUBLIC_URL"}
        }
        self.socket = valkey.socket_path(path / "var")
        (path / "var").mkdir()
        assert self.manage("migrate", "--verbosity=0").stderr == ""
        keeper = self.manage(
            "createsuperuser", "--noinput", "--username=keeper", "--email=keeper@example.com",
            DJANGO_SUPERUSER_PASSWORD="An-0rdinary-day",
        )  # fmt: skip
        assert keeper.stderr == ""

    def manage(self, *arguments, **environ):
        """Run a command to its end and return what it did."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.path, env=self.environ | environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def start(self):
        """Start the runner and return it, with all it said until the portal was there."""
        runner = subprocess.Popen(
            [sys.executable, "manage.py", "portal", f"--port={self.port}"],
            cwd=self.path, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = []
        for line in runner.stdout:
            said.append(line)
            if "The portal runs at" in line:
                return runner, "".join(said)
        raise AssertionError(runner.stderr.read())

    def processes(self):
        """Return {pid: command line} of everything that runs in this folder."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    where = (entry / "cwd").readlink()
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # gone in the meantime
                if line and (self.path in (where, *where.parents) or str(self.path) in line):
                    found[int(entry.name)] = line
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a space and Chinese in its name, and too long a path for a socket in it."""
    path = tmp_path_factory.mktemp("runner") / ("the portal 云河市总工会 " + "x" * 60)
    folder = Folder(path)
    yield folder
    shutil.rmtree(folder.socket.parent, ignore_errors=True)


@pytest.mark.worker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_parts_run_until_it_is_asked_to_stop(folder, number):
    runner, said = folder.start()
    try:
        assert said.endswith(f"The portal runs at http://127.0.0.1:{folder.port}/ (Ctrl-C stops it).\n")
        assert "demo" not in said
        lines = list(folder.processes().values())
        assert {part for part in PARTS if any(part in line for line in lines)} == PARTS
        assert any(" beat " in line for line in lines)
        assert valkey.answers(valkey.url(folder.socket))
        browser = http.client.HTTPConnection("127.0.0.1", folder.port)
        browser.request("GET", "/accounts/login/")
        assert browser.getresponse().status == 200
        browser.close()

        again = folder.manage("portal", f"--port={free_port()}")
        assert again.returncode == 1
        assert again.stderr == "CommandError: The portal of this folder is running already: stop it first.\n"
    finally:
        runner.send_signal(number)
        rest, errors = runner.communicate(timeout=120)
    assert (runner.returncode, rest, errors) == (0, "Stopped.\n", "")
    assert folder.processes() == {}


@pytest.mark.worker
def test_a_part_that_dies_takes_the_others_along_and_is_named(folder):
    runner, _said = folder.start()
    worker = next(pid for pid, line in sorted(folder.processes().items()) if "celery" in line and " worker " in line)
    os.kill(worker, signal.SIGKILL)
    _rest, errors = runner.communicate(timeout=120)
    assert runner.returncode == 1
    assert errors == "CommandError: worker ended by itself, so all was stopped: var/log/worker.log says why.\n"
    assert folder.processes() == {}


@pytest.mark.worker
def test_nothing_outlives_a_runner_that_was_killed(folder):
    runner, _said = folder.start()
    runner.kill()
    runner.communicate()
    end = time.monotonic() + 60
    while folder.processes() and time.monotonic() < end:
        time.sleep(0.2)
    assert folder.processes() == {}


def test_a_redis_that_does_not_answer_is_one_sentence(folder):
    done = folder.manage("portal", f"--port={folder.port}", REDIS_URL="redis://127.0.0.1:9/0")
    assert done.returncode == 1
    assert done.stderr == (
        "CommandError: Nothing answers at REDIS_URL: start it, or unset it to use the embedded Valkey.\n"
    )
    assert folder.processes() == {}


def test_a_database_that_does_not_answer_is_one_sentence(folder):
    done = folder.manage("portal", f"--port={folder.port}", DATABASE_URL="postgres://portal@127.0.0.1:9/portal")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The database cannot be used: connection ")
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_one_sentence_before_anything_starts(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = folder.manage("portal", PORT=str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"CommandError: Port {port} is in use: choose another, for example `PORT=8001 make run`.\n")


@pytest.mark.parametrize("port", ["0", "65536", "80a", "-1", ""])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(CommandError, match=f"^PORT is a number from 1 to 65535, not «{port}».$"):
        portal.Command().handle(port=port)

"""What `make setup` runs: brings a fresh clone to the point where `.venv/bin/python manage.py …` works.

Standard library only, for the system's own python3; it must parse on an old one, to say that it is too old.
Each step does nothing when there is nothing to do, so that a second run takes no time.
"""

import base64
import ctypes
import getpass
import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)

# What WeasyPrint loads at run time -> the Debian package that brings it.
PANGO = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}

NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable"
    "|name resolution|Connection refused|RemoteDisconnected|Connection reset|SSLError"
    r"|\(from versions: none\)"  # what is in the lock exists: to see no version of it is to see no index
)


class Stop(Exception):
    """The set-up cannot go on; the message is the one sentence to show."""


def say(sentence):
    print(sentence, flush=True)


def run(command, log, **options):
    """Run `command`, add what it prints to the file `log`, and return (exit code, output)."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
    )
    output = done.stdout.decode("utf-8", "replace")
    with log.open("a", encoding="utf-8") as file:
        file.write("$ {}\n{}\n".format(" ".join(map(str, command)), output))
    return done.returncode, output


def check_python(version):
    """Refuse a Python (major, minor, …) older than the portal needs."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise Stop(
            "The portal needs Python {}.{} or newer, and this is {}.{}: install one and name it, "
            "for example `make run PYTHON=python3.12`.".format(*OLDEST_PYTHON, *version[:2])
        )


def check_writable(root):
    """Refuse a folder in which this user cannot keep the environment, the secrets and the data."""
    for path in (root, root / "var", root / ".venv", root / ".env"):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise Stop("The user {} may not write to {}: run as its owner.".format(getpass.getuser(), path))


def apt_command(packages):
    return ["apt-get", "install", "-y", "--no-install-recommends", *packages]


def apt_install(packages, log):
    """Install Debian packages as root or by a sudo that asks nothing; return whether they were installed."""
    if not shutil.which("apt-get"):
        return False
    become = []
    if os.geteuid() != 0:
        if not shutil.which("sudo") or run(["sudo", "-n", "true"], log)[0] != 0:
            return False
        become = ["sudo", "-n"]
    say("Installing {} from Debian …".format(" ".join(packages)))
    become += ["env", "DEBIAN_FRONTEND=noninteractive"]
    run([*become, "apt-get", "update"], log)  # may fail where the lists at hand are enough
    return run([*become, *apt_command(packages)], log)[0] == 0


def make_environment(root, log):
    """Create `.venv` with pip in it, unless a working one is there, and return its python."""
    python = root / ".venv" / "bin" / "python"
    if python.exists() and run([python, "-m", "pip", "--version"], log)[0] == 0:
        return python
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        if not apt_install([package], log):
            raise Stop(
                "Python's venv module is missing: run `sudo {}`, then this again.".format(
                    " ".join(apt_command([package]))
                )
            )
    say("Creating .venv …")
    code, output = run([sys.executable, "-m", "venv", "--clear", root / ".venv"], log)
    if code != 0:
        raise Stop("Creating .venv failed: {} (the whole output is in {}).".format(last_line(output), log))
    return python


def last_line(output):
    """Return the line of a command's output that says most: the last ERROR, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    return [*lines[-1:], *(line for line in lines if line.startswith("ERROR"))][-1].rstrip(".")


def install_lock(root, python, locks, log):
    """Install the last of `locks` (it holds the others too), unless the same text was installed before.

    The stamp lies in .venv and goes with it.
    """
    stamp = root / ".venv" / ".lock"
    wanted = {lock: hashlib.sha256((root / lock).read_bytes()).hexdigest() for lock in locks}
    lines = {"{} {}".format(digest, lock) for lock, digest in wanted.items()}
    if stamp.exists() and lines <= set(stamp.read_text(encoding="utf-8").splitlines()):
        return
    lock = locks[-1]
    say("Installing the packages of {} (about a minute) …".format(lock))
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    code, output = run([*command, "-r", root / lock], log)
    if code != 0:
        if NO_NETWORK.search(output):
            raise Stop("The packages could not be downloaded: is there a network? (Pip's output is in {}.)".format(log))
        raise Stop("Installing the packages failed: {} (pip's output is in {}).".format(last_line(output), log))
    stamp.write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


def missing_pango():
    """Return the Debian packages whose library WeasyPrint would not find."""
    missing = []
    for library, package in PANGO.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def install_pango(log):
    """Install what draws the papers; without it all else works, so a refusal is only said."""
    packages = missing_pango()
    if packages and not apt_install(packages, log):
        say("Papers cannot be drawn until you run `sudo {}`.".format(" ".join(apt_command(packages))))


def fresh_secrets():
    """Return new secrets for settings, name -> value; the key rings begin with a key called k1."""

    def key():
        return base64.b64encode(secrets.token_bytes(32)).decode("ascii")

    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_KEYS": "k1:" + key(),
        "INDEX_KEYS": "k1:" + key(),
        "AUDIT_KEY": key(),
    }


def write_secrets(root, environ):
    """Add to `.env` each secret that it lacks; what stands there, and what `environ` gives, is left alone."""
    path = root / ".env"
    text = "# The secrets of this portal: keep a copy elsewhere. What else may stand here: .env.example.\n"
    if path.exists():
        text = path.read_text(encoding="utf-8")
    known = set(re.findall(r"^(?:export +)?(\w+) *=", text, re.MULTILINE)) | {name for name in environ if environ[name]}
    lacking = {name: value for name, value in fresh_secrets().items() if name not in known}
    if not lacking:
        return
    database = root / "var" / "portal.sqlite3"
    if "FIELD_KEYS" in lacking and database.exists():
        raise Stop(
            "{} holds data sealed with keys that .env no longer has: put the old .env back, "
            "or remove var/ to begin anew.".format(database)
        )
    if not text.endswith("\n"):
        text += "\n"
    text += "".join("{}={}\n".format(*item) for item in lacking.items())
    new = path.with_name(".env.new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)  # at once whole, never half a file of secrets
    say("Wrote {} into .env.".format(", ".join(lacking)))


def main(arguments):
    """Set the folder up; `--dev` adds what tests and checks need. Return the exit code."""
    try:
        check_python(sys.version_info)
        check_writable(ROOT)
        (ROOT / "var").mkdir(mode=0o700, exist_ok=True)  # names of people lie here: for nobody else on this machine
        for folder in ("log", "run", "files"):
            (ROOT / "var" / folder).mkdir(exist_ok=True)
        log = ROOT / "var" / "log" / "setup.log"
        log.write_text("", encoding="utf-8")
        python = make_environment(ROOT, log)
        locks = ["requirements.txt", "requirements-dev.txt"] if "--dev" in arguments else ["requirements.txt"]
        install_lock(ROOT, python, locks, log)
        install_pango(log)
        write_secrets(ROOT, os.environ)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 2
    except OSError as error:
        print("The set-up stopped: {}.".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

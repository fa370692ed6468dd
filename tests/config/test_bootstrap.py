"""What `make setup` does in a folder, step by step and once from one end to the other."""

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config import bootstrap
from core.secrets import ring

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture
def log(tmp_path):
    return tmp_path / "setup.log"


@pytest.fixture
def no_index(monkeypatch):
    """pip meets an index that refuses every connection, as on a machine without a network."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def names_and_values(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))


def test_an_old_python_can_read_the_bootstrap():
    ast.parse(Path(bootstrap.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(2, 7), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_refused_in_one_sentence(version):
    with pytest.raises(bootstrap.Stop, match=rf"^The portal needs Python 3\.11 or newer, and this is {version[0]}\."):
        bootstrap.check_python(version)


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 13), (3, 14)])
def test_a_new_python_is_welcome(version):
    bootstrap.check_python(version)


def test_a_folder_of_somebody_else_is_refused_in_one_sentence(tmp_path, monkeypatch):
    """In a child without root's rights, where these tests run as root: root may write anywhere."""
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            bootstrap.check_writable(Path())
        except BaseException as stop:
            os.write(writer, f"{type(stop).__name__}: {stop}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    tmp_path.chmod(0o755)
    assert re.fullmatch(r"Stop: The user \w+ may not write to \.: run as its owner\.", said)


def test_secrets_are_written_for_the_owner_alone(tmp_path):
    bootstrap.write_secrets(tmp_path, {})
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    values = names_and_values(tmp_path / ".env")
    assert set(values) == {"SECRET_KEY", "FIELD_KEYS", "INDEX_KEYS", "AUDIT_KEY"}
    assert len(values["SECRET_KEY"]) >= 50
    assert list(ring(values["FIELD_KEYS"])) == ["k1"]
    assert ring(values["FIELD_KEYS"]) != ring(values["INDEX_KEYS"])
    assert list(ring("k1:" + values["AUDIT_KEY"])) == ["k1"]
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_secrets_that_are_there_are_kept(tmp_path):
    bootstrap.write_secrets(tmp_path, {})
    before = (tmp_path / ".env").read_text()
    bootstrap.write_secrets(tmp_path, {})
    assert (tmp_path / ".env").read_text() == before


def test_only_what_lacks_is_added_to_a_file_by_hand(tmp_path):
    (tmp_path / ".env").write_text("PORT=8005\nexport SECRET_KEY=mine")
    bootstrap.write_secrets(tmp_path, {"AUDIT_KEY": "from the environment"})
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[:2] == ["PORT=8005", "export SECRET_KEY=mine"]
    assert [line.split("=")[0] for line in lines[2:]] == ["FIELD_KEYS", "INDEX_KEYS"]


def test_new_keys_are_not_made_for_data_sealed_with_lost_ones(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "portal.sqlite3").touch()
    with pytest.raises(bootstrap.Stop, match=r"put the old \.env back"):
        bootstrap.write_secrets(tmp_path, {})
    assert not (tmp_path / ".env").exists()


def test_no_network_is_one_sentence(tmp_path, log, no_index):
    (tmp_path / "requirements.txt").write_text("a-package-nobody-has==1.0 --hash=sha256:" + "0" * 64)
    with pytest.raises(bootstrap.Stop, match=r"^The packages could not be downloaded: is there a network\? \(.*\)$"):
        bootstrap.install_lock(tmp_path, sys.executable, ["requirements.txt"], log)
    assert not (tmp_path / ".venv" / ".lock").exists()


def test_a_damaged_lock_is_one_sentence_with_the_reason_of_pip(tmp_path, log, no_index):
    (tmp_path / "requirements.txt").write_text("<<<<<<< HEAD")
    with pytest.raises(bootstrap.Stop, match=r"^Installing the packages failed: ERROR: Invalid requirement: .*\.$"):
        bootstrap.install_lock(tmp_path, sys.executable, ["requirements.txt"], log)


def test_a_lock_installed_before_is_not_installed_again(tmp_path, log):
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "requirements-dev.txt").write_text("# more\n")
    bootstrap.install_lock(tmp_path, sys.executable, ["requirements.txt", "requirements-dev.txt"], log)
    no_python = tmp_path / "no-python"
    bootstrap.install_lock(tmp_path, no_python, ["requirements.txt"], log)
    (tmp_path / "requirements.txt").write_text("# another lock\n")
    with pytest.raises(FileNotFoundError):
        bootstrap.install_lock(tmp_path, no_python, ["requirements.txt"], log)


def test_missing_pango_is_said_with_the_command_that_brings_it(tmp_path, log, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "PANGO", {"libno-such-thing.so.0": "libno-such-thing0"})
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get here, and no sudo
    bootstrap.install_pango(log)
    assert capsys.readouterr().out == (
        "Papers cannot be drawn until you run `sudo apt-get install -y --no-install-recommends libno-such-thing0`.\n"
    )


def test_pango_is_on_this_machine():
    assert bootstrap.missing_pango() == []


def test_a_fresh_folder_is_set_up_and_a_second_time_nothing_is_done(tmp_path, no_index):
    (tmp_path / "config").mkdir()
    shutil.copy(bootstrap.__file__, tmp_path / "config")
    (tmp_path / "requirements.txt").write_text("# nothing to download\n")
    command = [sys.executable, tmp_path / "config" / "bootstrap.py"]
    environ = {name: value for name, value in os.environ.items() if name not in bootstrap.fresh_secrets()}

    first = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        "Creating .venv …",
        "Installing the packages of requirements.txt (about a minute) …",
        "Wrote SECRET_KEY, FIELD_KEYS, INDEX_KEYS, AUDIT_KEY into .env.",
    ]
    assert (tmp_path / ".venv" / "bin" / "python").exists()
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["files", "log", "run"]

    second = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_a_full_or_read_only_disk_is_one_sentence(tmp_path):
    (tmp_path / "config").mkdir()
    shutil.copy(bootstrap.__file__, tmp_path / "config")
    (tmp_path / "var").touch()  # a file where the folder should be: every write below it fails
    done = subprocess.run(
        [sys.executable, tmp_path / "config" / "bootstrap.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("The set-up stopped: ")
    assert done.stderr.count("\n") == 1

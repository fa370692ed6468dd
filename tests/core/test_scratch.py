"""Clear content lies in one folder of ours, and a process that was killed leaves nothing there for long."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings

from core import scratch

KILLED = """
import os, signal, tempfile
from openpyxl import Workbook
from core import scratch
scratch.use()
sheet = Workbook(write_only=True).create_sheet("x")
sheet.append(["a name"] * 1000)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return scratch.folder()


def test_what_a_killed_process_left_of_a_workbook_lies_in_our_folder_and_is_swept(place):
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=settings.BASE_DIR, env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    [left] = place.iterdir()
    assert [each.name for each in place.parent.iterdir()] == [place.name]
    assert place.stat().st_mode & 0o777 == 0o700
    assert scratch.sweep() == 0  # it may be at work still
    assert scratch.sweep(now=time.time() + scratch.HOURS * 3600 + 60) == 1
    assert not left.exists()


def test_a_folder_goes_with_all_that_lies_in_it_and_a_link_alone(place, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (place / "folder").mkdir()
    (place / "folder" / "file").write_text("x")
    (place / "link").symlink_to(kept)
    assert scratch.sweep(now=time.time() + scratch.HOURS * 3600 + 60) == 2
    assert kept.is_dir()
    assert list(place.iterdir()) == []


def test_a_name_that_another_holds_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"portal-{os.getuid()}-scratch").symlink_to(elsewhere)
    assert scratch.folder() is None
    assert scratch.sweep() == 0

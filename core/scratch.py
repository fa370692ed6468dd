"""Where clear content lies for a moment: a sheet being read, a workbook being written. What a killed process left goes.

Libraries make temporary files of their own (openpyxl does for each sheet it writes), in Python's folder for them. The
processes that serve and work take one of ours as that folder, so that whatever is left there is known to be ours.
"""

import logging
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)

HOURS = 12  # no work lasts so long: an older file has nobody left


def folder():
    """Return our folder among the machine's temporary ones, open to nobody else; None where it cannot be made, or where
    somebody else holds its name.
    """
    place = Path(os.environ.get("TMPDIR") or "/tmp") / f"portal-{os.getuid()}-scratch"  # noqa: S108 — its owner is checked
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    return place if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() else None


def use():
    """Have every temporary file of this process, and of those it forks, made in our folder."""
    if place := folder():
        tempfile.tempdir = str(place)
    else:
        log.warning("Temporary files are made in %s: our own folder cannot be made there.", tempfile.gettempdir())


def sweep(*, now=None):
    """Remove what processes that were killed left in our folder; return how many files and folders."""
    place, removed = folder(), 0
    for left in place.iterdir() if place else ():
        try:
            if (now or time.time()) - left.lstat().st_mtime < HOURS * 3600:
                continue
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            removed += 1
        except FileNotFoundError:
            continue  # its process removed it, or another sweep did
    return removed

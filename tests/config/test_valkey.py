"""The embedded Valkey: where it listens, and that what it was told outlives it."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import redis

from config import valkey


@pytest.fixture
def folder():
    """A folder with a short path: pytest's own are too long for a socket."""
    path = Path(tempfile.mkdtemp(prefix="portal 云 #"))
    yield path
    shutil.rmtree(path)


def test_the_socket_lies_in_the_data_folder():
    assert valkey.socket_path(Path("/srv/portal/var")) == Path("/srv/portal/var/run/valkey.sock")


@pytest.mark.parametrize(("length", "inside"), [(107, True), (108, False)])
def test_a_path_too_long_for_a_socket_gives_way_to_a_short_one(length, inside):
    ending = "/run/valkey.sock"
    folder = Path("/" + "x" * (length - len(ending) - 1))
    path = valkey.socket_path(folder)
    assert (path == Path(f"{folder}{ending}")) == inside
    assert len(os.fsencode(path)) <= 107


def test_two_long_folders_have_two_sockets():
    assert valkey.socket_path(Path("/" + "x" * 200)) != valkey.socket_path(Path("/" + "y" * 200))


def test_what_it_was_told_outlives_it_and_it_listens_on_no_port(folder):
    path, data, log = folder / "run" / "valkey.sock", folder / "data", folder / "valkey.log"
    with valkey.running(path, data, log=log) as address:
        assert valkey.answers(address)
        client = redis.Redis.from_url(address)
        client.set("job", "waits")
        assert client.config_get("port") == {"port": "0"}
        assert path.stat().st_mode & 0o777 == 0o600
        client.close()
    assert not valkey.answers(address)
    with valkey.running(path, data, log=log), redis.Redis.from_url(address) as client:
        assert client.get("job") == b"waits"


def test_a_valkey_that_cannot_start_says_so(folder):
    (folder / "run").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "appendonlydir").touch()
    with (
        pytest.raises(RuntimeError, match="Valkey did not start"),
        valkey.running(folder / "run" / "valkey.sock", folder / "data", log=folder / "log"),
    ):
        pass


def test_nothing_answers_at_a_socket_nobody_listens_on(folder):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(folder / "deaf.sock"))
        assert not valkey.answers(valkey.url(folder / "deaf.sock"))

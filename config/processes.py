"""Starting the portal's own processes and ending them, so that none outlives whoever started it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent():
    """In a child, before its program begins: let the kernel end it when its parent is gone (Linux).

    To the kernel the parent is the thread that started it: start parts from one that stays.
    """
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command, *, log, environ=None):
    """Start `command` in a session of its own (a Ctrl-C is ours alone) and return its Popen.

    What it prints is added to the file `log` (Path).
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )


def stop(process, *, patience=10):
    """Ask `process` to end, wait `patience` seconds, then end it and whatever it left in its group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

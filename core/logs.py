"""Log lines without personal data: one line each, as JSON or as text, with the request and the job they belong to.

What an exception says may hold a name or a number, so a line names the exceptions and the places they passed, never
their words. An address is written as its route with the keys of rows, never with its query. As a last net, what looks
like an identity number or a phone is taken out of every line.
"""

import json
import logging
import re
import time
import traceback
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path

from celery import signals
from django.conf import settings

from core import middleware

job_id = ContextVar("job_id", default=None)
access = logging.getLogger("core.access")
tasks = logging.getLogger("core.tasks")

FACTS = ("method", "path", "status", "ms", "user", "task", "state")  # what a line may carry beside its message
NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|1[3-9][0-9]{9})(?![0-9A-Za-z])")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a line stays one line, and a terminal does as it did
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
LONGEST_KEY = 10  # digits: more are no key of a row
HEALTH = "/health/"  # asked every few seconds
ROOT = Path(__file__).resolve().parent.parent


# --- What a line belongs to ----------------------------------------------------------------------------------------


@contextmanager
def of_job(job):
    """Lines within belong to `job`, and to the request that asked for it."""
    tokens = job_id.set(job.pk), middleware.request_id.set(job.request_id or middleware.request_id.get())
    try:
        yield
    finally:
        job_id.reset(tokens[0])
        middleware.request_id.reset(tokens[1])


class Context(logging.Filter):
    """Put request and job on every line; Django writes some after our middleware has ended, with the request."""

    def filter(self, record):
        record.request_id = getattr(getattr(record, "request", None), "id", None) or middleware.request_id.get()
        record.job_id = job_id.get()
        return True


def route_of(request):
    """Return the path of a request as its route with the keys of rows: nothing else that somebody typed."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return "(no page)"

    def given(parameter):
        value = str(match.kwargs.get(parameter[1], ""))
        return value if re.fullmatch(rf"[0-9]{{1,{LONGEST_KEY}}}", value) else f"<{parameter[1]}>"

    return "/" + PARAMETER.sub(given, match.route)


class AccessLogMiddleware:
    """Write one line for each request but those for static files."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        began = time.monotonic()
        response = self.get_response(request)
        if not request.path.startswith(settings.STATIC_URL):
            facts = {
                "method": request.method,
                "path": route_of(request),
                "status": response.status_code,
                "ms": round((time.monotonic() - began) * 1000),
                # Whoever was looked up for the page: a line is no reason to ask the database.
                "user": getattr(getattr(request, "_cached_user", None), "pk", None),
            }
            level = logging.DEBUG if request.path.startswith(HEALTH) else logging.INFO
            access.log(level, "%(method)s %(path)s %(status)s", facts, extra=facts)
        return response


# --- Tasks of the timetable ----------------------------------------------------------------------------------------


@signals.task_prerun.connect
def begin_task(task_id, task, **_signal):
    """A task's own id stands for the request until a job says which request asked for it."""
    task.request.began = time.monotonic()
    middleware.request_id.set(str(task_id)[:40])


@signals.task_postrun.connect
def end_task(task, state, **_signal):
    """Write the line of one task, in place of Celery's, which names what it was given."""
    ms = round((time.monotonic() - getattr(task.request, "began", time.monotonic())) * 1000)
    tasks.info("%s %s", task.name, state, extra={"task": task.name, "state": state, "ms": ms})
    middleware.request_id.set("-")


# --- How a line is written -----------------------------------------------------------------------------------------


class Line(logging.Formatter):
    """A line of text: when, how grave, who says it, the request and the job, and what."""

    def format(self, record):
        job = f" job {record.job_id}" if getattr(record, "job_id", None) else ""
        head = f"{self.formatTime(record)} {record.levelname} {record.name} [{getattr(record, 'request_id', '-')}{job}]"
        ms = f" {record.ms} ms" if hasattr(record, "ms") else ""
        return "\n".join([f"{head} {message_of(record)}{ms}", *trace_of(record)])


class JsonLine(logging.Formatter):
    """The same as one JSON object."""

    def format(self, record):
        line = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            "request": getattr(record, "request_id", "-"),
            "job": getattr(record, "job_id", None),
        }
        line |= {name: getattr(record, name) for name in FACTS if hasattr(record, name)}
        if trace := trace_of(record):
            line["trace"] = trace
        line = {name: scrubbed(value) if isinstance(value, str) else value for name, value in line.items()}
        return json.dumps(line, ensure_ascii=False, default=str)


def message_of(record):
    """Return the message of a record without an exception's words, a typed address, or a number of a person."""
    safe = logging.makeLogRecord(record.__dict__)
    request = getattr(record, "request", None)
    if isinstance(record.args, Mapping):  # Celery's lines about a task
        safe.args = {name: _argument(value, record, request) for name, value in record.args.items()}
        safe.args |= {name: "…" for name in ("args", "kwargs", "return_value", "traceback") if name in safe.args}
        if "exc" in safe.args:
            safe.args["exc"] = _kind(record)
    elif record.args:
        safe.args = tuple(_argument(value, record, request) for value in record.args)
    elif isinstance(record.msg, BaseException):
        safe.msg = type(record.msg).__name__
    return scrubbed(safe.getMessage())


def trace_of(record):
    """Return the lines of a record's traceback: each exception by its type, and the places it passed."""
    error = record.exc_info[1] if record.exc_info else None
    lines, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines += [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in _frames(error)]
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def scrubbed(text):
    """Return `text` in one line, with what looks like an identity number or a phone taken out: the last net."""
    return CONTROL.sub(lambda sign: sign[0].encode("unicode_escape").decode(), NUMBER.sub("[…]", text))


def _argument(value, record, request):
    if isinstance(value, BaseException):
        return type(value).__name__
    if request is not None and value == getattr(request, "path", None):
        return route_of(request)
    return value


def _kind(record):
    return type(record.exc_info[1]).__name__ if record.exc_info else "…"


def _frames(error):
    return traceback.extract_tb(error.__traceback__, limit=-30)


def _short(file):
    return file.removeprefix(f"{ROOT}/").rpartition("site-packages/")[2]

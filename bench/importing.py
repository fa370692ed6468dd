"""What `bench.imports` measures of ours: an import and what follows it, each in a process of its own."""

import io
import time
from contextlib import contextmanager

from celery import current_app
from django.core.files import File
from django.db import connection, transaction

from bench import registers
from bench.child import peak_mb
from bench.peers_import import stored
from core import imports, jobs
from core.models import ImportBatch
from core.models.imports import BatchState
from members import actions
from members.models import Membership, NameSuffix, Person
from unions.models import Union

PAUSE = 0.02  # seconds between two acts of whoever works beside an import
PATIENCE = 120  # seconds that somebody waits for the import to begin


def ours(rows, *, follow=()):
    """A register from upload over preview to commit, as the web and the worker do it.

    `follow`: what is done and timed afterwards: "search" for duplicates, "returned" workbook, "undo". Answers the
    seconds of everything to the commit, of each step, and the peak of memory at the commit's end.
    """
    root = registers.plant()
    steps, path = {}, registers.register(rows)
    current_app.conf.broker_url = "memory://localhost"  # a broker nobody listens to: the jobs are run here
    began = time.perf_counter()
    with _timed(steps, "upload"), path.open("rb") as file:
        batch = imports.receive("members", File(file, name=path.name), by=root)
    with _timed(steps, "read"):
        jobs.step_now(batch.job)
    with _timed(steps, "commit"):
        imports.ask_commit(batch, by=root)
        batch = ImportBatch.objects.get(pk=batch.pk)
        imports.commit(batch)
    answer = stored(began) | {"steps": steps, "import_mb": peak_mb()}
    for step in follow:
        with _timed(steps, step):
            answer |= _FOLLOWING[step](batch, root)
    return answer


def _search(batch, root):
    imports.kind_of("members", root).afterwards(batch)
    return {}


def _returned(batch, root):
    imports.ask_return(batch, by=root)
    batch.refresh_from_db()
    jobs.step_now(batch.job)
    batch.refresh_from_db()
    return {"returned_mb": batch.returned.size / 1024**2}


def _undo(batch, root):
    imports.ask_undo(batch, by=root)
    batch.refresh_from_db()
    imports.undo(batch)
    return {}


_FOLLOWING = {"search": _search, "returned": _returned, "undo": _undo}


@contextmanager
def _timed(steps, name):
    began = time.perf_counter()
    yield
    steps[name] = time.perf_counter() - began


def neighbour():
    """Somebody who enrols one member after the other while an import is read and committed; the waits in seconds."""
    _wait_for(_theirs())
    union, waits, number = Union.objects.get(code="B"), [], 0
    while not _theirs().filter(state=BatchState.COMMITTED).exists():
        began = time.perf_counter()
        actions.enrol(by=None, union=union, name="邻居", id_number=_number(number))
        waits.append(time.perf_counter() - began)
        number += 1
        time.sleep(PAUSE)
    return {"longest": max(waits), "times": len(waits)}


def reader():
    """Somebody who looks at a union's members meanwhile."""
    _wait_for(_theirs())
    waits = []
    while not _theirs().filter(state=BatchState.COMMITTED).exists():
        began = time.perf_counter()
        list(Membership.objects.filter(union__code=registers.code(1)).select_related("person")[:25])
        waits.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return {"longest": max(waits), "times": len(waits)}


def _theirs():
    """The measured import; a seeded city has had others."""
    return ImportBatch.objects.filter(kind="members", created_by__username="bench")


def _wait_for(rows):
    until = time.monotonic() + PATIENCE
    while not rows.exists():
        if time.monotonic() > until:
            raise TimeoutError("No import began.")
        time.sleep(PAUSE)


def _number(serial):
    body = f"330601{19900101 + serial // 1000}{serial % 1000:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, registers.WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def limit(rows):
    """The floor: the rows that an import of ours stored, written once more by nothing but the bulk writer."""
    ours(rows)
    tables = [Person._meta.db_table, NameSuffix._meta.db_table, Membership._meta.db_table]
    move = _by_copy if connection.vendor == "postgresql" else _by_executemany
    began = move(tables)
    return stored(began)


def _by_copy(tables):
    with connection.cursor() as cursor:
        kept = {}
        for table in tables:
            columns = _columns(cursor, table)
            kept[table] = columns, io.BytesIO()
            with cursor.copy(f"COPY {table} ({columns}) TO STDOUT") as copy:
                kept[table][1].writelines(bytes(piece) for piece in copy)
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        began = time.perf_counter()
        with transaction.atomic():
            for table, (columns, rows) in kept.items():
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    copy.write(rows.getbuffer())
    return began


def _by_executemany(tables):
    with connection.cursor() as cursor:
        kept = {}
        for table in tables:
            columns = _columns(cursor, table)
            kept[table] = columns, cursor.execute(f"SELECT {columns} FROM {table}").fetchall()
        with transaction.atomic():
            for table in reversed(tables):
                cursor.execute(f"DELETE FROM {table}")
        began = time.perf_counter()
        with transaction.atomic():
            for table, (columns, rows) in kept.items():
                marks = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
    return began


def _columns(cursor, table):
    """The columns of a table that a writer fills: not those that the database reckons."""
    model = next(model for model in (Person, NameSuffix, Membership) if model._meta.db_table == table)
    return ", ".join(field.column for field in model._meta.concrete_fields if not field.generated)

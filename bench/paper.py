"""Long papers: the roll of a union, asked for and made by two worker processes, against one WeasyPrint document.

The workers are real ones on a broker of their own; a paper is measured from asking to issued, by the clock of whoever
asks. What was issued is read again with another library: every row in order, every page with its number.
"""

import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from bench.ground import ROOT
from config import processes, valkey

TITLE = "Long papers"
SCALE = "city"
ROWS, MANY = 2_000, 20_000
REPEATS = 3
AT_ONCE = 2  # worker processes, as `manage.py portal` starts them


def run(ground, report):
    with ground.fresh(SCALE) as database, _workers(database) as workers:
        portal = replace(database, environment=database.environment | {"REDIS_URL": workers.broker})
        small, long, leaf = (portal.run("bench.paper:union_of", rows=rows)["union"] for rows in (ROWS, MANY, 20))
        first = portal.run("bench.paper:issue", union=leaf)
        report.measured("one page, the first in its worker", first["seconds"])
        pages = [portal.run("bench.paper:issue", union=leaf)["seconds"] for _time in range(2 * AT_ONCE)]
        report.measured("one page, warm", pages[AT_ONCE:])
        ours, peers = [], []
        workers.forget_peaks()
        for _time in range(REPEATS):
            ours.append(portal.run("bench.paper:issue", union=small))
            peers.append(portal.run("bench.peers_paper:one_document", union=small))
        rows, mb = ours[0]["rows"], workers.peak_mb()
        fast = report.measured(
            f"our roll, {rows:,} rows on two processes", [each["seconds"] for each in ours],
            rows=rows, mb=mb, note=_size(ours[0]),
        )  # fmt: skip
        slow = report.measured(
            f"one WeasyPrint document, {rows:,} rows", [each["seconds"] for each in peers],
            rows=rows, mb=max(each["mb"] for each in peers), note=_size(peers[0]),
        )  # fmt: skip
        report.promise("faster than one WeasyPrint document", slow / fast, at_least=1.8)
        report.promise("memory of a worker process", mb, at_most=400, unit="MB")

        workers.forget_peaks()
        whole = portal.run("bench.paper:issue", union=long)
        mb_of_many = workers.peak_mb()
        report.measured(
            f"our roll, {whole['rows']:,} rows on two processes", whole["seconds"],
            rows=whole["rows"], mb=mb_of_many, note=_size(whole),
        )  # fmt: skip
        for step in ("plan", "draw", "join"):
            report.measured(f"    of it: {step}", whole[step])
        report.promise(f"memory of {MANY:,} rows over that of {ROWS:,}", mb_of_many / mb, at_most=1.1)
        report.promise("memory of a worker process, the long roll", mb_of_many, at_most=400, unit="MB")
        for name, paper in (("", ours[-1]), (", the long roll", whole)):
            read = portal.run("bench.paper:read", paper=paper["paper"])
            report.promise(
                f"rows that copy whole and in order{name}", read["rows"], at_least=paper["rows"], unit="rows"
            )
            report.promise(f"pages with their right number{name}", read["pages"], at_least=paper["pages"], unit="pages")
        terms = portal.run("bench.paper:issue", union=long, kind="terms")
        report.measured(
            f"our term report, {terms['rows']:,} unions", terms["seconds"], rows=terms["rows"], note=_size(terms)
        )


def _size(answer):
    return f"{answer['pages']} pages, {answer['kb']:,} KB"


# --- The workers ---------------------------------------------------------------------------------------------------


class _Workers:
    """The worker process and its children; `broker` is the REDIS_URL they hang on."""

    def __init__(self, process, broker):
        self.process, self.broker = process, broker

    def children(self):
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def forget_peaks(self):
        """Let the peak memory of each process be counted from now on (Linux: proc_pid_clear_refs, 5)."""
        for pid in self.children():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mb(self):
        """The most memory that a worker process held since then, in MB."""
        states = [Path(f"/proc/{pid}/status").read_text() for pid in self.children()]
        return max(int(state.partition("VmHWM:")[2].split()[0]) for state in states) / 1024


@contextmanager
def _workers(database):
    """Two worker processes on `database`, with a broker of their own; both end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))  # short: a socket's path has 107 bytes
    broker = valkey.url(folder / "valkey.sock")
    started = [valkey.start(folder / "valkey.sock", folder, log=folder / "valkey.log")]
    try:
        valkey.wait_until_answers(started[0], broker)
        command = [sys.executable, "-m", "celery", "--app", "config", "--quiet", "worker", "--concurrency", AT_ONCE]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        environ = os.environ | database.environment | {"REDIS_URL": broker, "PYTHONPATH": str(ROOT)}
        workers = _Workers(processes.start(map(str, command), log=folder / "worker.log", environ=environ), broker)
        started.append(workers.process)
        while len(workers.children()) < AT_ONCE:
            time.sleep(0.1)
        yield workers
    finally:
        for process in reversed(started):
            with suppress(ProcessLookupError):
                processes.stop(process)
        shutil.rmtree(folder, ignore_errors=True)


# --- What runs on the database -------------------------------------------------------------------------------------


def union_of(rows):
    """The union whose roll, with all below it, has about `rows` rows."""
    from django.db.models import Count

    from members.models import Membership
    from unions.models import Union

    here = dict(Membership.objects.open().values_list("union__path").annotate(count=Count("id")))
    counts = {}
    for path, count in here.items():
        for end in range(4, len(path) + 1, 4):
            counts[path[:end]] = counts.get(path[:end], 0) + count
    nearest = min(counts, key=lambda path: (abs(counts[path] - rows), path))
    return {"union": Union.objects.get(path=nearest).pk, "rows": counts[nearest]}


def issue(union, kind="roll"):
    """Ask for a paper as its page does, and wait until it is issued."""
    from core import papers
    from core.models import Job, User
    from unions.models import Union

    began = time.perf_counter()
    asked = papers.ask(kind, union=Union.objects.get(pk=union), by=User.objects.order_by("pk").first())
    while not Job.objects.get(pk=asked.job_id).finished:
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    asked.refresh_from_db()
    if asked.state != "valid":
        raise RuntimeError(asked.reason)
    job = asked.job
    planned = Job.objects.filter(paper_slice__paper=asked).order_by("created_at").first().created_at
    drawn = asked.slices.order_by("-drawn_at").first().drawn_at
    return {
        "seconds": seconds, "paper": asked.pk, "rows": asked.rows, "pages": asked.pages, "kb": asked.size // 1024,
        "plan": (planned - job.created_at).total_seconds(),
        "draw": (drawn - planned).total_seconds(),
        "join": (job.finished_at - drawn).total_seconds(),
    }  # fmt: skip


def read(paper):
    """Read an issued roll with pypdf: how many rows stand whole and in order, how many pages are numbered right."""
    from pypdf import PdfReader

    from core import drawing, papers
    from core.models import Paper

    paper = Paper.objects.select_related("union").get(pk=paper)
    if papers.digest_of(paper.file.name) != paper.sha256:
        raise RuntimeError("The file is not the one that was issued.")
    texts = ["".join(page.extract_text().split()) for page in PdfReader(paper.file.path).pages]
    numbered = sum(f"第{n}页共{len(texts)}页" in text for n, text in enumerate(texts, start=1))
    kind, text, place, whole = papers.kinds()[paper.kind], "".join(texts), 0, 0
    for part in paper.slices.all():
        for _group, _continued, _figures, first, keys in part.params.get("parts", []):
            cells = kind.cells(paper, keys)
            for number, row in enumerate((cells[key] for key in keys), start=first):
                shown = [*row["name"], row["sex"], row["born"], row["id_masked"], row["employment"], row["joined"]]
                copied = "".join(drawing.printable("".join([str(number), *shown, *row["notes"]])).split())
                found = text.find(copied, place)
                if found >= 0:
                    whole, place = whole + 1, found + len(copied)
    return {"rows": whole, "pages": numbered}


def laid(union):
    """(kind, context of the template, rows) of the union's roll with all its pages, as the slices lay them."""
    from django.utils import timezone

    from core import papers
    from core.models import Paper
    from unions.models import Union

    kind, top = papers.kinds()["roll"], Union.objects.get(pk=union)
    paper = Paper(kind="roll", title=kind.heading(top, {}), union=top, params={})
    paper.facts, slices = kind.plan(paper, timezone.localdate())
    pages = [page for part in slices for page in kind.pages(paper, part.params, 0)[0]]
    return kind, {"paper": paper, "pages": pages}, sum(part.rows for part in slices)

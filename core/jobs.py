"""Jobs: long work as a row, written with what asks for it, claimed by one worker at a time and safe to run twice.

The row is the only state. A message through the broker merely says "look at job 7": it may come late, twice or never.
Whoever claims the row (one conditional update with a fresh token) runs it; a run that lost its row stops at its next
sign of life. `wake_waiting`, called by the timetable each minute, sends whatever was never delivered or went silent.
"""

import logging
import threading
import time
import traceback
import uuid
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from celery import current_app, shared_task
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import full_disk, logs, middleware, trouble
from core.models import Job
from core.models.job import JobState
from core.secrets import CannotOpen

log = logging.getLogger(__name__)

ATTEMPTS = 3
BROKER_PAUSE = 10.0  # seconds without a try after the broker did not answer, so that pages do not crawl
PROGRESS_PAUSE = 0.5  # seconds between two writes of a mere count
REACHED_PAUSE = 2.0  # and between two of how far a step within one transaction is

_broker_silent_until = 0.0


class JobRefused(Exception):
    """The work cannot be done; the message is the sentence the person reads."""


class RunLost(Exception):
    """Another worker has taken the job over; this run stops without writing anything more."""


class NotYet(Exception):
    """The job waits for other jobs; it goes back to waiting and this run does not count as an attempt.

    `ready()` is asked once more when the row is free again, so that nothing which happened meanwhile is missed.
    """

    def __init__(self, ready=lambda: False):
        self.ready = ready


# --- Asking ----------------------------------------------------------------------------------------------------


def start(task_name, *, title, by, params=None, union=None, total=0):
    """Write a waiting `Job` in the caller's transaction and wake a worker when it commits.

    `task_name` is the name given to `job_task`; `params` are ids and options, never personal data; `total` the number
    of things to do, if known. A broker that is down changes nothing: the job waits until the timetable wakes it.
    """
    asked = middleware.request_id.get().removeprefix("-")  # outside a request there is none
    job = Job.objects.create(
        task=task_name, title=title, created_by=by, params=params or {}, union=union, total=total, request_id=asked
    )
    transaction.on_commit(partial(wake, job), robust=True)
    return job


def wake(job):
    """Tell a worker to look at `job`. Returns whether the broker took the message; never raises, never hangs."""
    global _broker_silent_until
    if time.monotonic() < _broker_silent_until:
        return False
    try:
        current_app.send_task(job.task, args=[job.pk], retry=False, ignore_result=True)
    except Exception as error:  # whatever the broker's client raises: the job's row is safe, and woken later
        _broker_silent_until = time.monotonic() + BROKER_PAUSE
        log.warning("broker not reached (%s): job %s waits", type(error).__name__, job.pk)
        return False
    # For a waiting job the heartbeat is the time it was last sent.
    Job.objects.filter(pk=job.pk, state=JobState.WAITING).update(heartbeat_at=timezone.now())
    return True


def wake_waiting():
    """Send every job that was never delivered or has gone silent; end those that used up their attempts."""
    never_sent = Q(state=JobState.WAITING, heartbeat_at__isnull=True)
    gone_silent = Job.objects.unfinished().filter(_silent(timezone.now()) | never_sent).order_by("id")
    for job in gone_silent.filter(attempts__gte=ATTEMPTS):
        if _take(job, Q(attempts__gte=ATTEMPTS)):
            _fail(
                _owned(job),
                job,
                _("The work was broken off %(times)d times. Please tell the administrator.") % {"times": ATTEMPTS},
            )
    for job in gone_silent.filter(attempts__lt=ATTEMPTS):
        if not wake(job):
            return


# --- Running ---------------------------------------------------------------------------------------------------


def job_task(name, *, failed=None):
    """Turn `work(run)` into the Celery task `name`, which takes a job's primary key.

    `work` may run twice and must not double anything. It ends well by returning; `JobRefused` ends it with a sentence;
    a full disk ends it with another; any other exception is logged without its message (which may hold personal data)
    and tried again, three times in all. `failed(job, sentence)` is called in the transaction in which the job fails,
    to mark what it worked on.
    """

    def decorate(work):
        @shared_task(name=name, acks_late=True, ignore_result=True)
        def task(job_pk):
            _run(Job.objects.filter(pk=job_pk).first(), work)

        task.work = work
        task.failed = failed
        return task

    return decorate


def run_now(job):
    """Run `job` here, to its end, and return the row; if a worker is at it already, wait for that worker.

    For the command line: an exception is not tried again but raised, after the job was marked as failed.
    """
    while not job.finished:
        step_now(job)
        if not job.finished:
            time.sleep(0.2)
    return job


def step_now(job):
    """Run `job` here once: it may go back to waiting for others (`NotYet`)."""
    _run(job, _task(job).work, foreground=True)
    job.refresh_from_db()


# --- From one job to another -----------------------------------------------------------------------------------


def tell(job, *, done):
    """Add `done` to what a waiting or running `job` has done: for work that other jobs do for it."""
    Job.objects.unfinished().filter(pk=job.pk).update(done=F("done") + done)


def give_up(job, sentence):
    """End `job` as failed, whoever is at it, because something it needs failed."""
    _fail(Job.objects.unfinished().filter(pk=job.pk), job, sentence)


class Run:
    """One claim of a job: signs of life, progress, remarks. `work` gets it as its only argument."""

    def __init__(self, job):
        self.job = job
        self.within = None
        self._written = 0.0

    def progress(self, done=None, total=None, message=None):
        """Write how far the work is (counts, and a short sentence without personal data): also a sign of life.

        A mere count is written twice a second at most. Raises RunLost when another worker owns the job.
        """
        facts = {"done": done, "total": total, "message": message}
        facts = {name: value for name, value in facts.items() if value is not None and value != getattr(self.job, name)}
        for name, value in facts.items():
            setattr(self.job, name, value)
        now = time.monotonic()
        if facts.keys() <= {"done"} and self.job.done != self.job.total and now - self._written < PROGRESS_PAUSE:
            return
        self._written = now
        self._write(done=self.job.done, total=self.job.total, message=self.job.message)

    def reached(self, done):
        """Note how far a step within one transaction is, whose own writing nobody sees before its end.

        The heartbeat tells it through its own connection; on SQLite, whose writer has the database alone, nobody can.
        """
        self.within = done

    def note(self, sentence):
        """Add a remark to the job's page."""
        if sentence not in self.job.notes:
            self.job.notes = [*self.job.notes, sentence]
            self._write(notes=self.job.notes)

    def result(self, url):
        """Set the page the job's result is on."""
        self.job.result_url = url
        self._write(result_url=url)

    def hold(self):
        """Make sure, inside the transaction that stores the result, that this run still owns the job.

        Holds the job's row until the transaction ends: no other worker can claim it meanwhile. Raises RunLost.
        """
        self._write()

    def _write(self, **facts):
        if not _owned(self.job).update(heartbeat_at=timezone.now(), **facts):
            raise RunLost


def _task(job):
    """The registered task of `job`. Raises KeyError for an unknown name."""
    if job.task not in current_app.tasks:
        current_app.loader.import_default_modules()
    return current_app.tasks[job.task]


def _owned(job):
    return Job.objects.filter(pk=job.pk, run_token=job.run_token, state=JobState.RUNNING)


def _silent(now):
    """No sign of life for too long, or one from a time to come: the clock was set back since, and nobody is at it."""
    patience = timedelta(seconds=settings.JOB_STALE_SECONDS)
    return Q(heartbeat_at__lt=now - patience) | Q(heartbeat_at__gt=now + patience)


def _take(job, condition):
    """Claim `job` by one conditional update, if nobody is at it. Returns whether it is ours now."""
    now = timezone.now()
    free = Q(state=JobState.WAITING) | Q(_silent(now), state=JobState.RUNNING)
    token = uuid.uuid4()
    if not Job.objects.filter(free, condition, pk=job.pk).update(
        state=JobState.RUNNING, run_token=token, heartbeat_at=now, attempts=F("attempts") + 1
    ):
        return False
    job.refresh_from_db()
    return job.run_token == token


def _run(job, work, foreground=False):
    """Claim and run `job`; returns False when there was nothing to claim.

    Where the row itself cannot be written, because the database is away, the job stays as it is: silent, so that it is
    woken again.
    """
    if job is None or not _take(job, Q() if foreground else Q(attempts__lt=ATTEMPTS)):
        return False
    with logs.of_job(job):
        return _work(job, work, foreground)


def _work(job, work, foreground):
    """Do the claimed `job`'s work, and note how it ended."""
    began, run = time.monotonic(), Run(job)
    try:
        with _heartbeat(run):
            work(run)
    except RunLost:
        log.warning("job %s (%s): another worker took over", job.pk, job.task)
    except NotYet as wait:
        _owned(job).update(
            state=JobState.WAITING, run_token=None, heartbeat_at=timezone.now(), attempts=F("attempts") - 1
        )
        if wait.ready():
            return _run(job, work, foreground)
    except JobRefused as refusal:
        _fail(_owned(job), job, str(refusal))
    except CannotOpen as error:
        met = trouble.of(error)
        _fail(_owned(job), job, f"{met.sentence} {met.detail}")
    except Exception as error:
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("job %s (%s), attempt %s: %s\n%s", job.pk, job.task, job.attempts, type(error).__name__, frames)  # noqa: TRY400
        if not connection.in_atomic_block:
            close_old_connections()  # a database that was restarted meanwhile is there again for what follows
        if full_disk.is_full(error):  # where not even this can be written, the job is woken until there is room again
            _fail(_owned(job), job, str(full_disk.SENTENCE))
        elif foreground or job.attempts >= ATTEMPTS:
            _fail(
                _owned(job),
                job,
                _("The work could not be finished because of an error on our side. Please tell the administrator."),
            )
        else:
            _owned(job).update(state=JobState.WAITING, run_token=None, heartbeat_at=timezone.now())
        if foreground:
            raise
    else:
        _owned(job).update(state=JobState.DONE, finished_at=timezone.now(), message="", done=F("total"))
        facts = {"task": job.task, "state": JobState.DONE.value, "ms": round((time.monotonic() - began) * 1000)}
        log.info("job %s (%s) done", job.pk, job.task, extra=facts)
    return True


def _fail(row, job, sentence):
    """End `job` as failed if it is still in the queryset `row`, and tell what it worked on."""
    with transaction.atomic():
        if row.update(state=JobState.FAILED, finished_at=timezone.now(), message=sentence[:500]):
            failed = _task(job).failed
            if failed is not None:
                failed(job, sentence)


@contextmanager
def _heartbeat(run):
    """Give signs of life from a thread of its own while a long step says nothing.

    The thread has its own connection and never waits long for a lock: while our own transaction holds the row (or,
    on SQLite, the database), nobody else can claim the job either.
    """
    ended, job = threading.Event(), run.job
    patience = "PRAGMA busy_timeout = 1000" if connection.vendor == "sqlite" else "SET lock_timeout = '1s'"

    def beat():
        if connection.connection is None:
            with connection.cursor() as cursor:
                cursor.execute(patience)
        told = {} if run.within is None else {"done": run.within}
        return _owned(job).update(heartbeat_at=timezone.now(), **told)

    def live():
        pause, told, silent = max(0.2, settings.JOB_STALE_SECONDS / 4), None, 0.0
        step = min(pause, REACHED_PAUSE)
        try:
            while not ended.wait(step):
                silent += step
                if silent < pause and run.within == told:
                    continue
                silent, told = 0.0, run.within
                try:
                    if not beat():
                        break
                except DatabaseError:
                    close_old_connections()  # locked, or restarted: the next beat counts
        finally:
            connection.close()

    thread = threading.Thread(target=live, name=f"heartbeat of job {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2)

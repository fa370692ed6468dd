"""Jobs: claimed once, run to the end, tried again, taken over, never doubled."""

import signal
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core import jobs, tasks
from core.jobs import JobRefused, NotYet, RunLost, job_task
from core.models import Job, Setting
from tests.workers import broker, wait_for, workers  # noqa: F401

SECRET = "陈堃 210402199003078231"
RAN = []
FAILED = []


@job_task("tests.count")
def count(run):
    RAN.append(run.job.pk)
    for number in range(run.job.total):
        run.progress(number + 1)


@job_task("tests.refuse", failed=lambda job, sentence: FAILED.append((job.pk, sentence)))
def refuse(run):
    RAN.append(run.job.pk)
    raise JobRefused("这份表读不了。")


@job_task("tests.crash", failed=lambda job, sentence: FAILED.append((job.pk, sentence)))
def crash(run):
    RAN.append(run.job.pk)
    raise ValueError(SECRET)


@job_task("tests.not_yet")
def not_yet(run):
    raise NotYet


@job_task("tests.overtaken")
def overtaken(run):
    Job.objects.filter(pk=run.job.pk).update(run_token="00000000-0000-0000-0000-000000000001")
    RAN.append(run.job.pk)
    run.progress(message="still here")
    RAN.append("never")


@pytest.fixture(autouse=True)
def _nothing_ran():
    RAN.clear()
    FAILED.clear()


def make(task, **facts):
    return jobs.start(task, title="试一试", by=None, **facts)


@pytest.mark.django_db
def test_job_runs_to_its_end():
    job = jobs.run_now(make("tests.count", total=3))
    assert (job.state, job.done, job.attempts) == ("done", 3, 1)
    assert job.finished_at is not None


@pytest.mark.django_db
def test_job_delivered_twice_runs_once():
    job = make("tests.count", total=1)
    count(job.pk)
    count(job.pk)
    assert [job.pk] == RAN


@pytest.mark.django_db
def test_job_unknown_to_the_database_is_nothing_to_do():
    count(999_999)
    assert RAN == []


@pytest.mark.django_db
def test_job_refused_ends_with_its_sentence_and_tells_its_subject():
    job = make("tests.refuse")
    refuse(job.pk)
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "这份表读不了。")
    assert [(job.pk, "这份表读不了。")] == FAILED


@pytest.mark.django_db
def test_job_that_crashes_is_tried_three_times_and_logs_no_personal_data(caplog):
    job = make("tests.crash")
    for _attempt in range(5):
        crash(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, len(RAN), len(FAILED)) == ("failed", 3, 3, 1)
    assert "ValueError" in caplog.text
    assert "210402199003078231" not in caplog.text
    assert "陈堃" not in caplog.text


@pytest.mark.django_db
def test_job_that_crashes_in_the_foreground_raises_at_once():
    job = make("tests.crash")
    with pytest.raises(ValueError):
        jobs.run_now(job)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("failed", 1)


@pytest.mark.django_db
def test_job_not_ready_goes_back_to_waiting_without_an_attempt():
    job = make("tests.not_yet")
    for _attempt in range(5):
        not_yet(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.run_token) == ("waiting", 0, None)


@pytest.mark.django_db
def test_run_that_lost_its_row_stops_and_writes_nothing():
    job = make("tests.overtaken")
    overtaken(job.pk)
    assert [job.pk] == RAN
    job.refresh_from_db()
    assert (job.state, job.message) == ("running", "")


@pytest.mark.django_db
def test_hold_refuses_a_run_that_lost_its_row():
    job = make("tests.count")
    assert jobs._take(job, jobs.Q())
    run = jobs.Run(job)
    run.hold()
    Job.objects.filter(pk=job.pk).update(run_token=None)
    with pytest.raises(RunLost):
        run.hold()


@pytest.mark.django_db
def test_running_job_is_taken_over_only_when_silent(settings):
    job = make("tests.count", total=1)
    Job.objects.filter(pk=job.pk).update(state="running", attempts=1, heartbeat_at=timezone.now())
    count(job.pk)
    assert RAN == []
    long_ago = timezone.now() - timedelta(seconds=settings.JOB_STALE_SECONDS + 1)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=long_ago)
    count(job.pk)
    job.refresh_from_db()
    assert (RAN, job.state, job.attempts) == ([job.pk], "done", 2)


@pytest.mark.django_db
def test_notes_are_kept_once_each():
    job = make("tests.count")
    assert jobs._take(job, jobs.Q())
    run = jobs.Run(job)
    run.note("一个字没有字形。")
    run.note("一个字没有字形。")
    job.refresh_from_db()
    assert job.notes == ["一个字没有字形。"]


@pytest.mark.django_db
def test_wake_jobs_ends_a_job_that_used_up_its_attempts(settings):
    long_ago = timezone.now() - timedelta(seconds=settings.JOB_STALE_SECONDS + 1)
    job = make("tests.refuse")
    Job.objects.filter(pk=job.pk).update(state="running", attempts=3, heartbeat_at=long_ago)
    tasks.wake_jobs()
    job.refresh_from_db()
    assert job.state == "failed"
    assert [(job.pk, job.message)] == FAILED


@pytest.mark.django_db(transaction=True)
def test_heartbeat_keeps_a_long_silent_step_alive(settings):
    settings.JOB_STALE_SECONDS = 1
    seen = []

    @job_task("tests.silent")
    def silent(run):
        before = Job.objects.get(pk=run.job.pk).heartbeat_at
        time.sleep(1.2)
        seen.append(Job.objects.get(pk=run.job.pk).heartbeat_at > before)
        count(run.job.pk)  # delivered a second time, in the middle

    job = jobs.run_now(make("tests.silent"))
    assert (seen, job.state, RAN) == ([True], "done", [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's writer has the database alone")
def test_how_far_one_transaction_is_can_be_seen_while_it_runs(monkeypatch):
    monkeypatch.setattr(jobs, "REACHED_PAUSE", 0.1)
    seen = []

    def look():
        seen.append(Job.objects.get().done)
        connection.close()

    @job_task("tests.within")
    def within(run):
        with transaction.atomic():
            Setting.objects.update(label="—")
            run.reached(7)
            time.sleep(0.5)
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            run.result("/")

    job = jobs.run_now(make("tests.within", total=9))
    assert (seen, job.state, job.result_url) == ([7], "done", "/")


@pytest.mark.django_db(transaction=True)
def test_job_claimed_by_many_at_once_is_run_by_one():
    job = make("tests.count", total=1)
    start = threading.Barrier(4)

    def claim():
        start.wait()
        count(job.pk)
        connection.close()

    threads = [threading.Thread(target=claim) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.pk] == RAN


@pytest.mark.django_db(transaction=True)
def test_job_of_a_rolled_back_transaction_never_was():
    with transaction.atomic():
        make("tests.count")
        transaction.set_rollback(True)
    assert Job.objects.count() == 0


# --- A real broker and real workers --------------------------------------------------------------------------------


def any_job():
    """A job that a worker process knows: its task is not one of this module's."""
    return jobs.start("core.tasks.make_paper", title="试一试", by=None)


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_worker_outlives_a_broker_that_goes_and_comes(broker, workers):  # noqa: F811
    broker.stop()
    worker = workers.start()  # before there is a broker
    time.sleep(3)
    broker.start()
    first = any_job()
    wait_for(lambda: Job.objects.get(pk=first.pk).attempts)
    broker.stop()
    time.sleep(3)
    second = any_job()
    assert Job.objects.get(pk=second.pk).heartbeat_at is None  # not delivered
    broker.start()
    tasks.wake_jobs()
    wait_for(lambda: Job.objects.get(pk=second.pk).attempts)
    assert worker.poll() is None


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_broker_that_does_not_answer_holds_nobody_up(broker):  # noqa: F811
    job = any_job()
    broker.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not jobs.wake(job)
        assert time.monotonic() - began < 7  # one socket time-out
        began = time.monotonic()
        for _time in range(20):
            assert not jobs.wake(job)
        assert time.monotonic() - began < 0.1
    finally:
        broker.process.send_signal(signal.SIGCONT)

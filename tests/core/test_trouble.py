"""Trouble around the portal: one clear sentence, nothing typed lost, and all as before when it is over."""

import errno
import html
import logging
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import psycopg
import pytest
import time_machine
from allauth.mfa.totp.internal import auth as totp
from celery.schedules import schedule
from django.core import checks
from django.core.cache import caches
from django.db import OperationalError, close_old_connections, connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from config.celery import app
from config.timetable import SteadyScheduler
from core import audit, drafts, exports, full_disk, jobs, papers, tasks, trouble
from core.jobs import job_task
from core.models import AuditEvent, AuditSeal, Job, Paper
from core.models.job import JobState
from core.models.paper import PaperState
from core.secrets import CannotOpen
from core.views import errors
from members.models import Membership
from tests import cast
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member
from tests.workers import broker, database_url, wait_for, workers  # noqa: F401
from unions.models import Appointment

NOON = datetime(2026, 5, 6, 4, 0, tzinfo=UTC)  # in Shanghai, a Wednesday
TYPED = {"name": "钱芳", "id_number": QIAN, "joined_on": "2024-03-05"}


def patient(client):
    """A client that shows the page of a fault as a browser does."""
    client.raise_request_exception = False
    return client


def enrol(client, tree):
    """Send the enrol form as a browser does."""
    fields = urlencode({**TYPED, "union": tree.enterprise.code})
    return client.post(reverse("member_add"), fields, content_type="application/x-www-form-urlencoded")


# --- The database ------------------------------------------------------------------------------------------------


@contextmanager
def database_in_trouble():
    """PostgreSQL has ended our session; SQLite is being written by somebody who does not come to an end."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        with psycopg.connect(database_url(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        yield
        close_old_connections()  # as each request begins; the test's client leaves it out
        return
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    yield
    other.close()


@pytest.mark.django_db(transaction=True)
def test_what_was_typed_while_the_database_was_away_is_sent_again_from_the_page(tree, enterprise, client_of):
    client = patient(client_of(enterprise))
    client.get(reverse("desk"))
    with database_in_trouble():
        response = enrol(client, tree)
    assert response.status_code == 503
    assert response["Retry-After"]
    page = response.content.decode()
    expected = trouble.DATABASE_AWAY if connection.vendor == "postgresql" else trouble.DATABASE_BUSY
    assert html.escape(str(expected.sentence)) in page
    assert f'action="{reverse("member_add")}"' in page
    assert all(f'name="{name}" value="{value}"' in page for name, value in TYPED.items())
    assert not Membership.objects.exists()
    assert enrol(client, tree).status_code == 302
    assert Membership.objects.get().person.name == "钱芳"


def test_a_form_in_another_encoding_gets_the_page_of_the_trouble_too():
    form = "application/x-www-form-urlencoded; charset=gbk"
    request = RequestFactory().post(reverse("member_add"), "name=%c7%ae", content_type=form)
    try:
        raise OperationalError
    except OperationalError:
        page = errors.server_error(request)
    assert page.status_code == 503
    assert "<form" not in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_no_password_is_repeated_on_a_page(tree, enterprise):
    client = patient(Client())
    client.get(reverse("account_login"))
    login = urlencode({"login": "enterprise", "password": cast.PASSWORD})
    with database_in_trouble():
        response = client.post(reverse("account_login"), login, content_type="application/x-www-form-urlencoded")
    assert response.status_code in (503, 429)  # 429: SQLite's table of attempts cannot be written either
    assert cast.PASSWORD not in response.content.decode()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("57P01", trouble.DATABASE_AWAY), ("08006", trouble.DATABASE_AWAY), ("53300", trouble.DATABASE_AWAY),
        (None, trouble.DATABASE_AWAY), ("40P01", trouble.DATABASE_BUSY), ("53100", trouble.DISK_IS_FULL),
        ("25P02", None),
    ],
)  # fmt: skip
def test_what_postgresql_says_is_told_apart(state, expected):
    cause = psycopg.OperationalError()
    cause.sqlstate = state
    error = OperationalError()
    error.__cause__ = cause
    assert trouble.of(error) is expected


def test_a_fault_of_ours_is_no_trouble_and_trouble_is_found_beneath_it():
    assert trouble.of(KeyError("x")) is None
    assert trouble.of(None) is None
    outer = KeyError("x")
    outer.__cause__ = OSError(errno.ENOSPC, "full")
    assert trouble.of(outer) is trouble.DISK_IS_FULL


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_session_was_ended_works_on(broker, workers):  # noqa: F811
    """PostgreSQL restarted: the worker's connection is gone, and its next task connects anew."""
    if connection.vendor == "sqlite":
        return  # there is no session to end
    workers.start()
    first = jobs.start("core.tasks.make_paper", title="试一试", by=None)
    wait_for(lambda: Job.objects.get(pk=first.pk).attempts)
    with psycopg.connect(database_url(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid NOT IN (pg_backend_pid(), %s)",
            [connection.connection.info.backend_pid],
        )
    second = jobs.start("core.tasks.make_paper", title="试一试", by=None)
    wait_for(lambda: Job.objects.get(pk=second.pk).attempts)


# --- A full disk ---------------------------------------------------------------------------------------------------


@job_task("tests.fill_the_disk")
def fill_the_disk(run):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.django_db
def test_a_job_that_meets_a_full_disk_ends_at_once_with_the_sentence(tree):
    job = jobs.start("tests.fill_the_disk", title="试一试", by=None)
    fill_the_disk(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.message) == (JobState.FAILED, 1, str(full_disk.SENTENCE))


# --- A key missing from the ring -----------------------------------------------------------------------------------


@pytest.fixture
def keyless(tree, enterprise, settings):
    """A member with everything sealed under t1, and a ring that no longer holds it."""
    Appointment.objects.create(user=enterprise, union=tree.enterprise, role="union_chair", valid_from="2020-01-01")
    zhao = member(tree.enterprise, phone=PHONE, residence=RESIDENCE)
    drafts.keep(enterprise, reverse("member_add"), {"name": ["孙立"]})
    settings.FIELD_KEYS = "k9:dGVzdHM6IGEga2V5IG9mIGFub3RoZXIgcmluZywgMzI="
    return zhao


@pytest.mark.django_db
def test_pages_that_open_nothing_work_without_the_key(keyless, enterprise, client_of):
    client = client_of(enterprise)
    for page in ("member_list", "desk", "member_add"):
        assert client.get(reverse(page)).status_code == 200
    for page in ("member_page", "member_edit"):
        assert client.get(reverse(page, args=[keyless.pk])).status_code == 200


@pytest.mark.django_db
def test_a_page_that_opens_a_number_names_the_missing_key_and_no_number(keyless, enterprise, client_of):
    response = patient(client_of(enterprise)).post(reverse("member_reveal", args=[keyless.pk]), {"reason": "核对"})
    page = response.content.decode()
    assert response.status_code == 503
    assert "<code>t1</code>" in page
    assert html.escape(str(trouble.KEY_IS_MISSING.sentence)) in page
    assert ZHAO not in page
    assert PHONE not in page


@pytest.mark.django_db
def test_an_export_of_masks_and_a_roll_need_no_key_and_one_in_clear_says_which(keyless, enterprise):
    for clear, state in ((False, JobState.DONE), (True, JobState.FAILED)):
        export = exports.ask("members", by=enterprise, query="", purpose="年度统计", clear=clear)
        jobs.step_now(export.job)
        assert export.job.state == state
    assert "t1" in export.job.message
    paper = papers.make_now(papers.ask("roll", union=keyless.union, by=enterprise))
    assert paper.state == PaperState.VALID


@pytest.mark.django_db
def test_migrate_names_the_missing_key(keyless):
    found = [each for each in checks.run_checks(databases=["default"]) if each.id == "core.W002"]
    assert len(found) == 1
    assert "t1" in found[0].msg
    assert not [each for each in checks.run_checks() if each.id == "core.W002"]


def test_altered_text_is_told_apart_from_a_missing_key():
    assert trouble.of(CannotOpen("x", place="members.Person.phone")).status == 500
    assert trouble.of(CannotOpen("x", key_id="t1")).status == 503


# --- A clock that was set back -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_job_with_a_sign_of_life_to_come_is_taken_over(settings):
    job = jobs.start("core.tasks.wake_jobs", title="试一试", by=None)
    ahead = timezone.now() + timedelta(hours=1)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempts=1, heartbeat_at=ahead)
    assert jobs._take(job, jobs.Q())
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=1))
    assert not jobs._take(job, jobs.Q())  # two hosts are never quite of one time


@pytest.mark.django_db
def test_a_waiting_job_sent_in_a_time_to_come_is_sent_again(settings):
    job = jobs.start("core.tasks.wake_jobs", title="试一试", by=None)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() + timedelta(hours=1))
    tasks.wake_jobs()
    job.refresh_from_db()
    assert job.heartbeat_at < timezone.now() + timedelta(minutes=1)


@pytest.mark.django_db
def test_seals_go_on_and_the_log_says_that_the_clock_runs_behind(city, caplog):
    with time_machine.travel(NOON, tick=False) as clock:
        audit.record("core.sign_in", city, by=city)
        assert audit.seal(timezone.now())
        clock.shift(-timedelta(hours=1))
        audit.record("core.sign_in", city, by=city)
        with caplog.at_level(logging.WARNING, logger="core.audit"):
            assert audit.seal(timezone.now())
    assert "The clock runs 1:00:00 behind" in caplog.text
    assert AuditSeal.objects.count() == 2
    assert audit.verify().faults == []


@pytest.mark.django_db
def test_papers_of_a_clock_set_back_over_new_year_get_numbers_of_their_own(tree, enterprise):
    member(tree.enterprise)
    numbers = []
    with time_machine.travel(datetime(2025, 12, 31, 16, 30, tzinfo=UTC)) as clock:  # half past midnight in Shanghai
        for step in (timedelta(0), -timedelta(hours=1), timedelta(hours=1)):
            clock.shift(step)
            numbers.append(papers.make_now(papers.ask("roll", union=tree.enterprise, by=enterprise)).number)
    assert len(set(numbers)) == 3
    assert [number[-5:] for number in numbers] == ["0001号", "0001号", "0002号"]
    assert Paper.objects.filter(state=PaperState.VALID).count() == 3


@pytest.mark.django_db
def test_a_session_of_a_time_to_come_lives_on_and_no_longer_than_others(city, client_of, settings):
    with time_machine.travel(NOON, tick=False) as clock:
        client = client_of(city)
        client.get(reverse("desk"))
        clock.shift(-timedelta(hours=2))
        assert client.get(reverse("desk")).status_code == 200
        clock.shift(timedelta(seconds=settings.SESSION_IDLE_SECONDS + 1))
        assert client.get(reverse("desk")).status_code == 302


@pytest.mark.django_db
def test_a_code_is_taken_once_also_after_the_clock_was_set_back(city):
    with time_machine.travel(NOON, tick=False) as clock:
        assert totp.cache.add("code", "y", timeout=30)
        clock.shift(timedelta(seconds=20))
        clock.shift(-timedelta(hours=1))
        caches["default"].clear()
        assert not totp.cache.add("code", "y", timeout=30)


class Listener(SteadyScheduler):
    """The timetable with what it would send written down instead."""

    def apply_entry(self, entry, producer=None):
        self.sent.append(entry.name)


def timetable(place):
    """A timetable of two entries a minute, kept at `place`."""
    entries = {name: {"task": name, "schedule": schedule(60.0, app=app)} for name in ("seal", "wake")}
    listener = Listener(app=app, schedule_filename=str(place), lazy=True)
    listener.sent = []
    listener.setup_schedule()
    listener.schedule.clear()
    listener.merge_inplace(entries)
    return listener


def run_for(listener, clock, minutes):
    """Let the time pass in steps of ten seconds, and return what was sent."""
    listener.sent.clear()
    for _step in range(minutes * 6):
        clock.shift(timedelta(seconds=10))
        while listener.tick() == 0:
            pass
    return sorted(listener.sent)


def test_the_timetable_goes_on_after_the_clock_was_set_back(tmp_path):
    with time_machine.travel(NOON, tick=False) as clock:
        listener = timetable(tmp_path / "beat")
        assert run_for(listener, clock, 3) == ["seal"] * 3 + ["wake"] * 3
        clock.shift(-timedelta(hours=1))
        assert run_for(listener, clock, 4) == ["seal"] * 3 + ["wake"] * 3  # the first look at the clock is their start
        clock.shift(timedelta(hours=1))
        assert set(run_for(listener, clock, 1)) == {"seal", "wake"}
        listener.close()


# --- Redis emptied -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_nobody_is_signed_out_when_redis_is_emptied_and_a_lock_out_holds(city, client_of):
    client, stranger = client_of(city), Client()
    client.get(reverse("desk"))
    login = {"login": "city", "password": "wrong"}
    for _time in range(5):
        stranger.post(reverse("account_login"), login)
    caches["default"].clear()
    assert client.get(reverse("desk")).status_code == 200
    stranger.post(reverse("account_login"), {**login, "password": cast.PASSWORD})
    assert "_auth_user_id" not in stranger.session


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_jobs_lost_from_redis_are_sent_again_and_done_once(tree, enterprise, settings, broker, workers):  # noqa: F811
    settings.JOB_STALE_SECONDS = 1
    member(tree.enterprise)
    paper = papers.ask("roll", union=tree.enterprise, by=enterprise)
    with broker.client() as client:
        client.flushall()
    workers.start()

    def finished():
        tasks.wake_jobs()  # each minute by the timetable
        return not Job.objects.unfinished().exists()

    wait_for(finished)
    paper.refresh_from_db()
    assert paper.state == PaperState.VALID
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1

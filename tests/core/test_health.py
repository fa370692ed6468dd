"""Health: every check says what it should, in bounded time, also while a database or a broker is away or hangs."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as portal_settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.celery import app
from core import audit, backup, health, secrets, tasks
from core.models import AuditEvent, CalendarYear, HealthPeriod, Job, Pulse, Setting
from core.models.health import HealthState
from tests.members.people import member
from tests.workers import broker, database_url, wait_for, workers  # noqa: F401 fixtures

pytestmark = pytest.mark.django_db(transaction=True)
READY = "/health/ready"
HERE = {"REMOTE_ADDR": "127.0.0.1"}
AWAY = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch):
    monkeypatch.setattr(health, "KEPT_FOR", 0.0)


@pytest.fixture
def alive():
    """Timetable and worker have just given signs of life, and there is a fresh backup."""
    now = timezone.now()
    Pulse.objects.bulk_create([Pulse(part="beat", at=now), Pulse(part="worker", at=now)])
    audit.record(backup.MADE, None, by=None)


def said(name, findings=None):
    [finding] = [each for each in findings or health.look() if each.check == name]
    return finding.state.value, finding.key


@contextlib.contextmanager
def silent_server():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads, kept = [], []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        threads.append(threading.Thread(target=take, daemon=True))
        threads[0].start()
        yield server.getsockname()[1]
        for each in kept:
            each.close()


# --- What is said ----------------------------------------------------------------------------------------------------


def test_all_is_well_when_all_is(alive):
    assert {each.check: each.state for each in health.look() if each.state != HealthState.OK} == {
        "all_keys": "unknown", "mail": "unknown",
    }  # fmt: skip
    answer = Client().get(READY, **AWAY)
    assert answer.status_code == 200
    assert answer.json()["state"] == "ok"


def test_live_asks_nothing(django_assert_num_queries, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with django_assert_num_queries(0):
        answer = Client().get("/health/live", headers={"host": "10.0.0.9:8000"})
    assert (answer.status_code, answer.json()) == (200, {"state": "ok"})
    assert Client().post("/health/live").status_code == 405


def test_ready_names_what_does_not_work(alive, broker, caplog):  # noqa: F811
    broker.stop()
    portal_settings_url, portal_settings.REDIS_URL = portal_settings.REDIS_URL, broker.url
    try:
        began = time.monotonic()
        answer = Client().get(READY, headers={"host": "10.0.0.9"}, **AWAY)
        took = time.monotonic() - began
    finally:
        portal_settings.REDIS_URL = portal_settings_url
    assert (answer.status_code, answer.json()["state"]) == (503, "fail")
    assert answer.json()["checks"]["broker"] == {"state": "fail", "key": "away"}
    assert answer.json()["checks"]["database"] == {"state": "ok", "key": "ok"}
    assert took < health.PATIENCE + 1
    assert [record for record in caplog.records if record.name == "django.request"] == []


def test_figures_are_for_this_machine_and_for_the_token(alive, settings):
    settings.HEALTH_TOKEN = "a-long-token"

    def detailed(**sent):
        return "free_mb" in Client().get(READY, **sent).json()["checks"]["disk"]

    assert detailed(**HERE)
    assert not detailed(**AWAY)
    assert not detailed(**HERE, headers={"x-forwarded-for": "192.0.2.7"})
    assert not detailed(**AWAY, headers={"authorization": "Bearer another"})
    assert detailed(**AWAY, headers={"authorization": "Bearer a-long-token"})
    settings.HEALTH_TOKEN = ""
    assert not detailed(**AWAY, headers={"authorization": "Bearer "})


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"])
def test_whoever_comes_through_a_proxy_of_this_machine_is_no_insider(alive, header):
    assert "free_mb" in Client().get(READY, **HERE).json()["checks"]["disk"]
    assert "free_mb" not in Client().get(READY, headers={header: "192.0.2.7"}, **HERE).json()["checks"]["disk"]


def test_silence_is_told_apart(alive):
    assert (said("beat"), said("worker")) == (("ok", "ok"), ("ok", "ok"))
    long_ago = timezone.now() - timedelta(minutes=6)
    Pulse.objects.filter(part="worker").update(at=long_ago)
    assert said("worker") == ("fail", "silent")
    Pulse.objects.filter(part="beat").update(at=long_ago)
    assert (said("beat"), said("worker")) == (("fail", "silent"), ("unknown", "beat"))
    Setting.objects.filter(key="health_beat_minutes").update(value="60")
    assert said("beat") == ("ok", "ok")


def test_late_seals_waiting_jobs_and_old_backups_are_noticed(alive, tree):
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert said("seals") == ("fail", "late")
        audit.seal(timezone.now())
        assert said("seals") == ("ok", "ok")
    Job.objects.create(task="core.tasks.make_export", title="—")
    assert said("jobs") == ("ok", "ok")
    with time_machine.travel(timezone.now() + timedelta(hours=37)):
        assert said("jobs") == ("warn", "waiting")
        assert said("backup") == ("warn", "old")


def test_without_a_backup_that_is_said(db):
    assert said("backup") == ("warn", "never")


def test_the_calendar_is_wanted_a_month_ahead(alive):
    CalendarYear.objects.filter(year=2027).delete()
    with time_machine.travel(date(2026, 11, 20)):
        assert said("calendar") == ("ok", "ok")
    with time_machine.travel(date(2026, 12, 5)):
        assert said("calendar") == ("warn", "year_missing")


def test_a_missing_key_is_noticed_at_once_and_in_any_row_at_night(tree, settings, monkeypatch):
    member(tree.enterprise)
    assert said("keys") == ("ok", "ok")
    settings.FIELD_KEYS = "k9:dGVzdHM6IGEga2V5IG9mIGFub3RoZXIgcmluZywgMzI="
    assert said("keys") == ("fail", "missing")
    tasks.look_at_all_keys()
    assert said("all_keys") == ("fail", "missing")
    settings.FIELD_KEYS = "t1:dGVzdHM6IGEga2V5IG9mIGFub3RoZXIgcmluZywgMzI="
    assert said("keys") == ("fail", "altered")


def test_missing_migrations_are_named(alive, monkeypatch):
    monkeypatch.setattr(health, "_shipped_migrations", lambda: {("core", "0999_to_come")})
    assert said("migrations") == ("fail", "missing")


def test_a_full_disk_and_a_folder_nobody_may_write_to(alive, settings, tmp_path, monkeypatch):
    Setting.objects.filter(key="health_disk_free_mb").update(value="9999999")
    assert said("disk") == ("fail", "full")
    monkeypatch.setattr(os, "access", lambda *asked: False)
    assert said("disk") == ("fail", "read_only")


def test_every_sentence_has_its_place_in_the_handbook():
    text = (portal_settings.BASE_DIR / "docs" / "operate.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+)\. ", text, re.MULTILINE))
    assert {check.section for check in health.CHECKS.values()} <= sections


# --- Hanging and away ------------------------------------------------------------------------------------------------


def test_a_broker_that_hangs_holds_nobody_up(alive, settings):
    with silent_server() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        began = time.monotonic()
        findings = health.look()
        assert said("broker", findings) == ("fail", "away")
        assert time.monotonic() - began < health.PATIENCE + 1


def test_a_question_that_hangs_is_not_put_twice(alive, monkeypatch):
    asked, free = [], threading.Event()

    def hang(facts):
        asked.append(1)
        free.wait(20)

    monkeypatch.setattr(health, "_ask_database", hang)
    try:
        for _look in range(3):
            findings = health.look(patience=0.2)
            assert said("database", findings) == ("fail", "no_answer")
            assert said("seals", findings) == ("unknown", "unknown")
            assert said("broker", findings) == ("ok", "ok")
    finally:
        free.set()
    assert asked == [1]
    wait_for(lambda: not health._Asked._hanging["database"].is_alive(), patience=5)


def run(*command, **environ):
    """Run `manage.py` in a process of its own and return (exit code, output, seconds)."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "manage.py", *command], env=os.environ | environ, capture_output=True, text=True, check=False,
        cwd=portal_settings.BASE_DIR, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


@pytest.mark.once
def test_the_command_says_so_when_the_database_is_away_or_hangs():
    with silent_server() as port:
        code, text, seconds = run("health", DATABASE_URL=f"postgres://portal:secret@127.0.0.1:{port}/portal")
    assert code == 1
    assert re.search(r"FAIL +database .* no_answer", text)
    assert seconds < 30
    code, text, seconds = run("health", DATABASE_URL="postgres://portal:secret@127.0.0.1:1/portal")
    assert code == 1
    assert re.search(r"FAIL +database .* away", text)
    assert re.search(r"UNKNOWN +seals", text)
    assert "secret" not in text


def test_the_command_ends_well_when_all_is_well(alive, capsys):
    call_command("health")
    assert re.search(r"^OK +database", capsys.readouterr().out, re.MULTILINE)
    AuditEvent.objects.none()
    with time_machine.travel(timezone.now() + timedelta(hours=37)):
        Pulse.objects.update(at=timezone.now())
        audit.seal(timezone.now())
        call_command("health")
        with pytest.raises(CommandError):
            call_command("health", strict=True)


# --- What the worker notes -------------------------------------------------------------------------------------------


def test_it_is_noted_since_when_a_check_says_something(alive, settings):
    start = timezone.now()
    good = settings.REDIS_URL
    for minute, url in ((0, good), (1, "redis://127.0.0.1:1/0"), (2, "redis://127.0.0.1:1/0"), (3, good)):
        settings.REDIS_URL = url
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            health.note(timezone.now())
    periods = HealthPeriod.objects.filter(check_name="broker").order_by("id")
    minutes = [round((each.began_at - start).total_seconds() / 60) for each in periods]
    assert [(each.state, minute) for each, minute in zip(periods, minutes, strict=True)] == [
        ("ok", 0), ("fail", 1), ("ok", 3),
    ]  # fmt: skip
    assert HealthPeriod.objects.filter(ended_at__isnull=True, check_name="broker").count() == 1


def test_a_silence_of_the_worker_is_written_down_when_it_is_over(alive):
    start = timezone.now()
    for minute in (0, 1, 20):
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            health.note(timezone.now())
    silence = HealthPeriod.objects.get(check_name="worker", state="fail")
    assert round((silence.ended_at - silence.began_at).total_seconds() / 60) == 19


def test_the_mail_server_is_asked_now_and_then(alive, settings):
    health.note(timezone.now())
    assert said("mail") == ("ok", "off")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    health.note(timezone.now())
    assert said("mail") == ("ok", "off")
    health.note(timezone.now() + timedelta(minutes=11))
    assert said("mail") == ("warn", "away")


@pytest.mark.worker
def test_what_the_timetable_sends_and_a_worker_takes_are_signs_of_life(tree, workers):  # noqa: F811
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} >= {health.BEAT_TASK}
    tasks.note_health.apply_async()
    assert said("beat") == ("ok", "ok")
    assert said("worker") == ("fail", "silent")
    workers.start()
    wait_for(lambda: Pulse.objects.filter(part="worker").exists())
    assert said("worker") == ("ok", "ok")


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_what_to_do_and_what_was(alive, sysadmin, client_of, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    health.note(timezone.now())
    page = client_of(sysadmin).get(reverse("health_page"))
    rows = {row["name"]: row for row in page.context["rows"]}
    assert (rows["broker"]["badge"], rows["broker"]["since"] is not None) == ("late", True)
    assert str(health.CHECKS["broker"].sentences["away"]) in page.content.decode()
    assert [row["label"] for row in page.context["past"]]
    assert set(rows) == set(health.CHECKS)


def test_answers_hold_no_version_no_address_and_nobody(alive, tree):
    membership = member(tree.enterprise)
    text = Client().get(READY, **AWAY).content.decode()
    for secret in (membership.person.name, "django", "5.2", str(Path.cwd()), "redis://", secrets.first_key()):
        assert secret not in text.lower()

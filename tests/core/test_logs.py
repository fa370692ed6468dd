"""Log lines: request and job on each, nothing of a person in any, whatever goes through web, worker or beat."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import time
from logging.config import dictConfig

import pytest
from celery import current_app
from celery.app.trace import build_tracer
from django.conf import settings as portal_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from core import imports, jobs, logs, tasks
from core.models import AuditEvent, Job
from members.models import Membership
from tests.members.people import PHONE, RESIDENCE, ZHAO, member, number
from tests.members.registers import row, write
from tests.workers import broker, database_url, wait_for, workers  # noqa: F401 fixtures

NAME = "欧阳䶮䶮"
SECRETS = [ZHAO, PHONE, RESIDENCE, NAME, number(7), "ouyang"]


class Log:
    """What the portal writes, in the form of production, down to the finest level."""

    def __init__(self):
        self.stream = io.StringIO()

    @property
    def text(self):
        return self.stream.getvalue()

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, logger):
        return [line for line in self.lines if line["logger"] == logger]


@pytest.fixture
def log():
    current_app.loader.import_default_modules()  # sets Django's logging up once more
    log, root = Log(), logging.getLogger()
    handler = logging.StreamHandler(log.stream)
    handler.setFormatter(logs.JsonLine())
    handler.addFilter(logs.Context())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield log
    root.removeHandler(handler)
    root.setLevel(level)


def spilled(text):
    return [secret for secret in SECRETS if secret in text]


# --- Lines of requests -----------------------------------------------------------------------------------------------


def test_a_request_is_one_line_with_its_route_user_and_time(client, tree, city, log):
    membership = member(tree.enterprise)
    client.force_login(city)
    answer = client.get(reverse("member_page", args=[membership.pk]), {"q": ZHAO})
    [line] = log.of("core.access")
    assert line["request"] == answer["X-Request-ID"]
    assert {name: line[name] for name in ("method", "path", "status", "user", "level")} == {
        "method": "GET", "path": f"/members/{membership.pk}/", "status": 200, "user": city.pk, "level": "INFO",
    }  # fmt: skip
    assert 0 <= line["ms"] < 60_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", line["time"])


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (f"/no/{ZHAO}/", "(no page)"),
        (f"/members/{PHONE}/", "/members/<membership_pk>/"),
        (f"/p/{ZHAO}/", "/p/<token>/"),
        ("/imports/new/members/", "/imports/new/<kind>/"),
        (f"/admin/core/job/{ZHAO}/change/", "/admin/core/job/<object_id>/change/"),
    ],
)
def test_what_is_typed_into_an_address_is_not_written(root, client_of, log, path, written):
    client_of(root).get(path)
    assert [line["path"] for line in log.of("core.access")] == [written]
    assert spilled(log.text) == []


def test_static_files_write_no_line(client, db, log):
    client.get("/static/css/portal.css")
    assert log.of("core.access") == []


def test_a_fault_names_its_places_and_none_of_its_words(db, log, monkeypatch):
    def fail(view, **kwargs):
        try:
            int(ZHAO + "y")
        except ValueError as error:
            raise RuntimeError(f"{NAME} {ZHAO}") from error

    monkeypatch.setattr("allauth.account.views.LoginView.get_context_data", fail)
    answer = Client(raise_request_exception=False).get(f"/accounts/login/?q={ZHAO}")
    assert answer.status_code == 500
    [line] = log.of("django.request")
    assert line["request"] == answer["X-Request-ID"]
    assert answer["X-Request-ID"] in answer.content.decode()
    assert [each for each in line["trace"] if not re.search(r":\d+ ", each)] == [
        "builtins.RuntimeError",
        "builtins.ValueError",
    ]
    assert any(each.startswith("tests/core/test_logs.py:") for each in line["trace"])
    assert spilled(log.text) == []
    assert ZHAO not in answer.content.decode()


def test_a_database_error_is_written_without_its_values(tree, log):
    person = member(tree.enterprise).person
    with pytest.raises(IntegrityError) as caught:
        type(person).objects.create(
            name=NAME, id_number=ZHAO, id_masked="2104**********0017", sex="M", born_on=person.born_on
        )
    logging.getLogger("core").error("not stored: %s", caught.value, exc_info=caught.value)
    [line] = log.of("core")
    assert line["message"] == "not stored: IntegrityError"
    assert spilled(log.text) == []


def test_the_last_net_catches_numbers(log):
    logging.getLogger("core").warning("%s and %s", ZHAO, PHONE)
    assert [line["message"] for line in log.of("core")] == ["[…] and […]"]


def test_nobody_writes_a_line_of_their_own_into_the_log():
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s", ("a\nforged \x1b[2J\x9b\u2028b",), None)
    for form in (logs.Line(), logs.JsonLine()):
        text = form.format(record)
        assert len(text.splitlines()) == 1
        assert not set(text) & {"\x1b", "\x9b", "\u2028"}


def test_the_text_form_says_the_same(log):
    record = logging.makeLogRecord({"msg": "done", "levelname": "INFO", "name": "core.jobs", "job_id": 7, "ms": 5})
    assert logs.Line().format(record).endswith("INFO core.jobs [- job 7] done 5 ms")


def test_all_loggers_go_to_one_handler_in_the_chosen_form():
    before = logging.getLogger().handlers[:]
    try:
        dictConfig(portal_settings.LOGGING)
        assert logging.getLogger("django").handlers == []
        assert not logging.getLogger("django.db.backends").isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger().handlers[:] = before


# --- Whole ways through the portal -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_person_is_logged_by_pages_imports_searches_and_failures(tree, root, client_of, log, tmp_path):
    client = client_of(root)
    facts = {
        "union": tree.enterprise.code, "name": NAME, "id_number": ZHAO, "phone": PHONE, "residence": RESIDENCE,
        "joined_on": "2020-05-01",
    }  # fmt: skip
    client.post(reverse("member_add"), facts)
    membership = Membership.objects.get()
    client.post(reverse("member_add"), facts | {"id_number": ZHAO[:-1] + "9"})  # a wrong check digit
    client.post(reverse("member_reveal", args=[membership.pk]), {"reason": "核对"})
    client.get(reverse("search"), {"q": NAME})
    client.get(reverse("search"), {"q": ZHAO})
    client.get(reverse("member_list"), {"q": NAME, "phone": PHONE})
    client.post(reverse("draft_save"), {"form": reverse("member_add"), "name": NAME})
    client.post(reverse("account_login"), {"login": NAME, "password": ZHAO})
    Client(enforce_csrf_checks=True).post(reverse("account_login"), {"login": ZHAO})
    Client().get("/", headers={"host": f"{NAME}.example"})
    path = write(tmp_path, [row(NAME, number(7), phone=PHONE), row(NAME, "21040019850307", phone="138")])
    upload = SimpleUploadedFile(f"{NAME}.csv", path.read_bytes())
    client.post(reverse("import_new", args=["members"]), {"file": upload})
    for job in Job.objects.order_by("pk"):
        jobs.run_now(job)
    batch = imports.ImportBatch.objects.get()
    client.post(reverse("import_commit", args=[batch.pk]))
    for job in Job.objects.unfinished():
        jobs.run_now(job)
    assert Membership.objects.count() == 2
    assert len(log.of("core.access")) >= 11
    assert spilled(log.text) == []


@pytest.mark.django_db(transaction=True)
def test_the_request_is_named_by_its_event_its_job_and_the_lines_of_both(tree, city, client_of, log):
    member(tree.enterprise)
    answer = client_of(city).post(reverse("paper_ask", args=["roll"]), {"union": tree.enterprise.pk})
    asked = answer["X-Request-ID"]
    job = Job.objects.order_by("pk").first()
    assert job.request_id == asked
    jobs.step_now(job)
    slice_ = Job.objects.order_by("pk").last()
    assert slice_.request_id == asked  # asked for within the job
    jobs.run_now(slice_)
    jobs.run_now(job)
    lines = [(line["request"], line["job"]) for line in log.of("core.jobs")]
    assert lines == [(asked, slice_.pk), (asked, job.pk)]
    assert set(AuditEvent.objects.filter(verb="core.issue_paper").values_list("request_id", flat=True)) == {asked}


@jobs.job_task("tests.fail_with_a_name")
def fail_with_a_name(run):
    raise ValueError(f"{NAME} {ZHAO}")


def test_a_failing_task_says_where_and_not_what(db, log):
    job = jobs.start("tests.fail_with_a_name", title="—", by=None)
    fail_with_a_name(job.pk)
    assert spilled(log.text) == []
    assert "ValueError" in log.text
    bare = tasks.seal_audit
    tracer = build_tracer(bare.name, type("Bare", (bare.__class__,), {"run": lambda self: int(NAME)})(), app=bare.app)
    tracer("a-task-id", (), {}, request={"id": "a-task-id", "task": bare.name})
    assert spilled(log.text) == []


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_a_real_worker_writes_json_and_nothing_of_a_person(tree, city, workers, log, monkeypatch):  # noqa: F811
    monkeypatch.setenv("LOG_FORMAT", "json")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    member(tree.enterprise, NAME, phone=PHONE)
    process = workers.start()
    job = jobs.start("core.tasks.make_paper", title="—", by=city, params={"paper": 0})
    tasks.seal_audit.delay()
    wait_for(lambda: "core.tasks.seal_audit SUCCESS" in process.log.read_text())
    wait_for(lambda: f"job {job.pk} (" in process.log.read_text())
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    assert any(line["job"] == job.pk for line in lines)
    assert spilled(process.log.read_text()) == []


def test_gunicorn_tells_of_a_broken_request_without_its_address(db, tmp_path):
    """What reaches Gunicorn itself: an error below Django's own handling."""
    (tmp_path / "broken.py").write_text(
        "def application(environ, start):\n    raise ValueError(environ['QUERY_STRING'])\n"
    )
    environ = os.environ | {"LOG_FORMAT": "json", "DATABASE_URL": database_url(), "PYTHONPATH": f"{tmp_path}:."}
    log_file = (tmp_path / "web.log").open("w+")
    command = [sys.executable, "-m", "gunicorn", "broken:application", "--bind", f"unix:{tmp_path}/web.sock",
               "--no-control-socket", "--logger-class", "config.gunicorn.Logger"]  # fmt: skip
    process = subprocess.Popen(command, env=environ, stdout=log_file, stderr=log_file)
    try:
        wait_for(lambda: (tmp_path / "web.sock").exists(), patience=20)
        ask = ["curl", "--silent", "--unix-socket", str(tmp_path / "web.sock"), f"http://web/{ZHAO}?q={PHONE}"]
        subprocess.run(ask, check=False, capture_output=True)
        end = time.monotonic() + 10
        while "builtins.ValueError" not in (text := (tmp_path / "web.log").read_text()) and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait()
    assert "builtins.ValueError" in text
    assert spilled(text) == []
    assert all(line.startswith("{") for line in text.splitlines())


def test_sql_is_never_written(tree, log, settings):
    settings.DEBUG = True
    connection.force_debug_cursor = True
    try:
        member(tree.enterprise, NAME, phone=PHONE)
    finally:
        connection.force_debug_cursor = False
    assert log.of("django.db.backends") == []

"""A disk that is full in the middle of an import: one sentence, nothing half stored, and it goes on when there is room.

Files lie on a file system of their own that is really full. The database says so by itself: SQLite at the most pages it
may have, PostgreSQL by the error it raises then.
"""

import gc
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.urls import reverse

from core import full_disk, imports, jobs
from core.models import AuditEvent, ImportBatch, Job
from core.models.imports import BatchState
from core.models.job import JobState
from members.models import Membership, NameSuffix, Person, StagedMember
from tests.members import registers
from tests.members.people import number
from tests.trouble.test_full_disk_paper import disk, full  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 1000
SENTENCE = str(full_disk.SENTENCE)


@pytest.fixture
def register(tmp_path, tree):
    rows = [registers.row(f"张{chr(0x4E00 + each)}", number(each, born="19800101")) for each in range(ROWS)]
    return registers.write(tmp_path, rows).read_bytes()


@pytest.fixture
def batch(register, enterprise):
    """An upload that waits to be read."""
    return imports.receive("members", ContentFile(register, "名册.csv"), by=enterprise)


@pytest.fixture
def looked_at(batch):
    """The same, read."""
    jobs.run_now(batch.job)
    return ImportBatch.objects.get(pk=batch.pk)


@contextmanager
def full_database(table, event="INSERT"):
    """Within the block the database finds no room for what a statement writes into `table`."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")  # no room within the file either
            pages = cursor.execute("PRAGMA page_count").fetchone()[0]
            cursor.execute(f"PRAGMA max_page_count = {pages + 2}")
        else:
            cursor.execute(
                "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file'; END $$"
            )
            cursor.execute(f"CREATE TRIGGER full_disk AFTER {event} ON {table} EXECUTE FUNCTION no_room()")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA max_page_count = 1073741823")
            else:
                cursor.execute("DROP FUNCTION no_room() CASCADE")


def broken_off(job, error=OperationalError):
    """Run `job`, which breaks off as on the command line, where the error is seen too; returns the batch."""
    with pytest.raises(error):
        jobs.step_now(job)
    job.refresh_from_db()
    assert (job.state, job.message) == (JobState.FAILED, SENTENCE)
    return ImportBatch.objects.get(pk=job.params["batch"])


def stored():
    return Person.objects.count(), Membership.objects.count(), NameSuffix.objects.count()


def files():
    return [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()]


def upload(client, register, caplog):
    """Send the file; returns the status and the text of the answer."""
    client.raise_request_exception = False
    page = client.post(reverse("import_new", args=["members"]), {"file": ContentFile(register, "名册.csv")})
    status, text = page.status_code, page.content.decode()
    del page
    caplog.clear()
    gc.collect()  # what was received lies there until the error is forgotten
    return status, text


def test_an_upload_that_finds_no_room_for_the_file(register, enterprise, client_of, disk, settings, caplog):  # noqa: F811
    settings.MEDIA_ROOT = str(disk / "files")
    client = client_of(enterprise)
    with full(disk):
        status, text = upload(client, register, caplog)
        assert status == 507
        assert SENTENCE in text
        assert files() == []
    assert not ImportBatch.objects.exists()
    assert not Job.objects.exists()
    assert upload(client, register, caplog)[0] == 302
    assert len(files()) == 1


def test_an_upload_that_finds_no_room_for_what_is_being_received(
    register, enterprise, client_of, disk, settings, caplog  # noqa: F811
):  # fmt: skip
    settings.FILE_UPLOAD_TEMP_DIR = str(disk)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0  # so that the little file goes to the disk, as a large one does
    client = client_of(enterprise)
    with full(disk):
        status, text = upload(client, register, caplog)
        assert status == 507
        assert SENTENCE in text
        assert [path.name for path in disk.iterdir()] == ["ballast"]
    assert not ImportBatch.objects.exists()
    assert upload(client, register, caplog)[0] == 302


def test_a_reading_that_finds_no_room_for_the_clear_copy(batch, register, enterprise, disk, monkeypatch):  # noqa: F811
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    with full(disk):
        failed = broken_off(batch.job, OSError)
        assert [path.name for path in disk.iterdir()] == ["ballast"]
    assert (failed.state, failed.message) == (BatchState.FAILED, SENTENCE)
    again = imports.receive("members", ContentFile(register, "名册.csv"), by=enterprise)
    jobs.run_now(again.job)
    again.refresh_from_db()
    assert (again.state, imports.to_store(again)) == (BatchState.PREVIEW, ROWS)


def test_a_reading_that_finds_no_room_in_the_database(batch, register, enterprise):
    with full_database(StagedMember._meta.db_table):
        failed = broken_off(batch.job)
    assert (failed.state, failed.message) == (BatchState.FAILED, SENTENCE)
    assert not StagedMember.objects.exists()
    assert imports.discard(failed, by=enterprise)
    again = imports.receive("members", ContentFile(register, "名册.csv"), by=enterprise)
    jobs.run_now(again.job)
    assert StagedMember.objects.count() == ROWS


def test_a_commit_that_finds_no_room_stores_nothing_and_is_asked_for_again(looked_at, enterprise):
    imports.ask_commit(looked_at, by=enterprise)
    with full_database(Membership._meta.db_table):  # people are written before
        batch = broken_off(looked_at.job)
    assert (batch.state, batch.message) == (BatchState.PREVIEW, SENTENCE)
    assert stored() == (0, 0, 0)
    assert not AuditEvent.objects.filter(verb="members.import_membership").exists()
    assert imports.ask_commit(batch, by=enterprise)
    jobs.run_now(batch.job)
    assert stored()[:2] == (ROWS, ROWS)
    assert AuditEvent.objects.filter(verb="members.import_membership").count() == 1


def test_an_undo_that_finds_no_room_takes_nothing_back_and_is_asked_for_again(looked_at, enterprise):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite needs no room to delete, but that of its log, which the drills fill")
    imports.ask_commit(looked_at, by=enterprise)
    jobs.run_now(looked_at.job)
    before = stored()
    imports.ask_undo(looked_at, by=enterprise)
    looked_at.refresh_from_db()
    with full_database(Person._meta.db_table, "DELETE"):
        batch = broken_off(looked_at.job)
    assert (batch.state, batch.message, stored()) == (BatchState.COMMITTED, SENTENCE, before)
    assert imports.ask_undo(batch, by=enterprise)
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize("place", ["files", "drafts"])
def test_a_returned_workbook_that_finds_no_room(looked_at, enterprise, disk, settings, monkeypatch, place):  # noqa: F811
    if place == "files":
        before = files()
        settings.MEDIA_ROOT = str(disk / "files")
        kept = Path(settings.MEDIA_ROOT) / looked_at.file.name
        kept.parent.mkdir(parents=True)
        kept.write_bytes(before[0].read_bytes())
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
    before = files()
    imports.ask_return(looked_at, by=enterprise)
    looked_at.refresh_from_db()
    with full(disk):
        batch = broken_off(looked_at.job, OSError)
        assert files() == before
    assert (batch.state, bool(batch.returned)) == (BatchState.PREVIEW, False)
    assert imports.ask_return(batch, by=enterprise)
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    batch.refresh_from_db()
    assert batch.returned.size > 0

"""A disk that is really full, and a worker killed in the join: papers and backups end with a sentence and go on later.

The disk is a file system of a few hundred kilobytes of its own; where we may not mount one, these tests are left out.
"""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from core import jobs, papers, tasks
from core.models import AuditEvent, Job, Paper
from core.models.job import JobState
from core.models.paper import PaperState
from tests.core.test_papers import enrol
from tests.workers import broker, wait_for, workers  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

LITTLE = 16  # KB: more than a directory entry, less than any file of ours


@pytest.fixture
def disk(tmp_path):
    """A file system of its own that holds two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def full(disk):
    """Within the block only a little room is left on `disk`."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"\0" * (free - LITTLE * 1024))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def asked(tree, enterprise, disk, settings):
    """A roll of some members on the small disk, planned and not yet drawn."""
    settings.MEDIA_ROOT = str(disk / "files")
    enrol(tree.enterprise, 40)
    paper = papers.ask("roll", union=tree.enterprise, by=enterprise)
    jobs.step_now(paper.job)
    return paper


def files():
    return [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()]


def assert_refused_and_made_when_there_is_room(paper, by):
    paper.refresh_from_db()
    paper.job.refresh_from_db()
    assert (paper.state, paper.number, paper.reason) == (PaperState.FAILED, None, str(papers.NO_ROOM))
    assert (paper.job.state, paper.job.message) == (JobState.FAILED, str(papers.NO_ROOM))
    assert files() == []
    again = papers.make_now(papers.ask("roll", union=paper.union, by=by))
    assert (again.state, again.serial) == (PaperState.VALID, 1)
    assert files() == [Path(again.file.path)]
    assert papers.digest_of(again.file.name) == again.sha256
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1


def test_a_slice_that_finds_no_room(asked, enterprise, disk):
    with full(disk):
        jobs.run_now(asked.slices.get().job)
    assert_refused_and_made_when_there_is_room(asked, enterprise)


def test_a_join_that_finds_no_room_gives_its_number_back(asked, enterprise, disk):
    jobs.run_now(asked.slices.get().job)
    with full(disk):
        jobs.run_now(asked.job)
    assert_refused_and_made_when_there_is_room(asked, enterprise)


def test_a_backup_that_finds_no_room_leaves_nothing_and_is_made_when_there_is_some(tree, city, disk):
    enrol(tree.enterprise, 3)
    papers.make_now(papers.ask("roll", union=tree.enterprise, by=city))
    target = disk / "night.zip"
    with full(disk):
        with pytest.raises(CommandError, match="腾出空间"):
            call_command("backup", str(target))
        assert sorted(path.name for path in disk.iterdir()) == ["ballast"]
    call_command("backup", str(target))
    assert [path.name for path in disk.iterdir()] == ["night.zip"]


@pytest.mark.worker
def test_a_worker_killed_in_the_join_another_issues_the_paper_with_the_same_number(tree, city, workers, settings):  # noqa: F811
    settings.JOB_STALE_SECONDS = 2
    enrol(tree.enterprise, 120)
    paper = papers.ask("roll", union=tree.enterprise, by=city)
    first = workers.start()
    wait_for(lambda: Paper.objects.filter(pk=paper.pk, number__isnull=False).exists())  # taken as the join begins
    workers.kill(first)
    number = Paper.objects.get(pk=paper.pk).number
    workers.start()

    def done():
        tasks.wake_jobs()  # what the timetable does each minute
        return Job.objects.get(pk=paper.job_id).finished

    wait_for(done)
    paper.refresh_from_db()
    assert (paper.state, paper.number, paper.serial) == (PaperState.VALID, number, 1)
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1
    assert files() == [Path(paper.file.path)]
    assert papers.digest_of(paper.file.name) == paper.sha256

"""What workers and the timetable call: each task is a few lines that call one action."""

from celery import shared_task
from django.utils import timezone

from core import (
    audit,
    checkup,
    digests,
    examination,
    exports,
    health,
    imports,
    jobs,
    papers,
    reminders,
    retention,
    scratch,
)


@shared_task(name="core.tasks.wake_jobs", ignore_result=True)
def wake_jobs():
    """Each minute: send jobs that were never delivered or went silent."""
    jobs.wake_waiting()


@shared_task(name="core.tasks.seal_audit", ignore_result=True)
def seal_audit():
    """Each minute: seal the events written since the last seal."""
    audit.seal(timezone.now())


@shared_task(name=health.BEAT_TASK, ignore_result=True)
def note_health():
    """Each minute: that a worker takes work, and what every check says."""
    health.note(timezone.now())


@shared_task(name="core.tasks.look_at_all_keys", ignore_result=True)
def look_at_all_keys():
    """Each night: whether the keys of every sealed row are there."""
    health.look_at_all_keys(timezone.now())


@shared_task(name="core.tasks.apply_retention", ignore_result=True)
def apply_retention():
    """Each night: delete what is over its period."""
    retention.run(timezone.now())


@shared_task(name="core.tasks.remove_exports", ignore_result=True)
def remove_exports():
    """Each night: delete the files of exports whose last day is over."""
    exports.remove_old(timezone.localdate())


@shared_task(name="core.tasks.sweep_scratch", ignore_result=True)
def sweep_scratch():
    """Each night: remove what killed processes left among the temporary files."""
    scratch.sweep()


@shared_task(name="core.tasks.send_reminders", ignore_result=True)
def send_reminders():
    """Each half hour: write the reminders whose stage has come, in working hours only."""
    reminders.send(timezone.now())


@shared_task(name="core.tasks.send_digests", ignore_result=True)
def send_digests():
    """Each half hour: send the e-mails of the day that were not sent yet, in working hours only."""
    digests.send(timezone.now())


@shared_task(name="core.tasks.start_checkup", ignore_result=True)
def start_checkup():
    """Each night: ask for a checkup of the whole city."""
    checkup.start(by=None)


@jobs.job_task(checkup.RUN)
def run_checkup(run):
    """A checkup, of the whole city or of one union and all below it."""
    examination.work(run)


@jobs.job_task(papers.MAKE, failed=papers.paper_failed)
def make_paper(run):
    """A paper's own job: plan its slices; when the last is drawn, join them."""
    papers.make(run)


@jobs.job_task(papers.DRAW, failed=papers.slice_failed)
def draw_slice(run):
    """One slice of a paper."""
    papers.draw(run)


@jobs.job_task(exports.MAKE)
def make_export(run):
    """The workbook of an export."""
    exports.make(run)


@jobs.job_task(imports.READ, failed=imports.reading_failed)
def read_import(run):
    """Read an uploaded sheet into staging."""
    imports.read_job(run)


@jobs.job_task(imports.COMMIT, failed=imports.committing_failed)
def commit_import(run):
    """Store the rows of a previewed sheet."""
    imports.commit_job(run)


@jobs.job_task(imports.UNDO, failed=imports.undoing_failed)
def undo_import(run):
    """Take the rows of a stored sheet back."""
    imports.undo_job(run)


@jobs.job_task(imports.RETURN)
def return_import(run):
    """Mark the problem rows in a copy of the uploaded sheet."""
    imports.return_job(run)

"""What workers and the timetable call: each task is a few lines that call one action."""

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from core import audit, imports, jobs, papers, reminders


@shared_task(name="core.tasks.wake_jobs", ignore_result=True)
def wake_jobs():
    """Each minute: send jobs that were never delivered or went silent."""
    jobs.wake_waiting()


@shared_task(name="core.tasks.seal_audit", ignore_result=True)
def seal_audit():
    """Each minute: seal the events written since the last seal."""
    audit.seal(timezone.now())


@shared_task(name="core.tasks.clear_sessions", ignore_result=True)
def clear_sessions():
    """Each night: delete the rows of sessions that have ended."""
    call_command("clearsessions")


@shared_task(name="core.tasks.send_reminders", ignore_result=True)
def send_reminders():
    """Each half hour: write the reminders whose stage has come, in working hours only."""
    reminders.send(timezone.now())


@jobs.job_task(papers.MAKE, failed=papers.paper_failed)
def make_paper(run):
    """A paper's own job: plan its slices; when the last is drawn, join them."""
    papers.make(run)


@jobs.job_task(papers.DRAW, failed=papers.slice_failed)
def draw_slice(run):
    """One slice of a paper."""
    papers.draw(run)


@jobs.job_task(imports.READ, failed=imports.reading_failed)
def read_import(run):
    """Read an uploaded sheet into staging."""
    imports.read_job(run)


@jobs.job_task(imports.COMMIT, failed=imports.committing_failed)
def commit_import(run):
    """Store the rows of a previewed sheet."""
    imports.commit_job(run)

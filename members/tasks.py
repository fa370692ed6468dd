"""What the timetable calls about members: each task calls one action."""

from celery import shared_task
from django.utils import timezone

from core import jobs
from members import candidates, reorganising, transfers


@shared_task(name="members.tasks.escalate_transfers", ignore_result=True)
def escalate_transfers():
    """Each morning: pass to the union above what was not answered in time."""
    transfers.escalate_overdue(today=timezone.localdate())


@shared_task(name="members.tasks.find_duplicates", ignore_result=True)
def find_duplicates():
    """Each night: look once more whether people entered lately are entered twice."""
    candidates.find_for_recent()


@jobs.job_task(reorganising.RUN)
def reorganise(run):
    """A union with many members moves, merges into another or is dissolved."""
    reorganising.work(run)


@jobs.job_task(transfers.ASK_ROWS)
def ask_for_rows(run):
    """Transfers for all people of an uploaded register who belong to other unions."""
    transfers.ask_rows(run)

"""What workers and the timetable call: each task is a few lines that call one action."""

from celery import shared_task
from django.utils import timezone

from core import audit, jobs


@shared_task(name="core.tasks.wake_jobs", ignore_result=True)
def wake_jobs():
    """Each minute: send jobs that were never delivered or went silent."""
    jobs.wake_waiting()


@shared_task(name="core.tasks.seal_audit", ignore_result=True)
def seal_audit():
    """Each minute: seal the events written since the last seal."""
    audit.seal(timezone.now())

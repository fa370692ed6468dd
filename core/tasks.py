"""What workers and the timetable call: each task is a few lines that call one action."""

from celery import shared_task

from core import jobs


@shared_task(name="core.tasks.wake_jobs", ignore_result=True)
def wake_jobs():
    """Each minute: send jobs that were never delivered or went silent."""
    jobs.wake_waiting()

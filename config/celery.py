"""The Celery application and its timetable, as code."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "seal the audit trail": {"task": "core.tasks.seal_audit", "schedule": 60.0},
    "wake jobs without a heartbeat": {"task": "core.tasks.wake_jobs", "schedule": 60.0},
    "clear ended sessions": {"task": "core.tasks.clear_sessions", "schedule": crontab(minute=15, hour=3)},
    # Every half hour of the working day; the task itself keeps off rest days (rulebook §0.2, R1).
    "send reminders": {"task": "core.tasks.send_reminders", "schedule": crontab(minute="*/30", hour="8-18")},
}

"""The Celery application and its timetable, as code."""

import os

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, task_prerun, worker_init
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_signal):
    """Nothing: that somebody listens keeps Celery from putting its own formats in the place of settings.LOGGING."""


@worker_init.connect
def load_what_draws(**_signal):
    """Before the worker has children: each of them can draw at once, in memory that they share."""
    from core import drawing

    drawing.warm()


@worker_init.connect
def keep_clear_content_together(**_signal):
    """Before the worker has children: they inherit the folder. What a worker killed before this one left goes."""
    from core import scratch

    scratch.use()
    scratch.sweep()


@task_prerun.connect
def drop_a_broken_connection(**_signal):
    """Do for a task what Django does for a request: a database that was restarted is connected to anew."""
    close_old_connections()


app.conf.beat_schedule = {
    "seal the audit trail": {"task": "core.tasks.seal_audit", "schedule": 60.0},
    "wake jobs without a heartbeat": {"task": "core.tasks.wake_jobs", "schedule": 60.0},
    "note how the portal is": {"task": "core.tasks.note_health", "schedule": 60.0},
    "look at the keys of all rows": {"task": "core.tasks.look_at_all_keys", "schedule": crontab(minute=50, hour=3)},
    "delete what is over its period": {"task": "core.tasks.apply_retention", "schedule": crontab(minute=15, hour=3)},
    # Before the working day; a rest day does no harm: it moves a duty, and reminds nobody.
    "pass on unanswered transfers": {"task": "members.tasks.escalate_transfers", "schedule": crontab(minute=0, hour=6)},
    "look for people entered twice": {"task": "members.tasks.find_duplicates", "schedule": crontab(minute=40, hour=2)},
    "check up on all records": {"task": "core.tasks.start_checkup", "schedule": crontab(minute=10, hour=4)},
    "sweep up after killed processes": {"task": "core.tasks.sweep_scratch", "schedule": crontab(minute=35, hour=3)},
    "remove old exports": {"task": "core.tasks.remove_exports", "schedule": crontab(minute=25, hour=3)},
    # Every half hour of the working day; the task itself keeps off rest days (rulebook §0.2, R1).
    "send reminders": {"task": "core.tasks.send_reminders", "schedule": crontab(minute="*/30", hour="8-18")},
    "send digests": {"task": "core.tasks.send_digests", "schedule": crontab(minute="10-59/30", hour="8-18")},
}

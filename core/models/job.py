"""Jobs: long work as a row that is written with what asks for it and run by a worker."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet


class JobState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class JobQuerySet(ScopedQuerySet):
    def unfinished(self):
        return self.filter(state__in=[JobState.WAITING, JobState.RUNNING])


class Job(models.Model):
    """One piece of background work; `core.jobs` starts, claims and ends it. The row is its only state."""

    task = models.CharField(_("task"), max_length=100)  # the Celery task's name
    title = models.CharField(_("title"), max_length=200)
    params = models.JSONField(default=dict)  # ids only, no personal data
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, related_name="jobs")
    created_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="jobs")
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=8, choices=JobState, default=JobState.WAITING)
    done = models.PositiveIntegerField(_("done"), default=0)
    total = models.PositiveIntegerField(_("of"), default=0)
    message = models.CharField(_("message"), max_length=500, blank=True)
    notes = models.JSONField(_("remarks"), default=list)  # sentences for the job's page
    result_url = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_token = models.UUIDField(null=True)  # the run that owns the row; a run that lost it stops
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    request_id = models.CharField(max_length=40, blank=True)  # of the request that asked: its log lines and ours

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "heartbeat_at"]), models.Index(fields=["union", "id"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[JobState.WAITING, JobState.RUNNING], finished_at__isnull=True)
                | models.Q(state__in=[JobState.DONE, JobState.FAILED], finished_at__isnull=False),
                name="job_finished_at",
            )
        ]

    def __str__(self):
        return self.title

    @property
    def finished(self):
        return self.state in (JobState.DONE, JobState.FAILED)

    @property
    def shown_state(self):
        """A job that waits while other jobs do its parts is at work, for whoever looks at it."""
        return JobState.RUNNING if self.state == JobState.WAITING and self.message else JobState(self.state)

    @property
    def percent(self):
        return min(100, self.done * 100 // self.total) if self.total else 0

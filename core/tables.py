"""Tables of the floor's lists: papers, jobs and imports."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.imports import kinds
from core.models import ImportBatch, Job, Paper
from core.models.imports import BatchState
from core.models.job import JobState
from core.models.paper import PaperState

PAPER_BADGES = {
    PaperState.VALID: "good",
    PaperState.DRAWING: "soon",
    PaperState.FAILED: "late",
    PaperState.REVOKED: "late",
    PaperState.REPLACED: "rest",
}
IMPORT_BADGES = {
    BatchState.READING: "rest",
    BatchState.PREVIEW: "soon",
    BatchState.COMMITTING: "rest",
    BatchState.COMMITTED: "good",
    BatchState.FAILED: "late",
    BatchState.DISCARDED: "rest",
}
JOB_BADGES = {JobState.DONE: "good", JobState.RUNNING: "soon", JobState.WAITING: "rest", JobState.FAILED: "late"}


def state_badge(row, colours):
    """The state of a paper, job or import as a word in its colour."""
    return format_html('<span class="badge {}">{}</span>', colours[row.state], row.get_state_display())


def job_badge(job):
    """The state of a job, as it is shown, as a word in its colour."""
    return format_html('<span class="badge {}">{}</span>', JOB_BADGES[job.shown_state], job.shown_state.label)


class PaperTable(tables.Table):
    title = tables.Column(_("title"))
    number = tables.Column(_("number"), default="—")
    union = tables.Column(_("union"), attrs={"td": {"class": "desk-only"}})
    issued_at = tables.DateTimeColumn("Y-m-d H:i", verbose_name=_("issued"), default="—")
    pages = tables.Column(_("pages"), attrs={"td": {"class": "figure desk-only"}, "th": {"class": "figure"}})
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Paper
        fields = ()
        caption = _("Papers")

    def render_title(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("paper_page", args=[record.pk]), value)

    def render_state(self, record):
        return state_badge(record, PAPER_BADGES)


class JobTable(tables.Table):
    title = tables.Column(_("title"))
    union = tables.Column(_("union"), default="—", attrs={"td": {"class": "desk-only"}})
    created_by = tables.Column(_("asked by"), default="—", attrs={"td": {"class": "desk-only"}})
    created_at = tables.DateTimeColumn("Y-m-d H:i", verbose_name=_("asked for"))
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Job
        fields = ()
        caption = _("Jobs")

    def render_title(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("job_page", args=[record.pk]), value)

    def render_state(self, record):
        return job_badge(record)


class ImportTable(tables.Table):
    file_name = tables.Column(_("file"))
    kind = tables.Column(_("kind"), attrs={"td": {"class": "desk-only"}})
    union = tables.Column(_("union"), default="—", attrs={"td": {"class": "desk-only"}})
    created_by = tables.Column(_("uploaded by"))
    created_at = tables.DateTimeColumn("Y-m-d H:i", verbose_name=_("uploaded"))
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = ImportBatch
        fields = ()
        caption = _("Imports")

    def render_file_name(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("import_page", args=[record.pk]), value)

    def render_kind(self, value):
        return kinds()[value].title

    def render_state(self, record):
        return state_badge(record, IMPORT_BADGES)

"""Tables of the floor's lists: papers, jobs and imports."""

import django_tables2 as tables
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from core import exports
from core.columns import DayColumn, MomentColumn, link
from core.imports import AFTER, BEFORE, GRAVITY, kinds
from core.models import Export, ImportBatch, Job, Paper
from core.models.imports import STORED, BatchState, Outcome
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
    BatchState.UNDOING: "rest",
    BatchState.UNDONE: "rest",
    BatchState.FAILED: "late",
    BatchState.DISCARDED: "rest",
}
OUTCOME_BADGES = {Outcome.ERROR: "late", Outcome.DUPLICATE: "rest", Outcome.WARNING: "soon", Outcome.OK: "good"}
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
    issued_at = MomentColumn(_("issued"), default="—")
    pages = tables.Column(_("pages"), attrs={"td": {"class": "figure desk-only"}, "th": {"class": "figure"}})
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Paper
        fields = ()
        caption = _("Papers")

    def render_title(self, value, record):
        return link("paper_page", record.pk, value)

    def render_state(self, record):
        return state_badge(record, PAPER_BADGES)


class JobTable(tables.Table):
    title = tables.Column(_("title"))
    union = tables.Column(_("union"), default="—", attrs={"td": {"class": "desk-only"}})
    created_by = tables.Column(_("asked by"), default="—", attrs={"td": {"class": "desk-only"}})
    created_at = MomentColumn(_("asked for"))
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Job
        fields = ()
        caption = _("Jobs")

    def render_title(self, value, record):
        return link("job_page", record.pk, value)

    def render_state(self, record):
        return job_badge(record)


class ExportTable(tables.Table):
    kind = tables.Column(_("kind"))
    purpose = tables.Column(_("purpose"))
    asked_at = MomentColumn(_("asked for"))
    rows_written = tables.Column(
        _("rows"), accessor="rows", attrs={"td": {"class": "figure named"}, "th": {"class": "figure"}}
    )
    kept_until = DayColumn(_("kept until"), attrs={"td": {"class": "named"}})
    state = tables.Column(_("state"), accessor="job", attrs={"td": {"class": "lead"}})

    class Meta:
        model = Export
        fields = ()
        caption = _("My exports")

    def render_kind(self, value, record):
        return link("export_page", record.pk, exports.kinds()[value].title)

    def render_state(self, value):
        return job_badge(value)


class ImportTable(tables.Table):
    file_name = tables.Column(_("file"))
    kind = tables.Column(_("kind"), attrs={"td": {"class": "desk-only"}})
    union = tables.Column(_("union"), default="—", attrs={"td": {"class": "desk-only"}})
    created_by = tables.Column(_("uploaded by"))
    created_at = MomentColumn(_("uploaded"))
    counts = tables.Column(_("rows"), attrs={"td": {"class": "named"}})
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = ImportBatch
        fields = ()
        caption = _("Imports")

    def render_file_name(self, value, record):
        return link("import_page", record.pk, value)

    def render_kind(self, value):
        return kinds()[value].title

    def render_counts(self, value, record):
        """How many rows came to what, the gravest first: a word for each that occurs."""
        labels = AFTER if record.state in STORED else BEFORE
        return format_html_join(
            " ",
            '<span class="badge {}">{} {}</span>',
            [(OUTCOME_BADGES[key], labels[key], value["outcomes"][key]) for key in GRAVITY if value["outcomes"][key]],
        )

    def render_state(self, record):
        badge = state_badge(record, IMPORT_BADGES)
        if record.state == BatchState.UNDONE:
            day = date_format(timezone.localdate(record.undone_at), "Y-m-d")
            return format_html('{} <span class="quiet">{} {}</span>', badge, record.undone_by, day)
        return badge

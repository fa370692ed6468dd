"""The floor's tables, one noun a file."""

from core.models.audit import AuditEvent, AuditSeal
from core.models.calendar import CalendarDay, CalendarYear
from core.models.checkup import CheckupCount, CheckupDay, Finding
from core.models.deadline import Deadline, DeadlineRule
from core.models.desk import Digest, Draft, SavedView
from core.models.export import Export
from core.models.health import HealthPeriod, Pulse
from core.models.imports import ImportBatch
from core.models.job import Job
from core.models.paper import Paper, PaperSlice
from core.models.publicity import Objection, Publicity
from core.models.reminder import Reminder, ReminderRead
from core.models.retention import AuditRestriction, Hold, RetentionRule, RetentionRun
from core.models.setting import Setting
from core.models.upload import Upload
from core.models.user import User

__all__ = [
    "AuditEvent",
    "AuditRestriction",
    "AuditSeal",
    "CalendarDay",
    "CalendarYear",
    "CheckupCount",
    "CheckupDay",
    "Deadline",
    "DeadlineRule",
    "Digest",
    "Draft",
    "Export",
    "Finding",
    "HealthPeriod",
    "Hold",
    "ImportBatch",
    "Job",
    "Objection",
    "Paper",
    "PaperSlice",
    "Publicity",
    "Pulse",
    "Reminder",
    "ReminderRead",
    "RetentionRule",
    "RetentionRun",
    "SavedView",
    "Setting",
    "Upload",
    "User",
]

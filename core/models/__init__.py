"""The floor's tables, one noun a file."""

from core.models.audit import AuditEvent, AuditSeal
from core.models.calendar import CalendarDay, CalendarYear
from core.models.deadline import Deadline, DeadlineRule
from core.models.imports import ImportBatch
from core.models.job import Job
from core.models.paper import Paper, PaperSlice
from core.models.reminder import Reminder, ReminderRead
from core.models.setting import Setting
from core.models.user import User

__all__ = [
    "AuditEvent",
    "AuditSeal",
    "CalendarDay",
    "CalendarYear",
    "Deadline",
    "DeadlineRule",
    "ImportBatch",
    "Job",
    "Paper",
    "PaperSlice",
    "Reminder",
    "ReminderRead",
    "Setting",
    "User",
]

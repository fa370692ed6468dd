"""In-app reminders: derived from deadlines, written exactly once a stage."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models.deadline import DeadlineState
from core.scope import ScopedQuerySet


class ReminderQuerySet(ScopedQuerySet):
    def latest(self):
        """Of each deadline the last stage reached: a run that caught up has written the stages before it too."""
        later = Reminder.objects.filter(deadline=models.OuterRef("deadline"), pk__gt=models.OuterRef("pk"))
        return self.filter(~models.Exists(later))

    def unread_by(self, user):
        """In the user's scope, the latest about something still open, and not put away by this user."""
        return (
            self.visible_to(user, "core.view_reminder")
            .latest()
            .filter(deadline__state=DeadlineState.OPEN)
            .exclude(reads__user=user)
        )


class Reminder(models.Model):
    """One stage of one deadline has come. Shown to whoever reaches the union; each user reads it for himself."""

    deadline = models.ForeignKey("core.Deadline", on_delete=models.CASCADE, related_name="reminders")
    rule_code = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    trigger = models.DateField()
    stage = models.CharField(_("stage"), max_length=8)  # «6M», «3M», «1M», «OVERDUE»
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="reminders")
    created_at = models.DateTimeField(_("sent"), auto_now_add=True)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule_code", "subject_type", "subject_id", "trigger", "stage"], name="reminder_once"
            )
        ]

    def __str__(self):
        return f"{self.rule_code} {self.stage}"

    def put_away(self, *, by):
        """Mark the reminder read by one user; a second time changes nothing."""
        self.reads.get_or_create(user=by)


class ReminderRead(models.Model):
    """A user has put a reminder away."""

    reminder = models.ForeignKey(Reminder, on_delete=models.CASCADE, related_name="reads")
    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reminder", "user"], name="reminder_read_once")]

"""The desk, everybody's home: what I must do next and why on that day, what others owe, what I was reminded of."""

from django.conf import settings
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from core import reminders
from core.models import Deadline, Reminder
from core.scope import needs, visible_or_404

DUTIES = 50  # the desk is for today; what lies further is in the lists
ASIDE = 10


@require_safe
def desk(request):
    """Show the duties in scope, overdue first: an overdue one stays until it is met or waived (R43)."""
    user, today = request.user, timezone.localdate()
    open_duties = reminders.in_sight(Deadline.objects.desk_of(user), today).select_related("rule", "union")
    rows = list(open_duties.order_by("earliest", "id")[: DUTIES + 1])
    duties = [_duty(deadline, user) for deadline in rows[:DUTIES]]
    left = [deadline.days_left(today) for deadline in rows]
    waiting = Deadline.objects.waiting().visible_to(user, "core.view_deadline").select_related("rule", "union")
    unread = Reminder.objects.unread_by(user).select_related("deadline__rule", "union")
    context = {
        "today": today,
        "duties": duties,
        "more": len(rows) > DUTIES,
        "late": sum(days < 0 for days in left),
        "soon": sum(0 <= days <= 3 for days in left),
        "all_shown": len(rows) <= DUTIES or left[-1] > 3,
        "waiting": waiting.order_by("earliest", "id")[:ASIDE],
        "reminders": unread.order_by("-id")[:ASIDE],
    }
    return render(request, "desk.html", context)


@require_POST
@needs("core.view_reminder")
def reminder_read(request, reminder_pk):
    """Put one reminder away for this user; the others still see it."""
    visible_or_404(Reminder.objects.all(), request.user, "core.view_reminder", pk=reminder_pk).put_away(by=request.user)
    return redirect("desk")


def _duty(deadline, user):
    """Return what the desk shows of a deadline: the row, its next step, and its union unless the title names it."""
    where = "" if deadline.union.name in deadline.title else deadline.union.name
    for perm, url_name, label in settings.DUTY_STEPS.get(deadline.subject_type, ()):
        if user.has_perm(perm, deadline.union):
            url = reverse(url_name, kwargs={"union_pk": deadline.union_id})
            return {"deadline": deadline, "where": where, "step": label, "url": url}
    return {"deadline": deadline, "where": where, "step": "", "url": ""}

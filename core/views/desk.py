"""The desk, everybody's home: what I must do next and why on that day, what others owe, what I was reminded of."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import deadlines, digests, findings, reminders
from core.forms import PortalForm
from core.models import Deadline, Reminder
from core.models.deadline import DeadlineState
from core.scope import needs, visible_or_404

DUTIES = 50  # the desk is for today; what lies further is in the lists
AT_A_LOOK = 10  # more duties are told apart by kind
OF_A_KIND = 3  # shown before the fold; one that stands alone behind it is shown too
ASIDE = 10


@require_safe
def desk(request):
    """Show the duties in scope, overdue first: an overdue one stays until it is met or waived (R43)."""
    user, today = request.user, timezone.localdate()
    open_duties = reminders.in_sight(Deadline.objects.desk_of(user), today).select_related("rule", "union")
    rows = list(open_duties.order_by("earliest", "id")[: DUTIES + 1])
    names = _names(rows[:DUTIES], user)
    duties = [_duty(deadline, user, names) for deadline in rows[:DUTIES]]
    left = [deadline.days_left(today) for deadline in rows]
    waiting = Deadline.objects.waiting().visible_to(user, "core.view_deadline").select_related("rule", "union")
    unread = Reminder.objects.unread_by(user).select_related("deadline__rule", "union")
    context = {
        "today": today,
        "duties": duties,
        "kinds": _by_kind(duties, today),
        "more": len(rows) > DUTIES,
        "late": sum(days < 0 for days in left),
        "soon": sum(0 <= days <= 3 for days in left),
        "all_shown": len(rows) <= DUTIES or left[-1] > 3,
        "findings": [(gravity.badge, gravity.label, number) for gravity, number in findings.by_gravity(user)],
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


class WaiveForm(PortalForm):
    """Why a duty need not be done: without a reason none is waived (R43)."""

    reason = forms.CharField(label=gettext_lazy("reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("core.waive_deadline")
def deadline_waive(request, deadline_pk):
    """Close a duty that need not be done any more, with the reason."""
    rows = Deadline.objects.select_related("rule", "union")
    deadline = visible_or_404(rows, request.user, "core.waive_deadline", pk=deadline_pk)
    form = WaiveForm(request.POST or None)
    if deadline.state != DeadlineState.OPEN:
        messages.info(request, _("This duty is closed already."))
        return redirect("desk")
    if form.is_valid():
        today = timezone.localdate()
        deadlines.close(deadline, DeadlineState.WAIVED, on=today, by=request.user, reason=form.cleaned_data["reason"])
        messages.success(request, _("The duty is waived. Date, reason and your name are kept."))
        return redirect("desk")
    return render(request, "deadlines/waive.html", {"deadline": deadline, "form": form})


class DigestForm(PortalForm):
    wanted = forms.BooleanField(label=gettext_lazy("Send me this e-mail"), required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def my_digest(request):
    """The user's own daily e-mail: what it holds, where it goes, and the switch."""
    form = DigestForm(request.POST if request.method == "POST" else None, initial={"wanted": request.user.wants_digest})
    if form.is_valid():
        digests.switch(request.user, wanted=form.cleaned_data["wanted"])
        messages.success(request, _("The changes are stored."))
        return redirect("my_digest")
    return render(request, "accounts/my_digest.html", {"form": form})


def _names(rows, user):
    """{(kind of subject, key): whom or what it is about} of the duties whose titles read alike (DUTY_NAMES)."""
    named = {}
    for kind, place in settings.DUTY_NAMES.items():
        keys = [row.subject_id for row in rows if row.subject_type == kind]
        if keys:
            named |= {(kind, key): name for key, name in import_string(place)(keys, user).items()}
    return named


def _by_kind(duties, today):
    """Return [{"rule", "number", "late", "first", "rest"}]: few duties in one list, many by their kind.

    The kind with the most urgent duty comes first, and of each kind the most urgent ones.
    """
    if len(duties) <= AT_A_LOOK:
        return [{"rule": None, "first": duties, "rest": []}]
    kinds = {}
    for duty in duties:
        kinds.setdefault(duty["deadline"].rule, []).append(duty)
    return [
        {
            "rule": rule,
            "number": len(each),
            "late": sum(duty["deadline"].earliest < today for duty in each),
            "first": each[: OF_A_KIND if len(each) > OF_A_KIND + 1 else None],
            "rest": each[OF_A_KIND:] if len(each) > OF_A_KIND + 1 else [],
        }
        for rule, each in kinds.items()
    ]


def _duty(deadline, user, names):
    """Return what the desk shows of a deadline: the row, its next step, and its union unless the title names it."""
    duty = {
        "deadline": deadline,
        "whom": names.get((deadline.subject_type, deadline.subject_id), ""),
        "where": "" if deadline.union.name in deadline.title else deadline.union.name,
        "may_waive": user.has_perm("core.waive_deadline", deadline),
        "step": "",
        "url": "",
    }
    for perm, url_name, label in settings.DUTY_STEPS.get(deadline.subject_type, ()):
        if user.has_perm(perm, deadline.union):
            return duty | {"step": label, "url": _step_url(url_name, deadline)}
    return duty


def _step_url(url_name, deadline):
    """The page of the duty's own object if the route takes one, else the page of its union."""
    try:
        return reverse(url_name, kwargs={f"{deadline.subject_type.rpartition('.')[2]}_pk": deadline.subject_id})
    except NoReverseMatch:
        return reverse(url_name, kwargs={"union_pk": deadline.union_id})

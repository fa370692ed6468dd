"""Pages of how long things are kept, and of what is held meanwhile."""

import django_tables2 as tables
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core import retention
from core.columns import DayColumn
from core.forms import PortalForm, add_refusal
from core.models import Hold, ImportBatch, RetentionRule
from core.pages import ListPage
from core.scope import needs, visible_or_404

DESK_ONLY = {"td": {"class": "desk-only"}}
SUBJECTS = {  # what can be held
    "core.importbatch": gettext_lazy("import"),
    "members.membership": gettext_lazy("member"),
}


@require_safe
@never_cache
@needs("core.view_retentionrule")
def retention_page(request):
    """Each kind of thing with its period, what the next night would delete, and what the last one did."""
    context = {
        "previews": retention.preview(timezone.now()),
        "person": RetentionRule.objects.filter(kind=retention.PERSON).first(),
        "may_change": request.user.is_staff and request.user.has_perm("core.change_retentionrule"),
    }
    return render(request, "retention/retention_page.html", context)


# --- Holds -----------------------------------------------------------------------------------------------------


class ReasonForm(PortalForm):
    """Why something is held, or no longer."""

    reason = forms.CharField(
        label=gettext_lazy("reason"),
        max_length=retention.REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Without names and numbers: the reason stays in the trail."),
    )


def subject_of(hold):
    """What a hold lies on, in words that name nobody."""
    return f"{SUBJECTS.get(hold.subject_type, hold.subject_type)} {hold.subject_id}"


class HoldTable(tables.Table):
    subject = tables.Column(gettext_lazy("what is held"), empty_values=(), accessor="subject_id")
    union = tables.Column(gettext_lazy("union"), accessor="union__name")
    reason = tables.Column(gettext_lazy("reason"))
    placed_by = tables.Column(gettext_lazy("placed by"), attrs=DESK_ONLY)
    placed_at = DayColumn(gettext_lazy("placed"), attrs=DESK_ONLY)
    released_at = DayColumn(gettext_lazy("released"))

    class Meta:
        model = Hold
        fields = ()
        caption = gettext_lazy("Holds")

    def render_subject(self, record):
        return format_html('<a href="{}">{}</a>', reverse("hold_page", args=[record.pk]), subject_of(record))


class HoldList(ListPage):
    """What is held, and what was: the latest first."""

    queryset = Hold.objects.select_related("union", "placed_by")
    permission = "core.view_hold"
    table_class = HoldTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Holds")
    empty = gettext_lazy("Nothing is held. A hold is placed on the page of a member or of an import.")


hold_list = HoldList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("core.view_hold")
def hold_page(request, hold_pk):
    """One hold: why, by whom; and its release, with the reason."""
    rows = Hold.objects.select_related("union", "placed_by", "released_by")
    hold = visible_or_404(rows, request.user, "core.view_hold", pk=hold_pk)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            retention.release_hold(hold, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The hold is released: the usual periods count again."))
            return redirect("hold_page", hold_pk=hold.pk)
    page = settings.HOLD_PAGES.get(hold.subject_type)
    context = {
        "hold": hold, "subject": subject_of(hold), "form": form,
        "page": reverse(page, args=[hold.subject_id]) if page else "",
    }  # fmt: skip
    return render(request, "retention/hold_page.html", context)


def ask_hold(request, subject, union, heading, hold):
    """The form that places a hold on `subject`, or leads to the one that lies on it."""
    if hold:
        return redirect("hold_page", hold_pk=hold.pk)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            hold = retention.place_hold(subject, union=union, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Held: nothing of it is deleted until somebody releases it."))
            return redirect("hold_page", hold_pk=hold.pk)
    back = reverse(settings.HOLD_PAGES[subject._meta.label_lower], args=[subject.pk])
    return render(request, "retention/hold_ask.html", {"form": form, "heading": heading, "back_url": back})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("core.add_hold")
def import_hold(request, importbatch_pk):
    """Hold an import: its file and rows stay."""
    rows = ImportBatch.objects.filter(union__isnull=False).select_related("union")
    batch = visible_or_404(rows, request.user, "core.add_hold", pk=importbatch_pk)
    return ask_hold(request, batch, batch.union, batch.file_name, retention.hold_on(batch))

"""The floor in the admin: the reference tables, to be kept; the audit trail and the work of the pages, to be read."""

import json

from allauth.account import admin as _account_admin  # noqa: F401 it registers what is taken out again below
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.models import (
    AuditEvent,
    AuditRestriction,
    AuditSeal,
    CalendarDay,
    CalendarYear,
    Deadline,
    DeadlineRule,
    Digest,
    ImportBatch,
    Job,
    Paper,
    Reminder,
    RetentionRule,
    Setting,
)
from core.resources import (
    CalendarDayResource,
    CalendarYearResource,
    DeadlineRuleResource,
    RetentionRuleResource,
    SettingResource,
)
from core.scoped_admin import ReadOnlyAdmin
from core.standards_admin import StandardsAdmin

ERASED = _("erased: not shown any more")
admin.site.unregister([EmailAddress, Authenticator])  # allauth's own tables: nobody changes them by hand


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The trail, but for the words about people whose data was erased: those are shown to nobody any more."""

    list_display = ("id", "at", "actor_name", "verb_code", "target_shown", "reason_shown", "address")
    search_fields = ("verb__startswith", "actor_name__startswith", "target_id__exact", "request_id__exact")
    fields = (
        "id", "at", "actor_id", "actor_name", "verb", "target_label", "target_id", "target_shown", "union_id",
        "changes_shown", "reason_shown", "request_id", "address", "uuid", "mac",
    )  # fmt: skip

    def get_queryset(self, request):
        same = AuditRestriction.objects.filter(target_label=OuterRef("target_label"), target_id=OuterRef("target_id"))
        return super().get_queryset(request).annotate(restricted=Exists(same))

    @admin.display(description=_("target in words"))
    def target_shown(self, event):
        return ERASED if event.restricted else event.target_text

    @admin.display(description=_("changes"))
    def changes_shown(self, event):
        return ERASED if event.restricted else json.dumps(event.changes, ensure_ascii=False)

    @admin.display(description=_("reason"))
    def reason_shown(self, event):
        return ERASED if event.restricted else event.reason

    @admin.display(description=_("verb"), ordering="verb")
    def verb_code(self, event):
        return format_html("<code>{}</code>", event.verb)


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "from_id", "to_id", "count", "digest")


@admin.register(DeadlineRule)
class DeadlineRuleAdmin(StandardsAdmin):
    resource_classes = [DeadlineRuleResource]
    fixed = ("code",)
    list_display = ("name", "counted", "side", "status", "legal_basis", "identity")
    list_filter = ("side", "unit", "unit_status", "jurisdiction")
    search_fields = ("code__icontains", "name__icontains", "legal_basis__icontains")

    @admin.display(description=_("length"))
    def counted(self, rule):
        return f"{rule.length} {rule.get_unit_display()}"

    @admin.display(description=_("status"))
    def status(self, rule):
        labels = dict.fromkeys([rule.get_length_status_display(), rule.get_unit_status_display()])
        return " / ".join(map(str, labels))

    @admin.display(description=_("code"), ordering="code")
    def identity(self, rule):
        return format_html("<code>{}</code>", rule.code)


class InYear(admin.SimpleListFilter):
    """The days of one year, of those in the calendar."""

    title = _("year")
    parameter_name = "year"

    def lookups(self, request, model_admin):
        return [(str(year), str(year)) for year in CalendarYear.objects.values_list("year", flat=True)]

    def queryset(self, request, queryset):
        return queryset.filter(date__year=int(self.value())) if self.value() in dict(self.lookup_choices) else queryset


@admin.register(CalendarDay)
class CalendarDayAdmin(StandardsAdmin):
    resource_classes = [CalendarDayResource]
    fixed = ("date",)
    list_display = ("date", "kind", "name", "notice_no")
    list_filter = ("kind", InYear)


@admin.register(CalendarYear)
class CalendarYearAdmin(StandardsAdmin):
    resource_classes = [CalendarYearResource]
    fixed = ("year",)
    list_display = ("year", "notice_no", "state")

    @admin.display(description=_("status"), ordering="published")
    def state(self, year):
        return _("published") if year.published else _("not yet published")


@admin.register(Setting)
class SettingAdmin(StandardsAdmin):
    resource_classes = [SettingResource]
    fixed = ("key",)
    list_display = ("label", "value", "status", "valid_from", "valid_to", "legal_basis", "identity")
    list_filter = ("status",)
    search_fields = ("key__icontains", "label__icontains")

    @admin.display(description=_("key"), ordering="key")
    def identity(self, setting):
        return format_html("<code>{}</code>", setting.key)


@admin.register(RetentionRule)
class RetentionRuleAdmin(StandardsAdmin):
    resource_classes = [RetentionRuleResource]
    fixed = ("kind",)
    list_display = ("name", "kept", "starts", "status", "legal_basis", "identity")
    list_filter = ("status",)

    @admin.display(description=_("length"))
    def kept(self, rule):
        return f"{rule.length} {rule.get_unit_display()}"

    @admin.display(description=_("kind"), ordering="kind")
    def identity(self, rule):
        return format_html("<code>{}</code>", rule.kind)


# --- The work of the pages, to look something up ------------------------------------------------------------


@admin.register(Deadline)
class DeadlineAdmin(ReadOnlyAdmin):
    labels = {"rule": _("period"), "closed_on": _("closed on"), "owner": _("who keeps it")}
    list_display = ("title", "rule", "union", "side", "due", "state", "closed_on")
    list_select_related = ("rule", "union")
    list_filter = ("state", "side", "provisional")
    ordering = ("-pk",)
    search_fields = ("title__startswith", "rule__code__exact")
    fields = (
        "title", "rule", "union", "side", "owner", "trigger", "natural", "due", "other_due", "derivation",
        "provisional", "state", "closed_on", "reason",
    )  # fmt: skip


@admin.register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    labels = {"deadline": _("about")}
    list_display = ("deadline", "stage", "union", "created_at")
    list_select_related = ("deadline", "union")
    ordering = ("-pk",)
    search_fields = ("rule_code__exact",)
    fields = ("deadline", "stage", "union", "created_at")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    labels = {"created_by": _("asked for by"), "attempts": _("attempts"), "heartbeat_at": _("last heard of")}
    list_display = ("id", "title", "union", "created_by", "created_at", "state", "finished_at")
    list_display_links = ("title",)
    list_select_related = ("union", "created_by")
    list_filter = ("state",)
    ordering = ("-pk",)
    search_fields = ("title__startswith",)
    fields = (
        "task", "title", "union", "created_by", "created_at", "state", "done", "total", "message", "attempts",
        "heartbeat_at", "finished_at",
    )  # fmt: skip


@admin.register(Paper)
class PaperAdmin(ReadOnlyAdmin):
    labels = {"asked_by_name": _("asked for by"), "replaces": _("replaces")}
    list_display = ("title", "number", "union", "state", "asked_by_name", "issued_at")
    list_select_related = ("union",)
    list_filter = ("state",)
    ordering = ("-pk",)
    search_fields = ("number__startswith", "title__startswith")
    fields = (
        "kind", "number", "title", "union", "state", "pages", "rows", "size", "sha256", "asked_by_name", "asked_at",
        "issued_at", "replaces", "reason",
    )  # fmt: skip


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    labels = {"created_by": _("uploaded by"), "committed_by": _("stored by"), "undone_by": _("taken back by")}
    list_display = ("file_name", "kind", "union", "state", "created_by", "created_at", "committed_at")
    list_select_related = ("union", "created_by")
    list_filter = ("state",)
    ordering = ("-pk",)
    search_fields = ("file_name__startswith",)
    fields = (
        "file_name", "kind", "union", "state", "sha256", "message", "created_by", "created_at", "committed_by",
        "committed_at", "undone_by", "undone_at",
    )  # fmt: skip


@admin.register(Digest)
class DigestAdmin(ReadOnlyAdmin):
    labels = {
        "user": _("user"),
        "day": _("day"),
        "state": _("state"),
        "duties": _("number of duties"),
        "claimed_at": _("prepared"),
        "sent_at": _("e-mail sent"),
    }
    list_display = ("user", "day", "state", "duties", "sent_at")
    list_select_related = ("user",)
    list_filter = ("state",)
    ordering = ("-pk",)
    fields = ("user", "day", "state", "duties", "claimed_at", "sent_at")

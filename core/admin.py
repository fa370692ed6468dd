"""The floor in the admin: the reference tables, to be kept, and the audit trail, to be read."""

from allauth.account import admin as _account_admin  # noqa: F401 it registers what is taken out again below
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.models import AuditEvent, AuditSeal, CalendarDay, CalendarYear, DeadlineRule, Setting
from core.resources import CalendarDayResource, CalendarYearResource, DeadlineRuleResource, SettingResource
from core.scoped_admin import ScopedModelAdmin
from core.standards_admin import StandardsAdmin

admin.site.unregister([EmailAddress, Authenticator])  # allauth's own tables: nobody changes them by hand


class TrailAdmin(ScopedModelAdmin):
    """For reading only: the database refuses everything else anyway."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(TrailAdmin):
    list_display = ("id", "at", "actor_name", "verb_code", "target_text", "reason", "address")
    search_fields = ("verb__startswith", "actor_name__startswith", "target_id__exact", "request_id__exact")

    @admin.display(description=_("verb"), ordering="verb")
    def verb_code(self, event):
        return format_html("<code>{}</code>", event.verb)


@admin.register(AuditSeal)
class AuditSealAdmin(TrailAdmin):
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

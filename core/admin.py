"""The floor in the admin: the reference tables, to be kept, and the audit trail, to be read."""

from allauth.account import admin as _account_admin  # noqa: F401 it registers what is taken out again below
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from django.contrib import admin

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
    list_display = ("id", "at", "actor_name", "verb", "target_text", "reason", "address")
    search_fields = ("verb__startswith", "actor_name__startswith", "target_id__exact", "request_id__exact")


@admin.register(AuditSeal)
class AuditSealAdmin(TrailAdmin):
    list_display = ("id", "at", "from_id", "to_id", "count", "digest")


@admin.register(DeadlineRule)
class DeadlineRuleAdmin(StandardsAdmin):
    resource_classes = [DeadlineRuleResource]
    fixed = ("code",)
    list_display = ("code", "name", "length", "unit", "backward", "roll", "side", "length_status", "unit_status")
    list_filter = ("side", "unit", "length_status", "unit_status", "jurisdiction")
    search_fields = ("code__icontains", "name__icontains", "legal_basis__icontains")


@admin.register(CalendarDay)
class CalendarDayAdmin(StandardsAdmin):
    resource_classes = [CalendarDayResource]
    fixed = ("date",)
    list_display = ("date", "kind", "name", "notice_no")
    list_filter = ("kind", "name")
    date_hierarchy = "date"


@admin.register(CalendarYear)
class CalendarYearAdmin(StandardsAdmin):
    resource_classes = [CalendarYearResource]
    fixed = ("year",)
    list_display = ("year", "notice_no", "published")


@admin.register(Setting)
class SettingAdmin(StandardsAdmin):
    resource_classes = [SettingResource]
    fixed = ("key",)
    list_display = ("key", "label", "value", "status", "valid_from", "valid_to", "legal_basis")
    list_filter = ("status",)
    search_fields = ("key__icontains", "label__icontains")

"""The floor in the admin: the audit trail, to be read."""

from allauth.account import admin as _account_admin  # noqa: F401 it registers what is taken out again below
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from django.contrib import admin

from core.models import AuditEvent, AuditSeal
from core.scoped_admin import ScopedModelAdmin

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

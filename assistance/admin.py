"""The hardship policy in the admin: standards and rules of money, each with its legal basis and how far it is known."""

from django.contrib import admin

from assistance.models import FundRule, LivingStandard
from assistance.resources import FundRuleResource, LivingStandardResource
from core.standards_admin import StandardsAdmin


@admin.register(LivingStandard)
class LivingStandardAdmin(StandardsAdmin):
    resource_classes = [LivingStandardResource]
    fixed = ("area",)
    autocomplete_fields = ("area",)
    list_display = ("area", "amount", "valid_from", "valid_to", "status", "legal_basis")
    list_filter = ("status",)
    list_select_related = ("area",)
    search_fields = ("area__name__icontains", "area__code__startswith")


@admin.register(FundRule)
class FundRuleAdmin(StandardsAdmin):
    resource_classes = [FundRuleResource]
    fixed = ("fund_kind", "aid_kind")
    list_display = (
        "fund_kind", "aid_kind", "per_time", "per_year", "filed_only", "valid_from", "valid_to", "status",
    )  # fmt: skip
    list_filter = ("fund_kind", "aid_kind", "status")
    search_fields = ("legal_basis__icontains", "source__icontains")

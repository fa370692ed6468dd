"""Sheets of the hardship policy: the living standards of places, the rules of sources of money."""

from import_export.fields import Field
from import_export.widgets import ForeignKeyWidget

from assistance.models import FundRule, LivingStandard
from core.resources import StandardsResource
from unions.models import Union


class LivingStandardResource(StandardsResource):
    area = Field(attribute="area", widget=ForeignKeyWidget(Union, "code"))

    class Meta(StandardsResource.Meta):
        model = LivingStandard
        import_id_fields = ["area", "valid_from"]
        exclude = ["id"]


class FundRuleResource(StandardsResource):
    class Meta(StandardsResource.Meta):
        model = FundRule
        import_id_fields = ["fund_kind", "aid_kind", "valid_from"]
        exclude = ["id"]

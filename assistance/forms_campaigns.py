"""Forms about campaigns: making one, and giving places to a union."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance import campaigns
from assistance.forms_money import BudgetField, OwnUnionForm, YuanField
from assistance.models import Budget, CampaignKind, Category, PayMethod, Target
from core.forms import DateField, IntegerField, PortalForm
from core.models import SavedView
from members.transfer_forms import named_union
from unions.models import Union

FILED = [("", _("any"))] + [each for each in Category.choices if each[0] not in ("NONE", "NOT_ELIGIBLE")]


class CampaignForm(OwnUnionForm):
    permission = campaigns.KEEP
    kind = forms.ChoiceField(label=_("kind"), choices=CampaignKind)
    year = IntegerField(label=_("year"), min_value=2000, max_value=2100)
    name = forms.CharField(label=_("name of the campaign"), max_length=60)
    ends_on = DateField(label=_("recipients entered by"))
    target = forms.ChoiceField(label=_("meant for"), choices=Target, widget=forms.RadioSelect, initial=Target.MEMBERS)
    view = forms.ModelChoiceField(
        label=_("members chosen by a saved view"), queryset=None, required=False, empty_label="",
        help_text=_("Save the list of members with filters under a name first; empty: all members."),
    )  # fmt: skip
    category = forms.ChoiceField(label=_("category of hardship"), choices=FILED, required=False)
    budget = BudgetField(
        label=_("budget"), queryset=None, required=False, empty_label="", help_text=_("Empty: nothing is paid for")
    )
    amount = YuanField(label=_("yuan a person"), required=False, min_value=0)
    method = forms.ChoiceField(
        label=_("method"), choices=PayMethod, widget=forms.RadioSelect, initial=PayMethod.IN_KIND
    )  # fmt: skip

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        self.fields["view"].queryset = SavedView.objects.filter(user=user, page="member_list")
        budgets = Budget.objects.visible_to(user, "assistance.view_fundsource").select_related("source")
        self.fields["budget"].queryset = budgets.filter(source__expires_on__gte=timezone.localdate())
        self.initial.setdefault("year", timezone.localdate().year)

    def clean_amount(self):
        return self.cleaned_data["amount"] or 0


class PlacesForm(PortalForm):
    """So many places for a union and all below it."""

    union = forms.CharField(label=_("union"), max_length=100, help_text=_("Code or full name"))
    places = IntegerField(label=_("places"), min_value=1, max_value=100_000)

    def __init__(self, *args, campaign, **kwargs):
        super().__init__(*args, **kwargs)
        self.below = Union.objects.standing().below(campaign.union)

    def clean_union(self):
        text = self.cleaned_data["union"].strip()
        return named_union(self.below, text, _("No union below has this code or name."))

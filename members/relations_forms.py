"""Forms on which an officer declares who the account belongs to, relatives and employers."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import DateField, PortalForm
from members import identity
from members.forms import checked
from members.models import KinKind
from members.transfer_forms import named_union
from unions.models import Union


class NumberForm(PortalForm):
    """A person by name and number, as on the card."""

    name = forms.CharField(label=_("name"), max_length=50)
    id_number = forms.CharField(label=_("identity number"), max_length=40)

    def clean_name(self):
        return checked(identity.clean_name, self.cleaned_data["name"])

    def clean_id_number(self):
        return checked(identity.check_number, self.cleaned_data["id_number"])


class OwnPersonForm(NumberForm):
    act = "person"


class KinForm(NumberForm):
    act = "kin"
    kind = forms.ChoiceField(label=_("relation"), choices=KinKind.choices)
    field_order = ("kind", "name", "id_number")


class EmployerForm(PortalForm):
    act = "employer"
    union = forms.CharField(label=_("union of the employer"), max_length=100, help_text=_("Code or full name"))
    began_on = DateField(label=_("from"))
    ended_on = DateField(label=_("until"), required=False)

    def clean_union(self):
        text = self.cleaned_data["union"].strip()
        return named_union(Union.objects.standing(), text, _("No union has this code or name."))

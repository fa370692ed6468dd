"""One form for each move of a membership: the facts that the move records."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.cases import REASON_LENGTH
from core.forms import DateField, PortalForm
from members.states import NO_ADMONITION, NO_DUES_DAY, NO_IDLE_DAY, RetainedFor


def reason_field(*, required):
    return forms.CharField(
        label=_("reason"), max_length=REASON_LENGTH, required=required, widget=forms.Textarea(attrs={"rows": 3})
    )


class MoveForm(PortalForm):
    """The facts of one move, its reason, and the version of the membership that the officer looked at."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    sentence = ""  # what the move does, above the form

    def __init__(self, *args, move, membership, **kwargs):
        super().__init__(*args, initial={"version": membership.version, **self.first_values()}, **kwargs)
        self.fields["reason"] = reason_field(required=move.reason_required)

    def first_values(self):
        return {"on": timezone.localdate()} if "on" in self.base_fields else {}

    def facts(self):
        return {name: value for name, value in self.cleaned_data.items() if name not in ("version", "reason")}


class RetainForm(MoveForm):
    sentence = _("The member stays on the roll without vote and without dues, until the membership is restored.")
    kind = forms.ChoiceField(label=_("retained because"), choices=RetainedFor, widget=forms.RadioSelect)
    since = DateField(label=_("retained since"))


class RestoreForm(MoveForm):
    sentence = _("The member votes and pays dues again.")
    on = DateField(label=_("restored on"))


class WithdrawForm(MoveForm):
    sentence = _("Leaving is free; it takes the member's own written request.")
    requested_on = DateField(label=_("written request of"))
    on = DateField(label=_("withdrawn on"))


class DeemForm(MoveForm):
    sentence = _(
        "Only with three recorded facts: no dues, no part in union life, and an admonition that did not help. "
        "You decide; nothing ends by itself."
    )
    dues_since = DateField(label=_("no dues paid since"), error_messages={"required": NO_DUES_DAY})
    idle_since = DateField(label=_("no part in union life since"), error_messages={"required": NO_IDLE_DAY})
    admonished_on = DateField(label=_("admonished on"), error_messages={"required": NO_ADMONITION})
    on = DateField(label=_("decided on"))


class ExpelForm(MoveForm):
    sentence = _("Only by a decision of the committee.")
    decided_on = DateField(label=_("decided on"))
    decision_no = forms.CharField(label=_("number of the decision"), max_length=60)


class DeathForm(MoveForm):
    sentence = _("The membership ends with this day. A transfer under way falls away.")
    on = DateField(label=_("died on"))

    def first_values(self):
        return {}


class ReopenForm(MoveForm):
    sentence = _("The ending was a mistake: the membership goes on as it was before. Steps and reasons stay on record.")


FORMS = {
    "retain": RetainForm,
    "restore": RestoreForm,
    "withdraw": WithdrawForm,
    "deem": DeemForm,
    "expel": ExpelForm,
    "record_death": DeathForm,
    "reopen": ReopenForm,
}

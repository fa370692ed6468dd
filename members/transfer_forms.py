"""Forms about transfers: asking from either side, and answering."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import PortalForm
from members import identity
from members.forms import checked
from members.models import Transfer
from members.move_forms import reason_field
from unions.models import Union

OFFERED = 200  # unions offered while typing


def named_union(unions, text, nobody):
    """Return the one of `unions` with this code or full name, or refuse; `nobody`: the sentence for none."""
    found = list(unions.filter(code=text)[:1]) or list(unions.filter(name=text)[:2])
    if not found:
        raise forms.ValidationError(nobody)
    if len(found) > 1:
        raise forms.ValidationError(_("Several unions have this name: type the code."))
    return found[0]


class AskForm(PortalForm):
    """Why the member moves: short, and without numbers."""

    reason = forms.CharField(label=_("reason"), max_length=200, required=False)


class LeaveForm(AskForm):
    """The union left says where the member goes: a union of the register, or the name of one outside it."""

    membership = forms.IntegerField(widget=forms.HiddenInput)
    to_union = forms.CharField(
        label=_("to which union"),
        max_length=100,
        required=False,
        help_text=_("Code or full name"),
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    to_name = forms.CharField(
        label=_("or a union outside the register"),
        max_length=100,
        required=False,
        help_text=_("In another city or industry: you record here what it answers."),
    )
    field_order = ("to_union", "to_name", "reason")

    def clean_to_union(self):
        text = self.cleaned_data["to_union"].strip()
        return named_union(Union.objects.standing(), text, _("No union has this code or name.")) if text else None

    def clean(self):
        cleaned = super().clean()
        if not self.errors and bool(cleaned["to_union"]) == bool(cleaned["to_name"]):
            self.add_error("to_union", _("Name the union the member goes to: one of the register, or one outside it."))
        return cleaned

    def facts(self):
        """The keyword arguments for `transfers.ask_transfer`."""
        return {name: self.cleaned_data[name] for name in ("to_union", "to_name", "reason")}


class JoinForm(AskForm):
    """The union joined asks for a person by the card in hand."""

    union = forms.CharField(label=_("joins the union"), max_length=100, help_text=_("Code or full name"))
    name = forms.CharField(label=_("name"), max_length=50)
    id_number = forms.CharField(
        label=_("identity number"), max_length=40, widget=forms.TextInput(attrs={"inputmode": "latin"})
    )
    field_order = ("union", "id_number", "name", "reason")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = Union.objects.standing().visible_to(user, Transfer.ASK)
        self.offered = list(self.kept.order_by("path").values_list("name", flat=True)[: OFFERED + 1])
        if len(self.offered) == 1:
            self.initial.setdefault("union", self.offered[0])
        elif len(self.offered) > OFFERED:
            self.offered = []
        self.fields["union"].widget.attrs["list"] = "unions"
        first = "id_number" if self.initial.get("union") else "union"
        self.fields[first].widget.attrs["autofocus"] = True

    def clean_union(self):
        text = self.cleaned_data["union"].strip()
        return named_union(self.kept, text, _("No union that you keep has this code or name."))

    def clean_name(self):
        return checked(identity.clean_name, self.cleaned_data["name"])

    def clean_id_number(self):
        return checked(identity.check_number, self.cleaned_data["id_number"]).number

    def facts(self):
        """The keyword arguments for `transfers.ask_by_number`."""
        return {name: self.cleaned_data[name] for name in ("union", "name", "id_number", "reason")}


class AnswerForm(PortalForm):
    """One move of a transfer: which, why if somebody may ask, and the version that was looked at."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    move = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, move, transfer, **kwargs):
        initial = {"version": transfer.version, "move": move.name}
        super().__init__(*args, initial=initial, auto_id=f"id_{move.name}_%s", **kwargs)
        self.made = move
        if move.name != "accept":
            self.fields["reason"] = reason_field(required=move.reason_required)
        elif transfer.to_union is None:
            self.fields["reason"] = forms.CharField(label=_("receipt: number or date"), max_length=60, required=False)

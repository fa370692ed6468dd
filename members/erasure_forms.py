"""Forms about erasing a person's data: asking, and deciding."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.cases import REASON_LENGTH
from core.forms import DateField, PortalForm
from members.models import ErasureGround
from members.move_forms import reason_field


class AskErasureForm(PortalForm):
    """On what ground the data is to go: a request with its day, or the end of the period."""

    ground = forms.ChoiceField(label=_("ground"), choices=ErasureGround, widget=forms.RadioSelect)
    requested_on = DateField(
        label=_("request received on"), required=False, help_text=_("Only when the person asked for it.")
    )
    reason = forms.CharField(
        label=_("reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Without name and numbers: the reason is kept when they are gone."),
    )


class DecideErasureForm(PortalForm):
    """One move of an erasure: which, why if somebody may ask, and the version that was looked at."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    move = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, move, erasure, **kwargs):
        initial = {"version": erasure.version, "move": move.name}
        super().__init__(*args, initial=initial, auto_id=f"id_{move.name}_%s", **kwargs)
        self.made = move
        self.fields["reason"] = reason_field(required=move.reason_required)

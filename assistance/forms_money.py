"""Forms about money: sources, budgets, asking for a grant, its moves, hand-outs, and settling what a bank answered."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance import money
from assistance.models import AidKind, FundKind, PayMethod
from core.forms import DateField, IntegerField, PortalForm, half_width
from members.move_forms import reason_field
from members.transfer_forms import OFFERED, named_union
from unions.models import Union

FILES = ".xlsx,.csv"


class YuanField(forms.DecimalField):
    """An amount in yuan, also typed in full width or with thousands separators; finer than a fen is refused."""

    widget = forms.TextInput

    def __init__(self, **kwargs):
        super().__init__(max_digits=15, decimal_places=2, **kwargs)

    def to_python(self, value):
        if isinstance(value, str):
            value = half_width(value).replace(",", "").removesuffix("元")
        return super().to_python(value)

    def widget_attrs(self, widget):
        return {"inputmode": "decimal"}


class OwnUnionForm(PortalForm):
    """Begins with the union it is about: one of those where the user holds `permission`, by code or full name."""

    permission = ""
    union = forms.CharField(label=_("union"), max_length=100, help_text=_("Code or full name"))

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = Union.objects.standing().visible_to(user, self.permission)
        offered = list(self.kept.order_by("path").values_list("name", flat=True)[:OFFERED])
        self.offered = offered if len(offered) < OFFERED else offered[:1]
        self.fields["union"].widget.attrs["list"] = "unions"
        if offered:
            self.initial.setdefault("union", offered[0])

    def clean_union(self):
        text = self.cleaned_data["union"].strip()
        return named_union(self.kept, text, _("No union that you keep has this code or name."))


class SourceForm(OwnUnionForm):
    permission = money.KEEP
    kind = forms.ChoiceField(label=_("source of money"), choices=FundKind)
    year = IntegerField(label=_("year"), min_value=2000, max_value=2100)
    name = forms.CharField(label=_("name of the source"), max_length=60)
    amount = YuanField(label=_("amount, yuan"))
    expires_on = DateField(label=_("to be used by"), required=False, help_text=_("Empty: the end of the year"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial.setdefault("year", timezone.localdate().year)


class AppropriateForm(PortalForm):
    """More money for a source, or less."""

    amount = YuanField(label=_("amount, yuan"), help_text=_("Below 0: taken back from what is in no budget yet"))
    reason = reason_field(required=True)


class AllotForm(PortalForm):
    """Money of a source into the budget of one kind of aid, or back."""

    aid_kind = forms.ChoiceField(label=_("kind of aid"), choices=AidKind)
    amount = YuanField(label=_("amount, yuan"), help_text=_("Below 0: back from the budget"))


class BudgetField(forms.ModelChoiceField):
    def label_from_instance(self, budget):
        return f"{budget.get_aid_kind_display()} · {budget.source} · {budget.source.get_kind_display()}"


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, person):
        return f"{person.name} ({person.get_kin_display()})"


class AskForm(PortalForm):
    """A grant for somebody of a household."""

    of = PersonField(label=_("for whom"), queryset=None, empty_label=None)
    budget = BudgetField(label=_("kind of aid and source"), queryset=None, empty_label="")
    amount = YuanField(label=_("amount, yuan"))
    method = forms.ChoiceField(
        label=_("method"), choices=PayMethod, widget=forms.RadioSelect, initial=PayMethod.BANK
    )  # fmt: skip
    reason = reason_field(required=False)

    def __init__(self, *args, case, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["of"].queryset = case.people.all()
        self.fields["budget"].queryset = money.offered(case, timezone.localdate())


class GrantMoveForm(PortalForm):
    """One move of a grant: which, why, and the version that was looked at."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    move = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, move, grant, **kwargs):
        initial = {"version": grant.version, "move": move.name}
        super().__init__(*args, initial=initial, auto_id=f"id_{move.name}_%s", **kwargs)
        self.made = move
        self.fields["reason"] = reason_field(required=move.reason_required)


class HandOutForm(PortalForm):
    """Who signed for a thing and when; or why it was not handed out."""

    signed_by = forms.CharField(label=_("signed by"), max_length=100, required=False)
    signed_on = DateField(label=_("signed on"), required=False)
    reason = forms.CharField(label=_("or why it was not handed out"), max_length=200, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial.setdefault("signed_on", timezone.localdate())


class ReturnForm(PortalForm):
    file = forms.FileField(
        label=_("Return file of the bank"), allow_empty_file=True, widget=forms.FileInput(attrs={"accept": FILES})
    )


class SettleForm(PortalForm):
    """What became of one line that waits."""

    line = forms.IntegerField(widget=forms.HiddenInput)
    outcome = forms.ChoiceField(
        label=_("outcome"),
        choices=[
            (money.PAID_AFTER_ALL, _("paid")),
            (money.NOT_PAID, _("not paid out")),
            (money.NOTED, _("noted, nothing changes")),
        ],
    )
    reason = forms.CharField(label=_("reason"), max_length=150)

    def __init__(self, *args, line, **kwargs):
        super().__init__(*args, initial={"line": line.pk}, auto_id=f"id_line{line.pk}_%s", **kwargs)

"""One form for each move of a hardship case: the facts that it records."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance import visits
from assistance.models import ExitCode, VisitOpinion
from assistance.moves import CLOSINGS, EXITS
from core.cases import REASON_LENGTH
from core.forms import DateField, IntegerField, PortalForm
from core.models import User
from members.move_forms import reason_field

FOUND_LENGTH = 4000


def _codes(names):
    return [("", ""), *((code, ExitCode(code).label) for code in names)]


class MoveForm(PortalForm):
    """A move, its reason, and the version of the case that was looked at."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    move = forms.CharField(widget=forms.HiddenInput)
    sentence = ""  # what the move does, above the form

    def __init__(self, *args, move, case, user, **kwargs):
        initial = {"version": case.version, "move": move.name, **self.first_values(case)}
        super().__init__(*args, initial=initial, auto_id=f"id_{move.name}_%s", **kwargs)
        self.made = move
        self.fields["reason"] = reason_field(required=move.reason_required)
        if not move.reason_required:
            self.fields["reason"].label = _("remark")

    def first_values(self, case):
        return {name: timezone.localdate() for name in ("on", "applied_on") if name in self.base_fields}

    def facts(self):
        return {name: value for name, value in self.cleaned_data.items() if name not in ("version", "move", "reason")}


class VisitForm(MoveForm):
    sentence = _("Write what was seen and heard; it is kept sealed.")
    on = DateField(label=_("visited on"))
    opinion = forms.ChoiceField(label=_("opinion"), choices=VisitOpinion, widget=forms.RadioSelect)
    found = forms.CharField(
        label=_("what was found"), max_length=FOUND_LENGTH, widget=forms.Textarea(attrs={"rows": 5})
    )
    others = forms.ModelMultipleChoiceField(
        label=_("went along, with an account"),
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    names = forms.CharField(
        label=_("went along, without an account"),
        required=False,
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("One name a line."),
    )

    def __init__(self, *args, case, user, **kwargs):
        super().__init__(*args, case=case, user=user, **kwargs)
        self.fields["others"].queryset = visits.colleagues(case, user)

    def clean_names(self):
        return self.cleaned_data["names"].splitlines()


class AppraiseForm(MoveForm):
    sentence = _("The meeting of colleagues or neighbours that spoke about the household.")
    on = DateField(label=_("held on"))
    present = IntegerField(label=_("present"), min_value=1, max_value=100_000)
    favour = IntegerField(label=_("in favour"), min_value=0, max_value=100_000)
    against = IntegerField(label=_("against"), min_value=0, max_value=100_000, initial=0)


class StartReviewForm(MoveForm):
    sentence = _("The household is asked anew: people, incomes and expenses of the twelve months before this day.")
    on = DateField(label=_("reviewed as of"))


class ExitForm(MoveForm):
    sentence = _("The household leaves and is watched for a time, so that a fall back is seen.")
    code = forms.ChoiceField(label=_("how it ended"), choices=_codes(EXITS))
    months = IntegerField(
        label=_("months above the line"),
        required=False,
        min_value=0,
        max_value=1200,
        help_text=_("Only for «out of hardship»: how many months in a row."),
    )


class CloseForm(MoveForm):
    sentence = _("The file ends; nobody is watched afterwards.")
    code = forms.ChoiceField(label=_("how it ended"), choices=_codes(CLOSINGS))


class ReenterForm(MoveForm):
    sentence = _("A new application in the same file: the people are carried on, figures and consents are asked anew.")
    applied_on = DateField(label=_("applied on"))


FORMS = {
    "visit": VisitForm,
    "appraise": AppraiseForm,
    "start_review": StartReviewForm,
    "exit": ExitForm,
    "close": CloseForm,
    "reenter": ReenterForm,
}


def form_for(move, *args, **kwargs):
    """The form of a move; those without facts of their own have the plain one."""
    return FORMS.get(move.name, MoveForm)(*args, move=move, **kwargs)

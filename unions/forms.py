"""Forms about unions: their facts, an election with its officers, one officer coming or going."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import names, uscc
from core.forms import DateField, IntegerField, PortalForm, PortalModelForm, VersionedForm, half_width, portal_field
from unions.actions import FACTS
from unions.models import Officer, Position, Sex, Union, UnionKind
from unions.terms import term_lengths

# The rows that an election form begins with, in the order of a result sheet.
SEATS = (
    Position.CHAIR, Position.VICE_CHAIR, Position.AUDIT_HEAD, Position.WOMEN_HEAD, *[Position.MEMBER] * 6,
)  # fmt: skip


def credit_code(text):
    """Return the credit code typed as `text` in its one form, or "". Raises ValidationError."""
    code = uscc.normalise(text or "")
    if code and (fault := uscc.fault_of(code)):
        raise forms.ValidationError(fault)
    return code


class UnionFacts(forms.ModelForm):
    """What a person typed about a union, checked as an import checks it; here and in the admin."""

    def clean_name(self):
        name = half_width(self.cleaned_data["name"])
        if not any(character.isalpha() for character in name):
            raise forms.ValidationError(_("Write the full name of the union, as on its seal."))
        return name

    def clean_uscc(self):
        return credit_code(self.cleaned_data["uscc"]) or None

    def clean_employer_uscc(self):
        return credit_code(self.cleaned_data["employer_uscc"])

    def clean_founded_on(self):
        day = self.cleaned_data["founded_on"]
        if day and day > timezone.localdate():
            raise forms.ValidationError(_("This day has not come yet."))
        return day

    def clean_contact_phone(self):
        phone = half_width(self.cleaned_data["contact_phone"])
        if phone and sum(character.isdigit() for character in phone) < 7:
            raise forms.ValidationError(_("Write a telephone number of at least 7 digits."))
        return phone


class UnionForm(UnionFacts, PortalModelForm):
    """What is known of a union (rulebook §1.10), grouped as on the registration sheet."""

    GROUPS = (
        (_("Union"), ("name", "code", "kind", "uscc", "founded_on", "approval_no", "term_years")),
        (
            _("Employer"),
            ("employer_name", "employer_uscc", "employer_category", "industry", "address",
             "employees", "women_employees", "migrant_employees"),
        ),
        (_("Legal person and contact"), ("legal_person", "certificate_until", "contact_name", "contact_phone")),
    )  # fmt: skip

    term_years = forms.TypedChoiceField(
        label=_("length of term"),
        choices=[("", "—"), (3, _("3 years")), (5, _("5 years"))],
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Federations and industrial unions have five years."),
    )

    class Meta:
        model = Union
        fields = FACTS
        formfield_callback = portal_field
        error_messages = {
            "code": {"unique": _("Another union has this code.")},
            "uscc": {"unique": _("Another union has this credit code: compare both with their certificates.")},
        }

    template_name = "unions/union_fields.html"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        below = self.instance.parent_id is not None
        kinds = [(kind.value, kind.label) for kind in UnionKind if not (below and kind == UnionKind.CITY_FED)]
        self.fields["kind"].choices = [("", "—"), *kinds]
        self.fields["name"].widget.attrs["autofocus"] = True

    def groups(self):
        """The visible fields as (title, bound fields)."""
        return [(title, [self[name] for name in names]) for title, names in self.GROUPS]

    def clean(self):
        cleaned = super().clean()
        kind, years = cleaned.get("kind"), cleaned.get("term_years")
        if kind and years and years not in term_lengths(kind):
            self.add_error("term_years", _("A union of this kind has a term of five years."))
        employees = cleaned.get("employees")
        for part in ("women_employees", "migrant_employees"):
            if employees is not None and (cleaned.get(part) or 0) > employees:
                self.add_error(part, _("This is more than all employees."))
        return cleaned

    def facts(self):
        """The facts for `actions.found_union`."""
        return {name: self.cleaned_data[name] for name in FACTS}


class UnionEditForm(UnionForm, VersionedForm):
    """The same for a union that is there, with its version."""


def term_choices(union):
    return [(years, _("%(years)d years") % {"years": years}) for years in term_lengths(union.kind)]


class ElectionForm(PortalForm):
    """An election: the day, the length of the term and which term it is (第几届)."""

    elected_on = DateField(label=_("elected on"))
    term_years = forms.TypedChoiceField(label=_("length of term"), coerce=int)
    number = IntegerField(label=_("term number"), min_value=1, max_value=200)

    def __init__(self, *args, union, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["term_years"].choices = term_choices(union)
        self.fields["elected_on"].widget.attrs["autofocus"] = True


class CorrectionForm(ElectionForm):
    """The record of the last election, to be corrected with a reason."""

    reason = forms.CharField(label=_("reason for the correction"), max_length=500)


class NamedForm(PortalForm):
    """A form with the name and the mobile number of an officer, written as those of members are."""

    def clean_name(self):
        name = names.normalise_name(self.cleaned_data["name"])
        if name and not names.is_name(name):
            raise forms.ValidationError(names.NAME_INVALID)
        return name

    def clean_phone(self):
        phone = names.normalise_phone(self.cleaned_data["phone"])
        if phone and not names.is_mobile(phone):
            raise forms.ValidationError(names.PHONE_INVALID)
        return phone


class SeatForm(NamedForm):
    """One row of an election's result; without a name it says nothing."""

    position = forms.ChoiceField(label=_("position"), choices=Position)
    name = forms.CharField(label=_("name"), max_length=50, required=False)
    sex = forms.ChoiceField(label=_("sex"), choices=[("", "—"), *Sex.choices], required=False)
    phone = forms.CharField(
        label=_("phone"), max_length=20, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    full_time = forms.BooleanField(label=_("full-time"), required=False)


class Seats(forms.BaseFormSet):
    """The rows of an election's result: one chair, nobody twice in the same office."""

    def clean(self):
        taken = set()
        for facts in self.officers():
            seat = (facts["position"],) if facts["position"] == Position.CHAIR else (facts["position"], facts["name"])
            if seat in taken:
                raise forms.ValidationError(
                    _("%(name)s: this office has been filled in a row above.") % {"name": facts["name"]}
                )
            taken.add(seat)

    def officers(self):
        """The facts of the rows with a name, for `actions.record_election`."""
        rows = (form.cleaned_data for form in self.forms if hasattr(form, "cleaned_data"))
        return [facts for facts in rows if facts.get("name")]


SeatFormSet = forms.formset_factory(SeatForm, formset=Seats, extra=0, max_num=40, validate_max=True)


def seats(data=None):
    """Return the rows of an election's result, bound to `data` or empty in the usual order of offices."""
    return SeatFormSet(data, prefix="seat", initial=[{"position": position} for position in SEATS])


class OfficerForm(NamedForm, PortalModelForm):
    """An officer who joins the committee in office."""

    class Meta:
        model = Officer
        fields = ("position", "name", "sex", "phone", "full_time", "started_on")
        formfield_callback = portal_field

    phone = forms.CharField(label=_("phone"), max_length=20, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["started_on"].initial = timezone.localdate()
        self.fields["position"].widget.attrs["autofocus"] = True

    def _post_clean(self):
        """The action checks the officer: here it has no committee yet."""


class OfficerEndForm(PortalForm):
    """The last day of an office."""

    on = DateField(label=_("last day in office"))
    reason = forms.CharField(label=_("reason"), max_length=500, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()

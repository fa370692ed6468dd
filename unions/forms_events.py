"""Forms about what happens to a union between two elections: its name, certificate, term, and who comes and goes."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.forms import DateField, IntegerField, PortalForm, PortalModelForm, portal_field
from unions import events, offices
from unions.forms import NamedForm, UnionFacts
from unions.models import Sex, Union


class DayForm(PortalForm):
    """Something that happened on a day, today unless said otherwise."""

    on = DateField(label=_("day"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()


def approval():
    return forms.CharField(label=_("approval number"), max_length=60, required=False)


def because(required=True):
    return forms.CharField(label=_("reason"), max_length=200, required=required)


class RenameForm(UnionFacts, PortalModelForm, DayForm):
    """A new name."""

    class Meta:
        model = Union
        fields = ("name",)
        labels = {"name": _("new name")}
        formfield_callback = portal_field

    approval_no = approval()
    reason = because(required=False)
    field_order = ("name", "on", "approval_no", "reason")

    def _post_clean(self):
        """The action checks the union under its lock."""

    def clean_uscc(self):
        """Not asked for here, as all the other facts of a union."""

    clean_employer_uscc = clean_founded_on = clean_contact_phone = clean_uscc


class CertificateForm(PortalForm):
    """A legal-person certificate as it was issued."""

    issued_on = DateField(label=_("issued on"))
    until = DateField(label=_("valid until"), help_text=_("As a rule the end of the committee's term."))
    number = forms.CharField(label=_("certificate number"), max_length=60, required=False)

    def __init__(self, *args, union, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["issued_on"].initial = timezone.localdate()
        self.fields["until"].initial = union.committee and union.committee.serves_until


class ExtensionForm(PortalForm):
    """An approved extension of the term."""

    until = DateField(label=_("extended until"))
    approval_no = forms.CharField(label=_("approval number of the higher union"), max_length=60)
    reason = because()

    def __init__(self, *args, union, **kwargs):
        super().__init__(*args, **kwargs)
        if union.committee:
            self.fields["until"].initial = offices.longest_extension(union.committee)


class IncomingForm(NamedForm, DayForm):
    """Somebody who comes into an office."""

    name = forms.CharField(label=_("name"), max_length=50)
    sex = forms.ChoiceField(label=_("sex"), choices=[("", "—"), *Sex.choices], required=False)
    phone = forms.CharField(
        label=_("phone"), max_length=20, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    full_time = forms.BooleanField(label=_("full-time"), required=False)
    approval_no = approval()


class VoteForm(DayForm):
    """A vote: of how many, and how many in favour."""

    entitled = IntegerField(
        label=_("entitled to vote"),
        min_value=1,
        max_value=10_000_000,
        help_text=_("All members, or all delegates of the congress; members with a retained membership have no vote."),
    )
    in_favour = IntegerField(label=_("in favour"), min_value=0, max_value=10_000_000)


class ByElectionForm(IncomingForm, VoteForm):
    """An officer elected into a vacant office."""

    predecessor = forms.TypedChoiceField(label=_("vacant office"))
    field_order = ("predecessor", "name", "on", "entitled", "in_favour", "sex", "phone", "full_time", "approval_no")

    def __init__(self, *args, union, **kwargs):
        super().__init__(*args, **kwargs)
        vacant = events.vacancies(union.committee) if union.committee else []
        self.vacant = {str(officer.pk): officer for officer in vacant}
        self.fields["predecessor"].choices = [
            (
                key,
                _("%(position)s, after %(name)s") % {"position": officer.get_position_display(), "name": officer.name},
            )
            for key, officer in self.vacant.items()
        ]
        self.fields["predecessor"].coerce = self.vacant.get


class ReplacementForm(IncomingForm):
    """The next candidate, who moves up."""

    reason = because()
    field_order = ("name", "on", "reason", "sex", "phone", "full_time", "approval_no")


class RemovalForm(VoteForm):
    """A removal from office by the vote of a meeting."""

    reason = because()

"""Forms about members: enrolling, changing, and the reason for looking at a number."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.fields import holds
from core.forms import PortalForm, PortalModelForm, VersionedForm, portal_field
from members import identity
from members.actions import MEMBERSHIP_FACTS, PERSON_FACTS
from members.models import Membership, Person
from unions.models import Union

HIDDEN = "******"  # stands for a residence that is recorded
OFFERED = 200  # unions offered while typing; who reaches more types the code or comes from the union's page


def person_field(name, **kwargs):
    return portal_field(Person._meta.get_field(name), **kwargs)


def checked(check, text):
    """Return what `check` of identity.py makes of the text, its refusal as the form's."""
    try:
        return check(text)
    except identity.Refused as refusal:
        raise forms.ValidationError(str(refusal)) from None


class MemberForm(PortalModelForm):
    """What is known of a member (rulebook §2.3): facts of the person and of the membership on one sheet.

    FIRST are the fields that are filled in every time; the others wait folded, in GROUPS.
    """

    id_number = forms.CharField(
        label=_("identity number"), max_length=40, widget=forms.TextInput(attrs={"inputmode": "latin"})
    )
    name = person_field("name")
    phone = forms.CharField(
        label=_("mobile phone"), max_length=30, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    ethnicity = person_field("ethnicity")
    politics = person_field("politics")
    education = person_field("education")
    hukou_kind = person_field("hukou_kind")
    hukou_place = person_field("hukou_place")
    residence = forms.CharField(label=_("residence"), max_length=100, required=False)

    FIRST = field_order = ("union", "id_number", "name", "phone", "joined_on", "employment", "department", "post")
    GROUPS = (
        (
            _("Work and membership"),
            ("occupation_group", "employment_state", "skill_level", "card_no", "dues_standard", "notes",
             "migrant_worker", "model_worker"),
        ),
        (_("The person"), ("ethnicity", "politics", "education", "hukou_kind", "hukou_place", "residence")),
    )  # fmt: skip

    class Meta:
        model = Membership
        fields = MEMBERSHIP_FACTS
        formfield_callback = portal_field

    def first_fields(self):
        return [self[name] for name in self.FIRST]

    def groups(self):
        """The folded fields: (title, bound fields, whether one of them is in error)."""
        for title, names in self.GROUPS:
            fields = [self[name] for name in names]
            yield title, fields, any(bound.errors for bound in fields)

    def has_field_errors(self):
        return any(bound.errors for bound in self.visible_fields())

    def clean_id_number(self):
        return checked(identity.check_number, self.cleaned_data["id_number"]).number

    def clean_name(self):
        return checked(identity.clean_name, self.cleaned_data["name"])

    def clean_phone(self):
        return checked(identity.clean_phone, self.cleaned_data["phone"]) if self.cleaned_data["phone"] else ""


class KeptUnion(forms.Form):
    """One union out of those the user keeps, by code or full name; dissolved ones are not among them."""

    union = forms.CharField(
        label=_("union"),
        max_length=100,
        help_text=_("Code or full name"),
        widget=forms.TextInput(attrs={"list": "unions"}),
    )

    def __init__(self, *args, user, union_pk="", **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = Union.objects.standing().visible_to(user, "members.add_membership")
        self.offered = list(self.kept.order_by("path").values_list("name", flat=True)[: OFFERED + 1])
        if union_pk.isascii() and union_pk.isdigit():
            given = self.kept.filter(pk=union_pk[:18]).values_list("code", flat=True).first()
            self.initial.setdefault("union", given or "")
        elif len(self.offered) == 1:
            self.initial.setdefault("union", self.offered[0])
        if len(self.offered) > OFFERED:
            self.offered = []
        if not self.initial.get("union"):
            self.fields["union"].widget.attrs["autofocus"] = True

    def clean_union(self):
        text = self.cleaned_data["union"].strip()
        found = list(self.kept.filter(code=text)[:1]) or list(self.kept.filter(name=text)[:2])
        if not found:
            raise forms.ValidationError(_("No union that you keep has this code or name."))
        if len(found) > 1:
            raise forms.ValidationError(_("Several unions have this name: type the code."))
        return found[0]


class EnrolForm(KeptUnion, MemberForm):
    """A person becomes a member of a union that the user keeps: the number first, sex and birth date follow from it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.initial.get("union"):
            self.fields["id_number"].widget.attrs["autofocus"] = True

    def facts(self):
        """The keyword arguments for `actions.enrol`."""
        names = ("union", "name", "id_number", *PERSON_FACTS, *MEMBERSHIP_FACTS)
        return {name: self.cleaned_data[name] for name in names}


class ChangeForm(MemberForm, VersionedForm):
    """What is known of a member, as it stands; sealed facts show as masks, and a mask left as it is changes nothing."""

    id_number = forms.CharField(
        label=_("corrected identity number"),
        max_length=40,
        required=False,
        help_text=_("Only to correct a wrong number; sex and birth date follow it."),
    )
    reason = forms.CharField(label=_("reason for the correction"), max_length=200, required=False)

    FIRST = field_order = MemberForm.FIRST[2:]
    GROUPS = (*MemberForm.GROUPS, (_("Correct the identity number"), ("id_number", "reason")))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name, value in self.values_of(self.instance).items():
            self.initial.setdefault(name, value)

    def values_of(self, record):
        person = record.person
        values = {name: getattr(record, name) for name in MEMBERSHIP_FACTS}
        values |= {name: getattr(person, name) for name in PERSON_FACTS if name not in ("phone", "residence")}
        values |= {
            "phone": person.phone_masked,
            "residence": HIDDEN if holds(person, "residence") else "",
            "id_number": "",
            "reason": "",
        }
        return values

    def clean_id_number(self):
        return super().clean_id_number() if self.cleaned_data["id_number"] else ""

    def clean_phone(self):
        return super().clean_phone() if "phone" in self.changed_data else self.cleaned_data["phone"]

    def facts(self):
        """What was changed, for `actions.change_membership`."""
        return {name: value for name, value in self.changes().items() if name != "reason"}


class RevealForm(PortalForm):
    """Why somebody looks at the numbers in clear."""

    reason = forms.CharField(label=_("reason"), max_length=200)

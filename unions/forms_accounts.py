"""Forms about accounts: inviting, resetting, leaving, coming back, giving a role, handing duties on."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.forms import DateField, PortalForm
from core.models import User
from unions.models import Union
from unions.roles import GRANTS

OFFERED = 200  # unions and colleagues offered while typing; whoever reaches more types the code or the user name


class NamedField(forms.CharField):
    """A row typed by its key or by its full name, out of `rows`; `kept` are the first of them, offered while typing."""

    def __init__(self, *, key, name_of_list, unknown, **kwargs):
        super().__init__(max_length=150, widget=forms.TextInput(attrs={"list": name_of_list}), **kwargs)
        self.key, self.unknown = key, unknown

    def offer(self, rows):
        self.rows = rows
        offered = list(rows.values_list(self.key, "name")[: OFFERED + 1])
        self.offered = offered if len(offered) <= OFFERED else []

    def clean(self, text):
        text = super().clean(text)
        if not text:
            return None
        found = list(self.rows.filter(**{self.key: text})[:1]) or list(self.rows.filter(name=text)[:2])
        if len(found) == 1:
            return found[0]
        raise forms.ValidationError(self.unknown if not found else _("Several have this name: type the code instead."))


class RoleForm(PortalForm):
    """A role at a union from one day to another."""

    role = forms.ChoiceField(label=_("role"), widget=forms.Select)
    union = NamedField(
        label=_("union"),
        help_text=_("Code or full name. The role holds here and at all unions below."),
        key="code",
        name_of_list="unions",
        unknown=_("There is no such union where you may give roles."),
    )
    valid_from = DateField(label=_("valid from"))
    valid_to = DateField(label=_("valid to"), required=False)

    def __init__(self, *args, by, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [
            ("", "—"),
            *((key, f"{role.label} — {role.sentence}") for key, role in GRANTS.items()),
        ]
        standing = Union.objects.standing().order_by("path")
        self.fields["union"].offer(standing.visible_to(by, "unions.add_appointment"))
        self.fields["valid_from"].initial = timezone.localdate()

    def clean(self):
        cleaned = super().clean()
        first, last = cleaned.get("valid_from"), cleaned.get("valid_to")
        if first and last and last < first:
            self.add_error("valid_to", _("This day is before the first one."))
        return cleaned

    def facts(self):
        """The keyword arguments of an appointment."""
        return {name: self.cleaned_data[name] for name in ("role", "union", "valid_from", "valid_to")}


class MailedForm(PortalForm):
    """A form whose one-time password can go by e-mail, when a mail server is set up and an address is known."""

    by_email = forms.BooleanField(label=_("Send the one-time password by e-mail, do not show it to me"), required=False)

    def __init__(self, *args, no_mail="", address="", **kwargs):
        super().__init__(*args, **kwargs)
        self.address = address
        if no_mail:
            self.fields["by_email"].disabled = True
            self["by_email"].help_text = no_mail

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("by_email") and not cleaned.get("email", self.address):
            self.add_error("by_email", _("There is no e-mail address."))
        return cleaned


class InviteForm(MailedForm, RoleForm):
    """A new account with its first role."""

    name = forms.CharField(label=_("name"), max_length=50)
    username = forms.CharField(
        label=_("user name"), max_length=150, help_text=_("What is typed to sign in; letters, digits or Chinese.")
    )
    email = forms.EmailField(label=_("e-mail"), required=False)
    is_staff = forms.BooleanField(
        label=_("May open the administration pages"),
        required=False,
        help_text=_("For those who keep accounts, standards or the audit trail."),
    )

    field_order = ("name", "username", "email", "role", "union", "valid_from", "valid_to", "is_staff", "by_email")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autofocus"] = True

    def clean_username(self):
        username = self.cleaned_data["username"]
        User.username_validator(username)
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError(_("There is an account with this name already."))
        return username

    def account(self):
        """The keyword arguments of the account itself."""
        return {name: self.cleaned_data[name] for name in ("username", "name", "email", "is_staff")}


class ReturnForm(MailedForm, RoleForm):
    """Somebody who had left comes back, with a new role."""

    field_order = ("role", "union", "valid_from", "valid_to", "by_email")


class ReasonForm(PortalForm):
    reason = forms.CharField(label=_("reason"), max_length=500)


class ResetForm(MailedForm, ReasonForm):
    """Why an account gets a new one-time password."""

    drop_second_factor = forms.BooleanField(
        label=_("Take the second factor off too"),
        required=False,
        help_text=_("Only if the phone and the recovery codes are lost, and you know who is asking."),
    )

    field_order = ("reason", "drop_second_factor", "by_email")


class LeaveForm(PortalForm):
    on = DateField(label=_("left on"))
    reason = forms.CharField(
        label=_("reason"), max_length=500, help_text=_("For example: retired, moved to another post.")
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()


class HandOnForm(PortalForm):
    """To whom the chosen duties go; empty: to the desk of their unions, for whoever keeps them there."""

    to = NamedField(
        label=_("colleague"),
        required=False,
        help_text=_("User name or name. Empty: the duties belong to nobody and stand on the desk of their union."),
        key="username",
        name_of_list="colleagues",
        unknown=_("There is no such colleague in your part of the tree."),
    )
    reason = forms.CharField(label=_("reason"), max_length=500, required=False)

    def __init__(self, *args, by, user, **kwargs):
        super().__init__(*args, **kwargs)
        colleagues = User.objects.visible_to(by, "core.view_user").filter(is_active=True).exclude(pk=user.pk)
        self.fields["to"].offer(colleagues.order_by("username"))

"""Forms at the door: the own password, setting up the second factor, and its code; allauth's, in our words."""

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from django import forms
from django.utils.translation import gettext_lazy as _

CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "placeholder": "", "autofocus": True}


class OwnPasswordForm(account.ChangePasswordForm):
    """A new password that nobody else knows: not the one there was."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        one_time = self.user.must_change_password
        self.fields["oldpassword"].label = _("One-time password") if one_time else _("Present password")
        self.fields["password1"].label = _("New password")
        self.fields["password2"].label = _("New password once more")
        self.fields["oldpassword"].help_text = ""
        for field in self.fields.values():
            field.widget.attrs["placeholder"] = ""
        self.fields["oldpassword"].widget.attrs["autofocus"] = True

    def clean_password1(self):
        password = self.cleaned_data["password1"]
        if self.user.check_password(password):
            raise forms.ValidationError(_("This is the password you have. Choose another one."))
        return password


class SetUpForm(totp.ActivateTOTPForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("The six digits that the app shows")
        self.fields["code"].widget.attrs.update(CODE)


class CodeForm(mfa.AuthenticateForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code from the app")
        self.fields["code"].help_text = _("Without the phone: one of your recovery codes.")
        self.fields["code"].widget.attrs.update(CODE | {"inputmode": "text"})

"""Signing in: no public sign-up, and the password rules of rulebook §6.3."""

import re

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class PortalAccountAdapter(DefaultAccountAdapter):
    """Accounts are made in the admin only."""

    def is_open_for_signup(self, request):
        return False


class CharacterClassesValidator:
    """At least three of: small letters, capitals, digits, other characters."""

    def validate(self, password, user=None):
        classes = sum(bool(re.search(pattern, password)) for pattern in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]"))
        if classes < 3:
            raise ValidationError(self.get_help_text(), code="password_classes")

    def get_help_text(self):
        return _("Use at least three of: small letters, capitals, digits, other characters.")

"""Signing in: no public sign-up, lock-out that needs no cache, sessions that end, and an event for each of these.

allauth counts failed attempts (its rate limit `login_failed`, per account and per address) in the cache it finds
under `default`. Ours forgets when Redis goes away, so the counts go to the database instead (`CACHES["limits"]`).
"""

import re
import time

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.core.internal import ratelimit
from allauth.mfa import signals as mfa_signals
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.password_validation import MinimumLengthValidator
from django.contrib.auth.views import redirect_to_login
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import transaction
from django.dispatch import receiver
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.connection import ConnectionProxy
from django.utils.functional import lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect

from core import audit, secrets
from core.middleware import client_address
from core.models import User
from core.scope import roles_of
from core.settings_table import value

ratelimit.cache = ConnectionProxy(caches, "limits")
totp.cache = (
    ratelimit.cache
)  # which codes were used already: none is taken twice, whatever becomes of Redis or the clock

RENEWED_EVERY = 60  # seconds: a session is written at most so often


def create_limits_table(using, **_signal):
    """Create the table of `CACHES["limits"]` where it is missing (post_migrate)."""
    call_command("createcachetable", database=using, verbosity=0)


def _locked():
    rates = ratelimit.get_rates(app="allauth.account", action="login_failed")
    minutes = max(rate.duration for rate in rates) // 60
    return _("Too many failed attempts. Sign-in is locked for %(minutes)d minutes.") % {"minutes": minutes}


def _ran_out():
    said = _("This one-time password has run out. Ask the security administrator of %(federation)s for a new one.")
    return said % {"federation": settings.FEDERATION_NAME}


class PortalAccountAdapter(DefaultAccountAdapter):
    """Accounts are made by invitation only; what happens at the door is an event."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": lazy(_locked, str)(),
        "username_password_mismatch": gettext_lazy("The user name or the password is wrong."),
        "incorrect_password": gettext_lazy("The password is wrong."),
        "enter_current_password": gettext_lazy("The password is wrong."),
    }

    def is_open_for_signup(self, request):
        return False

    def is_safe_url(self, url):
        """Only pages of this very host are led to after signing in."""
        return url_has_allowed_host_and_scheme(url, {self.request.get_host()}, require_https=self.request.is_secure())

    def get_client_ip(self, request):
        return client_address(request) or "-"

    def _get_login_attempts_cache_key(self, request, **credentials):
        # allauth's own has the Host header in it, and so a fresh count for every port somebody writes there.
        return credentials.get("username", "").casefold()

    def authentication_failed(self, request, **credentials):
        user = User.objects.filter(username__iexact=credentials.get("username", "")).first()
        _note_failure(request, user, self._get_login_attempts_cache_key(request, **credentials))

    def respond_user_inactive(self, request, user):
        audit.record("core.fail_sign_in", user, by=None, reason="inactive")
        return super().respond_user_inactive(request, user)

    def pre_login(self, request, user, **kwargs):
        """Refuse a one-time password whose hours are over, and say whom to ask."""
        refusal = super().pre_login(request, user, **kwargs)
        if refusal or not user.ran_out(timezone.now()):
            return refusal
        audit.record("core.fail_sign_in", user, by=None, reason="expired")
        clear_login(request)
        messages.error(request, _ran_out())
        return redirect("account_login")

    def login(self, request, user):
        super().login(request, user)
        request.session["began"] = request.session["renewed"] = int(time.time())
        audit.record("core.sign_in", user, by=user)

    def logout(self, request):
        if request.user.is_authenticated:
            audit.record("core.sign_out", request.user, by=request.user)
        super().logout(request)

    def set_password(self, user, password):
        """The user's own, known to nobody else: with it the whole portal opens."""
        with transaction.atomic():
            user.must_change_password, user.password_expires_at = False, None
            super().set_password(user, password)
            audit.record("core.set_password", user, by=user)

    def get_password_change_redirect_url(self, request):
        return resolve_url(settings.LOGIN_REDIRECT_URL)


class PortalMFAAdapter(DefaultMFAAdapter):
    """Second factors; their secrets lie sealed in the database, and a role may ask for one."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": gettext_lazy("Your role asks for the second factor: it stays on."),
        "incorrect_code": gettext_lazy("This code is wrong or too old. Type the one the app shows now."),
    }

    def can_delete_authenticator(self, authenticator):
        return not (roles_with_second_factor() & roles_of(authenticator.user))

    def encrypt(self, text):
        return secrets.seal(text, "mfa.Authenticator")

    def decrypt(self, encrypted_text):
        return secrets.unseal(encrypted_text, "mfa.Authenticator")


def roles_in(text):
    """Return the keys of roles in the value of the setting `second_factor_roles`."""
    return {key for part in text.split(",") if (key := part.strip()) and key != "none"}


def roles_with_second_factor():
    """Return the keys of the roles that ask for a second factor today."""
    try:
        return roles_in(value("second_factor_roles"))
    except LookupError:  # a setting that has ended asks for nothing, and locks nobody out
        return set()


def lacks_second_factor(user):
    """Whether a role of the user asks for a second factor, and there is none."""
    asked = roles_with_second_factor()
    return bool(asked & roles_of(user)) and not has_second_factor(user)


def has_second_factor(user):
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def drop_second_factor(user, *, by, reason=""):
    """Take the second factor off the account of somebody who has lost the device and the recovery codes.

    As with a new one-time password (`unions.accounts.reset`), only who makes accounts may.
    """
    if not by.has_perm("core.add_user", user):
        raise PermissionDenied
    with transaction.atomic():
        Authenticator.objects.filter(user=user).delete()
        audit.record("core.remove_second_factor", user, by=by, reason=reason)


def _note_failure(request, user, key):
    """Write the event of a failed attempt, and that of the lock-out it brings. No user: nobody has that name."""
    audit.record("core.fail_sign_in", user, by=None)
    if not ratelimit.consume(request, app="allauth.account", action="login_failed", key=key, dry_run=True):
        audit.record("core.lock_sign_in", user, by=None)


@receiver(mfa_signals.authentication_failed)
def second_factor_failed(sender, request, user, **_signal):
    """A wrong code counts like a wrong password (allauth's key for it)."""
    _note_failure(request, user, f"mfa-auth-user-{user.pk}")


@receiver(mfa_signals.authenticator_added)
def second_factor_added(sender, user, authenticator, **_signal):
    audit.record("core.add_second_factor", user, by=user, reason=authenticator.type)


@receiver(mfa_signals.authenticator_removed)
def second_factor_removed(sender, user, authenticator, **_signal):
    audit.record("core.remove_second_factor", user, by=user, reason=authenticator.type)


class SessionLifetimeMiddleware:
    """End a session left idle or too old (rulebook §6.3), say so, and renew the others at most once a minute.

    One begun with a one-time password ends with the password's hours: after them it is exchanged for nothing.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.user.is_authenticated:
            now = int(time.time())
            began = request.session.setdefault("began", now)
            renewed = request.session.setdefault("renewed", now)
            if request.user.ran_out(timezone.now()):
                self._end(request, "expired", _ran_out())
            elif now - began > settings.SESSION_ABSOLUTE_SECONDS:
                self._end(request, "absolute", _("You were signed out because your session had become too old."))
            elif now - renewed > settings.SESSION_IDLE_SECONDS:
                self._end(request, "idle", _("You were signed out because nothing was done for a while."))
            elif not -RENEWED_EVERY < now - renewed < RENEWED_EVERY:  # below: the clock was set back
                request.session["began"], request.session["renewed"] = min(began, now), now
        response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"  # after signing out, Back must show nobody's data
        return response

    def _end(self, request, reason, sentence):
        audit.record("core.sign_out", request.user, by=request.user, reason=reason)
        logout(request)
        messages.info(request, sentence)


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Everything is closed but what says otherwise; a partial request leads the whole page to the sign-in."""

    def handle_no_permission(self, request, view_func):
        if not request.htmx:
            return super().handle_no_permission(request, view_func)
        back = request.htmx.current_url_abs_path or "/"
        return HttpResponseClientRedirect(redirect_to_login(back, resolve_url(settings.LOGIN_URL)).url)


class FirstStepsMiddleware:
    """Lead to what must be done first, and open nothing else until it is: an own password, a second factor.

    `request.first_step` says which of the two, for the pages of these steps; "" when there is none.
    """

    STEPS = {
        "password": ("account_change_password",),
        "second_factor": ("mfa_activate_totp", "account_reauthenticate"),
    }
    ALWAYS = ("account_logout", "set_language")

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.first_step = ""
        return self.get_response(request)

    def process_view(self, request, view_func, view_args, view_kwargs):
        if not request.user.is_authenticated or not getattr(view_func, "login_required", True):
            return None
        request.first_step = first_step(request)
        if not request.first_step:
            return None
        pages = self.STEPS[request.first_step]
        if request.resolver_match.view_name in (*pages, *self.ALWAYS):
            return None
        url = resolve_url(pages[0])
        return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def first_step(request):
    """Return what the user must do first: "password", "second_factor" or nothing ("").

    Whether a role asks for a second factor is read when the session is renewed, once a minute, and for as long as it
    is due at each request.
    """
    session = request.session
    if request.user.must_change_password:
        return "password"
    if session.get("second_factor_due", True) or session.get("second_factor_read") != session["renewed"]:
        session["second_factor_due"] = lacks_second_factor(request.user)
        session["second_factor_read"] = session["renewed"]
    return "second_factor" if session["second_factor_due"] else ""


class LengthValidator(MinimumLengthValidator):
    """Django's, with a sentence in our own catalogue: Django's has no Chinese for it."""

    def get_error_message(self):
        return _("The password needs at least %(number)d characters.") % {"number": self.min_length}


class CharacterClassesValidator:
    """At least three of: small letters, capitals, digits, other characters."""

    def validate(self, password, user=None):
        classes = sum(bool(re.search(pattern, password)) for pattern in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]"))
        if classes < 3:
            raise ValidationError(self.get_help_text(), code="password_classes")

    def get_help_text(self):
        return _("Use at least three of: small letters, capitals, digits, other characters.")

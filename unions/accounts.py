"""Accounts: invited, reset, changed, ended and brought back. Nobody ever knows a lasting password of somebody else.

`by` is the acting user, or None for the system itself. An account is handled by whoever reaches all its appointments,
never by its own user, and a superuser's by a superuser only.
"""

import logging
import secrets
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from core import audit, deadlines, signin
from core.models import User
from core.settings_table import value
from unions.actions import _end_appointment, _insert, _locked, _not_in_future, _require_account, _set, appoint

logger = logging.getLogger(__name__)

FACTS = ("username", "name", "email", "is_staff", "is_active")
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another, none that needs a second key


# --- One-time passwords -----------------------------------------------------------------------------------


def _give_one_time_password(user):
    """Set a password on `user`, not yet saved, that opens only the page to choose an own one; return it.

    It exists in clear in the answer to this request, or in one e-mail, and nowhere else.
    """
    password = "-".join("".join(secrets.choice(LETTERS) for _place in range(4)) for _group in range(3))
    user.set_password(password)
    user.must_change_password = True
    user.password_expires_at = timezone.now() + timedelta(hours=int(value("one_time_password_hours")))
    return password


def why_no_mail(user=None):
    """Return the sentence why no password is sent by e-mail (to `user`), or an empty one.

    Whoever may change addresses may not give passwords, and gets none by changing the address first: for the hours of
    the setting `email_settles_hours` a changed one is sent none.
    """
    # The console's backend would write the password into a log.
    if settings.EMAIL_BACKEND.endswith(".console.EmailBackend"):
        return _("No mail server is set up, so the password is shown here.")
    if user is None or user.email_changed_at is None:
        return ""
    until = user.email_changed_at + timedelta(hours=int(value("email_settles_hours")))
    if timezone.now() >= until:
        return ""
    said = _("The e-mail address was changed at %(at)s: until %(until)s the password is shown here and not sent to it.")
    times = {"at": user.email_changed_at, "until": until}
    return said % {name: date_format(timezone.localtime(each), "Y-m-d H:i") for name, each in times.items()}


def send_one_time_password(user, password):
    """Send it to the user's address; return whether it may be sent there and the mail server took it."""
    if why_no_mail(user):
        return False
    context = {
        "user": user,
        "password": password,
        "federation": settings.FEDERATION_NAME,
        "address": settings.PUBLIC_URL + reverse("account_login"),
    }
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("%(federation)s: your account") % {"federation": settings.FEDERATION_NAME}
        mail = EmailMessage(subject, render_to_string("accounts/password_mail.txt", context), to=[user.email])
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        logger.warning("A one-time password was not sent: %s", type(error).__name__)
        return False
    return True


# --- Making, changing -------------------------------------------------------------------------------------


@transaction.atomic
def invite(*, by, username, name, email, union, role, valid_from, valid_to=None, is_staff=False):
    """Make an account with its first appointment; return it and its one-time password. It is never a superuser's."""
    if by is not None and not by.has_perm("core.add_user", union):
        raise PermissionDenied(_("Your role here does not include making accounts."))
    user = User(username=username, name=name, email=email, is_staff=is_staff)
    password = _give_one_time_password(user)
    _insert(user)
    facts = {"username": username, "name": name, "email": email, "is_staff": is_staff}
    audit.record("core.invite_user", user, by=by, changes={field: [None, new] for field, new in facts.items()})
    appoint(by=by, user=user, union=union, role=role, valid_from=valid_from, valid_to=valid_to)
    return user, password


@transaction.atomic
def change_user(user, *, by, changes):
    """Write `changes` ({name of FACTS: value}) to an account within the actor's reach and return it."""
    _require_account(by, "core.change_user", user)
    user = _locked(user)
    written = _set(user, changes, FACTS)
    if user == by and {"is_active", "is_staff"} & set(written):
        raise ValidationError(_("Nobody switches off the account they are signed in with."))
    if user.left_on and "is_active" in written:
        raise ValidationError(_("%(user)s has left. Invite this person again.") % {"user": user})
    if written:
        user.full_clean()
        if "email" in written:
            user.email_changed_at = timezone.now()
        user.save(update_fields=[*written, "email_changed_at"])
        audit.record("core.change_user", user, by=by, changes=written)
    return user


def why_no_reset(user, by):
    """Return the sentence why `by` gives this account no new password, or an empty one."""
    if user == by:
        return _("You change your own password yourself, in the menu at the top.")
    if user.left_on:
        return _("%(user)s has left. Invite this person again.") % {"user": user}
    if not user.is_active:
        return _("This account is switched off. Switch it on first.")
    return ""


@transaction.atomic
def reset(user, *, by, reason, drop_second_factor=False):
    """Give the account a new one-time password and return it; whoever is signed in with it is signed out.

    Only who makes accounts may: with a new password a system administrator would sign in as a security administrator.
    """
    _require_account(by, "core.add_user", user)
    user = _locked(user)
    if refusal := why_no_reset(user, by):
        raise ValidationError(refusal)
    password = _give_one_time_password(user)
    user.save(update_fields=["password", "must_change_password", "password_expires_at"])
    audit.record("core.reset_user", user, by=by, changes={"password": ["changed"]}, reason=reason)
    if drop_second_factor:
        signin.drop_second_factor(user, by=by, reason=reason)
    return password


# --- Leaving, coming back, handing on ---------------------------------------------------------------------


def why_no_leave(user, by):
    """Return the sentence why this account is not ended now, or an empty one."""
    if user == by:
        return _("Nobody switches off the account they are signed in with.")
    return _("%(user)s has left already.") % {"user": user} if user.left_on else ""


@transaction.atomic
def leave(user, *, by, on, reason):
    """End an account at once: appointments, sessions and password. The second factor stays for a return.

    Open duties of the user stand on the desks of their unions from now on (`Deadline.objects.desk_of`), and are listed
    for handing on until that is done.
    """
    _require_account(by, "core.change_user", user)
    user = _locked(user)
    if refusal := why_no_leave(user, by):
        raise ValidationError(refusal)
    _not_in_future("on", on)
    for appointment in user.appointments.filter(ended_on__isnull=True).select_related("union").order_by("pk"):
        _end_appointment(appointment, by, reason)
    user.is_active, user.left_on = False, on
    user.must_change_password, user.password_expires_at = False, None
    user.set_unusable_password()  # with the password go all sessions
    user.save(update_fields=["is_active", "left_on", "must_change_password", "password_expires_at", "password"])
    audit.record("core.leave_user", user, by=by, changes={"left_on": [None, on]}, reason=reason)
    return user


@transaction.atomic
def come_back(user, *, by, union, role, valid_from, valid_to=None):
    """Invite somebody who had left again: a new appointment and a one-time password, which is returned."""
    _require_account(by, "core.add_user", user)
    user = _locked(user)
    if not user.left_on:
        raise ValidationError(_("%(user)s has not left.") % {"user": user})
    left_on = user.left_on
    user.is_active, user.left_on = True, None
    password = _give_one_time_password(user)
    user.save(update_fields=["is_active", "left_on", "password", "must_change_password", "password_expires_at"])
    audit.record("core.come_back_user", user, by=by, changes={"left_on": [left_on, None]})
    appoint(by=by, user=user, union=union, role=role, valid_from=valid_from, valid_to=valid_to)
    return password


@transaction.atomic
def hand_on(user, rows, *, by, to, reason=""):
    """Hand the open duties `rows` of `user` to the colleague `to`, or to the desks of their unions (None).

    Returns how many there were. A colleague gets only what stands in the colleague's own scope.
    """
    _require_account(by, "core.change_user", user)
    rows = rows.open().filter(owner=user)
    if to is not None:
        if to == user or not to.is_active:
            raise ValidationError({"to": _("Choose a colleague whose account is in use.")})
        foreign = rows.exclude(pk__in=rows.visible_to(to, "core.view_deadline")).select_related("union").first()
        if foreign:
            said = _("%(user)s does not see the duties of %(union)s.")
            raise ValidationError({"to": said % {"user": to, "union": foreign.union}})
    return deadlines.hand_on(rows, to=to, by=by, reason=reason)

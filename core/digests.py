"""The daily e-mail: one to each user and working day, listing open duties that are overdue or due soon.

A mail cannot be sent and noted in one transaction. So each is claimed first (a `Digest` row, committed), then sent,
then marked as sent: a second worker finds the claim and leaves it. What stays claimed because a worker died is never
sent again; the next day's digest says that it may not have arrived.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import ngettext

from core import audit
from core.models import Deadline, Digest, User
from core.models.desk import DigestState
from core.reminders import working_time
from core.settings_table import value

logger = logging.getLogger(__name__)

LISTED = 30  # duties in one mail, the most urgent first; the desk has them all
NOT_SENT = (OSError, SMTPException)  # what a mail server that fails raises


def send(now):
    """Send the digests of this day that are not claimed yet, in working time only; return how many were sent.

    A run that was missed is made up for by the next one of the same day. A mail server that does not answer leaves
    what is not claimed yet to the next run.
    """
    if not working_time(now):
        return 0
    today = timezone.localdate(now)
    _doubt_earlier(today)
    counts = {DigestState.SENT: 0, DigestState.UNSURE: 0}
    with translation.override(settings.LANGUAGE_CODE):
        connection = None
        for user in _readers(today):
            mail = _written(user, today)
            if mail is None:
                continue
            connection = connection or _opened()
            if connection is None:
                break
            digest = _claim(user, today, mail.duties)
            if digest is None:
                continue
            state = _deliver(mail, connection)
            _settle(digest, state)
            counts[state] += 1
            if state == DigestState.UNSURE:
                connection.close()
                connection = None
        if connection:
            connection.close()
    if any(counts.values()):
        with transaction.atomic():
            audit.record("core.send_digests", None, by=None, changes={key.value: [0, n] for key, n in counts.items()})
    return counts[DigestState.SENT]


def _doubt_earlier(today):
    """What is still claimed from an earlier day was never noted as sent."""
    Digest.objects.filter(day__lt=today, state=DigestState.CLAIMED).update(state=DigestState.UNSURE)


def _readers(today):
    """Users who may get a digest today: with an address, not switched off, not break-glass, and none claimed yet."""
    there = Digest.objects.filter(day=today).values("user")
    return (
        User.objects.filter(
            is_active=True, is_superuser=False, must_change_password=False, wants_digest=True, email__gt=""
        )
        .exclude(pk__in=there)
        .order_by("pk")
    )


def _written(user, today):
    """Return the mail to `user`, with `duties`, how many it is about; None when nothing is overdue or due soon."""
    soon = today + timedelta(days=int(value("digest_soon_days", today)))
    duties = Deadline.objects.desk_of(user).filter(earliest__lte=soon)
    number = duties.count()
    if not number:
        return None
    late = duties.overdue(today).count()
    listed = duties.select_related("rule", "union").order_by("earliest", "id")[:LISTED]
    last = user.digests.filter(day__lt=today).first()
    context = {
        "user": user,
        "federation": settings.FEDERATION_NAME,
        "duties": listed,
        "more": max(number - LISTED, 0),
        "late": late,
        "unsure": last.day if last and last.state == DigestState.UNSURE else None,
        "desk": settings.PUBLIC_URL + reverse("desk"),
        "switch": settings.PUBLIC_URL + reverse("my_digest"),
    }
    subject = ngettext("%(federation)s: %(number)d duty", "%(federation)s: %(number)d duties", number)
    if late:
        subject = ngettext(
            "%(federation)s: %(number)d duty, %(late)d overdue",
            "%(federation)s: %(number)d duties, %(late)d overdue",
            number,
        )
    facts = {"federation": settings.FEDERATION_NAME, "number": number, "late": late}
    mail = EmailMessage(subject % facts, render_to_string("accounts/digest.txt", context), to=[user.email])
    mail.duties = number
    return mail


def _opened():
    """Return an open connection to the mail server, or None while it does not answer: then nothing is claimed."""
    connection = get_connection()
    try:
        connection.open()
    except NOT_SENT as error:
        logger.warning("The mail server does not answer (%s); digests wait for the next run.", type(error).__name__)
        return None
    return connection


def _claim(user, today, duties):
    """Return the digest of `user` for `today`, ours to send; None when another worker has it."""
    try:
        with transaction.atomic():
            return Digest.objects.create(user=user, day=today, duties=duties)
    except IntegrityError:
        return None


def _deliver(mail, connection):
    """Send `mail` and return how that ended. A server that failed half-way may have sent it: nobody knows."""
    mail.connection = connection
    try:
        mail.send()
    except NOT_SENT as error:
        logger.warning("A digest may not have been sent: %s", type(error).__name__)
        return DigestState.UNSURE
    return DigestState.SENT


def _settle(digest, state):
    digest.state = state
    digest.sent_at = timezone.now() if state == DigestState.SENT else None
    digest.save(update_fields=["state", "sent_at"])


@transaction.atomic
def switch(user, *, wanted):
    """The user takes the daily e-mail, or does without."""
    if user.wants_digest != wanted:
        user.wants_digest = wanted
        user.save(update_fields=["wants_digest"])
        audit.record("core.switch_digest", user, by=user, changes={"wants_digest": [not wanted, wanted]})

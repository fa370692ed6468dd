"""Publicity (公示): a masked notice on a public page that takes itself down by its dates, and objections to it.

Masked by construction: a page and its proof show a `Notice` and nothing else, and a `Notice` holds a masked name, the
unit's name, words of closed lists, a number of people and names of unions to object to. What is free text among these,
the names of unions, is refused when it holds a number or anything private of those concerned (PIPL; rulebook §3.2).
"""

import hashlib
import json
import secrets
import string
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, deadlines
from core.calendar import Calendar
from core.deadlocks import again_on_deadlock
from core.models import DeadlineRule, Objection, Publicity
from core.names import A_NUMBER, mask_name

DIGITS = 6  # so many in a row, whatever stands between them, may be of a number of somebody
HAN_DIGITS = frozenset("〇零○一幺壹二贰三叁四肆五伍六陆七柒八捌九玖")
SHORTEST_PRIVATE = 2  # characters: a shorter word says nothing
MOST_WAITING = 20  # unanswered objections to one publicity: further ones are taken in writing
TEXT_LEAST, TEXT_MOST, CONTACT_MOST = 10, 2000, 100
RECEIPT = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # a receipt number holds no digit: it stands where none may stand


@dataclass(frozen=True)
class Notice:
    """What is shown of somebody. `name` is masked here; `category` and `cause` are words of closed lists."""

    name: str
    unit: str
    category: StrEnum
    cause: StrEnum
    people: int
    contacts: tuple  # names of the unions that take objections

    def shown(self, private=()):
        """Return what is stored and shown, as JSON.

        `private` are texts about those concerned that must not stand in it. Raises ValidationError naming the union
        whose name cannot be published.
        """
        if not (isinstance(self.category, StrEnum) and isinstance(self.cause, StrEnum)):
            raise TypeError("Category and cause are published in words of a closed list only.")
        for name in (self.unit, *self.contacts):
            if holds_number(name) or holds_any(name, private):
                said = _("The name of %(union)s holds what must not be published: have it corrected first.")
                raise ValidationError(said % {"union": without_numbers(name) if holds_number(name) else _("the union")})
        return {
            "name": mask_name(self.name),
            "unit": self.unit,
            "category": str(self.category),
            "cause": str(self.cause),
            "people": int(self.people),
            "contacts": list(self.contacts),
        }


# --- What may not be shown -----------------------------------------------------------------------------------------


def _runs(text):
    """Yield (first, last + 1) of every run of DIGITS digits or more in `text`, whatever signs stand between them."""
    begun, count, end = 0, 0, 0
    for place, char in enumerate(text):
        if _is_digit(char):
            begun, count, end = (begun, count + 1, place + 1) if count else (place, 1, place + 1)
        elif char.isalpha():
            if count >= DIGITS:
                yield begun, end
            count = 0
    if count >= DIGITS:
        yield begun, end


def _is_digit(char):
    return char in HAN_DIGITS or unicodedata.normalize("NFKC", char)[:1].isdigit()


def holds_number(text):
    """Whether `text` holds what may be a number of somebody, also in Chinese or full-width digits or spaced out."""
    return any(True for _run in _runs(text))


def without_numbers(text):
    """Return `text` with such numbers starred out."""
    for first, last in reversed(list(_runs(text))):
        text = f"{text[:first]}***{text[last:]}"
    return text


def holds_any(text, private):
    """Whether one of the texts `private` stands in `text`, whatever the spaces and signs between its characters."""
    plain = _plain(text)
    return any(len(word) >= SHORTEST_PRIVATE and word in plain for word in map(_plain, private))


def _plain(text):
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


# --- Showing and taking down ---------------------------------------------------------------------------------------


def last_day(rule, begun_on):
    """Return the last day on which a notice begun on the date `begun_on` is shown, by a DeadlineRule."""
    return deadlines.compute(rule, begun_on, Calendar.load()).due


@transaction.atomic
def begin(notice, *, subject, union, title, rule_code, by, private=()):
    """Show `notice` of the stored row `subject` from today on and return the Publicity.

    What still stood of the same subject is taken down. Raises ValidationError when it cannot be published.
    """
    shown, today = notice.shown(private), timezone.localdate()
    take_down(subject, _("published anew"), by=by)
    rule = DeadlineRule.objects.get(code=rule_code)
    publicity = Publicity.objects.create(
        subject_type=subject._meta.label_lower, subject_id=subject.pk, union=union, title=title, shown=shown,
        token=_letters(24), digest=digest_of(title, shown), rule_code=rule_code, shown_from=today,
        shown_until=last_day(rule, today), begun_by=by, begun_by_name=str(by or ""),
    )  # fmt: skip
    changes = {
        "shown_from": [None, publicity.shown_from], "shown_until": [None, publicity.shown_until],
        "sha256": ["", publicity.digest],
    }  # fmt: skip
    audit.record("core.begin_publicity", publicity, by=by, union=union, changes=changes)
    return publicity


@transaction.atomic
def take_down(subject, why, *, by):
    """Take down what stands of `subject`, whether its dates are over or not; return how many there were."""
    standing = list(Publicity.objects.of(subject).standing().select_related("union").select_for_update(of=("self",)))
    for publicity in standing:
        publicity.taken_down_at, publicity.taken_down_why = timezone.now(), why[:200]
        publicity.save(update_fields=["taken_down_at", "taken_down_why"])
        audit.record("core.end_publicity", publicity, by=by, union=publicity.union, reason=why)
    return len(standing)


def shown_until(publicity):
    """Return the last day: the stored one, or a later one that the calendar gives by now (a holiday came to it)."""
    rule = DeadlineRule.objects.filter(code=publicity.rule_code).first()
    return max(publicity.shown_until, last_day(rule, publicity.shown_from)) if rule else publicity.shown_until


def ended_on(publicity):
    """Return the last day on which it was, or will be, shown."""
    until = shown_until(publicity)
    down = publicity.taken_down_at
    return min(until, timezone.localdate(down)) if down else until


def is_shown(publicity, today):
    """Whether everybody sees it on the date `today`: by its dates and by what it is about; nothing need have run."""
    if publicity.taken_down_at or not publicity.shown_from <= today <= shown_until(publicity):
        return False
    return _about(publicity).standing().filter(pk=publicity.subject_id).exists()


def beside(publicity, today):
    """What else the union of `publicity` shows on the date `today` of the same kind."""
    rows = Publicity.objects.shown_on(today).filter(union=publicity.union_id, subject_type=publicity.subject_type)
    return rows.filter(subject_id__in=_about(publicity).standing().values("pk")).exclude(pk=publicity.pk)


def was_stopped(publicity):
    """Whether it was taken down before its days were over."""
    down = publicity.taken_down_at
    return down is not None and timezone.localdate(down) <= shown_until(publicity)


def _about(publicity):
    """The module that answers for what is published."""
    return import_module(settings.PUBLICITY_SUBJECTS[publicity.subject_type])


def digest_of(title, shown):
    """The SHA-256 (hex) of what is shown."""
    text = json.dumps({"title": title, **shown}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def public_address(publicity):
    """The address of the public page."""
    return settings.PUBLIC_URL + reverse("publicity_public", args=[publicity.token])


def _letters(length):
    return "".join(secrets.choice(string.ascii_letters) for _place in range(length))


# --- Objections ----------------------------------------------------------------------------------------------------


@again_on_deadlock
@transaction.atomic
def object_to(publicity, *, text, contact=""):
    """Take an objection to a publicity that is shown and return it, with its receipt number.

    What it is about hears of it: `settings.PUBLICITY_SUBJECTS`. Raises ValidationError with the sentence.
    """
    text, contact = text.strip(), contact.strip()
    publicity = Publicity.objects.select_for_update(of=("self",)).select_related("union").get(pk=publicity.pk)
    if not is_shown(publicity, timezone.localdate()):
        raise ValidationError(_("This publicity is over: objections are no longer taken here. Write to the union."))
    if not TEXT_LEAST <= len(text) <= TEXT_MOST:
        said = _("Say in %(least)d to %(most)d characters what is not right.")
        raise ValidationError({"text": said % {"least": TEXT_LEAST, "most": TEXT_MOST}})
    if len(contact) > CONTACT_MOST:
        said = _("At most %(number)d characters: a name and a phone are enough.")
        raise ValidationError({"contact": said % {"number": CONTACT_MOST}})
    if publicity.objections.waiting().count() >= MOST_WAITING:
        raise ValidationError(_("Many objections are being looked into already. Write to the union, please."))
    receipt = "".join(secrets.choice(RECEIPT) for _place in range(12))
    objection = Objection.objects.create(publicity=publicity, receipt=receipt, text=text, contact=contact)
    audit.record("core.add_objection", objection, by=None, union=publicity.union)
    _about(publicity).objected(objection)
    return objection


@transaction.atomic
def answer(objection, *, by, text):
    """Record what was found out about an objection; return it. Raises ValidationError."""
    objection = Objection.objects.select_for_update(of=("self",)).get(pk=objection.pk)
    text = text.strip()
    if objection.answered_at:
        raise ValidationError(_("This objection is answered already."))
    if not TEXT_LEAST <= len(text) <= TEXT_MOST:
        said = _("Say in %(least)d to %(most)d characters what was found out.")
        raise ValidationError({"answer": said % {"least": TEXT_LEAST, "most": TEXT_MOST}})
    objection.answer, objection.answered_at, objection.answered_by = text, timezone.now(), by
    objection.save(update_fields=["answer", "answered_at", "answered_by"])
    audit.record("core.answer_objection", objection, by=by, union=objection.publicity.union)
    return objection


@transaction.atomic
def reveal_contact(objection, *, by, reason):
    """Return how the objector can be reached, and write down who looked and why. Raises ValidationError."""
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": _("Say why: the reason is kept with your name.")})
    if A_NUMBER.search(reason):
        raise ValidationError({"reason": _("Write the reason without identity or phone numbers.")})
    audit.record("core.reveal_objection", objection, by=by, union=objection.publicity.union, reason=reason)
    return objection.contact

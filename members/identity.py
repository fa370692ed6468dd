"""Identity numbers, names and mobile numbers of people: bring into one form, check, mask (rulebook §2.5, §6.4).

Pure: no table is read. A refusal carries the code of the import contract and the sentence that says what to do.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from operator import mul

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import names
from core.names import is_mobile, is_name, normalise_name, normalise_phone

PROVINCES = frozenset(
    str(number)
    for span in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for number in range(span[0], span[1] + 1)
)
RESIDENCE_PERMITS = frozenset({"81", "82", "83"})  # residents of Hong Kong, Macao and Taiwan
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
_OF_ZEROS = ord("0") * sum(WEIGHTS)
EARLIEST_BIRTH = date(1900, 1, 1)

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[0-9]{17}[0-9X]")

SENTENCES = {
    "NAME_MISSING": gettext_lazy("The name is missing: fill it in."),
    "NAME_INVALID": names.NAME_INVALID,
    "ID_MISSING": gettext_lazy("The identity number is missing: fill it in from the card."),
    "ID_LENGTH": gettext_lazy("An identity number has 18 characters: fill it in again from the card."),
    "ID_CHARACTERS": gettext_lazy("An identity number has 17 digits, then a digit or X: correct the others."),
    "ID_PROVINCE": gettext_lazy("No province has these first two digits: check the number against the card."),
    "ID_BIRTHDATE": gettext_lazy("Digits 7 to 14 are no possible birth date: check the number against the card."),
    "ID_CHECKSUM": gettext_lazy("The check digit is wrong, a digit was mistyped: check the number against the card."),
    "PHONE_INVALID": names.PHONE_INVALID,
}


class Refused(ValueError):
    """What was typed is no number or name; `code` is the contract's, the text says what to do."""

    def __init__(self, code):
        super().__init__(str(SENTENCES[code]))
        self.code = code


def too_young(born_on, joined_on, age):
    """Return the sentence when somebody was younger than `age` (a setting) on joining, else an empty one.

    A warning, not a hard stop (rulebook §2.1).
    """
    years = joined_on.year - born_on.year - ((joined_on.month, joined_on.day) < (born_on.month, born_on.day))
    said = _("Younger than %(age)d on the day of joining: check the number and the date.")
    return said % {"age": age} if years < age else ""


@dataclass(frozen=True, slots=True)
class Number:
    """A checked identity number in its one form, and what it says: sex M or F, and the birth date."""

    number: str
    sex: str
    born_on: date


def normalise_number(text):
    """Return `text` by NFKC, without white space and one leading apostrophe, its x in upper case; hyphens stay."""
    if _NUMBER.fullmatch(text):
        return text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub("", text).removeprefix("'").replace("x", "X")


def fault_of(number, today):
    """Return the code of what is wrong with a normalised `number`, or "" (rulebook §2.5, in its order)."""
    return check(number, today)[0]


def check(number, today):
    """Return (code of what is wrong with a normalised `number` or "", birth date or None)."""
    if not _NUMBER.fullmatch(number):
        return ("ID_MISSING" if not number else "ID_LENGTH" if len(number) != 18 else "ID_CHARACTERS"), None
    if number[:2] not in PROVINCES:
        return "ID_PROVINCE", None
    try:
        born_on = born_of(number)
    except ValueError:
        return "ID_BIRTHDATE", None
    if not EARLIEST_BIRTH <= born_on <= today:
        return "ID_BIRTHDATE", None
    return ("" if number[17] == check_character(number) else "ID_CHECKSUM"), born_on


def check_character(number):
    """Return the 18th character that belongs to the first 17 digits of `number` (GB 11643-1999)."""
    return CHECK_CHARACTERS[(sum(map(mul, WEIGHTS, number.encode())) - _OF_ZEROS) % 11]


def born_of(number):
    """Return the birth date in `number`. Raises ValueError when there is no such day."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def sex_of(number):
    """Return M or F: the 17th digit is odd for men."""
    return "M" if number[16] in "13579" else "F"


def check_number(text, today=None):
    """Return the `Number` that `text` holds. Raises Refused with the first fault."""
    number = normalise_number(text)
    if fault := fault_of(number, today or timezone.localdate()):
        raise Refused(fault)
    return Number(number, sex_of(number), born_of(number))


def fault_of_name(name):
    """Return the code of what is wrong with a normalised `name`, or ""."""
    if not name:
        return "NAME_MISSING"
    return "" if is_name(name) else "NAME_INVALID"


def clean_name(text):
    """Return the name that `text` holds, in its one form. Raises Refused."""
    name = normalise_name(text)
    if fault := fault_of_name(name):
        raise Refused(fault)
    return name


def clean_phone(text):
    """Return the mobile number that `text` holds, 11 digits. Raises Refused."""
    phone = normalise_phone(text)
    if not is_mobile(phone):
        raise Refused("PHONE_INVALID")
    return phone


def mask_number(number):
    """Return an identity number with its first and last four characters: 2104**********0017."""
    return f"{number[:4]}**********{number[-4:]}" if len(number) == 18 else "*" * min(len(number), 18)


def mask_phone(phone):
    """Return a mobile number as 138****1234."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) == 11 else "*" * min(len(phone), 11)


def verdict(text, today=None):
    """Return (Number or None, one sentence on why it is valid or not)."""
    try:
        number = check_number(text, today)
    except Refused as refusal:
        return None, str(refusal)
    return number, _("Valid: the province, the birth date and the check digit agree.")

"""The unified social credit code (统一社会信用代码, GB 32100-2015, rulebook §2.6): one form, and what is wrong with it.

The form is checked here, not by python-stdnum, which refuses departments that have a letter (N: rural collectives).
"""

import unicodedata

from django.utils.translation import gettext as _
from stdnum.cn import uscc

ALPHABET = frozenset("0123456789ABCDEFGHJKLMNPQRTUWXY")  # no I, O, S, V, Z


def normalise(text):
    """Return `text` by NFKC, without white space and one leading apostrophe, in upper case."""
    return "".join(unicodedata.normalize("NFKC", text).split()).removeprefix("'").upper()


def fault_of(code):
    """Return one sentence on what is wrong with a normalised `code`, or ""."""
    if not code:
        return _("The credit code is missing.")
    if len(code) != 18:
        return _("A credit code has 18 characters, this has %(length)d.") % {"length": len(code)}
    if strange := next((character for character in code if character not in ALPHABET), ""):
        shown = strange if strange.isprintable() else f"U+{ord(strange):04X}"
        return _("«%(character)s» is not used in credit codes: I, O, S, V and Z do not occur.") % {"character": shown}
    if not code[2:8].isdigit():
        return _("Characters 3 to 8 of a credit code are the digits of its division.")
    if code[17] != uscc.calc_check_digit(code[:17]):
        return _("The check character is wrong, so a character was mistyped: compare it with the certificate.")
    return ""


def is_valid(code):
    """Whether a normalised `code` is a credit code."""
    return not fault_of(code)

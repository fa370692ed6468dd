"""The one search box: what may be typed into it, and what the apps named in `settings.SEARCHES` find.

A search is a function `find(user, text, limit)` that returns at most `limit` hits, the best first, all of them in the
user's scope.
"""

import unicodedata
from dataclasses import dataclass
from itertools import groupby

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

SHORTEST, LONGEST = 2, 100
LIMIT = 10  # hits of one kind; more than these are found faster by typing more


@dataclass(frozen=True)
class Hit:
    """One thing found: its kind and name in words, what tells it from its namesakes, and its page."""

    kind: str
    label: str
    detail: str
    url: str
    exact: bool = False  # the text is its number, code or whole name
    part: str = ""  # what the text is of the label
    matched: str = ""  # what the text was found in, where the label does not show it: «pinyin», «phone»

    @property
    def pieces(self):
        """The label before, in and after the part that the text is."""
        return self.label.partition(self.part) if self.part else (self.label, "", "")


@dataclass(frozen=True)
class Found:
    """The hits of one kind, and whether there are more than are shown."""

    kind: str
    hits: list
    more: bool


class CannotSearch(ValueError):
    """The text cannot be searched for; carries the sentence that says what to type."""


def clean(text):
    """Return `text` (str) as it is searched for: NFKC, without white space around it. Raises CannotSearch."""
    text = unicodedata.normalize("NFKC", text).strip()
    if len(text) > LONGEST:
        raise CannotSearch(
            _("This is too long to search for: type at most %(longest)d characters.") % {"longest": LONGEST}
        )
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise CannotSearch(_("This holds characters that no name has: type it again by hand."))
    if len(text) < SHORTEST:
        raise CannotSearch(_("Type at least two characters: of a name, its pinyin or initials, a number, or a union."))
    return text


def find(user, text):
    """Return [Found] for `text` within the scope of `user`, kind by kind. Raises CannotSearch.

    The kind that holds an exact hit comes first, else the searches keep their order.
    """
    text = clean(text)
    hits, refusal = [], None
    for search in settings.SEARCHES:
        try:
            hits += import_string(search)(user, text, LIMIT + 1)
        except CannotSearch as error:  # not for this one: another may know the text
            refusal = error
    if refusal and not hits:
        raise refusal
    kinds = [(kind, list(each)) for kind, each in groupby(hits, key=lambda hit: hit.kind)]
    kinds.sort(key=lambda each: not any(hit.exact for hit in each[1]))
    return [Found(kind, each[:LIMIT], len(each) > LIMIT) for kind, each in kinds]

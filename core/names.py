"""How a person's name and mobile number are written: one form of each, and whether it is one. Pure."""

import re
import unicodedata

from django.utils.translation import gettext_lazy

NAME_LENGTH = 50
A_NUMBER = re.compile(r"\d{11}")  # a phone or more: it must not stand in the trail

# Han characters, 〇 and 々 among them, and everything beyond the basic plane that is written in China (rare names).
HAN = "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_GAP_IN_HAN = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")
_DOT_IN_HAN = re.compile(rf"(?<=[{HAN}])\s*[•.・·]\s*(?=[{HAN}])")
_ONE_HAN = re.compile(rf"[{HAN}]")
_PLAIN_NAME = re.compile(r"[\u4e00-\u9fa5]{1,50}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_PHONE_FILLING = re.compile(r"[\s\-\u2010-\u2015\u2212]+")
_COUNTRY = re.compile(r"^\(?(?:\+|00)?86\)?(?=1[0-9]{10}$)")

COMPOUND_SURNAMES = frozenset({
    "单于", "尉迟", "万俟", "澹台", "长孙", "令狐", "夏侯", "呼延", "诸葛", "乐正", "拓跋", "亓官", "鲜于", "皇甫",
    "宰父", "车正", "欧阳", "上官", "司马", "司徒", "司空", "慕容", "东方", "公孙", "轩辕", "端木", "南宫", "闻人",
    "独孤", "申屠",
})  # fmt: skip

NAME_INVALID = gettext_lazy(
    "This is no name of a person: write letters or Chinese characters, no digits, 50 at most, and no sign in front."
)
PHONE_INVALID = gettext_lazy("This is no mobile number of the mainland: write 11 digits.")


def normalise_name(text):
    """Return a name in its one form: NFKC, no white space between Han characters, the middle dot as «·»."""
    if _PLAIN_NAME.fullmatch(text):
        return text
    text = unicodedata.normalize("NFKC", text).strip()
    return _GAP_IN_HAN.sub("", _DOT_IN_HAN.sub("·", text))


def is_name(name):
    """Whether a normalised `name`, not empty, can be a person's."""
    if _PLAIN_NAME.fullmatch(name):
        return True
    named = any(character.isalpha() for character in name) or _ONE_HAN.search(name)
    plain = name[0] not in "=+-@" and not any(character.isdigit() for character in name)
    return bool(named) and len(name) <= NAME_LENGTH and plain


def normalise_phone(text):
    """Return `text` by NFKC without white space, hyphens and the country's +86."""
    if _MOBILE.fullmatch(text):
        return text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _COUNTRY.sub("", _PHONE_FILLING.sub("", text))


def is_mobile(phone):
    """Whether a normalised `phone` is a mobile number of the mainland."""
    return _MOBILE.fullmatch(phone) is not None


def mask_name(text):
    """Return a name as 张* or 欧阳*: the surname, or the first letter, and nothing else of what was typed."""
    name = normalise_name(text)
    length = 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1
    return f"{name[:length]}*" if name[:1].isalpha() else "*"

"""Names by pinyin: the order of a Chinese roll, and the letters by which a name is found. Surnames read as surnames.

Pure. Of each character one reading counts, that of a name; what somebody may type instead (ü as u, 仇 as chóu) is
answered when it is looked for (`readings`), so that nothing is stored twice.
"""

import os
import re
import unicodedata
from functools import lru_cache

from core.names import HAN

# We read one character at a time: without its phrases the library takes 50 MB less in each process.
os.environ["PYPINYIN_NO_PHRASES"] = os.environ["PYPINYIN_NO_DICT_COPY"] = "1"

from pypinyin import Style, pinyin

# Surnames whose reading is not the character's usual one, or that pypinyin reads otherwise.
SURNAMES = {
    "单": "shan4", "曾": "zeng1", "仇": "qiu2", "解": "xie4", "查": "zha1", "朴": "piao2", "区": "ou1", "覃": "qin2",
    "任": "ren2", "华": "hua4", "盖": "ge3", "纪": "ji3", "缪": "miao4", "乐": "yue4", "员": "yun4", "卜": "bu3",
    "种": "chong2", "重": "chong2", "折": "she2", "召": "shao4", "繁": "po2", "秘": "bi4", "洗": "xian3", "葛": "ge3",
    "翟": "zhai2", "燕": "yan1", "应": "ying1", "牟": "mu4", "适": "kuo4", "阚": "kan4", "肖": "xiao1", "那": "na1",
    "哈": "ha3", "撒": "sa4", "能": "nai4", "过": "guo1", "祭": "zhai4", "佴": "nai4", "句": "gou1", "郇": "xun2",
    "於": "yu1", "相": "xiang4", "少": "shao4", "难": "nan4", "要": "yao1", "占": "zhan1", "观": "guan4", "干": "gan1",
    "薄": "bo2", "都": "du1", "晟": "cheng2", "黑": "he4", "隗": "wei3", "谌": "chen2", "尉": "wei4", "曲": "qu1",
    "宓": "mi4", "令": "ling4", "便": "pian2", "咸": "xian2", "车": "che1", "柏": "bai3", "逄": "pang2", "冼": "xian3",
}  # fmt: skip
COMPOUND_SURNAMES = {
    "单于": ("chan2", "yu2"), "尉迟": ("yu4", "chi2"), "万俟": ("mo4", "qi2"), "澹台": ("tan2", "tai2"),
    "长孙": ("zhang3", "sun1"), "令狐": ("ling2", "hu2"), "夏侯": ("xia4", "hou2"), "呼延": ("hu1", "yan2"),
    "诸葛": ("zhu1", "ge3"), "乐正": ("yue4", "zheng4"), "拓跋": ("tuo4", "ba2"), "亓官": ("qi2", "guan1"),
    "鲜于": ("xian1", "yu2"), "皇甫": ("huang2", "fu3"), "宰父": ("zai3", "fu3"), "车正": ("che1", "zheng4"),
}  # fmt: skip
OTHER_COMPOUNDS = (  # read as they are
    "欧阳", "上官", "司马", "司徒", "司空", "慕容", "东方", "公孙", "轩辕", "端木", "南宫", "闻人", "独孤", "申屠",
)  # fmt: skip
# Characters that given names read otherwise than pypinyin does.
GIVEN = {"晟": "sheng4", "卜": "bu3", "薄": "bo2", "长": "chang2", "干": "gan4", "都": "du1"}
# Second readings in real use, beside the usual reading of each character above.
SECOND = {"隗": ("kui",), "谌": ("shen",), "尉": ("yu",)}

DOTS = "·•．. 　'-’"  # do not count: 买买提 is found with and without its dot
_LETTERS = re.compile("[^a-z]")
_HAN = re.compile(f"[{HAN}]")
UNKNOWN = "zzzzzz"  # a character without a known reading stands at the end of a roll


def _letters(text):
    """Return `text` in small letters a to z, ü as v, other signs above letters dropped."""
    text = unicodedata.normalize("NFC", text.lower())
    for sign in "üǖǘǚǜ":
        text = text.replace(sign, "v")
    return _LETTERS.sub("", unicodedata.normalize("NFD", text)) if not text.isascii() else _LETTERS.sub("", text)


def _usual(char):
    return pinyin(char, style=Style.TONE3, neutral_tone_with_five=True, errors=str)[0][0]


@lru_cache(maxsize=50_000)
def _place(char, syllable=""):
    """Return (letters, twelve characters to sort by) of one character: its syllable, the tone, the character itself."""
    syllable = syllable or GIVEN.get(char) or _usual(char)
    letters = _letters(syllable)
    tone = syllable[-1] if syllable[-1:].isdigit() else "5"
    return letters, f"{letters or UNKNOWN:0<6.6}{tone}{ord(char):05x}"


def _places(name):
    chars = [char for char in name if char not in DOTS]
    places = [_place(char) for char in chars]
    if compound := COMPOUND_SURNAMES.get("".join(chars[:2])):
        places[:2] = [_place(char, syllable) for char, syllable in zip(chars, compound, strict=False)]
    elif chars and chars[0] in SURNAMES:
        places[0] = _place(chars[0], SURNAMES[chars[0]])
    return places


def name_keys(name):
    """Return {"name_pinyin", "name_initials", "name_sort"} of a name: what it is found and sorted by.

    `name_sort` holds small letters and digits only, so that every collation sorts it alike: of each character its
    syllable in six places, the tone, and the character itself in five hexadecimal digits. So the key of a beginning of
    a name begins the key of the name.
    """
    spelled, keys = zip(*_places(name), strict=True) if name.strip(DOTS) else ((), ())
    words = [_letters(word) for word in name.split()] if _HAN.search(name) is None else spelled
    return {
        "name_pinyin": "".join(spelled)[:250],
        "name_initials": "".join([letters[:1] for letters in words])[:50],
        "name_sort": "".join(keys)[:396],
    }


def sort_key(name):
    """A key that sorts names as a Chinese roll does: 安, 曾 (zēng) after 袁, 李 before 李喆; dots do not count."""
    return name_keys(name)["name_sort"]


def suffixes(name):
    """Return the set of what a name is from its second, third … character on, two characters at least."""
    return {name[start:] for start in range(1, len(name) - 1)}


def readings(text):
    """Return [(letters, surname)]: the letters whose names are meant by what somebody typed as pinyin.

    Beside the letters themselves: u typed for ü after l and n, and a surname read by its usual or second reading
    («chouliang»), then only of people whose name begins with that surname.
    """
    typed = _letters(text)
    spelled = [typed]
    for plain, marked in (("lu", "lv"), ("nu", "nv")):
        spelled += [each.replace(plain, marked) for each in spelled if plain in each]
    meant = [
        (right + typed.removeprefix(wrong), surname)
        for wrong, right, surname in _misreadings()
        if typed.startswith(wrong)
    ]
    return [(letters, "") for letters in dict.fromkeys(spelled)] + meant


def shortened(typed):
    """Return [(initials, first syllable, surname)] that letters may stand for: a surname in full, then initials.

    «lixm» is li and x, m: initials «lxm» and the surname «li»; «ouyangxm» is «oyxm», and its first syllable «ou».
    """
    meant = []
    for given in (2, 3):  # one initial alone is the beginning of the pinyin
        surname, rest = typed[:-given], typed[-given:]
        if surname in _compounds():
            first, second = _compounds()[surname]
            meant.append((first[0] + second[0] + rest, first, surname))
        elif 2 <= len(surname) <= 6:
            meant.append((surname[0] + rest, surname, surname))
    return meant


@lru_cache(maxsize=1)
def _compounds():
    """{letters: (first syllable, second)} of the surnames of two characters."""
    spelled = [[letters for letters, _key in _places(surname)] for surname in (*COMPOUND_SURNAMES, *OTHER_COMPOUNDS)]
    return {"".join(syllables): tuple(syllables) for syllables in spelled}


@lru_cache(maxsize=1)
def _misreadings():
    """[(letters typed, letters meant, surname)] of every surname that another reading may be typed for."""
    found = []
    for surname, reading in [*SURNAMES.items(), *COMPOUND_SURNAMES.items()]:
        right = _letters("".join(reading))
        others = {_letters("".join(_usual(char) for char in surname)), *SECOND.get(surname, ())}
        found += [(wrong, right, surname) for wrong in sorted(others - {right})]
    return found


def spread(name):
    """The name as rolls print it: two characters are set as wide as three, 陈　堃."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 and not name.isascii() else name

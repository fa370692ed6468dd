"""Names in the order of a Chinese roll: by pinyin, syllable by syllable, with surnames read as surnames."""

from functools import lru_cache

from pypinyin import Style, pinyin

# Surnames whose reading is not the character's usual one; pypinyin does not know them.
SURNAMES = {
    "单": "shan4", "曾": "zeng1", "仇": "qiu2", "解": "xie4", "查": "zha1", "朴": "piao2", "区": "ou1", "覃": "qin2",
    "任": "ren2", "华": "hua4", "盖": "ge3", "纪": "ji3", "缪": "miao4", "乐": "yue4", "宁": "ning4", "尹": "yin3",
    "员": "yun4", "卜": "bu3", "种": "chong2", "重": "chong2", "折": "she2", "召": "shao4", "繁": "po2", "秘": "bi4",
    "冼": "xian3", "洗": "xian3", "晟": "cheng2", "葛": "ge3", "翟": "zhai2", "逄": "pang2", "尉": "wei4", "燕": "yan1",
    "应": "ying1", "柏": "bai3", "石": "shi2", "车": "che1", "尧": "yao2", "牟": "mu4", "臧": "zang1", "适": "kuo4",
}  # fmt: skip
COMPOUND_SURNAMES = {
    "单于": ("chan2", "yu2"), "尉迟": ("yu4", "chi2"), "万俟": ("mo4", "qi2"), "澹台": ("tan2", "tai2"),
    "长孙": ("zhang3", "sun1"), "令狐": ("ling2", "hu2"), "夏侯": ("xia4", "hou2"), "呼延": ("hu1", "yan2"),
}  # fmt: skip


@lru_cache(maxsize=20_000)
def _syllable(char):
    return pinyin(char, style=Style.TONE3, neutral_tone_with_five=True, errors=lambda text: text.lower())[0][0]


def sort_key(name):
    """A key that sorts names as a Chinese roll does: 安, 曾 (zēng) after 袁, 李 before 李喆; dots do not count."""
    chars = [char for char in name if char not in "·•．. 　"]
    syllables = [_syllable(char) for char in chars]
    if compound := COMPOUND_SURNAMES.get("".join(chars[:2])):
        syllables[:2] = compound
    elif chars and chars[0] in SURNAMES:
        syllables[0] = SURNAMES[chars[0]]
    return list(zip(syllables, chars, strict=True))


def spread(name):
    """The name as rolls print it: two characters are set as wide as three, 陈　堃."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 and not name.isascii() else name

"""How alike two records of people are, and why: whether they may be one person entered twice. Pure.

The score is a chance, 0 to 1, reckoned from weights (powers of ten, Fellegi and Sunter's way): how much likelier what
the two have in common is for one person than for two strangers, family or twins. The weights stand below with their
reasons; a shared rare name weighs more than a common one.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import log10

from django.utils.translation import gettext_lazy as _

from members.identity import PROVINCES, RESIDENCE_PERMITS, born_of, check_character
from members.pinyin import COMPOUND_SURNAMES, DOTS, OTHER_COMPOUNDS, name_keys

SENTENCES = {
    "NUMBER_ONE_APART": _("The identity numbers differ in one digit."),
    "NUMBER_SWAPPED": _("The identity numbers differ in two neighbouring digits that changed places."),
    "NUMBER_CLOSE": _("The identity numbers agree in most digits."),
    "OTHER_DOCUMENT": _("One number is of an identity card, the other of a residence permit."),
    "SAME_NAME": _("The names are the same."),
    "NAME_WRITTEN_OTHERWISE": _("The names differ only in dots, spaces or a part left out."),
    "NAME_SOUNDS_ALIKE": _("The names sound the same."),
    "NAME_LOOKS_ALIKE": _("The names look alike."),
    "SAME_BIRTH_DATE": _("The birth dates are the same."),
    "BIRTH_DATE_CLOSE": _("The birth dates differ in one place."),
    "SAME_PHONE": _("The mobile phones are the same."),
    "NOTICED": _("An officer noticed that the two may be one person."),
}
NOTICED = "NOTICED"

# One in a hundred of a million people entered twice: what must be outweighed before any likeness counts.
STRANGERS = 8.0

# Digits 1–6. Half of a city's numbers begin with one of a few areas.
AREA_SAME, AREA_NEAR, AREA_OTHER = 1.0, 0.3, -1.0
# Digits 7–14. One day of forty years, or one of the fifty days that one slip leads to.
BORN_SAME, BORN_NEAR, BORN_OTHER = 4.1, 2.5, -1.3
# Digits 15–17. Twins and children of one ward have neighbouring ones: a near one says little.
SEQUENCE_SAME, SEQUENCE_NEAR, SEQUENCE_OTHER = 2.7, 1.0, -1.2
TWO_SLIPS = -2.0  # in two of the three parts: neighbouring districts and sequences of strangers look like this too
ONE_WARD = -1.0  # one birth date, one area, another sequence, and not quite the same name: twins
NUMBER_ELSEWHERE = -1.5  # another area and another sequence together: another document, not two slips
NUMBER_ALL_OTHER = -2.0  # and another birth date: somebody else's number was typed
OTHER_DOCUMENT = -0.3  # a residence permit shares nothing with an identity card but the birth date

SAME_NAME_MOST = 6.0
WRITTEN_OTHERWISE, SOUNDS_ALIKE, LOOKS_ALIKE = -0.5, -2.0, -2.0  # from what the same name weighs
SIBLINGS = -4.6  # the same surname or one character in common: brothers, sisters, twins
NAMES_DIFFER = -5.5

PHONE_SAME, PHONE_OTHER = 6.0, -0.6  # families share one too: then their names differ
A_HOUSEHOLD = 2  # from here on, each further holder of a phone takes weight from it

# 形近字: characters of names that are taken for one another, by hand, by eye or by a screen. Those that also sound the
# same need not stand here. A character may stand in several sets.
LOOKALIKES = """
己已巳 未末朱 土士 彬杉 日曰 戊戌戍戎成 千干于 天夭 大太犬 人入 刀力刁 王玉主壬 田由甲申 候侯 冶治 晴睛 炎焱 森淼
鑫金 怡恰 铭铬 兰三 季李 凤风 今令 洁沽 妍研 娟捐涓 瑞端 珍诊 琳淋彬 玮炜 伟韦 辉晖 蕾雷 薇微徽 冰永水 祥详样 杨扬场
梅海 敏教 俊竣骏浚 睿容 博搏 昊吴旲 旻昱 晨辰 哲誓 喆吉 楠南 柏拍 佳住桂 娜那 婷停 媛援 芸云芝 芳劳 荣莱 苹莘 辛幸
宇字 宏安 宜宣 官宫 崇宗 平乎 年午牛 东车乐 兴光 元无 义叉又 文交 亮亭 京亨享 仕任 全金 令玲伶 冷泠 姗珊 枚玫 余佘
肖尚 代伐 汪江 池地 沈沉 潘藩 滕藤 蓝篮 苑范 卯卵 柳抑 邱兵 祁祈 析折 郝郁 郁都 邢刑那 郏郑邓 闫闰 闵闽 冯马 项顶
顾颐 贾买 费贵 贡责 峰锋烽 锋铎 逢峰 钢刚 纲钢 韩翰 穆稷 秦泰春奉 岑芩 坤神绅 昌冒 晶品 星呈 程呈 眭睦 瞿翟 翔祥
羽习 弓引 鸿鸣 鸣呜 鹏朋 朋明 期朝 朗郎良 茂茅 彦颜 彤丹 丹舟 彭澎 彰章璋 璟景 瑶遥 瑾谨 璇旋 琪棋淇 琦奇绮 静靖婧
倩清 清青 涛焘 浩皓 涵函 淑叔 淳醇 渊洲 波坡 弘泓 泽择 译泽 沁泌 沛市 沐休 体休 炳柄 烨晔 熙照煦 燃然 奕弈 焕涣
昕听欣 岩岸 岳兵 嵩高 栋拣 桐铜 梓锌 榕容 蓉容 桦华 励厉 勇男 彪虎 虹虾 蝶碟 诗持 诚城 晟盛 谊宜 谦廉 豪毫 坚贤 贞负
赟斌 斌武 斌彬 赫郝 运远 锐悦 阔润 闻问 霄宵 霖林 霏菲 露路 颖颍 飞气 叶计 汤汽 孔孙 史吏 石右 白自 皮反 乔夭 伍仵
仲伸 何伺 佟终 侍待 侠狭 傅博 储诸 党常 冉再 凌浚 卓早 卞下 厉历 吕品 周同 唐康 夏复 奚溪 姚桃 姜美 娄委 孟盂 宋宗
尉慰 尤龙 尹伊 屈届 岳乒 崔催 师帅 席度 庄压 庞宠 廖寥 强弱 彦产 徐除 慕幕 戴载 房户 於淤 施拖 易昜 曲由
曹曾 木本术 杜社 林材 柯何 柴紫 栾弯 梁粱 欧鸥 武式 段假 毕华 汲吸 沙妙 洪供 温湿 游旅 滑猾 焦蕉 燕蒸 牟年 牧枚 狄秋
申电 畅扬 皇星 石岩 祝况 禹离 窦卖 章草 童重 竺竹 管菅 米来 糜靡 纪记 练炼 缪谬 翁公 聂最 胡湖 臧藏 舒野 艾乂
苏办 荆刑 莫英 葛曷 蒋将 蔡察 薛辥 裘袭 谈淡 谢射 谭潭 贝见 贺货 赖懒 车军 辜辛 连莲 邵部 邹皱 郎朗 钟种 钱线 阮院
陆击 陈阵 陶淘 雍雅 霍崔 靳勒 饶烧 马鸟 魏巍 鲁鱼 鲍鲜 麦夌 齐介 龚袭 玲铃 丹母 忠患 恩思
慧彗 惠恵 爱受 春眷 晓晚 晏宴 智暂 月日用 有友 本木 松忪 果杲 枫风 梦楚 欢次 正止 民氏 汉议 津律 海悔 润闰 源原
滨宾 演寅 灵炅 生主 男另 益盆 盈盆 真直 福副 秀季 竹个 筠均 纯钝 维雄 维淮 群郡 翠卒 肖消 育盲
舜瞬 良艮 艳色 英央 苗田 茹如 菊萄 萌荫 蓓倍 虎虑 蛟姣 裕祸 西酉 西四 豫像 贵责 远近 邦郡 铁钦 锦绵 镇填 长张 雅稚
雯文 霜箱 霞暇 青责 韵均 顺须 香杳 骁晓
"""


def _taken_for():
    """{character: what it is taken for}, from the sets above."""
    taken = {}
    for characters in LOOKALIKES.split():
        for char in characters:
            taken[char] = taken.get(char, set()) | (set(characters) - {char})
    return taken


TAKEN_FOR = _taken_for()

# Of a hundred people, how many bear the surname (2020); each of the others about one in three hundred.
SURNAMES = {
    "王": 7.2, "李": 7.2, "张": 6.8, "刘": 5.4, "陈": 4.6, "杨": 3.1, "黄": 2.3, "赵": 2.2, "吴": 2.0, "周": 1.9,
    "徐": 1.5, "孙": 1.4, "马": 1.3, "朱": 1.2, "胡": 1.2, "郭": 1.1, "何": 1.1, "林": 1.1, "罗": 1.0, "高": 1.0,
}  # fmt: skip
ANOTHER_SURNAME = 0.3
# Characters that a tenth of all given names are made of each decade.
COMMON_GIVEN = frozenset(
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志红梅慧文玲燕辉斌鹏宇浩飞波海峰林玉珍琴凤荣萍龙春生"
)
COMPOUND = frozenset((*COMPOUND_SURNAMES, *OTHER_COMPOUNDS))
REGISTER = 100_000  # a smaller register says little about how common a name is


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two records are: the chance, 0 to 1, that they are one person, and the codes of the reasons."""

    score: float
    reasons: tuple


@dataclass(frozen=True, slots=True)
class Record:
    """What is compared of a person; identity number and phone in clear, a phone may be missing."""

    name: str
    number: str
    born_on: date
    phone: str = ""


def likeness(one, other, *, share=None, holders=A_HOUSEHOLD):
    """Return the `Likeness` of two `Record`s.

    `share`: how often the commoner of the names is met in the register at hand (see `share_of`); `holders`: how many
    people have the phone that both share.
    """
    share = max(share_of(one.name), share_of(other.name)) if share is None else share
    weights = [_name(one.name, other.name, share), _number(one, other), _phone(one.phone, other.phone, holders)]
    weight = sum(each for each, _reasons in weights) - STRANGERS
    reasons = tuple(code for _each, codes in weights for code in codes)
    return Likeness(1 / (1 + 10 ** min(-weight, 12.0)), reasons)


# --- Numbers --------------------------------------------------------------------------------------------------------


def slip(one, other):
    """Return how two texts of one length differ: «same», «digit» (one), «swap» (two neighbours), or «other».

    Of identity numbers give the first 17 digits: one slip changes the last character too, as long as it still fits.
    """
    places = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if not places:
        return "same"
    if len(places) == 1:
        return "digit"
    first, last = places[0], places[-1]
    swapped = len(places) == 2 and last == first + 1 and one[first] == other[last] and one[last] == other[first]
    return "swap" if swapped else "other"


def slips(number):
    """Return the identity numbers that one slip of the hand makes of `number`, of those that a person can have.

    One digit mistyped, two neighbours that changed places, or day and month that did: some hundred and twenty.
    """
    body = number[:17]
    made = {body[:10] + body[12:14] + body[10:12] + body[14:]}
    for place in range(17):
        made.update(body[:place] + digit + body[place + 1 :] for digit in "0123456789")
        made.add(body[:place] + body[place : place + 2][::-1] + body[place + 2 :])
    made.discard(body)
    return {each + check_character(each) for each in made if each[:2] in PROVINCES and _is_birth(each[6:14])}


@lru_cache(maxsize=50_000)
def _is_birth(digits):
    try:
        return digits[:2] in ("19", "20") and bool(born_of("000000" + digits))
    except ValueError:
        return False


def _number(one, other):
    a, b = one.number[:17], other.number[:17]
    whole = slip(a, b)
    area, born, sequence = (slip(a[part], b[part]) for part in (slice(6), slice(6, 14), slice(14, 17)))
    if born == "other" and _day_and_month_swapped(one.born_on, other.born_on):
        born = "swap"
    documents = (a[:2] in RESIDENCE_PERMITS) != (b[:2] in RESIDENCE_PERMITS)
    reasons = {"digit": ["NUMBER_ONE_APART"], "swap": ["NUMBER_SWAPPED"]}.get(whole, [])
    if documents:
        reasons.append("OTHER_DOCUMENT")
    elif not reasons and sum(x == y for x, y in zip(a, b, strict=True)) >= 14:
        reasons.append("NUMBER_CLOSE")
    if born in ("digit", "swap"):
        reasons.append("BIRTH_DATE_CLOSE")
    elif born == "same":
        reasons.append("SAME_BIRTH_DATE")
    weight = {"same": BORN_SAME, "other": BORN_OTHER}.get(born, BORN_NEAR)
    if documents:
        return weight + OTHER_DOCUMENT, reasons
    if area == "other" and sequence == "other":
        return (NUMBER_ALL_OTHER if born == "other" else weight + NUMBER_ELSEWHERE), reasons
    weight += {"same": AREA_SAME, "other": AREA_OTHER}.get(area, AREA_NEAR)
    weight += {"same": SEQUENCE_SAME, "other": SEQUENCE_OTHER}.get(sequence, SEQUENCE_NEAR)
    if whole == "other" and (area, born, sequence).count("same") < 2:
        weight += TWO_SLIPS
    if (area, born) == ("same", "same") and one.name != other.name:
        weight += ONE_WARD
    return weight, reasons


def _day_and_month_swapped(one, other):
    return one.year == other.year and (one.month, one.day) == (other.day, other.month)


def _phone(one, other, holders):
    if not one or not other:
        return 0.0, ()
    if one != other:
        return PHONE_OTHER, ()
    return PHONE_SAME - 0.5 * max(0, holders - A_HOUSEHOLD), ("SAME_PHONE",)


# --- Names ----------------------------------------------------------------------------------------------------------


def share_of(name, namesakes=0, people=0):
    """Return about which part of all people bears `name`: from surname and given characters, or as often as in a
    register of `people` where `namesakes` others bear it, whichever is more.
    """
    return max(_usual_share(name), namesakes / max(people, REGISTER))


def _usual_share(name):
    if "·" in name or name.isascii():
        return 1e-6 if "·" in name or " " in name else 1e-5
    surname, given = split_name(name)
    part = SURNAMES.get(surname, ANOTHER_SURNAME if len(surname) == 1 else ANOTHER_SURNAME / 10) / 100
    common = sum(char in COMMON_GIVEN for char in given)
    if len(given) == 1:
        return part / (300 if common else 3000)
    return part / {0: 30_000, 1: 10_000}.get(common, 4000)


def split_name(name):
    """Return (surname, given name)."""
    return (name[:2], name[2:]) if len(name) > 2 and name[:2] in COMPOUND else (name[:1], name[1:])


def _name(one, other, share):
    code, weight = name_relation(one, other)
    return (min(SAME_NAME_MOST, -log10(share)) + weight, (code,)) if code else (weight, ())


def name_relation(one, other):
    """Return (code of the reason or "", weight): how two names are alike, and what to add to what the same one weighs.

    Without a code the weight stands alone.
    """
    if one == other:
        return "SAME_NAME", 0.0
    if _written_otherwise(one, other):
        return "NAME_WRITTEN_OTHERWISE", WRITTEN_OTHERWISE
    if len(one) == len(other):
        if name_keys(one)["name_pinyin"] == name_keys(other)["name_pinyin"]:
            return "NAME_SOUNDS_ALIKE", SOUNDS_ALIKE
        differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        if len(differing) < len(one) and all(b in TAKEN_FOR.get(a, ()) for a, b in differing):
            return "NAME_LOOKS_ALIKE", LOOKS_ALIKE
    return "", SIBLINGS if set(one) & set(other) else NAMES_DIFFER


def _written_otherwise(one, other):
    """The same but for dots, spaces and capitals; or the first part of a name of several parts alone."""
    if _folded(one) == _folded(other):
        return True
    short, long = sorted((one, other), key=len)
    return long.startswith(short + "·")


def _folded(name):
    return "".join(char for char in name.lower() if char not in DOTS)


def look_alikes(name):
    """Return the names that `name` is taken for by one look-alike character."""
    return {
        name[:place] + char + name[place + 1 :] for place, own in enumerate(name) for char in TAKEN_FOR.get(own, ())
    }

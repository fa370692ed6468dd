"""Invented people for measuring how well duplicates are found: pairs that are one person, and pairs that only seem so.

Drawn from one seed, the same on every machine. Slips are drawn as they happen, and nothing hard is left out: among the
pairs of one person are some that nobody can tell (a common name, another phone, another number), among the others twins
whose names sound the same.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from members.matching import TAKEN_FOR
from members.pinyin import name_keys
from tests.members.people import WEIGHTS

TRUE_PAIRS = 1000
HARD_PAIRS = 3000
OTHERS = 1000  # people who have nothing to do with anybody

SURNAMES = {
    "王": 72, "李": 72, "张": 68, "刘": 54, "陈": 46, "杨": 31, "黄": 23, "赵": 22, "吴": 20, "周": 19, "徐": 15,
    "孙": 14, "马": 13, "朱": 12, "胡": 12, "郭": 11, "何": 11, "林": 11, "罗": 10, "高": 10, "郑": 9, "梁": 9,
    "谢": 8, "宋": 8, "唐": 8, "许": 7, "韩": 7, "邓": 7, "冯": 7, "曹": 6, "彭": 6, "曾": 6, "萧": 5, "田": 5, "董": 5,
    "潘": 5, "袁": 5, "蔡": 4, "蒋": 4, "余": 4, "于": 4, "杜": 4, "叶": 4, "程": 4, "魏": 4, "苏": 4, "吕": 4,
    "丁": 4, "任": 4, "卢": 4, "姚": 3, "沈": 3, "钟": 3, "姜": 3, "崔": 3, "谭": 3, "陆": 3, "范": 3, "汪": 3,
    "廖": 3, "石": 3, "金": 3, "韦": 3, "贾": 3, "夏": 2, "付": 2, "方": 2, "邹": 2, "熊": 2, "白": 2, "孟": 2,
    "秦": 2, "邱": 2, "侯": 2, "江": 2, "尹": 2, "薛": 2, "阎": 2, "段": 2, "雷": 2, "龙": 2, "黎": 2, "史": 2,
    "陶": 2, "贺": 2, "毛": 2, "郝": 2, "顾": 2, "龚": 2, "邵": 2, "万": 2, "覃": 1, "单": 1, "仇": 1, "欧阳": 1,
    "上官": 1, "诸葛": 1, "朴": 1, "区": 1, "查": 1, "解": 1,
}  # fmt: skip
COMMON = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志红梅慧文玲燕辉斌鹏"
GIVEN = (
    COMMON * 3 + "思琪嘉怡雪晨宇浩然子轩雨桐欣妍博凯云飞春生海德福立新诗瑶佳梓涵俊哲瑞祥东旭鑫森淼晴菁未土彬"
    "珊玮炜璐莹薇冰永瑾萱璇琦靖清焘皓函淑泓泽沁沐灿炳晔煜熙奕焕昕岚岩岳嵩栋桐榕桦励彪虹诚谦豪毅贤贞赟赫远迪逸锐"
    "阔霄霖霏露颖韬驰峰锋铭钢翰堃昊昌星旺耀翔羽鸿朗茂彦彤澎璋璟景遥谨瑜"
)
MINORITY = (
    (
        "阿依古丽",
        "迪丽努尔",
        "古丽娜尔",
        "买买提江",
        "吐尔逊",
        "阿不都拉",
        "热依拉",
        "努尔古丽",
        "艾合买提",
        "帕提古丽",
    ),
    ("买买提", "阿不都", "吐尔地", "卡德尔", "依明", "玉素甫", "艾山", "赛买提", "库尔班", "牙生"),
)
AREAS = ("210402", "210403", "210404", "210411", "210421", "210422", "220102", "370202", "410102", "130102")
AREA_WEIGHTS = (24, 20, 16, 12, 8, 6, 4, 4, 3, 3)


@dataclass(frozen=True)
class Someone:
    """One record: as a register would hold it."""

    name: str
    number: str
    phone: str = ""

    @property
    def born_on(self):
        return date(int(self.number[6:10]), int(self.number[10:12]), int(self.number[12:14]))


def whole(body):
    """The 17 digits of `body` with their check character."""
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


class Doubles:
    """The set drawn from `seed`: `same` and `different` are [(kind, one, other)], `others` are people alone."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.numbers = set()
        self.by_sound = {}
        for char in sorted(set(GIVEN)):
            self.by_sound.setdefault(name_keys("王" + char)["name_pinyin"], []).append(char)
        self.same = [self._one_person() for _ in range(TRUE_PAIRS)]
        self.different = [self._two_people() for _ in range(HARD_PAIRS)]
        self.others = [self._person() for _ in range(OTHERS)]

    # --- People ---

    def _name(self):
        draw = self.draw
        if draw.random() < 0.02:
            return "·".join(draw.choice(part) for part in MINORITY)
        surname = draw.choices([*SURNAMES], [*SURNAMES.values()])[0]
        return surname + "".join(draw.choice(GIVEN) for _ in range(draw.choice((1, 2, 2, 2, 2))))

    def _born(self):
        return date(1962, 1, 1) + timedelta(days=self.draw.randrange(44 * 365))

    def _area(self):
        return self.draw.choices(AREAS, AREA_WEIGHTS)[0]

    def _phone(self):
        return f"1{self.draw.choice('35789')}{self.draw.randrange(10**9):09d}"

    def _some_phone(self):
        return "" if self.draw.random() < 0.05 else self._phone()

    def _number(self, area=None, born=None, sex=None):
        """A number nobody has yet."""
        while True:
            born_on = born or self._born()
            sequence = self.draw.randrange(500) * 2 + (self.draw.randrange(2) if sex is None else sex)
            if self._take(number := whole(f"{area or self._area()}{born_on:%Y%m%d}{sequence:03d}")):
                return number

    def _take(self, number):
        fresh = number not in self.numbers
        self.numbers.add(number)
        return fresh

    def _person(self):
        return Someone(self._name(), self._number(), self._some_phone())

    # --- One person twice ---

    def _one_person(self):
        """How the two records came about: nearly always a slip in the number; the name and the phone as it happens."""
        draw, one = self.draw, self._person()
        how = draw.choices(
            ["digit", "swap", "day and month", "two digits", "residence permit", "another's number", "new number"],
            [67, 16, 2, 3, 4, 3, 5],
        )[0]
        other_phone = draw.choices([one.phone, self._phone(), ""], [60, 25, 15])[0]
        number = self._again(one.number, how)
        if number is None:
            return self._one_person()
        kind, name = "same name", one.name
        if how in ("digit", "swap"):
            roll = draw.random()
            if roll < 0.12:
                kind, name = "homophone", self._homophone(one.name)
            elif roll < 0.22:
                kind, name = "look-alike", self._look_alike(one.name)
            elif "·" in name:
                kind, name = (
                    "dots",
                    draw.choice((name.replace("·", ""), name.replace("·", " "), name.partition("·")[0])),
                )
            if name is None:
                kind, name = "same name", one.name
        return f"{how}, {kind}", one, Someone(name, number, other_phone)

    def _again(self, number, how):
        """The number as it was written the second time, None when this slip is not possible here."""
        draw, body = self.draw, number[:17]
        for _try in range(200):
            place = draw.randrange(17)
            if how == "digit":
                new = body[:place] + draw.choice("0123456789") + body[place + 1 :]
            elif how == "swap" and place < 16:
                new = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
            elif how == "two digits":
                new = body[:place] + draw.choice("0123456789") + body[place + 1 :]
                second = draw.randrange(17)
                new = new[:second] + draw.choice("0123456789") + new[second + 1 :]
            elif how == "day and month":
                new = body[:10] + body[12:14] + body[10:12] + body[14:]
            elif how == "residence permit":
                new = draw.choice(("810000", "820000", "830000")) + body[6:14] + f"{draw.randrange(1000):03d}"
            elif how == "another's number":  # husband or wife: another birth date
                new = self._number()[:17]
                self.numbers.discard(whole(new))
            else:  # «new number»: two people had been given one number, one of them got another
                new = body[:6] + body[6:14] + f"{draw.randrange(1000):03d}"
            if new != body and self._possible(new) and self._take(whole(new)):
                return whole(new)
        return None

    def _possible(self, body):
        try:
            born = date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
        except ValueError:
            return False
        return date(1940, 1, 1) <= born <= date(2009, 1, 1) and 11 <= int(body[:2]) <= 83 and body[:2] in (
            "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
            "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "81", "82", "83",
        )  # fmt: skip

    def _homophone(self, name):
        places = [place for place in range(1, len(name)) if len(self._sounds(name[place])) > 1]
        if not places or "·" in name:
            return None
        place = self.draw.choice(places)
        char = self.draw.choice([char for char in self._sounds(name[place]) if char != name[place]])
        return name[:place] + char + name[place + 1 :]

    def _sounds(self, char):
        return self.by_sound.get(name_keys("王" + char)["name_pinyin"], [char])

    def _look_alike(self, name):
        places = [place for place, char in enumerate(name) if TAKEN_FOR.get(char)]
        if not places:
            return None
        place = self.draw.choice(places)
        return name[:place] + self.draw.choice(sorted(TAKEN_FOR[name[place]])) + name[place + 1 :]

    # --- Two people who seem to be one ---

    def _two_people(self):
        kind = self.draw.choices(
            ["twins", "siblings", "spouses", "parent and child", "common name, same birth date",
             "homophones, same birth date", "same name, near birth date", "same ward, same day",
             "same office phone", "same name"],
            [14, 14, 12, 10, 10, 10, 8, 12, 4, 6],
        )[0]  # fmt: skip
        one, other = getattr(self, "_" + kind.replace(",", "").replace(" ", "_"))()
        return kind, one, other

    def _relative(self, name):
        """A name of the same family, often with the generation's character; one twin in a hundred sounds the same."""
        draw = self.draw
        if "·" in name:
            return self._name()
        surname = name[:2] if name[:2] in SURNAMES else name[:1]
        given = name[len(surname) :]
        while (chosen := draw.choice(GIVEN)) in given:
            pass
        if len(given) == 2 and draw.random() < 0.7:
            return surname + (given[0] + chosen if draw.random() < 0.8 else chosen + given[1])
        return surname + chosen + ("" if len(given) == 1 else draw.choice(GIVEN))

    def _twins(self):
        draw, one = self.draw, self._person()
        name = (self._homophone(one.name) if draw.random() < 0.01 else None) or self._relative(one.name)
        body = one.number[:17]
        for step in draw.sample((1, 2, 1, -1, -2, 3, 4, 5, 8), 9):
            sequence = int(body[14:]) + step
            if 0 <= sequence < 1000 and self._take(number := whole(f"{body[:14]}{sequence:03d}")):
                return one, Someone(name, number, one.phone if draw.random() < 0.2 else self._some_phone())
        return self._twins()

    def _siblings(self):
        one = self._person()
        born = one.born_on + timedelta(days=self.draw.choice((-1, 1)) * self.draw.randrange(360, 4000))
        number = self._number(one.number[:6], born)
        return one, Someone(self._relative(one.name), number, one.phone if self.draw.random() < 0.5 else self._phone())

    def _spouses(self):
        one = self._person()
        born = one.born_on + timedelta(days=self.draw.randrange(-1500, 1500))
        return one, Someone(self._name(), self._number(self._area(), born), one.phone)

    def _parent_and_child(self):
        one = self._person()
        born = one.born_on + timedelta(days=self.draw.randrange(7000, 11000))
        phone = one.phone if self.draw.random() < 0.5 else self._phone()
        name = (
            one.name if "·" in one.name else one.name[:1] + self.draw.choice(GIVEN) + self.draw.choice(("", "", *GIVEN))
        )
        if name == one.name:
            name = self._relative(one.name)
        return one, Someone(name, self._number(one.number[:6], born), phone)

    def _common(self):
        surname = self.draw.choices([*SURNAMES][:12], [*SURNAMES.values()][:12])[0]
        return surname + self.draw.choice(COMMON)

    def _common_name_same_birth_date(self):
        name, born = self._common(), self._born()
        return tuple(Someone(name, self._number(born=born), self._some_phone()) for _ in range(2))

    def _homophones_same_birth_date(self):
        one = self._person()
        name = self._homophone(one.name)
        if name is None:
            return self._homophones_same_birth_date()
        return one, Someone(name, self._number(born=one.born_on), self._some_phone())

    def _same_name_near_birth_date(self):
        name, born = self._common(), self._born()
        near = self.draw.choice((timedelta(days=1), timedelta(days=10), timedelta(days=365), timedelta(days=-1)))
        return (
            Someone(name, self._number(born=born), self._some_phone()),
            Someone(name, self._number(born=born + near), self._some_phone()),
        )

    def _same_ward_same_day(self):
        one = self._person()
        return one, Someone(self._name(), self._number(one.number[:6], one.born_on), self._some_phone())

    def _same_office_phone(self):
        one = Someone(self._common(), self._number(), self._phone())
        return one, Someone(self._name(), self._number(), one.phone)

    def _same_name(self):
        one = self._person()
        return one, Someone(one.name, self._number(), self._some_phone())

"""The fictional city at the size of a real one: its unions, their members, and what happened to some of them.

Pure and deterministic, like `members.demo`, whose names, places and numbers it shares; written by `members.seeding`.
Sizes are skewed as in a real register: a few unions of thousands, very many of a few dozen; popular given names are
borne by tens of thousands, rare ones by one person.
"""

import random
import uuid
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from members import demo
from members.demo import DemoUnion
from members.matching import ANOTHER_SURNAME, COMPOUND
from members.matching import SURNAMES as SHARES
from unions.models import UnionKind


@dataclass(frozen=True)
class Scale:
    """How much of a city: unions in all, members on the roll, those of them with a history, streets a district."""

    unions: int
    members: int
    histories: int
    streets: int

    @property
    def places(self):
        """How many unions stand above the grassroots: the city's, the districts', the streets'."""
        return 1 + len(demo.DISTRICTS) * (1 + self.streets)

    @property
    def doubles(self):
        """How many members are entered a second time."""
        return max(1, self.histories // 50)


SCALES = {"town": Scale(100, 10_000, 200, 2), "city": Scale(10_000, 1_000_000, 20_000, 20)}
REGISTERED = timedelta(days=90)  # so long ago the registers were taken over; the histories happened since

# --- Unions ---------------------------------------------------------------------------------------------------------

STREETS = """
    解放街道 人民街道 胜利街道 光明街道 新华街道 团结街道 友谊街道 红旗街道 文化街道 站前街道
    北关街道 东关街道 临江镇 古城镇 三合镇 五里镇 平安镇 太平镇 高新产业园区 物流产业园区
"""
BRAND_HEADS = "恒华瑞金宏泰永兴德嘉鑫盛天正中新东海长春同广安康福祥立顺博远"
BRAND_TAILS = "达泰阳远诺丰川润元成安源创和运联世邦晖青新旋和明宁顺珠通业辉"
COMPANIES = ("有限公司", "有限公司", "股份有限公司", "集团有限公司")
NUMBERED_BODIES = [
    ("中学工会", UnionKind.INSTITUTION),
    ("小学工会", UnionKind.INSTITUTION),
    ("幼儿园工会", UnionKind.INSTITUTION),
    ("社区卫生服务中心工会", UnionKind.INSTITUTION),
    ("机关工会", UnionKind.ORGAN),
]


def unions(scale, today):
    """Return the city's unions as `DemoUnion`s, parents first; the places of the demo's accounts are all there."""
    draw = random.Random(f"{demo.SEED}-{scale.unions}")
    plan = [DemoUnion("Y00", "云河市总工会", UnionKind.CITY_FED, None, {"founded_on": date(1950, 5, 1)})]
    for d, (district, places) in enumerate(demo.DISTRICTS, start=1):
        founded = {"founded_on": date(1953, 5, 1)}
        plan.append(DemoUnion(f"Y{d:02d}", f"云河市{district}总工会", UnionKind.DISTRICT_FED, 0, founded))
        above = len(plan) - 1
        for p, place in enumerate([*places, *STREETS.split()][: scale.streets], start=1):
            founded = {"founded_on": date(1996, 4, 1)}
            plan.append(DemoUnion(f"Y{d:02d}{p:02d}", f"{district}{place}工会", _kind_of_place(place), above, founded))
    streets = [index for index, union in enumerate(plan) if union.code[3:]]
    first = len(plan)
    used = {union.name for union in plan}
    for number, size in enumerate(_sizes(draw, scale, len(streets), scale.unions - first)):
        plan.append(_grassroots(draw, plan, streets[number % len(streets)], number, size, used))
    for number, union in enumerate(plan, start=1):
        union.facts["uscc"] = demo.uscc(number, draw)
    demo.hold_elections(plan, today, draw, {2: 25, first: -12, first + len(streets): 80})
    return plan


def _kind_of_place(place):
    if "园区" in place:
        return UnionKind.PARK
    return UnionKind.TOWNSHIP if place.endswith("镇") else UnionKind.STREET


def _sizes(draw, scale, streets, unions):
    """Return how many members each of so many unions has, `scale.members` in all."""
    giants = range(min(streets, unions - 1), unions, max(1, unions // max(1, scale.unions // 500)))
    sizes = dict.fromkeys(range(unions), 0)
    for number in giants:
        sizes[number] = int(scale.members * draw.uniform(0.005, 0.02))
    weights = {number: draw.lognormvariate(0, 1.1) for number in sizes if not sizes[number]}
    weights[0] = 3.0  # the union of the demo's accounts: enough for several pages
    left, whole = scale.members - sum(sizes.values()), sum(weights.values())
    for number, weight in weights.items():
        sizes[number] = max(3, int(left * weight / whole))
    sizes[giants[0]] += scale.members - sum(sizes.values())
    return list(sizes.values())


def _grassroots(draw, plan, above, number, size, used):
    place = plan[above].name.removesuffix("工会")
    founded_on = date(draw.randint(1998, 2020), draw.randint(1, 12), draw.randint(1, 28))
    industry, line = draw.choice(demo.INDUSTRIES)
    facts = {"industry": line, "founded_on": founded_on}
    choice = draw.random()
    if choice < 0.8:
        kind = UnionKind.ENTERPRISE
        while (name := _company(draw, industry)) + "工会" in used:
            pass
        facts |= {"employer_name": name, "employer_category": draw.choice(demo.EMPLOYERS)}
        name += "工会"
    elif choice < 0.9:
        body, kind = draw.choice(NUMBERED_BODIES)
        name = _next_free(place, body, used)
    elif choice < 0.96:
        kind, name = UnionKind.JOINT, _next_free(place + industry, "联合工会", used)
    else:
        kind, name = UnionKind.INDUSTRY_FED, _next_free(place + industry, "行业工会联合会", used)
    used.add(name)
    facts |= {"employees": size + draw.randint(0, size), "legal_person": size >= 12}
    code = f"{plan[above].code}{number + 1:05d}"
    return DemoUnion(code, name, kind, above, facts, draw.choice([3, 3, 5]), size=size)


def _company(draw, industry):
    return f"云河{draw.choice(BRAND_HEADS)}{draw.choice(BRAND_TAILS)}{industry}{draw.choice(COMPANIES)}"


def _next_free(head, tail, used):
    name, number = head + tail, 1
    while name in used:
        number += 1
        name = f"{head}第{number}{tail}"
    return name


# --- People ---------------------------------------------------------------------------------------------------------

POPULAR = """
    志强 建国 秀英 伟 秀兰 桂英 建华 玉兰 丽 静 敏 红梅 海燕 晓明 志刚 建军 国庆 玉珍 凤英 春梅
    文博 雨桐 子轩 欣妍 浩然 梓涵 建平 永强 立新 国强 小红 丽华 玉梅 淑珍 淑英 桂兰 秀珍 红霞 小龙
    海涛 俊杰 宇航 思远 佳怡 晨曦 明辉 振华 德福 长青 卫东
"""
_SURNAME_WEIGHTS = [
    SHARES.get(name, ANOTHER_SURNAME / 10 if name in COMPOUND else ANOTHER_SURNAME) for name in demo.SURNAMES
]
SURNAMES = (demo.SURNAMES, list(accumulate(_SURNAME_WEIGHTS)))
POPULAR_NAMES = (POPULAR.split(), list(accumulate(1 / rank for rank, _name in enumerate(POPULAR.split(), start=1))))
CHARACTERS = (demo.GIVEN, list(accumulate(1 / (rank + 5) for rank in range(len(demo.GIVEN)))))
POLITICS = ["MASSES"] * 12 + ["PARTY"] * 3 + ["LEAGUE"] * 2 + [""] * 3
EDUCATION = ["PRIMARY", "MIDDLE", "MIDDLE", "HIGH", "HIGH", "COLLEGE", "COLLEGE", "BACHELOR", "MASTER", ""]
HUKOU = ["URBAN", "URBAN", "RURAL", ""]

DAYS_OF_BIRTH = 40 * 365  # born 59 to 19 years before today
STRIDE = 6_619  # without a common factor with the days: neighbours of a roll were born on quite different days
WARDS = 16  # of one area and birth date, with numbers of their own: enough for two million people
ROOM = 31  # sequence numbers that belong to one person: the double's number lies among them


class Facts(NamedTuple):
    """A member as the register tells it; identity number and phone in clear."""

    serial: int  # 0, 1, … over the whole city
    uuid: uuid.UUID
    name: str
    sex: str
    born_on: date
    id_number: str
    phone: str
    ethnicity: str
    politics: str
    education: str
    hukou_kind: str
    joined_on: date
    employment: str
    occupation_group: str
    migrant_worker: bool
    post: str


def _pick(draw, weighed):
    items, heights = weighed
    return items[bisect_right(heights, draw.random() * heights[-1])]


def _name(draw):
    roll = draw.random()
    if roll < 0.01:
        return demo.RARE_NAMES[int(roll * 100 * len(demo.RARE_NAMES))]
    surname = _pick(draw, SURNAMES)
    if roll < 0.3:
        return surname + _pick(draw, POPULAR_NAMES)
    given = _pick(draw, CHARACTERS)
    return surname + given + (_pick(draw, CHARACTERS) if roll < 0.85 else "")


def _number(draw, serial, born_on, sex, place):
    """Return an identity number that nobody else has: of one birth date and area each person has sequences of its own.

    `place` 0 is the person's own number, 1 the one under which a double is entered.
    """
    block, area = divmod(serial // DAYS_OF_BIRTH, len(demo.AREAS))
    ward = (block + born_on.toordinal() * 7) % WARDS  # so that members of one union have all kinds of last four
    return demo.numbered(demo.AREAS[area], born_on, ward * ROOM + (serial * 7 + place) % ROOM, sex)


def _work(draw):
    """Return (form of employment, occupational group); of three in a hundred nothing is known."""
    roll = draw.random()
    for below, employment in ((0.72, "CONTRACT"), (0.82, "DISPATCH"), (0.97, "PLATFORM")):
        if roll < below:
            return employment, demo.GROUPS[int(draw.random() * len(demo.GROUPS))] if employment == "PLATFORM" else ""
    return "", ""


def people(union, first, index, today):
    """Yield the `Facts` of the members of `union`, the serials counted from `first`; `index` is the union's place."""
    draw = random.Random(demo.SEED * 1000 + index)
    chance, bits = draw.random, draw.getrandbits
    founded_on, registered_on = union.facts.get("founded_on"), today - REGISTERED
    youngest = today - timedelta(days=19 * 365)
    for serial in range(first, first + union.size):
        sex = "M" if chance() < 0.54 else "F"
        born_on = youngest - timedelta(days=serial * STRIDE % DAYS_OF_BIRTH)
        earliest = max(founded_on, born_on + timedelta(days=18 * 366))
        joined_on = earliest + timedelta(days=int(chance() * (today - earliest).days))
        employment, group = _work(draw)
        yield Facts(
            serial,
            uuid.UUID(int=bits(128), version=4),
            _name(draw),
            sex,
            born_on,
            _number(draw, serial, born_on, sex, 0),
            "" if chance() < 0.06 else f"1{'35789'[bits(16) % 5]}{int(chance() * 10**9):09d}",
            demo.ETHNICITIES[int(chance() * len(demo.ETHNICITIES))],
            POLITICS[bits(16) % len(POLITICS)],
            EDUCATION[bits(16) % len(EDUCATION)],
            HUKOU[bits(16) % len(HUKOU)],
            joined_on if chance() < 0.98 or joined_on > registered_on else None,
            employment,
            group,
            chance() < 0.3,
            demo.POSTS[int(chance() * len(demo.POSTS))],
        )


def double_of(facts):
    """Return the `Facts` under which a member was entered a second time: another number, of the same day and place."""
    draw = random.Random(facts.serial)
    number = _number(draw, facts.serial, facts.born_on, facts.sex, 1)
    return facts._replace(uuid=uuid.UUID(int=draw.getrandbits(128), version=4), id_number=number, joined_on=None)


# --- Histories ------------------------------------------------------------------------------------------------------


class Fate(StrEnum):
    """What happened to a member since the registers were taken over."""

    RETAINED = "retained"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"
    DEEMED = "deemed withdrawn"
    EXPELLED = "expelled"
    REOPENED = "withdrawn, and taken back"
    DIED = "died"
    MOVED = "moved to another union"
    MOVED_TWICE = "moved on to a third one"
    MOVED_AWAY = "moved to a union outside the register"
    REFUSED = "a transfer was refused"
    CALLED_OFF = "a transfer was called off"
    ASKED = "a transfer waits for the answer"
    OVERDUE = "a transfer was not answered in time"


FATES = (list(Fate), list(accumulate((20, 8, 17, 4, 2, 3, 2, 24, 5, 4, 5, 2, 3, 1))))


class Story(NamedTuple):
    """What happened to one member: on which days, in this order, and to which unions (their places in the plan)."""

    fate: Fate
    days: tuple
    unions: tuple
    draw: random.Random


def story_of(serial, index, scale, today):
    """Return the `Story` of a member of the union at `index`, or None: `scale.histories` members have one."""
    if serial % (scale.members // scale.histories):
        return None
    draw = random.Random(serial)
    fate = _pick(draw, FATES)
    last = {Fate.ASKED: 4, Fate.OVERDUE: 40}.get(fate, REGISTERED.days - 15)
    first = {Fate.OVERDUE: 25}.get(fate, 1)
    days = sorted(today - timedelta(days=draw.randint(first, last)) for _day in range(4))
    others = [place for place in draw.sample(range(scale.places, scale.unions), 3) if place != index]
    return Story(fate, tuple(days), tuple(others[:2]), draw)

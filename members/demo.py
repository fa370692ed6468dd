"""The demo's fictional city 云河市: unions, officers, members and accounts, the same on every machine.

Everything is drawn from one seeded generator; dates are relative to today, so that the demo never grows old. All
persons and unions are invented. Nothing here is needed by the portal to run.
"""

import random
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta

from unions.models import EmployerCategory, Position, UnionKind

SEED = 20260101

DISTRICTS = [
    # name, kind words, five streets, towns or parks
    ("滨河区", ["滨河路街道", "青年路街道", "柳林街道", "南关镇", "滨河产业园区"]),
    ("东山区", ["东山街道", "朝霞街道", "石桥镇", "松岭街道", "东山产业园区"]),
    ("西岭区", ["西岭街道", "建设街道", "和平街道", "白塔镇", "西岭产业园区"]),
    ("望江区", ["望江街道", "渡口街道", "江湾镇", "码头街道", "望江产业园区"]),
    ("南湖区", ["南湖街道", "荷塘街道", "莲花镇", "湖滨街道", "南湖产业园区"]),
    ("清源县", ["城关镇", "清源镇", "双龙镇", "柏树镇", "清源产业园区"]),
    ("新城区", ["新城街道", "科创街道", "会展街道", "学府街道", "新城产业园区"]),
]

INDUSTRIES = [
    ("机械制造", "制造业"),
    ("电子", "制造业"),
    ("食品", "制造业"),
    ("医药", "制造业"),
    ("纺织", "制造业"),
    ("建筑安装", "建筑业"),
    ("物流", "交通运输、仓储和邮政业"),
    ("商贸", "批发和零售业"),
    ("物业服务", "房地产业"),
    ("餐饮", "住宿和餐饮业"),
    ("信息技术", "信息传输、软件和信息技术服务业"),
    ("家政服务", "居民服务业"),
]
EMPLOYERS = [EmployerCategory.PRIVATE, EmployerCategory.OTHER_LIMITED, EmployerCategory.FOREIGN]
BRANDS = (
    "恒达 华泰 正阳 宏远 金诺 瑞丰 东兴 德润 百川 新元 天成 永安 广源 同创 嘉和 "
    "鸿运 中联 博远 盛世 万邦 春晖 长青 立新 凯旋 瑞和 启明 泰和 康宁 顺达 明珠"
).split()
PUBLIC_BODIES = [
    ("第一实验学校工会", UnionKind.INSTITUTION),
    ("中心医院工会", UnionKind.INSTITUTION),
    ("图书馆工会", UnionKind.INSTITUTION),
    ("人力资源和社会保障局机关工会", UnionKind.ORGAN),
    ("市场监督管理局机关工会", UnionKind.ORGAN),
    ("志愿者协会工会", UnionKind.SOCIAL_ORG),
]

SURNAMES = [
    *"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕",
    *"苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史",
    *"顾侯邵孟单仇解查朴区覃",
    *("欧阳", "上官", "司马", "诸葛"),
]
GIVEN = [
    *"伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志红梅慧思琪嘉怡",
    *"雪晨宇浩然子轩雨桐欣妍文博凯云飞春生海燕德福立新",
]
RARE_NAMES = [
    "陈堃",
    "李喆",
    "黄䶮",
    "周𬭎",
    "阿依古丽·买买提",
    "迪丽努尔·阿不都",
    "朴哲洙",
    "仇䶮",
    "欧阳思琪",
    "刘〇",
]
AREAS = ("210402", "210403", "210404", "210411", "210421", "220102", "370202", "410102", "130102")
ETHNICITIES = ["汉族"] * 18 + ["满族", "回族", "朝鲜族", "蒙古族", "维吾尔族"]
GROUPS = ["COURIER", "FOOD_RIDER", "TRUCK_DRIVER", "DOMESTIC_WORKER", "SECURITY_GUARD"]
POSTS = "操作工 电工 焊工 钳工 质检员 会计 司机 保管员 护士 教师 程序员 客服 销售 厨师".split()


def uscc(number, draw):
    """Return a well-formed credit code of a union (rulebook §2.6); `number` keeps them apart."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"81{draw.choice(AREAS)}MC{number:07d}"
    total = sum(alphabet.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def id_number(born_on, sex, serial, draw):
    """Return a well-formed identity number (rulebook §2.5) of an invented person."""
    return numbered(draw.choice(AREAS), born_on, serial % 500, sex)


def numbered(area, born_on, serial, sex):
    """Return the identity number of the so manieth (0 to 499) man or woman born on a day in an area."""
    body = f"{area}{born_on:%Y%m%d}{serial * 2 + (sex == 'M'):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


@dataclass
class DemoUnion:
    """One union of the demo as plain facts; `above` is the index of its parent in the list."""

    code: str
    name: str
    kind: str
    above: int | None
    facts: dict = field(default_factory=dict)
    term_years: int = 5
    elected_on: date | None = None
    size: int = 0  # members


def years_before(day, years):
    """Return the corresponding day `years` earlier, 28 February standing in for the 29th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def demo_unions(today):
    """Return the demo's unions, parents first: 1 city, 7 districts, 35 streets, towns and parks, 360 grassroots."""
    draw = random.Random(SEED)
    serial = iter(range(1, 10_000))
    unions = [DemoUnion("Y00", "云河市总工会", UnionKind.CITY_FED, None, {"founded_on": date(1950, 5, 1)})]
    for d, (district, places) in enumerate(DISTRICTS, start=1):
        founded = {"founded_on": date(1953, 5, 1)}
        unions.append(DemoUnion(f"Y{d:02d}", f"云河市{district}总工会", UnionKind.DISTRICT_FED, 0, founded))
        above_district = len(unions) - 1
        for p, place in enumerate(places, start=1):
            kind = UnionKind.TOWNSHIP if place.endswith("镇") else UnionKind.STREET
            if "园区" in place:
                kind = UnionKind.PARK
            founded = {"founded_on": date(1996, 4, 1)}
            unions.append(DemoUnion(f"Y{d:02d}{p:02d}", f"{district}{place}工会", kind, above_district, founded))
    places = (UnionKind.PARK, UnionKind.TOWNSHIP, UnionKind.STREET)
    streets = [index for index, union in enumerate(unions) if union.kind in places]
    used = set()
    for number in range(360):
        above = streets[number % len(streets)]
        place = unions[above].name.removesuffix("工会")
        industry, line = draw.choice(INDUSTRIES)
        choice = draw.random()
        founded_on = date(draw.randint(1998, 2020), draw.randint(1, 12), draw.randint(1, 28))
        facts = {"industry": line, "founded_on": founded_on}
        if choice < 0.74:
            kind = UnionKind.ENTERPRISE
            while (name := f"云河{draw.choice(BRANDS)}{industry}有限公司") in used:
                industry, line = draw.choice(INDUSTRIES)
            used.add(name)
            facts |= {"employer_name": name, "industry": line}
            facts["employer_category"] = draw.choice(EMPLOYERS)
            name += "工会"
        elif choice < 0.84:
            suffix, kind = draw.choice(PUBLIC_BODIES)
            district = place[:3]
            name = f"{district}{suffix}"
            if name in used:
                name = f"{place}{suffix}"
            used.add(name)
        elif choice < 0.92:
            kind, name = UnionKind.JOINT, f"{place}{industry}联合工会"
        else:
            kind, name = UnionKind.INDUSTRY_FED, f"{place}{industry}行业工会联合会"
        if any(union.name == name for union in unions):
            name = name.removesuffix("工会") + f"第{number % 9 + 2}工会"
        size = draw.choice([6, 8, 11, 12, 14, 16, 18, 20, 24, 30, 45])
        facts["employees"] = size + draw.randint(0, size)
        facts["legal_person"] = size >= 12
        code = f"{unions[above].code}{number + 1:04d}"
        unions.append(DemoUnion(code, name, kind, above, facts, draw.choice([3, 3, 5]), size=size))
    for union in unions:
        union.facts["uscc"] = uscc(next(serial), draw)
    hold_elections(unions, today, draw, TERMS_TO_SEE)
    return unions


# Days left in terms that show each demo account something to do: the first street, and its first two unions.
TERMS_TO_SEE = {2: 25, 43: -12, 78: 80}


def hold_elections(unions, today, draw, to_see):
    """Give nearly every union a committee: about one in thirty overdue, one in eight due within six months.

    `to_see`: {index of a union: days left in its term}.
    """
    for index, union in enumerate(unions):
        fate = draw.random()
        if union.kind in (UnionKind.CITY_FED, UnionKind.DISTRICT_FED):  # in the middle of their terms
            days_left = draw.randint(300, 1200)
        elif index in to_see:
            days_left = to_see[index]
        elif fate < 0.03:
            days_left = -draw.randint(2, 80)
        elif fate < 0.15:
            days_left = draw.randint(1, 180)
        elif fate < 0.97:
            days_left = draw.randint(181, union.term_years * 365 - 10)
        else:
            continue  # no election on record
        union.elected_on = years_before(today + timedelta(days=days_left), union.term_years)


def person_name(draw, sex):
    """Return an invented name; about one in forty is rare, long or of a minority."""
    if draw.random() < 0.025:
        return draw.choice(RARE_NAMES)
    return draw.choice(SURNAMES) + "".join(draw.sample(GIVEN, draw.choice([1, 2, 2, 2])))


def demo_people(union_index, union, today):
    """Yield the facts of each member of `union`: name, number, sex, birth date, phone and the membership's fields."""
    draw = random.Random(SEED * 1000 + union_index)
    for place in range(union.size):
        sex = draw.choice("MF")
        born_on = today - timedelta(days=draw.randint(19 * 365, 59 * 365))
        roll = draw.random()
        employment, group = (
            ("CONTRACT", "") if roll < 0.72 else ("DISPATCH", "") if roll < 0.82 else ("PLATFORM", draw.choice(GROUPS))
        )
        earliest = max(union.facts["founded_on"], born_on + timedelta(days=18 * 366))
        joined_on = earliest + timedelta(days=draw.randint(0, max(0, (today - earliest).days - 1)))
        yield {
            "uuid": uuid.UUID(int=draw.getrandbits(128), version=4),
            "name": person_name(draw, sex),
            "sex": sex,
            "born_on": born_on,
            "id_number": id_number(born_on, sex, union_index * 97 + place, draw),
            "phone": "" if draw.random() < 0.04 else f"1{draw.choice('35789')}{draw.randint(0, 10**9 - 1):09d}",
            "ethnicity": draw.choice(ETHNICITIES),
            "joined_on": min(joined_on, today),
            "employment": employment,
            "occupation_group": group,
            "migrant_worker": draw.random() < 0.3,
            "post": draw.choice(POSTS),
            "retained": draw.random() < 0.02,
        }


def demo_officers(union_index, union):
    """Return [(position, name, sex, full-time)] of the committee in office."""
    draw = random.Random(SEED * 2000 + union_index)
    positions = [Position.CHAIR, Position.AUDIT_HEAD, Position.WOMEN_HEAD]
    if union.size > 20 or union_index < 45:
        positions.insert(1, Position.VICE_CHAIR)
    officers = []
    for position in positions:
        sex = "F" if position == Position.WOMEN_HEAD else draw.choice("MF")
        officers.append((position, person_name(draw, sex), sex, union_index < 45 and position == Position.CHAIR))
    return officers


ACCOUNTS = [
    # username, name, in the admin, [(role, where)]: where is "city", "district", "street", "enterprise", "neighbour"
    ("city", "周慧敏", True, [("cadre", "city"), ("standards_keeper", "city")]),
    ("approver", "林建国", False, [("city_approver", "city")]),
    ("district", "孟平", False, [("cadre", "district"), ("district_reviewer", "district")]),
    ("street", "侯明超", False, [("cadre", "street")]),
    ("grassroots", "程思琪", False, [("cadre", "enterprise")]),
    ("neighbour", "邓军云", False, [("cadre", "neighbour")]),
    ("chair", "吕志刚", False, [("union_chair", "enterprise")]),
    ("visitor", "唐雪", False, [("visitor", "district")]),
    ("cashier", "冯立伟", False, [("cashier", "city")]),
    ("auditor", "段嘉怡", False, [("auditor", "city")]),
    ("sysadmin", "傅强", True, [("sysadmin", "city")]),
    ("secadmin", "郭宇", True, [("secadmin", "city")]),
    ("nobody", "黄玉珍", False, []),
]

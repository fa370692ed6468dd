"""Whether a household is in hardship, and why: figures against the policy of a day (rulebook §3.1). No database here.

Sums are exact fractions: nothing is rounded before it is compared, and nothing is divided (Y − E < L · 12 · n). What a
cadre reads aloud is a list of criteria, each with its figures, the verdict, and how far the household is from the line.
"""

from dataclasses import asdict, dataclass, field, fields
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property

MONTHS = 12  # income and expenses are those of the twelve months before the application: 家庭人均月纯收入
CENT = Decimal("0.01")

DEEP, RELATIVE, ACCIDENTAL = "DEEP", "RELATIVE", "ACCIDENTAL"
NONE, NOT_ELIGIBLE = "NONE", "NOT_ELIGIBLE"
HELPED = (DEEP, RELATIVE, ACCIDENTAL)  # categories a file is opened for

EXPENSES = ("medical", "education", "disability", "housing", "other", "job")
EXCLUSIONS = {
    "PRIVATE_SCHOOL_OR_OVERSEAS": "子女就读高收费民办学校或自费出国留学",
    "CONTROLLING_SHAREHOLDER": "家庭成员为企业控股股东或实际控制人",
    "HOUSES_2PLUS": "有两套以上住房且超过当地人均面积",
    "CAR": "拥有或使用机动车辆（残疾人代步车辆除外）",
    "REFUSES_VERIFICATION": "拒绝家庭经济状况核对，收入无法核实",
    "FALSE_STATEMENT": "隐瞒收入或提供虚假材料",
    "REFUSES_WORK": "有劳动能力而无正当理由拒绝就业",
    "BUSINESS": "开办商铺或雇用他人经营",
}
EVENTS = {
    "ACCIDENT": "意外事故",
    "SUDDEN_EVENT": "突发事件",
    "CRITICAL_ILLNESS": "重大疾病",
    "DISASTER_INJURY_OR_DEATH": "自然灾害、重大事故等造成伤残或死亡",
}
WITHOUT_RATIO = "DISASTER_INJURY_OR_DEATH"
CATEGORIES = {
    DEEP: "深度困难",
    RELATIVE: "相对困难",
    ACCIDENTAL: "意外致困",
    NONE: "不符合困难类别",
    NOT_ELIGIBLE: "不具备建档条件",
}


class CannotClassify(ValueError):
    """The figures make no sense, or a value of the policy is missing; carries the sentence that says what to do."""


@dataclass(frozen=True)
class Policy:
    """The values that decide, as they were in force on one day; amounts are multiples of the standard or shares."""

    deep_multiple: Decimal = Decimal(1)
    deep_inclusive: bool = False  # 邢台 prints ≤
    relative_multiple: Decimal = Decimal(2)
    relative_inclusive: bool = False
    accidental_share: Decimal = Decimal("0.8")
    accidental_inclusive: bool = False
    edge_multiple: Decimal = Decimal(3)  # up to here a household is listed as near to hardship
    exclusions: tuple = tuple(EXCLUSIONS)  # the flags that exclude
    labour_months: int = 12
    labour_months_for_all: bool = False  # by default for migrant workers only

    def as_json(self):
        """Every value as text, bool, int or list: what a decided case keeps."""
        return {
            name: str(value) if isinstance(value, Decimal) else list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values):
        """The policy that `as_json` wrote."""
        kinds = {each.name: type(each.default) for each in fields(cls)}
        return cls(**{name: kinds[name](value) for name, value in values.items()})


@dataclass(frozen=True)
class Household:
    """What is known of a household: yuan of the twelve months before the application, all exact.

    `expenses` by kind (EXPENSES); `loss`: what an event cost after compensation; `standard`: the 低保 standard of the
    place, yuan a person and month.
    """

    income: Decimal
    size: int
    standard: Decimal
    expenses: dict = field(default_factory=dict)
    event: str = ""
    loss: Decimal = Decimal(0)
    migrant: bool = False
    resident: bool = True
    labour_months: int = 0
    member: bool = True
    flags: tuple = ()

    def check(self):
        """Raise CannotClassify with a sentence for figures that no household has."""
        if self.size < 1:
            raise CannotClassify("家庭人口至少为1人，请核对共同生活人口。")
        if self.standard <= 0:
            raise CannotClassify("低保标准应大于0，请先维护当地当期低保标准。")
        for name, amount in {"家庭年收入": self.income, "致困损失": self.loss, **self.expenses}.items():
            if not amount.is_finite() or amount < 0:
                raise CannotClassify(f"{LABELS.get(name, name)}不能为负数，请核对。")
        if self.labour_months < 0:
            raise CannotClassify("劳动关系月数不能为负数，请核对。")
        if self.event and self.event not in EVENTS:
            raise CannotClassify(f"不认识的致困事件“{self.event}”，可填：{'、'.join(EVENTS)}。")
        if unknown := set(self.flags) - set(EXCLUSIONS):
            raise CannotClassify(f"不认识的排除情形“{'、'.join(sorted(unknown))}”，可填：{'、'.join(EXCLUSIONS)}。")


LABELS = {
    "medical": "因病支出（个人自付部分）",
    "education": "因学支出（不含义务教育）",
    "disability": "因残支出",
    "housing": "住房支出",
    "other": "其他刚性支出",
    "job": "必要就业成本",
}


@dataclass(frozen=True)
class Criterion:
    """One test as it is read aloud: what is asked, the household's figures, whether it is met, how far from the line.

    `distance`: yuan a person and month by which the figure lies above (+) or below (−) the line, rounded to the cent
    for display; None where there is no line.
    """

    code: str
    asked: str
    figures: str
    met: bool
    distance: Decimal | None = None


@dataclass(frozen=True)
class Verdict:
    """The category, the criteria in the order they were looked at, and the net income a person and month."""

    category: str
    criteria: tuple
    per_capita: Fraction  # exact
    edge: bool = False  # near to hardship: to be listed for monitoring

    @cached_property
    def shown(self):
        """The net income a person and month to the cent, half up."""
        return to_cents(self.per_capita)

    @property
    def explanation(self):
        """The whole derivation as one text."""
        told = [f"{each.asked}：{each.figures}，{'是' if each.met else '否'}" for each in self.criteria]
        return "；".join([*told, f"结论：{CATEGORIES[self.category]}"])


def to_cents(amount):
    """Return a Fraction as Decimal to the cent, half away from zero, exactly."""
    cents = abs(amount) * 100
    whole, rest = divmod(cents.numerator, cents.denominator)
    whole += 2 * rest >= cents.denominator
    return (Decimal(whole) * (1 if amount >= 0 else -1) / 100).quantize(CENT, ROUND_HALF_UP)


def classify(household, policy):
    """Return the `Verdict` on a `Household` under a `Policy` (rulebook §3.1). Raises CannotClassify.

    What excludes comes first; then DEEP, RELATIVE, ACCIDENTAL, each only if the one before does not hold.
    """
    household.check()
    net = Fraction(household.income) - sum(map(Fraction, household.expenses.values()))
    months = MONTHS * household.size
    per_capita = net / months
    criteria = [_member(household), *_labour(household, policy), _excluded(household, policy)]
    if not all(each.met for each in criteria):
        return Verdict(NOT_ELIGIBLE, tuple(criteria), per_capita)
    for category, multiple, inclusive in (
        (DEEP, policy.deep_multiple, policy.deep_inclusive),
        (RELATIVE, policy.relative_multiple, policy.relative_inclusive),
    ):
        criteria.append(_income(household, category, net, multiple, inclusive))
        if criteria[-1].met:
            return Verdict(category, tuple(criteria), per_capita)
    if household.event:
        criteria.append(_accident(household, policy))
        if criteria[-1].met:
            return Verdict(ACCIDENTAL, tuple(criteria), per_capita)
    edge = net <= Fraction(policy.edge_multiple) * Fraction(household.standard) * months
    return Verdict(NONE, tuple(criteria), per_capita, edge)


def _member(household):
    return Criterion("MEMBER", "申请人是工会会员", "在册会员" if household.member else "不是在册会员", household.member)


def _labour(household, policy):
    if household.migrant:
        place = "在城镇常住" if household.resident else "常住农村"
        yield Criterion("RESIDENT", "农民工在城镇常住", place, household.resident)
    if household.migrant or policy.labour_months_for_all:
        yield Criterion(
            "LABOUR_RELATION",
            f"劳动关系满{policy.labour_months}个月",
            f"已{household.labour_months}个月",
            household.labour_months >= policy.labour_months,
        )


def _excluded(household, policy):
    found = [EXCLUSIONS[flag] for flag in EXCLUSIONS if flag in household.flags and flag in policy.exclusions]
    return Criterion("NO_EXCLUSION", "没有排除情形", "、".join(found) or "无排除情形", not found)


def _income(household, category, net, multiple, inclusive):
    months = MONTHS * household.size
    line = Fraction(household.standard) * Fraction(multiple)
    met = net <= line * months if inclusive else net < line * months
    spent = sum(household.expenses.values(), Decimal(0))
    word = "不高于" if inclusive else "低于"
    times = "" if multiple == 1 else f"的{plain(multiple)}倍"
    return Criterion(
        category,
        f"家庭人均月纯收入{word}低保标准{times}（{plain(to_cents(line))}元）",
        f"（{plain(household.income)}−{plain(spent)}）÷{MONTHS}÷{household.size}＝{to_cents(net / months)}元",
        met,
        to_cents(net / months - line),
    )


def _accident(household, policy):
    if household.event == WITHOUT_RATIO:
        return Criterion(ACCIDENTAL, "遭遇意外致困情形（不计比例）", EVENTS[household.event], met=True)
    limit = Fraction(household.income) * Fraction(policy.accidental_share)
    met = household.loss >= limit if policy.accidental_inclusive else household.loss > limit
    word = "达到" if policy.accidental_inclusive else "超过"
    return Criterion(
        ACCIDENTAL,
        f"{EVENTS[household.event]}致困损失{word}家庭年收入的{plain(policy.accidental_share * 100)}%"
        f"（{plain(to_cents(limit))}元）",
        f"赔付救助后自负{plain(household.loss)}元",
        met,
        to_cents(Fraction(household.loss) - limit),
    )


def plain(number):
    """A Decimal as text without an exponent or needless zeros: 1E+3 → 1000, 0.80 → 0.8."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

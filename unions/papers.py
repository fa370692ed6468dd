"""换届情况表: the terms of a union's committee and of all below it, by unit; and what units are called in numbers."""

from collections import Counter
from datetime import date
from itertools import groupby

from django.db.models.functions import Coalesce

from core import drawing
from core.rolls import Group, Roll
from core.scope import WIDTH
from unions.models import Committee, Union
from unions.terms import Term, TermState

SERVES_UNTIL = Coalesce("extended_until", "term_ends_on")
STATES = (TermState.RUNNING, TermState.SOON, TermState.OVERDUE, TermState.UNKNOWN)
NAME_EMS, CODE_EMS = 12.6, 6.5  # what the columns hold (papers/terms.html)
DIGITS = "〇一二三四五六七八九"


def abbreviation(union):
    """The unit's abbreviation in the numbers of its papers: 滨工 for 滨河区总工会 and every union below it.

    The first character of the district's name without its city's; two when another unit of the city begins the same.
    """
    root = Union.objects.get(parent=None)
    top = union if union.level <= 1 else Union.objects.get(pk=union.ancestor_ids[1])
    city = root.name.removesuffix("总工会")
    name = top.name.removeprefix(city) or top.name
    if top.level == 0:
        return f"{city[0]}工"
    beginnings = [other.removeprefix(city)[:1] for other in root.children.values_list("name", flat=True)]
    return f"{name[:2] if beginnings.count(name[0]) > 1 else name[0]}工"


def ordinal(number):
    """第三届, 第十二届: the number of a term in Chinese."""
    tens, ones = divmod(number, 10)
    if tens > 9:
        return f"第{number}届"
    text = (DIGITS[tens] if tens > 1 else "") + ("十" if tens else "") + (DIGITS[ones] if ones or not tens else "")
    return f"第{text}届"


class UnionRoll(Roll):
    """A roll whose groups are unions."""

    def unit(self, union):
        return abbreviation(union)

    def named(self, keys):
        rows = Union.objects.filter(pk__in=keys).values_list("pk", "name", "code")
        return {key: (name, code) for key, name, code in rows}


class TermReport(UnionRoll):
    """One row a union: its term, the election, the end and how near that is; overdue ones stand out."""

    title = "换届情况表"
    letter = "换"
    permission = "unions.view_committee"
    template = "papers/terms.html"
    counted = "个工会"
    columns = (11, 48, 23, 17, 20, 12, 20, 17)
    heads = ("序号", "工会名称", "工会编码", "届次", "选举日期", "任期", "届满日期", "状态")
    figure_heads = ("工会数", "正常", "即将届满", "逾期", "未登记")
    totals_title = "单　位"

    def heading(self, union, params):
        return f"{union.name}换届情况表"

    def count(self, union, params):
        return Union.objects.standing().below(union).count()

    def words(self, union, params):
        return f"范围：{union.name}及所属工会"

    def in_words(self, figures):
        total, *states = figures
        words = [f"{word} {count}" for word, count in zip(self.figure_heads[1:], states, strict=True) if count]
        return "　".join([f"{total} 个工会", *words])

    def groups(self, paper, day):
        """The unions in the order of the tree, grouped by what stands right below the paper's union."""
        top = paper.union
        unions = Union.objects.standing().below(top)
        ends = dict(Committee.objects.in_office().filter(union__in=unions).values_list("union_id", SERVES_UNTIL))
        rows = unions.order_by("path").values_list("path", "pk", "name", "code")
        for _segment, members in groupby(rows, key=lambda row: row[0][len(top.path) : len(top.path) + WIDTH]):
            members = list(members)
            _path, key, name, code = members[0]
            states = Counter(Term(ends.get(pk), day).state for _path, pk, _name, _code in members)
            heights = [(pk, _height(pk_name, pk_code, ends.get(pk), day)) for _path, pk, pk_name, pk_code in members]
            yield Group(key, name, code, [len(members), *(states[state] for state in STATES)], heights)

    def cells(self, paper, keys):
        day = date.fromisoformat(paper.facts["day"])
        committees = {each.union_id: each for each in Committee.objects.in_office().filter(union__in=keys)}
        return {
            union.pk: _cells(union, committees.get(union.pk), day)
            for union in Union.objects.filter(pk__in=keys).only("name", "code")
        }


def _lines(name, code, ends_on, day):
    """The lines of the cells that may take more than one."""
    term = Term(ends_on, day)
    state = {
        TermState.RUNNING: ["正常"],
        TermState.SOON: ["即将届满"],
        TermState.OVERDUE: ["逾期", f"{(day - (ends_on or day)).days} 天"],
        TermState.UNKNOWN: ["未登记"],
    }[term.state]
    return term.state, (drawing.wrap(name, NAME_EMS), drawing.wrap(code, CODE_EMS), state)


def _height(name, code, ends_on, day):
    return drawing.row_height(*_lines(name, code, ends_on, day)[1])


def _cells(union, committee, day):
    ends_on = committee.serves_until if committee else None
    state, lines = _lines(union.name, union.code, ends_on, day)
    cells = dict(zip(("name", "code", "state"), lines, strict=True))
    cells |= {"late": state == TermState.OVERDUE, "height": drawing.row_height(*lines)}
    if committee is None:
        return cells | dict.fromkeys(("number", "elected", "years", "ends"), "—")
    return cells | {
        "number": ordinal(committee.number),
        "elected": committee.elected_on.isoformat(),
        "years": f"{committee.term_years} 年",
        "ends": ends_on.isoformat(),
    }

"""Papers of a hardship case: 申请表, 入户调查表, 审批表, and the dossier of the whole file with its contents.

Chinese in every interface language; numbers masked, phone and account by their last digits, no diagnosis.
"""

from dataclasses import dataclass, field

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance import flow
from assistance.eligibility import CATEGORIES, EXCLUSIONS, LABELS
from assistance.models import HardshipCase
from core import drawing
from core.forms import IntegerField
from core.models import Paper
from core.papers import Kind, Slice, kinds
from members.identity import mask_phone
from unions.models import Sex
from unions.papers import abbreviation

COLUMN, COLUMNS = 14, 12  # mm, and how many: drawing.WIDTH together
PADDING, EM = 3.0, 3.6  # what a cell keeps free, and one em, in mm
MOST_LINES = 30  # of one row: what is longer goes on in the next
SIGN = 3  # lines kept free for signatures

KIN = {"SELF": "申请人", "SPOUSE": "配偶", "CHILD": "子女", "PARENT": "父母", "SIBLING": "兄弟姐妹",
       "GRANDPARENT": "（外）祖父母", "GRANDCHILD": "（外）孙子女", "OTHER": "其他被扶养人"}  # fmt: skip
SITUATION = {"WORKING": "在业", "JOBLESS": "失业", "STUDENT": "在校", "RETIRED": "退休", "ILL": "重病",
             "DISABLED": "残疾", "MINOR": "学龄前"}  # fmt: skip
CAUSE = {"ILLNESS": "因病", "DISABILITY": "因残", "EDUCATION": "子女上学", "DISASTER": "意外灾害",
         "LOW_INCOME": "收入偏低", "JOBLESS": "下岗失业", "OTHER": "其他"}  # fmt: skip
INCOME = {"WAGE": "工资性收入", "BUSINESS": "经营净收入", "PROPERTY": "财产净收入", "TRANSFER": "转移净收入",
          "OTHER": "其他收入"}  # fmt: skip
CONSENT = {"CHECK": "家庭经济状况核对授权书", "PUBLICITY": "公示同意书", "SENSITIVE": "敏感个人信息处理同意书"}
OPINION = {"AS_DECLARED": "与申报情况一致", "DIFFERS": "与申报情况不一致"}
STEPS = {
    "submit": "提交申请", "review": "工会初审通过", "return_review": "初审退回", "reject_review": "初审不予通过",
    "visit": "入户调查", "return_visit": "调查退回", "appraise": "民主评议", "return_appraisal": "评议退回",
    "object": "公示期收到异议", "dismiss_objection": "异议不成立，重新公示", "uphold_objection": "异议成立",
    "end_publicity": "公示期满", "check": "区县复核通过", "return_check": "复核退回", "reject_check": "复核不予通过",
    "match": "信息核对完成", "return_match": "核对退回", "approve": "市级审批建档", "return_approval": "审批退回",
    "reject_approval": "不予批准", "withdraw": "申请人撤回", "start_review": "开始定期复核", "confirm": "复核后保留",
    "exit": "退出并跟踪监测", "close": "档案终止", "end_monitoring": "监测期满", "reenter": "再次申请",
}  # fmt: skip
SEX = {Sex.MALE: "男", Sex.FEMALE: "女"}


class CaseForm(forms.Form):
    """Which case the paper is about."""

    case = IntegerField(label=_("number of the case"), min_value=1, max_value=2**31)


@dataclass(frozen=True)
class Row:
    """One row of the sheet: (columns taken, lines, class) of each cell, its height in mm; `leads` on to the next."""

    cells: list
    height: float
    leads: bool = False

    @property
    def tall(self):
        return self.height > drawing.ROW


@dataclass
class Part:
    """What begins on a page of its own: a title and rows."""

    title: str
    rows: list = field(default_factory=list)

    def head(self, text):
        self._add([(COLUMNS, text, "head")], leads=True)

    def pairs(self, *pairs):
        """Labels and values side by side: two columns a label, and what is left shared out."""
        width = COLUMNS // len(pairs)
        self._add([cell for label, value in pairs for cell in ((2, label, "label"), (width - 2, value, "text"))])

    def table(self, widths, rows, heads):
        self._add([(width, head, "label") for width, head in zip(widths, heads, strict=True)], leads=bool(rows))
        for row in rows:
            self._add([(width, text, "text") for width, text in zip(widths, row, strict=True)])

    def text(self, label, text):
        """A long text: its lines go on in further rows, and so on the next page."""
        paragraphs = [line for each in str(text).splitlines() or [""] for line in _wrapped(each, COLUMNS - 2)]
        for start in range(0, len(paragraphs), MOST_LINES):
            self._put([(2, [label if not start else "（续）"], "label"),
                       (COLUMNS - 2, paragraphs[start : start + MOST_LINES], "text")])  # fmt: skip

    def signed(self, *labels):
        """Room for opinions, signatures and seals side by side."""
        width = COLUMNS // len(labels)
        free = [""] * SIGN
        self._put([(width, [label, *free, "签字（盖章）　　　年　月　日"], "text") for label in labels])

    def _add(self, cells, *, leads=False):
        self._put([(span, _wrapped(text, span), css) for span, text, css in cells], leads=leads)

    def _put(self, cells, *, leads=False):
        self.rows.append(Row(cells, drawing.row_height(*(lines for _span, lines, _css in cells)), leads))

    def blocks(self):
        """The rows, each together with the heads that lead to it: what stands on one page."""
        block = []
        for row in self.rows:
            block.append(row)
            if not row.leads:
                yield block
                block = []
        if block:
            yield block


def _wrapped(text, span):
    return drawing.wrap(str(text), (COLUMN * span - PADDING) / EM)


# --- The parts -----------------------------------------------------------------------------------------------------


def the_application(case):
    part = Part("困难职工建档申请表")
    _household(part, case)
    part.head("近十二个月家庭收入（元）")
    incomes = [(_of(each), INCOME[each.kind], each.amount, each.notes) for each in case.incomes.select_related("of")]
    part.table((3, 3, 2, 4), [*incomes, ("合计", "", _total(case.incomes), "")], ("收入人", "项目", "金额", "说明"))
    part.head("近十二个月刚性支出（元）")
    rows = [(_of(each), LABELS[each.kind.lower()], each.amount, each.notes)
            for each in case.expenses.select_related("of")]  # fmt: skip
    part.table((3, 4, 2, 3), [*rows, ("合计", "", _total(case.expenses), "")], ("支出人", "项目", "金额", "说明"))
    part.head("申请事由")
    part.pairs(("主要致困原因", CAUSE[case.cause]), ("申请日期", case.applied_on))
    part.text("情况说明", case.statement)
    if case.flags:
        part.text("排除情形", "、".join(EXCLUSIONS[flag] for flag in case.flags))
    part.text("承诺", "本人承诺所填内容及所附材料真实、完整；如有隐瞒或虚假，愿意退出帮扶并承担相应责任。")
    part.signed("申请人签名", "所在工会")
    return part


def the_visit(case):
    part = Part("困难职工入户调查表")
    _household(part, case)
    for visit in case.visits.prefetch_related("visitors"):
        part.head("入户调查情况")
        part.pairs(("调查日期", visit.on), ("调查结论", OPINION[visit.opinion]))
        part.text("调查人", "、".join(each.name for each in visit.visitors.all()))
        part.text("调查记录", visit.found)
    part.signed("调查人签名", "被调查人签名")
    return part


def the_approval(case):
    part = Part("困难职工审批表")
    _household(part, case)
    part.head("办理经过")
    steps = list(case.steps.order_by("pk"))
    rows = [(timezone.localdate(step.at), STEPS[step.move], step.by_name or "—", _note(step)) for step in steps]
    part.table((2, 3, 2, 5), rows, ("日期", "环节", "经办人", "意见"))
    for decision, verdict in flow.verdicts(case):
        part.head(f"认定依据（政策日期{decision.on}，低保标准{decision.standard.amount}元／人·月）")
        rows = [(each.asked, each.figures, "是" if each.met else "否", "—" if each.distance is None else each.distance)
                for each in verdict.criteria]  # fmt: skip
        part.table((5, 4, 1, 2), rows, ("标准", "家庭情况", "符合", "距标准（元）"))
        part.pairs(("认定类别", CATEGORIES[decision.category]), ("人均月纯收入", f"{decision.shown}元"))
    part.pairs(("建档日期", case.filed_on or "—"), ("复核期限", case.review_on or "—"))
    part.signed("基层工会意见", "区（县）总工会意见", "市总工会意见")
    return part


def the_consents(case):
    part = Part("授权与同意")
    rows = [
        (_of(each), CONSENT[each.kind] + ("（监护人）" if each.by_guardian else ""), each.text_version,
         timezone.localdate(each.given_at), timezone.localdate(each.withdrawn_at) if each.withdrawn_at else "—")
        for each in case.consents.select_related("of")
    ]  # fmt: skip
    part.table((2, 4, 2, 2, 2), rows, ("姓名", "文书", "文本版本", "签署日期", "撤回日期"))
    return part


def _household(part, case):
    own = case.applicant
    part.head("基本情况")
    part.pairs(("姓　　名", own.name), ("性　　别", SEX[own.sex]), ("出生日期", own.born_on))
    part.pairs(("身份证号", own.id_masked), ("联系电话", mask_phone(case.phone) or "—"))
    part.pairs(("所在工会", case.union.name), ("档案编号", case.file.number or "—"))
    account = f"{case.bank_name}　尾号{case.bank_last4}" if case.bank_last4 else "—"
    area = f"{case.houses}套　{case.housing_area or '—'}平方米"
    part.pairs(("住　　房", area), ("收款账户", account))
    part.head(f"家庭成员（共同生活{len(case.people.all())}人）")
    rows = [(each.name, KIN[each.kin], each.id_masked, SITUATION[each.situation], each.workplace or "—")
            for each in case.people.all()]  # fmt: skip
    part.table((2, 2, 4, 1, 3), rows, ("姓名", "关系", "身份证号", "状况", "单位或学校"))


def _of(row):
    return row.of.name


def _total(rows):
    return sum(each.amount for each in rows.all())


def _note(step):
    facts = step.facts
    said = {
        "visit": lambda: OPINION[facts["opinion"]],
        "appraise": lambda: f"到会{facts['present']}人，赞成{facts['favour']}人，反对{facts['against']}人",
        "approve": lambda: CATEGORIES[facts["category"]],
        "confirm": lambda: CATEGORIES[facts["category"]],
    }.get(step.move, str)()
    return "　".join(filter(None, [said, step.reason])) or "—"


# --- The kinds --------------------------------------------------------------------------------------------------------


class CasePaper(Kind):
    """A paper about one case, named by its key in the params."""

    letter = "困"
    permission = "assistance.view_hardshipcase"
    template = "papers/case.html"
    form = CaseForm
    parts = ()  # of the case: functions that return a Part

    def heading(self, union, params):
        return f"{self.title}（第{params['case']}号）"

    def unit(self, union):
        return abbreviation(union)

    def count(self, union, params):
        return self._cases(union, params).count()

    def _cases(self, union, params):
        below = type(union).objects.below(union)
        return HardshipCase.objects.filter(pk=params["case"], union__in=below)

    def plan(self, paper, day):
        parts = self.laid(paper)
        facts = {
            "cut_off": f"{day.year}年{day.month}月{day.day}日",
            "day": day.isoformat(),
            "union": paper.union.name,
            "union_code": paper.union.code,
            "filter": paper.params,
        }
        return facts, [Slice({"day": day.isoformat()}, sum(len(part.rows) for part in parts))]

    def laid(self, paper):
        """The `Part`s of the paper, in order; none when the case left the union meanwhile."""
        case = self._cases(paper.union, paper.params).select_related("file", "union").first()
        return [make(one) for one in self.cases(case) for make in self.parts] if case else []

    def cases(self, case):
        return [case]

    def pages(self, paper, params, less):
        parts = self.laid(paper)
        contents = self._contents(paper, parts, less)
        return contents + self._body(paper, parts, less, opening=not contents), sum(len(part.rows) for part in parts)

    def _contents(self, paper, parts, less):
        """The pages in front of all others: none, unless it is a dossier."""
        return []

    def _body(self, paper, parts, less, *, opening):
        pages = []
        for part in parts:
            first, room = drawing.rooms(paper.title, self._words(paper), less)
            pager = drawing.Pager(first_room=first if opening and not pages else room, room=room)
            for block in part.blocks():
                pager.place(None, block, height=sum(row.height for row in block))
            for laid in pager.pages:
                rows = [row for block in laid[0].rows for row in block]
                pages.append(self._page(paper, rows, opening=opening and not pages))
        return pages

    def _words(self, paper):
        return f"工会：{paper.union.name}"

    def _page(self, paper, rows, *, opening):
        columns = [COLUMN] * COLUMNS
        return {
            "rows": rows,
            "columns": columns,
            "title_lines": drawing.wrap(paper.title, drawing.TITLE_EMS) if opening else [],
            "words": drawing.wrap(self._words(paper), drawing.FACTS_EMS),
            "figures": "",
            "rules": drawing.rules(columns, [(row.height, [span for span, _l, _c in row.cells]) for row in rows]),
        }


class Application(CasePaper):
    title = "困难职工建档申请表"
    parts = (the_application,)


class VisitForm(CasePaper):
    title = "困难职工入户调查表"
    parts = (the_visit,)

    def count(self, union, params):
        return self._cases(union, params).filter(visits__isnull=False).distinct().count()


class Approval(CasePaper):
    title = "困难职工审批表"
    parts = (the_approval,)

    def count(self, union, params):
        return self._cases(union, params).filter(steps__isnull=False).distinct().count()


class Dossier(CasePaper):
    """一户一档: every cycle of the file, each part on pages of its own, with the contents in front."""

    title = "困难职工档案"
    parts = (the_application, the_consents, the_visit, the_approval)

    def cases(self, case):
        return list(case.file.cases.filter(cycle__lte=case.cycle).order_by("cycle"))

    def laid(self, paper):
        parts = super().laid(paper)
        for number, part in enumerate(parts):
            title = Part(part.title)
            title.head(f"{part.title}（{self._cycle(number)}）")
            part.rows[:0] = title.rows
        return parts

    def _cycle(self, number):
        return f"第{number // len(self.parts) + 1}次申请"

    def _contents(self, paper, parts, less):
        """What there is, and on which page it begins; how long this list is does not depend on the figures in it."""
        length = len(self._listed(paper, parts, less, begins=0))
        return self._listed(paper, parts, less, begins=length + 1)

    def _listed(self, paper, parts, less, *, begins):
        listed, rows = Part("目录"), []
        for number, part in enumerate(parts):
            rows.append((number + 1, part.title, self._cycle(number), begins))
            begins += len(self._body(paper, [part], less, opening=False))
        listed.head("目　录")
        listed.table((1, 7, 2, 2), rows, ("序号", "材料", "申请", "页码"))
        return self._body(paper, [listed], less, opening=True)


def offered(case):
    """[(key, title)] of the papers that there is something to print for."""
    params = {"case": case.pk}
    return [(key, kind.title) for key, kind in kinds().items() if key in KINDS and kind.count(case.union, params)]


def issued(case):
    """The latest papers about a case, newest first."""
    return Paper.objects.filter(union=case.union_id, kind__in=KINDS, params__case=case.pk).order_by("-pk")[:6]


KINDS = ("hardship_application", "hardship_visit", "hardship_approval", "hardship_dossier")

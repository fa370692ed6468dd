"""发放花名册 of a payment batch, 资金台账 of a source in a period, and the result of a campaign: numbers masked."""

from datetime import date, timedelta
from itertools import groupby

from django import forms
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistance.grants import GrantState
from assistance.models import (
    AidKind,
    Budget,
    Campaign,
    EntryKind,
    FundSource,
    Grant,
    LedgerEntry,
    PaymentBatch,
    PayMethod,
    Quota,
    Recipient,
)
from core import drawing
from core.fields import FEN
from core.forms import DateField
from core.rolls import Group
from members.pinyin import spread
from unions.papers import UnionRoll

AID = {
    AidKind.LIVING: "生活救助", AidKind.EDUCATION: "子女助学", AidKind.MEDICAL: "医疗救助", AidKind.WARMTH: "送温暖",
    AidKind.COOL: "送清凉", AidKind.SPRING: "春送岗位", AidKind.EMPLOYMENT: "就业帮扶", AidKind.TRAINING: "技能培训",
    AidKind.STARTUP: "创业扶持", AidKind.LEGAL: "法律援助", AidKind.MUTUAL: "互助保障", AidKind.PSYCH: "心理关怀",
    AidKind.DISASTER: "应急救助", AidKind.MODEL_WORKER: "劳模慰问",
}  # fmt: skip
METHOD = {PayMethod.BANK: "银行转账", PayMethod.IN_KIND: "实物签收"}
STATE = {
    GrantState.ASKED: "待审批", GrantState.APPROVED: "待发放", GrantState.IN_BATCH: "发放中", GrantState.PAID: "已发放",
    GrantState.FAILED: "未发放", GrantState.REFUSED: "未批准", GrantState.REVERSED: "已冲销",
}  # fmt: skip
ENTRY = {
    EntryKind.APPROPRIATION: "拨入", EntryKind.RESERVE: "预留", EntryKind.RELEASE: "释放", EntryKind.PAY: "发放",
    EntryKind.REVERSAL: "冲销",
}  # fmt: skip
MOST_KEY = 2**53  # that any database holds
NO_BUDGET = 0  # stands for what is in no budget


def fen(amount):
    """Yuan as whole fen: the facts of a paper are JSON."""
    return int(amount / FEN)


def in_yuan(number):
    """Fen as they are printed: 1,234.50."""
    return f"{number * FEN:,.2f}"


class PaymentForm(forms.Form):
    batch = forms.CharField(label=_("number of the payment batch"), max_length=30)


class PaymentRoll(UnionRoll):
    """One row a grant of a batch, by union, with room for a signature."""

    title = "帮扶资金发放花名册"
    letter = "发"
    permission = "assistance.view_paymentbatch"
    template = "papers/payment.html"
    form = PaymentForm
    counted = "笔"
    columns = (11, 26, 37, 24, 18, 26, 26)
    heads = ("序号", "姓　名", "身份证号", "救助类别", "账号尾号", "金额（元）", "签　收")
    figure_heads = ("笔数", "金额（元）")
    figure_width = 26
    totals_title = "工会名称"
    NAME_EMS, RECEIPT_EMS = 6.3, 6.3

    def heading(self, union, params):
        return f"{union.name}{self.title}"

    def batch(self, union, params):
        """The batch with this number at the union, or None."""
        _year, _dash, rest = str(params.get("batch", "")).partition("-")
        source, _dash, serial = rest.partition("-")
        if not (source.isascii() and source.isdigit() and serial.isascii() and serial.isdigit() and len(rest) < 18):
            return None
        rows = PaymentBatch.objects.select_related("source")
        return rows.filter(source__union=union, source=int(source), serial=int(serial)).first()

    def grants(self, union, params):
        return Grant.objects.filter(batch=self.batch(union, params) or 0)

    def count(self, union, params):
        return self.grants(union, params).count()

    def words(self, union, params):
        batch = self.batch(union, params)
        return f"批次：{batch.number}　{batch.source}　{METHOD[batch.method]}"

    def in_words(self, figures):
        return f"{figures[0]} 笔　合计 {in_yuan(figures[1])} 元"

    def shown(self, figures):
        return [figures[0], in_yuan(figures[1])]

    def groups(self, paper, day):
        rows = self.grants(paper.union, paper.params).order_by("union__path", "pk")
        rows = rows.values_list("union", "union__name", "union__code", "pk", "name", "receipt", "amount")
        for (key, name, code), found in groupby(rows, key=lambda row: row[:3]):
            found = [row[3:] for row in found]
            heights = [(pk, drawing.row_height(*self.lines(who, receipt))) for pk, who, receipt, _amount in found]
            yield Group(key, name, code, [len(found), sum(fen(row[3]) for row in found)], heights)

    def lines(self, name, receipt):
        return drawing.wrap(spread(name), self.NAME_EMS), drawing.wrap(receipt, self.RECEIPT_EMS)

    def cells(self, paper, keys):
        return {grant.pk: self.cells_of(grant) for grant in Grant.objects.filter(pk__in=keys).select_related("budget")}

    def cells_of(self, grant):
        signed = grant.receipt if grant.method == PayMethod.IN_KIND else ""
        lines = self.lines(grant.name, grant.receipt)
        return {
            "name": lines[0], "id_masked": grant.id_masked, "aid": AID[grant.budget.aid_kind],
            "last4": grant.bank_last4 or "—", "amount": f"{grant.amount:,.2f}", "receipt": lines[1] if signed else [],
            "height": drawing.row_height(*lines),
        }  # fmt: skip


class LedgerForm(forms.Form):
    """Which source, and from when to when."""

    source = forms.IntegerField(label=_("key of the source of money"), min_value=1, max_value=MOST_KEY)
    since = DateField(label=_("from"))
    until = DateField(label=_("to"))

    def clean(self):
        cleaned = super().clean()
        if not self.errors and cleaned["until"] < cleaned["since"]:
            raise forms.ValidationError(_("The end lies before the beginning: exchange them."))
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in cleaned.items()}


class FundLedger(UnionRoll):
    """One row an entry of the ledger of a source, by budget, with what was left after it."""

    title = "帮扶资金台账"
    letter = "账"
    permission = "assistance.view_fundsource"
    template = "papers/fund_ledger.html"
    form = LedgerForm
    counted = "笔"
    columns = (11, 26, 22, 37, 34, 38)
    heads = ("序号", "日　期", "类　别", "凭　证", "金额（元）", "余额（元）")
    figure_heads = ("期初余额", "拨入", "使用", "期末余额")
    figure_width = 25
    totals_title = "预　算"

    def heading(self, union, params):
        return f"{union.name}{self.title}"

    def entries(self, union, params):
        return LedgerEntry.objects.filter(source=params.get("source") or 0, source__union=union)

    def period(self, params):
        """(first moment, first moment after) of the days in `params`."""
        since, until = date.fromisoformat(params["since"]), date.fromisoformat(params["until"])
        midnight = timezone.datetime.min.time()
        return [
            timezone.make_aware(timezone.datetime.combine(day, midnight)) for day in (since, until + timedelta(days=1))
        ]

    def count(self, union, params):
        begins, ends = self.period(params)
        return self.entries(union, params).filter(at__gte=begins, at__lt=ends).count()

    def words(self, union, params):
        source = FundSource.objects.get(pk=params["source"])
        return f"{source}　{params['since']} 至 {params['until']}"

    def in_words(self, figures):
        return f"期末余额 {in_yuan(figures[3])} 元"

    def shown(self, figures):
        return [in_yuan(figure) for figure in figures]

    def groups(self, paper, day):
        begins, ends = self.period(paper.params)
        entries = self.entries(paper.union, paper.params)
        for key in [None, *Budget.objects.filter(source=paper.params["source"]).values_list("pk", flat=True)]:
            rows = entries.filter(budget=key).order_by("pk")
            before = rows.filter(at__lt=begins).aggregate(sum=Sum("amount"))["sum"] or 0
            found = list(rows.filter(at__gte=begins, at__lt=ends).values_list("pk", "kind", "amount"))
            given = sum(amount for _pk, kind, amount in found if kind == EntryKind.APPROPRIATION)
            used = sum(amount for _pk, kind, amount in found if kind != EntryKind.APPROPRIATION)
            figures = [fen(before), fen(given), fen(-used), fen(before + given + used)]
            name, code = self.named([key or NO_BUDGET])[key or NO_BUDGET]
            yield Group(key or NO_BUDGET, name, code, figures, [(row[0], drawing.ROW) for row in found])

    def named(self, keys):
        found = {each.pk: (AID[each.aid_kind], "") for each in Budget.objects.filter(pk__in=keys)}
        return {NO_BUDGET: ("未分配", "")} | found

    def cells(self, paper, keys):
        wanted, left, found = set(keys), {}, {}
        for entry in self.entries(paper.union, paper.params).select_related("grant").order_by("pk"):
            left[entry.budget_id] = left.get(entry.budget_id, 0) + entry.amount
            if entry.pk in wanted:
                found[entry.pk] = {
                    "day": timezone.localdate(entry.at).isoformat(), "kind": ENTRY[entry.kind],
                    "voucher": entry.grant.reference if entry.grant else f"L{entry.pk:08d}",
                    "amount": f"{entry.amount:,.2f}", "left": f"{left[entry.budget_id]:,.2f}",
                    "height": drawing.ROW,
                }  # fmt: skip
        return found


class ResultForm(forms.Form):
    campaign = forms.IntegerField(label=_("key of the campaign"), min_value=1, max_value=MOST_KEY)


class CampaignResult(UnionRoll):
    """One row a recipient, by the union that had the places."""

    title = "四季送活动发放情况"
    letter = "送"
    permission = "assistance.view_campaign"
    template = "papers/campaign.html"
    form = ResultForm
    counted = "人"
    columns = (11, 30, 41, 28, 30, 28)
    heads = ("序号", "姓　名", "身份证号", "方　式", "金额（元）", "结　果")
    figure_heads = ("名额", "已录入", "已发放", "金额（元）")
    figure_width = 21
    totals_title = "工会名称"
    NAME_EMS = 7.4

    def heading(self, union, params):
        return f"{Campaign.objects.get(pk=params['campaign']).name}发放情况"

    def recipients(self, union, params):
        return Recipient.objects.filter(campaign=params.get("campaign") or 0, campaign__union=union)

    def count(self, union, params):
        return self.recipients(union, params).count()

    def words(self, union, params):
        return str(Campaign.objects.get(pk=params["campaign"]))

    def in_words(self, figures):
        places, entered, paid, amount = figures
        return f"名额 {places}　已录入 {entered} 人　已发放 {paid} 人　{in_yuan(amount)} 元"

    def shown(self, figures):
        return [*figures[:3], in_yuan(figures[3])]

    def groups(self, paper, day):
        rows = self.recipients(paper.union, paper.params).order_by("pk")
        for quota in Quota.objects.filter(campaign=paper.params["campaign"]).select_related("union"):
            found = list(rows.filter(quota=quota).values_list("pk", "person__name", "grant__state", "grant__amount"))
            paid = [row[3] for row in found if row[2] == GrantState.PAID]
            figures = [quota.places, len(found), len(paid), sum(map(fen, paid))]
            heights = [(row[0], drawing.row_height(self.lines(row[1]))) for row in found]
            yield Group(quota.union_id, quota.union.name, quota.union.code, figures, heights)

    def lines(self, name):
        return drawing.wrap(spread(name), self.NAME_EMS)

    def cells(self, paper, keys):
        rows = Recipient.objects.filter(pk__in=keys).select_related("person", "grant")
        return {row.pk: self.cells_of(row, getattr(row, "grant", None)) for row in rows}

    def cells_of(self, row, grant):
        name = self.lines(row.person.name)
        return {
            "name": name, "id_masked": row.person.id_masked, "method": METHOD[grant.method] if grant else "—",
            "amount": f"{grant.amount:,.2f}" if grant else "—", "state": STATE[grant.state] if grant else "已录入",
            "height": drawing.row_height(name),
        }  # fmt: skip

"""公示证明: what was in publicity, from when to when, with its hash; it shows what the public page showed, no more."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core import drawing, papers, publicity
from core.models import Objection, Publicity
from core.papers import Kind, Slice
from unions.papers import abbreviation

KIND = "publicity_proof"
COLUMNS = (36, 132)  # mm
LINE_EMS = 36.0  # what the second of them holds


def ask(row, *, by):
    """Ask for the proof of a publicity; returns the Paper. Raises ValidationError."""
    if publicity.holds_number(str(by)):
        raise ValidationError(_("Your name as it would be printed holds a number: have your account corrected first."))
    return papers.ask(KIND, union=row.union, by=by, params={"publicity": row.pk})


class PublicityProof(Kind):
    """One page about one publicity."""

    title = "公示证明"
    letter = "示"
    permission = "assistance.view_hardshipcase"
    template = "papers/publicity_proof.html"
    asked_by_union = False

    def heading(self, union, params):
        return "困难职工建档公示证明"

    def unit(self, union):
        return abbreviation(union)

    def count(self, union, params):
        return Publicity.objects.filter(pk=params.get("publicity"), union=union).count()

    def plan(self, paper, day):
        row = Publicity.objects.get(pk=paper.params["publicity"])
        over = row.taken_down_at is not None or day > publicity.shown_until(row)
        facts = {
            "cut_off": f"{day.year}年{day.month}月{day.day}日",
            "day": day.isoformat(),
            "publicity": row.pk,
            "sha256": row.digest,
            "from": row.shown_from.isoformat(),
            "until": min(day, publicity.ended_on(row)).isoformat(),
            "over": over,
            "stopped": publicity.was_stopped(row),
            "objections": Objection.objects.filter(publicity=row).count(),
        }
        return facts, [Slice({"publicity": row.pk}, 1)]

    def pages(self, paper, params, less):
        row = Publicity.objects.get(pk=params["publicity"])
        facts = paper.facts
        genuine = publicity.digest_of(row.title, row.shown) == facts["sha256"]
        shown = row.shown
        lines = [
            ("公示标题", row.title),
            ("申请人", shown["name"]),
            ("所在单位", shown["unit"]),
            ("困难类别", shown["category"]),
            ("致困原因", shown["cause"]),
            ("家庭人口", f"{shown['people']} 人"),
            ("异议受理", "、".join([*shown["contacts"], "公示页面"])),
            ("公示起止", _period(facts)),
            ("公示期间异议", f"{facts['objections']} 件" if facts["objections"] else "无"),
            ("公示内容校验", "与发布时一致" if genuine else "与发布时不一致"),
            ("校验码 SHA-256", facts["sha256"]),
        ]
        rows = [(label, drawing.wrap(text, LINE_EMS)) for label, text in lines]
        rows = [(label, wrapped, drawing.row_height(wrapped)) for label, wrapped in rows]
        page = {
            "title_lines": drawing.wrap(paper.title, drawing.TITLE_EMS),
            "words": ["本证明所列即公示页面所示全部内容。"],
            "figures": "",
            "columns": COLUMNS,
            "rows": rows,
            "rules": drawing.rules(COLUMNS, [(height, [1, 1]) for _label, _lines, height in rows]),
        }
        return [page], 1


def _period(facts):
    if not facts["over"]:
        return f"自 {facts['from']} 起，至 {facts['until']} 仍在公示"
    return f"自 {facts['from']} 至 {facts['until']}{'（中止）' if facts['stopped'] else ''}"

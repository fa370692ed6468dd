"""What an export of unions holds: the columns of the import sheet, so that it can be read back; and its scope."""

from django.utils import timezone

from core import findings
from core.checkup import Gravity, Kind
from core.exports import Column, ExportKind
from core.scope import reach
from unions.imports import KINDS, UnionImport, top_of
from unions.models import Union, count_members
from unions.terms import Term
from unions.views import UnionList
from unions.views_checkup import FindingList

HEADERS = {field: spellings[0] for field, (_needed, spellings) in UnionImport.columns.items()}
KIND_WORDS = {kind: word for word, kind in reversed(KINDS.items())}


def day(value):
    return value.isoformat() if value else ""


class UnionScopedExport(ExportKind):
    """An export whose rows belong to unions."""

    def tops(self):
        held = reach(self.by, self.permission)
        if held.everything:
            return list(Union.objects.filter(parent__isnull=True))
        return list(Union.objects.filter(path__in=held.paths))

    def top(self):
        return top_of(reach(self.by, self.permission))

    def paths(self, tops):
        return list(Union.objects.filter(pk__in=tops).values_list("path", flat=True))


class UnionExport(UnionScopedExport):
    key = "unions"
    title = UnionList.title
    permission = "unions.export_union"
    page = UnionList
    list_url = "union_list"

    columns = (
        Column(HEADERS["code"], lambda union: union.code, "name", text=True),
        Column(HEADERS["parent_code"], lambda union: union.parent.code if union.parent else "", "parent", text=True),
        Column(HEADERS["name"], lambda union: union.name, "name", width=36),
        Column(HEADERS["kind"], lambda union: KIND_WORDS[union.kind], "kind", width=20),
        Column(HEADERS["uscc"], lambda union: union.uscc or "", "uscc", text=True, width=22),
        Column(HEADERS["employees"], lambda union: union.employees, "employees", width=10),
        Column(HEADERS["founded_on"], lambda union: day(union.founded_on), "founded_on", text=True),
        Column(HEADERS["term_years"], lambda union: union.term_years, width=10),
        Column(HEADERS["elected_on"], lambda union: day(union.elected_on), "elected_on", text=True),
        Column("上级工会", lambda union: union.parent.name if union.parent else "", "parent", width=32),
        Column("会员人数", lambda union: union.members, "members", width=10),
        Column("任期届满日期", lambda union: day(union.term_ends_on), "term_ends_on", text=True),
        Column("换届状态", lambda union: str(Term(union.term_ends_on, timezone.localdate()).label), "state"),
        Column("撤销日期", lambda union: day(union.dissolved_on), "dissolved_on", text=True),
    )  # fmt: skip

    def prepared(self, rows):
        return count_members(rows)


class FindingExport(UnionScopedExport):
    key = "findings"
    title = FindingList.title
    permission = "core.export_finding"
    page = FindingList
    list_url = "finding_list"
    columns = (
        Column("工会代码", lambda row: row.union.code, "union", text=True),
        Column("工会名称", lambda row: row.union.name, "union", width=36),
        Column("记录", lambda row: row.text, "subject", width=24),
        Column("问题", lambda row: str(row.check.label), "code", width=30),
        Column("类别", lambda row: str(Kind(row.check.kind).label), "code", width=8),
        Column("程度", lambda row: str(Gravity(row.check.gravity).label), "code", width=8),
        Column("处理办法", lambda row: str(row.check.advice), "mends", width=48),
        Column("发现日期", lambda row: day(row.since), "since", text=True),
        Column("搁置至", lambda row: day(row.aside_until), "code", text=True),
        Column("搁置原因", lambda row: row.aside_reason, "code", width=24),
    )

    def prepared(self, rows):
        return findings.with_subjects(rows)

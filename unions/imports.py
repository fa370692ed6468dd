"""What becomes of each row of a union sheet: checked, related to its parents and to what is stored; then stored.

The codes and their outcomes are those of the import contract. Rows stand in any order, so a sheet is read whole before
its rows are related. An empty cell of a stored union never erases what is stored. The last election tells of the
committee in office: a later day is a new election, which ends that committee; an earlier day corrects the record,
unless an older committee is on record already (then the sheet is older than the portal, and the row is refused).
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import deadlines, imports, scope, sheets, uscc
from core.calendar import Calendar
from core.ids import allocate
from core.imports import STORABLE, ImportKind
from core.models import Deadline, DeadlineRule
from core.models.deadline import DeadlineState
from core.models.imports import Outcome
from unions import duties
from unions.models import Committee, Officer, StagedUnion, Union, UnionKind, UnionPlacement
from unions.terms import RULES, term_lengths
from unions.tree import path_of

OUTCOMES = {
    "CODE_MISSING": Outcome.ERROR,
    "CODE_DUPLICATE": Outcome.ERROR,
    "PARENT_UNKNOWN": Outcome.ERROR,
    "CYCLE": Outcome.ERROR,
    "SECOND_ROOT": Outcome.ERROR,
    "NAME_MISSING": Outcome.ERROR,
    "KIND_UNKNOWN": Outcome.ERROR,
    "USCC_INVALID": Outcome.ERROR,
    "USCC_DUPLICATE": Outcome.ERROR,
    "DATE_INVALID": Outcome.ERROR,
    "TERM_INVALID": Outcome.ERROR,
    "TERM_EXTENDED": Outcome.ERROR,
    "UNION_OUT_OF_SCOPE": Outcome.ERROR,
    "MOVE_NEEDED": Outcome.ERROR,
    "UNION_DISSOLVED": Outcome.ERROR,
    "USCC_MISSING": Outcome.WARNING,
    "TERM_UNKNOWN": Outcome.WARNING,
    "UPDATED": Outcome.OK,
    "UNCHANGED": Outcome.DUPLICATE,
}
# Codes that depend on other rows or on what is stored.
RELATED = frozenset(
    {
        "CODE_DUPLICATE", "PARENT_UNKNOWN", "CYCLE", "SECOND_ROOT", "USCC_DUPLICATE", "UNION_OUT_OF_SCOPE",
        "MOVE_NEEDED", "UNION_DISSOLVED", "TERM_EXTENDED", "UPDATED", "UNCHANGED",
    }
)  # fmt: skip

SENTENCES = {
    "CODE_MISSING": gettext_lazy("The union code is missing or longer than 40 characters: correct it."),
    "CODE_DUPLICATE": gettext_lazy("A row above has the same union code: give each union one row and one code."),
    "PARENT_UNKNOWN": gettext_lazy(
        "The higher union is neither stored nor a sound row of this sheet: correct that row or the code."
    ),
    "CYCLE": gettext_lazy("These unions stand above one another in a circle: correct the code of the higher union."),
    "SECOND_ROOT": gettext_lazy("There is one city federation only: fill in the code of the higher union."),
    "NAME_MISSING": gettext_lazy("The union name is missing or longer than 100 characters: correct it."),
    "KIND_UNKNOWN": gettext_lazy("This kind of union is not known: write for example 企业工会 or ENTERPRISE."),
    "USCC_INVALID": gettext_lazy("The credit code is wrong: compare it with the certificate."),
    "USCC_DUPLICATE": gettext_lazy("Another union has this credit code: compare both with their certificates."),
    "DATE_INVALID": gettext_lazy(
        "A date cannot be read, lies in the future, or is older than an election on record: write it as 2019-03-05."
    ),
    "TERM_INVALID": gettext_lazy(
        "A term is three or five years, five in federations and industrial unions: correct it."
    ),
    "TERM_EXTENDED": gettext_lazy(
        "The term in office was extended, and an import corrects no such term: correct it on the union's own page."
    ),
    "UNION_OUT_OF_SCOPE": gettext_lazy("This union lies outside your part of the tree: ask the union above."),
    "MOVE_NEEDED": gettext_lazy("This union stands below another one, and an import moves none: ask for the move."),
    "UNION_DISSOLVED": gettext_lazy(
        "This union was dissolved: take the row out, or give a new union a code of its own."
    ),
    "USCC_MISSING": gettext_lazy("The credit code is missing: it stays empty, add it."),
    "TERM_UNKNOWN": gettext_lazy("The last election is missing: the end of the term is not known, add it."),
    "UPDATED": gettext_lazy("Stored already: the facts shown are changed."),
    "UNCHANGED": gettext_lazy("Stored already, and the row says nothing new: nothing to do."),
}

# What sheets write in the column 组织类型 (rulebook §1.2, glossary), brackets in half width.
KINDS = {
    "市总工会": UnionKind.CITY_FED,
    "县(市、区)总工会": UnionKind.DISTRICT_FED,
    "县(市区)总工会": UnionKind.DISTRICT_FED,
    "县(区)总工会": UnionKind.DISTRICT_FED,
    "区(县)总工会": UnionKind.DISTRICT_FED,
    "区总工会": UnionKind.DISTRICT_FED,
    "县总工会": UnionKind.DISTRICT_FED,
    "县级市总工会": UnionKind.DISTRICT_FED,
    "产业工会": UnionKind.INDUSTRIAL_UNION,
    "地方产业工会": UnionKind.INDUSTRIAL_UNION,
    "乡镇工会": UnionKind.TOWNSHIP,
    "乡工会": UnionKind.TOWNSHIP,
    "镇工会": UnionKind.TOWNSHIP,
    "街道工会": UnionKind.STREET,
    "开发区(产业园区)工会": UnionKind.PARK,
    "开发区(工业园区)工会": UnionKind.PARK,
    "开发区工会": UnionKind.PARK,
    "产业园区工会": UnionKind.PARK,
    "工业园区工会": UnionKind.PARK,
    "园区工会": UnionKind.PARK,
    "村工会": UnionKind.VILLAGE,
    "社区工会": UnionKind.COMMUNITY,
    "村(社区)工会": UnionKind.COMMUNITY,
    "区域性工会联合会": UnionKind.REGIONAL_FED,
    "区域工会联合会": UnionKind.REGIONAL_FED,
    "行业性工会联合会": UnionKind.INDUSTRY_FED,
    "行业工会联合会": UnionKind.INDUSTRY_FED,
    "企业工会": UnionKind.ENTERPRISE,
    "事业单位工会": UnionKind.INSTITUTION,
    "机关工会": UnionKind.ORGAN,
    "社会组织工会": UnionKind.SOCIAL_ORG,
    "联合基层工会": UnionKind.JOINT,
    "基层联合工会": UnionKind.JOINT,
    "联合工会": UnionKind.JOINT,
    "项目工会": UnionKind.PROJECT,
    "工会工作委员会": UnionKind.WORK_COMMITTEE,
    "工会工作委员会/办事处": UnionKind.WORK_COMMITTEE,
    "工会办事处": UnionKind.WORK_COMMITTEE,
} | {kind.value: kind for kind in UnionKind}
TERMS = {"3": 3, "三": 3, "5": 5, "五": 5}
FACTS = ("name", "kind", "uscc", "employees", "founded_on", "term_years")  # of a union, that a row may say


@dataclass(slots=True)
class Row:
    """One row on its way: what it says, and what it means beside the others."""

    row: int
    codes: list = field(default_factory=list)
    shown: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)
    code: str = ""
    parent_code: str = ""
    name: str = ""
    kind: str = ""
    uscc: str = ""
    employees: int | None = None
    founded_on: date | None = None
    term_years: int | None = None
    elected_on: date | None = None
    union_id: int | None = None
    barred: bool = False  # was not to be stored when people looked at it, so it is not stored now

    @property
    def sound(self):
        """Whether no error was found."""
        return not self.barred and all(OUTCOMES[code] != Outcome.ERROR for code in self.codes)


@dataclass(slots=True)
class Stored:
    """The stored tree, as far as rows are related to it: loaded whole, it is small."""

    by_code: dict  # {code: Union}
    codes: dict  # {primary key: code}
    by_uscc: dict  # {credit code: union code}
    root: str  # code of the root, "" in an empty tree
    committees: dict  # {union key: Committee in office}
    begun: dict  # {committee key: the last day an officer of it began}
    ended: set  # keys of unions with an earlier committee on record

    @classmethod
    def load(cls):
        unions = list(Union.objects.order_by("path"))
        return cls(
            by_code={union.code: union for union in unions},
            codes={union.pk: union.code for union in unions},
            by_uscc={union.uscc: union.code for union in unions if union.uscc},
            root=next((union.code for union in unions if union.parent_id is None), ""),
            committees={committee.union_id: committee for committee in Committee.objects.filter(ended_on__isnull=True)},
            begun=dict(
                Officer.objects.filter(ended_on__isnull=True)
                .order_by()
                .values_list("committee_id")
                .annotate(last=Max("started_on"))
            ),
            ended=set(Committee.objects.filter(ended_on__isnull=False).order_by().values_list("union_id", flat=True)),
        )


def top_of(reach):
    """Return the lowest union that stands above all that `reach` covers; None when it covers nothing."""
    if not reach:
        return None
    above = "" if reach.everything else reach.paths[0]
    while not all(path.startswith(above) for path in reach.paths):
        above = above[: -scope.WIDTH]
    unions = Union.objects.filter(path=above) if above else Union.objects.filter(parent__isnull=True)
    return unions.first()


class UnionImport(ImportKind):
    key = "unions"
    title = gettext_lazy("Union tree")
    permission = "unions.import_union"
    columns = {
        "code": (True, ("工会编码",)),
        "parent_code": (True, ("上级工会编码",)),
        "name": (True, ("工会名称",)),
        "kind": (True, ("组织类型",)),
        "uscc": (False, ("统一社会信用代码", "工会统一社会信用代码")),
        "employees": (False, ("职工人数",)),
        "founded_on": (False, ("成立日期",)),
        "term_years": (False, ("任期年限",)),
        "elected_on": (False, ("最近换届日期",)),
    }
    text_columns = ("code", "parent_code", "uscc", "founded_on", "elected_on")
    outcomes = OUTCOMES
    sentences = SENTENCES
    staged = StagedUnion
    undo_refused = gettext_lazy(
        "A union sheet is not taken back: terms and deadlines follow from it. Correct a union on its own page."
    )
    fields = (
        "code", "parent_code", "name", "kind", "uscc", "employees", "founded_on", "term_years", "elected_on", "union",
    )  # fmt: skip

    def __init__(self, by):
        super().__init__(by)
        self.today = timezone.localdate()
        self.reach = scope.reach(by, self.permission)

    def top(self):
        return top_of(self.reach)

    # --- Reading ---

    def chunks(self, sheet):
        rows = [self.read(number, cells) for number, cells in sheet.rows]
        self.relate(rows, Stored.load())
        for start in range(0, len(rows), imports.CHUNK):
            yield [self.stage(row) for row in rows[start : start + imports.CHUNK]]

    def read(self, number, cells):
        """Return the `Row` of a sheet's row, with the codes that depend on the row alone."""
        code, parent_code, name, kind, credit_code, employees, founded_on, term_years, elected_on = cells
        row = Row(number, code=_plain(code).removeprefix("'"), parent_code=_plain(parent_code).removeprefix("'")[:40])
        if not row.code or len(row.code) > 40:
            row.codes.append("CODE_MISSING")
            row.code = ""
        row.name = " ".join(sheets.text(name).split())
        if not row.name or len(row.name) > 100:
            row.codes.append("NAME_MISSING")
            row.name = row.name[:100]
        row.kind = KINDS.get(_plain(kind).upper(), "")
        if row.kind:
            row.kind = row.kind.value
        else:
            row.codes.append("KIND_UNKNOWN")
            row.shown["kind"] = _plain(kind)[:40]
        row.uscc = uscc.normalise(sheets.text(credit_code))
        if not row.uscc:
            row.codes.append("USCC_MISSING")
        elif uscc.fault_of(row.uscc):
            row.codes.append("USCC_INVALID")
            row.shown["uscc"], row.uscc = row.uscc[:40], ""
        row.employees = _count(employees)
        row.founded_on = self._day(row, "founded_on", founded_on)
        row.elected_on = self._day(row, "elected_on", elected_on)
        if not row.elected_on and "elected_on" not in row.shown:
            row.codes.append("TERM_UNKNOWN")
        years = TERMS.get(_plain(term_years).removesuffix("年"))
        if years in (term_lengths(row.kind) if row.kind else (3, 5)):
            row.term_years = years
        else:
            row.codes.append("TERM_INVALID")
            row.shown["term_years"] = _plain(term_years)[:40]
        return row

    def _day(self, row, name, cell):
        try:
            day = sheets.day(cell)
        except ValueError:
            day = date.max
        if day is None or day <= self.today:
            return day
        if "DATE_INVALID" not in row.codes:
            row.codes.append("DATE_INVALID")
        row.shown[name] = sheets.text(cell)[:40]
        return None

    def relate(self, rows, stored):
        """Add the codes that depend on the other rows and on what is `stored`; parents before their children."""
        first = {}  # {code: the row that speaks for it}
        for row in rows:
            if row.code:
                first.setdefault(row.code, row)
                if first[row.code] is not row and not row.barred:
                    row.codes.append("CODE_DUPLICATE")
        for code in _in_circles(first):
            if not first[code].barred:
                first[code].codes.append("CYCLE")
        self._relate_roots(first, stored)
        by_uscc = {}
        for row in rows:
            if row.uscc and not row.barred and first.get(row.code, row) is row:
                owners = {by_uscc.setdefault(row.uscc, row.code), stored.by_uscc.get(row.uscc, row.code)}
                if owners != {row.code}:
                    row.codes.append("USCC_DUPLICATE")
        covered = {}  # {code: whether the new union would stand in reach}
        levels = {}  # {code: its level in the tree}
        for row in _parents_first(rows, first):
            if not row.barred:
                self._relate_parent(row, first, stored, covered, levels)
        for row in rows:
            row.union_id = stored.by_code[row.code].pk if row.code in stored.by_code else None
            if row.union_id and row.sound:
                self._compare(row, stored)

    def _relate_roots(self, first, stored):
        """One union has no parent: the stored root, else the sheet's city federation, else the first row without."""
        roots = [row for row in first.values() if not row.parent_code]
        if not roots:
            return
        chosen = next((row for row in roots if row.kind == UnionKind.CITY_FED), roots[0]).code
        for row in roots:
            if row.code != (stored.root or chosen) and not row.barred:
                row.codes.append("SECOND_ROOT")

    def _relate_parent(self, row, first, stored, covered, levels):
        there, parent = stored.by_code.get(row.code), stored.by_code.get(row.parent_code)
        if not row.parent_code and not row.code:
            return
        if not row.parent_code:
            inside, levels[row.code] = self.reach.everything, 0
        elif "CYCLE" in row.codes:
            return
        elif parent is not None:
            inside, levels[row.code] = self.reach.covers(parent.path), parent.level + 1
        elif row.parent_code in first and first[row.parent_code] is not row and first[row.parent_code].sound:
            inside, levels[row.code] = covered[row.parent_code], levels[row.parent_code] + 1
        else:
            row.codes.append("PARENT_UNKNOWN")
            return
        if levels[row.code] > DEEPEST or (parent is not None and parent.dissolved_on and not _dissolved(there)):
            row.codes.append("PARENT_UNKNOWN")
        if _dissolved(there):
            row.codes.append("UNION_DISSOLVED")
        if there is not None:
            inside = self.reach.covers(there.path)
            if row.parent_code and stored.codes.get(there.parent_id, "") != row.parent_code:
                row.codes.append("MOVE_NEEDED")
        covered[row.code] = inside
        if not inside:
            row.codes.append("UNION_OUT_OF_SCOPE")

    def _compare(self, row, stored):
        """Note in `row` what it changes of the stored union."""
        union = stored.by_code[row.code]
        for name in FACTS:
            new, old = getattr(row, name), getattr(union, name)
            if new not in (None, "") and new != old:
                row.changes[name] = [_as_json(old), _as_json(new)]
        committee = stored.committees.get(union.pk)
        if row.elected_on:
            if committee is None or row.elected_on < committee.elected_on:
                possible = union.pk not in stored.ended
            else:  # the officers leave with their committee, so all of them began before
                begun = stored.begun.get(committee.pk, committee.elected_on)
                possible = row.elected_on == committee.elected_on or row.elected_on >= begun
            if not possible:
                row.codes.append("DATE_INVALID")
                row.shown["elected_on"] = row.elected_on.isoformat()
                row.changes = {}
                return
            was = (committee.elected_on, committee.term_years) if committee else (None, None)
            if was[0] != row.elected_on:
                row.changes["elected_on"] = [_as_json(was[0]), _as_json(row.elected_on)]
        if committee and committee.term_years != row.term_years:
            row.changes.setdefault("term_years", [committee.term_years, row.term_years])
        if committee and committee.extended_until and _corrects(row, committee):
            row.codes.append("TERM_EXTENDED")
            row.changes = {}
            return
        row.codes.append("UPDATED" if row.changes else "UNCHANGED")

    def stage(self, row):
        """Return `row` as a staged row."""
        return (
            row.row, self.grave(row.codes).value, self.in_order(row.codes), row.shown, row.changes, row.code,
            row.parent_code, row.name, row.kind, row.uscc, row.employees, row.founded_on, row.term_years,
            row.elected_on, row.union_id,
        )  # fmt: skip

    # --- Commit ---

    def commit(self, batch):
        stored = Stored.load()
        rows = self._related_again(batch, stored)
        storable = [row for row in rows if self.grave(row.codes) in STORABLE and not row.barred]
        founded = self._found([row for row in storable if row.union_id is None], stored)
        changed = [row for row in storable if row.union_id is not None]
        self._change(changed, stored)
        self._elect(founded, changed, stored)

    def _related_again(self, batch, stored):
        """Return the staged rows related to what is stored now; rows that changed by it are given back to the table."""
        staged = {row.row: row for row in StagedUnion.objects.filter(batch=batch).order_by("row")}
        rows = []
        for each in staged.values():
            row = Row(each.row, shown=each.shown, **{name: getattr(each, name) for name in self.fields[:-1]})
            row.barred = each.outcome == Outcome.ERROR
            row.codes = [code for code in each.codes if row.barred or code not in RELATED]
            rows.append(row)
        self.relate(rows, stored)
        changed = []
        for row in rows:
            each = staged[row.row]
            outcome, codes = self.grave(row.codes).value, self.in_order(row.codes)
            if (outcome, codes, row.changes) != (each.outcome, each.codes, each.changes) and not row.barred:
                row.barred = each.outcome not in STORABLE
                if row.barred and outcome in STORABLE:
                    continue
                was = each.outcome, each.codes
                each.outcome, each.codes, each.shown, each.changes = outcome, codes, row.shown, row.changes
                each.union_id = row.union_id
                changed.append((was, each))
        imports.change_rows(batch, changed)
        return rows

    def _found(self, rows, stored):
        """Store new unions, parents first, and where they stand; returns [(row, Union)]."""
        first = {row.code: row for row in rows}
        ordered = list(_parents_first(rows, first))
        unions, founded = dict(stored.by_code), []
        for row, key in zip(ordered, allocate(Union, len(ordered)) if ordered else (), strict=True):
            parent = unions.get(row.parent_code)
            union = unions[row.code] = Union(
                id=key, code=row.code, parent=parent, path=path_of(key, parent.path if parent else ""),
                **{name: getattr(row, name) for name in FACTS if getattr(row, name) != ""},
            )  # fmt: skip
            founded.append((row, union))
        Union.objects.bulk_create([union for _row, union in founded], batch_size=500)
        UnionPlacement.objects.bulk_create(
            [
                UnionPlacement(union=union, parent=union.parent, valid_from=union.founded_on or self.today)
                for _row, union in founded
            ],
            batch_size=500,
        )
        return founded

    def _change(self, rows, stored):
        """Write the changed facts of stored unions."""
        unions = []
        for row in rows:
            union = stored.by_code[row.code]
            for name in FACTS:
                if name in row.changes and getattr(row, name) not in (None, ""):
                    setattr(union, name, getattr(row, name))
            if any(name in row.changes for name in FACTS):
                union.version += 1
                unions.append(union)
        Union.objects.bulk_update(unions, [*FACTS, "version"], batch_size=200)

    def _elect(self, founded, changed, stored):
        """Write committees: the first of a union, the next after an election, or the one in office put right."""
        ends = TermEnds()
        new, ended, corrected = [], [], []
        for row, union in founded:
            if row.elected_on:
                new.append(_committee(union, 1, row, ends))
        for row in changed:
            if not row.elected_on or not {"elected_on", "term_years"} & row.changes.keys():
                continue
            union, committee = stored.by_code[row.code], stored.committees.get(row.union_id)
            if committee is None:
                new.append(_committee(union, 1, row, ends))
            elif row.elected_on > committee.elected_on:
                new.append(_committee(union, committee.number + 1, row, ends))
                committee.ended_on = row.elected_on
                ended.append(committee)
            elif _corrects(row, committee):
                corrected.append((committee, committee.elected_on))
                committee.union = union
                committee.elected_on, committee.term_years = row.elected_on, row.term_years
                committee.term_ends_on = ends.of(row.elected_on, row.term_years)
        self._end(ended)
        self._correct(corrected)
        Committee.objects.bulk_create(new, batch_size=500)
        self._open_duties(new, [committee for committee, _began in corrected])

    def _end(self, committees):
        """End committees on the day of the next election, with their officers; the deadline is met."""
        Committee.objects.bulk_update(committees, ["ended_on"], batch_size=500)
        days = {committee.pk: committee.ended_on for committee in committees}
        officers = list(Officer.objects.filter(committee__in=days, ended_on__isnull=True))
        for officer in officers:
            officer.ended_on = days[officer.committee_id]
        Officer.objects.bulk_update(officers, ["ended_on"], batch_size=500)
        by_day = {}
        for key, day in days.items():
            by_day.setdefault(day, []).append(key)
        for day, keys in by_day.items():
            deadlines.close(_deadlines(keys), DeadlineState.MET, on=day, by=self.by)
            deadlines.close(duties.of_chairs(keys), DeadlineState.MET, on=day, by=self.by)

    def _correct(self, corrected):
        """Put the record of committees in office right; officers who began on the day of the election follow it."""
        committees = [committee for committee, _began in corrected]
        Committee.objects.bulk_update(committees, ["elected_on", "term_years", "term_ends_on"], batch_size=500)
        began = {committee.pk: day for committee, day in corrected}
        now = {committee.pk: committee.elected_on for committee in committees}
        officers = [
            officer
            for officer in Officer.objects.filter(committee__in=began)
            if officer.started_on == began[officer.committee_id]
        ]
        for officer in officers:
            officer.started_on = now[officer.committee_id]
        Officer.objects.bulk_update(officers, ["started_on"], batch_size=500)
        reason = _("Corrected by an import.")
        deadlines.close(_deadlines(began), DeadlineState.VOID, on=self.today, by=self.by, reason=reason)

    def _open_duties(self, new, corrected):
        """Open what follows from an election: the next one, and the certificate of a legal person."""
        wanted = [
            deadlines.Opening(
                RULES[committee.term_years], committee.elected_on, committee, committee.union, committee.union.name
            )
            for committee in (*new, *corrected)
        ]
        wanted += [
            deadlines.Opening(
                duties.CERTIFICATE, committee.elected_on, committee.union, committee.union, committee.union.name
            )
            for committee in new
            if committee.union.legal_person and duties.outlives_certificate(committee)
        ]
        deadlines.open_many(wanted, by=self.by)

    # --- Preview ---

    headings = (
        gettext_lazy("Union code"), gettext_lazy("Union name"), gettext_lazy("Kind"), gettext_lazy("Higher union"),
        gettext_lazy("Last election"),
    )  # fmt: skip

    def preview(self, rows):
        kinds = dict(UnionKind.choices)
        return [
            {
                "row": row.row,
                "outcome": row.outcome,
                "codes": row.codes,
                "cells": [
                    row.code,
                    row.name,
                    kinds[row.kind] if row.kind else row.shown.get("kind", ""),
                    row.parent_code,
                    row.shown.get("elected_on") or (row.elected_on.isoformat() if row.elected_on else ""),
                ],
                "said": [row.shown[name] for name in ("uscc", "founded_on", "term_years") if row.shown.get(name)],
                "changes": [
                    (_label(name), _words(name, old), _words(name, new)) for name, (old, new) in row.changes.items()
                ],
            }
            for row in rows
        ]


class TermEnds:
    """The last day of a term by its rule, each election day and length reckoned once."""

    def __init__(self):
        self.rules = DeadlineRule.objects.in_bulk(RULES.values(), field_name="code")
        self.calendar = Calendar.load()
        self.known = {}

    def of(self, elected_on, term_years):
        if (elected_on, term_years) not in self.known:
            computed = deadlines.compute(self.rules[RULES[term_years]], elected_on, self.calendar)
            self.known[elected_on, term_years] = computed.natural
        return self.known[elected_on, term_years]


def _committee(union, number, row, ends):
    return Committee(
        union=union,
        number=number,
        elected_on=row.elected_on,
        term_years=row.term_years,
        term_ends_on=ends.of(row.elected_on, row.term_years),
    )


def _corrects(row, committee):
    """Whether the row puts the record of the committee in office right; a later day is a new election."""
    said = row.elected_on, row.term_years
    return bool(row.elected_on) and row.elected_on <= committee.elected_on and said != (
        committee.elected_on, committee.term_years
    )  # fmt: skip


def _deadlines(committees):
    """The open deadlines of committees by their keys."""
    return Deadline.objects.open().filter(subject_type=Committee._meta.label_lower, subject_id__in=list(committees))


def _in_circles(first):
    """Return the codes of rows that are their own ancestors, following the sheet alone."""
    circles, settled = set(), set()
    for start in first:
        trail, code = [], start
        while code in first and code not in settled:
            settled.add(code)
            trail.append(code)
            code = first[code].parent_code
        if code in trail:
            circles.update(trail[trail.index(code) :])
    return circles


def _parents_first(rows, first):
    """Yield `rows` so that the row `first` names for a parent code comes before its children."""
    done = set()
    for row in rows:
        trail = []
        while row is not None and row.row not in done:
            done.add(row.row)
            trail.append(row)
            row = first.get(row.parent_code) if row.parent_code else None
        yield from reversed(trail)


def _plain(cell):
    """A cell as text by NFKC without any white space."""
    return "".join(unicodedata.normalize("NFKC", sheets.text(cell)).split())


def _dissolved(union):
    return union is not None and union.dissolved_on is not None


def _count(cell):
    """A number of people, or None when the cell holds none."""
    written = _plain(cell).replace(",", "").removesuffix("人")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else None


def _as_json(value):
    return value.isoformat() if isinstance(value, date) else value


def _label(name):
    model = Committee if name == "elected_on" else Union
    return model._meta.get_field(name).verbose_name


def _words(name, value):
    """A stored value as people read it."""
    if value in (None, ""):
        return "—"
    return dict(UnionKind.choices)[value] if name == "kind" else value


DEEPEST = Union._meta.get_field("path").max_length // scope.WIDTH - 1

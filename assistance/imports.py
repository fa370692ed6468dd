"""What becomes of a sheet of old hardship files: one row a person, a file key holds a household together.

The applicant (与申请人关系 本人) must be a member in the importer's part of the tree. A household is stored whole or
not at all, as a draft: whoever enters never files, so an old file goes its way through review and approval once.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy

from assistance import households
from assistance.households import AmountRow, PersonRow
from assistance.models import (
    Cause,
    ExpenseKind,
    HardshipFile,
    HouseholdPerson,
    IncomeKind,
    Kin,
    Situation,
    StagedHousehold,
)
from core import imports, scope, secrets, settings_table, sheets
from core.fields import FEN
from core.forms import half_width
from core.imports import STORABLE, ImportKind
from core.models.imports import Outcome
from core.sheets import SheetRefused
from members import actions, identity
from members.models import Membership
from unions.imports import top_of

OUTCOMES = {
    "FILE_MISSING": Outcome.ERROR,
    "FILE_TAKEN": Outcome.ERROR,
    "NAME_INVALID": Outcome.ERROR,
    "ID_INVALID": Outcome.ERROR,
    "DUPLICATE_IN_SHEET": Outcome.ERROR,
    "KIN_UNKNOWN": Outcome.ERROR,
    "SITUATION_UNKNOWN": Outcome.ERROR,
    "APPLICANT_MISSING": Outcome.ERROR,
    "APPLICANT_TWICE": Outcome.ERROR,
    "NOT_A_MEMBER": Outcome.ERROR,
    "DATE_INVALID": Outcome.ERROR,
    "CAUSE_UNKNOWN": Outcome.ERROR,
    "LABOUR_INVALID": Outcome.ERROR,
    "AMOUNT_INVALID": Outcome.ERROR,
    "IN_OPEN_FILE": Outcome.ERROR,
    "FILE_FAULTY": Outcome.ERROR,
    "REFUSED": Outcome.ERROR,
}
SENTENCES = {
    "FILE_MISSING": gettext_lazy("The file number is missing or longer than 40 characters: correct it."),
    "FILE_TAKEN": gettext_lazy("This file number is stored already: a household is imported once."),
    "NAME_INVALID": gettext_lazy("This is no name of a person: correct it."),
    "ID_INVALID": gettext_lazy("The identity number is missing or wrong: check it against the card."),
    "DUPLICATE_IN_SHEET": gettext_lazy("A row above names the same person: delete one of the two."),
    "KIN_UNKNOWN": gettext_lazy("This relation is not known: write for example 本人, 配偶 or 子女."),
    "SITUATION_UNKNOWN": gettext_lazy("This situation is not known: write for example 在职, 无业 or 在校."),
    "APPLICANT_MISSING": gettext_lazy("No row of this file is the applicant: write 本人 in one of them."),
    "APPLICANT_TWICE": gettext_lazy("A row above is the applicant of this file already: write another relation."),
    "NOT_A_MEMBER": gettext_lazy("The applicant is no member, by this name and number, in your part of the tree."),
    "DATE_INVALID": gettext_lazy("The day of application is missing, cannot be read or lies in the future."),
    "CAUSE_UNKNOWN": gettext_lazy("This cause is not known: write for example 因病, 因残 or 因学."),
    "LABOUR_INVALID": gettext_lazy("The months of labour relation are missing or no whole number from 0 to 720."),
    "AMOUNT_INVALID": gettext_lazy("An amount cannot be read, is negative or absurd: write yuan, as 36000.50."),
    "IN_OPEN_FILE": gettext_lazy("This person is in an open hardship file: a household has one file."),
    "FILE_FAULTY": gettext_lazy("Another row of this file has a fault: a household is stored whole or not at all."),
    "REFUSED": gettext_lazy("Refused while it was stored: enter this household by hand, the page says why."),
}
KINS = {
    "本人": Kin.SELF, "申请人": Kin.SELF, "配偶": Kin.SPOUSE, "妻": Kin.SPOUSE, "夫": Kin.SPOUSE, "妻子": Kin.SPOUSE,
    "丈夫": Kin.SPOUSE, "子女": Kin.CHILD, "子": Kin.CHILD, "女": Kin.CHILD, "儿子": Kin.CHILD, "女儿": Kin.CHILD,
    "父母": Kin.PARENT, "父": Kin.PARENT, "母": Kin.PARENT, "父亲": Kin.PARENT, "母亲": Kin.PARENT,
    "兄弟姐妹": Kin.SIBLING, "兄": Kin.SIBLING, "弟": Kin.SIBLING, "姐": Kin.SIBLING, "妹": Kin.SIBLING,
    "祖父母": Kin.GRANDPARENT, "外祖父母": Kin.GRANDPARENT, "孙子女": Kin.GRANDCHILD, "外孙子女": Kin.GRANDCHILD,
    "其他": Kin.OTHER,
}  # fmt: skip
SITUATIONS = {
    "在职": Situation.WORKING, "就业": Situation.WORKING, "无业": Situation.JOBLESS, "失业": Situation.JOBLESS,
    "待业": Situation.JOBLESS, "在校": Situation.STUDENT, "学生": Situation.STUDENT, "在校学生": Situation.STUDENT,
    "退休": Situation.RETIRED, "患病": Situation.ILL, "重病": Situation.ILL, "患重病": Situation.ILL,
    "残疾": Situation.DISABLED, "学龄前": Situation.MINOR,
}  # fmt: skip
CAUSES = {
    "因病": Cause.ILLNESS, "疾病": Cause.ILLNESS, "因残": Cause.DISABILITY, "残疾": Cause.DISABILITY,
    "因学": Cause.EDUCATION, "因灾": Cause.DISASTER, "意外": Cause.DISASTER, "收入低": Cause.LOW_INCOME,
    "低收入": Cause.LOW_INCOME, "失业": Cause.JOBLESS, "下岗": Cause.JOBLESS, "其他": Cause.OTHER,
}  # fmt: skip
INCOMES = {
    "wage": IncomeKind.WAGE, "business": IncomeKind.BUSINESS, "property": IncomeKind.PROPERTY,
    "transfer": IncomeKind.TRANSFER, "other_income": IncomeKind.OTHER,
}  # fmt: skip
EXPENSES = {
    "medical": ExpenseKind.MEDICAL, "education": ExpenseKind.EDUCATION, "disability": ExpenseKind.DISABILITY,
    "housing": ExpenseKind.HOUSING, "other_expense": ExpenseKind.OTHER, "job": ExpenseKind.JOB,
}  # fmt: skip
ID_PLACE = HouseholdPerson._meta.get_field("id_number").place("")  # the row's uuid follows
MOST_MONTHS = 720


@dataclass(slots=True)
class Row:
    """One person of a household on the way in."""

    row: int
    codes: list = field(default_factory=list)
    shown: dict = field(default_factory=dict)
    file_key: str = ""
    name: str = ""
    number: str = ""
    id_index: str = ""
    kin: str = ""
    situation: str = ""
    workplace: str = ""
    applied_on: date | None = None
    cause: str = ""
    labour_months: int | None = None
    incomes: dict = field(default_factory=dict)
    expenses: dict = field(default_factory=dict)
    membership_id: int | None = None

    def fault(self, code):
        if code not in self.codes:
            self.codes.append(code)


class HouseholdImport(ImportKind):
    key = "hardship"
    title = gettext_lazy("Hardship files")
    permission = "assistance.import_hardshipcase"
    columns = {
        "file_key": (True, ("档案编号", "户编号")),
        "kin": (True, ("与申请人关系",)),
        "name": (True, ("姓名",)),
        "number": (True, ("身份证号", "身份证号码")),
        "situation": (True, ("身份状况",)),
        "workplace": (False, ("单位或学校",)),
        "applied_on": (True, ("申请日期",)),
        "cause": (True, ("主要致困原因", "致困原因")),
        "labour_months": (True, ("劳动关系月数",)),
        "wage": (False, ("工资性收入",)),
        "business": (False, ("经营净收入",)),
        "property": (False, ("财产净收入",)),
        "transfer": (False, ("转移净收入",)),
        "other_income": (False, ("其他收入",)),
        "medical": (False, ("因病支出",)),
        "education": (False, ("因学支出",)),
        "disability": (False, ("因残支出",)),
        "housing": (False, ("住房支出",)),
        "other_expense": (False, ("其他刚性支出",)),
        "job": (False, ("必要就业成本",)),
    }
    text_columns = ("file_key", "number", "applied_on")
    outcomes = OUTCOMES
    sentences = SENTENCES
    staged = StagedHousehold
    undo_refused = gettext_lazy("Imported households are drafts: withdraw those that should not have been stored.")
    fields = (
        "file_key", "person_uuid", "name", "id_number", "id_index", "id_masked", "kin", "situation", "workplace",
        "applied_on", "cause", "labour_months", "incomes", "expenses", "membership",
    )  # fmt: skip
    headings = (
        gettext_lazy("file number"), gettext_lazy("relation to the applicant"), gettext_lazy("name"),
        gettext_lazy("identity number"), gettext_lazy("incomes together"), gettext_lazy("expenses together"),
    )  # fmt: skip

    def __init__(self, by):
        super().__init__(by)
        self.today = timezone.localdate()
        self.most = Decimal(settings_table.value("hardship_most_amount"))

    def top(self):
        return top_of(scope.reach(self.by, self.permission))

    # --- Reading ---

    def chunks(self, sheet):
        rows = [self.read(number, cells) for number, cells in sheet.rows]
        most = int(settings_table.value("hardship_import_most_files"))
        if len({row.file_key for row in rows}) > most:
            said = gettext_lazy("More than %(most)d households in one sheet: import them in parts.")
            raise SheetRefused(said % {"most": most})
        self.relate(rows)
        for start in range(0, len(rows), imports.CHUNK):
            yield [self.stage(row) for row in rows[start : start + imports.CHUNK]]

    def read(self, number, cells):
        """Return the `Row` of a sheet's row, with the codes that depend on the row alone."""
        said = dict(zip(self.columns, cells, strict=True))
        texts = {name: half_width(sheets.text(cell)) for name, cell in said.items()}
        row = Row(number, file_key=texts["file_key"], workplace=sheets.text(said["workplace"])[:100])
        if not row.file_key or len(row.file_key) > 40:
            row.fault("FILE_MISSING")
            row.file_key = ""
        row.name = identity.normalise_name(sheets.text(said["name"]))
        if identity.fault_of_name(row.name):
            row.fault("NAME_INVALID")
            row.name = row.name[:50]
        try:
            row.number = identity.check_number(texts["number"], self.today).number
            row.id_index = secrets.blind("id_number", row.number)
        except identity.Refused:
            row.fault("ID_INVALID")
            row.shown["number"] = identity.mask_number(texts["number"])
        row.kin = self._word(row, "kin", KINS, texts, "KIN_UNKNOWN")
        row.situation = self._word(row, "situation", SITUATIONS, texts, "SITUATION_UNKNOWN")
        for names, into in ((INCOMES, row.incomes), (EXPENSES, row.expenses)):
            for name, kind in names.items():
                self._amount(row, texts[name], kind, into)
        if row.kin == Kin.SELF:
            self._facts(row, said, texts)
        return row

    def _facts(self, row, said, texts):
        """What only the applicant's row says."""
        row.cause = self._word(row, "cause", CAUSES, texts, "CAUSE_UNKNOWN")
        try:
            row.applied_on = sheets.day(said["applied_on"])
        except ValueError:
            row.applied_on = None
        if row.applied_on is None or row.applied_on > self.today:
            row.applied_on = None
            row.fault("DATE_INVALID")
        months = texts["labour_months"]
        if months.isascii() and months.isdigit() and int(months[:9]) <= MOST_MONTHS:
            row.labour_months = int(months[:9])
        else:
            row.fault("LABOUR_INVALID")

    def _word(self, row, name, words, texts, code):
        if found := words.get(texts[name]):
            return found.value
        row.fault(code)
        row.shown[name] = texts[name][:40]
        return ""

    def _amount(self, row, text, kind, into):
        text = text.replace(",", "")
        if not text:
            return
        try:
            amount = Decimal(text)
            if amount.is_finite() and 0 <= amount <= self.most and amount == amount.quantize(FEN):
                into[kind.value] = str(amount.quantize(FEN))  # a 0 says that there is none
                return
        except InvalidOperation:
            pass
        row.fault("AMOUNT_INVALID")
        row.shown[kind.value] = text[:40]

    def relate(self, rows):
        """Add the codes that depend on the other rows and on what is stored; a file with one fault is not stored."""
        files, met = defaultdict(list), set()
        for row in rows:
            files[row.file_key].append(row)
            if row.id_index and row.id_index in met:
                row.fault("DUPLICATE_IN_SHEET")
            met.add(row.id_index)
        taken = set(HardshipFile.objects.filter(number__in=files).exclude(number="").values_list("number", flat=True))
        living = self._living([row.number for row in rows if row.number])
        members = self._members([row for row in rows if row.kin == Kin.SELF and row.number])
        for key, people in files.items():
            own = [row for row in people if row.kin == Kin.SELF]
            if not own:
                people[0].fault("APPLICANT_MISSING")
            for row in own[1:]:
                row.fault("APPLICANT_TWICE")
            for row in people:
                if key in taken:
                    row.fault("FILE_TAKEN")
                if row.number in living:
                    row.fault("IN_OPEN_FILE")
            for row in own[:1]:
                row.membership_id = members.get((row.number, row.name))
                if row.number and not row.membership_id:
                    row.fault("NOT_A_MEMBER")
            if any(row.codes for row in people):
                for row in people:
                    if not row.codes:
                        row.fault("FILE_FAULTY")

    def _living(self, numbers):
        """Those of `numbers` that are in an open file."""
        indexes = {index: number for number in numbers for index in secrets.blind_all("id_number", number)}
        found = set()
        for keys in _slices(list(indexes)):
            rows = HouseholdPerson.objects.filter(live=True, id_index__in=keys)
            found |= {indexes[index] for index in rows.values_list("id_index", flat=True)}
        return found

    def _members(self, rows):
        """{(number, name): key of the open membership} of applicants in reach; nobody else is told apart."""
        indexes = {index: row.number for row in rows for index in secrets.blind_all("id_number", row.number)}
        found = {}
        for keys in _slices(list(indexes)):
            there = Membership.objects.open().visible_to(self.by, self.permission).filter(person__id_index__in=keys)
            for pk, index, name in there.values_list("pk", "person__id_index", "person__name"):
                found[indexes[index], name] = pk
        return found

    def stage(self, row):
        """Return `row` as a staged row, its number sealed."""
        key = uuid.uuid4()
        sealed = secrets.seal(row.number, f"{ID_PLACE}{key}") if row.number else ""
        return (
            row.row, self.grave(row.codes).value, self.in_order(row.codes), row.shown, {}, row.file_key, key, row.name,
            sealed, row.id_index, identity.mask_number(row.number), row.kin, row.situation, row.workplace,
            row.applied_on, row.cause, row.labour_months, row.incomes, row.expenses, row.membership_id,
        )  # fmt: skip

    def noticed(self, batch):
        """Whoever uploads numbers learns who is in an open file: those out of sight are counted, nobody is named."""
        told = imports.with_codes(StagedHousehold.objects.filter(batch=batch), ["IN_OPEN_FILE"])
        others = HouseholdPerson.objects.filter(live=True, id_index__in=told.values("id_index"))
        seen = scope.reach(self.by, households.SEE).condition("case__union__path")
        if hidden := others.count() - others.filter(seen).count():
            actions.meet_elsewhere(by=self.by, union=batch.union, people=hidden, target=batch)

    # --- Commit ---

    def commit(self, batch):
        files, changed = defaultdict(list), []
        for row in StagedHousehold.objects.filter(batch=batch).order_by("row"):
            files[row.file_key].append(row)
        for key, people in files.items():
            if not all(row.outcome in STORABLE for row in people):
                continue
            try:
                with transaction.atomic():
                    self._store(key, people)
            except (ValidationError, IntegrityError):
                for row in people:
                    was = row.outcome, row.codes
                    row.outcome, row.codes = Outcome.ERROR.value, ["REFUSED"]
                    changed.append((was, row))
        imports.change_rows(batch, changed)

    def _store(self, key, people):
        """Store one household as a draft under its old number."""
        people = sorted(people, key=lambda row: row.kin != Kin.SELF)
        own = people[0]
        memberships = Membership.objects.select_related("person", "union")
        membership = memberships.visible_to(self.by, self.permission).filter(pk=own.membership_id).first()
        if membership is None:
            raise ValidationError(str(SENTENCES["NOT_A_MEMBER"]))
        case = households.apply(
            by=self.by,
            membership=membership,
            facts={"applied_on": own.applied_on, "cause": own.cause, "labour_months": own.labour_months},
            people=[_person(row) for row in people],
            incomes=_amounts(people, "incomes"),
            expenses=_amounts(people, "expenses"),
        )
        if not case.file.number:
            case.file.number = key
            case.file.save(update_fields=["number"])

    # --- Preview ---

    def preview(self, rows):
        labels = dict(Kin.choices)
        return [
            {
                "row": row.row,
                "outcome": row.outcome,
                "codes": row.codes,
                "cells": [
                    row.file_key, labels.get(row.kin, row.shown.get("kin", "")), row.name,
                    row.id_masked or row.shown.get("number", ""), _total(row.incomes), _total(row.expenses),
                ],
                "said": [text for name, text in row.shown.items() if name not in ("kin", "number") and text],
                "changes": [],
            }
            for row in rows
        ]  # fmt: skip


def _person(row):
    number = identity.check_number(secrets.unseal(row.id_number, f"{ID_PLACE}{row.person_uuid}"))
    return PersonRow(row.kin, row.name, row.situation, number, row.workplace)


def _amounts(people, name):
    return [
        AmountRow(place, kind, Decimal(amount))
        for place, row in enumerate(people)
        for kind, amount in getattr(row, name).items()
    ]


def _total(amounts):
    return str(sum(map(Decimal, amounts.values()), Decimal(0))) if amounts else ""


def _slices(keys, size=500):
    return [keys[start : start + size] for start in range(0, len(keys), size)]

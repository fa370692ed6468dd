"""What becomes of each row of a member register: checked, compared with who is stored, sealed; then stored as a set.

The codes, their order and their outcomes are those of the import contract. A row is compared with the people stored and
with the rows before it in the file; the first row about a membership speaks, later ones about it are duplicates.
"""

import re
import unicodedata
import uuid
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import count, islice

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core import imports, names, scope, settings_table, sheets
from core.imports import STORABLE, ImportKind, Overtaken
from core.models import Hold
from core.models.imports import Outcome
from core.secrets import blinder, index_rotating, sealer, unseal
from core.sheets import SheetRefused
from members import actions, candidates, identity, staging, transfers
from members.models import (
    OPEN_STATES,
    DocumentKind,
    DuplicatePair,
    Employment,
    Membership,
    MembershipState,
    OccupationGroup,
    Person,
    StagedMember,
    Transfer,
)
from members.pinyin import name_keys
from unions.imports import top_of
from unions.models import Union

ID_PLACE = Person._meta.get_field("id_number").place("")  # the person's uuid follows
PHONE_PLACE = Person._meta.get_field("phone").place("")

OUTCOMES = {
    "NAME_MISSING": Outcome.ERROR,
    "NAME_INVALID": Outcome.ERROR,
    "ID_MISSING": Outcome.ERROR,
    "ID_DAMAGED_BY_EXCEL": Outcome.ERROR,
    "ID_LENGTH": Outcome.ERROR,
    "ID_CHARACTERS": Outcome.ERROR,
    "ID_PROVINCE": Outcome.ERROR,
    "ID_BIRTHDATE": Outcome.ERROR,
    "ID_CHECKSUM": Outcome.ERROR,
    "SEX_MISMATCH": Outcome.ERROR,
    "DOCUMENT_NOT_SUPPORTED": Outcome.ERROR,
    "PHONE_INVALID": Outcome.WARNING,
    "UNION_MISSING": Outcome.ERROR,
    "UNION_UNKNOWN": Outcome.ERROR,
    "UNION_OUT_OF_SCOPE": Outcome.ERROR,
    "JOINED_ON_MISSING": Outcome.WARNING,
    "JOINED_ON_INVALID": Outcome.ERROR,
    "JOINED_ON_FUTURE": Outcome.ERROR,
    "EMPLOYMENT_UNKNOWN": Outcome.WARNING,
    "DUPLICATE_IN_FILE": Outcome.DUPLICATE,
    "ID_USED_BY_ANOTHER_NAME": Outcome.ERROR,
    "ACTIVE_ELSEWHERE": Outcome.ERROR,
    "ALREADY_MEMBER": Outcome.DUPLICATE,
    "UPDATED": Outcome.OK,
    "REJOIN": Outcome.WARNING,
    "MEMBER_DECEASED": Outcome.ERROR,
}
MEETING = frozenset(list(OUTCOMES)[list(OUTCOMES).index("DUPLICATE_IN_FILE") :])  # codes that depend on other rows
TELLING = frozenset({"ACTIVE_ELSEWHERE", "MEMBER_DECEASED", "ID_USED_BY_ANOTHER_NAME"})  # say that a number is known
NO_NAME = frozenset({"NAME_MISSING", "NAME_INVALID"})

SENTENCES = identity.SENTENCES | {
    "ID_DAMAGED_BY_EXCEL": gettext_lazy(
        "Excel has shortened this identity number: format the column as text, then fill the numbers in again."
    ),
    "SEX_MISMATCH": gettext_lazy("The sex contradicts the identity number: check both against the card."),
    "DOCUMENT_NOT_SUPPORTED": gettext_lazy(
        "Only resident identity cards and residence permits of Hong Kong, Macao and Taiwan residents can be imported."
    ),
    "PHONE_INVALID": gettext_lazy("This is no mobile number of the mainland: it is left out, add the right one."),
    "UNION_MISSING": gettext_lazy("The union code is missing: fill it in."),
    "UNION_UNKNOWN": gettext_lazy("There is no union with this code: correct it, or import the union first."),
    "UNION_OUT_OF_SCOPE": gettext_lazy("This union lies outside your part of the tree: ask the union above."),
    "JOINED_ON_MISSING": gettext_lazy("The joining date is missing: it stays empty, add it."),
    "JOINED_ON_INVALID": gettext_lazy("The joining date cannot be read: write it as 2019-03-05."),
    "JOINED_ON_FUTURE": gettext_lazy("The joining date lies in the future: correct it."),
    "EMPLOYMENT_UNKNOWN": gettext_lazy("This form of employment is not known: it becomes «other», correct it."),
    "DUPLICATE_IN_FILE": gettext_lazy("The same person and union as a row above: counted once, nothing to do."),
    "ID_USED_BY_ANOTHER_NAME": gettext_lazy(
        "This identity number stands with another name already: check number and name against the card."
    ),
    "ACTIVE_ELSEWHERE": gettext_lazy("This person is a member of another union: ask for a transfer."),
    "ALREADY_MEMBER": gettext_lazy("A member here already, and the row says nothing new: nothing to do."),
    "UPDATED": gettext_lazy("A member here already: the facts shown are changed."),
    "REJOIN": gettext_lazy("Left or was expelled here before and is enrolled again: make sure that this is meant."),
    "MEMBER_DECEASED": gettext_lazy("This person is recorded as deceased: check the number against the card."),
}

KEPT = {
    "OUT_OF_SCOPE": gettext_lazy("This union lies outside your part of the tree: ask the union above."),
    "MERGED": gettext_lazy("This person's record was merged with another since: take the merge back first."),
    "MOVED": gettext_lazy("The membership has been moved on since, or a transfer asked for: it stays."),
    "CHANGED": gettext_lazy(
        "Somebody has changed the person or the membership since: correct it on the member's page."
    ),
    "ELSEWHERE": gettext_lazy("The person has another membership by now: correct it on the member's page."),
    "DECIDED": gettext_lazy("Somebody has decided whether this person is another one's duplicate: the record stays."),
    "USED": gettext_lazy("Something else refers to this person or membership by now: it stays."),
}

DOCUMENTS = {
    "居民身份证": DocumentKind.RESIDENT_ID.value,
    "身份证": DocumentKind.RESIDENT_ID.value,
    "港澳台居民居住证": DocumentKind.HMT_RESIDENCE.value,
    "港澳台居住证": DocumentKind.HMT_RESIDENCE.value,
}
SEXES = {"男": "M", "男性": "M", "M": "M", "女": "F", "女性": "F", "F": "F"}
YES_NO = {"是": True, "Y": True, "√": True, "否": False, "N": False, "×": False}
# What registers write in the column 用工形式 (import contract): form of employment, and group of the eight (§1.9).
EMPLOYMENTS = {
    "正式职工": (Employment.CONTRACT.value, ""),
    "劳动合同": (Employment.CONTRACT.value, ""),
    "合同工": (Employment.CONTRACT.value, ""),
    "劳务派遣": (Employment.DISPATCH.value, ""),
    "派遣": (Employment.DISPATCH.value, ""),
    "货车司机": (Employment.PLATFORM.value, OccupationGroup.TRUCK_DRIVER.value),
    "快递员": (Employment.PLATFORM.value, OccupationGroup.COURIER.value),
    "护工护理员": (Employment.PLATFORM.value, OccupationGroup.CARE_WORKER.value),
    "家政服务员": (Employment.PLATFORM.value, OccupationGroup.DOMESTIC_WORKER.value),
    "商场信息员": (Employment.PLATFORM.value, OccupationGroup.SHOP_CLERK.value),
    "网约送餐员": (Employment.PLATFORM.value, OccupationGroup.FOOD_RIDER.value),
    "房产中介员": (Employment.PLATFORM.value, OccupationGroup.ESTATE_AGENT.value),
    "保安员": (Employment.PLATFORM.value, OccupationGroup.SECURITY_GUARD.value),
    "网约车司机": (Employment.PLATFORM.value, OccupationGroup.OTHER_NEW.value),
    "其他": (Employment.OTHER.value, ""),
}

NO_KEYS = ("", "", "")  # of a row that brings no new person: its name is stored already
UNREADABLE = object()  # of a cell that should hold a date
PATIENCE = 20  # times that a commit looks again at rows somebody else was quicker with

_SCIENTIFIC = re.compile(r"[0-9]+(\.[0-9]*)?E\+?[0-9]+", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{9,}[Xx]?")

PLAIN = ("department", "post", "card_no", "notes")  # facts that are plain text on both sides
FACTS = ("joined_on", "employment", "occupation_group", "migrant_worker", *PLAIN)  # of a membership, that a row may say


@dataclass(slots=True)
class Row:
    """One row on its way: what it says in clear, never stored as such, and what it means."""

    row: int
    codes: list = field(default_factory=list)
    shown: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)
    name: str = ""
    number: str = ""  # clear
    id_index: str = ""
    sex: str = ""
    born_on: date | None = None
    document_kind: str = ""
    phone: str = ""  # clear
    phone_index: str = ""
    ethnicity: str = ""
    union_id: int | None = None
    in_scope: bool = False
    joined_on: date | None = None
    employment: str = ""
    occupation_group: str = ""
    migrant_worker: bool | None = None
    department: str = ""
    post: str = ""
    card_no: str = ""
    notes: str = ""
    person_id: int | None = None
    person_uuid: uuid.UUID | None = None
    membership_id: int | None = None


@dataclass(slots=True)
class Known:
    """A stored person, as far as rows are compared with it."""

    pk: int
    uuid: uuid.UUID
    name: str
    deceased: bool
    phone_index: str
    phone_masked: str
    ethnicity: str
    names: set  # that a row about this number may say: of a merged record also the name under the number itself
    open: "Membership | None" = None
    left: set = field(default_factory=set)  # unions the person has withdrawn or was expelled from


class MemberImport(ImportKind):
    key = "members"
    title = gettext_lazy("Member register")
    permission = "members.import_membership"
    columns = {
        "name": (True, ("姓名",)),
        "number": (True, ("身份证号", "身份证号码", "证件号码")),
        "union": (True, ("所属工会编码", "工会编码")),
        "sex": (False, ("性别",)),
        "document": (False, ("证件类型",)),
        "phone": (False, ("手机号", "手机", "手机号码", "联系电话")),
        "joined_on": (False, ("入会日期", "入会时间")),
        "employment": (False, ("用工形式", "就业形态")),
        "ethnicity": (False, ("民族",)),
        "migrant_worker": (False, ("是否农民工", "农民工")),
        "department": (False, ("部门", "部门/小组", "小组")),
        "post": (False, ("岗位", "岗位/职业工种", "职业工种")),
        "card_no": (False, ("会员证号", "会员证号/工会卡号", "工会卡号")),
        "notes": (False, ("备注",)),
    }
    text_columns = ("number", "union", "phone", "joined_on", "card_no")
    outcomes = OUTCOMES
    sentences = SENTENCES
    staged = StagedMember
    fields = (
        "person_uuid", "name", "document_kind", "id_number", "id_index", "id_masked", "sex", "born_on",
        "phone", "phone_index", "phone_masked", "ethnicity", "union", "joined_on", "employment", "occupation_group",
        "migrant_worker", "department", "post", "card_no", "notes", "person", "membership",
        "id_tail", "name_pinyin", "name_initials", "name_sort",
    )  # fmt: skip

    def __init__(self, by):
        super().__init__(by)
        self.today = timezone.localdate()
        self.reach = scope.reach(by, self.permission)
        self.seal, self.blind_number, self.blind_phone = sealer(), blinder("id_number"), blinder("phone")
        self.uuids = _consecutive()

    @cached_property
    def working_age(self):
        """Full years from which somebody may work, today."""
        return int(settings_table.value("working_age", self.today))

    @cached_property
    def unions(self):
        """{code: (primary key, whether it is in reach)} of every union that was not dissolved."""
        unions = Union.objects.standing().order_by().values_list("code", "pk", "path")
        return {code: (pk, self.reach.covers(path)) for code, pk, path in unions.iterator()}

    @cached_property
    def standing(self):
        """The keys of the unions that were not dissolved."""
        return {pk for pk, _covered in self.unions.values()}

    @cached_property
    def covered(self):
        """The keys of the unions in reach."""
        return {pk for pk, covered in self.unions.values() if covered}

    def top(self):
        return top_of(self.reach)

    # --- Reading ---

    def chunks(self, sheet):
        _not_while_rotating()
        said, ahead = {}, self._read_some(sheet)

        def staged(rows):
            nonlocal ahead
            yield from map(self.stage, rows)
            ahead = self._read_some(sheet)  # while the database still writes down what it was given

        while ahead:
            known = people([row.id_index for row in ahead if row.id_index])
            for row in ahead:
                meet(row, known.get(row.id_index), said)
            yield staged(ahead)

    def _read_some(self, sheet):
        return [self.read(number, cells) for number, cells in islice(sheet.rows, imports.CHUNK)]

    def read(self, number, cells):
        """Return the `Row` of a sheet's row, with the codes that depend on the row alone."""
        (
            name, id_number, union, sex, document, phone, joined_on, employment, ethnicity, migrant_worker,
            department, post, card_no, notes,
        ) = cells  # fmt: skip
        row = Row(number)
        self._read_name(row, name)
        self._read_number(row, id_number)
        if row.sex and SEXES.get(_plain(sex).upper(), row.sex) != row.sex:  # an unreadable sex contradicts nothing
            row.codes.append("SEX_MISMATCH")
        self._read_document(row, document)
        self._read_phone(row, phone)
        self._read_union(row, union)
        self._read_joined_on(row, joined_on)
        self._read_employment(row, employment)
        row.ethnicity = _plain(ethnicity)[:20]
        row.migrant_worker = YES_NO.get(_plain(migrant_worker).upper())
        row.department = _said("department", department)
        row.post = _said("post", post)
        row.notes = _said("notes", notes)
        row.card_no = sheets.text(card_no)[: _LENGTHS["card_no"]]
        return row

    def _read_name(self, row, cell):
        row.name, fault = _name(sheets.text(cell))
        if fault:
            row.codes.append(fault)

    def _read_number(self, row, cell):
        number = identity.normalise_number(sheets.text(cell))
        fault, born_on = identity.check(number, self.today)
        if isinstance(cell, int | float) or (fault and damaged(number)):
            fault = "ID_DAMAGED_BY_EXCEL"
        if fault:
            row.codes.append(fault)
            if number:
                row.shown["number"] = identity.mask_number(number)
            return
        row.number, row.sex, row.born_on = number, identity.sex_of(number), born_on
        row.id_index = self.blind_number(number)

    def _read_document(self, row, cell):
        permit = row.number[:2] in identity.RESIDENCE_PERMITS
        row.document_kind = DocumentKind.HMT_RESIDENCE.value if permit else DocumentKind.RESIDENT_ID.value
        if written := _plain(cell):
            row.document_kind = DOCUMENTS.get(written, row.document_kind)
            if written not in DOCUMENTS:
                row.codes.append("DOCUMENT_NOT_SUPPORTED")
                row.shown["document"] = masked(written)[:40]

    def _read_phone(self, row, cell):
        phone = identity.normalise_phone(sheets.text(cell))
        if not phone:
            return
        if identity.is_mobile(phone):
            row.phone = phone
            row.phone_index = self.blind_phone(phone)
        else:
            row.codes.append("PHONE_INVALID")
            row.shown["phone"] = phone[:3] + "*" * min(len(phone) - 3, 20)

    def _read_union(self, row, cell):
        code = _plain(cell).removeprefix("'")
        if not code:
            row.codes.append("UNION_MISSING")
        elif code not in self.unions:
            row.codes.append("UNION_UNKNOWN")
            row.shown["union"] = masked(code)[:40]
        else:
            row.union_id, row.in_scope = self.unions[code]
            if not row.in_scope:
                row.codes.append("UNION_OUT_OF_SCOPE")

    def _read_joined_on(self, row, cell):
        row.joined_on = _day(cell)
        if row.joined_on is UNREADABLE:
            row.joined_on = None
            row.codes.append("JOINED_ON_INVALID")
            row.shown["joined_on"] = masked(sheets.text(cell))[:40]
        elif row.joined_on is None:
            row.codes.append("JOINED_ON_MISSING")
        elif row.joined_on > self.today:
            row.codes.append("JOINED_ON_FUTURE")

    def _read_employment(self, row, cell):
        written = _plain(cell)
        if written in EMPLOYMENTS:
            row.employment, row.occupation_group = EMPLOYMENTS[written]
        elif written:
            row.employment = Employment.OTHER.value
            row.codes.append("EMPLOYMENT_UNKNOWN")
            row.shown["employment"] = masked(written)[:40]

    # --- Staging ---

    def stage(self, row):
        """Return `row` as a staged row: identity sealed for the person it belongs to, or will belong to."""
        outcome = self.grave(row.codes)
        sealed_number = sealed_phone = ""
        keys = NO_KEYS
        if outcome in STORABLE:
            if row.person_id is None:
                keys = name_keys(row.name).values()
            row.person_uuid = row.person_uuid or next(self.uuids)
            place = str(row.person_uuid)
            sealed_number = self.seal(row.number, ID_PLACE + place)
            if row.phone:
                sealed_phone = self.seal(row.phone, PHONE_PLACE + place)
        return (
            row.row, outcome.value, self.in_order(row.codes), row.shown, row.changes,
            row.person_uuid, row.name, row.document_kind, sealed_number, row.id_index,
            identity.mask_number(row.number) if row.number else "", row.sex, row.born_on,
            sealed_phone, row.phone_index, identity.mask_phone(row.phone) if row.phone else "",
            row.ethnicity, row.union_id, row.joined_on, row.employment, row.occupation_group,
            row.migrant_worker, row.department, row.post, row.card_no, row.notes, row.person_id, row.membership_id,
            row.number[-4:], *keys,
        )  # fmt: skip

    def noticed(self, batch):
        """Whoever uploads numbers learns of people out of sight that they are known: it is written down, not whom."""
        if TELLING.isdisjoint(batch.counts["codes"]):
            return
        told = imports.with_codes(StagedMember.objects.filter(batch=batch), TELLING).order_by("row")
        met, hidden = told.values_list("id_index", flat=True), 0
        for start in range(0, met.count(), imports.CHUNK):
            found = [known.pk for known in people(list(met[start : start + imports.CHUNK])).values()]
            hidden += len(actions.out_of_sight(found, self.by))
        if hidden:
            actions.meet_elsewhere(by=self.by, union=batch.union, people=hidden, target=batch)

    # --- Commit ---

    def refresh(self, batch):
        self._judge_again(batch, self._outdated(batch))

    def _outdated(self, batch):
        rows = StagedMember.objects.filter(batch=batch, union__isnull=False)
        used = set(rows.order_by().values_list("union_id", flat=True).distinct())
        return staging.outdated(batch, sorted(used - self.covered))

    def _settle(self, batch):
        """Lock the people of the batch as its rows know them: a merge under way is waited for, and looked at again."""
        for _quicker in range(PATIENCE):
            self.refresh(batch)
            mark = transaction.savepoint()
            staging.hold(batch)
            if not self._outdated(batch):
                transaction.savepoint_commit(mark)
                return
            transaction.savepoint_rollback(mark)  # lets the locks go: people are locked in the order of their keys
        raise Overtaken

    def _judge_again(self, batch, indexes):
        """Compare the rows about some people once more with what is stored now, in the order of the file."""
        said = {}
        for start in range(0, len(indexes), imports.CHUNK):
            self._judge_some_again(batch, indexes[start : start + imports.CHUNK], said)

    def _judge_some_again(self, batch, indexes, said):
        known, changed = people(indexes), []
        for staged in StagedMember.objects.filter(batch=batch, id_index__in=indexes).order_by("row"):
            was = staged.outcome, staged.codes
            row = self._row_of(staged)
            meet(row, known.get(row.id_index), said)
            columns = dict(zip((*imports.STAGED, *self.fields), self.stage(row), strict=True))
            if was[0] in STORABLE:
                for name, value in columns.items():
                    setattr(staged, StagedMember._meta.get_field(name).attname, value)
            elif columns["outcome"] not in STORABLE:
                staged.outcome, staged.codes = columns["outcome"], columns["codes"]
            if was[0] in STORABLE or was != (staged.outcome, staged.codes):
                changed.append((was, staged))
        imports.change_rows(batch, changed)

    def _row_of(self, staged):
        """Return a staged row as the `Row` it was before it met other rows and stored people."""
        names = ("row", "shown", "name", "id_index", "sex", "born_on", "document_kind", "phone_index", "ethnicity")
        row = Row(**{name: getattr(staged, name) for name in (*names, "union_id", *FACTS)})
        row.codes = [code for code in staged.codes if code not in MEETING and code != "UNION_OUT_OF_SCOPE"]
        row.in_scope = staged.union_id in self.covered
        if staged.union_id and not row.in_scope:
            row.codes.append("UNION_OUT_OF_SCOPE" if staged.union_id in self.standing else "UNION_UNKNOWN")
        if staged.id_number:
            row.number = unseal(staged.id_number, f"{ID_PLACE}{staged.person_uuid}")
        if staged.phone:
            row.phone = unseal(staged.phone, f"{PHONE_PLACE}{staged.person_uuid}")
        return row

    def commit(self, batch):
        _not_while_rotating()
        self._settle(batch)
        for _quicker in range(PATIENCE):
            left_out = staging.enrol(batch)
            if not left_out:
                staging.remember(batch)
                staging.change(batch, self.by)
                return
            self._judge_again(batch, left_out)
            staging.hold(batch)
        raise Overtaken

    # --- What follows from a commit, or from taking it back ---

    def afterwards(self, batch):
        candidates.find_for_batch(batch, by=self.by)
        changed = StagedMember.objects.filter(batch=batch, outcome__in=STORABLE, changes__has_key="phone")
        candidates.find_for(changed.values_list("person", flat=True).iterator(), by=self.by)

    def remarks(self, batch):
        people = Membership.objects.filter(batch=batch).values("person").order_by()
        pairs = DuplicatePair.objects.open().visible_to(self.by, "members.merge_person")
        found = pairs.filter(Q(first__in=people) | Q(second__in=people)).count()
        if not found:
            return []
        sentence = ngettext("%(n)d possible duplicate", "%(n)d possible duplicates", found) % {"n": found}
        return [(sentence, reverse("pair_list"))]

    def offers(self, batch):
        if not batch.counts["codes"].get("ACTIVE_ELSEWHERE") or not self.by.has_perm("members.ask_transfer"):
            return []
        rows = transfers.rows_elsewhere(batch).count()
        if not rows:
            return []
        label = ngettext("Ask for %(n)d transfer", "Ask for %(n)d transfers", rows) % {"n": rows}
        return [(label, reverse("transfers_from_batch", args=[batch.pk]))]

    # --- Taking back ---

    kept_sentences = KEPT

    def undo(self, batch):
        rows = StagedMember.objects.filter(batch=batch, union__isnull=False)
        used = set(rows.order_by().values_list("union_id", flat=True).distinct())
        return staging.take_back(batch, sorted(used - self.covered))

    # --- When the period is over ---

    @classmethod
    def forget(cls, batch):
        staging.forget(batch)

    @classmethod
    def is_held(cls, batch):
        kept = Person.objects.filter(memberships__in=list(Hold.objects.on(Membership)))
        people = Person.objects.filter(Q(pk__in=kept) | Q(merged_into__in=kept))
        return StagedMember.objects.filter(batch=batch, person_uuid__in=people.values("uuid")).exists()

    # --- Preview ---

    headings = (
        gettext_lazy("Name"), gettext_lazy("Identity number"), gettext_lazy("Union"), gettext_lazy("Joined on")
    )  # fmt: skip

    def preview(self, rows):
        unions = Union.objects.in_bulk({row.union_id for row in rows if row.union_id})
        asked = self._asked(rows)
        return [
            {
                "row": row.row,
                "outcome": row.outcome,
                "codes": row.codes,
                "cells": [
                    row.name,
                    row.id_masked or row.shown.get("number", ""),
                    _union_in_words(row, unions),
                    row.shown.get("joined_on") or (row.joined_on.isoformat() if row.joined_on else ""),
                ],
                "said": [row.shown[name] for name in ("document", "phone", "employment") if name in row.shown],
                "offer": self._offer(row, unions, asked) if "ACTIVE_ELSEWHERE" in row.codes else None,
                "changes": [
                    (_label(name), _words(name, old), _words(name, new)) for name, (old, new) in row.changes.items()
                ],
            }
            for row in rows
        ]

    def _asked(self, rows):
        """{(blind index, union): the open transfer} of the people whom rows find in another union."""
        indexes = [row.id_index for row in rows if "ACTIVE_ELSEWHERE" in row.codes]
        if not indexes:
            return {}
        found = Transfer.objects.open().filter(membership__person__id_index__in=indexes)
        return {
            (index, union): key
            for index, union, key in found.values_list("membership__person__id_index", "to_union", "pk")
        }

    def _offer(self, row, unions, asked):
        """What the page offers for a row whose person is a member elsewhere: to ask for a transfer, or to see it."""
        if key := asked.get((row.id_index, row.union_id)):
            return {"label": _("Transfer asked for"), "address": reverse("transfer_page", args=[key]), "post": False}
        if self.by.has_perm("members.ask_transfer", unions[row.union_id]):
            address = reverse("transfer_from_row", args=[row.batch_id])
            return {"label": _("Ask for a transfer"), "address": address, "post": True}
        return None


def _not_while_rotating():
    """Raise SheetRefused while people may lie under either of two index keys: a set-based import would double them."""
    if index_rotating():
        raise SheetRefused(_("The keys are being renewed: import again when whoever keeps the machine has finished."))


def people(indexes):
    """Return {blind index: Known} of the people stored under `indexes`."""
    found, by_key = {}, {}
    for index, pk, key, name, alias, deceased_on, *rest in staging.people(indexes) if indexes else ():
        known = found[index] = Known(pk, key, name, deceased_on is not None, *rest, {name, alias})
        by_key.setdefault(pk, []).append(known)
    if by_key:
        memberships = Membership.objects.order_by().filter(person_id__in=list(by_key))
        for membership in memberships.only("person_id", "union_id", "state", *FACTS).iterator():
            for person in by_key[membership.person_id]:
                if membership.state in OPEN_STATES:
                    person.open = membership
                elif membership.state in (MembershipState.WITHDRAWN, MembershipState.EXPELLED):
                    person.left.add(membership.union_id)
                elif membership.state == MembershipState.DECEASED:
                    person.deceased = True
    return found


def meet(row, known, said):
    """Add to `row` the codes that depend on the stored person (`known` or None) and on earlier rows.

    `said`: {person or blind index: (name, union, code of a later row about the same)} of the rows that spoke about a
    person, kept here. A row without a valid name or number meets nobody; one of an unknown or foreign union is told the
    least.
    """
    if not row.id_index or (row.codes and not NO_NAME.isdisjoint(row.codes)):
        return
    whom = known.pk if known else row.id_index
    before = said.get(whom)
    if (known and row.name not in known.names) or (not known and before and before[0] != row.name):
        row.codes.append("ID_USED_BY_ANOTHER_NAME")
        return
    if not row.in_scope:
        return
    faulty = any(OUTCOMES[code] == Outcome.ERROR for code in row.codes)
    if before:
        row.codes.append(before[2] if before[1] == row.union_id else "ACTIVE_ELSEWHERE")
        return
    if known:
        row.person_id, row.person_uuid = known.pk, known.uuid
        if code := _met(row, known, faulty):
            row.codes.append(code)
    if "ALREADY_MEMBER" in row.codes:
        said[whom] = row.name, row.union_id, "ALREADY_MEMBER"
    elif not any(OUTCOMES[code] == Outcome.ERROR for code in row.codes):
        said[whom] = row.name, row.union_id, "DUPLICATE_IN_FILE"


def _met(row, known, faulty):
    """Return the code of a row that is about a stored person, or ""; reduce the row to what it changes."""
    if known.deceased:
        return "MEMBER_DECEASED"
    membership = known.open
    if membership and membership.union_id != row.union_id:
        return "ACTIVE_ELSEWHERE"
    _compare_person(row, known)
    if membership is None:
        return "REJOIN" if row.union_id in known.left and not faulty else ""
    row.membership_id = membership.pk
    _compare_membership(row, membership)
    if not row.changes:
        return "ALREADY_MEMBER"
    return "" if faulty else "UPDATED"


def _compare_person(row, known):
    if row.phone and row.phone_index != known.phone_index:
        row.changes["phone"] = [known.phone_masked, identity.mask_phone(row.phone)]
    else:
        row.phone = row.phone_index = ""
    if row.ethnicity and row.ethnicity != known.ethnicity:
        row.changes["ethnicity"] = [known.ethnicity, row.ethnicity]
    else:
        row.ethnicity = ""


def _compare_membership(row, membership):
    """Note what the row changes; whatever is empty, doubtful or the same is emptied, so that it changes nothing."""
    if membership.state == MembershipState.RETAINED:
        row.changes["state"] = [MembershipState.RETAINED.value, MembershipState.ACTIVE.value]
    if "EMPLOYMENT_UNKNOWN" in row.codes:
        row.employment = row.occupation_group = ""
    stored = membership.employment, membership.occupation_group
    if row.employment and (row.employment, row.occupation_group) != stored:
        row.changes["employment"] = [stored[1] or stored[0], row.occupation_group or row.employment]
    else:
        row.employment = row.occupation_group = ""
    for name in ("joined_on", "migrant_worker", *PLAIN):
        new, old = getattr(row, name), getattr(membership, name)
        if new in (None, "") or new == old:
            setattr(row, name, None if name in ("joined_on", "migrant_worker") else "")
        else:
            row.changes[name] = [_as_json(old), _as_json(new)]


def _as_json(value):
    return value.isoformat() if isinstance(value, date) else value


def damaged(number):
    """Whether a normalised `number` is what Excel leaves of an identity number: E+17, or 15 digits and 000."""
    if _SCIENTIFIC.fullmatch(number):
        return True
    ends_in_zeros = len(number) == 18 and number.isascii() and number.isdigit() and number.endswith("000")
    return ends_in_zeros and identity.check_character(number) != "0"


def masked(text):
    """Return `text` with every long number in it masked: numbers of people stand in their own columns only."""
    return _LONG_NUMBER.sub(lambda found: found[0][:3] + "*" * (len(found[0]) - 3), text)


# Registers say the same few words, days and names over and over: what becomes of a cell is remembered for a while.


@lru_cache(maxsize=10_000, typed=True)  # 1 and True and 1.0 are not the same cell
def _plain(cell):
    """A cell as text by NFKC without any white space."""
    return "".join(unicodedata.normalize("NFKC", sheets.text(cell)).split())


@lru_cache(maxsize=10_000)
def _name(text):
    """Return (the name in its one form, or masked where it is none; code of what is wrong with it or "")."""
    name = identity.normalise_name(text)
    fault = identity.fault_of_name(name)
    return (masked(name)[: names.NAME_LENGTH] if fault else name), fault


@lru_cache(maxsize=50_000, typed=True)
def _day(cell):
    """Return the date in a cell, None for an empty one, UNREADABLE for anything else."""
    try:
        return sheets.day(cell)
    except ValueError:
        return UNREADABLE


@lru_cache(maxsize=10_000, typed=True)
def _said(fact, cell):
    """The cell of a column that says anything, long numbers masked."""
    return masked(sheets.text(cell))[: _LENGTHS[fact]]


def _union_in_words(row, unions):
    """The name of the row's union; of a union out of scope no more than the code that the sheet says."""
    if not row.union_id:
        return row.shown.get("union", "")
    union = unions[row.union_id]
    return union.code if "UNION_OUT_OF_SCOPE" in row.codes else union.name


def _label(name):
    model = Person if name in ("phone", "ethnicity") else Membership
    return model._meta.get_field(name).verbose_name


def _words(name, value):
    """A stored value as people read it."""
    if value in (None, ""):
        return "—"
    if name == "migrant_worker":
        return _("yes") if value else _("no")
    if name in ("employment", "state"):
        return CHOICES.get(value, value)
    return value


CHOICES = dict([*Employment.choices, *OccupationGroup.choices, *MembershipState.choices])
_LENGTHS = {name: Membership._meta.get_field(name).max_length for name in PLAIN}


def _consecutive():
    """Yield uuids one after the other from a random one: an index takes them faster than scattered ones."""
    start = uuid.uuid4().int & ~0xFFFFFFFF
    return (uuid.UUID(int=start + number) for number in count())

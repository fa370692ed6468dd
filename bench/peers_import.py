"""The usual ways of importing the same register into the same tables: pinned, and measured beside ours.

Fair: each of them checks what ours checks (`Row.of`, plain Python as one writes it by hand), seals and indexes through
the same model fields, finds the people who are stored already, and leaves the same people, memberships and suffixes of
names behind. What they do not have, ours has within its time: a preview by row that is kept, outcomes by row, an audit
event, an undo, and rows of others that appear meanwhile.
"""

import time
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.core.exceptions import ValidationError
from django.db import transaction
from import_export import fields, resources, widgets
from import_export.formats.base_formats import XLSX
from python_calamine import CalamineWorkbook
from tablib import Dataset

from bench import registers
from core.secrets import blind
from members import suffixes
from members.imports import DOCUMENTS, EMPLOYMENTS
from members.models import Membership, NameSuffix, Person
from members.pinyin import name_keys
from unions.models import Union

BATCH = 1000
SEXES = {"男": "M", "女": "F"}
WRITINGS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")


def _text(cell):
    if cell is None:
        return ""
    return "".join(unicodedata.normalize("NFKC", str(cell)).split())


def _day(cell):
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    for writing in WRITINGS:
        try:
            return datetime.strptime(_text(cell), writing).date()  # noqa: DTZ007 - a date without a time
        except ValueError:
            continue
    raise ValidationError("joining date")


def _number_is_right(number):
    if len(number) != 18 or not number[:17].isdigit():
        return False
    weights = registers.WEIGHTS
    return number[17] == "10X98765432"[sum(int(digit) * weight for digit, weight in zip(number, weights)) % 11]  # noqa: B905


@dataclass
class Row:
    """A checked row: the facts of a person and of a membership."""

    person: dict
    membership: dict
    number: str

    @classmethod
    def of(cls, cells, unions):
        """`cells`: {header: cell}; `unions`: {code: (key, path)} in scope. Raises ValidationError."""
        name, number = _text(cells["姓名"]), _text(cells["身份证号"]).upper()
        if not name or any(character.isdigit() for character in name):
            raise ValidationError("name")
        if not _number_is_right(number):
            raise ValidationError("identity number")
        try:
            born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        except ValueError:
            raise ValidationError("birth date") from None
        sex = "M" if int(number[16]) % 2 else "F"
        if SEXES.get(_text(cells["性别"]), sex) != sex:
            raise ValidationError("sex")
        document = DOCUMENTS.get(_text(cells["证件类型"]))
        if document is None:
            raise ValidationError("document")
        union = unions.get(_text(cells["所属工会编码"]))
        if union is None:
            raise ValidationError("union")
        joined_on = _day(cells["入会日期"])
        if not born_on < joined_on <= date.today():  # noqa: DTZ011
            raise ValidationError("joining date")
        phone = _text(cells["手机号"])
        if len(phone) != 11 or not phone.isdigit() or phone[0] != "1":
            phone = ""
        employment, group = EMPLOYMENTS.get(_text(cells["用工形式"]), ("OTHER", ""))
        person = {
            "name": name, "id_number": number, "id_masked": f"{number[:4]}**********{number[-4:]}",
            "id_tail": number[-4:], "sex": sex, "born_on": born_on, "document_kind": document, "phone": phone,
            "phone_masked": f"{phone[:3]}****{phone[-4:]}" if phone else "", "ethnicity": _text(cells["民族"]),
            **name_keys(name),
        }  # fmt: skip
        membership = {
            "union_id": union[0], "path": union[1], "joined_on": joined_on, "employment": employment,
            "occupation_group": group, "migrant_worker": _text(cells["是否农民工"]) == "是",
            "department": _text(cells["部门"]), "post": _text(cells["岗位"]), "card_no": _text(cells["会员证号"]),
            "notes": _text(cells["备注"]),
        }  # fmt: skip
        return cls(person, membership, number)


def _unions():
    return {code: (key, path) for code, key, path in Union.objects.standing().values_list("code", "pk", "path")}


# --- Stock import-export: one resource, row by row, a dry run and then the real one -----------------------------------


class StockResource(resources.ModelResource):
    """As its documentation shows: checks in `before_import_row`, the foreign keys by widgets."""

    person = fields.Field("person", "person", widgets.ForeignKeyWidget(Person))
    union = fields.Field("union", "所属工会编码", widgets.ForeignKeyWidget(Union, "code"))
    joined_on = fields.Field("joined_on", "joined_on", widgets.DateWidget())
    employment = fields.Field("employment", "employment")
    occupation_group = fields.Field("occupation_group", "occupation_group")
    migrant_worker = fields.Field("migrant_worker", "migrant_worker", widgets.BooleanWidget())
    department = fields.Field("department", "部门")
    post = fields.Field("post", "岗位")
    card_no = fields.Field("card_no", "会员证号")
    notes = fields.Field("notes", "备注")

    class Meta:
        model = Membership
        fields = (
            "person", "union", "joined_on", "employment", "occupation_group", "migrant_worker", "department", "post",
            "card_no", "notes",
        )  # fmt: skip
        import_id_fields = ("person", "union")

    @cached_property
    def unions(self):
        return _unions()

    def before_import(self, dataset, **kwargs):
        self.seen = set()
        dataset.append_col([None] * len(dataset), header="person")

    def before_import_row(self, row, **kwargs):
        checked = Row.of(row, self.unions)
        if checked.number in self.seen:
            raise ValidationError("twice in the file")
        self.seen.add(checked.number)
        person = Person.objects.filter(id_index=blind("id_number", checked.number)).first()
        if person is None:
            person = Person.objects.create(**checked.person)
        elif person.name != checked.person["name"]:
            raise ValidationError("another name")
        facts = checked.membership
        row.update(facts, person=person.pk, 部门=facts["department"], 岗位=facts["post"])
        row.update(会员证号=facts["card_no"], 备注=facts["notes"])


def stock(rows):
    """The admin's way: preview, then confirm; each reads the workbook."""
    registers.plant()
    path, began = registers.register(rows), time.perf_counter()
    for dry_run in (True, False):
        dataset = XLSX().create_dataset(path.read_bytes())
        StockResource().import_data(dataset, dry_run=dry_run)
    return stored(began)


# --- Tuned import-export: in bulk, without diffs and look-ups by row ------------------------------------------------


class TunedPeople(resources.ModelResource):
    """People in bulk; `after_import` imports their memberships in bulk, within the same transaction."""

    name = fields.Field("name", "姓名")
    born_on = fields.Field("born_on", "born_on", widgets.Widget())
    id_number = fields.Field("id_number", "id_number", widgets.Widget())
    phone = fields.Field("phone", "phone", widgets.Widget())

    class Meta:
        model = Person
        fields = (
            "name", "id_number", "id_masked", "id_tail", "sex", "born_on", "document_kind", "phone", "phone_masked",
            "ethnicity", "name_pinyin", "name_initials", "name_sort",
        )  # fmt: skip
        import_id_fields = ("name",)  # never asked: force_init_instance
        use_bulk, batch_size, skip_diff, force_init_instance = True, BATCH, True, True

    def before_import(self, dataset, **kwargs):
        self.unions, self.seen, self.members = _unions(), set(), []
        indexes = [blind("id_number", _text(number).upper()) for number in dataset["身份证号"]]
        self.known = {}
        for start in range(0, len(indexes), BATCH):
            found = Person.objects.filter(id_index__in=indexes[start : start + BATCH])
            self.known |= dict(found.values_list("id_index", "name"))

    def before_import_row(self, row, **kwargs):
        checked = Row.of(row, self.unions)
        if checked.number in self.seen:
            raise ValidationError("twice in the file")
        self.seen.add(checked.number)
        row.update(checked.person, 姓名=checked.person["name"])
        index = blind("id_number", checked.number)
        if self.known.get(index, checked.person["name"]) != checked.person["name"]:
            raise ValidationError("another name")
        self.members.append({"index": index, "name": checked.person["name"], **checked.membership})

    def skip_row(self, instance, original, row, import_validation_errors=None):
        return blind("id_number", row["id_number"]) in self.known

    def after_import(self, dataset, result, **kwargs):
        super().after_import(dataset, result, **kwargs)
        keys = {}
        for start in range(0, len(self.members), BATCH):
            indexes = [member["index"] for member in self.members[start : start + BATCH]]
            keys |= dict(Person.objects.filter(id_index__in=indexes).values_list("id_index", "pk"))
        suffixes.keep(NameSuffix, [(keys[member["index"]], member["name"]) for member in self.members])
        TunedMemberships(keys).import_data(_dataset(self.members), dry_run=kwargs.get("dry_run", False))


class TunedMemberships(resources.ModelResource):
    joined_on = fields.Field("joined_on", "joined_on", widgets.Widget())
    migrant_worker = fields.Field("migrant_worker", "migrant_worker", widgets.Widget())

    class Meta:
        model = Membership
        fields = (
            "joined_on", "employment", "occupation_group", "migrant_worker", "department", "post", "card_no", "notes"
        )  # fmt: skip
        import_id_fields = ("card_no",)  # never asked: force_init_instance
        use_bulk, batch_size, skip_diff, force_init_instance = True, BATCH, True, True

    def __init__(self, people):
        super().__init__()
        self.people = people

    def before_save_instance(self, instance, row, **kwargs):
        instance.person_id, instance.union_id = self.people[row["index"]], row["union_id"]
        instance.path = row["path"]


def _dataset(rows):
    return Dataset(*(tuple(row.values()) for row in rows), headers=list(rows[0]))


def tuned(rows):
    """Preview and confirm as above."""
    registers.plant()
    path, began = registers.register(rows), time.perf_counter()
    for dry_run in (True, False):
        dataset = XLSX().create_dataset(path.read_bytes())
        TunedPeople().import_data(dataset, dry_run=dry_run)
    return stored(began)


# --- By hand: calamine, and bulk_create by a thousand in one transaction; no preview -------------------------------


def by_hand(rows):
    registers.plant()
    path, began = registers.register(rows), time.perf_counter()
    unions, seen = _unions(), set()
    lines = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).iter_rows()
    headers = next(lines)
    with transaction.atomic():
        checked = []
        for cells in lines:
            try:
                row = Row.of(dict(zip(headers, cells, strict=True)), unions)
            except ValidationError:
                continue
            if row.number not in seen:
                seen.add(row.number)
                checked.append(row)
            if len(checked) == BATCH:
                _store(checked)
                checked = []
        _store(checked)
    return stored(began)


def _store(rows):
    indexes = [blind("id_number", row.number) for row in rows]
    known = {person.id_index: person for person in Person.objects.filter(id_index__in=indexes)}
    new = [
        known.setdefault(index, Person(**row.person))
        for index, row in zip(indexes, rows, strict=True)
        if index not in known
    ]
    Person.objects.bulk_create(new)
    NameSuffix.objects.bulk_create(
        NameSuffix(person=person, text=person.name[start:])
        for person in new
        for start in range(1, len(person.name) - 1)
    )
    Membership.objects.bulk_create(
        Membership(person=known[index], **row.membership)
        for index, row in zip(indexes, rows, strict=True)
        if known[index].name == row.person["name"]
    )


def stored(began):
    """What a measured import answers: its seconds, and what is stored now."""
    seconds = time.perf_counter() - began
    mine = Membership.objects.filter(union__code__startswith="B")
    return {"seconds": seconds, "members": mine.count(), "people": Person.objects.filter(memberships__in=mine).count()}

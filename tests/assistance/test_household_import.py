"""A sheet of old files: each fault by its row, a household whole or not at all, drafts only, numbers never in clear."""

from decimal import Decimal

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import translation

from assistance.imports import OUTCOMES, SENTENCES, HouseholdImport
from assistance.models import HardshipCase, HardshipFile, StagedHousehold
from core import imports
from core.models import AuditEvent, ImportBatch, Setting
from core.sheets import SheetRefused
from members import erasure
from tests.assistance.households import household, own
from tests.members.people import QIAN, ZHAO, member, number
from tests.members.registers import write

HEADERS = tuple(spellings[0] for _needed, spellings in HouseholdImport.columns.values())
NAMES = tuple(HouseholdImport.columns)


def row(**changes):
    """The applicant's row, in the order of HEADERS."""
    said = dict.fromkeys(NAMES, "") | {
        "file_key": "H-001", "kin": "本人", "name": "赵建国", "number": ZHAO, "situation": "在职",
        "workplace": "一车间",
        "applied_on": "2025年3月2日", "cause": "因病", "labour_months": "60", "wage": "36,000.50", "medical": "12000",
    }  # fmt: skip
    return tuple((said | changes)[name] for name in NAMES)


def other(**changes):
    """The row of the applicant's wife."""
    said = dict.fromkeys(NAMES, "") | {
        "file_key": "H-001", "kin": "妻子", "name": "钱 芳", "number": QIAN, "situation": "无业", "other_income": "800",
    }  # fmt: skip
    return tuple((said | changes)[name] for name in NAMES)


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise)


@pytest.fixture
def codes_of(enterprise, tmp_path):
    def codes_of(*rows, by=enterprise, commit=True):
        path = write(tmp_path, rows, HEADERS)
        found, _counts = imports.run_file("hardship", path, by=by, commit_it=commit)
        return [codes for _row, _outcome, codes in found]

    return codes_of


def test_every_code_has_an_outcome_and_a_sentence():
    assert set(OUTCOMES) == set(SENTENCES)


@translation.override("en")
def test_a_household_becomes_a_draft_with_its_old_number(zhao, enterprise, codes_of):
    assert codes_of(other(), row()) == [[], []]  # in any order
    case = HardshipCase.objects.get()
    assert (case.state, case.file.number, case.membership, case.created_by) == ("DRAFT", "H-001", zhao, enterprise)
    assert [(one.kin, one.name, one.id_number) for one in case.people.all()] == [
        ("SELF", "赵建国", ZHAO), ("SPOUSE", "钱芳", QIAN)
    ]  # fmt: skip
    assert sorted((one.of.name, one.kind, one.amount) for one in case.incomes.all()) == [
        ("赵建国", "WAGE", Decimal("36000.50")), ("钱芳", "OTHER", Decimal(800))
    ]  # fmt: skip
    assert [(one.kind, one.amount) for one in case.expenses.all()] == [("MEDICAL", Decimal(12000))]
    assert AuditEvent.objects.filter(verb="assistance.import_hardshipcase").count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM assistance_stagedhousehold")
        assert ZHAO not in str(cursor.fetchall())
    assert str(erasure.why_not(zhao.person, "REQUEST")).count("hardship file names this person") == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"file_key": ""}, "FILE_MISSING"),
        ({"file_key": "H" * 41}, "FILE_MISSING"),
        ({"name": "赵2"}, "NAME_INVALID"),
        ({"number": ZHAO[:-1] + "8"}, "ID_INVALID"),
        ({"number": ""}, "ID_INVALID"),
        ({"situation": "出国"}, "SITUATION_UNKNOWN"),
        ({"name": "赵国建"}, "NOT_A_MEMBER"),
        ({"number": number(9)}, "NOT_A_MEMBER"),
        ({"applied_on": ""}, "DATE_INVALID"),
        ({"applied_on": "9999-01-01"}, "DATE_INVALID"),
        ({"applied_on": "昨天"}, "DATE_INVALID"),
        ({"cause": "懒"}, "CAUSE_UNKNOWN"),
        ({"labour_months": "五年"}, "LABOUR_INVALID"),
        ({"labour_months": "721"}, "LABOUR_INVALID"),
        ({"labour_months": "-1"}, "LABOUR_INVALID"),
        ({"wage": "-0.01"}, "AMOUNT_INVALID"),
        ({"wage": "1.005"}, "AMOUNT_INVALID"),
        ({"medical": "三万"}, "AMOUNT_INVALID"),
        ({"medical": "NaN"}, "AMOUNT_INVALID"),
        ({"medical": "10000000.01"}, "AMOUNT_INVALID"),
    ],
)
def test_each_fault_stands_at_its_row_and_stops_the_household(zhao, codes_of, change, code):
    first, second = codes_of(row(**change), other(file_key=change.get("file_key", "H-001")))
    assert code in first
    assert set(second) & {"FILE_FAULTY", "FILE_MISSING"}
    assert not HardshipFile.objects.exists()


def test_a_household_has_one_applicant(zhao, codes_of):
    assert codes_of(row(kin="户主")) == [["KIN_UNKNOWN", "APPLICANT_MISSING"]]
    assert codes_of(other()) == [["APPLICANT_MISSING"]]
    assert codes_of(row(), other(kin="本人", applied_on="2025-03-02", cause="因病", labour_months="1")) == [
        ["FILE_FAULTY"], ["APPLICANT_TWICE"]
    ]  # fmt: skip
    assert codes_of(row(), other(), other(file_key="H-002"))[2] == ["DUPLICATE_IN_SHEET", "APPLICANT_MISSING"]


def test_one_faulty_household_does_not_stop_another(tree, zhao, codes_of):
    member(tree.enterprise, "周五", number(9))
    zhou = {"file_key": "H-002", "name": "周五", "number": number(9)}
    assert codes_of(row(wage="x"), other(), row(**zhou)) == [["AMOUNT_INVALID"], ["FILE_FAULTY"], []]
    assert HardshipFile.objects.get().number == "H-002"


def test_nobody_is_imported_twice(zhao, codes_of):
    codes_of(row(), other())
    assert codes_of(row(file_key="H-009"), other(file_key="H-009")) == [["IN_OPEN_FILE"]] * 2
    assert codes_of(row(), other()) == [["FILE_TAKEN", "IN_OPEN_FILE"]] * 2
    assert HardshipCase.objects.count() == 1


def test_the_border_holds_and_trying_numbers_is_seen(tree, zhao, neighbour, codes_of):
    assert codes_of(row(), by=neighbour) == [["NOT_A_MEMBER"]]
    household(tree.enterprise, membership=zhao, people=[own()], expenses=[])
    member(tree.neighbour_enterprise, "孙一", number(9))
    sun = row(name="孙一", number=number(9))
    taken = row(kin="子女", number=ZHAO)
    assert codes_of(sun, taken, by=neighbour) == [["FILE_FAULTY"], ["IN_OPEN_FILE"]]
    event = AuditEvent.objects.get(verb="members.meet_elsewhere")
    assert event.changes == {"people": [None, 1]}


def test_what_was_entered_meanwhile_is_refused_when_it_is_stored(tree, zhao, enterprise, tmp_path):
    batch = ImportBatch.objects.create(
        kind="hardship", file_name="旧档.csv", sha256="0" * 64, union=tree.enterprise, created_by=enterprise,
        committed_by=enterprise,
    )  # fmt: skip
    imports.read(batch, write(tmp_path, [row(), other()], HEADERS, "旧档.csv"))
    household(tree.enterprise, membership=zhao, people=[own()], expenses=[])
    batch.state = "committing"
    batch.save()
    imports.commit(batch)
    batch.refresh_from_db()
    assert batch.counts == {"outcomes": {"ok": 0, "warning": 0, "duplicate": 0, "error": 2}, "codes": {"REFUSED": 2}}
    assert HardshipCase.objects.count() == 1


def test_rows_alone_bar_an_erasure_too(zhao, codes_of, enterprise, tree, tmp_path):
    batch = ImportBatch.objects.create(
        kind="hardship", file_name="旧档.csv", sha256="0" * 64, union=tree.enterprise, created_by=enterprise
    )
    imports.read(batch, write(tmp_path, [row()], HEADERS, "旧档.csv"))
    with translation.override("en"):
        bars = erasure.why_not(zhao.person, "REQUEST")
        assert "An uploaded sheet of hardship files names this person: its rows are deleted after their period." in bars
        imports.clear(batch)
        assert not [bar for bar in erasure.why_not(zhao.person, "REQUEST") if "hardship" in bar]


def test_too_many_households_are_refused(zhao, codes_of):
    Setting.objects.filter(key="hardship_import_most_files").update(value="1")
    with pytest.raises(SheetRefused):
        codes_of(row(), row(file_key="H-002"))
    assert not StagedHousehold.objects.exists()


def test_the_preview_shows_masks_and_what_to_do(zhao, enterprise, client_of, tree, tmp_path):
    batch = ImportBatch.objects.create(
        kind="hardship", file_name="旧档.csv", sha256="0" * 64, union=tree.enterprise, created_by=enterprise
    )
    imports.read(batch, write(tmp_path, [row(), other(number="12345", wage="很多")], HEADERS, "旧档.csv"))
    page = client_of(enterprise).get(reverse("import_page", args=[batch.pk])).content.decode()
    for shown in ("H-001", "2104**********0017", "36000.50", "很多", "*****"):
        assert shown in page
    assert ZHAO not in page
    assert str(SENTENCES["AMOUNT_INVALID"]) in page
    listed = client_of(enterprise).get(reverse("hardship_list")).content.decode()
    assert reverse("import_new", args=["hardship"]) in listed

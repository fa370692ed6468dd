"""What becomes of each row of a register: the sample, every code, who is met in file and store, what is stored."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import openpyxl
import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as few
from hypothesis import strategies as st

from core import imports
from core.models import AuditEvent, ImportBatch
from core.models.imports import BatchState, Outcome
from members import actions, merging, staging
from members.imports import OUTCOMES, SENTENCES, MemberImport, masked
from members.models import Membership, MembershipState, NameSuffix, Person, StagedMember
from members.pinyin import suffixes
from tests.members.people import PHONE, QIAN, ZHAO, member, number
from tests.members.registers import HEADERS, import_, row, undone, write
from unions.models import Union

DATA = Path(__file__).parent.parent / "data"
REGISTER = DATA / "member_register.xlsx"
EXPECTED = json.loads((DATA / "member_register.expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def codes_of(tree, root, tmp_path):
    """Import rows as the superuser; returns the codes of each."""

    def codes_of(*rows, commit=True, by=root, headers=HEADERS):
        return import_(tmp_path, rows, by=by, commit=commit, headers=headers)

    return codes_of


# --- The sample, through the commands ------------------------------------------------------------------------------


def command(name, path, out, *options):
    call_command(name, str(path), "--as", "root", "--json", str(out), *options)
    return json.loads(out.read_text(encoding="utf-8"))


def test_the_sample_has_the_expected_outcomes_and_a_second_import_changes_nothing(root, tmp_path):
    unions = command("import_unions", DATA / "unions.csv", tmp_path / "u.json", "--commit")
    assert unions["summary"] == {"ok": 399, "warning": 1, "duplicate": 0, "error": 0}
    preview = command("import_members", REGISTER, tmp_path / "p.json")
    assert (preview["rows"], preview["summary"]) == (EXPECTED["rows"], EXPECTED["summary"])
    assert Membership.objects.count() == ImportBatch.objects.filter(kind="members").count() == 0
    first = command("import_members", REGISTER, tmp_path / "m.json", "--commit")
    assert first == preview
    assert Membership.objects.count() == EXPECTED["summary"]["ok"] + EXPECTED["summary"]["warning"]
    again = command("import_members", REGISTER, tmp_path / "m2.json", "--commit")
    for before, after in zip(first["rows"], again["rows"], strict=True):
        if before["outcome"] == "error":
            assert after == before
        else:
            assert after["outcome"] == "duplicate"
            assert after["codes"][-1] == "ALREADY_MEMBER"
    assert Membership.objects.count() == EXPECTED["summary"]["ok"] + EXPECTED["summary"]["warning"]
    again = command("import_unions", DATA / "unions.csv", tmp_path / "u2.json", "--commit")
    assert {code for each in again["rows"] for code in each["codes"]} == {"UNCHANGED", "TERM_UNKNOWN"}


def test_without_commit_nothing_is_written(tree, root, tmp_path, django_assert_num_queries):
    path = write(tmp_path, [row()])
    with django_assert_num_queries(2):  # the unions, and the people of the chunk
        imports.run_file("members", path, by=root, commit_it=False)


@pytest.mark.parametrize(
    "arguments", [["--as", "ghost"], ["--as", "auditor"], ["--as", "root", "--json", "/no/o.json"]]
)
def test_a_command_that_cannot_begin_says_one_sentence(tree, root, auditor, tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        call_command("import_members", str(write(tmp_path, [row()])), *arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["none.xlsx", "old.xls", "empty.csv"])
@pytest.mark.parametrize("option", [[], ["--commit"]])
def test_a_command_whose_file_cannot_be_read_says_one_sentence(tree, root, tmp_path, capsys, name, option):
    if name != "none.xlsx":
        (tmp_path / name).touch()
    with pytest.raises(SystemExit) as stop:
        call_command("import_members", str(tmp_path / name), "--as", "root", *option)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert ImportBatch.objects.count() == 0


def test_a_commit_that_finds_no_header_leaves_nothing(tree, root, tmp_path):
    with pytest.raises(SystemExit):
        call_command("import_members", str(write(tmp_path, [], headers=["a"])), "--as", "root", "--commit")
    assert ImportBatch.objects.count() == StagedMember.objects.count() == 0


# --- Codes of the row alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, []),
        ({"name": " \u3000"}, ["NAME_MISSING"]),
        ({"name": "12345"}, ["NAME_INVALID"]),
        ({"name": '=HYPERLINK("http://x")'}, ["NAME_INVALID"]),
        ({"id_number": " "}, ["ID_MISSING"]),
        ({"id_number": "2.20100197605065E+17"}, ["ID_DAMAGED_BY_EXCEL"]),
        ({"id_number": "2.2e17"}, ["ID_DAMAGED_BY_EXCEL"]),
        ({"id_number": "220100198804126000"}, ["ID_DAMAGED_BY_EXCEL"]),
        ({"id_number": "999999999999999000"}, ["ID_DAMAGED_BY_EXCEL"]),  # before the province is looked at
        ({"id_number": "210100770712089"}, ["ID_LENGTH"]),
        ({"id_number": "210400-19850307001"}, ["ID_CHARACTERS"]),
        ({"id_number": "990400198503070017"}, ["ID_PROVINCE"]),
        ({"id_number": "210400198502300017"}, ["ID_BIRTHDATE"]),
        ({"id_number": "210400198503070018"}, ["ID_CHECKSUM"]),
        ({"id_number": "'" + ZHAO}, []),
        ({"id_number": "２１０４００１９８５０３０７００１７"}, []),
        ({"phone": ""}, []),
        ({"phone": "134832043"}, ["PHONE_INVALID"]),
        ({"union": ""}, ["UNION_MISSING"]),
        ({"union": "Z99999"}, ["UNION_UNKNOWN"]),
        ({"union": " Ｔ0101001 "}, []),
        ({"joined_on": ""}, ["JOINED_ON_MISSING"]),
        ({"joined_on": "2019-13-40"}, ["JOINED_ON_INVALID"]),
        ({"joined_on": "2099-01-01"}, ["JOINED_ON_FUTURE"]),
        ({"employment": ""}, []),
        ({"employment": "货车 司机"}, []),
        ({"employment": "不清楚啥工种"}, ["EMPLOYMENT_UNKNOWN"]),
        (
            {"name": "1", "id_number": "1", "phone": "1", "union": "", "joined_on": "1", "employment": "1"},
            ["NAME_INVALID", "ID_LENGTH", "PHONE_INVALID", "UNION_MISSING", "JOINED_ON_INVALID", "EMPLOYMENT_UNKNOWN"],
        ),
    ],
)
def test_a_code_of_the_row_alone(codes_of, changed, codes):
    assert codes_of(row(**changed), commit=False) == [codes]


@pytest.mark.parametrize(
    ("sex", "document", "codes"),
    [
        ("", "", []),
        ("男", "居民身份证", []),
        ("男 ", "港澳台居民居住证", []),
        ("女", "", ["SEX_MISMATCH"]),
        ("未知", "", []),
        ("", "护照", ["DOCUMENT_NOT_SUPPORTED"]),
        ("女", "护照", ["SEX_MISMATCH", "DOCUMENT_NOT_SUPPORTED"]),
    ],
)
def test_sex_and_document(codes_of, sex, document, codes):
    headers = ("姓名", "身份证号", "工会编码", "入会时间", "性别", "证件类型")
    assert codes_of(("张三", ZHAO, "T0101001", "2019/3/5", sex, document), commit=False, headers=headers) == [codes]


def test_number_cells_are_damaged_identities_but_sound_phones_and_dates(tree, root, tmp_path):
    book = openpyxl.Workbook()
    union = Union.objects.get(code="T0101001")
    union.code = "40020"
    union.save()
    for cells in (
        HEADERS,
        ["张三", 210400198503070017, "T0101", PHONE, "2019-03-05", ""],
        ["张三", ZHAO, 40020, int(PHONE), date(2019, 3, 5), ""],
        ["李四", 350100820914135, 40020, "", 20190305, ""],
    ):
        book.active.append(list(cells))
    path = tmp_path / "a.xlsx"
    book.save(path)
    found, _counts = imports.run_file("members", path, by=root, commit_it=True)
    assert [codes for _row, _outcome, codes in found] == [["ID_DAMAGED_BY_EXCEL"], [], ["ID_DAMAGED_BY_EXCEL"]]
    membership = Membership.objects.get()
    assert (membership.union, membership.joined_on) == (union, date(2019, 3, 5))
    assert membership.person.phone == PHONE


def test_every_code_has_its_outcome_and_its_sentence():
    assert list(OUTCOMES) == [code for code in OUTCOMES if code in SENTENCES]
    assert set(SENTENCES) == set(OUTCOMES)
    assert MemberImport.grave(["UPDATED", "PHONE_INVALID"]) == Outcome.WARNING
    assert MemberImport.grave(["PHONE_INVALID", "ALREADY_MEMBER"]) == Outcome.DUPLICATE
    assert MemberImport.grave(["ALREADY_MEMBER", "JOINED_ON_INVALID"]) == Outcome.ERROR


# --- What is stored ------------------------------------------------------------------------------------------------


def test_a_new_member_is_stored_whole_and_sealed(codes_of, tree):
    headers = (*HEADERS, "民族", "是否农民工", "部门", "岗位", "会员证号", "备注")
    assert codes_of(
        (*row("欧阳 娜娜", QIAN, employment="快递员"), "满族", "是", "二车间", "钳工", "0042", "老会员"),
        headers=headers,
    ) == [[]]
    person = Person.objects.get()
    assert (person.name, person.id_number, person.phone) == ("欧阳娜娜", QIAN, PHONE)
    assert (person.id_masked, person.phone_masked) == ("2104**********0029", "138****1234")
    assert (person.sex, person.born_on, person.ethnicity) == ("F", date(1992, 2, 29), "满族")
    assert person.document_kind == "RESIDENT_ID"
    [membership] = person.memberships.all()
    assert (membership.union, membership.state, membership.joined_on) == (tree.enterprise, "ACTIVE", date(2019, 3, 5))
    assert (membership.employment, membership.occupation_group) == ("PLATFORM", "COURIER")
    assert membership.migrant_worker is True
    facts = (membership.department, membership.post, membership.card_no, membership.notes)
    assert facts == ("二车间", "钳工", "0042", "老会员")
    assert membership.batch.state == BatchState.COMMITTED


def test_a_doubtful_field_is_left_empty_or_safe(codes_of):
    assert codes_of(row(phone="134832043", joined_on="", employment="不清楚")) == [
        ["PHONE_INVALID", "JOINED_ON_MISSING", "EMPLOYMENT_UNKNOWN"]
    ]
    membership = Membership.objects.get()
    assert (membership.person.phone, membership.person.phone_index) == ("", "")
    assert (membership.joined_on, membership.employment) == (None, "OTHER")


def test_a_residence_permit_is_known_by_its_number(codes_of):
    assert codes_of(row(id_number="810000198902022012")) == [[]]
    assert Person.objects.get().document_kind == "HMT_RESIDENCE"


def test_rare_names_are_stored(codes_of):
    assert codes_of(row("䶮𬭎", number(1)), row("阿依古丽.买买提", number(2)), row("张〇", number(3))) == [[], [], []]
    assert sorted(Person.objects.values_list("name", flat=True)) == sorted(["䶮𬭎", "阿依古丽·买买提", "张〇"])


def test_names_of_any_length_are_stored_with_what_lies_within_them(codes_of):
    names = ["阿" * 40, "伊", "〇", "𠮷野𬭎", "买买提·艾力·吐尔逊", "Anna Maria Li", "王五"]
    rows = [row(name, number(place)) for place, name in enumerate(names, start=1)]
    assert codes_of(*rows) == [[]] * len(names)
    assert sorted(Person.objects.values_list("name", flat=True)) == sorted(names)
    stored = sorted(NameSuffix.objects.values_list("person__name", "text"))
    assert stored == sorted((name, text) for name in names for text in suffixes(name))
    rows = [row(name, number(place), phone=PHONE) for place, name in enumerate([*names, "王小五"], start=1)]
    assert codes_of(*rows)[-1] == []  # of the new name only: people known already have theirs
    assert NameSuffix.objects.count() == len(stored) + 1


def test_the_commit_is_one_event_with_the_sum_of_the_file_and_the_counts(codes_of, root, tmp_path):
    codes_of(row(), row("李四", "1"))
    batch = ImportBatch.objects.get()
    event = AuditEvent.objects.get(verb="members.import_membership")
    assert event.actor_id == root.pk
    assert event.changes == {
        "sha256": [None, batch.sha256],
        "outcomes": [None, {"ok": 1, "warning": 0, "duplicate": 0, "error": 1}],
        "codes": [None, {"ID_LENGTH": 1}],
    }
    assert batch.sha256 == imports.digest(tmp_path / "名册.csv")


def test_staging_holds_no_number_in_clear(codes_of, tree):
    """Numbers in the right columns, in wrong ones, in broken rows and among the remarks."""
    headers = (*HEADERS, "备注", "证件类型", "部门")
    member(tree.enterprise, id_number=QIAN, name="钱红", phone="13700001111")
    codes_of(
        (*row("张三", ZHAO), f"电话{PHONE}", "", ""),
        (*row(ZHAO, "张三", joined_on=ZHAO, employment=PHONE, phone=ZHAO, union=ZHAO), "", ZHAO, ""),
        (*row("李四", ZHAO[:17], phone="1380013123"), ZHAO, "", f"{ZHAO[:17]}"),
        (*row("钱红", QIAN, joined_on=""), "", "", ""),
        headers=headers,
    )
    with connection.cursor() as cursor:
        for table in (StagedMember._meta.db_table, Membership._meta.db_table, Person._meta.db_table):
            cursor.execute(f"SELECT * FROM {table}")
            text = str(cursor.fetchall())
            for secret in (ZHAO, ZHAO[:17], QIAN, PHONE, "1380013123", "13700001111"):
                assert secret not in text, (table, secret)


def test_logs_hold_no_personal_data(codes_of, caplog):
    with caplog.at_level("DEBUG"):
        codes_of(row("赵建国", ZHAO), row("赵建国", ZHAO), row("李四", "1" * 18))
    told = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert "赵建国" not in told
    assert ZHAO not in told


@pytest.mark.parametrize(
    ("text", "shown"),
    [("编号12345678", "编号12345678"), (f"电话{PHONE}。", "电话138********。"), (ZHAO[:17] + "X", "210" + "*" * 15)],
)
def test_a_long_number_in_a_text_is_masked(text, shown):
    assert masked(text) == shown


# --- Rows that meet other rows and stored people -------------------------------------------------------------------


def test_rows_of_one_file_meet_in_their_order(codes_of):
    assert codes_of(
        row(),
        row(phone="13900000000"),
        row("张 三"),
        row("李四"),
        row(union="T0101002"),
        row("王五", union="T0101002"),
    ) == [
        [],
        ["DUPLICATE_IN_FILE"],
        ["DUPLICATE_IN_FILE"],
        ["ID_USED_BY_ANOTHER_NAME"],
        ["ACTIVE_ELSEWHERE"],
        ["ID_USED_BY_ANOTHER_NAME"],
    ]
    assert Membership.objects.count() == 1
    assert Person.objects.get().phone == PHONE


def test_a_row_that_is_not_stored_stands_in_nobodys_way(codes_of):
    assert codes_of(row("李四", joined_on="x"), row("张三"), row("张三", joined_on="x")) == [
        ["JOINED_ON_INVALID"],
        [],
        ["JOINED_ON_INVALID", "DUPLICATE_IN_FILE"],
    ]


def test_a_second_import_says_already_member_to_duplicates_too(codes_of):
    rows = [row(), row(phone="13900000000"), row("李四"), row(union="T0101002"), row("赵六", number(9), joined_on="")]
    codes_of(*rows)
    assert codes_of(*rows) == [
        ["ALREADY_MEMBER"],
        ["ALREADY_MEMBER"],
        ["ID_USED_BY_ANOTHER_NAME"],
        ["ACTIVE_ELSEWHERE"],
        ["JOINED_ON_MISSING", "ALREADY_MEMBER"],
    ]


def test_a_changed_field_is_an_update_shown_old_and_new(codes_of, tree):
    codes_of(row())
    version = Membership.objects.get().version
    assert codes_of(row(phone="13900001111", joined_on="2020-01-02", employment="派遣")) == [["UPDATED"]]
    staged = StagedMember.objects.order_by("pk").last()
    assert staged.changes == {
        "phone": ["138****1234", "139****1111"],
        "joined_on": ["2019-03-05", "2020-01-02"],
        "employment": ["CONTRACT", "DISPATCH"],
    }
    membership = Membership.objects.get()
    assert (membership.person.phone, membership.joined_on, membership.employment) == (
        "13900001111", date(2020, 1, 2), "DISPATCH",
    )  # fmt: skip
    assert membership.version == version + 1
    assert membership.person.id_number == number(1)


def test_an_empty_or_doubtful_cell_erases_nothing(codes_of):
    codes_of(row(employment="快递员"))
    assert codes_of(row(phone="", joined_on="", employment=""), row("李四", number(2))) == [
        ["JOINED_ON_MISSING", "ALREADY_MEMBER"],
        [],
    ]
    assert codes_of(row(phone="1", employment="说不清")) == [["PHONE_INVALID", "EMPLOYMENT_UNKNOWN", "ALREADY_MEMBER"]]
    membership = Membership.objects.get(person__name="张三")
    assert (membership.person.phone, membership.employment, membership.occupation_group) == (
        PHONE,
        "PLATFORM",
        "COURIER",
    )


def test_an_update_takes_the_group_of_the_eight_away_again(codes_of):
    codes_of(row(employment="快递员"))
    assert codes_of(row(employment="劳动合同")) == [["UPDATED"]]
    membership = Membership.objects.get()
    assert (membership.employment, membership.occupation_group) == ("CONTRACT", "")


def end(membership, state):
    membership.state = state
    membership.ended_on = None if state == MembershipState.RETAINED else date(2024, 1, 1)
    membership.save()


def test_a_retained_membership_is_restored(codes_of):
    codes_of(row())
    end(Membership.objects.get(), MembershipState.RETAINED)
    assert codes_of(row()) == [["UPDATED"]]
    assert Membership.objects.get().state == MembershipState.ACTIVE
    assert codes_of(row()) == [["ALREADY_MEMBER"]]


@pytest.mark.parametrize("state", [MembershipState.WITHDRAWN, MembershipState.EXPELLED])
def test_who_left_here_joins_again_with_a_warning(codes_of, state):
    codes_of(row())
    end(Membership.objects.get(), state)
    assert codes_of(row(union="T0101002", joined_on="")) == [["JOINED_ON_MISSING"]]
    end(Membership.objects.get(union__code="T0101002"), MembershipState.TRANSFERRED)
    assert codes_of(row(phone="13900001111")) == [["REJOIN"]]
    assert sorted(Membership.objects.values_list("state", flat=True)) == sorted(["ACTIVE", state, "TRANSFERRED"])
    assert Person.objects.get().phone == "13900001111"


def test_a_retained_member_elsewhere_needs_a_transfer(codes_of):
    codes_of(row())
    end(Membership.objects.get(), MembershipState.RETAINED)
    assert codes_of(row(union="T0101002")) == [["ACTIVE_ELSEWHERE"]]


@pytest.mark.parametrize("by_person", [True, False])
def test_the_dead_are_not_enrolled(codes_of, by_person):
    codes_of(row())
    membership = Membership.objects.get()
    if by_person:
        Person.objects.update(deceased_on=date(2024, 1, 1))
    else:
        end(membership, MembershipState.DECEASED)
    assert codes_of(row()) == [["MEMBER_DECEASED"]]


def test_a_stored_person_of_another_name(codes_of, tree):
    member(tree.neighbour_enterprise, name="赵建国", id_number=number(1))
    assert codes_of(row("张三")) == [["ID_USED_BY_ANOTHER_NAME"]]
    assert codes_of(row("赵建国")) == [["ACTIVE_ELSEWHERE"]]


def test_who_was_entered_by_hand_is_already_a_member(codes_of, tree):
    member(
        tree.enterprise,
        name="张三",
        id_number=number(1),
        joined_on=date(2019, 3, 5),
        employment="CONTRACT",
        phone=PHONE,
    )
    assert codes_of(row()) == [["ALREADY_MEMBER"]]


# --- Scope ---------------------------------------------------------------------------------------------------------


def test_rows_outside_the_users_part_of_the_tree(codes_of, district, neighbour):
    assert codes_of(row(), row("李四", number(2), "T0201001"), row("王五", number(3), "T00"), by=district) == [
        [],
        ["UNION_OUT_OF_SCOPE"],
        ["UNION_OUT_OF_SCOPE"],
    ]
    assert [str(union) for union in Union.objects.filter(memberships__isnull=False)] == ["云河恒达机械有限公司工会"]
    assert codes_of(row(), row("李四", number(2), "T0201001"), by=neighbour) == [["UNION_OUT_OF_SCOPE"], []]


def test_a_foreign_union_tells_nothing_about_its_members(codes_of, tree, neighbour):
    member(tree.enterprise, name="张三", id_number=number(1))
    assert codes_of(row(), row("李四", number(2)), by=neighbour) == [["UNION_OUT_OF_SCOPE"], ["UNION_OUT_OF_SCOPE"]]


# --- Between preview and commit ------------------------------------------------------------------------------------


@pytest.fixture
def preview(tree, root, tmp_path):
    """Read rows into a batch that waits for its commit."""

    def preview(*rows, by=root):
        path = write(tmp_path, rows)
        batch = ImportBatch.objects.create(
            kind="members", file_name=path.name, sha256=imports.digest(path), created_by=by, committed_by=by
        )
        imports.read(batch, path)
        return batch

    return preview


def commit(batch):
    assert imports.ask_commit(batch, by=batch.created_by)
    batch.refresh_from_db()
    imports.commit(batch)
    batch.refresh_from_db()
    return [staged.codes for staged in StagedMember.objects.filter(batch=batch).order_by("row")]


def test_two_batches_of_the_same_people_double_nothing(preview):
    rows = [row(), row(), row("李四", number(2)), row("王五", number(2)), row("赵六", "x")]
    first, second = preview(*rows), preview(*rows)
    assert commit(first) == [[], ["DUPLICATE_IN_FILE"], [], ["ID_USED_BY_ANOTHER_NAME"], ["ID_LENGTH"]]
    assert commit(second) == [
        ["ALREADY_MEMBER"],
        ["ALREADY_MEMBER"],
        ["ALREADY_MEMBER"],
        ["ID_USED_BY_ANOTHER_NAME"],
        ["ID_LENGTH"],
    ]
    assert Membership.objects.count() == Person.objects.count() == 2
    assert second.counts["outcomes"] == {"ok": 0, "warning": 0, "duplicate": 3, "error": 2}
    assert second.counts["codes"] == {"ALREADY_MEMBER": 3, "ID_LENGTH": 1, "ID_USED_BY_ANOTHER_NAME": 1}
    assert second.message != ""
    stored = StagedMember.objects.filter(batch=second).exclude(id_number="", phone="")
    assert list(stored) == []


def test_who_was_enrolled_meanwhile_gets_the_proper_code(preview, tree):
    batch = preview(row("张三", number(1)), row("李四", number(2)), row("王五", number(3)), row("赵六", number(4)))
    member(tree.enterprise, name="张三", id_number=number(1), joined_on=date(2019, 3, 5))
    member(tree.sibling, name="李四", id_number=number(2))
    member(tree.sibling, name="别名", id_number=number(3))
    assert commit(batch) == [["UPDATED"], ["ACTIVE_ELSEWHERE"], ["ID_USED_BY_ANOTHER_NAME"], []]
    assert Person.objects.get(name="张三").phone == PHONE  # sealed anew for the person who is stored now
    assert Membership.objects.filter(union=tree.enterprise).count() == 2


def test_who_left_meanwhile_is_enrolled_anew(preview, codes_of):
    codes_of(row())
    batch = preview(row(phone="13900001111"))
    end(Membership.objects.get(), MembershipState.WITHDRAWN)
    assert commit(batch) == [["REJOIN"]]
    assert Membership.objects.open().get().person.phone == "13900001111"


def test_a_corrected_number_meanwhile_makes_the_row_somebody_new(preview, codes_of, root):
    codes_of(row())
    batch = preview(row(phone="13900001111"))
    membership = Membership.objects.get()
    actions.change_membership(
        membership, by=root, version=membership.version, changes={"id_number": number(77)}, reason="抄错了"
    )
    assert commit(batch) == [[]]
    assert sorted(person.id_number for person in Person.objects.all()) == sorted([number(1), number(77)])


def test_the_number_of_a_record_given_up_leads_to_the_one_kept_by_either_name(codes_of, preview, tree, root):
    kept, absorbed = (member(tree.enterprise, "张三", number(1)).person, member(tree.sibling, "张叁", number(2)).person)
    meanwhile = preview(row("张三", number(1), phone="13900003333"), row("张叁", number(2), "T0101002"))
    assert meanwhile.counts["codes"] == {"UPDATED": 2}
    merging.merge(by=root, kept=kept, absorbed=absorbed, choices={}, reason="同一人登记两次")
    rows = row("张叁", number(2)), row("张三", number(2)), row("张三", number(1)), row("李四", number(2))
    assert codes_of(*rows, commit=False) == [
        ["UPDATED"], ["DUPLICATE_IN_FILE"], ["DUPLICATE_IN_FILE"], ["ID_USED_BY_ANOTHER_NAME"],
    ]  # fmt: skip
    assert commit(meanwhile) == [["UPDATED"], ["ACTIVE_ELSEWHERE"]]
    assert Person.objects.count() == 2
    assert Membership.objects.open().get().person.phone == "13900003333"


def test_a_dissolved_union_is_unknown_also_when_it_ends_after_the_preview(codes_of, preview, tree):
    batch = preview(row())
    Union.objects.filter(pk=tree.enterprise.pk).update(dissolved_on=date(2026, 11, 1))
    assert codes_of(row()) == [["UNION_UNKNOWN"]]
    assert commit(batch) == [["UNION_UNKNOWN"]]
    assert Membership.objects.count() == 0


def test_what_was_no_row_to_store_does_not_become_one(preview, codes_of):
    codes_of(row())
    batch = preview(row())
    end(Membership.objects.get(), MembershipState.WITHDRAWN)
    assert commit(batch) == [["ALREADY_MEMBER"]]
    assert Membership.objects.open().count() == 0


def test_a_role_lost_meanwhile_keeps_the_rows_out(preview, district):
    batch = preview(row(), row("李四", number(2), "T0201001"), by=district)
    district.appointments.update(valid_to=date(2025, 1, 1))
    del district._appointments
    assert commit(batch) == [["UNION_OUT_OF_SCOPE"], ["UNION_OUT_OF_SCOPE"]]
    assert Membership.objects.count() == 0


def test_somebody_quicker_during_the_commit_is_met_by_looking_again(preview, tree, monkeypatch):
    """The looks before the insert see nobody, the unique keys do."""
    batch = preview(row("张三", number(1)), row("李四", number(2)))
    member(
        tree.enterprise,
        name="张三",
        id_number=number(1),
        joined_on=date(2019, 3, 5),
        employment="CONTRACT",
        phone=PHONE,
    )
    look, blind_looks = staging.outdated, [[], []]  # the one before the transaction, and the one within
    monkeypatch.setattr(staging, "outdated", lambda *given: blind_looks.pop() if blind_looks else look(*given))
    assert commit(batch) == [["ALREADY_MEMBER"], []]
    assert Membership.objects.count() == 2


def test_a_second_click_on_commit_changes_nothing(preview, root):
    batch = preview(row())
    assert imports.ask_commit(batch, by=root) is True
    assert imports.ask_commit(batch, by=root) is False
    batch.refresh_from_db()
    imports.commit(batch)
    assert imports.ask_commit(batch, by=root) is False
    assert imports.discard(batch, by=root) is False
    assert Membership.objects.count() == 1
    assert AuditEvent.objects.filter(verb="members.import_membership").count() == 1


def test_reading_again_begins_from_the_start(preview, tmp_path):
    batch = preview(row(), row("李四", number(2)))
    ImportBatch.objects.update(state=BatchState.READING)
    batch.refresh_from_db()
    imports.read(batch, tmp_path / "名册.csv")
    assert StagedMember.objects.filter(batch=batch).count() == 2
    assert batch.counts["outcomes"]["ok"] == 2


# --- A slow reference, written once more ---------------------------------------------------------------------------

PEOPLE = [number(place) for place in (1, 2, 3)]


def reference(rows, stored):
    """Return the codes of `rows` after the contract, and the people stored afterwards.

    `stored`: {number: {"name", "union", "phone", "joined_on", "employment"}} of active members.
    """
    told, after, spoken = [], {key: dict(value) for key, value in stored.items()}, {}
    for name, id_number, union, phone, joined_on, employment in rows:
        codes = []
        if not name:
            codes.append("NAME_MISSING")
        if not id_number:
            codes.append("ID_MISSING")
        if phone == "123":
            codes.append("PHONE_INVALID")
        if union == "Z9":
            codes.append("UNION_UNKNOWN")
        if not joined_on:
            codes.append("JOINED_ON_MISSING")
        if joined_on == "x":
            codes.append("JOINED_ON_INVALID")
        if employment == "?":
            codes.append("EMPLOYMENT_UNKNOWN")
        wrong = {"NAME_MISSING", "ID_MISSING", "UNION_UNKNOWN", "JOINED_ON_INVALID"} & set(codes)
        facts = {
            "name": name, "union": union, "phone": "" if phone == "123" else phone,
            "joined_on": "" if joined_on == "x" else joined_on, "employment": "" if employment == "?" else employment,
        }  # fmt: skip
        if name and id_number:
            here, earlier = stored.get(id_number), spoken.get(id_number)
            known = earlier or here
            if known and known["name"] != name:
                codes.append("ID_USED_BY_ANOTHER_NAME")
            elif union == "Z9":
                pass
            elif known and known["union"] != union:
                codes.append("ACTIVE_ELSEWHERE")
            elif earlier:
                codes.append("DUPLICATE_IN_FILE" if earlier["stored"] else "ALREADY_MEMBER")
            elif here:
                news = {key: value for key, value in facts.items() if value and value != here[key]}
                if not news:
                    codes.append("ALREADY_MEMBER")
                elif not wrong:
                    codes.append("UPDATED")
                    after[id_number] |= news
            elif not wrong:
                after[id_number] = facts | {"employment": "其他" if employment == "?" else employment}
            errors = wrong or {"ID_USED_BY_ANOTHER_NAME", "ACTIVE_ELSEWHERE"} & set(codes)
            if not earlier and "ALREADY_MEMBER" in codes:
                spoken[id_number] = {"name": name, "union": union, "stored": False}
            elif not earlier and not errors:
                spoken[id_number] = {"name": name, "union": union, "stored": True}
        told.append(codes)
    return told, after


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["张三", "张三", "李四", ""]),
        st.sampled_from([*PEOPLE, PEOPLE[0], ""]),
        st.sampled_from(["T0101001", "T0101001", "T0201001", "Z9"]),
        st.sampled_from(["", PHONE, "13900001111", "123"]),
        st.sampled_from(["", "2019-03-05", "2020-01-02", "x"]),
        st.sampled_from(["", "劳动合同", "其他", "?"]),
    ),
    max_size=8,
)


def stored_now():
    words = {"CONTRACT": "劳动合同", "OTHER": "其他", "": ""}
    return {
        membership.person.id_number: {
            "name": membership.person.name, "union": membership.union.code, "phone": membership.person.phone,
            "joined_on": membership.joined_on.isoformat() if membership.joined_on else "",
            "employment": words[membership.employment],
        }
        for membership in Membership.objects.select_related("person", "union")
    }  # fmt: skip


@few(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=st.lists(ROWS, min_size=1, max_size=3), chunk=st.sampled_from([1, 3, 2000]))
def test_random_registers_agree_with_the_reference(tree, root, tmp_path, files, chunk):
    with undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "CHUNK", chunk)
        stored = {}
        for rows in files:
            codes, stored = reference(rows, stored)
            assert import_(tmp_path, rows, by=root) == codes
            assert stored_now() == stored
        again = import_(tmp_path, files[-1], by=root)
        assert stored_now() == stored, "a second import of the same file changes nothing"
        for first, second in zip(codes, again, strict=True):
            if MemberImport.grave(first) != Outcome.ERROR:
                assert second[-1] == "ALREADY_MEMBER"


# --- At the same time ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_commits_and_an_enrolment_at_the_same_moment_double_nothing(preview, tree, root):
    rows = [row("张三", number(place)) for place in range(300)]
    batches = [preview(*rows), preview(*reversed(rows))]
    for batch in batches:
        assert imports.ask_commit(batch, by=root)
        batch.refresh_from_db()
    start = threading.Barrier(3)

    def enrol_some():
        refused = 0
        for place in range(0, 300, 7):
            try:
                member(tree.sibling, name="张三", id_number=number(place))
            except ValidationError:
                refused += 1
        return refused

    def at_once(work):
        try:
            start.wait(10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        works = [partial(imports.commit, batch) for batch in batches] + [enrol_some]
        outcomes = [future.result(60) for future in [pool.submit(at_once, work) for work in works]]
    by_hand = 43 - outcomes[2]
    assert Membership.objects.count() == Person.objects.count() == 300
    assert Membership.objects.filter(union=tree.sibling).count() == by_hand
    told = [imports.Tally(ImportBatch.objects.get(pk=batch.pk).counts).codes for batch in batches]
    stored = [300 - codes["ALREADY_MEMBER"] - codes["ACTIVE_ELSEWHERE"] - codes["UPDATED"] for codes in told]
    assert sum(stored) == 300 - by_hand
    assert [Membership.objects.filter(batch=batch).count() for batch in batches] == stored

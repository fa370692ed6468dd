"""What becomes of each row of a union sheet: parents in any order, every code, elections, scope, and what is stored."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as few
from hypothesis import strategies as st

from core import imports
from core.models import AuditEvent, Deadline, ImportBatch
from core.models.deadline import DeadlineState
from core.models.imports import Outcome
from tests.core.test_uscc import codes as credit_codes
from tests.members.registers import import_, undone, write
from unions import actions, duties, offices
from unions.imports import KINDS, OUTCOMES, RELATED, SENTENCES, UnionImport
from unions.models import Committee, Position, Union, UnionKind, UnionPlacement
from unions.tree import path_of

HEADERS = (
    "工会编码", "上级工会编码", "工会名称", "组织类型", "统一社会信用代码",
    "职工人数", "成立日期", "任期年限", "最近换届日期",
)  # fmt: skip
USCC = "81210400MC00000129"
OTHER_USCC = "81210400MC00000204"


def row(
    code="N1", parent="N0", name="云河新工会", kind="企业工会", uscc="", employees="", founded="", years="5", elected=""
):
    """One row in the order of HEADERS."""
    return (code, parent, name, kind, uscc, employees, founded, years, elected)


ROOT = row("N0", "", "云河市总工会", "CITY_FED")
SILENT = {"USCC_MISSING", "TERM_UNKNOWN"}  # warnings of the shortest row


@pytest.fixture
def codes_of(root, tmp_path):
    """Import union rows as the superuser; returns the codes of each, the warnings of a short row left out."""

    def codes_of(*rows, commit=True, by=root, headers=HEADERS):
        found = import_(tmp_path, rows, by=by, commit=commit, headers=headers, key="unions")
        return [[code for code in codes if code not in SILENT] for codes in found]

    return codes_of


# --- An empty tree -------------------------------------------------------------------------------------------------


def test_a_federation_begins_with_an_import(codes_of, root):
    elected = date(2023, 5, 20)
    rows = [
        row(
            "N11",
            "N1",
            "二级",
            "街道工会",
            elected="2023/5/20",
            years="3年",
            founded="2001年2月3日",
            employees="1,234人",
        ),
        row("N1", "N0", "一级", "区总工会", USCC),
        ROOT,
    ]
    assert codes_of(*rows) == [[], [], []]
    top, middle, leaf = Union.objects.order_by("path")
    assert [union.code for union in (top, middle, leaf)] == ["N0", "N1", "N11"]
    assert (middle.parent, leaf.parent) == (top, middle)
    assert leaf.path == path_of(leaf.pk, path_of(middle.pk, path_of(top.pk)))
    assert (leaf.kind, leaf.employees, leaf.founded_on, leaf.term_years) == ("STREET", 1234, date(2001, 2, 3), 3)
    assert (middle.uscc, leaf.uscc) == (USCC, None)
    [committee] = Committee.objects.all()
    assert (committee.union, committee.number, committee.elected_on) == (leaf, 1, elected)
    assert (committee.term_years, committee.term_ends_on) == (3, date(2026, 5, 20))
    [deadline] = Deadline.objects.all()
    assert (deadline.subject_id, deadline.union, deadline.natural) == (committee.pk, leaf, date(2026, 5, 20))
    placements = UnionPlacement.objects.order_by("union__path")
    assert [(each.parent, each.valid_to) for each in placements] == [(None, None), (top, None), (middle, None)]
    assert placements[2].valid_from == date(2001, 2, 3)
    [batch] = ImportBatch.objects.all()
    assert batch.union == top
    event = AuditEvent.objects.get(verb="unions.import_union")
    assert event.changes["sha256"] == [None, batch.sha256]
    assert event.changes["outcomes"] == [None, {"ok": 0, "warning": 3, "duplicate": 0, "error": 0}]
    assert codes_of(*rows) == [["UNCHANGED"], ["UNCHANGED"], ["UNCHANGED"]]
    assert Union.objects.count() == 3


def test_the_tree_so_made_goes_on_by_the_ordinary_actions(codes_of, root):
    codes_of(ROOT)
    union = actions.found_union(by=root, parent=Union.objects.get(), code="N9", name="新", kind=UnionKind.ENTERPRISE)
    assert union.parent.code == "N0"


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, []),
        ({"code": " "}, ["CODE_MISSING"]),
        ({"code": "x" * 41}, ["CODE_MISSING"]),
        ({"parent": "N9"}, ["PARENT_UNKNOWN"]),
        ({"parent": "N1"}, ["CYCLE"]),
        ({"parent": ""}, ["SECOND_ROOT"]),
        ({"name": "\u3000"}, ["NAME_MISSING"]),
        ({"name": "名" * 101}, ["NAME_MISSING"]),
        ({"kind": ""}, ["KIND_UNKNOWN"]),
        ({"kind": "俱乐部"}, ["KIND_UNKNOWN"]),
        ({"uscc": "81210400MC0000012A"}, ["USCC_INVALID"]),
        ({"founded": "很久以前"}, ["DATE_INVALID"]),
        ({"elected": "2023-02-30"}, ["DATE_INVALID"]),
        ({"elected": "x", "founded": "x"}, ["DATE_INVALID"]),
        ({"elected": (date.today() + timedelta(days=3)).isoformat()}, ["DATE_INVALID"]),
        ({"years": "4"}, ["TERM_INVALID"]),
        ({"years": ""}, ["TERM_INVALID"]),
        ({"years": "3"}, []),
        ({"years": "三年"}, []),
        ({"years": "3", "kind": "DISTRICT_FED"}, ["TERM_INVALID"]),
        ({"years": "3", "kind": "产业工会"}, ["TERM_INVALID"]),
        ({"years": "3", "kind": "区域性工会联合会"}, []),
        ({"years": "3", "kind": "INDUSTRY_FED"}, []),
        ({"name": "", "kind": "", "uscc": "1", "elected": "x", "years": "x", "parent": "N9"}, [
            "PARENT_UNKNOWN", "NAME_MISSING", "KIND_UNKNOWN", "USCC_INVALID", "DATE_INVALID", "TERM_INVALID",
        ]),
    ],
)  # fmt: skip
def test_a_code_of_one_row(codes_of, changed, codes):
    assert codes_of(ROOT, row(**changed), commit=False) == [[], codes]


def test_what_is_missing_is_a_warning(root, tmp_path):
    full = row(uscc=USCC, elected="2023-05-20")
    assert import_(tmp_path, [ROOT, row(), full], by=root, headers=HEADERS, key="unions", commit=False) == [
        ["USCC_MISSING", "TERM_UNKNOWN"],
        ["USCC_MISSING", "TERM_UNKNOWN"],
        ["CODE_DUPLICATE"],
    ]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("村工会", "VILLAGE"), ("社区工会", "COMMUNITY"), ("区总工会", "DISTRICT_FED"), ("县总工会", "DISTRICT_FED"),
        ("镇工会", "TOWNSHIP"), ("市总工会", "CITY_FED"), ("县（市、区）总工会", "DISTRICT_FED"),
        ("村(社区)工会", "COMMUNITY"), ("村（社区）工会", "COMMUNITY"), ("开发区（产业园区）工会", "PARK"),
        ("开发区(工业园区)工会", "PARK"), ("enterprise", "ENTERPRISE"), (" 企业 工会", "ENTERPRISE"),
        ("行业性工会联合会", "INDUSTRY_FED"), ("联合基层工会", "JOINT"), ("工会工作委员会", "WORK_COMMITTEE"),
    ],
)  # fmt: skip
def test_a_kind_in_chinese_or_as_code(codes_of, written, kind):
    assert codes_of(ROOT, row(kind=written))[1] == []
    assert Union.objects.get(code="N1").kind == kind


def test_every_kind_can_be_written_by_its_code():
    assert {KINDS[kind.value] for kind in UnionKind} == set(UnionKind)


def test_every_code_has_its_outcome_and_its_sentence():
    assert set(OUTCOMES) == set(SENTENCES)
    assert set(OUTCOMES) >= RELATED
    assert UnionImport.grave(["USCC_MISSING", "UNCHANGED"]) == Outcome.DUPLICATE
    assert UnionImport.grave(["USCC_MISSING", "UPDATED"]) == Outcome.WARNING


# --- Rows beside one another ---------------------------------------------------------------------------------------


def test_an_error_in_a_parent_makes_its_children_unknown(codes_of):
    assert codes_of(row("N3", "N2"), row("N2", "N1"), row("N1", "N0", name=""), ROOT, row("N4", "N0")) == [
        ["PARENT_UNKNOWN"],
        ["PARENT_UNKNOWN"],
        ["NAME_MISSING"],
        [],
        [],
    ]
    assert sorted(Union.objects.values_list("code", flat=True)) == ["N0", "N4"]


def test_a_circle_and_what_hangs_below_it(codes_of):
    rows = [row("N1", "N3"), row("N2", "N1"), row("N3", "N2"), row("N4", "N3"), row("N5", "N4"), row("N6", "N6"), ROOT]
    assert codes_of(*rows) == [["CYCLE"]] * 3 + [["PARENT_UNKNOWN"]] * 2 + [["CYCLE"], []]


def test_the_second_of_two_rows_with_one_code(codes_of):
    assert codes_of(ROOT, row(uscc=USCC), row(name="另一个", uscc=USCC), row("N2", "N1")) == [
        [],
        [],
        ["CODE_DUPLICATE"],
        [],
    ]
    assert Union.objects.get(code="N1").name == "云河新工会"


def test_the_second_of_two_unions_with_one_credit_code(codes_of):
    assert codes_of(ROOT, row(uscc=USCC), row("N2", uscc=USCC.lower())) == [[], [], ["USCC_DUPLICATE"]]
    assert codes_of(row("N3", uscc=USCC)) == [["USCC_DUPLICATE"]]


def test_the_city_federation_is_the_root_wherever_it_stands(codes_of):
    assert codes_of(row("N1", ""), ROOT, row("N2", "", kind="CITY_FED")) == [["SECOND_ROOT"], [], ["SECOND_ROOT"]]
    assert codes_of(row("N3", "", kind="CITY_FED"), ROOT) == [["SECOND_ROOT"], ["UNCHANGED"]]


def test_a_tree_too_deep_for_its_paths_is_refused(codes_of):
    rows = [ROOT, *(row(f"N{level}", f"N{level - 1}") for level in range(1, 17))]
    assert codes_of(*rows) == [[]] * 15 + [["PARENT_UNKNOWN"]] * 2


# --- Stored unions -------------------------------------------------------------------------------------------------


def test_changed_facts_are_an_update_and_an_empty_cell_erases_nothing(codes_of):
    codes_of(ROOT, row(uscc=USCC, employees="10", founded="2001-01-01", elected="2023-05-20"))
    assert codes_of(row()) == [["UNCHANGED"]]
    assert codes_of(row(name="云河改名工会", kind="事业单位工会", employees="12", uscc=OTHER_USCC)) == [["UPDATED"]]
    union = Union.objects.get(code="N1")
    assert (union.name, union.kind, union.employees, union.uscc) == ("云河改名工会", "INSTITUTION", 12, OTHER_USCC)
    assert (union.founded_on, union.version) == (date(2001, 1, 1), 2)
    assert union.committee.elected_on == date(2023, 5, 20)


def test_a_stored_union_is_not_moved(codes_of):
    codes_of(ROOT, row(), row("N2"), row("N11", "N1"))
    assert codes_of(row("N11", "N2"), row("N11", "N9"), row("N11", ""), row("N0", "N1")) == [
        ["MOVE_NEEDED"],
        ["CODE_DUPLICATE", "PARENT_UNKNOWN"],
        ["CODE_DUPLICATE"],
        ["MOVE_NEEDED"],
    ]
    assert codes_of(row("N11", "")) == [["SECOND_ROOT"]]
    assert Union.objects.get(code="N11").parent.code == "N1"


def test_a_dissolved_union_is_neither_changed_nor_stood_above_others(codes_of):
    codes_of(ROOT, row())
    Union.objects.filter(code="N1").update(dissolved_on=date(2026, 11, 1))
    assert codes_of(row(name="新名"), row("N2", "N1")) == [["UNION_DISSOLVED"], ["PARENT_UNKNOWN"]]


def test_a_first_election_of_a_stored_union(codes_of):
    codes_of(ROOT, row())
    assert codes_of(row(elected="2023-05-20")) == [["UPDATED"]]
    assert Committee.objects.get().term_ends_on == date(2028, 5, 20)
    assert Deadline.objects.get().state == DeadlineState.OPEN


def test_a_later_election_ends_the_committee_in_office(codes_of, root):
    codes_of(ROOT, row(elected="2020-05-20"))
    union = Union.objects.get(code="N1")
    officer = actions.add_officer(union, by=root, position=Position.CHAIR, name="孟平", started_on=date(2020, 5, 20))
    assert codes_of(row(elected="2025-06-01", years="3")) == [["UPDATED"]]
    before, now = Committee.objects.order_by("elected_on")
    assert (before.ended_on, now.number, now.term_years, now.term_ends_on) == (date(2025, 6, 1), 2, 3, date(2028, 6, 1))
    officer.refresh_from_db()
    assert officer.ended_on == date(2025, 6, 1)
    old, new = Deadline.objects.order_by("trigger")
    assert (old.state, old.closed_on, new.state) == (DeadlineState.MET, date(2025, 6, 1), DeadlineState.OPEN)
    assert Union.objects.get(code="N1").term_years == 3
    assert codes_of(row(elected="2025-06-01", years="3")) == [["UNCHANGED"]]


def test_an_earlier_election_corrects_the_record(codes_of, root):
    codes_of(ROOT, row(elected="2023-05-20"))
    union = Union.objects.get(code="N1")
    officer = actions.add_officer(union, by=root, position=Position.CHAIR, name="孟平", started_on=date(2023, 5, 20))
    assert codes_of(row(elected="2023-05-02")) == [["UPDATED"]]
    committee = Committee.objects.get()
    assert (committee.elected_on, committee.term_ends_on, committee.number) == (date(2023, 5, 2), date(2028, 5, 2), 1)
    officer.refresh_from_db()
    assert officer.started_on == date(2023, 5, 2)
    assert [each.state for each in Deadline.objects.order_by("pk")] == [DeadlineState.VOID, DeadlineState.OPEN]


def test_another_length_of_the_term_corrects_the_term_in_office(codes_of):
    codes_of(ROOT, row(elected="2023-05-20"))
    assert codes_of(row(elected="2023-05-20", years="3")) == [["UPDATED"]]
    committee = Committee.objects.get()
    assert (committee.term_years, committee.term_ends_on) == (3, date(2026, 5, 20))
    assert Deadline.objects.open().get().natural == date(2026, 5, 20)


def chairless(root):
    """A union whose chair left in the middle of the term."""
    union = Union.objects.get(code="N1")
    chair = actions.add_officer(union, by=root, position=Position.CHAIR, name="孟平", started_on=date(2020, 5, 20))
    actions.end_officer(chair, by=root, on=date(2024, 1, 10), reason="调离")
    return union


def test_an_imported_election_of_a_legal_person_asks_for_the_certificate_and_closes_the_chair(codes_of, root):
    codes_of(ROOT, row(elected="2020-05-20"), row("N2", name="云河另一工会", elected="2020-05-20"))
    union = chairless(root)
    actions.record_certificate(union, by=root, issued_on=date(2020, 6, 1), until=date(2025, 6, 1))
    assert duties.of_chair(union.committee).exists()
    codes_of(row(elected="2025-06-01"), row("N2", name="云河另一工会", elected="2025-06-01"))
    certificate = Deadline.objects.open().get(rule__code=duties.CERTIFICATE)
    assert (certificate.trigger, certificate.subject_id, certificate.union) == (date(2025, 6, 1), union.pk, union)
    assert not Deadline.objects.open().filter(rule__code=duties.CHAIR).exists()
    assert codes_of(row(elected="2025-06-01")) == [["UNCHANGED"]]
    assert Deadline.objects.filter(rule__code=duties.CERTIFICATE).count() == 1


def test_an_imported_election_within_the_certificate_asks_for_none(codes_of, root):
    codes_of(ROOT, row(elected="2020-05-20"))
    union = Union.objects.get(code="N1")
    actions.record_certificate(union, by=root, issued_on=date(2025, 6, 1), until=date(2031, 6, 1))
    codes_of(row(elected="2025-06-01"))
    assert not Deadline.objects.filter(rule__code=duties.CERTIFICATE).exists()


def test_a_term_that_was_extended_is_not_corrected_by_a_sheet(codes_of, root):
    codes_of(ROOT, row(elected="2021-12-20"))
    union = Union.objects.get(code="N1")
    offices.extend_term(union, by=root, until=date(2027, 3, 20), approval_no="批〔2026〕9号", reason="筹备换届")
    extended = Deadline.objects.open().get()
    assert codes_of(row(elected="2021-12-20"), row(elected="2021-11-20")) == [["UNCHANGED"], ["CODE_DUPLICATE"]]
    assert codes_of(row(elected="2021-11-20")) == [["TERM_EXTENDED"]]
    assert codes_of(row(elected="2021-12-20", years="3")) == [["TERM_EXTENDED"]]
    committee = Committee.objects.get()
    assert (committee.elected_on, committee.term_ends_on, committee.extended_until) == (
        date(2021, 12, 20), date(2026, 12, 20), date(2027, 3, 20),
    )  # fmt: skip
    assert Deadline.objects.open().get() == extended
    assert codes_of(row(elected="2026-10-30")) == [["UPDATED"]]  # the election that the extension was for
    extended.refresh_from_db()
    assert extended.state == DeadlineState.MET


def test_a_sheet_older_than_the_portal_does_not_undo_an_election(codes_of, root):
    codes_of(ROOT, row(elected="2020-05-20"))
    actions.record_election(Union.objects.get(code="N1"), by=root, elected_on=date(2025, 6, 1), term_years=5)
    assert codes_of(row(elected="2020-05-20")) == [["DATE_INVALID"]]
    assert Committee.objects.filter(ended_on=None).get().elected_on == date(2025, 6, 1)


# --- Scope ---------------------------------------------------------------------------------------------------------


def test_rows_outside_the_users_part_of_the_tree(codes_of, tree, district):
    rows = [
        row("T0101", "T01", "滨河区一道街道工会", "STREET"),
        row("T0101009", "T0101"),
        row("T02", "T00", "云河市东山区总工会", "DISTRICT_FED"),
        row("T0201009", "T0201"),
        row("T0201010", "T0201009"),
        row("T03", "T00"),
        row("T09", ""),
        row("T0101010", "T0101009"),
    ]
    assert codes_of(*rows, by=district) == [
        ["UPDATED"],  # the length of its term was not on record
        [],
        ["UNION_OUT_OF_SCOPE"],
        ["UNION_OUT_OF_SCOPE"],
        ["PARENT_UNKNOWN"],
        ["UNION_OUT_OF_SCOPE"],
        ["SECOND_ROOT", "UNION_OUT_OF_SCOPE"],
        [],
    ]
    assert sorted(tree.street.children.values_list("code", flat=True)) == ["T0101001", "T0101002", "T0101009"]


# --- Between preview and commit ------------------------------------------------------------------------------------


def test_what_others_founded_meanwhile_is_not_founded_twice(root, tmp_path, codes_of):
    codes_of(ROOT)
    path = write(tmp_path, [row(), row("N11", "N1"), row("N2", uscc=USCC), row("N3")], HEADERS)
    batch = ImportBatch.objects.create(kind="unions", file_name="a.csv", sha256="0", created_by=root, committed_by=root)
    imports.read(batch, path)
    top = Union.objects.get()
    actions.found_union(by=root, parent=top, code="N3", name="云河新工会", kind="ENTERPRISE", term_years=5)
    other = actions.found_union(by=root, parent=top, code="N8", name="别的", kind="ENTERPRISE", uscc=USCC)
    actions.found_union(by=root, parent=other, code="N1", name="别处", kind="ENTERPRISE")
    assert imports.ask_commit(batch, by=root)
    batch.refresh_from_db()
    imports.commit(batch)
    assert [[code for code in staged.codes if code not in SILENT] for staged in batch.stagedunions.all()] == [
        ["MOVE_NEEDED"],
        [],
        ["USCC_DUPLICATE"],
        ["UNCHANGED"],
    ]
    assert Union.objects.get(code="N11").parent.code == "N1"
    batch.refresh_from_db()
    assert batch.counts["outcomes"] == {"ok": 0, "warning": 1, "duplicate": 1, "error": 2}


# --- Any order -----------------------------------------------------------------------------------------------------


@st.composite
def trees(draw):
    """Rows of a sound tree of up to nine unions in any order, with their parents by code."""
    size = draw(st.integers(1, 8))
    parents = {f"N{place}": f"N{draw(st.integers(0, place - 1))}" for place in range(1, size + 1)}
    usccs = draw(st.lists(credit_codes(), min_size=size, max_size=size, unique=True))
    rows = [row(code, parent, uscc=uscc) for (code, parent), uscc in zip(parents.items(), usccs, strict=True)]
    return parents, draw(st.permutations([ROOT, *rows]))


@few(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(planned=trees())
def test_a_tree_is_the_same_in_any_order_of_its_rows(codes_of, planned):
    parents, rows = planned
    with undone():
        assert codes_of(*rows) == [[]] * len(rows)
        stored = {
            union.code: union.parent.code for union in Union.objects.exclude(parent=None).select_related("parent")
        }
        assert stored == parents
        assert all(union.path == path_of(union.pk, union.parent.path) for union in Union.objects.exclude(parent=None))
        assert codes_of(*rows) == [["UNCHANGED"]] * len(rows)

"""Exports: purpose, masks, formulas, who gets the file and how long, and sheets that the import reads unchanged."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone, translation
from openpyxl import load_workbook

from core import exports, imports, jobs
from core.exports import neutral
from core.models import AuditEvent, Export, Job, Setting
from core.models.job import JobState
from members import actions
from members.models import Membership, Person
from tests.members.people import PHONE, QIAN, ZHAO, member, number
from unions.models import Appointment, Committee, Union

MASK = "2104**********0017"


@pytest.fixture
def two(tree):
    zhao = member(
        tree.enterprise, phone=PHONE, department="一车间", post="焊工", card_no="0012345678901234567", notes="=1+1",
        employment="CONTRACT",
    )  # fmt: skip
    qian = member(
        tree.sibling, name="钱芳", id_number=QIAN, joined_on=None, employment="PLATFORM", occupation_group="COURIER",
        migrant_worker=True, ethnicity="满族",
    )  # fmt: skip
    member(tree.neighbour_enterprise, name="孙立", id_number=number(9))
    return zhao, qian


def made(key, by, query="", purpose="年度统计", clear=False):
    """Ask for an export and run its job; returns the stored row."""
    export = exports.ask(key, by=by, query=query, purpose=purpose, clear=clear)
    jobs.run_now(export.job)
    export.refresh_from_db()
    return export


def sheet_of(export):
    with export.file.open() as file:
        return load_workbook(file).active


def table_of(export):
    """Return (lines above, header, rows) of the workbook, all as text."""
    rows = [["" if cell is None else str(cell) for cell in row] for row in sheet_of(export).iter_rows(values_only=True)]
    header = next(place for place, row in enumerate(rows) if row[0] in ("姓名", "工会编码"))
    return [row[0] for row in rows[:header]], rows[header], rows[header + 1 :]


# --- What is in it -------------------------------------------------------------------------------------------------


def test_masked_by_default_and_only_my_scope(tree, two, street):
    export = made("members", street, "columns=*")
    head, header, rows = table_of(export)
    assert export.rows == len(rows) == 2
    record = dict(zip(header, next(row for row in rows if row[0] == "赵建国"), strict=True))
    assert (record["身份证号"], record["手机号"]) == (MASK, "138****1234")
    assert (record["会员证号"], record["入会日期"]) == ("0012345678901234567", "2020-05-01")
    assert ZHAO not in str(rows)
    assert PHONE not in str(rows)
    assert any("年度统计" in line for line in head)
    assert any(street.name in line for line in head)
    assert any(tree.street.name in line for line in head)


def test_columns_and_filters_are_those_of_the_list(tree, two, street):
    with translation.override("en"):  # whatever the asker reads, the file is Chinese
        export = made("members", street, "sex=F&columns=age&columns=department")
    head, header, rows = table_of(export)
    assert header == ["姓名", "出生日期", "部门"]
    assert [row[0] for row in rows] == ["钱芳"]
    assert any("女" in line for line in head)


def test_identity_columns_are_text_and_formulas_are_not_run(tree, two, street):
    sheet = sheet_of(made("members", street, "columns=*&union=4"))
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}  # no cell is a number, let alone a formula
    assert [cell.number_format for cell in cells if cell.value in (MASK, "0012345678901234567")] == ["@", "@"]
    assert "'=1+1" in [cell.value for cell in cells]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@A", "\t=1", "\r=1"])
def test_what_a_program_would_run_gets_an_apostrophe(text):
    assert neutral(text) == f"'{text}"
    assert neutral(f"甲{text}") == f"甲{text}"
    assert neutral("甲\x00\x0b乙") == "甲乙"


def test_a_formula_in_the_purpose_is_text_too(tree, two, street):
    head, _header, _rows = table_of(made("members", street, purpose="=HYPERLINK(1)"))
    assert not [line for line in head if line.startswith("=")]


def test_many_rows_come_in_the_lists_order_without_a_gap(tree, street, monkeypatch):
    monkeypatch.setattr(exports, "CHUNK", 3)
    for sequence in range(11):
        member(tree.sibling if sequence % 2 else tree.enterprise, name=f"赵{'甲乙'[sequence % 2]}",
               id_number=number(sequence), joined_on=None if sequence % 3 else date(2020, 1, 1))  # fmt: skip
    for query in ("", "sort=name", "sort=-joined_on", "sort=age"):
        export = made("members", street, query)
        listed = exports.kinds()["members"](street).listed(query)
        expected = list(listed.rows.order_by(*(key.ordering for key in listed.keyset)))
        _head, header, rows = table_of(export)
        assert [row[header.index("身份证号")] for row in rows] == [each.person.id_masked for each in expected]


# --- Numbers in clear, and the way back through the import ---------------------------------------------------------


def test_clear_members_go_back_through_the_import_unchanged(tree, two, street, tmp_path):
    export = made("members", street, "columns=*", clear=True)
    path = tmp_path / "会员.xlsx"
    with export.file.open() as file:
        path.write_bytes(file.read())
    _head, header, rows = table_of(export)
    assert ZHAO in [row[header.index("身份证号")] for row in rows]
    before = [*Person.objects.order_by("pk").values()], [*Membership.objects.order_by("pk").values()]
    found, _counts = imports.run_file("members", path, by=street, commit_it=True)
    told = {code for _row, _outcome, codes in found for code in codes}
    assert told == {"ALREADY_MEMBER", "JOINED_ON_MISSING"}
    assert ([*Person.objects.order_by("pk").values()], [*Membership.objects.order_by("pk").values()]) == before


def test_clear_is_for_those_who_may_see_every_number(tree, two, auditor, street, client_of):
    with pytest.raises(ValidationError):
        exports.ask("members", by=auditor, query="", purpose="审计", clear=True)
    page = reverse("export_ask", args=["members"])
    assert "clear" not in client_of(auditor).get(page).context["form"].fields
    assert "clear" in client_of(street).get(page).context["form"].fields
    # reveals below the street alone, exports the whole district: not all of it
    Appointment.objects.create(user=street, union=tree.district, role="auditor", valid_from=date(2020, 1, 1))
    assert "clear" not in client_of(street).get(page).context["form"].fields


def test_the_tree_goes_back_through_the_import_unchanged(tree, city, tmp_path):
    for union in Union.objects.all():
        Union.objects.filter(pk=union.pk).update(term_years=5, employees=30, founded_on=date(2010, 3, 4))
        Committee.objects.create(
            union=union, elected_on=date(2023, 5, 10), term_years=5, term_ends_on=date(2028, 5, 10)
        )
    export = made("unions", city, "columns=*")
    path = tmp_path / "工会.xlsx"
    with export.file.open() as file:
        path.write_bytes(file.read())
    found, _counts = imports.run_file("unions", path, by=city, commit_it=False)
    assert len(found) == 8
    assert {code for _row, _outcome, codes in found for code in codes} == {"UNCHANGED", "USCC_MISSING"}
    assert all("UNCHANGED" in codes for _row, _outcome, codes in found)


def test_dissolved_unions_are_hidden_until_asked_for(tree, city, client_of):
    Union.objects.filter(pk=tree.sibling.pk).update(dissolved_on=date(2026, 1, 5))
    for name in ("union_list", "term_list"):
        client, url = client_of(city), reverse(name)
        shown = [row.record.pk for row in client.get(url).context["table"].rows]
        assert tree.sibling.pk not in shown
        asked = [row.record.pk for row in client.get(f"{url}?dissolved=on").context["table"].rows]
        assert sorted(asked) == sorted([*shown, tree.sibling.pk])
    assert made("unions", city).rows == 7
    assert made("unions", city, "dissolved=on").rows == 8


# --- Asking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["", "　", "查 21040019850307001X 的会籍", "电话１３８００１３１２３４"])
def test_a_purpose_is_needed_and_names_no_number(tree, two, street, client_of, purpose):
    answer = client_of(street).post(reverse("export_ask", args=["members"]), {"purpose": purpose, "columns": "all"})
    assert list(answer.context["form"].errors) == ["purpose"]
    assert not Export.objects.exists()
    assert not Job.objects.exists()


def test_asking_says_what_will_be_exported(tree, two, street, client_of):
    response = client_of(street).get(f"{reverse('export_ask', args=['members'])}?sex=F&after=3&plain=1")
    assert response.context["count"] == 1
    assert len(response.context["words"]) == 2  # open memberships, female
    assert response.context["back"] == "/members/?sex=F"
    assert response.context["top"] == tree.street


def test_nothing_to_export_and_filters_that_fail_are_refused(tree, two, street):
    for query in ("sex=F&state=EXPELLED", "age_from=9&age_to=3", "union=8"):
        with pytest.raises(ValidationError):
            exports.ask("members", by=street, query=query, purpose="统计")


def test_from_the_button_to_the_file(tree, two, street, client_of):
    client = client_of(street)
    address = client.get("/members/?sex=M&sort=name").context["export_url"]
    assert address == "/exports/ask/members/?sex=M&sort=name"
    answer = client.post(address, {"purpose": "慰问困难职工", "columns": "all", "clear": "on"})
    export = Export.objects.get()
    page = reverse("export_page", args=[export.pk])
    assert answer.url == page
    assert client.get(reverse("export_download", args=[export.pk])).url == page  # not finished yet
    jobs.run_now(export.job)
    export.refresh_from_db()
    assert "慰问困难职工" in client.get(page).content.decode()
    download = client.get(reverse("export_download", args=[export.pk]))
    content = b"".join(download.streaming_content)
    assert content[:2] == b"PK"
    assert ZHAO.encode() not in Path(export.file.path).read_bytes()
    assert "%E8%B5%B5" not in download["Content-Disposition"]  # 赵
    events = AuditEvent.objects.filter(verb__endswith="_export").order_by("id")
    assert [(event.verb, event.reason, event.changes.get("clear")) for event in events] == [
        ("core.ask_export", "慰问困难职工", [None, True]),
        ("core.make_export", "", [None, True]),
        ("core.download_export", "慰问困难职工", [None, True]),
    ]
    assert {event.union_id for event in events} == {tree.street.pk}
    assert [row.record for row in client.get(reverse("export_list")).context["table"].rows] == [export]


# --- Who gets it ---------------------------------------------------------------------------------------------------


def test_the_file_is_for_its_asker_alone(tree, two, street, district, root, client_of):
    export = made("members", street)
    for other in (district, root):
        for name in ("export_page", "export_download"):
            assert client_of(other).get(reverse(name, args=[export.pk])).status_code == 404


def test_who_lost_the_right_gets_no_file(tree, two, street, client_of):
    export = made("members", street)
    url = reverse("export_download", args=[export.pk])
    Appointment.objects.filter(user=street).update(union=tree.enterprise)  # a part of it only
    assert client_of(street).get(url).status_code == 403
    assert client_of(street).get(reverse("export_page", args=[export.pk])).context["may_download"] is False
    Appointment.objects.filter(user=street).update(union=tree.district)
    assert client_of(street).get(url).status_code == 200
    Appointment.objects.filter(user=street).update(role="union_chair")
    assert client_of(street).get(url).status_code == 403


def test_the_scope_is_that_of_the_run(tree, two, street):
    export = exports.ask("members", by=street, query="", purpose="统计")
    Appointment.objects.filter(user=street).update(union=tree.enterprise)
    jobs.run_now(export.job)
    export.refresh_from_db()
    assert (export.rows, export.tops) == (1, [tree.enterprise.pk])


def test_a_right_taken_away_before_the_run_ends_the_job(tree, two, street):
    export = exports.ask("members", by=street, query="", purpose="统计", clear=True)
    Appointment.objects.filter(user=street).update(role="auditor")
    assert jobs.run_now(export.job).state == JobState.FAILED
    export.refresh_from_db()
    assert not export.file


def test_a_job_that_runs_twice_makes_one_file(tree, two, street):
    export = made("members", street)
    Job.objects.filter(pk=export.job_id).update(state=JobState.WAITING, finished_at=None)
    export.job.refresh_from_db()
    jobs.run_now(export.job)
    assert AuditEvent.objects.filter(verb="core.make_export").count() == 1


def test_an_altered_file_is_not_handed_out(tree, two, street, client_of):
    export = made("members", street)
    Export.objects.filter(pk=export.pk).update(sha256="0" * 64)
    assert client_of(street).get(reverse("export_download", args=[export.pk])).status_code == 302
    assert not AuditEvent.objects.filter(verb="core.download_export").exists()


def test_after_its_last_day_the_file_is_gone(tree, two, street, client_of):
    Setting.objects.filter(key="export_kept_days").update(value="2")
    export = made("members", street)
    today = timezone.localdate()
    assert export.kept_until == today + timedelta(days=2)
    exports.remove_old(today + timedelta(days=2))
    export.refresh_from_db()
    path = Path(export.file.path)
    assert path.exists()
    exports.remove_old(today + timedelta(days=3))
    exports.remove_old(today + timedelta(days=3))
    export.refresh_from_db()
    assert not export.file
    assert not path.exists()
    assert AuditEvent.objects.filter(verb="core.remove_export").count() == 1
    page = client_of(street).get(reverse("export_page", args=[export.pk]))
    assert page.context["there"] is False
    assert client_of(street).get(reverse("export_download", args=[export.pk])).status_code == 302


def test_a_change_between_asking_and_making_is_in_the_file(tree, two, street):
    export = exports.ask("members", by=street, query="", purpose="统计")
    actions.change_membership(two[0], by=street, version=1, changes={"department": "二车间"})
    member(tree.enterprise, name="李喆", id_number=number(11))
    jobs.run_now(export.job)
    export.refresh_from_db()
    assert export.rows == 3

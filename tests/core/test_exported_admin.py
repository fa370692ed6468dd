"""Lists of the admin as sheets: what the list shows, for a purpose, an event; reference tables with Chinese headers."""

import csv
from datetime import date
from io import BytesIO, StringIO

import pytest
import tablib
from django.urls import reverse
from openpyxl import load_workbook

from core import exported_admin
from core.admin import CalendarDayAdmin, CalendarYearAdmin, DeadlineRuleAdmin, RetentionRuleAdmin, SettingAdmin
from core.models import AuditEvent, Setting, User
from tests.builders import committee_at
from unions.models import Appointment, Officer, Union, UnionEvent

OFFICERS = reverse("admin:unions_officer_changelist") + "export/"


def officer(union, name, phone="13800131234"):
    started = date(2023, 5, 10)
    committee = Union.objects.get(pk=union.pk).committee or committee_at(union)
    return Officer.objects.create(committee=committee, position="MEMBER", name=name, phone=phone, started_on=started)


def staff(union, role):
    user = User.objects.create(username=f"{role}-{union.pk}", is_staff=True)
    Appointment.objects.create(user=user, union=union, role=role, valid_from="2020-01-01")
    return user


def take(client, url, kind, **data):
    return client.post(url, {"format": kind, "resource": "0", "purpose": "核对名单", **data})


def rows_of(answer):
    sheet = load_workbook(BytesIO(answer.content)).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_a_sheet_holds_what_the_list_shows_in_scope_and_masked(tree, client_of):
    officer(tree.street, "孟平")
    officer(tree.neighbour_enterprise, "邓军")
    clerk = staff(tree.street, "cadre")
    head, *rows = rows_of(take(client_of(clerk), OFFICERS, "0"))
    assert head == ["姓名", "工会", "职务", "性别", "手机", "专职", head[6], head[7]]
    assert [row[:5] for row in rows] == [["孟平", "滨河区一道街道工会", "委员", None, "138****1234"]]
    [event] = AuditEvent.objects.filter(verb="unions.export_officer")
    assert (event.actor_id, event.reason) == (clerk.pk, "核对名单")


def test_a_purpose_is_needed_and_holds_no_number(tree, client_of):
    client = client_of(staff(tree.street, "cadre"))
    for purpose in ("", "13800131234 的"):
        assert take(client, OFFICERS, "0", purpose=purpose)["Content-Type"].startswith("text/html")
    assert not AuditEvent.objects.filter(verb="unions.export_officer").exists()


def test_without_the_permission_nothing_is_taken_away(tree, client_of):
    client = client_of(staff(tree.street, "union_chair"))
    assert client.get(reverse("admin:unions_officer_changelist")).status_code == 200
    assert take(client, OFFICERS, "0").status_code == 403


def test_no_cell_is_a_formula(tree, client_of):
    UnionEvent.objects.create(union=tree.street, kind="RENAME", on=date(2024, 5, 10), reason="=1+1", approval_no="@x")
    url = reverse("admin:unions_unionevent_changelist") + "export/"
    client = client_of(staff(tree.street, "cadre"))
    [_head, row] = rows_of(take(client, url, "0"))
    assert ("'=1+1" in row, "'@x" in row) == (True, True)
    [_head, row] = csv.reader(StringIO(take(client, url, "1").content.decode("utf-8-sig")))
    assert ("'=1+1" in row, "'@x" in row) == (True, True)


def test_a_list_too_long_is_to_be_filtered_first(tree, client_of, monkeypatch):
    monkeypatch.setattr(exported_admin, "MOST", 1)
    officer(tree.street, "孟平")
    officer(tree.street, "侯明")
    answer = take(client_of(staff(tree.street, "cadre")), OFFICERS, "0")
    assert answer["Content-Type"].startswith("text/html")
    assert not AuditEvent.objects.filter(verb="unions.export_officer").exists()


@pytest.mark.parametrize(
    "page", [DeadlineRuleAdmin, CalendarDayAdmin, CalendarYearAdmin, RetentionRuleAdmin, SettingAdmin]
)
def test_the_columns_of_reference_tables_have_chinese_names_each_once(page):
    [resource] = page.resource_classes
    columns = [field.column_name for field in resource().fields.values()]
    assert len(set(columns)) == len(columns)
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in column) for column in columns)


def test_what_a_reference_table_gives_out_it_takes_back(client_of, city):
    Setting.objects.create(key="x", value="=1", label="试", status="DESIGN", valid_from=date(2020, 1, 1))
    url = reverse("admin:core_setting_changelist") + "export/"
    answer = client_of(city).post(url, {"format": "0", "resource": "0"})
    [row] = [row for row in csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))) if "x" in row.values()]
    assert "'=1" in row.values()
    resource = SettingAdmin.resource_classes[0]()
    data = tablib.Dataset([row[head] for head in row], headers=list(row))
    result = resource.import_data(data, user=city, dry_run=False)
    assert (result.totals["skip"], result.has_errors()) == (1, False)

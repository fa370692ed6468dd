"""Reference tables: kept by hand and by sheet, each change an event, open dates moved, bad values refused."""

import io
from datetime import date

import openpyxl
import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from core import deadlines, standards
from core.models import AuditEvent, CalendarDay, CalendarYear, Deadline, DeadlineRule, Setting
from tests import cast
from unions.models import Appointment

pytestmark = pytest.mark.django_db
NOTICE = "测试〔2026〕1号"


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def mediation(tree, street):
    """Ends on Monday 15 March 2027, provisionally."""
    return deadlines.open_deadline(
        "MEDIATION_END_15D", date(2027, 2, 26), subject=tree.street, union=tree.street, title="调解", by=street
    )


# --- The action ----------------------------------------------------------------------------------------------
def test_keep_a_new_day_and_its_year_moves_open_dates(mediation, city):
    day = CalendarDay(date=date(2027, 3, 15), kind="OFF", name="测试节", notice_no=NOTICE)
    assert standards.keep(day, by=city)
    mediation.refresh_from_db()
    assert (mediation.due, mediation.provisional) == (date(2027, 3, 16), True)
    assert standards.keep(CalendarYear(year=2027, notice_no=NOTICE, published=True), by=city)
    mediation.refresh_from_db()
    assert (mediation.due, mediation.provisional) == (date(2027, 3, 16), False)
    event = AuditEvent.objects.get(verb="core.add_calendarday")
    assert (event.actor_id, event.target_id) == (city.pk, "2027-03-15")
    assert event.changes == {
        "date": [None, "2027-03-15"], "kind": [None, "OFF"], "name": [None, "测试节"], "notice_no": [None, NOTICE],
    }  # fmt: skip
    assert AuditEvent.objects.filter(verb="core.recompute_deadline").count() == 2


def test_keep_a_changed_rule_moves_its_open_dates_only(mediation, tree, city):
    term = deadlines.open_deadline(
        "UNION_TERM_3Y", date(2024, 3, 1), subject=tree.street, union=tree.street, title="换届", by=city
    )
    rule = DeadlineRule.objects.get(code="MEDIATION_END_15D")
    rule.length = 20
    assert standards.keep(rule, by=city)
    mediation.refresh_from_db()
    assert mediation.due == date(2027, 3, 18)
    assert AuditEvent.objects.get(verb="core.change_deadlinerule").changes == {"length": [15, 20]}
    assert Deadline.objects.get(pk=term.pk).due == term.due


def test_keep_what_is_unchanged_writes_nothing(city):
    events = AuditEvent.objects.count()
    for model in (DeadlineRule, CalendarDay, CalendarYear, Setting):
        assert not standards.keep(model.objects.first(), by=city)
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"length": 0}, "length"),
        ({"length": 101, "unit": "YEAR"}, "length"),
        ({"other_length": 5}, "other_unit"),
        ({"other_unit": "WD"}, "other_unit"),
        ({"other_length": 40000, "other_unit": "CD"}, "other_length"),
        ({"backward": True, "unit": "MONTH"}, "unit"),
        ({"backward": True, "unit": "CD", "other_length": 1, "other_unit": "YEAR"}, "unit"),
        ({"remind_before": "half a year"}, "remind_before"),
        ({"unit": "WEEK"}, "unit"),
        ({"side": "NOBODY"}, "side"),
    ],
)
def test_keep_refuses_a_rule_that_cannot_be_counted(city, changes, field):
    rule = DeadlineRule.objects.get(code="MEDIATION_END_15D")
    for name, value in changes.items():
        setattr(rule, name, value)
    with pytest.raises(ValidationError) as refusal:
        standards.keep(rule, by=city)
    assert list(refusal.value.message_dict) == [field]
    assert DeadlineRule.objects.get(pk=rule.pk).length == 15


def test_keep_refuses_a_rule_under_which_an_open_deadline_has_no_end(tree, city):
    row = deadlines.open_deadline(
        "UNION_TERM_3Y", date(9950, 1, 1), subject=tree.city, union=tree.city, title="换届", by=city
    )
    rule = DeadlineRule.objects.get(code="UNION_TERM_3Y")
    rule.length = 60
    with pytest.raises(ValidationError, match="9950-01-01"):
        standards.keep(rule, by=city)
    assert Deadline.objects.get(pk=row.pk).due == date(9953, 1, 1)
    assert DeadlineRule.objects.get(pk=rule.pk).length == 3


@pytest.mark.parametrize("value", ["9点", "25:00", ""])
def test_keep_refuses_a_reminder_time_that_is_none(city, value):
    setting = Setting.objects.get(key="reminder_from")
    setting.value = value
    with pytest.raises(ValidationError):
        standards.keep(setting, by=city)


# --- The pages -----------------------------------------------------------------------------------------------
def test_a_day_entered_by_hand_is_an_event_and_moves_dates(mediation, city, client_of):
    client = client_of(city)
    answer = client.post(
        "/admin/core/calendarday/add/",
        {"date": "2027-03-15", "kind": "OFF", "name": "测试节", "notice_no": NOTICE, "_save": "Save"},
    )
    assert answer.status_code == 302
    mediation.refresh_from_db()
    assert mediation.due == date(2027, 3, 16)
    event = AuditEvent.objects.get(verb="core.add_calendarday")
    assert event.actor_id == city.pk
    assert event.address == "127.0.0.1"


def test_a_rule_changed_by_hand_keeps_its_code_and_shows_the_refusal(city, client_of):
    rule = DeadlineRule.objects.get(code="UNION_TERM_3Y")
    url = f"/admin/core/deadlinerule/{rule.pk}/change/"
    page = client_of(city).get(url)
    assert page.status_code == 200
    form = page.context["adminform"].form
    assert "code" not in form.fields
    data = {name: form.initial.get(name) or "" for name in form.fields} | {"code": "OTHER", "remind_before": "soon"}
    data = {name: value for name, value in data.items() if value is not False}
    answer = client_of(city).post(url, data)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["remind_before"]
    answer = client_of(city).post(url, data | {"remind_before": "6M,0D"})
    assert answer.status_code == 302
    rule.refresh_from_db()
    assert (rule.code, rule.remind_before) == ("UNION_TERM_3Y", "6M,0D")


def test_the_status_of_a_rule_is_shown_as_to_be_confirmed(city, client_of):
    client = client_of(city)
    client.cookies["django_language"] = "en"
    page = client.get("/admin/core/deadlinerule/?q=CHAIR_BYELECTION").content.decode()
    assert '<td class="field-status">to be confirmed by the federation</td>' in page


def test_the_days_of_one_year(city, client_of):
    client = client_of(city)
    rows = client.get("/admin/core/calendarday/?year=2025").context["cl"].queryset
    assert rows.count() == CalendarDay.objects.filter(date__year=2025).count() > 20
    for wrong in ("soon", "0", "99999999999"):
        assert client.get(f"/admin/core/calendarday/?year={wrong}").status_code == 200


@pytest.mark.parametrize("model", ["deadlinerule", "calendarday", "calendaryear", "setting"])
def test_only_a_keeper_at_the_root_gets_in(model, tree, client_of, city, district, secadmin, auditor):
    Appointment.objects.create(user=district, union=tree.district, role="standards_keeper", valid_from=date(2020, 1, 1))
    district.is_staff = True
    district.save()
    for page in ("", "add/", "import/", "export/"):
        url = f"/admin/core/{model}/{page}"
        assert client_of(city).get(url).status_code == 200, url
        assert client_of(district).get(url).status_code == 403, url
        assert client_of(secadmin).get(url).status_code == 403, url
        assert client_of(auditor).get(url).status_code == 302, url
    assert client_of(district).post(f"/admin/core/{model}/process_import/").status_code == 403
    assert client_of(city).get(f"/admin/core/{model}/process_import/").status_code == 405


# --- Sheets --------------------------------------------------------------------------------------------------
def workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def upload(client, model, content, kind):
    """Upload a sheet, look at the preview and confirm; return the preview's result."""
    page = client.post(
        f"/admin/core/{model}/import/",
        {"format": kind, "resource": "0", "import_file": SimpleUploadedFile("sheet", content)},
    )
    confirm = page.context.get("confirm_form")
    if confirm:
        answer = client.post(f"/admin/core/{model}/process_import/", confirm.initial)
        assert answer.status_code == 302
    return page.context["result"]


YEAR = [
    ["date", "kind", "name", "notice_no"],
    ["2027-03-15", "OFF", "测试节", NOTICE],
    ["2027/3/20", "WORK", "测试节", NOTICE],
]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_year_end_calendar_comes_in_as_a_sheet(kind, mediation, city, client_of):
    client = client_of(city)
    content = (
        "\ufeff" + "\n".join(",".join(row) for row in YEAR)
        if kind == "csv"
        else workbook([YEAR[0], [date(2027, 3, 15), *YEAR[1][1:]], YEAR[2]])
    )
    content = content.encode() if kind == "csv" else content
    result = upload(client, "calendarday", content, {"csv": "0", "xlsx": "1"}[kind])
    assert result.totals["new"] == 2
    assert list(CalendarDay.objects.filter(date__year=2027).order_by("date").values_list("date", "kind")) == [
        (date(2027, 3, 15), "OFF"),
        (date(2027, 3, 20), "WORK"),
    ]
    mediation.refresh_from_db()
    assert mediation.due == date(2027, 3, 16)
    assert AuditEvent.objects.filter(verb="core.add_calendarday", actor_id=city.pk).count() == 2
    assert AuditEvent.objects.filter(verb="core.recompute_deadline").count() == 1
    again = upload(client, "calendarday", content, {"csv": "0", "xlsx": "1"}[kind])
    assert (again.totals["new"], again.totals["skip"]) == (0, 2)


def test_a_preview_stores_nothing(city, client_of):
    client_of(city).post(
        "/admin/core/calendarday/import/",
        {"format": "0", "resource": "0", "import_file": SimpleUploadedFile("a.csv", b"date,kind\n2027-03-15,OFF")},
    )
    assert not CalendarDay.objects.filter(date__year=2027).exists()
    assert not AuditEvent.objects.filter(verb="core.add_calendarday").exists()


@pytest.mark.parametrize("row", ["2027-02-30,OFF,,", "soon,OFF,,", "2027-03-15,MAYBE,,", ",OFF,,"])
def test_a_bad_row_is_shown_and_nothing_is_stored(row, city, client_of):
    content = f"date,kind,name,notice_no\n2027-03-16,OFF,,\n{row}\n".encode()
    result = upload(client_of(city), "calendarday", content, "0")
    assert result.has_errors() or result.has_validation_errors()
    assert not CalendarDay.objects.filter(date__year=2027).exists()


def test_an_export_is_an_event_and_comes_back_unchanged(city, client_of):
    client = client_of(city)
    answer = client.post("/admin/core/deadlinerule/export/", {"format": "0", "resource": "0"})
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert AuditEvent.objects.get(verb="core.export_deadlinerule").actor_id == city.pk
    result = upload(client, "deadlinerule", answer.content, "0")
    assert result.total_rows == result.totals["skip"] == DeadlineRule.objects.count() > 50


@pytest.mark.parametrize("model", ["deadlinerule", "calendarday", "calendaryear", "setting"])
def test_the_lists_count_with_a_limit(model, city, client_of, django_assert_max_num_queries):
    client = client_of(city)
    client.get("/admin/")
    with django_assert_max_num_queries(12):
        client.get(f"/admin/core/{model}/")


def test_the_cast_has_a_keeper():
    assert ("standards_keeper", "city") in cast.PEOPLE["city"][1]

"""Data match: who may be asked about, the answer compared and explained, what is kept of it, and who is back."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation
from openpyxl import Workbook, load_workbook

from assistance import matching
from assistance.matching import Found, Numbers, compare
from assistance.models import Consent, LivingStandard, MatchAnswer, MatchNumber, MatchRequest
from core import bulk, jobs, secrets
from core.models import AuditEvent, Deadline, Job
from core.sheets import SheetRefused
from members.models import Person
from tests.assistance.published import authorise, household, matched
from tests.members.people import number

TODAY = date(2026, 11, 20)
HEAD = ["姓名", "身份证号", "核对结果", "年收入", "房产套数", "车辆", "低保"]


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(timezone.make_aware(datetime(2026, 11, 20, 9)), tick=False)
    return time_machine


@pytest.fixture
def case(tree):
    return household(tree.enterprise, state="DATA_MATCH", kin=[("SPOUSE", "王芳")])


def asked(user, tree, purpose="APPLICATION", union=None):
    """A list that was downloaded."""
    request = matching.ask(by=user, union=union or tree.district, purpose=purpose)
    matching.download(request, by=user)
    return MatchRequest.objects.get(pk=request.pk)


def as_csv(*rows, head=HEAD):
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    return SimpleUploadedFile("结果.csv", out.getvalue().encode("gb18030"))


def as_xlsx(*rows, head=HEAD):
    workbook = Workbook()
    for row in (["民政核对结果"], head, *rows):
        workbook.active.append(row)
    out = io.BytesIO()
    workbook.save(out)
    return SimpleUploadedFile("结果.xlsx", out.getvalue())


def answer(request, user, *rows, make=as_csv, issued_on=TODAY):
    """Upload the answer and have it read; returns the request as it is then."""
    request = matching.receive(request, make(*rows), by=user, issued_on=issued_on)
    jobs.run_now(request.job)
    return MatchRequest.objects.get(pk=request.pk)


def row_of(person, **facts):
    cells = {"姓名": person.name, "身份证号": person.id_number, "核对结果": "一致"} | facts
    return [cells.get(head, "") for head in HEAD]


def results(request):
    return {row.asked.person.name: row.result for row in request.answers.select_related("asked__person")}


def sentences(act, *args, **facts):
    with pytest.raises(ValidationError) as refusal:
        act(*args, **facts)
    return " ".join(refusal.value.messages)


def people(case):
    return list(case.people.order_by("pk"))


# --- The list --------------------------------------------------------------------------------------------------------


def test_a_list_holds_those_who_authorised_and_says_who_is_left_out(case, tree, district):
    other = household(tree.sibling, sequence=21, name="李明", state="DATA_MATCH", authorised=False,
                      kin=[("SPOUSE", "赵敏")])  # fmt: skip
    consent = authorise(other.people.get(kin="SPOUSE"))
    consent.withdrawn_at = timezone.now()
    consent.save()
    household(tree.neighbour_enterprise, sequence=22, state="DATA_MATCH")
    household(tree.sibling, sequence=23, state="FILED")
    request = matching.ask(by=district, union=tree.district, purpose="APPLICATION")
    assert {each.person.name for each in request.asked.all()} == {"安建国", "王芳"}
    assert (request.people, request.cases) == (2, 1)
    assert matching.left_out_words(request.left_out) == [
        "1 person withdrew the authorisation and is left out.",
        "1 person has not authorised the check and is left out.",
    ]


def test_a_child_without_authorisation_is_not_missed(tree, district):
    case = household(tree.enterprise, state="DATA_MATCH")
    child = case.people.get()
    child.pk, child.uuid, child.kin, child.name = None, "0" * 32, "CHILD", "安小宝"
    child.id_number, child.born_on = number(5, "20190101"), date(2019, 1, 1)
    child.save()
    assert matching.ask(by=district, union=tree.district, purpose="APPLICATION").left_out == {}


def test_nobody_to_ask_about_is_said(tree, district):
    household(tree.enterprise, state="DATA_MATCH", authorised=False)
    said = sentences(matching.ask, by=district, union=tree.district, purpose="APPLICATION")
    assert "nobody to ask about" in said
    assert "1 person has not authorised" in said


def test_the_list_is_downloaded_in_clear_and_written_down(case, tree, district, client_of):
    client = client_of(district)
    client.post(reverse("match_new"), {"purpose": "APPLICATION", "union": tree.district.pk})
    request = MatchRequest.objects.get()
    content = client.post(reverse("match_download", args=[request.pk])).content
    rows = list(load_workbook(io.BytesIO(content)).active.values)
    assert rows[0] == matching.HEADERS
    assert [(row[4], row[5]) for row in rows[1:]] == [(each.name, each.id_number) for each in people(case)]
    assert rows[1][6] == "2025-03-02至2026-03-02"
    request.refresh_from_db()
    assert (request.state, request.sent_on) == ("SENT", TODAY)
    event = AuditEvent.objects.get(verb="assistance.export_match")
    assert event.changes["sha256"] == ["", request.sha256]
    assert people(case)[0].id_number not in str(vars(event))


def test_whoever_withdraws_is_taken_out_of_the_list(case, tree, district, client_of):
    request = matching.ask(by=district, union=tree.district, purpose="APPLICATION")
    Consent.objects.filter(of=people(case)[1]).update(withdrawn_at=timezone.now())
    rows = list(load_workbook(io.BytesIO(matching.download(request, by=district))).active.values)
    assert len(rows) == 2
    page = client_of(district).get(reverse("match_page", args=[request.pk])).content.decode()
    assert "1 person withdrew the authorisation and is left out." in page
    Consent.objects.update(withdrawn_at=timezone.now())
    assert "withdrew" in sentences(matching.download, request, by=district)


# --- The answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [as_csv, as_xlsx])
def test_an_answer_is_matched_and_nothing_of_it_is_kept(case, tree, district, make):
    first, second = people(case)
    stranger = ["过路人", number(77), "一致", "123456.78", "", "", ""]
    request = answer(
        asked(district, tree), district, row_of(first, 年收入="6000"), row_of(second, 姓名="王芬"), stranger, stranger,
        row_of(first, 年收入="9999"), ["坏号", "21040019850307", "", "", "", "", ""], make=make,
    )  # fmt: skip
    assert request.state == "ANSWERED"
    assert results(request) == {"安建国": "MATCH", "王芳": "MISMATCH"}
    assert request.counts == {
        "rows": 6, "unreadable": 1, "duplicates": 2, "strangers": 1, "MATCH": 1, "MISMATCH": 1, "back": 0,
    }  # fmt: skip
    assert request.valid_until == date(2027, 5, 20)
    assert not request.answer_file
    assert default_storage.listdir("matches")[1] == []
    assert not MatchNumber.objects.exists()
    row = MatchAnswer.objects.get(result="MISMATCH")
    assert matching.differences_of(row) == [("name", "王芳", "王芬")]
    assert "王芬" not in str(MatchAnswer.objects.values_list("differences").get(pk=row.pk))
    kept = str([vars(each) for each in [*AuditEvent.objects.all(), *Job.objects.all(), request]])
    assert "123456.78" not in kept
    assert number(77) not in kept
    assert AuditEvent.objects.get(verb="assistance.upload_match").reason


def test_who_is_not_in_the_answer_is_not_found(case, tree, district):
    first, second = people(case)
    request = answer(asked(district, tree), district, row_of(second, 核对结果="查无此人"))
    assert results(request) == {"安建国": "NOT_FOUND", "王芳": "NOT_FOUND"}
    assert first.name in results(request)


def test_of_two_rows_about_one_person_the_first_counts(case, tree, district):
    first, second = people(case)
    request = answer(
        asked(district, tree), district, row_of(first, 年收入="6000"), row_of(first, 年收入="1"), row_of(second)
    )
    assert results(request)["安建国"] == "MATCH"
    assert request.counts["duplicates"] == 1


def test_many_rows_are_read_in_chunks(case, tree, district, monkeypatch):
    monkeypatch.setattr("assistance.matching.CHUNK", 20)
    first, second = people(case)
    strangers = [[f"路人{place}", number(place, "19700101"), "一致", "", "", "", ""] for place in range(100, 190)]
    request = answer(asked(district, tree), district, *strangers, row_of(second), row_of(first, 年收入="6000"))
    assert request.counts["strangers"] == 90
    assert results(request) == {"安建国": "MATCH", "王芳": "MATCH"}


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (SimpleUploadedFile("结果.csv", "姓名,结果\n安建国,一致\n".encode()), "身份证号"),
        (SimpleUploadedFile("结果.csv", b"\x00\xff\xfe\x81\xff\n"), "neither"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why_and_can_be_given_again(
    case, tree, district, client_of, django_capture_on_commit_callbacks, upload, said
):
    request = matching.receive(asked(district, tree), upload, by=district, issued_on=TODAY)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.run_now(request.job)
    request = MatchRequest.objects.get(pk=request.pk)
    assert request.state == "SENT"
    assert said in request.message
    assert default_storage.listdir("matches")[1] == []
    assert said in client_of(district).get(reverse("match_page", args=[request.pk])).content.decode()
    assert answer(request, district, row_of(people(case)[0])).state == "ANSWERED"


def test_an_answer_is_refused_when_it_is_no_sheet_or_nobody_waits_for_it(case, tree, district):
    request = matching.ask(by=district, union=tree.district, purpose="APPLICATION")
    assert "waits for no answer" in sentences(matching.receive, request, as_csv(), by=district, issued_on=TODAY)
    assert default_storage.listdir("matches")[1] == []
    matching.download(request, by=district)
    tomorrow = TODAY + timedelta(days=1)
    assert "future" in sentences(matching.receive, request, as_csv(), by=district, issued_on=tomorrow)
    with pytest.raises(SheetRefused):
        matching.receive(request, SimpleUploadedFile("结果.pdf", b"%PDF"), by=district, issued_on=TODAY)


def test_a_sheet_of_more_rows_than_are_taken_is_refused(case, tree, district, monkeypatch):
    monkeypatch.setattr("assistance.matching.MOST_ROWS", 2)
    first, second = people(case)
    request = answer(asked(district, tree), district, row_of(first), row_of(second), row_of(second))
    assert "more than 2 rows" in request.message


def test_a_job_run_twice_doubles_nothing(case, tree, district):
    request = matching.receive(asked(district, tree), as_csv(row_of(people(case)[0])), by=district, issued_on=TODAY)
    jobs.run_now(request.job)
    Job.objects.filter(pk=request.job_id).update(state="waiting", finished_at=None)
    jobs.run_now(Job.objects.get(pk=request.job_id))
    assert MatchAnswer.objects.count() == 2
    assert AuditEvent.objects.filter(verb="assistance.answer_match").count() == 1


def test_the_keys_being_renewed_no_answer_is_taken(case, tree, district, settings):
    request = asked(district, tree)
    settings.INDEX_KEYS = f"{settings.INDEX_KEYS},t0:dGVzdHMgc2VhbCB3aXRoIHRoaXMga2V5LCAzMmJ5dGU="
    assert "keys are being renewed" in sentences(matching.receive, request, as_csv(), by=district, issued_on=TODAY)


# --- Comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        ({}, []), ({"年收入": "6000.00"}, []), ({"年收入": "6,000"}, []), ({"年收入": "6000.01"}, ["income"]),
        ({"年收入": "很多"}, ["income"]), ({"房产套数": "1套"}, []), ({"房产套数": "2"}, ["homes"]),
        ({"车辆": "无"}, []), ({"车辆": "1"}, ["cars"]), ({"车辆": "有"}, ["cars"]), ({"姓名": "安 建国"}, []),
        ({"姓名": "安建军"}, ["name"]),
        ({"核对结果": "不一致"}, ["result"]), ({"姓名": "", "低保": "是"}, []),
    ],
)  # fmt: skip
def test_what_is_found_is_compared_with_what_was_declared(case, facts, fields):
    first, _second = people(case)
    cells = dict(zip(HEAD, row_of(first, **facts), strict=True))
    names = ["身份证号", "姓名", "核对结果", "年收入", "房产套数", "车辆", "企业", "低保"]
    found = Found.of([cells.get(name, "") for name in names])
    assert [each["field"] for each in compare(found, first, case, Decimal(6000))] == fields


def test_a_declared_car_is_no_difference(case):
    case.flags = ["CAR", "BUSINESS"]
    found = Found.of(["", "", "", "", "", "1", "2", ""])
    assert compare(found, people(case)[0], case, Decimal(0)) == []


# --- What a case asks ------------------------------------------------------------------------------------------------


def test_a_case_says_why_its_match_is_not_done(case, tree, district, clock):
    first, second = people(case)
    assert matching.why_not_done(case) == "The result of civil affairs is missing for 2 people."
    request = answer(asked(district, tree), district, row_of(first, 年收入="90000"), row_of(second))
    assert matching.why_not_done(case) == "1 difference waits for its explanation."
    row = request.answers.get(result="MISMATCH")
    matching.explain(row, by=district, text="奖金在上一年度发放，有银行流水。", upheld=False)
    assert matching.why_not_done(case) == ""
    clock.move_to(timezone.make_aware(datetime(2027, 5, 20, 9)))
    assert matching.why_not_done(case) == ""
    clock.move_to(timezone.make_aware(datetime(2027, 5, 21, 9)))
    assert "expired" in matching.why_not_done(case)


def test_a_difference_that_holds_gives_the_case_back(case, tree, district):
    first, second = people(case)
    request = answer(asked(district, tree), district, row_of(first, 车辆="1"), row_of(second))
    row = request.answers.get(result="MISMATCH")
    matching.explain(row, by=district, text="本人承认名下有轿车一辆。", upheld=True)
    assert "give the case back" in matching.why_not_done(case)
    answer(asked(district, tree), district, row_of(first), row_of(second))
    assert matching.why_not_done(case) == ""


def test_a_case_of_whom_all_agrees_has_nothing_against_it(tree, district):
    case = household(tree.enterprise, state="DATA_MATCH", authorised=False, kin=[("SPOUSE", "王芳")])
    assert matching.why_not_done(case)
    matched(case, district)
    assert matching.why_not_done(case) == ""


def test_a_withdrawn_authorisation_stops_the_match(case):
    Consent.objects.filter(of=people(case)[1]).update(withdrawn_at=timezone.now())
    assert "1 person of the household has not authorised" in matching.why_not_done(case)


def test_the_results_expire_as_a_duty_of_the_case(case, tree, district):
    answer(asked(district, tree), district)
    assert Deadline.objects.of(case).open().get().due == date(2027, 5, 20)
    answer(asked(district, tree), district, issued_on=TODAY - timedelta(days=9))
    assert Deadline.objects.of(case).open().get().trigger == TODAY - timedelta(days=9)


# --- Explaining ------------------------------------------------------------------------------------------------------


def test_a_difference_is_explained_once_in_a_sentence(case, tree, district, client_of):
    first, second = people(case)
    request = answer(asked(district, tree), district, row_of(first, 年收入="90000"), row_of(second))
    url = reverse("match_explain", args=[request.answers.get(result="MISMATCH").pk])
    client = client_of(district)
    page = client.get(url).content.decode()
    assert "6000.00" in page
    assert "90000.00" in page
    assert "Explain it in a sentence" in client.post(url, {"text": "无", "upheld": "no"}).content.decode()
    facts = {"text": "奖金在上一年度发放，有银行流水。", "upheld": "no"}
    assert client.post(url, facts).status_code == 302
    row = MatchAnswer.objects.get(result="MISMATCH")
    assert (row.upheld, row.explained_by) == (False, district)
    assert "奖金" not in str(vars(AuditEvent.objects.get(verb="assistance.explain_match")))
    assert "explained already" in sentences(matching.explain, row, by=district, text=facts["text"], upheld=True)
    agreed = request.answers.get(result="MATCH")
    assert "no difference" in sentences(matching.explain, agreed, by=district, text=facts["text"], upheld=True)


# --- Back in hardship ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "back"),
    [
        ({"年收入": "5000"}, True), ({"年收入": "200000"}, False), ({"年收入": "200000", "低保": "是"}, True),
        ({}, False),
    ],
)  # fmt: skip
def test_households_that_exited_are_screened_by_the_same_answer(tree, district, client_of, facts, back):
    case = household(tree.enterprise, state="MONITORED", wage=100_000)
    request = answer(asked(district, tree, "RETURN"), district, row_of(people(case)[0], **facts))
    assert request.answers.get().back is back
    assert request.counts["back"] == int(back)
    page = client_of(district).get(f"{reverse('match_page', args=[request.pk])}?box=BACK").content.decode()
    assert (f"/hardship/{case.pk}/" in page) is back


def test_without_a_standard_the_screening_waits_and_says_which(tree, district):
    case = household(tree.enterprise, state="MONITORED")
    LivingStandard.objects.all().delete()
    request = answer(asked(district, tree, "RETURN"), district, row_of(people(case)[0], 年收入="1"))
    assert request.state == "SENT"
    assert "minimum living standard" in request.message


# --- Numbers put aside -----------------------------------------------------------------------------------------------


def test_numbers_put_aside_are_joined_and_gone(tree):
    household(tree.enterprise)
    register = f"SELECT id AS key, id_index FROM {Person._meta.db_table}"
    one = Person.objects.get()
    with bulk.aside(MatchNumber):
        numbers = Numbers()
        numbers.put([(7, number(500)), (8, one.id_number), (9, one.id_number)])
        assert sorted(numbers.joined(register)) == [(one.pk, 8), (one.pk, 9)]
        assert (numbers.rows, numbers.different()) == (3, 2)
        assert MatchNumber.objects.count() == 3
    assert not MatchNumber.objects.exists()


def test_a_table_put_aside_is_gone_after_trouble_too(db):
    def in_trouble():
        with bulk.aside(MatchNumber):
            bulk.insert(MatchNumber, ("row", "id_index"), [(1, secrets.blind("id_number", "x"))])
            raise RuntimeError

    for _time in range(2):
        with pytest.raises(RuntimeError):
            in_trouble()
    assert not MatchNumber.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {MatchNumber._meta.db_table}")
        assert cursor.fetchone() == (0,)


# --- Who may ---------------------------------------------------------------------------------------------------------


def test_who_only_sees_cases_reads_lists_and_changes_nothing(case, tree, district, auditor, enterprise, client_of):
    request = asked(district, tree)
    page = reverse("match_page", args=[request.pk])
    assert client_of(auditor).get(page).status_code == 200
    assert client_of(enterprise).get(page).status_code == 404
    for name in ("match_download", "match_answer"):
        assert client_of(auditor).post(reverse(name, args=[request.pk])).status_code == 403


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_of_a_list_asks_as_often_for_three_results_as_for_one(
    tree, district, client_of, django_assert_num_queries, rows
):
    for place in range(rows):
        household(tree.enterprise, sequence=30 + place, state="DATA_MATCH")
    request = answer(asked(district, tree), district)
    client = client_of(district)
    page = reverse("match_page", args=[request.pk])
    client.get(page)
    with django_assert_num_queries(5):
        assert client.get(page).status_code == 200


def test_a_list_is_not_made_of_cases_out_of_reach(case, tree, district, client_of):
    posted = {"purpose": "APPLICATION", "union": tree.city.pk}
    page = client_of(district).post(reverse("match_new"), posted)
    assert page.status_code == 200
    assert not MatchRequest.objects.exists()


def test_the_answer_is_uploaded_on_its_page(case, tree, district, client_of):
    request, client = asked(district, tree), client_of(district)
    url = reverse("match_answer", args=[request.pk])
    assert "required" in client.post(url, {}).content.decode() or client.post(url, {}).status_code == 200
    pdf = SimpleUploadedFile("结果.pdf", b"%PDF")
    assert "Only workbooks" in client.post(url, {"file": pdf, "issued_on": "2026-11-20"}).content.decode()
    posted = {"file": as_csv(row_of(people(case)[0])), "issued_on": "2026-11-20"}
    assert client.post(url, posted).status_code == 302
    jobs.run_now(MatchRequest.objects.get().job)
    page = client.get(reverse("match_page", args=[request.pk])).content.decode()
    assert "not found 1" in page
    case_page = client.get(reverse("hardship_page", args=[case.pk])).content.decode()
    assert "valid until 2027-05-20" in case_page

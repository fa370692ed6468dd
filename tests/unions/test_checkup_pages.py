"""The pages of the checkup: what they say and to whom, what a click does, and what they cost."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from core import charts, examination, exports, findings, jobs
from core.models import AuditEvent, CheckupCount, CheckupDay, Finding, Job
from tests.sound import FAULTS, enrolled, sound

pytestmark = pytest.mark.django_db
LIST = "/checkup/findings/"


@pytest.fixture
def whole(tree):
    return sound(tree)


def examine(union):
    examination.examine(union, today=timezone.localdate())


def seeded(whole, *codes):
    for code in codes:
        FAULTS[code](whole)
    examine(whole.city)


def test_the_overview_counts_what_was_found_and_what_was_looked_at(whole, city, client_of):
    seeded(whole, "NO_PHONE", "DECEASED_ON_ROLL", "UNION_NO_HEADCOUNT")
    context = client_of(city).get("/checkup/").context
    assert [(line["check"].code, line["found"], line["looked_at"]) for line in context["found"]] == [
        ("DECEASED_ON_ROLL", 1, 4), ("NO_PHONE", 1, 4), ("UNION_NO_HEADCOUNT", 1, 8)
    ]  # fmt: skip
    assert (context["wrong"], context["missing"], context["aside"], context["members"]) == (1, 2, 0, 4)
    unclear = {line["check"].code: line["unclear"] for line in context["unclear"]}
    assert unclear == {"SAME_PHONE": 1, "EMPLOYEES_BELOW_MEMBERS": 1, "FIGURES_DISAGREE": 1}
    assert [count.union for count in context["below"]] == [whole.district]


def test_the_overview_of_a_union_in_my_reach_and_of_no_other(whole, street, client_of):
    seeded(whole, "NO_PHONE")
    client = client_of(street)
    assert client.get("/checkup/").context["union"] == whole.street
    assert client.get(f"/checkup/?union={whole.enterprise.pk}").context["union"] == whole.enterprise
    for other in (whole.city, whole.other_street):
        assert client.get(f"/checkup/?union={other.pk}").status_code == 404
    assert client.get("/checkup/?union=-1").context["union"] == whole.street


def test_before_the_first_checkup_the_page_says_so(whole, city, client_of):
    response = client_of(city).get("/checkup/")
    assert response.context["last"] is None
    assert response.context["found"] == []


@pytest.mark.parametrize("url", [LIST, "/checkup/unions/"])
def test_an_empty_list_is_not_taken_for_a_clean_one_before_the_first_checkup(whole, district, client_of, url):
    client = client_of(district)
    assert "没有发现问题" not in client.get(url).content.decode()
    client.post(reverse("union_checkup", args=[whole.district.pk]))
    jobs.run_now(Job.objects.get())
    Finding.objects.all().delete()
    CheckupCount.objects.all().delete()
    assert "没有发现问题" in client.get(url).content.decode()


def test_only_who_may_check_is_told_to_check_now(whole, city, auditor, client_of):
    assert "立即检查" in client_of(city).get("/checkup/").content.decode()
    assert "立即检查" not in client_of(auditor).get("/checkup/").content.decode()


def test_numbers_are_compared_with_those_of_a_month_ago(whole, city, client_of):
    today = timezone.localdate()
    for days, below in ((60, 9), (31, 5), (3, 7)):
        CheckupDay.objects.create(union=whole.city, code="NO_PHONE", day=today - timedelta(days=days), below=below)
    seeded(whole, "NO_PHONE")
    [line] = client_of(city).get("/checkup/").context["found"]
    assert line["change"] == 1 - 5


def test_the_list_opens_with_the_gravest(whole, city, client_of):
    seeded(whole, "UNION_NO_HEADCOUNT", "NO_PHONE", "DECEASED_ON_ROLL", "UNION_TERM_OVERDUE")
    Finding.objects.create(code="NO_CHECK_ANY_MORE", union=whole.city, subject_id=1, since=date(2026, 11, 1))
    ranks = [record.gravity for record in client_of(city).get(LIST).context["table"].data.data]
    assert ranks == sorted(ranks)
    assert set(ranks) == {1, 2, 3}


def test_a_finding_leads_to_the_field_that_mends_it(whole, city, client_of):
    seeded(whole, "NO_PHONE")
    page = client_of(city).get(LIST).content.decode()
    assert f'href="{reverse("member_edit", args=[whole.members[0].pk])}#id_phone"' in page
    assert f'href="{reverse("member_page", args=[whole.members[0].pk])}"' in page


def test_an_auditor_sees_findings_and_no_way_to_mend_them(whole, auditor, client_of):
    seeded(whole, "DECEASED_ON_ROLL")
    client = client_of(auditor)
    [finding] = client.get(LIST).context["table"].data
    assert [str(mend.label) for mend, _url in finding.offers] != []
    assert all(url for _mend, url in finding.offers)  # he may look, nothing else
    assert not finding.may_aside
    client.post(reverse("finding_mend", args=[finding.pk]), {"mend": "End the membership"})
    assert Finding.objects.exists()
    assert client.post(reverse("finding_again", args=[finding.pk])).status_code == 403


def test_one_click_mends_and_returns_to_the_list_as_it_was(whole, city, client_of):
    seeded(whole, "DECEASED_ON_ROLL")
    client = client_of(city)
    [finding] = client.get(f"{LIST}?check=DECEASED_ON_ROLL").context["table"].data
    label = next(str(mend.label) for mend, url in finding.offers if not url)
    response = client.post(
        reverse("finding_mend", args=[finding.pk]), {"mend": label, "back": "check=DECEASED_ON_ROLL"}
    )
    assert response.url == f"{LIST}?check=DECEASED_ON_ROLL"
    assert not Finding.objects.exists()
    whole.members[0].refresh_from_db()
    assert whole.members[0].state == "DECEASED"
    assert AuditEvent.objects.filter(verb="members.record_death_membership", actor_name=str(city)).count() <= 1


def test_what_is_sent_along_leads_nowhere_else(whole, city, client_of):
    seeded(whole, "NO_PHONE")
    finding = Finding.objects.get()
    client = client_of(city)
    for back in ("//evil.example", "https://evil.example/?a=b", "\r\nSet-Cookie: a=b"):
        response = client.post(reverse("finding_again", args=[finding.pk]), {"back": back})
        assert response.url.startswith(LIST)
        assert "\n" not in response.url


def test_looking_again_says_whether_it_is_in_order(whole, city, client_of):
    seeded(whole, "NO_GROUP")
    finding, client = Finding.objects.get(), client_of(city)
    client.post(reverse("finding_again", args=[finding.pk]))
    assert Finding.objects.exists()
    whole.members[0].occupation_group = "COURIER"
    whole.members[0].save()
    client.post(reverse("finding_again", args=[finding.pk]))
    assert not Finding.objects.exists()


def test_setting_aside_by_the_form(whole, city, client_of):
    seeded(whole, "NO_PHONE")
    finding, client = Finding.objects.get(), client_of(city)
    url = reverse("finding_aside", args=[finding.pk])
    for faulty in ({}, {"until": "2026-99-99", "reason": "x"}, {"until": "2019-01-01", "reason": "没有手机"}):
        response = client.post(url, faulty)
        assert response.status_code == 200
        assert response.context["form"].errors
    until = timezone.localdate() + timedelta(days=30)
    response = client.post(url, {"until": until.isoformat(), "reason": "没有手机", "back": "check=NO_PHONE"})
    assert response.url == f"{LIST}?check=NO_PHONE"
    assert client.get("/checkup/").context["aside"] == 1
    assert len(client.get(LIST).context["table"].data) == 1  # never hidden
    assert len(client.get(f"{LIST}?aside=to_do").context["table"].data) == 0
    assert len(client.get(f"{LIST}?aside=aside").context["table"].data) == 1
    client.post(url, {"take_back": "1"})
    assert client.get("/checkup/").context["aside"] == 0


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("check=NO_PHONE", ["NO_PHONE"]),
        ("kind=wrong", ["DECEASED_ON_ROLL"]),
        ("kind=missing", ["NO_PHONE", "UNION_NO_HEADCOUNT"]),
        ("gravity=1", ["DECEASED_ON_ROLL"]),
        ("gravity=3", ["UNION_NO_HEADCOUNT"]),
        ("check=NO_SUCH", []),
    ],
)
def test_the_list_is_narrowed(whole, city, client_of, query, codes):
    seeded(whole, "NO_PHONE", "DECEASED_ON_ROLL", "UNION_NO_HEADCOUNT")
    table = client_of(city).get(f"{LIST}?{query}").context["table"]
    assert sorted(finding.code for finding in table.data) == codes


def test_a_finding_whose_record_is_gone_is_still_shown(whole, city, client_of):
    Finding.objects.create(code="NO_PHONE", union=whole.street, subject_id=10**9, since=date(2026, 1, 1))
    assert client_of(city).get(LIST).status_code == 200


def test_checking_now_is_a_job(whole, district, client_of):
    client = client_of(district)
    assert client.post(reverse("union_checkup", args=[whole.district.pk])).status_code == 302
    client.post(reverse("union_checkup", args=[whole.district.pk]))
    job = Job.objects.get()
    assert client.get("/checkup/").context["running"] == job
    jobs.run_now(job)
    assert client.get("/checkup/").context["last"] == job
    assert client.post(reverse("union_checkup", args=[whole.city.pk])).status_code == 404


def test_the_desk_and_the_unions_page_tell_of_it(whole, street, client_of):
    seeded(whole, "NO_PHONE", "UNION_NO_HEADCOUNT")
    client = client_of(street)
    assert [number for _badge, _label, number in client.get("/").context["findings"]] == [1, 1]
    told = client.get(reverse("union_page", args=[whole.enterprise.pk])).context["checkup"]
    assert told["total"] == 2
    assert [check.code for check, _number in told["lines"]] == ["NO_PHONE", "UNION_NO_HEADCOUNT"]


def test_findings_are_exported(whole, city):
    seeded(whole, "NO_PHONE", "UNION_NO_HEADCOUNT")
    export = exports.ask("findings", by=city, query="", purpose="整改")
    jobs.run_now(export.job)
    export.refresh_from_db()
    with exports.open_file(export, by=city) as file:
        rows = list(load_workbook(file).active.values)
    head = next(place for place, row in enumerate(rows) if row[0] == "工会代码")
    assert [row[2] for row in rows[head + 1 :]] == [str(whole.members[0].person), whole.enterprise.name]
    assert len(rows[head]) == 10


# --- What it costs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("url", "queries"), [("/checkup/", 10), ("/checkup/unions/", 6), (LIST, 7)])
def test_pages_cost_the_same_at_any_number(whole, city, client_of, django_assert_num_queries, rows, url, queries):
    for draw in range(rows):
        membership = enrolled((whole.enterprise, whole.sibling, whole.neighbour_enterprise)[draw], 60 + draw)
        membership.joined_on = None
        membership.save()
    examine(whole.city)
    client = client_of(city)
    client.get(url)
    with django_assert_num_queries(queries):
        assert client.get(url).status_code == 200


# --- The chart -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "top"),
    [(0, 2), (2, 2), (3, 4), (5, 10), (10, 10), (11, 20), (21, 40), (99, 100), (1_000_001, 2_000_000)],
)
def test_an_axis_ends_at_a_round_even_number(number, top):
    assert charts.ceiling(number) == top


def test_a_line_lies_within_its_drawing():
    days = [(date(2026, 11, day), day * 7 % 13) for day in range(1, 21)]
    drawn = charts.line(days)
    points = [tuple(map(float, point.split(","))) for point in drawn.points.split()]
    assert len(points) == 20
    assert all(drawn.left <= x <= drawn.right and 0 <= y <= drawn.bottom for x, y in points)
    assert [tick.says for tick in drawn.grid] == [0, 10, 20]
    assert charts.line(days[:1]) is None


def test_the_trend_ends_with_what_is_counted_now(whole, city, client_of):
    today = timezone.localdate()
    CheckupDay.objects.create(union=whole.city, code="", day=today - timedelta(days=20), below=4)
    seeded(whole, "NO_PHONE")
    finding = Finding.objects.get()
    findings.set_aside(finding, by=city, until=today + timedelta(days=5), reason="没有手机")
    context = client_of(city).get("/checkup/").context
    assert context["fortnights"][0] == (today, 0, -4)

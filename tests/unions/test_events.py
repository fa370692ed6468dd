"""What happens to a union between two elections: by-election, replacement, extension, removal, name, certificate."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from core import reminders
from core.models import AuditEvent, Deadline, Reminder
from tests.unions.test_actions import TODAY, blamed, elect
from unions import actions, duties, events, offices
from unions.models import Officer, Union, UnionEvent
from unions.terms import Term, TermState

CHAIR = {"position": "CHAIR", "name": "张三"}


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(f"{TODAY}T10:00:00+08:00", tick=False)


def kinds(union):
    return list(union.events.order_by("id").values_list("kind", flat=True))


def deadlines(rule, **conditions):
    return list(Deadline.objects.filter(rule__code=rule, **conditions).order_by("id").values_list("state", "natural"))


def chair(union):
    return Officer.objects.in_office().get(committee__union=union, position="CHAIR")


# --- Founding and election ------------------------------------------------------------------------------------


def test_founding_and_election_are_events(tree, street):
    union = actions.found_union(
        by=street, parent=tree.street, code="T0101003", name="云河新厂工会", kind="ENTERPRISE",
        founded_on=date(2024, 1, 1), approval_no="滨工〔2024〕3号",
    )  # fmt: skip
    elect(union, street, officers=[CHAIR])
    assert kinds(union) == ["FOUNDING", "ELECTION"]
    said = [(entry.day, entry.title, entry.note) for entry in events.timeline(union)]
    assert [day for day, _title, _note in said] == [date(2024, 5, 1), date(2024, 1, 1)]
    assert "滨工〔2024〕3号" in said[1][2]


def test_timeline_of_an_imported_union_tells_what_its_rows_say(tree):
    tree.enterprise.founded_on = date(2019, 1, 1)
    tree.enterprise.committees.create(elected_on=date(2022, 1, 1), term_years=3, term_ends_on=date(2025, 1, 1))
    assert [entry.day for entry in events.timeline(tree.enterprise)] == [date(2022, 1, 1), date(2019, 1, 1)]


# --- The chair ------------------------------------------------------------------------------------------------


def test_chair_who_leaves_is_to_be_replaced_within_three_months(tree, street):
    elect(tree.enterprise, street, officers=[CHAIR])
    actions.end_officer(chair(tree.enterprise), by=street, on=date(2026, 10, 31), reason="调动")
    [(state, natural)] = deadlines(duties.CHAIR)
    assert (state, natural) == ("open", date(2027, 1, 31))
    [vacant] = events.vacancies(tree.enterprise.committee)
    officer = offices.by_elect(
        tree.enterprise, by=street, predecessor=vacant, name="李四", on=date(2026, 11, 10), entitled=101, in_favour=51,
        approval_no="滨工〔2026〕8号",
    )  # fmt: skip
    assert officer == chair(tree.enterprise)
    assert deadlines(duties.CHAIR) == [("met", date(2027, 1, 31))]
    assert events.vacancies(tree.enterprise.committee) == []
    event = UnionEvent.objects.get(kind="BY_ELECTION")
    assert (event.officer, event.on, event.facts["entitled"], event.facts["in_favour"]) == (
        officer, date(2026, 11, 10), 101, 51,
    )  # fmt: skip


@pytest.mark.parametrize(("entitled", "in_favour"), [(100, 50), (101, 50), (10, 11), (2, 1)])
def test_by_election_needs_more_than_half(tree, street, entitled, in_favour):
    elect(tree.enterprise, street, officers=[CHAIR])
    actions.end_officer(chair(tree.enterprise), by=street, on=date(2026, 10, 31))
    with pytest.raises(ValidationError) as refusal:
        offices.by_elect(
            tree.enterprise, by=street, predecessor=Officer.objects.get(), name="李四", on=date(2026, 11, 10),
            entitled=entitled, in_favour=in_favour,
        )  # fmt: skip
    assert blamed(refusal) == ["in_favour"]


def test_by_election_fills_an_office_once(tree, street):
    elect(tree.enterprise, street, officers=[{"position": "MEMBER", "name": "张三"}])
    left = actions.end_officer(Officer.objects.get(), by=street, on=date(2026, 10, 31))
    facts = {"by": street, "predecessor": left, "on": date(2026, 11, 10), "entitled": 10, "in_favour": 9}
    offices.by_elect(tree.enterprise, name="李四", **facts)
    with pytest.raises(ValidationError) as refusal:
        offices.by_elect(tree.enterprise, name="王五", **facts)
    assert blamed(refusal) == ["predecessor"]
    assert offices.why_no_by_election(Union.objects.get(pk=tree.enterprise.pk))


def test_replacement_ends_the_office_and_fills_it_on_the_same_day(tree, street):
    elect(tree.enterprise, street, officers=[CHAIR])
    old = chair(tree.enterprise)
    new = offices.replace_officer(old, by=street, name="李四", on=date(2026, 11, 1), reason="调动")
    old.refresh_from_db()
    assert (old.ended_on, new.started_on, new.position) == (date(2026, 11, 1), date(2026, 11, 1), "CHAIR")
    assert deadlines(duties.CHAIR) == [("met", date(2027, 2, 1))]
    assert kinds(tree.enterprise) == ["ELECTION", "REPLACEMENT"]


def test_next_election_meets_the_vacancy(tree, street):
    elect(tree.enterprise, street, officers=[CHAIR])
    actions.end_officer(chair(tree.enterprise), by=street, on=date(2026, 10, 31))
    elect(tree.enterprise, street, day=date(2026, 11, 15), officers=[CHAIR])
    assert deadlines(duties.CHAIR) == [("met", date(2027, 1, 31))]


# --- Removal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entitled", "in_favour", "removed"), [(200, 101, True), (200, 100, False), (201, 101, True), (201, 100, False)]
)
def test_removal_needs_more_than_half_of_all_entitled(tree, street, entitled, in_favour, removed):
    elect(tree.enterprise, street, officers=[CHAIR])
    facts = {"by": street, "on": TODAY, "entitled": entitled, "in_favour": in_favour, "reason": "严重失职"}
    if removed:
        officer = offices.remove_officer(Officer.objects.get(), **facts)
        assert officer.ended_on == TODAY
        assert kinds(tree.enterprise) == ["ELECTION", "REMOVAL"]
        assert deadlines(duties.CHAIR, state="open")
        return
    with pytest.raises(ValidationError) as refusal:
        offices.remove_officer(Officer.objects.get(), **facts)
    [sentence] = refusal.value.message_dict["in_favour"]
    assert all(str(figure) in sentence for figure in (entitled, in_favour, 101, 18))
    assert Officer.objects.in_office().count() == 1


# --- Extension ------------------------------------------------------------------------------------------------


def test_extension_moves_the_end_of_the_term_and_its_reminders(tree, street):
    elect(tree.enterprise, street, day=date(2023, 11, 10))
    assert Term(tree.enterprise.committee.serves_until, TODAY).state == TermState.OVERDUE
    committee = offices.extend_term(
        tree.enterprise, by=street, until=date(2027, 3, 31), approval_no="滨工〔2026〕9号", reason="企业重组"
    )
    assert Term(committee.serves_until, TODAY).state == TermState.SOON
    assert deadlines("UNION_TERM_3Y") == [("waived", date(2026, 11, 10))]
    assert deadlines(duties.EXTENDED) == [("open", date(2027, 3, 31))]
    listed = Union.objects.with_term().get(pk=tree.enterprise.pk)
    assert (listed.term_ends_on, listed.extended_until) == (date(2027, 3, 31), date(2027, 3, 31))
    elect(tree.enterprise, street, day=TODAY)
    assert deadlines(duties.EXTENDED) == [("met", date(2027, 3, 31))]


def test_extension_is_reminded_by_its_own_end(tree, street, time_machine):
    elect(tree.enterprise, street, day=date(2023, 11, 10))
    offices.extend_term(tree.enterprise, by=street, until=date(2027, 3, 31), approval_no="9", reason="重组")
    time_machine.move_to("2027-03-02T10:00:00+08:00", tick=False)
    reminders.send(timezone.now())
    assert {row.stage for row in Reminder.objects.all()} == {"3M", "1M"}
    assert {row.rule_code for row in Reminder.objects.all()} == {duties.EXTENDED}


@pytest.mark.parametrize(
    ("until", "field"), [(date(2027, 5, 11), "until"), (date(2026, 11, 10), "until")], ids=["too long", "no extension"]
)
def test_extension_outside_the_rule_refused(tree, street, until, field):
    elect(tree.enterprise, street, day=date(2023, 11, 10))
    with pytest.raises(ValidationError) as refusal:
        offices.extend_term(tree.enterprise, by=street, until=until, approval_no="9")
    assert blamed(refusal) == [field]


def test_extension_needs_an_approval_and_comes_once(tree, street):
    elect(tree.enterprise, street, day=date(2023, 11, 10))
    with pytest.raises(ValidationError) as refusal:
        offices.extend_term(tree.enterprise, by=street, until=date(2027, 5, 10), approval_no=" ")
    assert blamed(refusal) == ["approval_no"]
    offices.extend_term(tree.enterprise, by=street, until=date(2027, 5, 10), approval_no="9")
    with pytest.raises(ValidationError):
        offices.extend_term(tree.enterprise, by=street, until=date(2027, 5, 10), approval_no="9")


def test_corrected_election_keeps_an_extension_that_fits(tree, street):
    elect(tree.enterprise, street, day=date(2023, 11, 10))
    committee = offices.extend_term(tree.enterprise, by=street, until=date(2027, 3, 31), approval_no="9")
    facts = {"by": street, "term_years": 3, "number": 1, "reason": "笔误"}
    actions.correct_election(committee, elected_on=date(2023, 11, 1), **facts)
    assert deadlines(duties.EXTENDED, state="open") == [("open", date(2027, 3, 31))]
    assert UnionEvent.objects.get(kind="ELECTION").on == date(2023, 11, 1)
    with pytest.raises(ValidationError) as refusal:
        actions.correct_election(committee, elected_on=date(2022, 11, 1), **facts)
    assert blamed(refusal) == ["elected_on"]


# --- Name and certificate -------------------------------------------------------------------------------------


def test_rename_keeps_the_old_name_findable_and_retitles_deadlines(tree, street, client_of):
    elect(tree.enterprise, street)
    old = tree.enterprise.name
    union = actions.rename_union(tree.enterprise, by=street, name="云河恒达智造有限公司工会", on=date(2026, 11, 1))
    assert Deadline.objects.open().get().title == union.name
    assert AuditEvent.objects.filter(verb="unions.rename_union").exists()
    client = client_of(street)
    assert union.name in client.get(reverse("union_list"), {"text": old[2:6]}).content.decode()
    assert union.name in client.post(reverse("search"), {"q": old[2:6]}, follow=True).content.decode()
    assert old in client.get(reverse("union_page", args=[union.pk])).content.decode()
    with pytest.raises(ValidationError):
        actions.rename_union(union, by=street, name=union.name, on=date(2026, 11, 2))


@pytest.fixture
def legal(tree):
    Union.objects.filter(pk=tree.enterprise.pk).update(legal_person=True)
    return tree.enterprise


def test_election_of_a_legal_person_asks_for_a_certificate(legal, street):
    elect(legal, street, day=date(2026, 11, 10))
    assert deadlines(duties.CERTIFICATE) == [("open", date(2026, 12, 10))]
    union = actions.record_certificate(
        legal, by=street, issued_on=TODAY, until=date(2029, 11, 10), number="辽工法证字第12号"
    )
    assert deadlines(duties.CERTIFICATE) == [("met", date(2026, 12, 10))]
    assert union.certificate_until == date(2029, 11, 10)
    assert kinds(union) == ["ELECTION", "CERTIFICATE"]


def test_election_within_a_certificate_that_covers_the_term_asks_for_none(legal, street):
    Union.objects.filter(pk=legal.pk).update(certificate_until=date(2030, 1, 1))
    elect(legal, street, day=date(2026, 11, 10))
    assert deadlines(duties.CERTIFICATE) == []


def test_name_address_and_chair_of_a_legal_person_ask_for_a_certificate(legal, street):
    Union.objects.filter(pk=legal.pk).update(certificate_until=date(2030, 1, 1))
    elect(legal, street, officers=[CHAIR])
    actions.rename_union(legal, by=street, name="云河恒达智造有限公司工会", on=date(2026, 11, 1))
    legal.refresh_from_db()
    actions.change_union(legal, by=street, version=legal.version, changes={"address": "云河市滨河区工业路1号"})
    offices.replace_officer(chair(legal), by=street, name="李四", on=date(2026, 11, 5), reason="调动")
    assert len(deadlines(duties.CERTIFICATE, state="open")) == 3
    legal.refresh_from_db()
    actions.change_union(legal, by=street, version=legal.version, changes={"legal_person": False})
    assert {state for state, _day in deadlines(duties.CERTIFICATE)} == {"void"}


def test_the_others_are_asked_for_none(tree, street):
    elect(tree.enterprise, street)
    assert deadlines(duties.CERTIFICATE) == []


# --- Pages ----------------------------------------------------------------------------------------------------


def test_the_desk_leads_to_the_certificate_and_the_by_election(legal, enterprise, street, client_of):
    elect(legal, street, day=date(2026, 11, 10), officers=[CHAIR])
    actions.end_officer(chair(legal), by=street, on=date(2026, 11, 15))
    desk = client_of(enterprise).get("/").content.decode()
    assert reverse("union_certificate", args=[legal.pk]) in desk
    assert reverse("by_election", args=[legal.pk]) in desk


def test_pages_record_what_was_typed(tree, street, client_of):
    elect(tree.enterprise, street, day=date(2023, 11, 10), officers=[CHAIR])
    client, pk = client_of(street), tree.enterprise.pk
    officer = chair(tree.enterprise)
    page = reverse("union_page", args=[pk])
    posts = [
        (reverse("committee_extend", args=[pk]), {"until": "2027-05-10", "approval_no": "9号", "reason": "重组"}),
        (
            reverse("officer_remove", args=[officer.pk]),
            {"on": "2026-11-18", "entitled": "30", "in_favour": "16", "reason": "失职"},
        ),
        (
            reverse("by_election", args=[pk]),
            {"predecessor": officer.pk, "name": "李四", "on": "2026-11-19", "entitled": "30", "in_favour": "20"},
        ),
        (reverse("union_rename", args=[pk]), {"name": "云河恒达智造有限公司工会", "on": "2026-11-20"}),
        (reverse("union_certificate", args=[pk]), {"issued_on": "2026-11-20", "until": "2028-01-01"}),
    ]
    for url, facts in posts:
        assert client.get(url).status_code == 200
        assert client.post(url, facts).url == page, url
    new = chair(tree.enterprise)
    url = reverse("officer_replace", args=[new.pk])
    assert client.post(url, {"name": "王五", "on": "2026-11-20", "reason": "病退"}).url == page
    assert kinds(tree.enterprise) == [
        "ELECTION", "EXTENSION", "REMOVAL", "BY_ELECTION", "RENAME", "CERTIFICATE", "REPLACEMENT",
    ]  # fmt: skip
    shown = client.get(page).content.decode()
    for words in ("王五", "云河恒达机械有限公司工会", "9号"):
        assert words in shown


def test_a_page_that_cannot_act_says_why_and_does_nothing(tree, street, client_of):
    client = client_of(street)
    for name in ("committee_extend", "by_election"):
        url = reverse(name, args=[tree.enterprise.pk])
        assert client.get(url).context["refusal"]
        assert '<form class="sheet' not in client.get(url).content.decode()
        assert client.post(url, {"until": "2027-05-10", "approval_no": "9", "reason": "—"}).status_code == 200
    assert not UnionEvent.objects.exists()


def test_a_vote_too_small_says_the_figures_beside_the_field(tree, street, client_of):
    elect(tree.enterprise, street, officers=[CHAIR])
    url = reverse("officer_remove", args=[chair(tree.enterprise).pk])
    response = client_of(street).post(url, {"on": "2026-11-18", "entitled": "30", "in_favour": "15", "reason": "失职"})
    assert "in_favour" in response.context["form"].errors
    assert Officer.objects.in_office().exists()

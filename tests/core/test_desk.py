"""The desk: everything that must be done and nothing else, overdue first, until it is met or waived."""

import random
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.counting import add_months
from core.models import Deadline, DeadlineRule, Reminder
from core.models.deadline import DeadlineState, Side


@pytest.fixture
def rule(db):
    return DeadlineRule.objects.order_by("code").first()


def owe(rule, union, days, number, **facts):
    """Write a deadline `days` from today about subject `number`."""
    day = timezone.localdate() + timedelta(days=days)
    defaults = {
        "rule": rule,
        "trigger": date(2020, 1, 1),
        "natural": day,
        "due": day,
        "earliest": day,
        "derivation": "because",
        "subject_type": "unions.committee",
        "subject_id": number,
        "title": f"duty {number}",
        "union": union,
        "side": Side.OURS,
    }
    return Deadline.objects.create(**defaults | facts)


def shown(response):
    return [duty["deadline"].pk for duty in response.context["duties"]]


def test_desk_orders_by_the_earlier_reading_then_by_key(tree, street, client_of, rule):
    chance = random.Random(5)
    rows = []
    for number in range(1, 41):
        union = chance.choice([tree.street, tree.enterprise, tree.sibling])
        row = owe(rule, union, 0, number)
        row.due = timezone.localdate() + timedelta(days=chance.randrange(-20, 20))
        row.other_due = chance.choice([None, row.due - timedelta(days=3), row.due + timedelta(days=3)])
        row.earliest = min(row.due, row.other_due or row.due)
        row.save()
        rows.append(row)
    expected = [pk for _day, pk in sorted((min(filter(None, (row.due, row.other_due))), row.pk) for row in rows)]
    assert shown(client_of(street).get("/")) == expected


def test_overdue_duty_stays_until_it_is_closed(tree, enterprise, client_of, rule):
    old = owe(rule, tree.enterprise, -4000, 1)
    client = client_of(enterprise)
    assert shown(client.get("/")) == [old.pk]
    for state in (DeadlineState.MET, DeadlineState.WAIVED, DeadlineState.VOID):
        Deadline.objects.filter(pk=old.pk).update(state=state, closed_on=date.today())
        assert shown(client.get("/")) == []


def test_few_duties_stand_in_one_list_and_many_by_kind(tree, street, client_of, rule):
    other = DeadlineRule.objects.order_by("code")[1]
    client = client_of(street)
    for number in range(10):
        owe(rule, tree.enterprise, number - 2, number)
    [kind] = client.get("/").context["kinds"]
    assert (kind["rule"], len(kind["first"]), kind["rest"]) == (None, 10, [])
    for number in range(4):
        owe(other, tree.enterprise, -3, 20 + number)
    page = client.get("/")
    kinds = page.context["kinds"]
    assert [(kind["rule"], kind["number"], kind["late"]) for kind in kinds] == [(other, 4, 4), (rule, 10, 2)]
    assert [(len(kind["first"]), len(kind["rest"])) for kind in kinds] == [(4, 0), (3, 7)]
    assert page.content.decode().count('<article class="duty">') == 14  # folded, not left out
    assert page.content.decode().count('<details class="folded">') == 1


def test_overdue_duties_are_never_crowded_out(tree, street, client_of, rule):
    for number in range(60):
        owe(rule, tree.enterprise, number + 1, number)
    late = owe(rule, tree.enterprise, -1, 100)
    response = client_of(street).get("/")
    assert shown(response)[0] == late.pk
    assert len(shown(response)) == 50
    assert response.context["more"] is True
    assert "共 " not in response.content.decode()  # nobody counted those further on
    assert (response.context["late"], response.context["soon"], response.context["all_shown"]) == (1, 3, True)


def test_desk_holds_own_and_unowned_duties_in_scope_and_no_others(tree, street, district, neighbour, client_of, rule):
    unowned, mine = owe(rule, tree.enterprise, 1, 1), owe(rule, tree.street, 2, 2, owner=street)
    owe(rule, tree.enterprise, 1, 3, owner=district)
    owe(rule, tree.neighbour_enterprise, 1, 4)
    owe(rule, tree.district, 1, 5)
    party = owe(rule, tree.enterprise, 3, 6, side=Side.PARTY)
    theirs = owe(rule, tree.enterprise, 3, 7, side=Side.THEIRS)
    response = client_of(street).get("/")
    assert shown(response) == [unowned.pk, mine.pk, party.pk]
    assert [row.pk for row in response.context["waiting"]] == [theirs.pk]
    assert len(shown(client_of(neighbour).get("/"))) == 1


def test_duty_leads_to_its_next_step_by_permission(tree, street, auditor, client_of, rule):
    owe(rule, tree.enterprise, 1, 1)
    assert [duty["url"] for duty in client_of(street).get("/").context["duties"]] == ["/unions/4/election/"]
    assert [duty["url"] for duty in client_of(auditor).get("/").context["duties"]] == ["/unions/4/"]


def test_only_an_overdue_duty_has_the_primary_button(tree, street, client_of, rule):
    owe(rule, tree.enterprise, 0, 1)
    client = client_of(street)
    assert client.get("/").content.decode().count("button primary") == 0
    owe(rule, tree.enterprise, -1, 2)
    owe(rule, tree.enterprise, -1, 3)
    assert client.get("/").content.decode().count("button primary") == 1


def test_desk_without_duties_says_so(nobody, client_of):
    response = client_of(nobody).get("/")
    assert response.status_code == 200
    assert shown(response) == []
    assert '<div class="empty">' in response.content.decode()


def test_menu_counts_what_is_late(tree, street, client_of, rule):
    client = client_of(street)
    assert '<span class="count late">' not in client.get("/").content.decode()
    for number in range(101):
        owe(rule, tree.enterprise, -1, number)
    assert '<span class="count late">99+' in client.get("/").content.decode()


def remind(deadline, stage):
    return Reminder.objects.create(
        deadline=deadline,
        rule_code=deadline.rule.code,
        subject_type=deadline.subject_type,
        subject_id=deadline.subject_id,
        trigger=deadline.trigger,
        stage=stage,
        union=deadline.union,
    )


def test_reminder_is_put_away_for_its_reader_alone(tree, street, district, client_of, rule):
    reminder = remind(owe(rule, tree.enterprise, 20, 1), "1M")
    reader, other = client_of(street), client_of(district)
    for _twice in range(2):
        response = reader.post(f"/reminders/{reminder.pk}/read/")
        assert (response.status_code, response["Location"]) == (302, "/")
    assert list(reader.get("/").context["reminders"]) == []
    assert list(other.get("/").context["reminders"]) == [reminder]
    assert reminder.reads.count() == 1


def test_foreign_reminder_does_not_exist(tree, neighbour, client_of, rule):
    reminder = remind(owe(rule, tree.enterprise, 20, 1), "1M")
    assert client_of(neighbour).post(f"/reminders/{reminder.pk}/read/").status_code == 404
    assert reminder.reads.count() == 0
    assert client_of(neighbour).get(f"/reminders/{reminder.pk}/read/").status_code == 405


@pytest.mark.parametrize("number", [1, 3])
def test_queries_do_not_grow_with_the_duties(tree, street, client_of, rule, number):
    for each in range(number):
        remind(owe(rule, tree.enterprise, 3, each), "1M")
        owe(rule, tree.enterprise, 3, 10 + each, side=Side.THEIRS)
    client = client_of(street)
    client.get("/")  # the first page of a session writes it
    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    assert len(queries) == 8  # user, roles, rules with reminders, duties, findings, waiting, reminders, late duties


def test_desk_tells_an_account_without_a_role_whom_to_ask(client_of, nobody, approver):
    said = "请联系本级工会的安全管理员分配"
    assert said in client_of(nobody).get("/").content.decode()
    assert said not in client_of(approver).get("/").content.decode()


def test_desk_keeps_a_term_out_of_sight_until_its_first_reminder(tree, client_of, street):
    rule = DeadlineRule.objects.get(code="UNION_TERM_5Y")  # reminded of six months before
    today = timezone.localdate()
    owe(rule, tree.enterprise, (add_months(today, 6) - today).days, 1)
    owe(rule, tree.enterprise, (add_months(today, 6) - today).days + 40, 2)
    owe(rule, tree.enterprise, -400, 3)
    assert [one["deadline"].subject_id for one in client_of(street).get("/").context["duties"]] == [3, 1]

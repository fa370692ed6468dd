"""The case page and its moves: each role sees its own step, a refusal keeps what was typed, strangers see nothing."""

import re

import pytest
from django.urls import reverse
from django.utils import translation

from assistance.models import HardshipCase, LivingStandard
from core.models import Deadline
from tests.assistance.cases import WAY, case_in, facts_of, go, publicity_is_over, staff, today
from tests.assistance.published import matched

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def people(tree):
    return staff(tree)


@pytest.fixture
def draft(tree):
    return case_in("DRAFT", tree.enterprise)


def page(client, case):
    return client.get(reverse("hardship_page", args=[case.pk])).content.decode()


def typed(name, case, **facts):
    """What a browser sends for the move `name`."""
    known = {"version": case.version, "move": name, "reason": "", **facts_of(name)} | facts
    if "names" in known:
        known["names"] = "\n".join(known["names"])
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in known.items()}


def send(client, name, case, **facts):
    return client.post(reverse("hardship_move", args=[case.pk]), typed(name, case, **facts))


def test_a_case_goes_the_whole_way_on_its_page(draft, people, client_of):
    case = draft
    for name, who in WAY:
        if name == "end_publicity":
            publicity_is_over(case)
        if name == "match":
            matched(case, people[who])
        client = client_of(people[who])
        assert f'name="move" value="{name}"' in page(client, case), name
        assert send(client, name, case).url == reverse("hardship_page", args=[case.pk]), name
        case.refresh_from_db()
    assert case.state == "FILED"
    told = page(client, case)
    assert "（12000−3000）÷12÷3＝250.00元" in told
    assert "-550.00" in told
    assert case.file.number in told


def test_the_page_tells_who_acts_next_by_when_and_what_happened(draft, people, client_of):
    case = go(draft, people, "visit")
    told = page(client_of(people["enterer"]), case)
    assert "Union cadre" in told
    assert Deadline.objects.of(case).open().get().derivation in told
    assert "visited on" in told
    assert "与申报一致" in told
    assert 'aria-current="step">appraisal' in told
    assert "What would be decided with these figures" in told


def test_what_was_found_is_not_for_those_who_only_read(draft, people, client_of, auditor):
    case = go(draft, people, "visit")
    told = page(client_of(auditor), case)
    assert "与申报一致" not in told
    assert "kept sealed" in told
    assert 'action="/hardship' not in told


def test_a_disabled_button_says_why(draft, people, client_of):
    draft.incomes.all().delete()
    told = page(client_of(people["enterer"]), draft)
    button = re.search(r'<button[^>]*aria-describedby="why-submit"[^>]*>', told)[0]
    assert "disabled" in button
    assert "Enter the income, or a line of 0" in told
    answer = send(client_of(people["enterer"]), "submit", draft)
    assert answer.status_code == 200
    assert "Enter the income, or a line of 0" in answer.content.decode()
    draft.refresh_from_db()
    assert draft.state == "DRAFT"


def test_a_waiting_decision_says_which_value_is_missing(draft, people, client_of):
    case = go(draft, people, "match")
    LivingStandard.objects.all().delete()
    told = page(client_of(people["decider"]), case)
    assert "The decision waits:" in told
    assert "There is no minimum living standard for" in told


def test_a_refused_visit_keeps_what_was_typed(draft, people, client_of):
    case = go(draft, people, "review")
    client = client_of(people["guest"])
    told = send(client, "visit", case, found="家中三口人，住房一套", names=[]).content.decode()
    assert "At least 2 people visit a household" in told
    assert "家中三口人，住房一套" in told
    told = send(client, "visit", case, on="昨天", found="家中三口人").content.decode()
    assert "Enter a date like 2019-03-05." in told
    assert "家中三口人" in told
    assert not case.visits.exists()


def test_a_reason_is_asked_for_and_holds_no_number(draft, people, client_of):
    case = go(draft, people, "submit")
    client = client_of(people["chair"])
    assert "This field is required." in send(client, "return_review", case).content.decode()
    told = send(client, "return_review", case, reason="见 210400198503070017").content.decode()
    assert "Write the reason without identity or phone numbers." in told
    assert send(client, "return_review", case, reason="缺少病历").status_code == 302


def test_a_step_that_somebody_else_made_meanwhile_is_told(draft, people, client_of):
    case = go(draft, people, "submit")
    stale = typed("review", case)
    go(case, people, "review", WAY[1:])
    client = client_of(people["chair"])
    answer = client.post(reverse("hardship_move", args=[case.pk]), stale, follow=True)
    assert "is not possible any more" in answer.content.decode()
    held = typed("withdraw", draft, reason="不再申请") | {"version": 1}
    answer = client_of(people["enterer"]).post(reverse("hardship_move", args=[case.pk]), held, follow=True)
    assert "Somebody changed this case while you were here" in answer.content.decode()


def test_applying_again_leads_to_the_new_cycle(draft, people, client_of):
    case = draft.make_move("withdraw", by=people["enterer"], reason="暂不申请")
    answer = send(client_of(people["enterer"]), "reenter", case, applied_on=today())
    new = HardshipCase.objects.get(cycle=2)
    assert answer.url == reverse("hardship_page", args=[new.pk])
    told = page(client_of(people["enterer"]), new)
    assert "earlier cycle" in told
    assert "later cycle" in page(client_of(people["enterer"]), case)


def test_a_move_that_is_none_leads_back(draft, people, client_of):
    assert send(client_of(people["enterer"]), "abracadabra", draft).status_code == 302


def test_a_neighbour_finds_nothing_and_no_right_is_refused(draft, people, neighbour, auditor, client_of):
    for client, status in ((client_of(neighbour), 404), (client_of(auditor), 403), (client_of(people["guest"]), 403)):
        assert send(client, "submit", draft).status_code == status
    assert client_of(neighbour).get(reverse("hardship_page", args=[draft.pk])).status_code == 404


def test_the_duty_stands_on_the_desk_with_the_name_and_leads_to_the_case(draft, people, client_of):
    go(draft, people, "submit")
    told = client_of(people["chair"]).get("/").content.decode()
    assert reverse("hardship_page", args=[draft.pk]) in told
    assert draft.membership.person.name in told

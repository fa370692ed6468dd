"""The demo's cases: in every state, by the moves' own ways, each decision replayed."""

from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from assistance import decisions
from assistance.eligibility import HELPED
from assistance.models import Decision, HardshipCase, HouseholdPerson
from assistance.moves import OPEN_STATES, HardshipState
from core.models import Deadline, User


@pytest.fixture
def seeded(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    call_command("seed_demo", stdout=StringIO())


def test_the_demo_has_cases_in_every_state_and_each_decision_is_reproduced(seeded, client_of):
    states = Counter(HardshipCase.objects.values_list("state", flat=True))
    assert set(states) == set(HardshipState)
    assert 140 <= sum(states.values()) <= 160
    assert Decision.objects.count() == sum(states[state] for state in ("FILED", "REVIEW", "MONITORED", "CLOSED"))
    assert set(Decision.objects.values_list("category", flat=True)) == set(HELPED)
    assert not list(decisions.replay())
    for case in HardshipCase.objects.prefetch_related("people", "steps"):
        steps = list(case.steps.all())[::-1]
        moments = [step.at for step in steps]
        assert moments == sorted(moments)
        assert not steps or moments[-1] <= timezone.now()
        assert {each.live for each in case.people.all()} == {case.state in OPEN_STATES}
        assert not steps or steps[-1].target == case.state or steps[-1].move == "reenter"
        clocks = Deadline.objects.of(case).open().count()
        assert clocks == (case.state not in ("DRAFT", "CLOSED", "REJECTED", "WITHDRAWN")), case.state
    assert HouseholdPerson.objects.filter(kin="SELF", person__isnull=True).count() == 0
    # Each account of the way finds something to do, and a page of every state opens.
    for username, state in (("chair", "UNION_REVIEW"), ("visitor", "HOME_VISIT"), ("approver", "CITY_APPROVAL")):
        assert HardshipCase.objects.visible_to(User.objects.get(username=username), "assistance.view_hardshipcase")
        assert HardshipCase.objects.filter(state=state).exists()
    client = client_of(User.objects.get(username="district"))
    seen = HardshipCase.objects.visible_to(User.objects.get(username="district"), "assistance.view_hardshipcase")
    for case in {case.state: case for case in seen}.values():
        assert client.get(reverse("hardship_page", args=[case.pk])).status_code == 200

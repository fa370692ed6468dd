"""Cases: every status × move × role is tried; what refuses a move is the sentence on its disabled button."""

from datetime import date
from types import SimpleNamespace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import translation

from assistance import publicity
from assistance.grants import HOLDING as GRANT_HOLDING
from assistance.models import Grant, HardshipCase, PaymentBatch
from assistance.moves import BEFORE_FILING
from config.management.commands import case_flows
from core.cases import CaseStep, MoveRefused, case_models
from core.conflicts import Conflict
from core.models import AuditEvent, User
from members.models import TRANSFER_OPEN, Erasure, Membership, MembershipState, Transfer, TransferState
from members.states import OPEN_STATES
from tests.assistance.cases import case_in, facts_of, publicity_is_over
from tests.assistance.published import matched
from tests.builders import grant_at, membership_at
from unions.models import Appointment
from unions.roles import GRANTS

DAY = date(2025, 3, 3)


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def membership_in(state, tree):
    membership = membership_at(tree.enterprise)
    membership.state = state
    if state not in OPEN_STATES:
        membership.ended_on = DAY
    if state == MembershipState.TRANSFER_PENDING:
        membership.state_before = MembershipState.RETAINED
    if state == MembershipState.DECEASED:
        membership.person.die(DAY)
    membership.save()
    return membership


def transfer_in(state, tree):
    pending = state in TRANSFER_OPEN
    membership = membership_in(MembershipState.TRANSFER_PENDING if pending else MembershipState.ACTIVE, tree)
    return Transfer.objects.create(
        membership=membership, from_union=tree.enterprise, to_union=tree.sibling, side="FROM", asked_on=DAY, state=state
    )


def erasure_in(state, tree):
    membership = membership_in(MembershipState.WITHDRAWN, tree)
    return Erasure.objects.create(
        person=membership.person, union=tree.enterprise, ground="REQUEST", requested_on=DAY, reason="本人申请",
        asked_on=DAY, state=state,
    )  # fmt: skip


def hardship_in(state, tree):
    case = case_in(state, tree.enterprise)
    if state == "PUBLICITY":
        publicity.begin(case, by=None)
        publicity_is_over(case)
    elif state == "DATA_MATCH":
        matched(case, User.objects.create(username="matcher"))
    return case


def grant_in(state, tree):
    grant = grant_at(tree.street)
    PaymentBatch.objects.create(pk=1, source=grant.source, serial=1, method=grant.method)
    if state in GRANT_HOLDING:
        grant.budget.enter("RESERVE", -grant.amount, by=None, grant=grant)
    if state == "PAID":
        grant.budget.enter("PAY", -grant.amount, by=None, grant=grant)
    grant.state, grant.batch_id = state, 1
    grant.save()
    return grant


BUILD = {
    Grant: grant_in, HardshipCase: hardship_in, Membership: membership_in, Transfer: transfer_in, Erasure: erasure_in,
}  # fmt: skip
FACTS = {
    "enter_batch": {"batch": 1},
    "retain": {"kind": "RETIRED", "since": DAY},
    "withdraw": {"requested_on": DAY, "on": DAY},
    "deem": {"dues_since": date(2024, 1, 1), "idle_since": date(2024, 1, 1), "admonished_on": DAY},
    "expel": {"decided_on": DAY, "decision_no": "工会〔2025〕3号"},
    "record_death": {"on": DAY},
}
CASES = [(model, state) for model in BUILD for state, _label in model._meta.get_field("state").choices]


@pytest.fixture
def officers(tree):
    """One officer for each role, at the union above both unions of every case."""
    people = {}
    for role in GRANTS:
        people[role] = User.objects.create(username=role)
        Appointment.objects.create(user=people[role], union=tree.street, role=role, valid_from=date(2020, 1, 1))
    return people


def test_every_case_model_is_walked():
    assert set(case_models()) == set(BUILD)
    for model in BUILD:
        assert issubclass(model.steps.rel.related_model, CaseStep)


@pytest.mark.parametrize(("model", "state"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_every_move_in_every_state_for_every_role(model, state, tree, officers):
    case = BUILD[model](state, tree)
    wrong = []
    for role, user in officers.items():
        offered = {offer.move.name: offer.refusal for offer in case.open_moves(user)}
        for move in model.MOVES:
            holds = not move.permission or move.permission in GRANTS[role].permissions
            fits = state in move.sources
            fits_now = fits and not (model is HardshipCase and move.name == "close" and state in BEFORE_FILING)
            expected = "denied" if not holds else "made" if fits_now else "refused"
            outcome = tried(case, move, user)
            if outcome != expected:
                wrong.append(f"{move.name} by {role}: {outcome}, expected {expected}")
            if (move.name in offered) != (bool(move.permission) and holds and fits):
                wrong.append(f"{move.name} to {role}: offered {move.name in offered}")
    assert wrong == []


def tried(case, move, user):
    """Really make the move, look at what it left, and undo it."""
    with transaction.atomic():
        try:
            made = case.make_move(
                move.name, by=user, reason="经核对属实", **(FACTS.get(move.name) or facts_of(move.name))
            )
        except MoveRefused:
            return "refused"
        except PermissionDenied:
            return "denied"
        else:
            step = made.steps.get()
            stored = type(case).objects.get(pk=case.pk)
            assert (step.source, step.target, step.move, step.by) == (case.state, stored.state, move.name, user)
            assert stored.state in move.targets
            assert stored.version == case.version + 1
            verb = f"{case._meta.app_label}.{move.name}_{case._meta.model_name}"
            assert AuditEvent.objects.filter(verb=verb, target_id=str(case.pk), actor_id=user.pk).count() == 1
            return "made"
        finally:
            transaction.set_rollback(True)


def test_a_transfer_is_answered_by_the_other_side_and_called_off_by_who_asked(tree):
    transfer = transfer_in(TransferState.REQUESTED, tree)
    at = SimpleNamespace()
    for place in ("enterprise", "sibling", "neighbour_enterprise"):
        user = User.objects.create(username=place)
        Appointment.objects.create(user=user, union=getattr(tree, place), role="cadre", valid_from=date(2020, 1, 1))
        setattr(at, place, {offer.move.name for offer in transfer.open_moves(user)})
    assert vars(at) == {"enterprise": {"cancel"}, "sibling": {"accept", "reject"}, "neighbour_enterprise": set()}


def test_the_sentence_of_a_disabled_button_is_the_one_that_refuses(tree, root):
    transfer = transfer_in(TransferState.REQUESTED, tree)
    tree.sibling.dissolved_on = DAY
    tree.sibling.save()
    transfer.refresh_from_db()
    (offer,) = [offer for offer in transfer.open_moves(root) if offer.move.name == "accept"]
    with pytest.raises(MoveRefused) as refusal:
        transfer.make_move("accept", by=root)
    assert refusal.value.messages == [offer.refusal]
    assert offer.refusal.startswith("The union that the member would come to was dissolved")


def test_a_move_from_a_version_that_is_gone_is_a_conflict(tree, root):
    membership = membership_in(MembershipState.ACTIVE, tree)
    membership.make_move("retain", by=root, version=1, **FACTS["retain"])
    with pytest.raises(Conflict) as conflict:
        membership.make_move("restore", by=root, version=1)
    assert (conflict.value.current.version, conflict.value.current.state) == (2, "RETAINED")


@pytest.mark.parametrize(("reason", "sentence"), [("  ", "Say why"), ("长" * 501, "At most 500")])
def test_a_reason_is_needed_and_fits_its_column(tree, root, reason, sentence):
    membership = membership_in(MembershipState.ACTIVE, tree)
    with pytest.raises(ValidationError) as refusal:
        membership.make_move("expel", by=root, reason=reason, **FACTS["expel"])
    assert refusal.value.message_dict["reason"][0].startswith(sentence)
    assert not membership.steps.exists()


def test_a_refused_move_leaves_nothing_behind(tree, root):
    membership = membership_in(MembershipState.WITHDRAWN, tree)
    with pytest.raises(MoveRefused) as refusal:
        membership.make_move("retain", by=root, **FACTS["retain"])
    assert refusal.value.messages == [
        "«retain the membership» is not possible any more: the state is «withdrawn» now."
    ]  # fmt: skip
    assert not membership.steps.exists()
    assert not AuditEvent.objects.exists()


def test_whoever_took_part_in_an_earlier_step_leaves_the_later_one_to_others(tree, root, city, monkeypatch):
    membership = membership_in(MembershipState.ACTIVE, tree)
    moves = [SimpleNamespace(**{**vars(move), "apart_from": ("retain",)}) for move in Membership.MOVES]
    for move in moves:
        move.targets = (move.target,)
    monkeypatch.setattr(Membership, "MOVES", tuple(moves))
    membership = membership.make_move("retain", by=root, **FACTS["retain"])
    with pytest.raises(MoveRefused) as refusal:
        membership.make_move("restore", by=root)
    assert "somebody else" in refusal.value.messages[0]
    assert membership.make_move("restore", by=city).state == "ACTIVE"


def test_the_flow_page_is_current_and_a_stale_one_is_found(tmp_path, monkeypatch):
    call_command("case_flows", check=True)
    stale = tmp_path / "case-flows.md"
    monkeypatch.setattr(case_flows, "PAGE", stale)
    with pytest.raises(CommandError, match="stale"):
        call_command("case_flows", check=True)
    call_command("case_flows")
    call_command("case_flows", check=True)

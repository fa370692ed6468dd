"""What the moves of a membership need, do and leave, and the pages by which they are made."""

import threading
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.urls import reverse
from django.utils import timezone, translation

from core.cases import MoveRefused
from core.conflicts import Conflict
from core.models import AuditEvent, Setting, User
from members import actions, states, transfers
from members.models import Membership, Person, TransferSide
from tests import cast
from tests.members.people import QIAN, ZHAO, member, number
from unions.models import Appointment, Union

DAY = date(2026, 3, 2)
FACTS = {
    "retain": {"kind": "UNEMPLOYED", "since": DAY},
    "withdraw": {"requested_on": DAY, "on": DAY + timedelta(days=3)},
    "deem": {"dues_since": date(2025, 8, 1), "idle_since": date(2025, 8, 1), "admonished_on": DAY, "on": DAY},
    "expel": {"decided_on": DAY, "decision_no": "恒工〔2026〕3号"},
    "record_death": {"on": DAY},
}


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise)


@pytest.fixture
def chair(tree):
    user = User.objects.create(username="chair", name="罗建平")
    Appointment.objects.create(user=user, union=tree.enterprise, role="union_chair", valid_from=date(2020, 1, 1))
    return user


def made(membership, name, by, **facts):
    return membership.make_move(name, by=by, reason="经核对属实", **(FACTS.get(name, {}) | facts))


def blamed(act, *args, **kwargs):
    """{field: sentence} of the refusal."""
    with pytest.raises(ValidationError) as refusal:
        act(*args, **kwargs)
    return {field: sentences[0] for field, sentences in refusal.value.message_dict.items()}


# --- What the moves do ---------------------------------------------------------------------------------------


def test_retained_and_restored(zhao, enterprise):
    retained = made(zhao, "retain", enterprise)
    assert (retained.state, retained.employment_state, retained.ended_on) == ("RETAINED", "UNEMPLOYED", None)
    step = retained.steps.get()
    assert (step.facts, step.by_name) == ({"kind": "UNEMPLOYED", "since": "2026-03-02"}, "程思琪")
    restored = made(retained, "restore", enterprise)
    assert (restored.state, restored.employment_state) == ("ACTIVE", "AT_WORK")


def test_a_closed_unit_says_nothing_of_the_members_employment(zhao, enterprise):
    assert made(zhao, "retain", enterprise, kind="UNIT_CLOSED").employment_state == ""


def test_withdrawn_on_the_written_request(zhao, enterprise):
    left = made(zhao, "withdraw", enterprise)
    assert (left.state, left.ended_on, left.state_before, left.is_open) == (
        "WITHDRAWN", date(2026, 3, 5), "ACTIVE", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "facts", "field", "sentence"),
    [
        ("retain", {"kind": "BORED"}, "kind", "Say why the membership is retained."),
        ("retain", {"since": date(2100, 1, 1)}, "since", "This day lies in the future."),
        ("withdraw", {"on": None}, "on", "Give the day."),
        ("withdraw", {"on": date(2026, 2, 28)}, "on", "Nobody withdraws before asking in writing."),
        ("withdraw", {"on": date(2020, 4, 30), "requested_on": date(2020, 5, 2)}, "on",
         "This day lies before the day of joining."),
        ("expel", {"decision_no": " "}, "decision_no", "Give the number of the committee's decision."),
        ("expel", {"decided_on": date(2100, 1, 1)}, "decided_on", "This day lies in the future."),
        ("record_death", {"on": date(2100, 1, 1)}, "on", "This day lies in the future."),
    ],
)  # fmt: skip
def test_wrong_facts_are_refused_beside_their_field(zhao, root, name, facts, field, sentence):
    assert blamed(made, zhao, name, root, **facts) == {field: sentence}
    zhao.refresh_from_db()
    assert (zhao.state, zhao.version) == ("ACTIVE", 1)


def test_deemed_withdrawn_with_three_facts_by_a_human_decision(zhao, chair, enterprise):
    with pytest.raises(PermissionDenied):
        made(zhao, "deem", enterprise)
    deemed = made(zhao, "deem", chair)
    assert (deemed.state, deemed.ended_on) == ("WITHDRAWN", DAY)
    assert deemed.steps.get().facts == {
        "dues_since": "2025-08-01", "idle_since": "2025-08-01", "admonished_on": "2026-03-02", "on": "2026-03-02",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "sentences"),
    [
        ({"dues_since": None}, {"dues_since": "Record since when no dues were paid."}),
        ({"idle_since": None}, {"idle_since": "Record since when the member took no part in union life."}),
        ({"admonished_on": None},
         {"admonished_on": "Record when the member was admonished: without it nobody is deemed withdrawn."}),
        ({"admonished_on": date(2026, 3, 3)}, {"admonished_on": "The admonition must lie before the decision."}),
        ({"dues_since": date(2025, 9, 3)},
         {"dues_since": "This must have lasted 6 months: until 2026-03-03 it is too early."}),
        ({"dues_since": date(2025, 9, 2)}, {}),  # six months to the day
        ({"dues_since": date(2025, 8, 31), "on": date(2026, 2, 28), "admonished_on": date(2026, 2, 28)}, {}),
        ({"dues_since": None, "idle_since": date(2026, 1, 1), "admonished_on": None},
         {"dues_since": "Record since when no dues were paid.",
          "idle_since": "This must have lasted 6 months: until 2026-07-01 it is too early.",
          "admonished_on": "Record when the member was admonished: without it nobody is deemed withdrawn."}),
    ],
)  # fmt: skip
def test_deemed_withdrawal_says_which_fact_is_missing(facts, sentences):
    assert states.lacking(**(FACTS["deem"] | facts), months=6) == sentences


def test_the_months_of_a_deemed_withdrawal_are_a_setting(zhao, chair):
    months = Setting.objects.get(key="deemed_withdrawal_months")
    assert (months.value, months.status) == ("6", "READ")
    assert "会籍管理办法" in months.legal_basis
    months.value = "12"
    months.save()
    assert list(blamed(made, zhao, "deem", chair)) == ["dues_since", "idle_since"]


def test_death_ends_the_membership_and_lets_a_transfer_fall_away(tree, zhao, root):
    transfer = transfers.ask_transfer(by=root, membership=zhao, to_union=tree.sibling, side=TransferSide.FROM)
    dead = made(zhao, "record_death", root)
    transfer.refresh_from_db()
    assert (dead.state, dead.ended_on, dead.state_before) == ("DECEASED", DAY, "ACTIVE")
    assert Person.objects.get().deceased_on == DAY
    assert (transfer.state, transfer.steps.get().move, transfer.deadlines.get().state) == ("CANCELLED", "lapse", "void")
    with pytest.raises(MoveRefused):
        transfer.make_move("accept", by=root)


@pytest.mark.parametrize("name", ["withdraw", "expel", "record_death"])
def test_an_ending_taken_back_restores_what_was_before(zhao, root, name):
    made(zhao, "retain", root)
    ended = made(zhao, name, root)
    back = made(ended, "reopen", root)
    assert (back.state, back.state_before, back.ended_on) == ("RETAINED", "", None)
    assert Person.objects.get().deceased_on is None


def test_an_ending_stays_when_the_person_is_a_member_again(tree, zhao, root):
    left = made(zhao, "withdraw", root)
    member(tree.sibling, joined_on=None)
    (offer,) = left.open_moves(root)
    assert offer.refusal == "The person has an open membership again: transfer that one."
    with pytest.raises(MoveRefused):
        made(left, "reopen", root)


def test_an_ending_stays_when_the_union_is_gone_or_the_person_died_since(tree, zhao, root):
    left = made(zhao, "withdraw", root)
    again = member(tree.sibling, joined_on=None)
    made(again, "record_death", root)
    left = Membership.objects.get(pk=left.pk)
    assert [offer.refusal for offer in left.open_moves(root)] == ["The person is recorded as deceased."]
    tree.sibling.dissolved_on = DAY
    tree.sibling.save()
    again = Membership.objects.get(pk=again.pk)
    assert "dissolved" in again.open_moves(root)[0].refusal


# --- What a state means --------------------------------------------------------------------------------------


def test_rights_follow_the_state_and_a_pending_transfer_changes_none(tree, zhao, root):
    assert (zhao.votes, zhao.pays_dues, zhao.counts) == (True, True, True)
    retained = made(zhao, "retain", root)
    assert (retained.votes, retained.pays_dues, retained.counts) == (False, False, False)
    assert "no vote" in str(retained.rights[0].sentence)
    for state, votes in (("RETAINED", False), ("ACTIVE", True)):
        transfer = transfers.ask_transfer(by=root, membership=retained, to_union=tree.sibling, side=TransferSide.FROM)
        pending = Membership.objects.get(pk=zhao.pk)
        assert (pending.state, pending.standing, pending.votes) == ("TRANSFER_PENDING", state, votes)
        assert Membership.objects.active().filter(pk=zhao.pk).exists() == votes
        transfer.make_move("cancel", by=root)
        retained = Membership.objects.get(pk=zhao.pk)
        assert retained.state == state
        if state == "RETAINED":
            retained = made(retained, "restore", root)
    ended = made(retained, "expel", root)
    assert (ended.votes, ended.pays_dues, ended.counts, len(ended.rights)) == (False, False, False, 1)


def test_numbers_of_the_union_follow(tree, zhao, root):
    member(tree.enterprise, name="钱芳", id_number=QIAN)
    numbers = []
    for name in ("retain", "withdraw", "reopen"):
        made(Membership.objects.get(pk=zhao.pk), name, root)
        union = Union.objects.with_members().get(pk=tree.enterprise.pk)
        active = Membership.objects.active().filter(union=union).count()
        numbers.append((union.members, tree.street.members_below(100), active))
    assert numbers == [(2, 2, 1), (1, 1, 1), (2, 2, 1)]


# --- Two officers --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_officers_acting_on_one_member_at_once_one_acts_and_one_is_told():
    tree = cast.plant_tree()
    users = [cast.invite(key, tree) for key in ("enterprise", "street", "district", "city")]
    for round_ in range(3):
        zhao = member(tree.enterprise, id_number=number(round_))
        start, outcomes = threading.Barrier(4), []

        def act(user, name, membership=zhao, start=start, outcomes=outcomes):
            start.wait()
            try:
                made(membership, name, User.objects.get(pk=user.pk))
                outcomes.append("made")
            except MoveRefused:
                outcomes.append("told")
            finally:
                connections.close_all()

        moves = ("withdraw", "record_death", "withdraw", "record_death")
        threads = [threading.Thread(target=act, args=pair) for pair in zip(users, moves, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["made", "told", "told", "told"]
        assert zhao.steps.count() == 1
        zhao.refresh_from_db()
        assert (zhao.state == "DECEASED") == bool(zhao.person.deceased_on)


def test_a_fact_changed_meanwhile_is_a_conflict(zhao, enterprise):
    actions.change_membership(zhao, by=enterprise, version=1, changes={"post": "焊工"})
    with pytest.raises(Conflict):
        made(zhao, "withdraw", enterprise, version=1)


# --- Pages ---------------------------------------------------------------------------------------------------


def move_of(membership, name):
    return reverse("membership_move", args=[membership.pk]) + f"?move={name}"


def page_of(membership):
    return reverse("member_page", args=[membership.pk])


def test_the_page_offers_the_moves_that_fit_state_and_role(client_of, zhao, enterprise, chair, auditor):
    offered = {
        user.username: [offer.move.name for offer in client_of(user).get(page_of(zhao)).context["offers"]]
        for user in (enterprise, chair, auditor)
    }
    assert offered == {
        "enterprise": ["retain", "withdraw", "record_death"],
        "chair": ["retain", "withdraw", "deem", "expel", "record_death"],
        "auditor": [],
    }


def test_a_move_is_made_by_its_form(client_of, zhao, enterprise):
    client = client_of(enterprise)
    form = client.get(move_of(zhao, "retain")).context["form"]
    assert [bound.name for bound in form.visible_fields()] == ["kind", "since", "reason"]
    answer = client.post(
        move_of(zhao, "retain"), {"version": 1, "kind": "RETIRED", "since": "2026年3月2日", "reason": ""}
    )
    assert (answer.status_code, answer.url) == (302, page_of(zhao))
    text = client.get(page_of(zhao))
    (entry,) = [entry for entry in text.context["timeline"] if entry.text == "Membership retained"]
    assert (entry.day, entry.note, entry.by) == (DAY, "retired", "程思琪")
    assert "Has no vote" in text.content.decode()


def test_the_form_shows_the_refusal_beside_the_field(client_of, zhao, chair):
    answer = client_of(chair).post(
        move_of(zhao, "deem"),
        {
            "version": 1,
            "dues_since": "2025-08-01",
            "admonished_on": "2026-03-02",
            "on": "2026-03-02",
            "reason": "屡教不改",
        },
    )
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["idle_since"]


def test_a_number_in_the_reason_is_refused(client_of, zhao, enterprise):
    data = {"version": 1, "requested_on": "2026-03-02", "on": "2026-03-02", "reason": f"本人{ZHAO}申请"}
    answer = client_of(enterprise).post(move_of(zhao, "withdraw"), data)
    assert list(answer.context["form"].errors) == ["reason"]


def test_the_second_officer_is_told_and_looks_again(client_of, zhao, enterprise, street):
    data = {"version": 1, "requested_on": "2026-03-02", "on": "2026-03-02", "reason": ""}
    actions.change_membership(zhao, by=street, version=1, changes={"post": "焊工"})
    client = client_of(enterprise)
    late = client.post(move_of(zhao, "withdraw"), data)
    assert (late.status_code, late.context["form"]["version"].value()) == (409, 2)
    assert "Somebody changed this member" in late.content.decode()
    assert client.post(move_of(zhao, "withdraw"), data | {"version": 2}).status_code == 302
    second = client_of(street).post(move_of(zhao, "withdraw"), data | {"version": 2}, follow=True)
    assert "the state is «withdrawn» now" in second.content.decode()
    assert zhao.steps.count() == 1


def test_whoever_may_not_decide_is_shown_the_door(client_of, zhao, enterprise, neighbour, auditor):
    assert client_of(enterprise).get(move_of(zhao, "expel")).status_code == 403
    assert client_of(enterprise).post(move_of(zhao, "expel")).status_code == 403
    assert client_of(neighbour).get(move_of(zhao, "retain")).status_code == 404
    assert client_of(auditor).get(move_of(zhao, "retain")).status_code == 403
    assert client_of(enterprise).post(move_of(zhao, "transfer")).url == page_of(zhao)  # no person's move


def test_an_ended_membership_can_be_taken_back_on_its_page(client_of, zhao, chair):
    made(zhao, "expel", chair)
    client = client_of(chair)
    assert move_of(zhao, "reopen") in client.get(page_of(zhao)).content.decode()
    client.post(move_of(zhao, "reopen"), {"version": 2, "reason": "处分撤销"})
    zhao.refresh_from_db()
    assert zhao.state == "ACTIVE"
    texts = [entry.text for entry in client.get(page_of(zhao)).context["timeline"]]
    assert texts == ["Ending taken back", "Enrolled", "Expelled", "Joined the union"]


def test_whoever_may_not_take_an_ending_back_is_told_who_may(client_of, zhao, enterprise, chair, auditor):
    told = "The chair of the union can take the ending back"
    assert told not in client_of(enterprise).get(page_of(zhao)).content.decode()
    made(zhao, "withdraw", enterprise)
    pages = [client_of(user).get(page_of(zhao)).content.decode() for user in (enterprise, chair, auditor)]
    assert [told in page for page in pages] == [True, False, False]


def test_acts_of_one_day_stand_in_their_order(client_of, zhao, enterprise):
    made(zhao, "retain", enterprise, since=timezone.localdate())
    actions.verify(zhao, by=enterprise)
    made(zhao, "restore", enterprise)
    texts = [entry.text for entry in client_of(enterprise).get(page_of(zhao)).context["timeline"]]
    assert texts[:4] == ["Membership restored", "Card checked", "Membership retained", "Enrolled"]


def test_the_card_was_checked(client_of, zhao, enterprise, auditor, neighbour):
    url = reverse("member_verify", args=[zhao.pk])
    client = client_of(enterprise)
    assert "card never checked" in client.get(page_of(zhao)).content.decode()
    assert client.post(url).status_code == 302
    assert Person.objects.get().verified_on == timezone.localdate()
    event = AuditEvent.objects.get(verb="members.verify_person")
    assert event.changes == {"verified_on": [None, timezone.localdate().isoformat()]}
    assert "card checked on" in client.get(page_of(zhao)).content.decode()
    assert [client_of(user).post(url).status_code for user in (auditor, neighbour)] == [403, 404]
    actions.change_membership(zhao, by=enterprise, version=1, changes={"id_number": number(3)}, reason="录入有误")
    assert Person.objects.get().verified_on is None

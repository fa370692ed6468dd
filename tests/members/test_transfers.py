"""Transfers: asked for by either union, answered by the other, handed up when nobody answers; and their pages."""

import threading
from collections import Counter
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.urls import reverse
from django.utils import timezone, translation

from core import imports
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.models import AuditEvent, Deadline, ImportBatch, User
from members import transfers
from members.models import DuplicatePair, Membership, Transfer, TransferSide
from members.tasks import escalate_transfers
from tests import cast
from tests.members import registers
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number
from unions.models import Appointment

LONG_AGO = date(2026, 10, 12)
NEIGHBOUR = "云河东山纺织有限公司工会"


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    """A member of the neighbours."""
    return member(
        tree.neighbour_enterprise,
        phone=PHONE,
        residence=RESIDENCE,
        card_no="K-77",
        post="纺纱工",
        employment="CONTRACT",
    )


def asked(membership, to_union, side=TransferSide.FROM, by=None, **facts):
    return transfers.ask_transfer(by=by, membership=membership, to_union=to_union, side=side, **facts)


def sentence(act, *args, **kwargs):
    with pytest.raises(ValidationError) as refusal:
        act(*args, **kwargs)
    return " ".join(refusal.value.messages)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


# --- Asking and answering --------------------------------------------------------------------------------------


def test_the_union_left_asks_and_the_union_joined_accepts(tree, zhao, neighbour, enterprise):
    transfer = asked(zhao, tree.enterprise, by=neighbour, reason="换单位")
    deadline = transfer.deadlines.get()
    assert (fresh(zhao).state, deadline.union, deadline.rule.code) == (
        "TRANSFER_PENDING", tree.enterprise, "MEMBER_TRANSFER_REPLY_10WD",
    )  # fmt: skip
    assert "赵" not in deadline.title
    done = transfer.make_move("accept", by=enterprise)
    old, new, today = fresh(zhao), done.result, timezone.localdate()
    assert (old.state, old.ended_on, done.answered_on) == ("TRANSFERRED", today, today)
    assert (new.union, new.state, new.joined_on, new.person_id) == (
        tree.enterprise,
        "ACTIVE",
        zhao.joined_on,
        zhao.person_id,
    )
    assert (new.card_no, new.employment, new.post) == ("K-77", "CONTRACT", "")  # the post was the old union's
    assert (fresh(deadline).state, fresh(deadline).closed_on) == ("met", today)
    verbs = Counter(AuditEvent.objects.filter(actor_id=enterprise.pk).values_list("verb", flat=True))
    assert verbs == {
        "members.transfer_membership": 1, "members.arrive_membership": 1, "members.accept_transfer": 1,
        "core.close_deadline": 1,
    }  # fmt: skip


def test_the_union_joined_asks_by_name_and_number_and_the_union_left_accepts(tree, zhao, enterprise, neighbour):
    transfer = transfers.ask_by_number(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    assert (transfer.side, transfer.answering_union) == ("TO", tree.neighbour_enterprise)
    with pytest.raises(PermissionDenied):
        transfer.make_move("accept", by=enterprise)
    assert transfer.make_move("accept", by=neighbour).result.union == tree.enterprise


@pytest.mark.parametrize(
    ("name", "id_number", "says"),
    [
        ("赵建邦", ZHAO, "No member is recorded with this number and name: check both on the card."),
        ("钱芳", QIAN, "No member is recorded with this number and name: check both on the card."),
        ("赵建国", ZHAO[:-1] + "8", None),
    ],
)
def test_a_person_is_asked_for_by_the_exact_card_only(tree, zhao, enterprise, name, id_number, says):
    said = sentence(transfers.ask_by_number, by=enterprise, union=tree.enterprise, name=name, id_number=id_number)
    assert says in (None, said)
    assert not Transfer.objects.exists()


def test_a_person_without_membership_or_dead_is_not_asked_for(tree, zhao, enterprise):
    ask = {"by": enterprise, "union": tree.enterprise, "name": "赵建国", "id_number": ZHAO}
    day = date(2026, 3, 2)
    left = zhao.make_move("withdraw", by=None, requested_on=day, on=day)
    assert "enrol them" in sentence(transfers.ask_by_number, **ask)
    left.make_move("reopen", by=None, reason="误录").make_move("record_death", by=None, on=day)
    assert "deceased" in sentence(transfers.ask_by_number, **ask)


def test_what_cannot_be_asked_for(tree, zhao, neighbour, enterprise):
    assert "roll of this union already" in sentence(asked, zhao, tree.neighbour_enterprise)
    assert "Say which union" in sentence(transfers.ask_transfer, by=None, membership=zhao, side="FROM", to_name=" ")
    assert "future" in sentence(asked, zhao, tree.enterprise, asked_on=date(2100, 1, 1))
    with pytest.raises(PermissionDenied):
        asked(zhao, tree.enterprise, by=enterprise)  # not theirs to send
    tree.sibling.dissolved_on = date(2026, 1, 1)
    tree.sibling.save()
    assert "dissolved" in sentence(asked, zhao, tree.sibling)
    asked(zhao, tree.enterprise)
    assert "under way" in sentence(asked, fresh(zhao), tree.enterprise)
    assert Transfer.objects.count() == 1


def test_a_stale_page_asks_in_vain(tree, zhao):
    asked(zhao, tree.enterprise)
    assert "transfer pending" in sentence(asked, zhao, tree.enterprise)  # `zhao` as it was read before


def test_refused_needs_a_reason_and_the_member_stays_and_may_be_asked_for_again(tree, zhao, enterprise, neighbour):
    retained = zhao.make_move("retain", by=None, kind="UNEMPLOYED", since=date(2026, 1, 5))
    transfer = asked(retained, tree.enterprise, by=neighbour)
    assert "Say why" in sentence(transfer.make_move, "reject", by=enterprise)
    transfer.make_move("reject", by=enterprise, reason="本单位无此人")
    assert (fresh(zhao).state, fresh(zhao).state_before) == ("RETAINED", "")
    again = asked(fresh(zhao), tree.enterprise, by=neighbour)
    assert again.make_move("accept", by=enterprise).result.employment_state == ""


def test_called_off_by_who_asked(tree, zhao, neighbour, enterprise):
    transfer = asked(zhao, tree.enterprise, by=neighbour)
    with pytest.raises(PermissionDenied):
        transfer.make_move("cancel", by=enterprise)
    transfer.make_move("cancel", by=neighbour)
    assert (fresh(zhao).state, transfer.deadlines.get().state) == ("ACTIVE", "void")


def test_to_a_union_outside_the_register_the_receipt_is_recorded(zhao, neighbour):
    transfer = transfers.ask_transfer(by=neighbour, membership=zhao, side="FROM", to_name=" 江北市纺织工会 ")
    assert (transfer.goes_to, transfer.answering_union) == ("江北市纺织工会", zhao.union)
    done = transfer.make_move("accept", by=neighbour, reason="收到回执")
    assert (done.result, fresh(zhao).state) == (None, "TRANSFERRED")


def test_whoever_keeps_both_unions_transfers_at_once(tree, street, enterprise):
    zhao = member(tree.enterprise)
    assert "answer" in sentence(asked, zhao, tree.sibling, by=enterprise, at_once=True)
    assert fresh(zhao).state == "ACTIVE"
    done = asked(zhao, tree.sibling, by=street, at_once=True)
    assert (done.state, done.result.union, Deadline.objects.count()) == ("ACCEPTED", tree.sibling, 0)


def test_a_union_that_ends_lets_its_transfer_fall_away(tree, zhao):
    transfer = transfers.lapse(asked(zhao, tree.enterprise), by=None, reason="工会撤销")
    assert (transfer.state, fresh(zhao).state) == ("CANCELLED", "ACTIVE")


def test_accepting_is_refused_when_the_union_or_the_person_is_gone(tree, zhao, root):
    transfer = asked(zhao, tree.enterprise)
    tree.enterprise.dissolved_on = date(2026, 1, 1)
    tree.enterprise.save()
    assert "dissolved" in sentence(transfer.make_move, "accept", by=root)
    tree.enterprise.dissolved_on = None
    tree.enterprise.save()
    zhao.person.die(date(2026, 1, 1))  # by a way of its own, the transfer still open
    assert "deceased" in sentence(transfer.make_move, "accept", by=root)
    assert (fresh(zhao).state, Membership.objects.count()) == ("TRANSFER_PENDING", 1)


# --- Silence ---------------------------------------------------------------------------------------------------


def test_silence_is_passed_to_the_union_above_once(tree, zhao, neighbour, enterprise, street):
    late = asked(zhao, tree.enterprise, by=neighbour, asked_on=LONG_AGO)
    fresh_one = asked(member(tree.neighbour_enterprise, name="钱芳", id_number=QIAN), tree.enterprise)
    escalate_transfers()
    assert transfers.escalate_overdue(today=timezone.localdate()) == 0
    assert [fresh(late).state, fresh(fresh_one).state] == ["ESCALATED", "REQUESTED"]
    old, new = late.deadlines.order_by("pk")
    assert (old.union, old.state, new.union, new.state, new.trigger) == (
        tree.enterprise, "void", tree.street, "open", timezone.localdate(),
    )  # fmt: skip
    assert late.steps.get().by is None
    assert fresh(late).make_move("accept", by=street).state == "ACCEPTED"
    assert fresh(new).state == "met"


def test_silence_outside_the_register_or_at_the_top_stays_where_it_is(tree, zhao):
    outside = transfers.ask_transfer(by=None, membership=zhao, side="FROM", to_name="江北市纺织工会", asked_on=LONG_AGO)
    top = asked(member(tree.enterprise, id_number=QIAN, name="钱芳"), tree.city, asked_on=LONG_AGO)
    assert transfers.escalate_overdue(today=timezone.localdate()) == 0
    assert [fresh(outside).state, fresh(top).state] == ["REQUESTED", "REQUESTED"]


# --- At once ---------------------------------------------------------------------------------------------------


def together(*acts):
    """Run the acts in threads of their own and count what became of them."""
    start, outcomes = threading.Barrier(len(acts)), []

    def run(act):
        start.wait()
        try:
            act()
            outcomes.append("done")
        except (MoveRefused, Conflict):
            outcomes.append("told")
        except Exception as fault:  # in a thread nobody else would hear of it
            outcomes.append(type(fault).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


@pytest.mark.django_db(transaction=True)
def test_asked_for_by_both_sides_answered_and_ended_at_once_nobody_is_a_member_twice():
    tree = cast.plant_tree()
    for round_ in range(3):
        zhao = member(tree.neighbour_enterprise, id_number=number(round_))
        both = [lambda z=zhao, side=side: asked(z, tree.enterprise, side) for side in ("FROM", "TO", "FROM")]
        assert together(*both) == {"done": 1, "told": 2}
        transfer = Transfer.objects.get(membership=zhao)
        ends = together(
            lambda t=transfer: t.make_move("accept", by=None),
            lambda t=transfer: t.make_move("reject", by=None, reason="无此人"),
            lambda t=transfer: t.make_move("cancel", by=None),
            lambda z=zhao: z.make_move("record_death", by=None, on=date(2026, 3, 2)),
        )
        memberships = Membership.objects.filter(person=zhao.person)
        assert memberships.open().count() <= 1
        assert ends["done"] >= 1
        assert ends.keys() <= {"done", "told"}
        assert not Transfer.objects.open().exists()
        assert memberships.filter(state="TRANSFER_PENDING").count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_runs_of_the_timetable_pass_a_transfer_on_once():
    tree = cast.plant_tree()
    transfer = asked(member(tree.neighbour_enterprise), tree.enterprise, asked_on=LONG_AGO)
    run = lambda: transfers.escalate_overdue(today=timezone.localdate())  # noqa: E731
    assert together(run, run, run) == {"done": 3}
    assert (transfer.steps.count(), transfer.deadlines.open().count()) == (1, 1)


# --- Pages -----------------------------------------------------------------------------------------------------


INBOX, ASK = "/transfers/", "/transfers/ask/"


def page_of(transfer):
    return reverse("transfer_page", args=[transfer.pk])


def move_of(transfer):
    return reverse("transfer_move", args=[transfer.pk])


def people_in(response):
    return [row.record.membership.person.name for row in response.context["table"].rows]


def test_the_inbox_shows_what_to_answer_what_was_asked_and_what_is_decided(
    tree, client_of, zhao, enterprise, neighbour
):
    transfer = asked(zhao, tree.enterprise, by=neighbour, asked_on=LONG_AGO)
    ours, theirs = client_of(enterprise), client_of(neighbour)
    boxes = lambda client: [people_in(client.get(INBOX, {"box": box})) for box in ("", "asked", "decided")]  # noqa: E731
    assert (boxes(ours), boxes(theirs)) == ([["赵建国"], [], []], [[], ["赵建国"], []])
    assert "overdue" in ours.get(INBOX).content.decode()
    transfer.make_move("accept", by=enterprise)
    assert (boxes(ours), boxes(theirs)) == ([[], [], ["赵建国"]], [[], [], ["赵建国"]])


def test_duties_to_answer_name_the_member_at_the_desk_and_nowhere_else(tree, client_of, zhao, neighbour, enterprise):
    transfer = asked(zhao, tree.enterprise, side="TO", by=enterprise)
    desk = client_of(neighbour).get("/")
    assert [duty["whom"] for duty in desk.context["duties"]] == ["赵建国"]
    assert "赵建国" in desk.content.decode()
    assert "赵建国" not in transfer.deadlines.get().title
    assert "赵建国" not in client_of(enterprise).get("/").content.decode()  # who waits for others reads no name


def test_an_escalated_transfer_stands_in_the_inbox_above(tree, client_of, zhao, street):
    asked(zhao, tree.enterprise, asked_on=LONG_AGO)
    transfers.escalate_overdue(today=timezone.localdate())
    assert "passed to the union above" in client_of(street).get(INBOX).content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_inbox_asks_as_often_for_three_rows_as_for_one(
    tree, client_of, enterprise, django_assert_num_queries, rows
):
    for sequence in range(rows):
        asked(member(tree.neighbour_enterprise, id_number=number(sequence)), tree.enterprise)
    client = client_of(enterprise)
    client.get(INBOX)
    with django_assert_num_queries(4):
        client.get(INBOX)


def test_the_desk_leads_to_the_answer(tree, client_of, zhao, enterprise, auditor):
    transfer = asked(zhao, tree.enterprise)
    text = client_of(enterprise).get("/").content.decode()
    assert page_of(transfer) in text
    assert "赵建国" in text


def test_the_union_joined_does_not_learn_where_until_the_answer(tree, client_of, zhao, enterprise, neighbour):
    transfer = transfers.ask_by_number(by=enterprise, union=tree.enterprise, name="赵建国", id_number=ZHAO)
    client = client_of(enterprise)
    for url in (INBOX + "?box=asked", page_of(transfer), "/"):
        assert NEIGHBOUR not in client.get(url).content.decode()
    assert NEIGHBOUR in client_of(neighbour).get(page_of(transfer)).content.decode()
    transfer.make_move("accept", by=neighbour)
    assert NEIGHBOUR in client.get(page_of(transfer)).content.decode()


def test_neighbours_of_both_see_nothing(tree, client_of, zhao):
    transfer = asked(zhao, tree.enterprise)
    stranger = User.objects.create(username="stranger")
    Appointment.objects.create(user=stranger, union=tree.sibling, role="cadre", valid_from=date(2020, 1, 1))
    client = client_of(stranger)
    assert people_in(client.get(INBOX)) == []
    assert client.get(page_of(transfer)).status_code == 404
    assert client.post(move_of(transfer), {"move": "accept"}).status_code == 404


def test_answers_on_the_page(tree, client_of, zhao, enterprise, neighbour, auditor):
    transfer = asked(zhao, tree.enterprise, by=neighbour)
    client = client_of(enterprise)
    data = {"move": "reject", "version": 1, "reason": ""}
    refused = client.post(move_of(transfer), data)
    assert "This field is required" in refused.content.decode()
    assert client_of(auditor).post(move_of(transfer), data).status_code == 403
    assert client_of(neighbour).post(move_of(transfer), data).status_code == 403
    late = client.post(move_of(transfer), {"move": "accept", "version": 7, "reason": ""}, follow=True)
    assert "Somebody changed this transfer" in late.content.decode()
    accepted = client.post(move_of(transfer), {"move": "accept", "version": 1, "reason": ""})
    assert accepted.url == reverse("member_page", args=[fresh(transfer).result_id])
    again = client.post(move_of(transfer), data | {"reason": "查无此人"}, follow=True)
    assert "the state is «accepted» now" in again.content.decode()


def test_each_side_is_asked_in_its_own_words(tree, client_of, zhao, enterprise, neighbour):
    transfer = asked(zhao, tree.enterprise, by=neighbour)
    assert "Accept the member" in client_of(enterprise).get(page_of(transfer)).content.decode()
    transfer.make_move("cancel", by=neighbour)
    transfer = asked(fresh(zhao), tree.enterprise, side=TransferSide.TO, by=enterprise)
    assert "Let the member go" in client_of(neighbour).get(page_of(transfer)).content.decode()


def test_the_pages_tell_the_story_on_both_sides(tree, client_of, zhao, enterprise, neighbour):
    transfer = asked(zhao, tree.enterprise, by=neighbour, asked_on=date(2026, 11, 2), reason="换单位")
    transfer = transfer.make_move("accept", by=enterprise)
    told = lambda user, membership: [  # noqa: E731
        entry.text
        for entry in client_of(user).get(reverse("member_page", args=[membership.pk])).context["timeline"]
    ]  # fmt: skip
    name = tree.enterprise.name
    assert sorted(told(neighbour, zhao)) == sorted(
        [f"Transferred to {name}", "Enrolled", f"Transfer to {name} asked for", "Joined the union"]
    )
    assert told(enterprise, transfer.result) == [f"Came by transfer from {NEIGHBOUR}", "Joined the union"]


def test_asked_for_on_the_members_page(tree, client_of, zhao, neighbour):
    client = client_of(neighbour)
    assert f"{ASK}?membership={zhao.pk}" in client.get(reverse("member_page", args=[zhao.pk])).content.decode()
    assert client.get(ASK, {"membership": zhao.pk}).status_code == 200
    for wrong in ({"to_union": "nowhere"}, {}, {"to_union": "T0101001", "to_name": "江北市纺织工会"}):
        answer = client.post(ASK, {"membership": zhao.pk, "reason": "", **wrong})
        assert list(answer.context["form"].errors) == ["to_union"]
    answer = client.post(ASK, {"membership": zhao.pk, "to_union": "T0101001", "reason": ""})
    assert answer.url == page_of(Transfer.objects.get())
    page = client.get(reverse("member_page", args=[zhao.pk])).content.decode()
    assert "is under way." in page
    assert "must be answered or called off first" in page


@pytest.mark.parametrize(("key", "status"), [("x", 404), ("9" * 30, 404), ("{pk}", 404)])
def test_nobody_sends_away_the_members_of_others(tree, client_of, zhao, enterprise, key, status):
    assert client_of(enterprise).get(ASK, {"membership": key.format(pk=zhao.pk)}).status_code == status


def test_an_enrolment_that_needs_a_transfer_leads_to_it_without_a_number_in_an_address(
    tree, client_of, zhao, enterprise
):
    client = client_of(enterprise)
    data = {"union": "T0101001", "id_number": ZHAO, "name": "赵建国", "phone": PHONE, "joined_on": "2020-05-01"}
    refused = client.post(reverse("member_add"), data)
    assert f'formaction="{ASK}"' in refused.content.decode()
    answer = client.post(ASK, data | {"from_enrolment": "1"})
    assert answer.url == page_of(Transfer.objects.get())
    page = client.get(answer.url).content.decode()
    assert [secret for secret in (ZHAO, PHONE, RESIDENCE) if secret in page] == []
    client.post(ASK, data)
    assert Transfer.objects.count() == 1


def test_asked_for_from_a_row_of_an_import(tree, client_of, zhao, enterprise, tmp_path):
    batch = ImportBatch.objects.create(kind="members", file_name="名册.csv", sha256="0" * 64, created_by=enterprise)
    imports.read(batch, registers.write(tmp_path, [registers.row("赵建国", ZHAO)]))
    url = reverse("transfer_from_row", args=[batch.pk])
    client = client_of(enterprise)
    for row in ("", "x", "3"):
        said = client.post(url, {"row": row}, follow=True)
        assert "This row asks for no transfer." in said.content.decode()
    answer = client.post(url, {"row": "2"})
    transfer = Transfer.objects.get()
    assert (answer.url, transfer.side, transfer.to_union) == (page_of(transfer), "TO", tree.enterprise)
    assert "under way" in client.post(url, {"row": "2"}, follow=True).content.decode()


def test_a_possible_duplicate_is_said_and_blocks_nothing(tree, client_of, zhao, city):
    other = member(tree.enterprise, id_number=QIAN)
    first, second = sorted((zhao.person, other.person), key=lambda person: person.pk)
    DuplicatePair.objects.create(first=first, second=second, score="0.9", reasons=[])
    transfer = asked(zhao, tree.sibling)
    assert "may be entered twice" in client_of(city).get(page_of(transfer)).content.decode()
    assert transfer.make_move("accept", by=city).state == "ACCEPTED"


def test_the_deadline_counts_ten_working_days(tree, zhao):
    deadline = asked(zhao, tree.enterprise, asked_on=date(2026, 11, 2)).deadlines.get()
    assert deadline.due == date(2026, 11, 2) + timedelta(days=14)

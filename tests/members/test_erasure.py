"""Erasing a person's data: two people decide, nothing that tells who it was is left, and what must stay does."""

import json
import logging
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from core import audit, drafts, imports, jobs, papers, retention, rotation, secrets
from core.cases import MoveRefused
from core.fields import EncryptedText
from core.models import AuditEvent, AuditRestriction, Deadline, Draft, Hold, ImportBatch, Paper, RetentionRule
from core.search import find
from members import actions, candidates, erasure, merging, transfers
from members.models import (
    DuplicatePair,
    Erasure,
    Membership,
    MembershipStep,
    Person,
    PersonMerge,
    StagedMember,
    Transfer,
)
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number
from tests.members.registers import row, write
from unions.models import Appointment

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "欧阳䶮䶮"
OTHER = number(21, born="19850307")  # another number of the same person
WORDS = [
    NAME,
    ZHAO,
    ZHAO[:4] + "**********" + ZHAO[-4:],
    PHONE,
    "138****1234",
    RESIDENCE,
    "铸造车间",
    "CARD-778",
    "家庭困难",
    "ouyang",
]
REASON = "本人书面申请"


@pytest.fixture
def left(tree, city):
    """A member with everything that can be known, who has left."""
    membership = member(
        tree.enterprise, NAME, phone=PHONE, residence=RESIDENCE, department="铸造车间", card_no="CARD-778",
        notes="家庭困难", ethnicity="汉族", politics="PARTY", hukou_place="抚顺",
    )  # fmt: skip
    return leave(membership, city)


def leave(membership, by, on=None):
    on = on or timezone.localdate()
    return membership.make_move("withdraw", by=by, reason=f"{NAME}离职", requested_on=on, on=on)


def ask(membership, by, **facts):
    facts = {"ground": "REQUEST", "requested_on": timezone.localdate(), "reason": REASON} | facts
    return erasure.ask(by=by, person=membership.person, **facts)


def erased(membership, enterprise, approver):
    return ask(membership, enterprise).make_move("erase", by=approver)


def everywhere(*but):
    """Everything that lies in the tables, sealed texts opened."""
    found = []
    for model in apps.get_models():
        if model._meta.label in but or not model._meta.managed:
            continue
        for row_ in model._base_manager.all():
            values = [getattr(row_, field.attname) for field in model._meta.concrete_fields]
            found.append(f"{model._meta.label} {values}")
    return "\n".join(found)


def left_behind(*but):
    text = everywhere("core.AuditEvent", *but)
    indexes = [secrets.blind("id_number", ZHAO), secrets.blind("phone", PHONE)]
    return [word for word in [*WORDS, *indexes] if word in text]


# --- What is decided on ----------------------------------------------------------------------------------------------


def leads_to_a_person(model):
    theirs = (Person, Membership, Transfer, DuplicatePair, PersonMerge, Erasure)
    return any(field.is_relation and field.related_model in theirs for field in model._meta.concrete_fields)


def test_every_table_with_sealed_text_or_a_way_to_a_person_is_decided_on():
    """A new model that is missing here: say in `erasure.TABLES` what becomes of its rows, and do it in `erase`."""
    of_people = {
        model._meta.label
        for model in apps.get_models()
        if leads_to_a_person(model)
        or getattr(model, "SEALED_COPIES", ())
        or any(isinstance(field, EncryptedText) for field in model._meta.concrete_fields)
    }
    assert of_people | {"members.Person"} == set(erasure.TABLES)


# --- Nothing is left -------------------------------------------------------------------------------------------------


def test_nothing_that_tells_who_it_was_is_left(left, tree, enterprise, approver, city):
    person = left.person
    drafts.keep(city, reverse("member_edit", args=[left.pk]), {"name": [NAME]})
    twin = member(tree.sibling, NAME, number(5), joined_on=date(2021, 1, 1))
    candidates.find_for([person.pk], by=city)
    DuplicatePair.objects.get_or_create(first=person, second=twin.person, defaults={"score": "0.900"})
    assert left_behind()
    done = erased(left, enterprise, approver)
    assert (done.state, done.person.erased_on) == ("ERASED", None)  # read before
    person.refresh_from_db()
    assert person.erased_on == timezone.localdate()
    assert (person.name, person.id_number, person.id_masked, person.phone, person.residence) == ("—", "", "", "", "")
    assert (person.sex, person.born_on) == ("M", date(1985, 1, 1))
    twin_only = left_behind("members.Person", "members.NameSuffix")
    assert twin_only == []
    assert Person.objects.filter(name=NAME).get() == twin.person
    assert not Draft.objects.exists()
    assert not DuplicatePair.objects.exists()
    left.refresh_from_db()
    assert (left.union, left.state, left.joined_on) == (tree.enterprise, "WITHDRAWN", date(2020, 5, 1))
    assert audit.verify().faults == []


def test_no_search_finds_the_person_and_the_number_is_free_again(left, tree, enterprise, approver, root):
    assert find(root, NAME)
    erased(left, enterprise, approver)
    for text in (NAME, NAME[1:], "ouyang", "oyyy", ZHAO, ZHAO[-4:], PHONE, "——"):
        assert not find(root, text), text
    again = member(tree.sibling, NAME, ZHAO)
    assert again.person_id != left.person_id


def test_two_erased_people_do_not_stand_in_each_others_way(left, tree, city, enterprise, approver):
    second = leave(member(tree.enterprise, "钱玉兰", QIAN), city)
    for membership in (left, second):
        erased(membership, enterprise, approver)
    assert Person.objects.filter(name="—").count() == 2
    candidates.find_for([left.person_id, second.person_id], by=city)
    assert not DuplicatePair.objects.exists()
    assert not rotation.rotate().faults


def test_imports_lose_the_rows_and_the_workbooks(tree, root, city, enterprise, approver, tmp_path, settings):
    path = write(tmp_path, [row(NAME, ZHAO, phone=PHONE), row("钱玉兰", QIAN, phone="13900001234")])
    batch = imports.receive("members", ContentFile(path.read_bytes(), name=path.name), by=root)
    jobs.run_now(batch.job)
    membership_of = Membership.objects.filter(person__name=NAME)
    imports.ask_commit(batch, by=root)
    batch.refresh_from_db()
    with pytest.raises(Membership.DoesNotExist):
        membership_of.get()
    jobs.run_now(batch.job)
    file = batch.file.path
    left_one = leave(membership_of.get(), city)
    goes, _stays = erasure.preview(left_one.person)
    assert any("1" in str(number_) for _what, number_ in goes)
    erased(left_one, enterprise, approver)
    batch = ImportBatch.objects.get()
    assert (batch.file.name, batch.state) == ("", "committed")
    assert not Path(file).exists()
    assert list(StagedMember.objects.values_list("name", flat=True)) == ["钱玉兰"]
    assert left_behind() == []


def test_records_merged_into_the_person_go_along(left, tree, city, root, enterprise, approver):
    other = leave(member(tree.enterprise, NAME, OTHER, phone=PHONE), city)
    merged = merging.merge(by=root, kept=left.person, absorbed=other.person, choices={}, reason="同一人")
    erased(left, enterprise, approver)
    assert left_behind("core.ImportBatch") == []
    assert OTHER not in everywhere("core.AuditEvent")
    merged.refresh_from_db()
    assert not merging.may_undo(root, merged)
    with pytest.raises(ValidationError):
        merging.undo_merge(by=root, merge=merged)
    assert merging.why_not_undo(merged)


def test_a_transfer_keeps_its_unions_and_loses_its_words(left, tree, city, enterprise, approver, root):
    arrived = member(tree.sibling, "钱玉兰", QIAN)
    transfer = transfers.ask_transfer(
        by=root, membership=arrived, side="FROM", to_union=tree.enterprise, reason="钱玉兰调动", at_once=True
    )
    gone = leave(Transfer.objects.get(pk=transfer.pk).result, city)
    erased(gone, enterprise, approver)
    transfer.refresh_from_db()
    assert (transfer.from_union, transfer.to_union, transfer.reason) == (tree.sibling, tree.enterprise, "")
    assert "钱玉兰" not in everywhere("core.AuditEvent")
    assert set(MembershipStep.objects.filter(case__person=gone.person).values_list("reason", flat=True)) == {""}


# --- What stays ------------------------------------------------------------------------------------------------------


def test_papers_keep_their_bytes(left, tree, city, enterprise, approver):
    member(tree.enterprise, "钱玉兰", QIAN)
    paper = papers.make_now(papers.ask("roll", union=tree.enterprise, by=city))
    erased(left, enterprise, approver)
    paper = Paper.objects.get(pk=paper.pk)
    assert papers.digest_of(paper.file.name) == paper.sha256


def test_the_trail_stays_whole_and_shows_nothing_of_the_person(left, enterprise, approver, auditadmin, client_of, root):
    events = AuditEvent.objects.filter(target_label="members.Membership", target_id=str(left.pk))
    assert NAME in events.first().target_text
    before = events.count()
    page = reverse("admin:core_auditevent_changelist")
    one = reverse("admin:core_auditevent_change", args=[events.first().pk])
    assert NAME in client_of(root).get(page).content.decode()
    erased(left, enterprise, approver)
    assert events.count() == before
    for address in (page, one):
        for user in (root, auditadmin):
            text = client_of(user).get(address).content.decode()
            assert NAME not in text
            assert "铸造车间" not in text
    assert audit.verify().faults == []
    asked = AuditEvent.objects.filter(target_label="members.Erasure")
    assert NAME not in json.dumps([[e.target_text, e.changes, e.reason] for e in asked], ensure_ascii=False)


def test_the_members_page_tells_that_it_was_erased_and_not_who(left, enterprise, approver, root, client_of):
    erased(left, enterprise, approver)
    for name in ("member_page", "member_erase"):
        answer = client_of(root).get(reverse(name, args=[left.pk]))
        assert answer.status_code == 200
        assert not [word for word in [*WORDS, "离职"] if word in answer.content.decode()]
    left.refresh_from_db()
    with pytest.raises(MoveRefused):
        left.make_move("reopen", by=None, reason="误删")


def test_a_line_in_the_log_names_the_key_for_after_a_restore(left, enterprise, approver, caplog):
    with caplog.at_level(logging.INFO):
        erased(left, enterprise, approver)
    assert f"Erased: person {left.person_id}" in caplog.text


# --- Who may, and when -----------------------------------------------------------------------------------------------


def test_one_asks_and_another_decides(left, tree, city, enterprise, approver, neighbour):
    with pytest.raises(PermissionDenied):
        ask(left, neighbour)
    with pytest.raises(PermissionDenied):
        ask(left, approver)
    asked = ask(left, enterprise)
    with pytest.raises(PermissionDenied):
        asked.make_move("erase", by=enterprise)
    Appointment.objects.create(user=enterprise, union=tree.city, role="city_approver", valid_from=date(2020, 1, 1))
    del enterprise._appointments
    with pytest.raises(MoveRefused):
        asked.make_move("erase", by=enterprise)
    assert Person.objects.get(pk=left.person_id).name == NAME
    assert asked.make_move("erase", by=approver).state == "ERASED"
    verbs = AuditEvent.objects.filter(target_label="members.Erasure").order_by("id").values_list("verb", "actor_id")
    assert list(verbs) == [("members.ask_erasure", enterprise.pk), ("members.erase_erasure", approver.pk)]


@pytest.mark.parametrize(("move", "by", "state"), [("refuse", "approver", "met"), ("cancel", "enterprise", "void")])
def test_the_decision_is_a_duty_from_the_day_of_the_request(left, move, by, state, request, approver, client_of):
    asked = ask(left, request.getfixturevalue("enterprise"))
    duty = Deadline.objects.of(asked).get()
    assert (duty.rule.code, duty.trigger, duty.state) == (Erasure.RULE, asked.requested_on, "open")
    page = client_of(approver).get(reverse("desk")).content.decode()
    assert reverse("erasure_page", args=[asked.pk]) in page
    assert "个人信息删除" in page
    assert NAME not in page
    asked.make_move(move, by=request.getfixturevalue(by), reason="案件未结")
    duty.refresh_from_db()
    assert duty.state == state


def test_a_refusal_needs_its_reason_and_changes_nothing(left, enterprise, approver):
    asked = ask(left, enterprise)
    with pytest.raises(ValidationError):
        asked.make_move("refuse", by=approver, reason="")
    asked.make_move("refuse", by=approver, reason="案件未结")
    assert Person.objects.get(pk=left.person_id).name == NAME
    assert ask(left, enterprise).state == "ASKED"  # it may be asked for again


@pytest.mark.parametrize(
    "facts",
    [
        {"reason": ""}, {"reason": f"{NAME}申请"}, {"reason": f"证件 {ZHAO}"}, {"requested_on": None},
        {"ground": "NONE"}, {"requested_on": date(2999, 1, 1)},
    ],
)  # fmt: skip
def test_asking_says_what_is_wrong(left, enterprise, facts):
    with pytest.raises(ValidationError):
        ask(left, enterprise, **facts)
    assert not Erasure.objects.exists()


def test_what_is_still_going_on_is_in_the_way(left, tree, enterprise, approver, city, root, tmp_path):
    def refused():
        with pytest.raises(ValidationError) as caught:
            ask(left, city)
        return caught.value.messages

    member(tree.sibling, NAME, ZHAO)
    assert any("恒通" in sentence for sentence in refused())
    left.person.memberships.open().get().make_move(
        "withdraw", by=root, requested_on=timezone.localdate(), on=timezone.localdate()
    )
    hold = retention.place_hold(left, union=left.union, by=root, reason="信访核查")
    assert len(refused()) == 1
    retention.release_hold(hold, by=root, reason="已结")
    path = write(tmp_path, [row(NAME, ZHAO)])
    batch = imports.receive("members", ContentFile(path.read_bytes(), name=path.name), by=root)
    jobs.run_now(batch.job)
    assert len(refused()) == 1
    batch.refresh_from_db()
    imports.discard(batch, by=root)
    asked = ask(left, city)
    retention.place_hold(left, union=left.union, by=root, reason="又有信访")
    with pytest.raises(MoveRefused):
        asked.make_move("erase", by=approver)
    with pytest.raises(ValidationError):
        ask(left, city)


def test_the_end_of_the_period_is_counted(tree, city, enterprise):
    today = timezone.localdate()
    recent = leave(member(tree.enterprise), city, on=today)
    with pytest.raises(ValidationError):
        ask(recent, enterprise, ground="PERIOD")
    RetentionRule.objects.filter(kind="person").update(length=30, unit="DAY")
    long_ago = leave(member(tree.enterprise, "钱玉兰", QIAN), city, on=today - timedelta(days=30))
    assert ask(long_ago, enterprise, ground="PERIOD").requested_on is None


def test_the_pages_ask_and_decide(left, enterprise, approver, client_of):
    ask_url = reverse("member_erase", args=[left.pk])
    page = client_of(enterprise).get(ask_url)
    assert page.status_code == 200
    assert page.context["goes"]
    facts = {"ground": "REQUEST", "requested_on": "2026-11-02", "reason": REASON}
    answer = client_of(enterprise).post(ask_url, facts)
    asked = Erasure.objects.get()
    assert answer["Location"] == reverse("erasure_page", args=[asked.pk])
    again = client_of(enterprise).post(ask_url, facts)
    assert again.status_code == 200
    assert Erasure.objects.count() == 1
    url = reverse("erasure_page", args=[asked.pk])
    assert client_of(approver).get(url).status_code == 200
    move = reverse("erasure_move", args=[asked.pk])
    client_of(approver).post(move, {"move": "erase", "version": "99", "reason": ""})
    assert Erasure.objects.get().state == "ASKED"
    client_of(approver).post(move, {"move": "erase", "version": "1", "reason": ""})
    assert Erasure.objects.get().state == "ERASED"
    text = client_of(approver).get(url).content.decode()
    assert not [word for word in WORDS if word in text]


def test_the_change_of_facts_after_erasing_is_refused(left, enterprise, approver, city):
    erased(left, enterprise, approver)
    left.refresh_from_db()
    with pytest.raises(ValidationError):
        actions.change_membership(left, by=city, version=left.version, changes={"phone": PHONE})
    with pytest.raises(ValidationError):
        actions.reveal(left, by=city, reason="核对")


def test_a_backup_made_after_it_holds_nothing_of_the_person(left, enterprise, approver, tmp_path):
    erased(left, enterprise, approver)
    call_command("backup", str(tmp_path / "night.zip"))
    with zipfile.ZipFile(tmp_path / "night.zip") as archive:
        names = [name for name in archive.namelist() if name != "tables/core_auditevent.jsonl"]
        text = b"".join(archive.read(name) for name in names).decode(errors="replace")
    assert [word for word in WORDS if word in text] == []


# --- What people write and see meanwhile -----------------------------------------------------------------------------


def shown_of(name):
    """Verbs of the events that tell of the name and are still shown."""
    hidden = set(AuditRestriction.objects.values_list("target_label", "target_id"))
    return [
        event.verb for event in AuditEvent.objects.order_by("id")
        if (event.target_label, event.target_id) not in hidden
        and name in f"{event.reason} {event.changes} {event.target_text}"
    ]  # fmt: skip


@pytest.mark.parametrize("move", ["erase", "refuse", "cancel"])
def test_no_reason_of_a_decision_names_the_person(left, enterprise, approver, move):
    asked = ask(left, enterprise)
    with pytest.raises(ValidationError) as refused:
        asked.make_move(move, by=enterprise if move == "cancel" else approver, reason=f"{NAME}已核实")
    assert "reason" in refused.value.message_dict
    assert Person.objects.get(pk=left.person_id).name == NAME


def test_why_something_was_held_is_shown_no_longer(left, enterprise, approver):
    hold = retention.place_hold(left, union=left.union, by=approver, reason=f"{NAME}的案件")
    retention.release_hold(hold, by=approver, reason=f"{NAME}结案")
    assert set(shown_of(NAME)) >= {"core.add_hold", "core.release_hold"}
    erased(left, enterprise, approver)
    assert shown_of(NAME) == []


def test_a_held_import_that_names_the_person_is_in_the_way(tree, root, city, enterprise, approver, tmp_path):
    path = write(tmp_path, [row(NAME, ZHAO, phone=PHONE)])
    batch = imports.receive("members", ContentFile(path.read_bytes(), name=path.name), by=root)
    jobs.run_now(batch.job)
    imports.ask_commit(batch, by=root)
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    left_one = leave(Membership.objects.get(), city)
    asked = ask(left_one, enterprise)
    retention.place_hold(batch, union=tree.city, by=approver, reason="检查组调阅")
    with pytest.raises(MoveRefused):
        asked.make_move("erase", by=approver)
    assert StagedMember.objects.count() == 1
    assert Path(batch.file.path).exists()


def test_nothing_is_held_of_whom_was_erased(left, enterprise, approver):
    erased(left, enterprise, approver)
    with pytest.raises(ValidationError):
        retention.place_hold(Membership.objects.get(pk=left.pk), union=left.union, by=approver, reason="核查")


def test_a_hold_waits_for_an_erasure_under_way(left, enterprise, approver):
    """Both lock the membership: what comes first counts, and no held person is erased."""
    asked, started = ask(left, enterprise), Barrier(2)

    def hold():
        started.wait()
        try:
            retention.place_hold(Membership.objects.get(pk=left.pk), union=left.union, by=None, reason="核查")
        except ValidationError:
            return "refused"
        finally:
            connection.close()
        return "held"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            erasure.lock(left.person)
            later = pool.submit(hold)
            started.wait()
            asked.make_move("erase", by=approver)
        assert later.result(timeout=20) == "refused"
    assert not Hold.objects.exists()


def test_the_pages_name_no_union_out_of_sight(left, tree, city, enterprise, client_of):
    """Who left here is a member elsewhere since: asking is theirs now, and where that is is told to nobody here."""
    client, asked = client_of(enterprise), ask(left, enterprise)
    Membership.objects.create(person=left.person, union=tree.neighbour_enterprise, joined_on=timezone.localdate())
    assert client.get(reverse("member_erase", args=[left.pk])).status_code == 403
    assert client.post(reverse("member_erase", args=[left.pk]), {"ground": "REQUEST"}).status_code == 403
    page = client.get(reverse("erasure_page", args=[asked.pk])).content.decode()
    assert tree.neighbour_enterprise.name not in page
    assert tree.enterprise.name in page
    [said] = erasure.why_not(left.person, "REQUEST", by=enterprise)
    assert tree.neighbour_enterprise.name not in said
    assert tree.neighbour_enterprise.name in erasure.why_not(left.person, "REQUEST", by=city)[0]

"""A stored register taken back: the database as it was, row for row, but for what others have done since."""

import json
from datetime import date

import pytest
from django.apps import apps
from django.core import serializers
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation

from core import imports, jobs
from core.models import AuditEvent, ImportBatch
from core.models.imports import BatchState
from members import actions, candidates
from members.models import (
    BeforeImport,
    DuplicatePair,
    Membership,
    MembershipState,
    MembershipStep,
    NameSuffix,
    Person,
    StagedMember,
)
from tests.members.people import QIAN, ZHAO, member, number
from tests.members.registers import row, write
from tests.members.test_member_import import DATA, REGISTER
from unions.models import Union

DAY = date(2026, 11, 1)
OWN = {"core.auditevent", "core.auditseal", "core.job", "core.importbatch", "core.counter", "members.stagedmember"}


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def store(tree, root, tmp_path):
    """Read rows and store them; returns the batch."""

    def store(*rows, by=root):
        path = write(tmp_path, rows)
        batch = ImportBatch.objects.create(
            kind="members", file_name=path.name, sha256=imports.digest(path), created_by=by, committed_by=by
        )
        imports.read(batch, path)
        assert imports.ask_commit(batch, by=by)
        batch.refresh_from_db()
        jobs.run_now(batch.job)
        batch.refresh_from_db()
        return batch

    return store


def take_back(batch, by=None):
    assert imports.ask_undo(batch, by=by or batch.created_by)
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    batch.refresh_from_db()
    assert batch.state == BatchState.UNDONE
    return batch.kept


def everything():
    """Every row of our tables but the trail, jobs, and what belongs to the batch itself."""
    models = [
        model for model in apps.get_models()
        if model._meta.app_label in ("core", "members", "unions") and model._meta.label_lower not in OWN
    ]  # fmt: skip
    return {
        model._meta.label: json.loads(serializers.serialize("json", model._base_manager.order_by("pk")))
        for model in models
    }


def retain(membership):
    Membership.objects.filter(pk=membership.pk).update(
        state=MembershipState.RETAINED, state_before="ACTIVE", employment_state="RETIRED", version=4
    )


def test_the_sample_taken_back_leaves_the_database_row_for_row(root):
    call_command("import_unions", str(DATA / "unions.csv"), "--as", "root", "--commit")
    before = everything()
    call_command("import_members", str(REGISTER), "--as", "root", "--commit")
    batch = ImportBatch.objects.get(kind="members")
    assert everything() != before
    assert NameSuffix.objects.count() > 1000
    assert take_back(batch) == []
    assert everything() == before
    assert AuditEvent.objects.get(verb="core.undo_importbatch").changes == {
        "taken_back": [None, imports.to_store(batch)], "kept": [None, 0],
    }  # fmt: skip


def test_updates_restorations_and_re_joinings_are_taken_back_row_for_row(store, tree):
    member(tree.enterprise, "赵建国", ZHAO, phone="13700001111")
    retain(member(tree.enterprise, "钱红", QIAN))
    left = member(tree.enterprise, "孙六", number(6))
    Membership.objects.filter(pk=left.pk).update(state=MembershipState.WITHDRAWN, ended_on=date(2024, 1, 1))
    elsewhere = member(tree.sibling, "周七", number(7))
    Membership.objects.filter(pk=elsewhere.pk).update(state=MembershipState.TRANSFERRED, ended_on=date(2024, 1, 1))
    before = everything()
    batch = store(
        row("赵建国", ZHAO, phone="13900002222"), row("钱红", QIAN), row("孙六", number(6)),
        row("周七", number(7), phone="13500003333"), row("新来的", number(8)),
    )  # fmt: skip
    assert batch.counts["codes"] == {"REJOIN": 1, "UPDATED": 2}
    step = MembershipStep.objects.get()
    assert (step.move, step.source, step.target, step.facts) == (
        "restore",
        "RETAINED",
        "ACTIVE",
        {"on": timezone.localdate().isoformat(), "batch": batch.pk},
    )
    restored = step.case
    assert (restored.state, restored.state_before, restored.version) == ("ACTIVE", "", 5)
    assert restored.employment_state == "AT_WORK"
    assert left.person.memberships.count() == 2
    assert BeforeImport.objects.filter(batch=batch).count() == 4
    assert take_back(batch) == []
    assert everything() == before
    assert BeforeImport.objects.count() == 0


def test_possible_duplicates_are_found_by_what_a_sheet_changes_and_again_when_it_is_taken_back(store, tree):
    def alike():
        return sorted(DuplicatePair.objects.open().values_list("first__id_tail", "second__id_tail"))

    numbers = number(1, born="19650712"), number(3, born="19810303"), number(5, born="19731126")
    for each, phone in zip(numbers, ("13700001111", "13700001111", "13700002222"), strict=True):
        member(tree.enterprise, "钱红", each, phone=phone)
    candidates.find_for(Person.objects.values_list("pk", flat=True), by=None)
    first, second, third = (each[-4:] for each in numbers)
    assert alike() == [(first, second)]
    batch = store(row("钱红", numbers[1], phone="13700002222"))
    assert alike() == [(second, third)]
    assert take_back(batch) == []
    assert alike() == [(first, second)]


def test_what_somebody_changed_since_stays_and_says_why(store, tree, root, client_of):
    kept = member(tree.enterprise, "赵建国", ZHAO)
    rows = [row("赵建国", ZHAO, phone="13900002222")]
    rows += [row(f"王{name}", number(place)) for place, name in enumerate("一二三四五六", start=1)]
    batch = store(*rows)
    people = [Person.objects.get(name=f"王{name}") for name in "一二三四五六"]
    memberships = [person.memberships.get() for person in people]
    changed = Membership.objects.get(pk=kept.pk)
    actions.change_membership(changed, by=root, version=changed.version, changes={"post": "焊工"})
    actions.change_membership(memberships[0], by=root, version=1, changes={"phone": "13700001111"})
    memberships[1].make_move("withdraw", by=None, reason="离职", requested_on=DAY, on=DAY)
    first, second = sorted((people[2], people[3]), key=lambda person: person.pk)
    DuplicatePair.objects.create(first=first, second=second, score="0.9", state="not_same")
    Membership.objects.create(
        person=people[4], union=tree.sibling, state=MembershipState.WITHDRAWN, ended_on=date(2025, 1, 1)
    )
    before = everything()
    assert take_back(batch) == [
        [2, "CHANGED"], [3, "CHANGED"], [4, "MOVED"], [5, "DECIDED"], [6, "DECIDED"], [7, "ELSEWHERE"],
    ]  # fmt: skip
    after = everything()
    gone = Person.objects.filter(name="王六")
    assert not gone.exists()
    assert len(before["members.Person"]) - len(after["members.Person"]) == 1
    page = client_of(root).get(reverse("import_page", args=[batch.pk])).content.decode()
    assert "1 row was taken back by" in page
    assert "6 rows stay" in page
    assert "Somebody has changed the person or the membership since" in page
    told = imports.told(batch)
    assert sorted(told) == [2, 3, 4, 5, 6, 7]
    assert "has another membership by now" in told[7][1]
    codes = imports.kinds()["members"].kept_sentences
    assert {code for _row, code in batch.kept} <= codes.keys()


def test_whoever_else_refers_to_a_person_keeps_the_row(store, tree):
    batch = store(row("王一", number(1)), row("王二", number(2)), row("王三", number(3)))
    one, _two, three = Person.objects.order_by("pk")
    Person.objects.filter(pk=three.pk).update(merged_into=one)
    assert take_back(batch) == [[2, "MERGED"], [4, "MERGED"]]
    assert list(Person.objects.order_by("pk")) == [one, three]


def test_a_second_sheet_about_the_same_people_keeps_the_first_from_being_taken_back(store):
    first = store(row("王一", number(1)), row("王二", number(2)))
    second = store(row("王一", number(1), phone="13900002222"), row("王二", number(2)))
    assert take_back(first) == [[2, "CHANGED"]]
    assert take_back(second) == []
    assert Person.objects.get().phone == "13800131234"
    assert StagedMember.objects.filter(batch=second, row=3).get().codes == ["ALREADY_MEMBER"]


def test_only_who_may_import_there_takes_back_and_only_what_is_in_reach(store, tree, district, client_of, auditor):
    batch = store(row("王一", number(1)), row("王二", number(2), "T0201001"))
    assert client_of(auditor).post(reverse("import_undo", args=[batch.pk])).status_code == 403
    assert client_of(district).post(reverse("import_undo", args=[batch.pk])).status_code == 404
    ImportBatch.objects.update(
        created_by=district
    )  # an upload of one's own stays in sight, also after a change of post
    assert take_back(ImportBatch.objects.get(), by=district) == [[3, "OUT_OF_SCOPE"]]
    assert Union.objects.get(code="T0201001").memberships.count() == 1


def test_a_sheet_is_taken_back_once_and_a_union_sheet_not_at_all(store, root, client_of, tree):
    batch = store(row())
    client = client_of(root)
    for _click in range(2):
        assert client.post(reverse("import_undo", args=[batch.pk])).status_code == 302
    batch.refresh_from_db()
    assert batch.state == BatchState.UNDOING
    jobs.run_now(batch.job)
    assert not imports.ask_undo(batch, by=root)
    assert AuditEvent.objects.filter(verb="core.undo_importbatch").count() == 1
    unions = ImportBatch.objects.create(
        kind="unions", file_name="工会.csv", sha256="0" * 64, created_by=root, committed_by=root, state="committed",
        committed_at=batch.undone_at or batch.committed_at, counts=batch.counts, union=tree.city,
    )  # fmt: skip
    page = client.post(reverse("import_undo", args=[unions.pk]), follow=True).content.decode()
    assert page.count("A union sheet is not taken back") == 2  # the answer, and beside the sheet
    assert not imports.ask_undo(unions, by=root)


def test_an_undo_that_fails_leaves_the_sheet_stored(store, root, monkeypatch):
    batch = store(row())
    assert imports.ask_undo(batch, by=root)
    batch.refresh_from_db()
    with monkeypatch.context() as patch:
        patch.setattr("members.staging._delete", lambda batch: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            jobs.run_now(batch.job)
    batch.refresh_from_db()
    assert (batch.state, Membership.objects.count()) == (BatchState.COMMITTED, 1)
    assert batch.message
    assert take_back(batch, by=root) == []
    assert Membership.objects.count() == 0

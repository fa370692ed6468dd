"""Entering a household: what is kept, who is refused and in which words, one open file a person also in a race."""

from datetime import date
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.utils import translation

from assistance import households
from assistance.decisions import household_of
from assistance.households import AmountRow
from assistance.models import HardshipCase, HardshipFile, HouseholdPerson
from core.conflicts import Conflict
from core.models import AuditEvent, Setting
from members.models import Person
from tests.assistance.households import CHILD, FACTS, household, own, person, rewritten, three
from tests.members.people import PHONE, QIAN, ZHAO, member, number


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def refused(call, *args, **kwargs):
    """Return {field: sentences} of the refusal."""
    with pytest.raises(ValidationError) as refusal:
        call(*args, **kwargs)
    error = refusal.value
    return error.message_dict if hasattr(error, "error_dict") else {"": error.messages}


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_a_household_is_entered_with_what_the_register_knows(tree, enterprise):
    case = household(tree.enterprise, enterprise)
    case.refresh_from_db()
    assert (case.state, case.cycle, case.union, case.created_by) == ("DRAFT", 1, tree.enterprise, enterprise)
    assert (case.phone, case.residence) == (PHONE, "青年路18号")
    assert [(row.kin, row.name, row.id_number, row.live) for row in case.people.all()] == [
        ("SELF", "赵建国", ZHAO, True), ("SPOUSE", "钱芳", QIAN, True), ("CHILD", "赵小宝", CHILD, True),
    ]  # fmt: skip
    assert case.applicant.person == case.membership.person
    figures = household_of(case, Decimal(800))
    assert (figures.income, figures.expenses["medical"], figures.size) == (Decimal("36000.50"), Decimal(12000), 3)


def test_numbers_and_texts_are_sealed_and_named_by_no_event(tree, enterprise):
    facts = {"statement": "丈夫患尿毒症", "bank_account": "6222 0213 0000 1234 567", "phone": PHONE}
    people = [own(health="尿毒症"), person()]
    case = household(tree.enterprise, enterprise, facts=facts, people=people)
    rewritten(case, enterprise, facts={"cause": "OTHER"}, people=[own(health="尿毒症二期", pk=case.applicant.pk)])
    assert case.bank_last4 == "4567"
    with connection.cursor() as cursor:
        for table in ("assistance_hardshipcase", "assistance_householdperson", "core_auditevent"):
            cursor.execute(f"SELECT * FROM {table}")
            stored = str(cursor.fetchall())
            for secret in ("尿毒症", "6222021300001234567", PHONE, ZHAO, QIAN, "青年路"):
                assert secret not in stored, (table, secret)


def test_what_is_left_alone_stays_and_what_is_missing_goes(tree, enterprise):
    case = household(tree.enterprise, enterprise)
    zhao, qian, child = case.people.all()
    people = [own(pk=zhao.pk), person(id_number="", pk=qian.pk, health=None, situation="ILL")]
    rewritten(case, enterprise, people=people, incomes=[AmountRow(1, "OTHER", Decimal("0.01"))])
    assert [(row.pk, row.situation, row.id_number) for row in case.people.all()] == [
        (zhao.pk, "WORKING", ZHAO), (qian.pk, "ILL", QIAN),
    ]  # fmt: skip
    assert [(row.of_id, row.amount) for row in case.incomes.all()] == [(qian.pk, Decimal("0.01"))]
    assert not case.expenses.exists()
    assert not HouseholdPerson.objects.filter(pk=child.pk).exists()
    event = AuditEvent.objects.get(verb="assistance.change_hardshipcase")
    assert event.changes == {"people": ["changed"], "incomes": ["changed"], "expenses": ["changed"]}


def test_saving_what_stands_there_is_no_event(tree):
    case = household(tree.enterprise, incomes=[], expenses=[])
    people = [own(), person(), person("CHILD", "赵小宝", CHILD, "STUDENT")]
    people = [
        row.__class__(**vars(row) | {"pk": there.pk}) for row, there in zip(people, case.people.all(), strict=True)
    ]
    version = rewritten(case, people=people).version
    assert version == case.version == 1
    assert not AuditEvent.objects.filter(verb="assistance.change_hardshipcase").exists()


def test_the_register_proposes_whole_months(tree):
    zhao = member(tree.enterprise, joined_on=date(2024, 1, 31), migrant_worker=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(households, "_today", lambda: date(2026, 3, 30))
        assert households.prefill(zhao) == {"applied_on": date(2026, 3, 30), "labour_months": 25, "migrant": True}
        patch.setattr(households, "_today", lambda: date(2026, 3, 31))
        assert households.prefill(zhao)["labour_months"] == 26
    zhao.joined_on = None
    assert households.prefill(zhao)["labour_months"] == 0


# --- One open file ---------------------------------------------------------------------------------------------------


def test_a_second_file_of_the_same_member_is_refused(tree, enterprise):
    case = household(tree.enterprise, enterprise)
    said = refused(household, tree.enterprise, enterprise, membership=case.membership)
    assert said == {
        "": [f"赵建国 is in the open hardship file {case.file} of {tree.enterprise}: a household has one file."]
    }


def test_a_second_file_through_the_spouse_is_refused_without_naming_a_union_out_of_sight(tree, enterprise, neighbour):
    household(tree.enterprise, enterprise)
    qian = member(tree.neighbour_enterprise, "钱芳", QIAN)
    people = [own("钱芳"), person("SPOUSE", "赵建国", ZHAO)]
    said = refused(household, None, neighbour, membership=qian, people=people)["people"]
    assert set(said) == {
        f"{name} is in an open hardship file of another union: a household has one file. Ask the federation."
        for name in ("赵建国", "钱芳")
    }
    assert tree.enterprise.name not in str(said)
    assert AuditEvent.objects.filter(verb="members.meet_elsewhere").count() == 1  # trying numbers is seen
    assert HardshipFile.objects.count() == 1


def test_whoever_sees_the_other_file_is_told_which(tree, city):
    household(tree.enterprise, city)
    qian = member(tree.neighbour_enterprise, "钱芳", QIAN)
    said = refused(household, None, city, membership=qian, people=[own("钱芳")])["people"]
    assert tree.enterprise.name in said[0]


def test_somebody_of_another_open_file_cannot_be_added_later(tree, enterprise, neighbour):
    household(tree.enterprise, enterprise, people=[own()], expenses=[])
    qian = member(tree.neighbour_enterprise, "钱芳", QIAN)
    case = household(None, neighbour, membership=qian, people=[own("钱芳")], expenses=[])
    people = [own("钱芳", pk=case.applicant.pk), person("SPOUSE", "赵建国", ZHAO)]
    assert "赵建国 is in an open hardship file" in refused(rewritten, case, neighbour, people=people)["people"][0]


def test_after_the_end_of_a_case_the_next_is_a_new_cycle_of_the_file(tree, enterprise):
    first = household(tree.enterprise, enterprise)
    HardshipCase.objects.filter(pk=first.pk).update(state="WITHDRAWN")
    HouseholdPerson.objects.update(live=False)
    second = household(None, enterprise, membership=first.membership)
    assert (second.file, second.cycle, second.previous) == (first.file, 2, first)
    HardshipCase.objects.filter(pk=second.pk).update(state="MONITORED")
    said = refused(household, None, enterprise, membership=first.membership)
    assert said == {"": ["This household is being monitored after its exit: apply again from the page of that case."]}


def test_the_file_of_a_record_that_was_merged_is_found(tree):
    old = household(
        tree.sibling,
        membership=member(tree.sibling, "赵建国", number(9)),
        people=[person("SELF", id_number=number(9), name="赵建国")],
        expenses=[],
    )
    zhao = member(tree.enterprise)
    Person.objects.filter(pk=old.file.person_id).update(merged_into=zhao.person)
    assert "is in the open hardship file" in refused(household, None, membership=zhao)[""][0]
    HardshipCase.objects.update(state="CLOSED")
    HouseholdPerson.objects.update(live=False)
    assert household(None, membership=zhao, people=[own()], expenses=[]).file == old.file


@pytest.mark.django_db(transaction=True)
def test_of_two_entries_at_the_same_moment_one_is_refused_with_the_sentence(tree):
    """Both look before either stores: the unique constraints decide, and the loser is told what the winner entered."""
    zhao, qian = member(tree.enterprise), member(tree.neighbour_enterprise, "钱芳", QIAN)
    barrier, told = Barrier(2, timeout=20), []
    look = households._check_elsewhere
    met = set()

    def looked(case, people, by):
        look(case, people, by)
        if case.union_id not in met:
            met.add(case.union_id)
            if connection.vendor == "postgresql":  # SQLite lets one writer in at a time
                barrier.wait()

    def enter(membership, people):
        try:
            with translation.override("en"):
                household(None, membership=membership, people=people, incomes=[], expenses=[])
            told.append("entered")
        except ValidationError as refusal:
            told.append(str(refusal))
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(households, "_check_elsewhere", looked)
        pairs = [(zhao, [own(), person()]), (qian, [own("钱芳"), person("SPOUSE", "赵建国", ZHAO)])]
        threads = [Thread(target=enter, args=pair) for pair in pairs]
        [thread.start() for thread in threads]
        [thread.join(30) for thread in threads]
    assert sorted(told, key=len)[0] == "entered"
    assert "open hardship file" in max(told, key=len)
    assert HardshipCase.objects.count() == HardshipFile.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_member_entered_twice_at_the_same_moment_has_one_file(tree):
    zhao, told = member(tree.enterprise), []

    def enter():
        try:
            with translation.override("en"):
                household(None, membership=zhao, people=[own()], incomes=[], expenses=[])
            told.append("entered")
        except ValidationError as refusal:
            told.append(str(refusal))
        finally:
            connection.close()

    threads = [Thread(target=enter) for _place in range(3)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert told.count("entered") == 1
    assert len(told) == 3
    assert HardshipCase.objects.count() == HardshipFile.objects.count() == 1


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"people": []}, "people", "at least: the applicant"),
        ({"people": [person()]}, "people", "One person, and only one, is the applicant."),
        ({"people": [own(), own()]}, "people", "One person, and only one"),
        ({"people": [own(), person(), person("SIBLING")]}, "people", "Row 3: The same person stands in another row"),
        ({"people": [own(), person(id_number=ZHAO)]}, "people", "Row 2: The same person"),
        ({"people": [own("赵国建")]}, "people", "Row 1: name and number of the applicant are those of the register"),
        ({"people": [own(), person(id_number="")]}, "people", "Row 2: The identity number is missing"),
        ({"people": [own(), person(name="=1+1")]}, "people", "Row 2: This is no name of a person"),
        ({"people": [own(), person(pk=10**9)]}, "people", "Row 2: this row was deleted meanwhile"),
        ({"people": [own(), person(situation="ABROAD")]}, "people", "Row 2: situation:"),
        ({"incomes": [AmountRow(0, "WAGE", Decimal("-0.01"))]}, "incomes", "Row 1: an amount is never negative."),
        ({"expenses": [AmountRow(0, "JOB", Decimal("10000000.01"))]}, "expenses", "it is in yuan"),
        ({"expenses": [AmountRow(3, "JOB", Decimal(1))]}, "expenses", "Row 1: say whose it is"),
        ({"incomes": [AmountRow(0, "MEDICAL", Decimal(1))]}, "incomes", "Row 1: choose the kind."),
        ({"incomes": [AmountRow(0, "WAGE", Decimal(1), "x" * 201)]}, "incomes", "the remark is too long"),
        ({"facts": {"applied_on": date(9999, 1, 1)}}, "applied_on", "future"),
        ({"facts": {"cause": "LAZINESS"}}, "cause", "not a valid choice"),
        ({"facts": {"flags": ["CAR", "YACHT"]}}, "flags", "No such exclusion is known: YACHT."),
        ({"facts": {"event_loss": Decimal(5)}}, "event", "which event the loss comes from"),
        ({"facts": {"event_on": date(2026, 1, 1)}}, "event", "which event happened"),
        ({"facts": {"event": "ACCIDENT", "event_on": date(2026, 3, 3)}}, "event_on", "after the application"),
        ({"facts": {"event": "ACCIDENT", "event_loss": Decimal(-1)}}, "event_loss", "0"),
        ({"facts": {"event": "ACCIDENT", "event_loss": Decimal(10**8)}}, "event_loss", "it is in yuan"),
        ({"facts": {"labour_months": 600}}, "labour_months", "longer than the person has lived"),
        ({"facts": {"labour_months": -1}}, "labour_months", "0"),
        ({"facts": {"houses": 21}}, "houses", "20"),
        ({"facts": {"phone": "12345"}}, "phone", "11 digits"),
        ({"facts": {"bank_account": "62220"}}, "bank_account", "8 to 30 digits"),
        ({"facts": {"bank_account": "6222x2130000"}}, "bank_account", "8 to 30 digits"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_sentence(tree, change, field, words):
    said = refused(household, tree.enterprise, **change)
    assert list(said) == [field]
    assert words in " ".join(said[field])
    assert not HardshipFile.objects.exists()


def test_how_many_people_and_how_much_are_settings(tree):
    Setting.objects.filter(key="hardship_most_people").update(value="2")
    Setting.objects.filter(key="hardship_most_amount").update(value="36000")
    assert "more than 2 people" in refused(household, tree.enterprise)["people"][0]
    zhou = member(tree.sibling, "周五", number(9))
    said = refused(household, None, membership=zhou, people=[own("周五")], expenses=[])
    assert "More than 36000 yuan" in said["incomes"][0]


def test_a_dead_applicant_and_an_ended_membership_are_refused(tree):
    zhao = member(tree.enterprise)
    zhao.person.die(date(2026, 1, 1))
    assert "this person died" in refused(household, None, membership=zhao)[""][0]
    zhao.person.die(None)
    zhao.state, zhao.ended_on = "WITHDRAWN", date(2026, 1, 1)
    zhao.save()
    assert "This membership has ended" in refused(household, None, membership=zhao)[""][0]


@pytest.mark.parametrize("state", ["UNION_REVIEW", "PUBLICITY", "FILED", "CLOSED"])
def test_only_a_draft_and_a_review_are_changed(tree, enterprise, state):
    case = household(tree.enterprise, enterprise)
    HardshipCase.objects.filter(pk=case.pk).update(state=state)
    assert "in a draft or in a periodic review only" in refused(rewritten, case, enterprise)[""][0]
    HardshipCase.objects.filter(pk=case.pk).update(state="REVIEW")
    rewritten(case, enterprise, people=[own(pk=case.applicant.pk)])


def test_a_change_that_comes_too_late_is_a_conflict(tree, enterprise):
    case = household(tree.enterprise, enterprise)
    rewritten(case, enterprise, people=[own(pk=case.applicant.pk)])
    with pytest.raises(Conflict):
        households.change(case, by=enterprise, version=1, facts={}, people=three(), incomes=[], expenses=[])


def test_others_do_not_enter_change_or_look(tree, neighbour, auditor, approver, enterprise):
    case = household(tree.enterprise)
    zhou = member(tree.enterprise, "周五", number(9))
    for user in (neighbour, auditor, approver):
        with pytest.raises(PermissionDenied):
            household(None, user, membership=zhou, people=[own("周五")])
        with pytest.raises(PermissionDenied):
            rewritten(case, user)
        with pytest.raises(PermissionDenied):
            households.reveal(case, by=user, reason="核对")
    assert refused(households.reveal, case, by=enterprise, reason=" ") == {
        "reason": ["Say why: the reason is kept with your name."]
    }
    clear = households.reveal(case, by=enterprise, reason="核对材料")
    assert (clear["phone"], [row.id_number for row in clear["people"]]) == (PHONE, [ZHAO, QIAN, CHILD])
    assert AuditEvent.objects.get(verb="assistance.reveal_hardshipcase").reason == "核对材料"
    assert FACTS["cause"] == case.cause

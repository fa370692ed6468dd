"""What is done to unions, terms, officers and appointments."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.utils import timezone

from core.conflicts import Conflict
from core.models import AuditEvent, Deadline, User
from unions import actions
from unions.models import Appointment, Committee, Officer, Union, UnionKind, UnionPlacement
from unions.tree import path_of

TODAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(f"{TODAY}T10:00:00+08:00", tick=False)


def verbs():
    return list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))


def blamed(refusal):
    """The fields that a refusal blames."""
    return list(refusal.value.message_dict)


def elect(union, by, day=date(2024, 5, 1), years=3, **facts):
    return actions.record_election(union, by=by, elected_on=day, term_years=years, **facts)


# --- Unions -----------------------------------------------------------------------------------------------


def test_found_union_below_own_union_stands_in_the_tree(tree, street):
    union = actions.found_union(
        by=street,
        parent=tree.street,
        code="T0101003",
        name="云河新工厂工会",
        kind="ENTERPRISE",
        founded_on=date(2026, 3, 1),
    )
    union.refresh_from_db()
    assert union.path == path_of(union.pk, tree.street.path)
    assert list(union.placements.values_list("parent", "valid_from", "valid_to")) == [
        (tree.street.pk, date(2026, 3, 1), None)
    ]
    event = AuditEvent.objects.get()
    assert (event.verb, event.actor_id, event.union_id, event.target_id) == (
        "unions.found_union", street.pk, union.pk, str(union.pk),
    )  # fmt: skip
    assert event.changes["name"] == ["", "云河新工厂工会"]


def test_found_union_without_a_date_is_placed_from_today(tree, street):
    union = actions.found_union(by=street, parent=tree.street, code="X", name="工会", kind="JOINT")
    assert UnionPlacement.objects.get(union=union).valid_from == TODAY


def test_found_union_at_the_neighbours_refused(tree, street):
    with pytest.raises(PermissionDenied):
        actions.found_union(by=street, parent=tree.other_street, code="X", name="工会", kind="ENTERPRISE")
    assert not Union.objects.filter(code="X").exists()
    assert verbs() == []


def test_found_union_root_only_by_the_superuser(db, root):
    stranger = User.objects.create(username="stranger")
    with pytest.raises(PermissionDenied):
        actions.found_union(by=stranger, parent=None, code="C00", name="云河市总工会", kind="CITY_FED")
    top = actions.found_union(by=root, parent=None, code="C00", name="云河市总工会", kind="CITY_FED", term_years=5)
    assert (top.level, top.parent) == (0, None)


def test_found_union_second_root_refused(tree, root):
    with pytest.raises(ValidationError) as refusal:
        actions.found_union(by=root, parent=None, code="X", name="另一个市总工会", kind="CITY_FED")
    assert blamed(refusal) == ["__all__"]


def test_found_union_taken_code_says_so_under_the_code(tree, street):
    with pytest.raises(ValidationError) as refusal:
        actions.found_union(by=street, parent=tree.street, code=tree.enterprise.code, name="工会", kind="ENTERPRISE")
    assert blamed(refusal) == ["code"]


@pytest.mark.parametrize("kind", ["CITY_FED", "DISTRICT_FED", "INDUSTRIAL_UNION"])
def test_found_union_federation_with_three_years_refused(tree, city, kind):
    with pytest.raises(ValidationError) as refusal:
        actions.found_union(by=city, parent=tree.city, code="X", name="总工会", kind=kind, term_years=3)
    assert blamed(refusal) == ["term_years"]


@pytest.mark.parametrize("kind", ["REGIONAL_FED", "INDUSTRY_FED", "STREET", "ENTERPRISE"])
@pytest.mark.parametrize("years", [3, 5])
def test_found_union_grassroots_may_have_three_or_five(tree, city, kind, years):
    assert (
        actions.found_union(by=city, parent=tree.city, code="X", name="工会", kind=kind, term_years=years).term_years
        == years
    )


def test_change_union_writes_only_what_differs(tree, street):
    changed = actions.change_union(
        tree.enterprise, by=street, version=1, changes={"name": "新名工会", "employees": 240, "industry": ""}
    )
    assert (changed.name, changed.employees, changed.version) == ("新名工会", 240, 2)
    assert AuditEvent.objects.get().changes == {
        "name": ["云河恒达机械有限公司工会", "新名工会"],
        "employees": [None, 240],
    }


def test_change_union_nothing_new_writes_nothing(tree, street):
    assert (
        actions.change_union(tree.enterprise, by=street, version=1, changes={"name": tree.enterprise.name}).version == 1
    )
    assert verbs() == []


def test_change_union_stale_version_is_a_conflict_with_the_row_as_it_stands(tree, street, district):
    actions.change_union(tree.enterprise, by=district, version=1, changes={"employees": 100})
    with pytest.raises(Conflict) as conflict:
        actions.change_union(tree.enterprise, by=street, version=1, changes={"employees": 120})
    assert (conflict.value.current.employees, conflict.value.current.version) == (100, 2)
    tree.enterprise.refresh_from_db()
    assert tree.enterprise.employees == 100


@pytest.mark.django_db(transaction=True)
def test_change_union_two_at_the_same_moment_one_wins(tree, street, district):
    """Both read version 1 and write at once: the row's lock lets one through, the other sees what it wrote."""
    together = Barrier(2)

    def change(user, employees):
        together.wait()
        try:
            actions.change_union(tree.enterprise, by=user, version=1, changes={"employees": employees})
        except Conflict as conflict:
            return conflict.current.employees
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(2) as pool:
        outcomes = {
            employees: pool.submit(change, user, employees) for user, employees in ((street, 100), (district, 200))
        }
    outcomes = {employees: outcome.result() for employees, outcome in outcomes.items()}
    stored = Union.objects.get(pk=tree.enterprise.pk)
    assert outcomes == {stored.employees: None, 300 - stored.employees: stored.employees}
    assert stored.version == 2
    assert verbs() == ["unions.change_union"]


@pytest.mark.django_db(transaction=True)
def test_record_election_twice_at_the_same_moment_is_one_election(tree, street, district):
    together = Barrier(2)

    def record(user):
        together.wait()
        try:
            elect(tree.enterprise, user)
        except ValidationError as refusal:
            return list(refusal.message_dict)
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(record, user) for user in (street, district)]
    assert sorted((outcome.result() for outcome in outcomes), key=str) == [None, ["elected_on"]]
    assert Committee.objects.count() == Deadline.objects.count() == 1


def test_change_union_place_in_the_tree_is_not_a_fact(tree, city):
    for field in ("parent", "path", "id", "version"):
        with pytest.raises(ValueError):
            actions.change_union(tree.enterprise, by=city, version=1, changes={field: 5})


def test_change_union_auditor_and_neighbour_refused(tree, auditor, neighbour):
    for user in (auditor, neighbour):
        with pytest.raises(PermissionDenied):
            actions.change_union(tree.enterprise, by=user, version=1, changes={"employees": 1})


# --- Elections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "years", "ends"),
    [
        (date(2024, 5, 1), 3, date(2027, 5, 1)),  # Labour Day: never rolls
        (date(2024, 5, 1), 5, date(2029, 5, 1)),
        (date(2024, 2, 29), 3, date(2027, 2, 28)),
        (date(2020, 10, 4), 3, date(2023, 10, 4)),
    ],
)
def test_record_election_term_ends_on_the_natural_day(tree, street, day, years, ends):
    committee = elect(tree.enterprise, street, day, years)
    assert (committee.term_ends_on, committee.number, committee.ended_on) == (ends, 1, None)
    deadline = Deadline.objects.get()
    assert (deadline.rule.code, deadline.trigger, deadline.due, deadline.state) == (
        f"UNION_TERM_{years}Y",
        day,
        ends,
        "open",
    )
    assert (deadline.subject_type, deadline.subject_id, deadline.union) == (
        "unions.committee",
        committee.pk,
        tree.enterprise,
    )
    assert deadline.derivation
    tree.enterprise.refresh_from_db()
    assert tree.enterprise.term_years == years


def test_record_election_ends_the_committee_in_office_and_its_deadline(tree, street):
    first = elect(
        tree.enterprise,
        street,
        officers=[{"position": "CHAIR", "name": "张三"}, {"position": "MEMBER", "name": "李四"}],
    )
    second = elect(
        tree.enterprise, street, date(2026, 11, 20), 5,
        officers=[{"position": "CHAIR", "name": "李四", "sex": "F", "phone": "13800138000", "full_time": True}],
    )  # fmt: skip
    first.refresh_from_db()
    assert first.ended_on == date(2026, 11, 20)
    assert set(first.officers.values_list("ended_on", flat=True)) == {date(2026, 11, 20)}
    assert (second.number, second.ended_on) == (2, None)
    assert tree.enterprise.committees.in_office().get() == second
    assert list(Deadline.objects.order_by("id").values_list("state", "closed_on")) == [
        ("met", date(2026, 11, 20)),
        ("open", None),
    ]
    assert Officer.objects.in_office().get().phone == "13800138000"
    assert "13800138000" not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"day": date(2026, 11, 21)}, "elected_on"),  # tomorrow
        ({"day": date(2024, 5, 1)}, "elected_on"),  # the day of the last one: a double submit
        ({"day": date(2024, 4, 30)}, "elected_on"),  # before the last one
        ({"day": date(2026, 1, 1), "years": 4}, "term_years"),
    ],
)
def test_record_election_impossible_facts_refused_and_nothing_written(tree, street, facts, field):
    elect(tree.enterprise, street)
    with pytest.raises(ValidationError) as refusal:
        elect(tree.enterprise, street, **facts)
    assert blamed(refusal) == [field]
    assert Committee.objects.get().ended_on is None
    assert Deadline.objects.get().state == "open"


def test_record_election_district_federation_with_three_years_refused(tree, district):
    with pytest.raises(ValidationError) as refusal:
        elect(tree.district, district, years=3)
    assert blamed(refusal) == ["term_years"]


def test_record_election_two_chairs_refused_and_nothing_written(tree, street):
    with pytest.raises(ValidationError):
        elect(
            tree.enterprise,
            street,
            officers=[{"position": "CHAIR", "name": "张三"}, {"position": "CHAIR", "name": "李四"}],
        )
    assert not Committee.objects.exists()
    assert not Deadline.objects.exists()


def test_record_election_out_of_scope_refused(tree, neighbour, auditor):
    for user in (neighbour, auditor):
        with pytest.raises(PermissionDenied):
            elect(tree.enterprise, user)


def test_correct_election_moves_the_term_and_says_why(tree, street):
    first = elect(tree.enterprise, street, date(2021, 5, 1), officers=[{"position": "CHAIR", "name": "张三"}])
    second = elect(tree.enterprise, street, date(2024, 6, 1), officers=[{"position": "CHAIR", "name": "李四"}])
    actions.correct_election(
        second, by=street, elected_on=date(2024, 5, 11), term_years=5, number=2, reason="选举日期写错"
    )
    first.refresh_from_db()
    second.refresh_from_db()
    assert (second.elected_on, second.term_years, second.term_ends_on) == (date(2024, 5, 11), 5, date(2029, 5, 11))
    assert first.ended_on == date(2024, 5, 11)
    assert first.officers.get().ended_on == second.officers.get().started_on == date(2024, 5, 11)
    assert list(Deadline.objects.order_by("id").values_list("state", "due", "reason")) == [
        ("met", date(2024, 5, 1), ""),
        ("void", date(2027, 6, 1), "选举日期写错"),
        ("open", date(2029, 5, 11), ""),
    ]
    assert AuditEvent.objects.get(verb="unions.correct_election").reason == "选举日期写错"


@pytest.mark.parametrize("day", [date(2021, 5, 1), date(2026, 11, 21)])
def test_correct_election_impossible_day_refused(tree, street, day):
    elect(tree.enterprise, street, date(2021, 5, 1))
    second = elect(tree.enterprise, street, date(2024, 6, 1))
    with pytest.raises(ValidationError):
        actions.correct_election(second, by=street, elected_on=day, term_years=3, number=2, reason="x")


def test_correct_election_of_an_earlier_committee_refused(tree, street):
    first = elect(tree.enterprise, street, date(2021, 5, 1))
    elect(tree.enterprise, street, date(2024, 6, 1))
    with pytest.raises(ValidationError):
        actions.correct_election(first, by=street, elected_on=date(2021, 6, 1), term_years=3, number=1, reason="x")


# --- Officers ---------------------------------------------------------------------------------------------


def test_add_officer_by_election_of_a_new_chair(tree, street):
    elect(tree.enterprise, street, officers=[{"position": "CHAIR", "name": "张三"}])
    with pytest.raises(ValidationError) as refusal:
        actions.add_officer(tree.enterprise, by=street, position="CHAIR", name="李四", started_on=date(2025, 1, 1))
    assert blamed(refusal) == ["position"]
    actions.end_officer(Officer.objects.get(), by=street, on=date(2024, 12, 31), reason="调动")
    chair = actions.add_officer(tree.enterprise, by=street, position="CHAIR", name="李四", started_on=date(2025, 1, 1))
    assert list(Officer.objects.in_office()) == [chair]
    assert verbs()[-4:] == [
        "unions.end_officer", "core.open_deadline", "unions.add_officer", "core.close_deadline",
    ]  # fmt: skip


@pytest.mark.parametrize("day", [date(2024, 4, 30), date(2026, 11, 21)])
def test_add_officer_before_the_election_or_tomorrow_refused(tree, street, day):
    elect(tree.enterprise, street)
    with pytest.raises(ValidationError) as refusal:
        actions.add_officer(tree.enterprise, by=street, position="MEMBER", name="李四", started_on=day)
    assert blamed(refusal) == ["started_on"]


def test_add_officer_twice_refused(tree, street):
    elect(tree.enterprise, street)
    facts = {"by": street, "position": "MEMBER", "name": "李四", "started_on": date(2025, 1, 1)}
    actions.add_officer(tree.enterprise, **facts)
    with pytest.raises(ValidationError):
        actions.add_officer(tree.enterprise, **facts)
    assert Officer.objects.count() == 1


def test_add_officer_without_a_committee_says_what_to_do(tree, street):
    with pytest.raises(ValidationError):
        actions.add_officer(tree.enterprise, by=street, position="MEMBER", name="李四", started_on=TODAY)


def test_end_officer_twice_or_before_the_beginning_refused(tree, street, neighbour):
    elect(tree.enterprise, street, officers=[{"position": "CHAIR", "name": "张三"}])
    officer = Officer.objects.get()
    for day in (date(2024, 4, 30), date(2026, 11, 21)):
        with pytest.raises(ValidationError):
            actions.end_officer(officer, by=street, on=day)
    with pytest.raises(PermissionDenied):
        actions.end_officer(officer, by=neighbour, on=TODAY)
    actions.end_officer(officer, by=street, on=TODAY)
    with pytest.raises(ValidationError):
        actions.end_officer(officer, by=street, on=TODAY)


# --- Appointments -----------------------------------------------------------------------------------------


def test_appoint_gives_the_role_from_its_day(tree, secadmin, nobody):
    actions.appoint(by=secadmin, user=nobody, union=tree.street, role="cadre", valid_from=TODAY)
    assert User.objects.get(pk=nobody.pk).has_perm("unions.change_union", tree.enterprise)
    event = AuditEvent.objects.get()
    assert (event.verb, event.union_id, event.changes["role"]) == ("unions.appoint", tree.street.pk, [None, "cadre"])


def test_appoint_oneself_refused(tree, secadmin):
    with pytest.raises(PermissionDenied):
        actions.appoint(by=secadmin, user=secadmin, union=tree.street, role="cadre", valid_from=TODAY)


def test_appoint_outside_the_own_reach_refused(tree, nobody, street, city):
    Appointment.objects.create(user=nobody, union=tree.district, role="secadmin", valid_from=date(2020, 1, 1))
    actions.appoint(by=nobody, user=street, union=tree.street, role="judge", valid_from=TODAY)
    for user, union in ((street, tree.other_street), (street, tree.city), (city, tree.street)):
        with pytest.raises(PermissionDenied):
            actions.appoint(by=nobody, user=user, union=union, role="visitor", valid_from=TODAY)


def test_appoint_unknown_role_or_superuser_refused(tree, secadmin, street, root):
    with pytest.raises(ValidationError):
        actions.appoint(by=secadmin, user=street, union=tree.street, role="emperor", valid_from=TODAY)
    with pytest.raises(PermissionDenied):
        actions.appoint(by=secadmin, user=root, union=tree.street, role="cadre", valid_from=TODAY)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ((0, None), (0, None), True),
        ((0, 10), (10, None), True),
        ((0, 10), (11, None), False),
        ((20, None), (0, 19), False),
        ((20, None), (0, 20), True),
    ],
)
def test_appoint_same_role_in_the_same_days_refused(tree, secadmin, nobody, first, second, refused):
    def give(days):
        begin, end = (None if days_on is None else TODAY + timedelta(days_on) for days_on in days)
        actions.appoint(by=secadmin, user=nobody, union=tree.street, role="cadre", valid_from=begin, valid_to=end)

    give(first)
    if refused:
        with pytest.raises(ValidationError):
            give(second)
    else:
        give(second)
    assert nobody.appointments.count() == (1 if refused else 2)


def test_end_appointment_takes_it_away_at_once_and_leaves_the_row(tree, secadmin, street):
    appointment = actions.end_appointment(street.appointments.get(), by=secadmin, reason="调离")
    assert appointment.ended_on == timezone.localdate()
    assert not User.objects.get(pk=street.pk).has_perm("unions.view_union")
    assert AuditEvent.objects.get().reason == "调离"
    actions.end_appointment(appointment, by=secadmin)  # a second click
    assert verbs() == ["unions.end_appointment"]


def test_end_appointment_then_the_same_role_again(tree, secadmin, street):
    actions.end_appointment(street.appointments.get(), by=secadmin)
    actions.appoint(by=secadmin, user=street, union=tree.street, role="cadre", valid_from=TODAY)
    assert User.objects.get(pk=street.pk).has_perm("unions.change_union", tree.street)


def test_end_appointment_by_a_cadre_refused(tree, city, street):
    with pytest.raises(PermissionDenied):
        actions.end_appointment(street.appointments.get(), by=city)


def test_kinds_and_lengths_every_kind_can_be_elected(tree, city):
    for number, kind in enumerate(UnionKind):
        union = actions.found_union(by=city, parent=tree.city, code=f"K{number}", name=f"工会{number}", kind=kind)
        assert elect(union, city, years=5).term_ends_on == date(2029, 5, 1)

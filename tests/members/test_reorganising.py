"""Unions that move, merge and end, with their members: previews, refusals, and what must hold in whatever order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count, pairwise
from threading import Barrier

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import Count, Q
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import jobs
from core.models import AuditEvent, Deadline, Job, Setting
from members import actions as member_actions
from members import reorganising, transfers
from members.models import OPEN_STATES, Membership, MembershipStep, Person, Transfer
from members.reorganising import Fate
from tests import cast
from tests.members.invariants import check_paths
from tests.members.people import ZHAO
from unions import actions
from unions.models import Appointment, Officer, Union, UnionPlacement
from unions.roles import paths_for
from unions.tree import path_of

TODAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(f"{TODAY}T10:00:00+08:00", tick=False)


def blamed(refusal):
    return list(refusal.value.message_dict)


SEQUENCE = count()


def someone():
    return Person.objects.create(
        name="安建国", id_number=f"21040019900101{next(SEQUENCE):04d}", id_masked="2104**********0017", sex="M",
        born_on=date(1990, 1, 1),
    )  # fmt: skip


def fill(union, number, state="ACTIVE"):
    """Put `number` people on the roll of `union`."""
    return [
        Membership.objects.create(person=someone(), union=union, state=state, joined_on=TODAY)
        for _place in range(number)
    ]


def open_in(union):
    return dict(
        Membership.objects.filter(union=union, state__in=OPEN_STATES)
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
    )


def elect(union):
    return actions.record_election(
        union, by=None, elected_on=date(2024, 5, 1), term_years=5, officers=[{"position": "CHAIR", "name": "张三"}]
    )


def check_tree():
    """Paths, placements and memberships hold together."""
    unions = list(Union.objects.select_related("parent"))
    for union in unions:
        assert union.path == path_of(union.pk, union.parent.path if union.parent else "")
        assert union.dissolved_on or not (union.parent and union.parent.dissolved_on)
        places = list(union.placements.order_by("valid_from", "pk"))
        for before, after in pairwise(places):
            assert before.valid_to == after.valid_from
        assert places[-1].valid_to == union.dissolved_on
        assert places[-1].parent_id == union.parent_id
    several = Person.objects.annotate(n=Count("memberships", filter=Q(memberships__state__in=OPEN_STATES)))
    assert not several.filter(n__gt=1).exists()
    assert not Membership.objects.filter(state__in=OPEN_STATES, union__dissolved_on__isnull=False).exists()
    check_paths()


# --- Move -----------------------------------------------------------------------------------------------------


def test_move_takes_all_below_along(tree, city):
    fill(tree.enterprise, 2)
    seen = reorganising.preview_move(tree.street, tree.other_district)
    assert (seen.counts["unions"], seen.counts["members"]) == (3, 2)
    reorganising.move(tree.street, by=city, to=tree.other_district, on=TODAY, reason="区划调整", seen=seen.mark)
    check_tree()
    assert Union.objects.below(Union.objects.get(pk=tree.other_district.pk)).count() == 6
    assert list(tree.street.placements.values_list("parent", "valid_from", "valid_to")) == [
        (tree.district.pk, date(2020, 1, 1), TODAY), (tree.other_district.pk, TODAY, None),
    ]  # fmt: skip
    event = tree.street.events.get()
    assert (event.kind, event.on, event.by) == ("MOVE", TODAY, city)
    assert AuditEvent.objects.filter(verb="unions.move_union").exists()


def test_move_changes_who_reaches_it(tree, city, district):
    seen = reorganising.preview_move(tree.street, tree.other_district).counts
    held = Appointment.objects.filter(union=tree.district).count()
    assert (seen["lose"], seen["gain"]) == (held, 0)
    reorganising.move(tree.street, by=city, to=tree.other_district, on=TODAY)
    tree.street.refresh_from_db()
    assert not paths_for(district, "unions.view_union").covers(tree.street.path)


@pytest.mark.parametrize(
    ("union", "to", "on", "field"),
    [
        ("street", "enterprise", TODAY, "to"),  # below itself
        ("street", "street", TODAY, "to"),
        ("street", "district", TODAY, "to"),  # there already
        ("district", "other_street", TODAY, "to"),  # a lower level
        ("street", "other_district", date(2026, 11, 21), "on"),
        ("street", "other_district", date(2019, 12, 31), "on"),
    ],
)
def test_move_refused(tree, city, union, to, on, field):
    with pytest.raises(ValidationError) as refusal:
        reorganising.move(getattr(tree, union), by=city, to=getattr(tree, to), on=on)
    assert blamed(refusal) == [field]
    check_tree()


def test_only_who_keeps_the_parents_moves(tree, street, district):
    with pytest.raises(PermissionDenied):
        reorganising.move(tree.street, by=street, to=tree.other_district, on=TODAY)
    with pytest.raises(ValidationError) as refusal:
        reorganising.move(tree.street, by=district, to=tree.other_district, on=TODAY)
    assert blamed(refusal) == ["to"]
    with pytest.raises(ValidationError):
        reorganising.dissolve(tree.city, by=None, on=TODAY, fate=Fate.END)


# --- Merge ----------------------------------------------------------------------------------------------------


def test_merge_carries_everything_over(tree, street):
    gone, kept = tree.enterprise, tree.sibling
    elect(gone)
    fill(gone, 3)
    [retained] = fill(tree.enterprise, 1, "RETAINED")
    fill(kept, 2)
    clerk = cast.invite("enterprise", tree)
    branch = actions.found_union(by=None, parent=gone, code="T0101001F", name="恒达一分厂工会", kind="ENTERPRISE",
                                 founded_on=date(2025, 1, 1))  # fmt: skip
    transfers.ask_transfer(
        by=None,
        membership=Membership.objects.filter(union=gone).first(),
        to_union=tree.neighbour_enterprise,
        side="FROM",
    )
    seen = reorganising.preview_merge(gone, kept)
    assert seen.counts | {"deadlines": 0, "papers": 0} == {
        "children": 1, "members": 4, "retained": 1, "officers": 1, "appointments": 1, "deadlines": 0, "transfers": 1,
        "papers": 0,
    }  # fmt: skip
    reorganising.merge(gone, by=street, into=kept, on=TODAY, reason="企业合并", approval_no="7号", seen=seen.mark)
    check_tree()
    gone.refresh_from_db()
    branch.refresh_from_db()
    assert (gone.dissolved_on, gone.merged_into, branch.parent) == (TODAY, kept, kept)
    assert open_in(gone) == {}
    assert open_in(kept) == {"ACTIVE": 5, "RETAINED": 1}
    assert not Officer.objects.in_office().exists()
    assert not Deadline.objects.open().filter(union=gone).exists()
    assert not Transfer.objects.open().exists()
    assert Appointment.objects.get(user=clerk).ended_on is not None
    retained.refresh_from_db()
    assert (retained.state, retained.state_before, retained.ended_on) == ("TRANSFERRED", "RETAINED", TODAY)
    assert MembershipStep.objects.filter(move="transfer", by=street).count() == 4
    assert list(kept.events.values_list("kind", flat=True)) == ["MERGER"]
    assert AuditEvent.objects.filter(verb="members.arrive_membership").count() == 4


@pytest.mark.parametrize("into", ["street", "enterprise"])
def test_merge_into_itself_or_below_refused(tree, city, into):
    with pytest.raises(ValidationError) as refusal:
        reorganising.merge(tree.street, by=city, into=getattr(tree, into), on=TODAY)
    assert blamed(refusal) == ["to"]


def test_merge_whose_lower_unions_do_not_fit_says_which(tree, city):
    with pytest.raises(ValidationError) as refusal:
        reorganising.merge(tree.district, by=city, into=tree.other_street, on=TODAY)
    assert tree.street.name in str(refusal.value)
    check_tree()


# --- Dissolve -------------------------------------------------------------------------------------------------


def test_dissolve_retains_the_members_with_the_union_above(tree, street, client_of):
    elect(tree.enterprise)
    fill(tree.enterprise, 3)
    reorganising.dissolve(tree.enterprise, by=street, on=TODAY, fate=Fate.RETAIN, reason="破产")
    check_tree()
    assert open_in(tree.street) == {"RETAINED": 3}
    step = MembershipStep.objects.filter(case__union=tree.street).first()
    assert (step.move, step.target, step.facts["kind"]) == ("retain", "RETAINED", "UNIT_CLOSED")
    client = client_of(street)
    page = client.get(reverse("union_page", args=[tree.enterprise.pk]))
    assert page.status_code == 200
    assert page.context["not_standing"]
    for url in (reverse("union_list"), reverse("union_tree")):
        assert tree.enterprise.name not in client.get(url).content.decode()


def test_dissolve_ends_the_memberships(tree, street):
    fill(tree.enterprise, 2)
    reorganising.dissolve(tree.enterprise, by=street, on=TODAY, fate=Fate.END, reason="破产")
    check_tree()
    assert list(Membership.objects.values_list("state", "ended_on")) == [("WITHDRAWN", TODAY)] * 2


def test_dissolve_hands_the_lower_unions_up(tree, city):
    reorganising.dissolve(tree.street, by=city, on=TODAY, fate=Fate.RETAIN, reason="街道撤并")
    check_tree()
    assert set(tree.district.children.standing()) == {tree.enterprise, tree.sibling}


def test_dissolve_before_somebody_joined_refused(tree, street):
    fill(tree.enterprise, 1)
    with pytest.raises(ValidationError) as refusal:
        reorganising.dissolve(tree.enterprise, by=street, on=date(2026, 11, 19), fate=Fate.END)
    assert blamed(refusal) == ["on"]


def test_nothing_more_happens_in_a_union_that_ended(tree, street):
    reorganising.dissolve(tree.enterprise, by=street, on=TODAY, fate=Fate.END)
    ended = tree.enterprise  # as a page still holds it
    for act in (
        lambda: elect(ended),
        lambda: actions.found_union(by=street, parent=ended, code="X", name="分会", kind="ENTERPRISE"),
        lambda: actions.rename_union(ended, by=street, name="新名工会", on=TODAY),
        lambda: member_actions.enrol(by=street, union=ended, name="安建国", id_number=ZHAO),
        lambda: reorganising.dissolve(ended, by=street, on=TODAY, fate=Fate.END),
        lambda: reorganising.move(tree.sibling, by=street, to=ended, on=TODAY),
    ):
        with pytest.raises(ValidationError):
            act()
    check_tree()


# --- What was seen --------------------------------------------------------------------------------------------


def test_what_changed_since_the_preview_is_shown_again(tree, street, client_of):
    fill(tree.enterprise, 2)
    client, url = client_of(street), reverse("union_dissolve", args=[tree.enterprise.pk])
    facts = {"on": "2026-11-20", "fate": "RETAIN", "reason": "破产"}
    shown = client.post(url, facts)
    assert (shown.status_code, shown.context["found"].counts["members"]) == (200, 2)
    assert tree.enterprise.dissolved_on is None
    fill(tree.enterprise, 1)
    again = client.post(url, {**facts, "seen": shown.context["found"].mark})
    assert again.context["found"].counts["members"] == 3
    assert again.context["form"].non_field_errors()
    assert Union.objects.get(pk=tree.enterprise.pk).dissolved_on is None
    done = client.post(url, {**facts, "seen": again.context["found"].mark})
    assert done.url == reverse("union_page", args=[tree.enterprise.pk])
    assert open_in(tree.street) == {"RETAINED": 3}


def test_move_and_merge_on_their_pages(tree, city, client_of):
    client = client_of(city)
    for name, union, to, after in (
        ("union_move", tree.sibling, tree.other_street, tree.sibling),
        ("union_merge", tree.sibling, tree.neighbour_enterprise, tree.neighbour_enterprise),
    ):
        url = reverse(name, args=[union.pk])
        facts = {"to": to.code, "on": "2026-11-20", "reason": "调整"}
        assert client.get(url).status_code == 200
        shown = client.post(url, facts)
        done = client.post(url, {**facts, "seen": shown.context["found"].mark})
        assert done.url == reverse("union_page", args=[after.pk])
    check_tree()


def test_who_keeps_only_the_union_itself_reads_why_not(tree, enterprise, client_of):
    client = client_of(enterprise)
    for name in ("union_move", "union_merge", "union_dissolve"):
        url = reverse(name, args=[tree.enterprise.pk])
        assert tree.street.name in client.get(url).context["refusal"]
        client.post(url, {"on": "2026-11-20", "fate": "END", "reason": "—", "seen": "-"})
    assert Union.objects.get(pk=tree.enterprise.pk).dissolved_on is None


# --- By a job -------------------------------------------------------------------------------------------------


@pytest.fixture
def _one_at_once(tree):
    """More than one member is too many for a page to wait for."""
    Setting.objects.filter(key="reorganise_at_once_members").update(value="1")


ask = pytest.mark.usefixtures("_one_at_once")
FACTS = {"on": "2026-11-20", "fate": "RETAIN", "reason": "破产"}


def ask_to_dissolve(client, union):
    """Look, then decide; return the job."""
    url = reverse("union_dissolve", args=[union.pk])
    seen = client.post(url, FACTS).context["found"].mark
    answer = client.post(url, {**FACTS, "seen": seen})
    job = Job.objects.get(task=reorganising.RUN, state="waiting")
    assert answer.url == reverse("job_page", args=[job.pk])
    return job


@ask
def test_a_union_of_many_members_is_dissolved_by_a_job(tree, street, client_of):
    elect(tree.enterprise)
    fill(tree.enterprise, 3)
    client = client_of(street)
    job = ask_to_dissolve(client, tree.enterprise)
    assert (job.created_by, job.union, job.total) == (street, tree.enterprise, 3)
    assert "破产" not in job.title
    again = client.get(reverse("union_dissolve", args=[tree.enterprise.pk]))
    assert again.url == reverse("job_page", args=[job.pk])
    assert open_in(tree.enterprise) == {"ACTIVE": 3}
    jobs.run_now(job)
    assert (job.state, job.done) == ("done", 3)
    assert job.result_url == reverse("union_page", args=[tree.enterprise.pk])
    check_tree()
    assert open_in(tree.street) == {"RETAINED": 3}
    assert set(MembershipStep.objects.values_list("by", "reason")) == {(street.pk, "破产")}
    assert client.get(job.result_url).context["not_standing"]
    assert client.get(reverse("job_page", args=[job.pk])).status_code == 200


@ask
def test_a_job_that_was_broken_off_after_its_work_does_nothing_twice(tree, city):
    fill(tree.enterprise, 2)
    seen = reorganising.preview_merge(tree.enterprise, tree.sibling).mark
    job = reorganising.ask(
        "merge", tree.enterprise, to=tree.sibling, by=city, seen=seen, title="合并", on=TODAY, reason="企业合并"
    )
    assert reorganising.under_way(tree.enterprise) == job
    jobs.run_now(job)
    before = AuditEvent.objects.count()
    Job.objects.filter(pk=job.pk).update(state="waiting", finished_at=None)
    job.refresh_from_db()
    jobs.run_now(job)
    assert job.state == "done"
    assert open_in(tree.sibling) == {"ACTIVE": 2}
    assert AuditEvent.objects.count() == before
    check_tree()


@ask
def test_what_changed_before_the_job_ran_is_refused_and_nothing_done(tree, street, client_of):
    fill(tree.enterprise, 2)
    job = ask_to_dissolve(client_of(street), tree.enterprise)
    fill(tree.enterprise, 1)
    jobs.run_now(job)
    assert (job.state, job.message) == ("failed", "办理前涉及的内容已有变化，因此未作任何改动：请重新核对后再决定。")
    assert open_in(tree.enterprise) == {"ACTIVE": 3}
    assert reorganising.under_way(tree.enterprise) is None


@ask
def test_a_right_taken_away_before_the_job_ran_stops_it(tree, street, client_of):
    fill(tree.enterprise, 2)
    job = ask_to_dissolve(client_of(street), tree.enterprise)
    Appointment.objects.filter(user=street).update(ended_on=TODAY)
    jobs.run_now(job)
    assert job.state == "failed"
    assert tree.street.name in job.message
    assert open_in(tree.enterprise) == {"ACTIVE": 2}


@ask
def test_a_day_that_cannot_be_is_refused_before_there_is_a_job(tree, street, client_of):
    fill(tree.enterprise, 2)
    client, url = client_of(street), reverse("union_dissolve", args=[tree.enterprise.pk])
    facts = {**FACTS, "on": "2026-11-19"}
    seen = client.post(url, facts).context["found"].mark
    refused = client.post(url, {**facts, "seen": seen})
    assert refused.context["form"].errors["on"]
    assert not Job.objects.filter(task=reorganising.RUN).exists()


@ask
def test_a_move_of_many_is_a_job_too(tree, city, client_of):
    fill(tree.enterprise, 2)
    client, url = client_of(city), reverse("union_move", args=[tree.street.pk])
    facts = {"to": tree.other_district.code, "on": "2026-11-20", "reason": "区划调整"}
    seen = client.post(url, facts).context["found"].mark
    answer = client.post(url, {**facts, "seen": seen})
    job = jobs.run_now(Job.objects.get(task=reorganising.RUN))
    assert answer.url == reverse("job_page", args=[job.pk])
    assert job.state == "done"
    check_tree()
    assert Union.objects.get(pk=tree.street.pk).parent == tree.other_district


# --- In whatever order ----------------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(st.sampled_from(["found", "move", "merge", "dissolve", "end"]), st.integers(0, 99), st.integers(0, 99)),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=ACTS)
@pytest.mark.django_db
def test_whatever_is_done_to_the_tree_it_holds_together(tree, acts):
    with transaction.atomic():
        for union in (tree.enterprise, tree.sibling, tree.street, tree.neighbour_enterprise):
            fill(union, 2)
        people, ended = 8, 0
        for number, (act, one, two) in enumerate(acts):
            standing = list(Union.objects.standing().order_by("pk"))
            union, other = standing[one % len(standing)], standing[two % len(standing)]
            before = Membership.objects.filter(union=union, state__in=OPEN_STATES).count()
            try:
                with transaction.atomic():
                    if act == "found":
                        actions.found_union(
                            by=None,
                            parent=union,
                            code=f"N{number}",
                            name="新建工会",
                            kind="ENTERPRISE",
                            founded_on=TODAY,
                        )
                    elif act == "move":
                        reorganising.move(union, by=None, to=other, on=TODAY)
                    elif act == "merge":
                        reorganising.merge(union, by=None, into=other, on=TODAY)
                    else:
                        reorganising.dissolve(
                            union, by=None, on=TODAY, fate=Fate.RETAIN if act == "dissolve" else Fate.END
                        )
                        ended += before if act == "end" else 0
            except ValidationError:
                pass
            check_tree()
            assert Membership.objects.filter(state__in=OPEN_STATES).count() == people - ended
        transaction.set_rollback(True)


# --- Two at once ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
@pytest.mark.parametrize("crossing", [True, False])
def test_two_who_reorganise_at_once(crossing):
    """A goes below B while B goes below A: one comes through, the other reads why not. Twice the same: once."""
    tree = cast.plant_tree()
    start = Barrier(2)
    pairs = [
        (tree.enterprise, tree.sibling),
        (tree.sibling, tree.enterprise) if crossing else (tree.enterprise, tree.sibling),
    ]

    def act(pair):
        union, to = pair
        start.wait()
        try:
            reorganising.move(union, by=None, to=to, on=TODAY)
        except ValidationError as refusal:
            return " ".join(refusal.messages)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        refusals = [said for said in pool.map(act, pairs) if said]
    assert len(refusals) == 1
    check_tree()
    assert UnionPlacement.objects.count() == len(cast.TREE) + 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_nobody_is_enrolled_while_the_union_ends():
    tree = cast.plant_tree()
    start = Barrier(2)

    def run(act):
        start.wait()
        try:
            act()
        except ValidationError:
            pass
        finally:
            connection.close()

    acts = [
        lambda: member_actions.enrol(by=None, union=tree.enterprise, name="安建国", id_number=ZHAO),
        lambda: reorganising.dissolve(tree.enterprise, by=None, on=TODAY, fate=Fate.RETAIN),
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, acts))
    check_tree()

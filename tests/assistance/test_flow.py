"""The flow of a case: the whole way and back, who may do what, its clocks, its decisions and its next cycle."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import translation

from assistance import decisions
from assistance.models import Decision, Expense, HardshipCase, HouseholdPerson, Income, LivingStandard
from assistance.moves import APPROVALS, CHECKS, OPEN_STATES, PARTS, REVIEWS, VISITS
from core import deadlines, reminders
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.models import AuditEvent, Deadline, Publicity, Setting
from members import identity, relations
from tests.assistance.cases import (
    APPLIED,
    MATCH_FIRST,
    WAY,
    case_in,
    facts_of,
    go,
    officer,
    publicity_is_over,
    staff,
    today,
    visit_facts,
)
from tests.assistance.published import matched
from tests.members.people import QIAN, member, number

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def people(tree):
    return staff(tree)


@pytest.fixture
def draft(tree):
    return case_in("DRAFT", tree.enterprise)


def refusal(case, name, by, **facts):
    with pytest.raises(MoveRefused) as refused:
        case.make_move(name, by=by, **({"reason": "经核对"} | facts_of(name) | facts))
    return " ".join(refused.value.messages)


def wrong(case, name, by, **facts):
    with pytest.raises(ValidationError) as refused:
        case.make_move(name, by=by, **({"reason": "经核对"} | facts_of(name) | facts))
    assert not isinstance(refused.value, MoveRefused), refused.value
    return {field: " ".join(words) for field, words in refused.value.message_dict.items()}


def set_policy(key, value, valid_from=date(2000, 1, 1)):
    Setting.objects.update_or_create(key=f"hardship_{key}", valid_from=valid_from, defaults={"value": value})


def open_clocks(case):
    return set(Deadline.objects.of(case).open().values_list("rule__code", "union__code"))


# --- The whole way ---------------------------------------------------------------------------------------------------


def test_a_case_goes_the_whole_way_each_step_by_its_own_person(draft, people):
    case = go(draft, people)
    assert (case.state, case.category, case.per_capita) == ("FILED", "DEEP", Decimal("250.00"))
    assert case.filed_on == today()
    case.refresh_from_db()
    assert case.file.number == f"困〔{today().year}〕{case.file_id:06d}号"
    assert [step.target for step in case.steps.all()][::-1] == [
        "UNION_REVIEW", "HOME_VISIT", "APPRAISAL", "PUBLICITY", "DISTRICT_REVIEW", "DATA_MATCH", "CITY_APPROVAL",
        "FILED",
    ]  # fmt: skip
    assert not list(decisions.replay())


def test_where_the_match_comes_first_publicity_follows_it(draft, people):
    set_policy("match_first", "1")
    case = go(draft, people, way=MATCH_FIRST)
    assert [step.target for step in case.steps.all()][::-1] == [
        "UNION_REVIEW", "HOME_VISIT", "APPRAISAL", "DATA_MATCH", "PUBLICITY", "DISTRICT_REVIEW", "CITY_APPROVAL",
        "FILED",
    ]  # fmt: skip


def test_the_order_is_that_of_the_day_of_application_and_a_later_change_skips_no_step(draft, people):
    set_policy("match_first", "1", APPLIED + timedelta(days=1))
    case = go(draft, people, "end_publicity")
    set_policy("match_first", "1")  # changed under the running case
    assert case.make_move("check", by=people["checker"]).state == "DATA_MATCH"


@pytest.mark.parametrize(("last", "by", "name"), [
    ("submit", "chair", "return_review"), ("review", "guest", "return_visit"),
    ("visit", "enterer", "return_appraisal"), ("end_publicity", "checker", "return_check"),
    ("check", "checker", "return_match"), ("match", "decider", "return_approval"),
])  # fmt: skip
def test_each_step_gives_back_and_the_case_goes_the_whole_way_again(draft, people, last, by, name):
    case = go(draft, people, last)
    with pytest.raises(ValidationError) as refused:
        case.make_move(name, by=people[by])
    assert "reason" in refused.value.message_dict
    case = case.make_move(name, by=people[by], reason="收入材料不全")
    assert case.state == "DRAFT"
    assert open_clocks(case) == set()
    assert case.people.filter(live=True).count() == 3
    assert go(case, people).state == "FILED"
    # The second round passes every step again: nothing done before the return counts.
    assert [step.move for step in case.steps.all()][:8] == [move for move, _who in reversed(WAY)]


@pytest.mark.parametrize(("last", "by", "name"), [
    ("submit", "chair", "reject_review"), ("end_publicity", "checker", "reject_check"),
    ("match", "decider", "reject_approval"), ("appraise", "enterer", "withdraw"), (None, "enterer", "withdraw"),
])  # fmt: skip
def test_a_case_that_ends_unfiled_lets_its_people_go(draft, people, last, by, name):
    case = go(draft, people, last) if last else draft
    case = case.make_move(name, by=people[by], reason="不符合条件")
    assert case.state in ("REJECTED", "WITHDRAWN")
    assert case.ended_on == today()
    assert not HouseholdPerson.objects.filter(live=True).exists()
    assert open_clocks(case) == set()


# --- Complete before it is handed in ---------------------------------------------------------------------------------


def test_a_draft_says_all_that_is_missing(draft, people):
    draft.incomes.all().delete()
    draft.consents.filter(of__kin="SPOUSE", kind="CHECK").delete()
    withdrawn = draft.consents.get(of__kin="SELF", kind="PUBLICITY")
    withdrawn.withdrawn_at = withdrawn.given_at
    withdrawn.save()
    said = refusal(draft, "submit", people["enterer"])
    assert "check the economic situation is missing: spouse." in said
    assert "agreement to publicity is missing: applicant." in said
    assert "Enter the income, or a line of 0" in said
    (offer,) = [offer for offer in draft.open_moves(people["enterer"]) if offer.move.name == "submit"]
    assert offer.refusal == said
    Income.objects.create(case=draft, of=draft.people.get(kin="SELF"), kind="OTHER", amount=0)
    assert "Enter the income" not in refusal(draft, "submit", people["enterer"])


def test_a_draft_without_people_says_so(draft, people):
    for rows in (draft.incomes, draft.expenses, draft.consents, draft.people):
        rows.all().delete()
    assert refusal(draft, "submit", people["enterer"]).startswith("Enter the household first")


def test_a_child_needs_no_consent_of_its_own_until_it_is_of_age(draft, people):
    child = draft.people.get(kin="CHILD")
    child.born_on = date(2008, 3, 2)  # eighteen on the day of application
    child.save()
    assert "missing: child." in refusal(draft, "submit", people["enterer"])
    child.born_on = date(2008, 3, 3)
    child.save()
    assert draft.make_move("submit", by=people["enterer"]).state == "UNION_REVIEW"


# --- The visit and the appraisal -------------------------------------------------------------------------------------


@pytest.fixture
def visited(draft, people):
    """A case that waits for its visit."""
    return go(draft, people, "review")


@pytest.mark.parametrize(("facts", "field", "words"), [
    ({"names": []}, "names", "At least 2 people"),
    ({"names": ["guest"]}, "names", "You are among the visitors"),
    ({"names": ["decider"]}, "names", "has an account"),
    ({"names": ["张" * 51]}, "names", "One name a line"),
    ({"on": today() + timedelta(days=1)}, "on", "in the future"),
    ({"on": APPLIED - timedelta(days=1)}, "on", "before the application"),
    ({"found": "  "}, "found", "Write down what was found"),
    ({"opinion": "MAYBE"}, "opinion", "as declared"),
])  # fmt: skip
def test_a_visit_that_is_not_one_is_refused(visited, people, facts, field, words):
    assert words in wrong(visited, "visit", people["guest"], **visit_facts(**facts))[field]
    assert not visited.visits.exists()


def test_what_was_found_is_sealed_and_told_in_no_event(visited, people):
    case = visited.make_move("visit", by=people["guest"], **visit_facts(found="患白血病"))
    visit = case.visits.get()
    assert visit.found == "患白血病"
    assert [each.name for each in visit.visitors.all()] == ["guest", "社区李主任"]
    row = visit.__class__.objects.filter(pk=visit.pk).values_list("found", flat=True).get()
    assert "白血病" not in row
    told = "".join(str(event.changes) + event.reason for event in AuditEvent.objects.all())
    assert "白血病" not in told
    assert case.steps.first().facts == {"on": today().isoformat(), "visitors": 2, "opinion": "AS_DECLARED"}


def test_how_many_visit_is_a_setting(visited, people, tree):
    set_policy("visitors", "3")
    other = officer("other", "visitor", tree.street)
    assert "At least 3" in wrong(visited, "visit", people["guest"], **visit_facts())["names"]
    case = visited.make_move("visit", by=people["guest"], **visit_facts(others=[other]))
    assert case.visits.get().visitors.count() == 3


@pytest.mark.parametrize(("votes", "words"), [
    ((5, 4, 2), "More votes than people"), ((0, 0, 0), "More votes"), ((9, -1, 0), "More votes"),
    ((9, 4, 4), "did not agree"), ((9, 0, 0), "did not agree"),
])  # fmt: skip
def test_an_appraisal_counts_its_votes(draft, people, votes, words):
    case = go(draft, people, "visit")
    facts = dict(zip(("present", "favour", "against"), votes, strict=True))
    assert words in wrong(case, "appraise", people["enterer"], **facts)["favour"]


# --- Publicity and objection -----------------------------------------------------------------------------------------


def test_publicity_ends_on_the_day_after_its_last_and_an_objection_begins_it_anew(draft, people):
    case = go(draft, people, "appraise")
    clock = Deadline.objects.of(case).open().get()
    assert clock.rule.code == "HARDSHIP_PUBLICITY_5WD"
    Publicity.objects.of(case).update(shown_from=today() - timedelta(days=30), shown_until=today())
    said = f"It is in publicity until {today()} and can be ended from the day after."
    assert refusal(case, "end_publicity", people["enterer"]) == said
    case = case.make_move("object", by=people["enterer"], reason="有经营收入未申报")
    assert open_clocks(case) == {("HARDSHIP_OBJECTION_10WD", "T01")}
    clock.refresh_from_db()
    assert clock.state == "void"
    case = case.make_move("dismiss_objection", by=people["checker"], reason="查无此事")
    assert (case.state, open_clocks(case)) == ("PUBLICITY", {("HARDSHIP_PUBLICITY_5WD", "T0101001")})
    assert refusal(case, "end_publicity", people["enterer"])
    publicity_is_over(case)
    assert case.make_move("end_publicity", by=people["enterer"]).state == "DISTRICT_REVIEW"


def test_an_objection_that_is_upheld_ends_the_case(draft, people):
    case = go(draft, people, "appraise").make_move("object", by=people["enterer"], reason="有汽车")
    case = case.make_move("uphold_objection", by=people["checker"], reason="属实")
    assert case.state == "REJECTED"
    assert not case.people.filter(live=True).exists()


# --- Four people -----------------------------------------------------------------------------------------------------


BY_PART = {"submit": ("submit",), **{name: part for part in (REVIEWS, VISITS, CHECKS, APPROVALS) for name in part}}


@pytest.fixture
def every(tree):
    """Somebody with every role of the way."""
    user = officer("every", "cadre", tree.city)
    for role in ("union_chair", "visitor", "district_reviewer", "city_approver"):
        user.appointments.create(union=tree.city, role=role, valid_from=date(2020, 1, 1))
    return user


@pytest.mark.parametrize("way", [WAY, MATCH_FIRST], ids=["publicity first", "match first"])
@pytest.mark.parametrize("earlier", ["submit", "review", "visit", "check", "approve"])
def test_whoever_took_one_part_takes_no_other_on_any_path(draft, people, every, way, earlier):
    """One user with every role makes the one step: each move of every other part is refused, wherever the case is."""
    set_policy("match_first", "1" if way is MATCH_FIRST else "0")
    own = BY_PART[earlier]
    case = go(draft, people | {"every": every}, earlier, tuple((n, "every" if n == earlier else w) for n, w in way))
    assert case.took_part(every) == (earlier != "submit")
    for later in PARTS:
        if later in own:
            continue
        HardshipCase.objects.filter(pk=case.pk).update(state=HardshipCase.move(later).sources[0])
        case.refresh_from_db()
        assert "somebody else must do this" in refusal(case, later, every), later


@pytest.mark.parametrize("returned", ["return_review", "return_visit", "return_check", "return_approval"])
def test_whoever_gave_a_case_back_takes_no_other_part_either(draft, people, every, returned):
    HardshipCase.objects.filter(pk=draft.pk).update(state=HardshipCase.move(returned).sources[0])
    case = draft.make_move(returned, by=every, reason="材料不全")
    for later in set(PARTS) - set(BY_PART[returned]):
        HardshipCase.objects.filter(pk=case.pk).update(state=HardshipCase.move(later).sources[0])
        case.refresh_from_db()
        assert "somebody else must do this" in refusal(case, later, every), later


def test_who_went_along_takes_no_other_part_and_who_has_one_does_not_go_along(visited, people, every):
    assert (
        "chair took part in an earlier step"
        in wrong(visited, "visit", people["guest"], **visit_facts(others=[people["chair"]]))["others"]
    )
    case = visited.make_move("visit", by=people["guest"], **visit_facts(others=[every]))
    assert case.took_part(every)
    for later in set(PARTS) - set(VISITS):
        HardshipCase.objects.filter(pk=case.pk).update(state=HardshipCase.move(later).sources[0])
        case.refresh_from_db()
        assert refusal(case, later, every) == "You went along on the home visit: somebody else must do this.", later


def test_a_relative_recuses_from_every_step_that_decides(draft, people, every):
    relations.declare_kin(every, by=every, kind="SIBLING", name="钱玉梅", number=identity.check_number(QIAN))
    for move in HardshipCase.MOVES:
        HardshipCase.objects.filter(pk=draft.pk).update(state=move.sources[-1])
        case = HardshipCase.objects.get(pk=draft.pk)
        (offer,) = [offer for offer in case.open_moves(every) if offer.move.name == move.name]
        entering = move.name in ("submit", "withdraw", "object", "start_review", "reenter", "return_appraisal")
        assert ("You are related to somebody of this household" in offer.refusal) != entering, move.name


def test_a_relative_does_not_go_along(visited, people, every):
    relations.declare_kin(every, by=every, kind="SIBLING", name="钱玉梅", number=identity.check_number(QIAN))
    facts = visit_facts(others=[every])
    assert "is related to the household" in wrong(visited, "visit", people["guest"], **facts)["others"]


def test_the_officer_decides_nothing_about_the_own_household(draft, people):
    relations.hold_account(people["chair"], draft.membership.person, by=people["chair"])
    case = draft.make_move("submit", by=people["enterer"])
    assert refusal(case, "review", people["chair"]).startswith("This is your own household")


def test_a_neighbour_and_a_role_without_the_right_make_no_move(draft, people, neighbour, auditor):
    for user in (neighbour, auditor, people["guest"]):
        with pytest.raises(PermissionDenied):
            draft.make_move("submit", by=user)


def test_a_move_from_a_version_that_is_gone_is_a_conflict(draft, people):
    draft.make_move("submit", by=people["enterer"], version=1)
    with pytest.raises(Conflict):
        draft.make_move("review", by=people["chair"], version=1)


# --- The decision ----------------------------------------------------------------------------------------------------


@pytest.fixture
def approvable(draft, people):
    return go(draft, people, "match")


def test_without_a_standard_the_decision_waits_and_says_which(approvable, people):
    LivingStandard.objects.all().delete()
    said = refusal(approvable, "approve", people["decider"])
    assert said.startswith("There is no minimum living standard for 云河恒达机械有限公司工会 on 2026-03-02")
    assert not Decision.objects.exists()


@pytest.mark.parametrize(("income", "category"), [("31799.99", "DEEP"), ("31800", "RELATIVE"), ("60600", None)])
def test_the_line_is_compared_exactly(tree, people, income, category):
    case = case_in("DRAFT", tree.enterprise, income=income)
    if category is None:
        with pytest.raises(MoveRefused, match="no category of hardship"):
            go(case, people, "match")
    else:
        assert go(case, people, "approve").category == category


def test_what_excludes_is_told_by_the_derivation(approvable, people):
    approvable.flags = ["CAR"]
    approvable.save()
    assert refusal(approvable, "approve", people["decider"]).endswith("结论：不具备建档条件")


def test_a_policy_changed_later_touches_no_decided_case(approvable, people):
    case = approvable.make_move("approve", by=people["decider"])
    set_policy("deep_multiple", "0.1")
    assert (case.category, list(decisions.replay())) == ("DEEP", [])


# --- Clocks ----------------------------------------------------------------------------------------------------------


def test_each_step_has_one_clock_at_the_union_that_acts(draft, people):
    seen, case = {}, draft
    for name, who in WAY:
        if name == "end_publicity":
            publicity_is_over(case)
        if name == "match":
            matched(case, people[who])
        case = case.make_move(name, by=people[who], **facts_of(name))
        (seen[case.state],) = open_clocks(case)
        # Who is to act sees it on the desk from the first day; only the review of a filed case is far away.
        due = reminders.in_sight(Deadline.objects.of(case).open(), today())
        assert due.exists() == (case.state != "FILED"), case.state
    assert seen == {
        "UNION_REVIEW": ("HARDSHIP_UNION_REVIEW_5D", "T0101001"),
        "HOME_VISIT": ("HARDSHIP_VISIT_10WD", "T0101001"),
        "APPRAISAL": ("HARDSHIP_APPRAISAL_5WD", "T0101001"),
        "PUBLICITY": ("HARDSHIP_PUBLICITY_5WD", "T0101001"),
        "DISTRICT_REVIEW": ("HARDSHIP_DISTRICT_10WD", "T01"),
        "DATA_MATCH": ("HARDSHIP_MATCH_30D", "T01"),
        "CITY_APPROVAL": ("HARDSHIP_APPROVAL_10WD", "T00"),
        "FILED": ("HARDSHIP_REVIEW_12M", "T0101001"),
    }
    assert set(Deadline.objects.of(case).exclude(state="open").values_list("state", flat=True)) == {"met"}
    assert case.review_on == Deadline.objects.of(case).open().get().due


def test_filing_meets_the_duty_that_emergency_aid_opened(approvable, people):
    union = approvable.union
    deadlines.open_deadline("HARDSHIP_EMERGENCY_FILE_30D", today(), subject=approvable, union=union, title="—", by=None)
    approvable.make_move("approve", by=people["decider"])
    assert Deadline.objects.get(rule__code="HARDSHIP_EMERGENCY_FILE_30D").state == "met"


def test_the_review_comes_as_often_as_the_setting_says(approvable, people):
    set_policy("review_months", "6")
    case = approvable.make_move("approve", by=people["decider"])
    assert open_clocks(case) == {("HARDSHIP_REVIEW_6M", "T0101001")}


def test_a_period_without_a_rule_is_told(approvable, people):
    set_policy("review_months", "7")
    assert refusal(approvable, "approve", people["decider"]) == (
        "There is no deadline rule «HARDSHIP_REVIEW_7M»: correct the setting «hardship_review_months»."
    )


# --- Review, exit, monitoring, the next cycle ------------------------------------------------------------------------


@pytest.fixture
def filed(draft, people):
    return go(draft, people)


def test_a_review_decides_anew_on_fresh_figures(filed, people):
    case = filed.make_move("start_review", by=people["enterer"], on=today())
    assert (case.state, case.applied_on) == ("REVIEW", today())
    assert open_clocks(case) == {("HARDSHIP_REVIEW_12M", "T0101001")}
    Expense.objects.create(case=case, of=case.people.get(kin="SELF"), kind="EDUCATION", amount=Decimal(6000))
    assert not list(decisions.replay())  # rows made ready for the next decision are no difference
    case = case.make_move("confirm", by=people["checker"])
    assert (case.state, case.per_capita, case.decisions.count()) == ("FILED", Decimal("83.33"), 2)
    assert not list(decisions.replay())


def test_who_began_the_review_does_not_confirm_it(filed, people, every):
    case = filed.make_move("start_review", by=every, on=today())
    assert "somebody else must do this" in refusal(case, "confirm", every)


def test_a_household_above_the_line_is_not_confirmed(filed, people):
    case = filed.make_move("start_review", by=people["enterer"], on=today())
    case.incomes.update(amount=Decimal(90000))
    assert refusal(case, "confirm", people["checker"]).endswith("结论：不符合困难类别")


def test_out_of_hardship_needs_fresh_figures_above_the_line_for_so_many_months(filed, people):
    leave = {"by": people["checker"], "code": "RELIEVED", "months": 6}
    assert "needs fresh figures" in refusal(filed, "exit", **leave)
    case = filed.make_move("start_review", by=people["enterer"], on=today())
    case.incomes.update(amount=Decimal("31800"))  # (31800 − 3000) ÷ 12 ÷ 3 = 800: on the line, not above it
    assert "is not above the line of 800.00 yuan" in refusal(case, "exit", **leave)
    case.incomes.update(amount=Decimal("31800.01"))
    assert "for 6 months" in wrong(case, "exit", **leave | {"months": 5})["months"]
    assert "for 6 months" in wrong(case, "exit", **leave | {"months": None})["months"]
    case = case.make_move("exit", reason="就业后脱困", **leave)
    assert (case.state, case.exit_code, case.ended_on) == ("MONITORED", "RELIEVED", today())
    assert not case.people.filter(live=True).exists()
    assert open_clocks(case) == {("HARDSHIP_MONITOR_12M", "T0101001")}
    assert not list(decisions.replay())


@pytest.mark.parametrize("code", ["REMOVED", "NONSENSE", ""])
def test_a_code_that_does_not_fit_the_exit_is_refused(filed, people, code):
    assert "how the household leaves" in wrong(filed, "exit", people["checker"], code=code)["code"]


@pytest.mark.parametrize("code", ["RELIEVED", "NONSENSE", ""])
def test_a_code_that_does_not_fit_the_closing_is_refused(filed, people, code):
    assert "how the file ends" in wrong(filed, "close", people["checker"], code=code)["code"]


def test_monitoring_ends_when_its_time_is_over(filed, people):
    case = filed.make_move("exit", by=people["checker"], reason="兜底保障", code="GUARANTEED")
    clock = Deadline.objects.of(case).open().get()
    assert refusal(case, "end_monitoring", people["checker"]) == f"The household is monitored until {clock.natural}."
    Deadline.objects.filter(pk=clock.pk).update(natural=today())
    case = case.make_move("end_monitoring", by=people["checker"])
    assert (case.state, open_clocks(case)) == ("CLOSED", set())


def test_a_household_that_fell_back_applies_again_in_the_same_file(filed, people):
    case = filed.make_move("exit", by=people["checker"], reason="兜底保障", code="GUARANTEED")
    old = case.make_move("reenter", by=people["enterer"], applied_on=today())
    assert (old.state, open_clocks(old)) == ("CLOSED", set())
    new = old.next.get()
    assert (new.state, new.cycle, new.file_id, new.previous) == ("DRAFT", 2, old.file_id, old)
    assert [(each.name, each.id_number, each.live) for each in new.people.all()] == [
        (each.name, each.id_number, True) for each in old.people.all()
    ]
    assert not set(new.people.values_list("uuid", flat=True)) & set(old.people.values_list("uuid", flat=True))
    assert not new.incomes.exists()
    assert not new.consents.exists()
    assert "applied again since" in refusal(old, "reenter", people["enterer"])


def test_somebody_in_another_open_household_holds_a_new_cycle_up(filed, people, tree):
    old = filed.make_move("close", by=people["checker"], reason="退档", code="REMOVED")
    other = case_in(
        "DRAFT",
        tree.sibling,
        membership=member(tree.sibling, "孙丽", number(44)),
    )
    assert other.people.count() == 3
    assert "lives in another open case" in refusal(old, "reenter", people["enterer"])
    assert old.next.count() == 0


def test_who_joined_another_union_applies_there(filed, people, tree):
    old = filed.make_move("close", by=people["checker"], reason="转出", code="TRANSFERRED")
    old.membership.make_move("withdraw", by=None, requested_on=today(), on=today())
    member_now = old.membership.person.memberships.create(union=tree.neighbour_enterprise, joined_on=today())
    assert "belongs to another union now" in refusal(old, "reenter", people["enterer"])
    there = officer("there", "cadre", tree.neighbour_enterprise)
    with pytest.raises(PermissionDenied):
        old.make_move("reenter", by=there, applied_on=today())
    assert member_now.hardship_cases.count() == 0


# --- Death -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN_STATES)
def test_when_the_applicant_died_the_case_is_closed_by_death_and_nothing_else(tree, people, state):
    case = case_in(state, tree.enterprise)
    if state in ("FILED", "REVIEW"):
        assert "Record the death" in wrong(case, "close", people["checker"], code="DECEASED")["code"]
    else:
        assert refusal(case, "close", people["checker"], code="DECEASED").startswith("Nothing is filed yet")
    case.membership.make_move("record_death", by=None, on=today())
    case = HardshipCase.objects.get(pk=case.pk)
    for move in HardshipCase.MOVES:
        if state in move.sources and move.name != "close":
            assert refusal(case, move.name, None).startswith("The applicant died on"), move.name
    assert "cancelled by death" in wrong(case, "close", people["checker"], code="REMOVED")["code"]
    case = case.make_move("close", by=people["checker"], reason="申请人死亡", code="DECEASED")
    assert (case.state, case.exit_code) == ("CLOSED", "DECEASED")
    assert not case.people.filter(live=True).exists()
    assert "another person of the household applies" in refusal(case, "reenter", people["enterer"])

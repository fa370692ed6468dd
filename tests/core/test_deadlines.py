"""Deadlines: every verified case, a second calculation, the sentences, and opening, closing and computing again."""

import csv
from datetime import date
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core import deadlines
from core.calendar import Calendar, Listed
from core.deadlines import CannotCount, Opening, compute
from core.loader import shipped_days, shipped_rules, shipped_years
from core.models import AuditEvent, CalendarDay, CalendarYear, Deadline, DeadlineRule
from tests.core import second_count

DATA = Path(__file__).parent.parent / "data"
RULES = shipped_rules()
CALENDAR = Calendar(
    {day: Listed(row.kind, row.name, row.notice_no) for day, row in shipped_days().items()}, frozenset(shipped_years())
)


def rows_of(name):
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rule_of(**changes):
    values = {
        "code": "X", "name": "期限", "length": 5, "unit": "CD", "backward": False, "roll": True, "jurisdiction": "国家",
        "length_status": "READ", "unit_status": "READ", "side": "OURS", "starts": "收到申请",
        "legal_basis": "《某法》第1条",
    }  # fmt: skip
    return DeadlineRule(**values | changes)


# --- Dates ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", rows_of("deadlines.csv"), ids=lambda case: f"{case['rule']}-{case['trigger_date']}")
def test_compute_every_verified_case(case):
    computed = compute(RULES[case["rule"]], date.fromisoformat(case["trigger_date"]), CALENDAR)
    assert computed.due == date.fromisoformat(case["expected_due_date"])
    assert not computed.provisional


def agree(rule, trigger):
    computed = compute(rule, trigger, CALENDAR)
    expected = second_count.period(trigger, rule.length, rule.unit, rule.backward, rule.roll)
    assert (computed.natural, computed.due) == expected
    if rule.other_length:
        other = second_count.period(trigger, rule.other_length, rule.other_unit, rule.backward, True)
        assert computed.other_due == other[1]
        assert computed.earliest == min(computed.due, computed.other_due)
    else:
        assert computed.other_due is None
        assert computed.earliest == computed.due


@pytest.mark.once
@given(code=st.sampled_from(sorted(RULES)), trigger=st.dates(date(2004, 1, 1), date(2026, 12, 31)))
@hypothesis_settings(max_examples=1500, deadline=None)
def test_compute_agrees_with_the_second_calculation_on_every_rule(code, trigger):
    agree(RULES[code], trigger)


@pytest.mark.once
@given(
    trigger=st.dates(date(2003, 6, 1), date(2027, 6, 30)),
    length=st.integers(1, 70),
    unit=st.sampled_from(["CD", "WD", "MONTH", "YEAR"]),
    backward=st.booleans(),
    roll=st.booleans(),
    other=st.sampled_from([None, "CD", "WD"]),
)
@hypothesis_settings(max_examples=1000, deadline=None)
def test_compute_agrees_with_the_second_calculation_on_any_rule(trigger, length, unit, backward, roll, other):
    backward = backward and unit in ("CD", "WD")
    agree(
        rule_of(
            length=min(length, 20) if unit == "YEAR" else length, unit=unit, backward=backward, roll=roll,
            other_length=length if other else None, other_unit=other or "",
        ),
        trigger,
    )  # fmt: skip


@pytest.mark.once
@given(trigger=st.dates(date(2004, 1, 1), date(2026, 12, 31)), code=st.sampled_from(sorted(RULES)))
@hypothesis_settings(max_examples=500, deadline=None)
def test_compute_never_ends_on_the_wrong_side_and_rolls_onto_working_days(trigger, code):
    rule = RULES[code]
    computed = compute(rule, trigger, CALENDAR)
    if rule.backward:
        assert computed.due <= computed.natural < trigger
    else:
        assert trigger < computed.natural or not rule.length
        assert trigger <= computed.natural <= computed.due
    if rule.roll or rule.unit == "WD":
        assert CALENDAR.afresh().is_workday(computed.due)


@pytest.mark.parametrize(
    ("rule", "trigger", "provisional"),
    [
        (RULES["MEDIATION_END_15D"], date(2026, 12, 20), True),  # ends in January 2027
        (RULES["MEDIATION_END_15D"], date(2026, 12, 10), False),
        (RULES["MEDIATION_END_15D"], date(2003, 11, 1), True),  # before the first notice we have
        (RULES["UNION_TERM_5Y"], date(2024, 5, 1), False),  # never rolls: no calendar asked
        (RULES["ARB_DEFENCE_10D"], date(2026, 12, 16), False),
        (RULES["ARB_DEFENCE_10D"], date(2026, 12, 18), True),
        (rule_of(unit="WD", other_length=30, other_unit="CD"), date(2026, 12, 10), True),  # the second reading alone
        (RULES["ARB_HEARING_NOTICE_BACK_5D"], date(2027, 1, 4), True),
        (RULES["ARB_HEARING_NOTICE_BACK_5D"], date(2027, 1, 1), False),  # only days of 2026 are looked at
        (RULES["LIMITATION_1Y"], date(2200, 1, 1), True),
    ],
)
def test_compute_is_provisional_when_it_touches_an_unpublished_year(rule, trigger, provisional):
    computed = compute(rule, trigger, CALENDAR)
    assert computed.provisional is provisional
    assert ("暂定" in computed.derivation) is provisional


def test_compute_leaves_the_calendar_as_it_was():
    compute(RULES["MEDIATION_END_15D"], date(2030, 1, 1), CALENDAR)
    assert CALENDAR.unpublished == set()


@pytest.mark.parametrize(
    ("rule", "trigger"),
    [
        (RULES["MEDIATION_END_15D"], date(9999, 12, 25)),
        (RULES["UNION_TERM_5Y"], date(9996, 1, 1)),
        (RULES["XINFANG_OBJECT_TRANSFER_5WD"], date(9999, 12, 30)),
        (RULES["ARB_HEARING_NOTICE_BACK_5D"], date(1, 1, 3)),
        (rule_of(length=30000, unit="YEAR"), date(2026, 1, 1)),
        (rule_of(unit="MONTH", backward=True), date(2026, 1, 1)),
    ],
)
def test_compute_beyond_the_calendar_is_refused_with_a_sentence(rule, trigger):
    with pytest.raises(CannotCount) as refusal:
        compute(rule, trigger, CALENDAR)
    assert str(trigger) in str(refusal.value)


def test_no_rule_number_stands_in_the_code():
    """Rules are data: whoever changes a length in the table changes the date."""
    doubled = rule_of(length=RULES["MEDIATION_END_15D"].length * 2)
    assert compute(doubled, date(2026, 5, 11), CALENDAR).natural == date(2026, 6, 10)


# --- Sentences -----------------------------------------------------------------------------------------------
BASIS = "依据：《某法》第1条。"


@pytest.mark.parametrize(
    ("rule", "trigger", "derivation"),
    [
        (
            rule_of(length=15),
            date(2026, 11, 3),
            "2026年11月3日（星期二）收到申请，次日起算15日，11月18日（星期三）期满，是工作日。" + BASIS,
        ),
        (
            rule_of(length=15),
            date(2024, 2, 2),
            "2024年2月2日（星期五）收到申请，次日起算15日，2月17日（星期六）期满，适逢春节放假，顺延至2月18日（星期日，调休上班）。"
            + BASIS
            + "放假安排：国办发明电〔2023〕7号。",
        ),
        (
            rule_of(length=15),
            date(2025, 9, 16),
            "2025年9月16日（星期二）收到申请，次日起算15日，10月1日（星期三）期满，适逢国庆节、中秋节放假，"
            "顺延至10月9日（星期四）。" + BASIS + "放假安排：国办发明电〔2024〕12号。",
        ),
        (
            rule_of(length=15),
            date(2025, 4, 12),
            "2025年4月12日（星期六）收到申请，次日起算15日，4月27日（星期日，调休上班）期满，是工作日。"
            + BASIS
            + "放假安排：国办发明电〔2024〕12号。",
        ),
        (
            rule_of(length=5),
            date(2025, 3, 10),
            "2025年3月10日（星期一）收到申请，次日起算5日，3月15日（星期六）期满，适逢周末，顺延至3月17日（星期一）。"
            + BASIS,
        ),
        (
            rule_of(length=1, unit="YEAR"),
            date(2024, 2, 29),
            "2024年2月29日（星期四）收到申请，次日起算1年，2025年2月28日（星期五）期满"
            "（到期月没有对应日，以月末为最后一日），是工作日。" + BASIS,
        ),
        (
            rule_of(length=3, unit="YEAR", roll=False),
            date(2023, 2, 28),
            "2023年2月28日（星期二）收到申请，次日起算3年，2026年2月28日（星期六）期满，此类期限遇休息日不顺延。"
            + BASIS,
        ),
        (
            rule_of(length=5, unit="WD"),
            date(2025, 9, 25),
            "2025年9月25日（星期四）收到申请，次日起算5个工作日（周末、10月1日至8日国庆节、中秋节放假不计，"
            "9月28日（星期日，调休上班）计入），10月9日（星期四）期满。" + BASIS + "放假安排：国办发明电〔2024〕12号。",
        ),
        (
            rule_of(length=2, unit="WD"),
            date(2026, 5, 11),
            "2026年5月11日（星期一）收到申请，次日起算2个工作日，5月13日（星期三）期满。" + BASIS,
        ),
        (
            rule_of(length=5, unit="WD", backward=True, other_length=5, other_unit="CD", unit_status="RECALLED"),
            date(2026, 10, 12),
            "2026年10月12日（星期一）收到申请，此前须留足5个工作日（周末、10月1日至7日国庆节放假不计，"
            "10月10日（星期六，调休上班）计入），最迟9月28日（星期一）办理。"
            "另一种算法为5个自然日：最迟10月6日（星期二）办理，适逢国庆节放假，提前至9月30日（星期三）。"
            "两种算法不同，按较早的9月28日（星期一）掌握。期限按工作日还是自然日计算，待法律部门确认。"
            + BASIS
            + "放假安排：国务院办公厅通知（2025年11月4日）。",
        ),
        (
            rule_of(length=5, unit="WD", other_length=5, other_unit="CD", unit_status="RECALLED"),
            date(2026, 2, 9),
            "2026年2月9日（星期一）收到申请，次日起算5个工作日（2月14日（星期六，调休上班）计入），"
            "2月14日（星期六，调休上班）期满。另一种算法为5个自然日：2月14日（星期六，调休上班）期满，是工作日，两种算法同日。"
            "期限按工作日还是自然日计算，待法律部门确认。" + BASIS + "放假安排：国务院办公厅通知（2025年11月4日）。",
        ),
        (
            rule_of(length=15),
            date(2027, 3, 1),
            "2027年3月1日（星期一）收到申请，次日起算15日，3月16日（星期二）期满，是工作日。"
            "2027年放假安排尚未公布，暂按周一至周五上班推算，公布后重新计算，本日期为暂定。" + BASIS,
        ),
        (
            rule_of(length=5),
            date(1999, 3, 1),
            "1999年3月1日（星期一）收到申请，次日起算5日，3月6日（星期六）期满，适逢周末，顺延至3月8日（星期一）。"
            "日历中没有1999年的放假安排，按周一至周五上班推算，本日期为暂定。" + BASIS,
        ),
        (
            rule_of(length=15, length_status="RECALLED", unit_status="RECALLED", jurisdiction="浙江"),
            date(2026, 5, 11),
            "2026年5月11日（星期一）收到申请，次日起算15日，5月26日（星期二）期满，是工作日。"
            "期限的长度和单位待市总工会确认。属地方规定（浙江），是否适用待市总工会确认。" + BASIS,
        ),
        (
            rule_of(length=15, length_status="DESIGN", unit_status="DESIGN", jurisdiction="地方"),
            date(2026, 5, 11),
            "2026年5月11日（星期一）收到申请，次日起算15日，5月26日（星期二）期满，是工作日。"
            "本期限为系统约定，待市总工会确认。" + BASIS,
        ),
    ],
)
def test_derivation_reads_as_a_sentence(rule, trigger, derivation):
    assert compute(rule, trigger, CALENDAR).derivation == derivation


@given(trigger=st.dates(date(2004, 1, 1), date(2027, 12, 31)), code=st.sampled_from(sorted(RULES)))
@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_derivation_names_the_due_date_and_the_law(trigger, code):
    rule = RULES[code]
    computed = compute(rule, trigger, CALENDAR)
    assert f"{computed.due.month}月{computed.due.day}日" in computed.derivation
    assert f"依据：{rule.legal_basis}。" in computed.derivation
    assert "None" not in computed.derivation


# --- Opening -------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_open_deadline_derives_everything_and_writes_an_event(tree, street):
    row = deadlines.open_deadline(
        "UNION_TERM_3Y", date(2023, 2, 28), subject=tree.enterprise, union=tree.enterprise, title="换届", by=street
    )
    row.refresh_from_db()
    assert (row.natural, row.due, row.other_due, row.earliest) == (date(2026, 2, 28), date(2026, 2, 28), None, row.due)
    assert (row.subject_type, row.subject_id, row.union, row.side, row.state) == (
        "unions.union", tree.enterprise.pk, tree.enterprise, "OURS", "open",
    )  # fmt: skip
    event = AuditEvent.objects.get(verb="core.open_deadline")
    assert (event.actor_id, event.union_id, event.target_id) == (street.pk, tree.enterprise.pk, str(row.pk))
    assert event.changes == {"due": [None, "2026-02-28"]}


@pytest.mark.django_db
def test_open_deadline_again_gives_the_same_row_whatever_its_words(tree, street):
    first, second = (
        deadlines.open_deadline(
            "UNION_TERM_3Y", date(2023, 2, 28), subject=tree.enterprise, union=tree.enterprise, title=title, by=street
        )
        for title in ("换届", "任期届满")
    )
    assert first == second
    assert Deadline.objects.count() == 1
    assert AuditEvent.objects.filter(verb="core.open_deadline").count() == 1


@pytest.mark.django_db
def test_open_deadline_after_the_first_was_closed_opens_a_new_one(tree, street):
    arguments = {"subject": tree.enterprise, "union": tree.enterprise, "title": "换届", "by": street}
    first = deadlines.open_deadline("UNION_TERM_3Y", date(2023, 2, 28), **arguments)
    deadlines.close(first, "void", on=date(2026, 1, 1), by=street)
    assert deadlines.open_deadline("UNION_TERM_3Y", date(2023, 2, 28), **arguments) != first


@pytest.mark.django_db
def test_the_database_refuses_a_second_open_deadline(tree, street):
    row = deadlines.open_deadline(
        "UNION_TERM_3Y", date(2023, 2, 28), subject=tree.city, union=tree.city, title="换届", by=street
    )
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.django_db
def test_open_many_takes_the_same_queries_for_one_and_for_thirty(tree, street):
    counts = []
    for month, many in ((1, 1), (2, 30)):
        openings = [
            Opening("UNION_TERM_3Y", date(2020 + row, month, 1), tree.enterprise, tree.enterprise.pk, "换届")
            for row in range(many)
        ]
        with CaptureQueriesContext(connection) as queries:
            assert len(deadlines.open_many(openings, by=street)) == many
        counts.append(len(queries))
        assert deadlines.open_many(openings, by=street) == []
    assert counts[0] == counts[1]
    assert Deadline.objects.count() == 31


@pytest.mark.django_db
def test_open_many_beyond_the_calendar_opens_nothing(tree, street):
    openings = [
        Opening("UNION_TERM_3Y", trigger, tree.enterprise, tree.enterprise, "换届")
        for trigger in (date(2023, 2, 1), date(9998, 2, 1))
    ]
    with pytest.raises(CannotCount):
        deadlines.open_many(openings, by=street)
    assert not Deadline.objects.exists()


# --- Closing -------------------------------------------------------------------------------------------------
@pytest.fixture
def three(tree, street):
    return deadlines.open_many(
        [
            Opening("MEDIATION_END_15D", date(2027, 2, 26), union, union, "调解")
            for union in (tree.street, tree.enterprise, tree.neighbour_enterprise)
        ],
        by=street,
    )


@pytest.mark.django_db
def test_close_one_and_only_once(three, street):
    assert deadlines.close(three[0], "met", on=date(2027, 3, 1), by=street) == 1
    assert deadlines.close(three[0], "void", on=date(2027, 3, 2), by=street) == 0
    stored = Deadline.objects.get(pk=three[0].pk)
    assert (stored.state, stored.closed_on) == ("met", date(2027, 3, 1)) == (three[0].state, three[0].closed_on)
    assert Deadline.objects.open().count() == 2
    event = AuditEvent.objects.get(verb="core.close_deadline")
    assert event.changes == {"state": ["open", "met"], "closed_on": [None, "2027-03-01"]}


@pytest.mark.django_db
def test_close_a_set(three, street):
    assert deadlines.close(Deadline.objects.filter(pk__in=[row.pk for row in three[:2]]), "void", on=date(2027, 3, 1),
                           by=street, reason="重复登记") == 2  # fmt: skip
    assert list(Deadline.objects.open()) == [three[2]]
    assert AuditEvent.objects.filter(verb="core.close_deadline", reason="重复登记").count() == 2


@pytest.mark.django_db
def test_close_as_waived_needs_a_reason(three, street):
    with pytest.raises(ValueError):
        deadlines.close(three[0], "waived", on=date(2027, 3, 1), by=street, reason="  ")
    with pytest.raises(ValueError):
        deadlines.close(three[0], "open", on=date(2027, 3, 1), by=street)
    assert Deadline.objects.open().count() == 3
    assert deadlines.close(three[0], "waived", on=date(2027, 3, 1), by=street, reason="当事人撤回") == 1


# --- Computing again -----------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_recompute_after_a_new_notice_moves_open_deadlines_and_logs_old_and_new(three, street):
    deadlines.close(three[2], "met", on=date(2027, 3, 1), by=street)
    assert {row.due for row in Deadline.objects.all()} == {date(2027, 3, 15)}  # 13 March 2027 is a Saturday
    CalendarDay.objects.create(date=date(2027, 3, 15), kind="OFF", name="测试节", notice_no="测试〔2026〕1号")
    CalendarYear.objects.create(year=2027, notice_no="测试〔2026〕1号", published=True)
    assert deadlines.recompute(by=street) == 2
    assert (
        list(Deadline.objects.open().values_list("due", "earliest", "provisional"))
        == [(date(2027, 3, 16), date(2027, 3, 16), False)] * 2
    )
    assert Deadline.objects.get(pk=three[2].pk).due == date(2027, 3, 15)  # closed: history stays
    events = AuditEvent.objects.filter(verb="core.recompute_deadline")
    assert events.count() == 2
    assert events[0].changes["due"] == ["2027-03-15", "2027-03-16"]
    assert events[0].changes["provisional"] == [True, False]
    assert deadlines.recompute(by=street) == 0


@pytest.mark.django_db
def test_recompute_only_the_rules_named(three, street):
    DeadlineRule.objects.filter(code="MEDIATION_END_15D").update(length=20, side="PARTY")
    other = DeadlineRule.objects.filter(code="UNION_TERM_3Y")
    assert deadlines.recompute(other, by=street) == 0
    assert deadlines.recompute(DeadlineRule.objects.filter(code="MEDIATION_END_15D"), by=street) == 3
    assert set(Deadline.objects.values_list("natural", "side")) == {(date(2027, 3, 18), "PARTY")}


# --- The rows of a desk --------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_to_do_waiting_and_overdue(tree, street):
    about = {"subject": tree.street, "union": tree.street, "title": "调解", "by": street}
    rows = {
        code: deadlines.open_deadline(code, date(2026, 5, 11), **about)
        for code in ("MEDIATION_END_15D", "SUE_AFTER_AWARD_15D", "ARB_DEFENCE_10D")
    }
    assert set(Deadline.objects.to_do()) == {rows["MEDIATION_END_15D"], rows["SUE_AFTER_AWARD_15D"]}
    assert set(Deadline.objects.waiting()) == {rows["ARB_DEFENCE_10D"]}
    assert rows["ARB_DEFENCE_10D"].earliest == date(2026, 5, 21)  # the earlier of the two readings
    assert set(Deadline.objects.overdue(date(2026, 5, 22))) == {rows["ARB_DEFENCE_10D"]}
    assert set(Deadline.objects.of(tree.street)) == set(rows.values())
    assert not Deadline.objects.of(tree.enterprise).exists()


@pytest.mark.django_db
def test_deadlines_are_seen_in_scope_only(three, street, neighbour, nobody, auditor):
    def seen(user):
        return set(Deadline.objects.visible_to(user, "core.view_deadline"))

    assert seen(street) == set(three[:2])
    assert seen(neighbour) == {three[2]}
    assert seen(auditor) == set(three)
    assert seen(nobody) == set()

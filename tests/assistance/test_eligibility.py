"""Eligibility: every vector to the cent, what follows from more or less income, and nothing rounded before compared."""

import csv
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from assistance.eligibility import (
    ACCIDENTAL,
    DEEP,
    EVENTS,
    EXCLUSIONS,
    EXPENSES,
    NONE,
    NOT_ELIGIBLE,
    RELATIVE,
    Household,
    Policy,
    classify,
    to_cents,
)
from assistance.management.commands.classify_households import household, told

VECTORS = Path(__file__).resolve().parent.parent / "data" / "hardship.csv"
ROWS = list(csv.DictReader(VECTORS.read_text(encoding="utf-8").splitlines()))
ORDER = [DEEP, RELATIVE, NONE]  # by income alone

yuan = st.decimals(0, 500_000, places=2)
size = st.integers(1, 12)
households = st.builds(
    Household,
    income=yuan,
    size=size,
    standard=st.decimals(1, 3000, places=2),
    expenses=st.dictionaries(st.sampled_from(EXPENSES), yuan),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_vector(row):
    verdict = classify(household(row), Policy())
    assert str(verdict.shown) == row["expected_per_capita_monthly"]
    assert verdict.category == row["expected_category"]


def test_command_adds_the_columns_and_keeps_the_others(tmp_path):
    out = tmp_path / "out.csv"
    call_command("classify_households", csv=str(VECTORS), out=str(out))
    found = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert len(found) == len(ROWS)
    for row, before in zip(found, ROWS, strict=True):
        assert before.items() <= row.items()
        assert (row["per_capita_monthly"], row["category"]) == (
            row["expected_per_capita_monthly"],
            row["expected_category"],
        )
        assert "结论：" in row["explanation"]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"household_size": "0"}, "至少为1人"), ({"household_size": "两"}, "不是整数"),
        ({"annual_income": "-1"}, "负数"),
        ({"annual_income": "NaN"}, "负数"), ({"annual_income": "壹万"}, "不是数字"),
        ({"dibao_monthly": "0"}, "低保标准"),
        ({"rigid_medical": "-0.01"}, "因病支出"), ({"event_type": "FIRE"}, "不认识的致困事件"),
        ({"exclusion_flags": "YACHT"}, "不认识的排除情形"), ({"is_migrant": "maybe"}, "Y 或 N"),
        ({"event_loss_net": "-5"}, "致困损失"), ({"labour_relation_months": "-1"}, "劳动关系"),
    ],
)  # fmt: skip
def test_a_row_that_makes_no_sense_says_what_to_do(facts, word):
    answer = told(ROWS[0] | facts)
    assert (answer["category"], answer["per_capita_monthly"]) == ("", "")
    assert word in answer["explanation"]


def test_command_goes_on_after_a_bad_row_and_refuses_a_table_without_its_columns(tmp_path, capsys):
    rows = [ROWS[0] | {"household_size": "0"}, ROWS[1]]
    given_, out = tmp_path / "in.csv", tmp_path / "out.csv"
    with given_.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(rows)
    call_command("classify_households", csv=str(given_), out=str(out))
    found = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["category"] for row in found] == ["", RELATIVE]
    given_.write_text("case_id,annual_income\nH1,5\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        call_command("classify_households", csv=str(given_), out=str(out))
    assert ended.value.code == 2
    assert "household_size" in capsys.readouterr().err


# --- What follows from more and from less -------------------------------------------------------------------------


@given(households, yuan)
def test_more_income_is_never_deeper_hardship(one, more):
    richer = replace(one, income=one.income + more)
    assert ORDER.index(classify(richer, Policy()).category) >= ORDER.index(classify(one, Policy()).category)


@given(households, st.sampled_from(EXPENSES), yuan)
def test_more_expenses_are_never_less_hardship(one, kind, more):
    poorer = replace(one, expenses=one.expenses | {kind: one.expenses.get(kind, Decimal(0)) + more})
    assert ORDER.index(classify(poorer, Policy()).category) <= ORDER.index(classify(one, Policy()).category)


@given(households, st.integers(1, 5))
def test_more_people_on_the_same_money_are_never_less_hardship(one, more):
    if Fraction(one.income) < sum(map(Fraction, one.expenses.values())):
        return  # below zero more people share the minus; they stay in deep hardship
    larger = replace(one, size=one.size + more)
    assert ORDER.index(classify(larger, Policy()).category) <= ORDER.index(classify(one, Policy()).category)


@given(size, st.decimals(1, 3000, places=2))
def test_the_line_itself_is_above_and_a_cent_decides(number, standard):
    line = standard * 12 * number
    at, below = (Household(income=line - less, size=number, standard=standard) for less in (0, Decimal("0.01")))
    assert classify(at, Policy()).category == RELATIVE
    assert classify(below, Policy()).category == DEEP
    assert classify(at, Policy(deep_inclusive=True)).category == DEEP


@given(households)
def test_what_is_shown_is_rounded_half_up_from_the_exact_fraction(one):
    verdict = classify(one, Policy())
    off = Fraction(verdict.shown) - verdict.per_capita
    assert abs(off) <= Fraction(1, 200)
    if abs(off) == Fraction(1, 200):
        assert abs(verdict.shown) > abs(verdict.per_capita)


@pytest.mark.parametrize(("exact", "shown"), [((1, 200), "0.01"), ((-1, 200), "-0.01"), ((1, 201), "0.00")])
def test_halves_go_away_from_zero(exact, shown):
    assert str(to_cents(Fraction(*exact))) == shown


@given(households, st.sets(st.sampled_from(sorted(EXCLUSIONS)), min_size=1))
def test_any_flag_of_the_policy_excludes_and_no_other(one, flags):
    marked = replace(one, flags=tuple(flags))
    assert classify(marked, Policy()).category == NOT_ELIGIBLE
    assert classify(marked, Policy(exclusions=())).category == classify(one, Policy()).category


@given(households, st.sampled_from(sorted(EVENTS)), yuan)
def test_an_event_never_takes_a_category_away(one, event, loss):
    before, after = classify(one, Policy()), classify(replace(one, event=event, loss=loss), Policy())
    assert after.category == before.category or (before.category, after.category) == (NONE, ACCIDENTAL)


@given(
    st.builds(
        Policy,
        deep_multiple=st.decimals("0.5", 2, places=2),
        accidental_share=st.decimals(0, 2, places=2),
        exclusions=st.lists(st.sampled_from(sorted(EXCLUSIONS)), unique=True).map(tuple),
        labour_months_for_all=st.booleans(),
    )
)
def test_a_policy_is_kept_and_read_back(policy):
    assert Policy.from_json(policy.as_json()) == policy

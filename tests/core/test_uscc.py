"""Credit codes: the table of vectors, what the check character guarantees, one form, and a reason for each refusal."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import uscc

VECTORS = Path(__file__).parent.parent / "data" / "id_uscc.csv"
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"

with VECTORS.open(encoding="utf-8-sig", newline="") as file:
    CODES = [row for row in csv.DictReader(file) if row["kind"] == "USCC"]


@st.composite
def codes(draw):
    """A valid code; the check character is reckoned here by the standard's formula, weight by weight."""
    letters = st.sampled_from(ALPHABET)
    head = "".join(draw(st.lists(letters, min_size=2, max_size=2))) + f"{draw(st.integers(0, 999999)):06d}"
    head += "".join(draw(st.lists(letters, min_size=9, max_size=9)))
    weight, total = 1, 0
    for character in head:
        total += ALPHABET.index(character) * weight
        weight = weight * 3 % 31
    return head + ALPHABET[(31 - total % 31) % 31]


@pytest.mark.parametrize("row", CODES, ids=[row["value"] or "empty" for row in CODES])
def test_a_code_of_the_vectors(row):
    code = uscc.normalise(row["value"])
    assert uscc.is_valid(code) == (row["valid"] == "Y")
    if row["valid"] == "Y":
        assert code == row["normalised"]


@pytest.mark.parametrize(
    "text", [" 81210400mc 0000\u30000129", "'81210400MC00000129", "８１２１０４００ｍｃ００００0129"]
)
def test_one_form_of_a_code(text):
    assert uscc.normalise(text) == "81210400MC00000129"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "The credit code is missing."),
        ("8121040", "A credit code has 18 characters, this has 7."),
        ("81210400MI00000129", "«I» is not used in credit codes: I, O, S, V and Z do not occur."),
        ("81210400M\x0000000129", "«U+0000» is not used in credit codes: I, O, S, V and Z do not occur."),
        ("8121A400MC00000129", "Characters 3 to 8 of a credit code are the digits of its division."),
        (
            "81210400MC0000012A",
            "The check character is wrong, so a character was mistyped: compare it with the certificate.",
        ),
    ],
)
def test_a_refusal_says_why(code, reason, settings):
    settings.LANGUAGE_CODE = "en"
    assert uscc.fault_of(code) == reason


def test_a_department_with_a_letter_is_accepted():
    head = "N2210400MF0000001"
    assert [letter for letter in ALPHABET if uscc.is_valid(head + letter)] != []


@given(codes())
def test_a_generated_code_is_valid(code):
    assert uscc.is_valid(code)
    assert uscc.normalise(code) == code


@given(codes(), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_any_one_changed_character_is_found(code, place, character):
    """31 is prime and no weight is a multiple of it."""
    changed = code[:place] + character + code[place + 1 :]
    assert uscc.is_valid(changed) == (changed == code)


@given(codes(), st.integers(0, 16))
def test_any_two_neighbours_changed_over_are_found(code, place):
    """Neighbouring weights differ by a factor of three modulo 31, also those of the last two."""
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert uscc.is_valid(swapped) == (swapped == code)

"""Identity numbers, names and phones: the table of vectors, what the check digit guarantees, and one form for each."""

import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members import identity
from members.identity import Refused, check_number, clean_name, clean_phone, normalise_name, normalise_number
from tests.members.people import WEIGHTS, ZHAO

TODAY = date(2026, 11, 20)
VECTORS = Path(__file__).parent.parent / "data" / "id_uscc.csv"

with VECTORS.open(encoding="utf-8-sig", newline="") as file:
    NUMBERS = [row for row in csv.DictReader(file) if row["kind"] == "ID"]


@st.composite
def numbers(draw):
    """A valid number, its check digit reckoned here from the remainders themselves."""
    province = draw(st.sampled_from(sorted(identity.PROVINCES)))
    born = draw(st.dates(date(1900, 1, 1), TODAY))
    head = f"{province}{draw(st.integers(0, 9999)):04d}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return head + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(head, WEIGHTS, strict=True)) % 11]


def is_valid(text):
    return identity.fault_of(normalise_number(text), TODAY) == ""


@pytest.mark.parametrize("row", NUMBERS, ids=[row["reason"] for row in NUMBERS])
def test_a_number_of_the_vectors(row):
    try:
        number = check_number(row["value"], TODAY)
    except Refused:
        assert row["valid"] == "N"
        return
    assert row["valid"] == "Y"
    assert (number.number, number.sex, number.born_on.isoformat()) == (row["normalised"], row["sex"], row["birth_date"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "ID_MISSING"),
        (" \u3000\t", "ID_MISSING"),
        ("'", "ID_MISSING"),
        ("21040019850307001", "ID_LENGTH"),
        ("210400850307001", "ID_LENGTH"),
        ("210400-19850307001", "ID_CHARACTERS"),
        ("2104001985030700１A", "ID_CHARACTERS"),
        ("21040019850307001٧", "ID_CHARACTERS"),  # an Arabic-Indic seven is no digit of a card
        ("X10400198503070017", "ID_CHARACTERS"),
        ("990400198502300017", "ID_PROVINCE"),  # the date is wrong too: the first fault is named
        ("210400198502300017", "ID_BIRTHDATE"),
        ("210400202611210012", "ID_BIRTHDATE"),  # tomorrow
        ("210400189912310010", "ID_BIRTHDATE"),
        ("210400198503070018", "ID_CHECKSUM"),
    ],
)
def test_the_first_fault_is_named(text, code):
    with pytest.raises(Refused) as refusal:
        check_number(text, TODAY)
    assert refusal.value.code == code
    assert str(refusal.value) == str(identity.SENTENCES[code])


@pytest.mark.parametrize(
    "text",
    [
        ZHAO,
        f" {ZHAO}\n",
        "2104 0019 8503 0700 17",
        "'" + ZHAO,
        " '" + ZHAO,
        "＇" + ZHAO,
        "２１０４００１９８５０３０７００１７",
        "\u2003".join(ZHAO),
    ],
)
def test_one_form_of_a_number(text):
    assert check_number(text, TODAY).number == ZHAO


def test_a_number_of_today_is_old_enough():
    head = "21040020261120001"
    number = head + identity.check_character(head)
    assert check_number(number, TODAY).born_on == TODAY


@given(numbers())
def test_a_generated_number_is_valid(number):
    assert is_valid(number)
    assert normalise_number(number) == number
    facts = check_number(number, TODAY)
    assert facts.born_on == date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    assert facts.sex == ("M" if int(number[16]) % 2 else "F")


@given(numbers(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_any_one_changed_character_is_found(number, place, character):
    """All weights are prime to 11, so every single changed digit changes the remainder."""
    changed = number[:place] + character + number[place + 1 :]
    assert is_valid(changed) == (changed == number)


@given(numbers(), st.integers(0, 16))
def test_any_two_neighbours_changed_over_are_found(number, place):
    """Neighbouring weights differ by a factor of two modulo 11, the check digit's own weight is one."""
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert is_valid(swapped) == (swapped == number)


@given(st.text(alphabet="0123456789xX０１２Ｘ \t\u3000\u00a0-"))
def test_the_form_of_a_number_is_final(text):
    once = normalise_number(text)
    assert normalise_number(once) == once
    assert not any(character.isspace() for character in once)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("张三", "张三"),
        ("  张三\u3000", "张三"),
        ("吕  云思", "吕云思"),
        ("吕\u3000云\n思", "吕云思"),
        ("阿依古丽•买买提", "阿依古丽·买买提"),
        ("阿依古丽.买买提", "阿依古丽·买买提"),
        ("阿依古丽．买买提", "阿依古丽·买买提"),
        ("阿依古丽・买买提", "阿依古丽·买买提"),
        ("阿依古丽 · 买买提", "阿依古丽·买买提"),
        ("张〇", "张〇"),
        ("䶮𬭎", "䶮𬭎"),
        ("𠮷 野", "𠮷野"),
        ("Ａnna Ｌi", "Anna Li"),
        ("J. Smith", "J. Smith"),
    ],
)
def test_one_form_of_a_name(text, name):
    assert clean_name(text) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "NAME_MISSING"),
        ("\u3000 \t", "NAME_MISSING"),
        ("12345", "NAME_INVALID"),
        ("张三2", "NAME_INVALID"),
        ("张三②", "NAME_INVALID"),
        ("=张三", "NAME_INVALID"),
        ("＝HYPERLINK(a)", "NAME_INVALID"),
        ("+张三", "NAME_INVALID"),
        ("-张三", "NAME_INVALID"),
        ("@张三", "NAME_INVALID"),
        ("——", "NAME_INVALID"),
        ("·", "NAME_INVALID"),
        ("张" * 51, "NAME_INVALID"),
    ],
)
def test_what_is_no_name(text, code):
    with pytest.raises(Refused) as refusal:
        clean_name(text)
    assert refusal.value.code == code


def test_fifty_rare_characters_are_a_name():
    assert clean_name("𬭎" * 50) == "𬭎" * 50


@given(st.text(max_size=60))
def test_the_form_of_a_name_is_final(text):
    once = normalise_name(text)
    assert normalise_name(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "13800131234", "138 0013 1234", "138-0013-1234", "+86 13800131234", "+8613800131234", "(+86)13800131234",
        "008613800131234", "8613800131234", "１３８００１３１２３４", "＋８６ 138—0013—1234",
    ],
)  # fmt: skip
def test_one_form_of_a_mobile_number(text):
    assert clean_phone(text) == "13800131234"


@pytest.mark.parametrize("text", ["", "134832043", "12800131234", "0411-84000000", "138001312345", "1380013123a"])
def test_what_is_no_mobile_number(text):
    with pytest.raises(Refused) as refusal:
        clean_phone(text)
    assert refusal.value.code == "PHONE_INVALID"


def test_numbers_are_masked():
    assert identity.mask_number(ZHAO) == "2104**********0017"
    assert identity.mask_number("210400850307001") == "***************"
    assert identity.mask_number("1" * 40) == "*" * 18
    assert identity.mask_phone("13800131234") == "138****1234"
    assert identity.mask_phone("1380013") == "*******"

"""How alike two people are, who is found in the database, and how well: precision and recall on an honest set."""

from collections import Counter
from datetime import date

import pytest

from core import bulk
from core.models import Setting
from core.secrets import blind, seal
from members import candidates, identity, matching
from members.matching import Record, likeness, slip
from members.models import DuplicatePair, PairState, Person
from members.pinyin import name_keys
from tests.members.doubles import Doubles, Someone, whole
from tests.members.people import member, number

BODY = "21040219850307001"


def record(name, body=BODY, phone=""):
    return Record(name, whole(body), date(int(body[6:10]), int(body[10:12]), int(body[12:14])), phone)


def same(one, other):
    return likeness(one, other).score >= 0.5


# --- Pure -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("123456", "123456", "same"), ("123456", "123457", "digit"), ("123456", "132456", "swap"),
     ("123456", "143256", "other"), ("123456", "123567", "other"), ("112", "121", "swap")],
)  # fmt: skip
def test_a_slip_of_the_hand_has_a_name(one, other, expected):
    assert slip(one, other) == slip(other, one) == expected


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (record("王小明"), record("王小明", "21040219850307003"), {"SAME_NAME", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("张伟"), record("张伟", "21040319850307001"), {"SAME_NAME", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("王小明"), record("王小明", "21040219580307001"), {"SAME_NAME", "NUMBER_SWAPPED", "BIRTH_DATE_CLOSE"}),
        (record("王小明"), record("王小明", "21040219850703001"), {"SAME_NAME", "BIRTH_DATE_CLOSE", "NUMBER_CLOSE"}),
        (record("曾思琪"), record("增思淇", "21040219850307003"),
         {"NAME_SOUNDS_ALIKE", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("张彬"), record("张杉", "21040319850307001"),
         {"NAME_LOOKS_ALIKE", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("郑未"), record("郑末", "21040219850308001"),
         {"NAME_LOOKS_ALIKE", "NUMBER_ONE_APART", "BIRTH_DATE_CLOSE"}),
        (record("阿依古丽·买买提"), record("阿依古丽 买买提", "21040219850307003"),
         {"NAME_WRITTEN_OTHERWISE", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("阿依古丽·买买提"), record("阿依古丽", "21040219850307003"),
         {"NAME_WRITTEN_OTHERWISE", "NUMBER_ONE_APART", "SAME_BIRTH_DATE"}),
        (record("李思琪"), record("李思琪", "81000019850307054"), {"SAME_NAME", "OTHER_DOCUMENT", "SAME_BIRTH_DATE"}),
        (record("覃诗瑶"), record("覃诗瑶", "37020219850307054"), {"SAME_NAME", "SAME_BIRTH_DATE"}),
        (record("李梓涵", BODY, "138"), record("李梓涵", "37020219900102054", "138"), {"SAME_NAME", "SAME_PHONE"}),
    ],
)  # fmt: skip
def test_one_person_entered_twice_is_known_and_the_reasons_are_said(one, other, reasons):
    assert same(one, other)
    assert set(likeness(one, other).reasons) == reasons
    assert likeness(other, one).score == pytest.approx(likeness(one, other).score)
    assert reasons <= set(matching.SENTENCES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record("王建国"), record("王建军", "21040219850307003")),  # twins
        (
            record("王建国", BODY, "138"),
            record("王建军", "21040219850307003", "138"),
        ),  # twins, their mother's phone
        (record("李建国", BODY, "138"), record("王芳", "37020219860102044", "138")),  # husband and wife
        (record("李建国", BODY, "138"), record("李建军", "21040219880102034", "138")),  # brothers
        (record("李建国", BODY, "138"), record("李强", "21040220100102034", "138")),  # father and son
        (record("张伟"), record("张伟", "37020219850307054")),  # a common name
        (record("张伟"), record("张伟", "21040219850307054")),
        (record("李思琪"), record("李思淇", "21040319850307054")),  # names that sound the same
    ],
)
def test_family_twins_and_namesakes_are_two_people(one, other):
    assert not same(one, other)


def test_a_shared_rare_name_weighs_more_than_a_common_one():
    common = likeness(record("张伟"), record("张伟", "37020219850307054")).score
    rare = likeness(record("覃诗瑶"), record("覃诗瑶", "37020219850307054")).score
    assert common < 0.1 < 0.5 < rare
    # … and a name that the register at hand holds often is common, whatever it is.
    often = matching.share_of("覃诗瑶", namesakes=200, people=1_000_000)
    assert likeness(record("覃诗瑶"), record("覃诗瑶", "37020219850307054"), share=often).score < 0.1


def test_an_offices_phone_says_nothing():
    one, other = record("李强", BODY, "138"), record("李强", "37020219900102054", "138")
    assert likeness(one, other, holders=15).score < likeness(one, other).score / 100


def test_look_alikes_go_both_ways():
    for char, others in matching.TAKEN_FOR.items():
        assert all(char in matching.TAKEN_FOR[other] for other in others)
    assert "张杉" in matching.look_alikes("张彬")


def test_the_numbers_one_slip_away_are_all_that_one_slip_can_make():
    own = whole(BODY)
    for other in (made := matching.slips(own)):
        assert slip(own[:17], other[:17]) in ("digit", "swap") or other[6:14] == "19850703"
        assert identity.check_number(other, date(2100, 1, 1)).number == other
        assert own in matching.slips(other)
    assert 100 < len(made) < 150
    assert {whole("21040219850307003"), whole("21040219580307001"), whole("21040219850703001")} <= made
    assert own not in made


# --- In the database ------------------------------------------------------------------------------------------------


pairs = pytest.mark.django_db


def pair_of(one, other):
    first, second = sorted((one.pk, other.pk))
    return DuplicatePair.objects.filter(first=first, second=second).first()


def twice(tree, name="覃诗瑶"):
    """One person entered at two unions, one digit apart, and looked for."""
    one, other = member(tree.enterprise, name, number(1)).person, member(tree.sibling, name, number(3)).person
    candidates.find_for([one.pk, other.pk], by=None)
    return one, other


@pairs
def test_a_pair_is_found_once_and_a_decided_one_never_again(tree):
    one, other = twice(tree)
    pair = pair_of(one, other)
    assert pair.state == PairState.OPEN
    assert candidates.find_for([one.pk, other.pk], by=None) == []
    pair.state = PairState.NOT_SAME
    pair.save()
    assert candidates.find_for([one.pk, other.pk], by=None) == []
    assert pair_of(one, other).state == PairState.NOT_SAME


@pairs
def test_a_corrected_fact_takes_the_pair_out_of_the_queue(tree):
    one, other = twice(tree)
    assert pair_of(one, other)
    other.name = "孟建国"
    other.save()
    candidates.find_for([other.pk], by=None)
    assert pair_of(one, other) is None


@pairs
def test_the_threshold_is_a_setting(tree):
    Setting.objects.filter(key="duplicate_threshold").delete()
    Setting.objects.create(
        key="duplicate_threshold", value="0.99999", label="—", status="DESIGN", valid_from=date(2020, 1, 1)
    )
    assert pair_of(*twice(tree, "张伟")) is None


@pairs
def test_who_is_likely_is_said_before_anything_is_saved(tree):
    stored = member(tree.enterprise, "覃诗瑶", number(1), phone="13800131234").person
    record = Record("覃诗瑶", number(3), stored.born_on, "13800131234")
    stranger = Record("孟平", number(5), stored.born_on)
    himself = Record("覃诗瑶", number(1), stored.born_on)
    found = candidates.likely({"a": record, "b": stranger, "c": himself})
    assert [person for person, _reasons in found.pop("a")] == [stored]
    assert found == {}
    [(_person, reasons)] = candidates.likely({"a": record})["a"]
    assert set(reasons) == {"SAME_NAME", "NUMBER_ONE_APART", "SAME_BIRTH_DATE", "SAME_PHONE"}


CROWDED = "13800131234"


@pairs
def test_a_crowd_with_one_phone_is_not_compared(tree, django_assert_max_num_queries):
    people = [member(tree.enterprise, f"孟{char}", number(index, born=f"19{70 + index}0101"), phone=CROWDED).person
              for index, char in enumerate("一二三四五六七八九十甲乙丙丁戊己庚辛壬癸子丑寅", start=1)]  # fmt: skip
    with django_assert_max_num_queries(20):
        assert candidates.find_for([person.pk for person in people], by=None) == []


@pairs
def test_of_a_common_name_few_are_compared_and_a_slip_is_found_all_the_same():
    drawn = Doubles(3)
    namesakes = [Someone("张伟", drawn._number(born=date(1970, 1, 1 + index % 28))) for index in range(250)]
    own = namesakes[0].number
    twice = Someone("张伟", min(each for each in matching.slips(own) if each[6:17] == own[6:17]))
    keys = store([*namesakes, twice])
    wanted = candidates._wanted(Person.objects.all())
    assert len(candidates._alike(wanted)) < 250 * 20
    candidates.find_for(keys.values(), by=None)
    first, second = sorted((keys[own], keys[twice.number]))
    assert "SAME_BIRTH_DATE" in DuplicatePair.objects.get(first=first, second=second).reasons


@pairs
@pytest.mark.parametrize(("stored", "typed"), [("阿依古丽·买买提", "阿依古丽"), ("阿依古丽", "阿依古丽·买买提")])
def test_the_first_part_of_a_name_leads_to_the_whole_and_back(tree, stored, typed):
    stored = member(tree.enterprise, stored, number(1)).person
    found = candidates.likely({1: Record(typed, number(3), stored.born_on)})
    assert [person for person, _reasons in found[1]] == [stored]


# --- How well -------------------------------------------------------------------------------------------------------


def store(people):
    """Write the people set-based, as an import does, and return {number: key}."""
    fields = ("uuid", "name", "name_pinyin", "name_initials", "name_sort", "document_kind", "id_number", "id_index",
              "id_masked", "id_tail", "sex", "born_on", "phone", "phone_index", "phone_masked", "ethnicity", "politics",
              "education", "hukou_kind", "hukou_place", "residence", "version", "created_at")  # fmt: skip
    from uuid import uuid4

    from django.utils import timezone

    now, place_of = timezone.now(), Person._meta.get_field
    rows = []
    for each in people:
        key, keys = uuid4(), name_keys(each.name)
        rows.append((
            key, each.name, keys["name_pinyin"], keys["name_initials"], keys["name_sort"], "RESIDENT_ID",
            seal(each.number, place_of("id_number").place(key)), blind("id_number", each.number),
            identity.mask_number(each.number), each.number[-4:], identity.sex_of(each.number), each.born_on,
            each.phone and seal(each.phone, place_of("phone").place(key)),
            each.phone and blind("phone", each.phone), identity.mask_phone(each.phone) if each.phone else "",
            "", "", "", "", "", "", 1, now,
        ))  # fmt: skip
    bulk.insert(Person, fields, rows)
    return {person.id_number: person.pk for person in Person.objects.all()}


@pairs
# The first to build with, the second to see that nothing was made to fit.
@pytest.mark.parametrize("seed", [2026, pytest.param(7, marks=pytest.mark.once)])
def test_precision_and_recall_through_the_database(seed, capsys):
    drawn = Doubles(seed)
    people = {one.number: one for _kind, *both in [*drawn.same, *drawn.different] for one in both}
    people |= {one.number: one for one in drawn.others}
    keys = store(people.values())
    wanted = {tuple(sorted((keys[one.number], keys[other.number]))): kind for kind, one, other in drawn.same}
    seeming = {tuple(sorted((keys[one.number], keys[other.number]))): kind for kind, one, other in drawn.different}
    candidates.find_for(keys.values(), by=None)
    found = set(DuplicatePair.objects.values_list("first", "second"))
    hits = found & wanted.keys()
    precision, recall = len(hits) / len(found), len(hits) / len(wanted)
    with capsys.disabled():
        missed = Counter(wanted[pair] for pair in wanted.keys() - found)
        wrong = Counter(seeming.get(pair, "strangers") for pair in found - hits)
        print(  # noqa: T201
            f"\nduplicates, set {seed}: {len(people)} people, {len(wanted)} true pairs, {len(seeming)} seeming ones:"
            f" precision {precision:.4f}, recall {recall:.4f}\n  missed {dict(missed)}\n  wrong {dict(wrong)}"
        )
    assert precision >= 0.99
    assert recall >= 0.95

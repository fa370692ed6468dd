"""The tree as text: paths, the bound of a subtree, moving one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scope import Reach, after
from unions.models import Union
from unions.tree import LARGEST, move_subtree, path_of, segment

keys = st.integers(min_value=1, max_value=LARGEST)
branches = st.lists(keys, min_size=1, max_size=6)


def path(branch):
    text = ""
    for key in branch:
        text = path_of(key, text)
    return text


@given(keys)
def test_segment_any_key_is_four_digits_that_read_back(key):
    assert len(segment(key)) == 4
    assert int(segment(key), 36) == key
    assert segment(key) == segment(key).upper()


@given(keys, keys)
def test_segment_two_keys_sort_as_text_like_numbers(one, other):
    assert (segment(one) < segment(other)) == (one < other)


@pytest.mark.parametrize("key", [0, -1, LARGEST + 1])
def test_segment_key_out_of_bounds_refused(key):
    with pytest.raises(ValueError):
        segment(key)


def test_after_last_digit_carries():
    assert after("000Z") == "0010"
    assert after("00010ZZZ") == "00011000"


@given(branches, branches)
def test_after_range_holds_the_subtree_and_nothing_else(top, other):
    top, other = path(top), path(other)
    if top.endswith("ZZZZ"):  # the very last key has no next one: never allocated in our lifetime
        return
    assert (top <= other < after(top)) == other.startswith(top)
    assert Reach((top,)).covers(other) == other.startswith(top)


def test_below_each_union_equals_walking_up_the_parents(tree):
    unions = list(Union.objects.select_related("parent"))

    def ancestry(union):
        while union:
            yield union.pk
            union = union.parent and next(one for one in unions if one.pk == union.parent_id)

    for top in unions:
        assert set(Union.objects.below(top)) == {one for one in unions if top.pk in ancestry(one)}
        assert [*top.ancestor_ids, top.pk] == list(ancestry(top))[::-1]


def test_level_counts_from_the_root(tree):
    assert (tree.city.level, tree.district.level, tree.enterprise.level) == (0, 1, 3)


def test_move_subtree_takes_all_below_along_and_nothing_else(tree):
    before = dict(Union.objects.values_list("pk", "path"))
    new = path_of(tree.street.pk, tree.other_district.path)
    assert move_subtree(Union.objects, tree.street.path, new) == 3
    moved = {tree.street.pk, tree.enterprise.pk, tree.sibling.pk}
    for pk, now in Union.objects.values_list("pk", "path"):
        expected = new + before[pk][len(tree.street.path) :] if pk in moved else before[pk]
        assert now == expected
    assert set(Union.objects.below(tree.other_district)) == {
        tree.other_district, tree.other_street, tree.neighbour_enterprise, tree.street, tree.enterprise, tree.sibling,
    }  # fmt: skip

"""Names by pinyin: the order of a Chinese roll, surname readings, and the letters by which a name is found."""

import locale

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.pinyin import name_keys, readings, sort_key, spread, suffixes

HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5) | st.sampled_from("〇䶮𬭎𣈱𠮷·单曾吕欧阳尉迟")
NAMES = st.text(HAN, min_size=1, max_size=8) | st.text(st.sampled_from("abzAZé ·"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    "names",
    [
        ["安建国", "陈堃", "程思琪", "邓军云", "段嘉怡"],
        ["欧阳思琪", "仇䶮", "单雪梅", "孙伟"],  # 仇 qiú, 单 shàn
        ["单于雪梅", "陈堃"],  # 单于 chán yú, not shàn
        ["解放", "谢军", "徐强"],  # 解 xiè as a surname, by tone and character with 谢
        ["查良", "张三"],  # 查 zhā
        ["李", "李䶮", "李喆"],
        ["Anna", "安建国"],
        ["古丽娜扎·艾力", "郭宇"],
        ["左权", "𣈱一"],  # a character without a known reading stands at the end
    ],
)
def test_names_stand_in_the_order_of_pinyin(names):
    jumbled = list(reversed(names))
    assert sorted(jumbled, key=sort_key) == names


@pytest.mark.parametrize(
    ("name", "letters", "initials"),
    [
        ("单雪梅", "shanxuemei", "sxm"), ("曾小明", "zengxiaoming", "zxm"), ("仇亮", "qiuliang", "ql"),
        ("解放", "xiefang", "xf"), ("查理", "zhali", "zl"), ("朴哲洙", "piaozhezhu", "pzz"), ("区伟", "ouwei", "ow"),
        ("覃刚", "qingang", "qg"), ("盖军", "gejun", "gj"), ("缪斯", "miaosi", "ms"), ("乐嘉", "yuejia", "yj"),
        ("阚平", "kanping", "kp"), ("翟梅", "zhaimei", "zm"), ("郇超", "xunchao", "xc"), ("尉强", "weiqiang", "wq"),
        ("尉迟恭", "yuchigong", "ycg"), ("欧阳思琪", "ouyangsiqi", "oysq"), ("司马光", "simaguang", "smg"),
        ("诸葛亮", "zhugeliang", "zgl"), ("上官云", "shangguanyun", "sgy"), ("单于雪", "chanyuxue", "cyx"),
        ("万俟丹", "moqidan", "mqd"), ("澹台明", "tantaiming", "ttm"), ("吕布", "lvbu", "lb"),
        ("刘〇", "liuling", "ll"),
        ("王曾", "wangceng", "wc"),  # only the first character is a surname
        ("阿依古丽·买买提", "ayigulimaimaiti", "ayglmmt"), ("黄䶮", "huangyan", "hy"), ("李𣈱", "li", "l"),
        ("Anna de Né", "annadene", "adn"),
    ],
)  # fmt: skip
def test_a_name_is_spelled_as_people_say_it(name, letters, initials):
    keys = name_keys(name)
    assert (keys["name_pinyin"], keys["name_initials"]) == (letters, initials)


def test_dots_and_blanks_do_not_count():
    assert sort_key("古丽·艾力") == sort_key("古丽•艾力") == sort_key("古丽 艾力")


@given(NAMES, NAMES)
def test_the_order_is_the_same_under_any_collation(one, other):
    key, second = sort_key(one), sort_key(other)
    assert (key + second).isalnum() or not key + second
    assert (key + second).isascii()
    assert (key + second).lower() == key + second
    for collation in ("C.utf8", "en_US.utf8", "zh_CN.utf8"):
        try:
            locale.setlocale(locale.LC_COLLATE, collation)
        except locale.Error:
            continue  # not on this machine
        try:
            assert (locale.strcoll(key, second) < 0) == (key < second)
        finally:
            locale.setlocale(locale.LC_COLLATE, "C")


@given(NAMES.filter(lambda name: len(name) > 2))
def test_the_beginning_of_a_name_begins_its_key(name):
    assert sort_key(name).startswith(sort_key(name[:2]))


@pytest.mark.parametrize("name", ["王" * 50, "䶮" * 50, "𬭎" * 50, "Z" * 50])
def test_the_longest_name_fits_its_columns(name):
    keys = name_keys(name)
    assert len(keys["name_pinyin"]) <= 250
    assert len(keys["name_initials"]) <= 50
    assert len(keys["name_sort"]) <= 400
    assert all(2 <= len(text) <= 49 for text in suffixes(name))


@pytest.mark.parametrize(
    ("name", "within"),
    [("王", set()), ("王伟", set()), ("曾小明", {"小明"}), ("欧阳思琪", {"阳思琪", "思琪"}), ("小小小", {"小小"})],
)
def test_suffixes_are_what_a_name_holds_after_its_first_character(name, within):
    assert suffixes(name) == within


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("zeng xiao", [("zengxiao", "")]),
        ("Zēng'xiǎo", [("zengxiao", "")]),
        ("lubu", [("lubu", ""), ("lvbu", "")]),
        ("lv", [("lv", "")]),
        ("Lǚ", [("lv", "")]),
        ("chouliang", [("chouliang", ""), ("qiuliang", "仇")]),
        ("weichi", [("weichi", ""), ("yuchi", "尉迟")]),
    ],
)
def test_what_is_typed_is_read_in_every_way_it_may_be_meant(typed, meant):
    assert readings(typed) == meant


@pytest.mark.parametrize(
    ("name", "printed"),
    [("陈堃", "陈　堃"), ("欧阳思", "欧阳思"), ("王", "王"), ("Al", "Al"), ("李𣈱", "李　𣈱")],
)
def test_two_characters_are_set_as_wide_as_three(name, printed):
    assert spread(name) == printed

"""The order of a Chinese roll."""

import pytest

from members.pinyin import sort_key, spread


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
    ],
)
def test_names_stand_in_the_order_of_pinyin(names):
    jumbled = list(reversed(names))
    assert sorted(jumbled, key=sort_key) == names


def test_dots_and_blanks_do_not_count():
    assert sort_key("古丽·艾力") == sort_key("古丽•艾力") == sort_key("古丽 艾力")


@pytest.mark.parametrize(
    ("name", "printed"),
    [("陈堃", "陈　堃"), ("欧阳思", "欧阳思"), ("王", "王"), ("Al", "Al"), ("李𣈱", "李　𣈱")],
)
def test_two_characters_are_set_as_wide_as_three(name, printed):
    assert spread(name) == printed

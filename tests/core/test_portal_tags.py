"""Dates to keep in words: how far away, how urgent, with the year only where it is not this one."""

from datetime import date, timedelta

import pytest
import time_machine
from django.template import Context, Template
from django.utils import timezone, translation


@pytest.mark.parametrize(
    ("days", "colour", "words"),
    [
        (-2, "late", "2 days overdue"),
        (-1, "late", "1 day overdue"),
        (0, "late", "due today"),
        (1, "soon", "1 day left"),
        (7, "soon", "7 days left"),
        (8, "rest", "8 days left"),
    ],
)
def test_date_to_keep_says_how_far_it_is(days, colour, words):
    day = timezone.localdate() + timedelta(days=days)
    with translation.override("en"):
        drawn = Template("{{ day|nearness }} {{ day|days_left }}").render(Context({"day": day}))
    assert drawn == f"{colour} {words}"


@pytest.mark.parametrize(
    ("day", "text"),
    [(date(2026, 11, 18), "11月18日 星期三"), (date(2027, 1, 4), "2027年1月4日 星期一")],
)
def test_date_in_chinese_names_the_year_only_where_it_is_another(day, text):
    with time_machine.travel("2026-11-20 09:00+08:00"), translation.override("zh-hans"):
        assert Template("{{ day|day }} {{ day|weekday }}").render(Context({"day": day})) == text


def test_icon_is_drawn_inline_and_hidden_from_screen_readers():
    drawn = Template('{% icon "search" %}').render(Context())
    assert drawn.startswith("<svg")
    assert 'aria-hidden="true"' in drawn
    assert "xmlns" not in drawn

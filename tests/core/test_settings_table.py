"""Settings: the value in force on a day."""

from datetime import date

import pytest
import time_machine

from core.models import Setting
from core.settings_table import value

pytestmark = pytest.mark.django_db


def setting(text, first, last=None):
    return Setting.objects.create(
        key="limit", value=text, label="限额", status="LOCAL", valid_from=date.fromisoformat(first),
        valid_to=last and date.fromisoformat(last),
    )  # fmt: skip


def test_value_on_each_side_of_a_change():
    setting("10", "2024-01-01", "2025-12-31")
    setting("20", "2026-01-01")
    assert value("limit", date(2025, 12, 31)) == "10"
    assert value("limit", date(2026, 1, 1)) == "20"


def test_value_when_two_are_in_force_is_the_later_one():
    setting("10", "2024-01-01")
    setting("20", "2026-01-01")
    assert value("limit", date(2026, 6, 1)) == "20"


def test_value_before_the_first_or_after_the_last_is_missing():
    setting("10", "2024-01-01", "2024-12-31")
    for day in (date(2023, 12, 31), date(2025, 1, 1)):
        with pytest.raises(LookupError, match="limit"):
            value("limit", day)


def test_value_today_is_shanghai_time():
    setting("10", "2024-01-01", "2025-12-31")
    setting("20", "2026-01-01")
    with time_machine.travel("2025-12-31T16:30:00+00:00", tick=False):
        assert value("limit") == "20"  # half past midnight in Shanghai


def test_default_settings_are_there_after_migrate():
    assert value("reminder_from") == "09:00"
    assert value("reminder_until") == "17:30"

"""Facts with which a person may make a membership's move today."""

from datetime import timedelta

from django.utils import timezone


def facts_of(move):
    """The keyword arguments that `make_move` wants beside `by` and `reason`."""
    today = timezone.localdate()
    long_ago = today - timedelta(days=400)
    return {
        "retain": {"kind": "RETIRED", "since": today},
        "withdraw": {"requested_on": today, "on": today},
        "deem": {"dues_since": long_ago, "idle_since": long_ago, "admonished_on": today},
        "expel": {"decided_on": today, "decision_no": "〔2026〕1号"},
        "record_death": {"on": today},
    }.get(move, {})

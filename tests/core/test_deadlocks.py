"""Two acts that wait for each other: PostgreSQL ends one, it is done once more, and both are done."""

import threading

import pytest
from django.db import OperationalError, connections, transaction

from core.deadlocks import TRIES, again_on_deadlock
from core.models import User


@pytest.mark.django_db(transaction=True)
def test_two_acts_in_opposite_order_are_both_done():
    keys = [User.objects.create(username=f"u{index}").pk for index in range(2)]
    meeting, broken = threading.Barrier(2), []

    @again_on_deadlock
    def rename(first, second, name):
        with transaction.atomic():
            User.objects.filter(pk=first).update(name=name)
            if not meeting.broken:
                try:
                    meeting.wait(1)  # both hold their first row; on SQLite only one can, and goes on alone
                except threading.BrokenBarrierError:
                    pass
            User.objects.filter(pk=second).update(email=f"{name}@example.test")

    def run(*args):
        try:
            rename(*args)
        except Exception as error:
            broken.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=run, args=(*keys, "one")),
        threading.Thread(target=run, args=(*keys[::-1], "two")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    first, second = (User.objects.get(pk=key) for key in keys)
    assert (first.name, second.email) == ("one", "one@example.test")
    assert (second.name, first.email) == ("two", "two@example.test")


@pytest.mark.django_db(transaction=True)
def test_any_other_fault_of_the_database_is_not_tried_again():
    tries = []

    @again_on_deadlock
    def act():
        tries.append(1)
        raise OperationalError("disk full")

    with pytest.raises(OperationalError):
        act()
    assert len(tries) == 1 < TRIES

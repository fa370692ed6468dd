"""Keys allocated before the insert: ascending, never twice, above what was written by hand."""

import threading

import pytest
from django.db import connection, transaction

from core import ids
from core.models import AuditEvent
from unions.models import Union


@pytest.mark.django_db
def test_allocate_gives_ascending_keys_never_twice():
    keys = [*ids.allocate(Union, 3), *ids.allocate(Union, 1), *ids.allocate(Union, 2)]
    assert keys == sorted(set(keys))
    assert len(keys) == 6


@pytest.mark.django_db
def test_allocate_keeps_models_apart():
    ids.allocate(AuditEvent, 50)
    assert ids.allocate(Union)[0] < ids.allocate(AuditEvent)[0]


def test_allocate_goes_past_keys_written_by_hand(tree):
    highest = max(Union.objects.values_list("id", flat=True))
    assert ids.allocate(Union)[0] > highest
    Union.objects.create(id=highest + 500, code="X", name="手工", kind="ENTERPRISE", parent=tree.street, path="ZZZZ")
    assert ids.allocate(Union)[0] > highest + 500


@pytest.mark.django_db(transaction=True)
def test_allocate_works_outside_a_transaction_and_survives_a_rollback():
    [first] = ids.allocate(Union)
    with transaction.atomic():
        [rolled_back] = ids.allocate(Union)
        transaction.set_rollback(True)
    [last] = ids.allocate(Union)
    assert first < rolled_back
    assert first < last


@pytest.mark.django_db(transaction=True)
def test_allocate_gives_no_key_twice_to_threads_that_insert():
    Union.objects.create(id=1, code="T", name="市", kind="CITY_FED", path="0001")
    written, errors = [], []

    def work(number):
        try:
            for turn in range(10):
                with transaction.atomic():
                    for key in ids.allocate(Union, 2):
                        code, path = f"{number}-{turn}-{key}", f"0001{key:04d}"
                        Union.objects.create(id=key, code=code, name="基层", kind="ENTERPRISE", parent_id=1, path=path)
                        written.append(key)
        except Exception as error:  # told to the test below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(written)) == 80

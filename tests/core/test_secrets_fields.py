"""Sealed fields: what lies in the database, what opens it again, and everything that must not."""

from datetime import date

import pytest
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import connection, transaction

from core import secrets
from core.sealed_files import SealedStorage, clear_copy
from members.models import Person
from unions.models import Committee, Officer

NUMBER = "11010519491231002X"
OTHER_KEY = "new:" + "B" * 43 + "="


def person(**values):
    return Person(name="程思琪", id_number=NUMBER, sex="F", born_on=date(1949, 12, 31), **values)


def raw(table, column, key):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [key])
        return cursor.fetchone()[0]


def put(table, column, key, value):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, key])


@pytest.fixture
def stored(db):
    row = person(phone="13800001234")
    row.save()
    return row


def test_sealed_text_is_not_in_the_database_and_comes_back(stored):
    lying = raw("members_person", "id_number", stored.pk)
    assert NUMBER not in lying
    assert lying.split(":")[0] == next(iter(secrets.ring(secrets.settings.FIELD_KEYS)))
    again = Person.objects.get(pk=stored.pk)
    assert (again.id_number, again.phone) == (NUMBER, "13800001234")


def test_sealed_text_stays_as_it_is_when_the_row_is_saved_again(stored):
    lying = raw("members_person", "id_number", stored.pk)
    again = Person.objects.get(pk=stored.pk)
    again.name = "程思齐"
    again.save()
    assert raw("members_person", "id_number", stored.pk) == lying


def test_same_text_is_sealed_differently_each_time():
    assert secrets.seal(NUMBER, "a") != secrets.seal(NUMBER, "a")


def test_empty_text_stays_empty(db):
    row = person()
    row.save()
    assert raw("members_person", "phone", row.pk) == ""
    assert Person.objects.get(pk=row.pk).phone == ""


def test_bulk_create_seals_and_indexes(db):
    row = person(phone="13800001234")
    Person.objects.bulk_create([row])
    again = Person.objects.get(id_index=secrets.blind("id_number", NUMBER))
    assert NUMBER not in raw("members_person", "id_number", again.pk)
    assert again.id_number == NUMBER


def test_sealed_text_moved_to_another_row_does_not_open(stored):
    other = person()
    other.id_number = "110101199003070011"
    other.save()
    put("members_person", "id_number", other.pk, raw("members_person", "id_number", stored.pk))
    moved = Person.objects.get(pk=other.pk)
    with pytest.raises(secrets.CannotOpen, match="altered or moved"):
        moved.id_number  # noqa: B018 - reading opens it


def test_sealed_text_moved_to_another_column_does_not_open(stored):
    put("members_person", "phone", stored.pk, raw("members_person", "id_number", stored.pk))
    moved = Person.objects.get(pk=stored.pk)
    with pytest.raises(secrets.CannotOpen, match="altered or moved"):
        moved.phone  # noqa: B018


def test_sealed_text_moved_to_another_model_does_not_open(stored, tree):
    committee = Committee.objects.create(
        union=tree.street, elected_on=date(2025, 1, 1), term_years=5, term_ends_on=date(2030, 1, 1)
    )
    officer = Officer.objects.create(
        committee=committee, uuid=stored.uuid, position="CHAIR", name="侯明超", started_on=date(2025, 1, 1)
    )
    put("unions_officer", "phone", officer.pk, raw("members_person", "phone", stored.pk))
    moved = Officer.objects.get(pk=officer.pk)
    with pytest.raises(secrets.CannotOpen, match="altered or moved"):
        moved.phone  # noqa: B018


def test_altered_text_does_not_open(stored):
    lying = raw("members_person", "id_number", stored.pk)
    letter = "A" if lying[-5] != "A" else "B"
    put("members_person", "id_number", stored.pk, lying[:-5] + letter + lying[-4:])
    with pytest.raises(secrets.CannotOpen):
        Person.objects.get(pk=stored.pk).id_number  # noqa: B018


def test_missing_key_is_named(stored, settings):
    key = raw("members_person", "id_number", stored.pk).split(":")[0]
    settings.FIELD_KEYS = OTHER_KEY
    with pytest.raises(secrets.CannotOpen, match=f"Key «{key}» is missing from FIELD_KEYS"):
        Person.objects.get(pk=stored.pk).id_number  # noqa: B018


def test_older_key_of_the_ring_still_opens(stored, settings):
    settings.FIELD_KEYS = f"{OTHER_KEY},{settings.FIELD_KEYS}"
    again = Person.objects.get(pk=stored.pk)
    assert again.id_number == NUMBER
    again.id_number = NUMBER
    again.save()
    assert raw("members_person", "id_number", stored.pk).startswith("new:")


def test_key_of_the_wrong_length_is_refused():
    with pytest.raises(ImproperlyConfigured):
        secrets.ring("a:QUJD")


@pytest.mark.parametrize("lookup", ["id_number", "id_number__startswith", "phone__in"])
def test_sealed_text_cannot_be_filtered_by(db, lookup):
    with pytest.raises((FieldError, TypeError)):
        list(Person.objects.filter(**{lookup: NUMBER}))


def test_update_with_plain_text_is_refused(stored):
    with pytest.raises(TypeError, match="sealed"), transaction.atomic():
        Person.objects.filter(pk=stored.pk).update(id_number=NUMBER)
    assert Person.objects.get(pk=stored.pk).id_number == NUMBER


def test_blind_index_follows_the_value_and_differs_by_purpose(stored):
    assert stored.id_index == secrets.blind("id_number", NUMBER)
    assert secrets.blind("phone", NUMBER) != stored.id_index
    stored.id_number = "110101199003070011"
    stored.save()
    assert Person.objects.get(pk=stored.pk).id_index == secrets.blind("id_number", "110101199003070011")


def test_blind_index_needs_its_key(stored, settings):
    settings.INDEX_KEYS = OTHER_KEY
    assert secrets.blind("id_number", NUMBER) != stored.id_index


def test_values_and_repr_give_no_clear_text(stored):
    assert Person.objects.values_list("id_number", flat=True)[0] != NUMBER
    assert NUMBER not in f"{stored!r} {stored}"


# --- Sealed files ----------------------------------------------------------------------------------------------


def test_a_sealed_file_opens_under_its_own_name_only(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    store = SealedStorage()
    name = store.save("a/one.csv", ContentFile("赵建国,210400198503070017".encode()))
    lying = (tmp_path / name).read_bytes()
    assert b"210400198503070017" not in lying
    with store.open(name) as file, clear_copy(file) as path:
        assert path.stat().st_mode & 0o077 == 0
        assert path.read_text(encoding="utf-8") == "赵建国,210400198503070017"
    assert not path.exists()
    (tmp_path / "a" / "two.csv").write_bytes(lying)
    with pytest.raises(secrets.CannotOpen, match="altered or moved"):
        store.open("a/two.csv")

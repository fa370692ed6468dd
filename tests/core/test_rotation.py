"""Renewal of the field keys: everything opens and is found under the new keys alone; a stopped run goes on."""

import base64
import json
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from core import imports, rotation, secrets
from core.models import AuditEvent, ImportBatch
from core.models.desk import Draft
from core.sheets import SheetRefused
from members import actions, search, transfers
from members.models import BeforeImport, Membership, Person, StagedMember
from tests.members.people import PHONE, QIAN, RESIDENCE, ZHAO, member, number
from tests.members.registers import import_, row, write


def key(name, byte):
    return f"{name}:{base64.b64encode(byte * 32).decode()}"


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def rings(settings):
    """Put new keys in front of the rings, or leave the new ones alone."""
    old = settings.FIELD_KEYS, settings.INDEX_KEYS
    new = key("k2", b"2"), key("i2", b"3")

    def turn(which):
        fields, indexes = {
            "both": [f"{fresh},{stale}" for fresh, stale in zip(new, old, strict=True)],
            "new": new,
            "old": old,
        }[which]
        settings.FIELD_KEYS, settings.INDEX_KEYS = fields, indexes

    return turn


@pytest.fixture
def furnished(tree, root, city, tmp_path):
    """Something sealed in every place there is."""
    zhao = member(tree.enterprise, phone=PHONE, residence=RESIDENCE)
    member(tree.enterprise, name="钱二", id_number=QIAN)
    preview = ImportBatch.objects.get(pk=_preview(tree, root, tmp_path))
    preview.file.save("register.csv", ContentFile("赵建国".encode()))
    stored = ImportBatch.objects.create(kind="members", file_name="x.csv", sha256="", created_by=root)
    with connection.cursor() as cursor:
        cursor.execute("SELECT phone FROM members_person WHERE id = %s", [zhao.person_id])
        BeforeImport.objects.create(
            batch=stored, person=zhao.person, phone=cursor.fetchone()[0], phone_index=zhao.person.phone_index,
            person_version=1,
        )  # fmt: skip
    Draft.objects.create(user=city, form="/x/", content='{"name": ["孙三"]}')
    totp.TOTP.activate(city, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(city)
    return zhao


def _preview(tree, root, tmp_path):
    """A batch read and not yet stored."""
    path = write(tmp_path, [row(name="李四", id_number=number(7))])
    batch = ImportBatch.objects.create(kind="members", file_name=path.name, sha256="", created_by=root)
    imports.read(batch, path)
    return batch.pk


def ciphertexts():
    """Every sealed text in the database and the head of every sealed file."""
    found = []
    with connection.cursor() as cursor:
        for model, columns in rotation.tables():
            for column in columns:
                cursor.execute(f"SELECT {column.name} FROM {model._meta.db_table} WHERE {column.name} <> ''")
                found += [text for (text,) in cursor.fetchall()]
    for authenticator in Authenticator.objects.all():
        found += [text for text in authenticator.data.values() if isinstance(text, str)]
    found += [
        Path(batch.file.path).read_bytes()[:20].decode(errors="replace")
        for batch in ImportBatch.objects.exclude(file="")
    ]
    return found


def run(**options):
    call_command("rotate_field_keys", **options)


def test_everything_opens_and_is_found_under_the_new_keys_alone(
    tree, root, city, street, rings, furnished, tmp_path, capsys
):
    assert {text.split(":")[0] for text in ciphertexts()} != {"k2"}
    rings("both")
    run()
    assert "older ones may leave the rings" in capsys.readouterr().out
    rings("new")
    assert len(ciphertexts()) >= 11
    assert {text.split(":")[0] for text in ciphertexts()} == {"k2"}
    # revealed
    zhao = Membership.objects.select_related("person", "union").get(pk=furnished.pk)
    assert actions.reveal(zhao, by=root, reason="asked") == {"id_number": ZHAO, "phone": PHONE, "residence": RESIDENCE}
    assert json.loads(Draft.objects.get().content) == {"name": ["孙三"]}
    assert ImportBatch.objects.exclude(file="").get().file.read().decode() == "赵建国"
    before = BeforeImport.objects.get()
    assert secrets.unseal(before.phone, Person._meta.get_field("phone").place(zhao.person.uuid)) == PHONE
    assert before.phone_index == zhao.person.phone_index == secrets.blind("phone", PHONE)
    assert (
        Authenticator.objects.get(user=city, type="totp")
        .wrap()
        .validate_code(
            totp.format_hotp_value(
                totp.hotp_value("JBSWY3DPEHPK3PXP", next(iter(totp.yield_hotp_counters_from_time())))
            )
        )
    )
    assert Authenticator.objects.get(user=city, type="recovery_codes").wrap().get_unused_codes()
    # found
    assert [hit.label for typed in (ZHAO, PHONE) for hit in search.find(street, typed, 11)] == ["赵建国"] * 2
    # imported: nobody twice, and the preview of before is stored
    assert import_(tmp_path, [row("赵建国", ZHAO, joined_on="2020-05-01")], by=root) == [["UPDATED"]]
    preview = ImportBatch.objects.get(state="preview")
    assert imports.ask_commit(preview, by=root)
    imports.commit(ImportBatch.objects.get(pk=preview.pk))
    assert Person.objects.filter(id_index=secrets.blind("id_number", number(7))).count() == 1
    assert Person.objects.count() == 3
    assert AuditEvent.objects.filter(verb="core.rotate_field_keys").count() == 1


def test_a_row_read_before_the_keys_changed_says_that_the_sheet_is_to_be_uploaded_again(
    tree, enterprise, rings, tmp_path
):
    member(tree.neighbour_enterprise, name="钱红", id_number=QIAN)
    batch = ImportBatch.objects.create(kind="members", file_name="名册.csv", sha256="0" * 64, created_by=enterprise)
    imports.read(batch, write(tmp_path, [row("钱红", QIAN), row("周新", number(9))]))
    rings("both")
    run()
    rings("new")
    refused = batch.stagedmembers.get(row=2)
    assert (refused.codes, refused.id_index) == (["ACTIVE_ELSEWHERE"], "")
    with pytest.raises(actions.ValidationError, match="upload it once more"):
        transfers.ask_for_row(by=enterprise, batch=batch, row=2)
    storable = batch.stagedmembers.get(row=3)
    assert storable.id_index == secrets.blind("id_number", number(9))
    assert imports.ask_commit(batch, by=enterprise)
    imports.commit(ImportBatch.objects.get(pk=batch.pk))
    assert Person.objects.filter(id_index=storable.id_index).exists()


def test_while_keys_are_renewed_people_are_found_and_not_doubled(tree, root, street, rings, furnished, tmp_path):
    rings("both")
    assert [hit.label for typed in (ZHAO, PHONE) for hit in search.find(street, typed, 11)] == ["赵建国"] * 2
    with pytest.raises(actions.ValidationError, match="on the roll of this union already"):
        member(tree.enterprise)
    with pytest.raises(SheetRefused, match="The keys are being renewed"):
        import_(tmp_path, [row("赵建国", ZHAO)], by=root)
    assert Person.objects.count() == 2


def test_a_stopped_run_goes_on_and_a_second_one_writes_nothing(rings, furnished, monkeypatch):
    rings("both")
    monkeypatch.setattr(rotation, "CHUNK", 1)

    def stop(what, seen, renewed):
        if what == "members.Person":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(stop)
    assert {text.split(":")[0] for text in ciphertexts()} > {"k2"}
    rotation.rotate()
    lying = ciphertexts()
    assert {text.split(":")[0] for text in lying} == {"k2"}
    assert rotation.rotate().renewed == 0
    assert ciphertexts() == lying


def test_a_missing_key_is_refused_before_anything_is_written(rings, furnished, settings):
    lying = ciphertexts()
    settings.FIELD_KEYS = key("k2", b"2")
    with pytest.raises(CommandError, match="is not in FIELD_KEYS: put it back, behind the first"):
        run()
    rings("old")
    settings.INDEX_KEYS = key("i2", b"3")
    with pytest.raises(CommandError, match="is not in INDEX_KEYS: put it back, behind the first"):
        run()
    settings.INDEX_KEYS = "nonsense"
    with pytest.raises(CommandError):
        run()
    assert ciphertexts() == lying


def test_an_index_key_that_is_gone_for_good_is_replaced(rings, furnished, settings):
    settings.INDEX_KEYS = key("i2", b"3")
    person = Person.objects.first()
    assert not Person.objects.filter(id_index__in=secrets.blind_all("id_number", person.id_number)).exists()
    run(index_lost=True)
    assert Person.objects.get(id_index=secrets.blind("id_number", person.id_number)) == person


def test_what_cannot_be_opened_is_told_and_the_rest_is_renewed(rings, furnished, capsys):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE members_person SET residence = phone WHERE id = %s", [furnished.person_id])
    rings("both")
    with pytest.raises(CommandError, match="1 could not be: keep the older keys"):
        run()
    assert (
        f"members.Person {furnished.person_id}: Sealed content at members.Person.residence" in capsys.readouterr().err
    )
    assert Person.objects.exclude(pk=furnished.person_id).get().id_index == secrets.blind("id_number", QIAN)


def test_two_rows_of_one_number_are_told(rings, furnished, settings):
    """Written by two processes that held different keys: the database cannot see it until both are under one."""
    rings("new")
    twin = Person(name="赵建国", id_number=ZHAO, id_masked="x", sex="M", born_on="1985-03-07")
    twin.save()
    rings("both")
    report = rotation.rotate()
    assert [fault for fault in report.faults if "another row holds the same value" in fault] == [
        f"members.Person {furnished.person_id}: another row holds the same value: merge the two."
    ]
    assert StagedMember.objects.get().id_index == secrets.blind("id_number", number(7))

"""Backups: a round trip row for row and file for file, and what is refused with a sentence."""

import hashlib
import io
import json
import re
import resource
import shutil
import signal
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from core import audit, backup, papers, secrets, triggers
from core.models import AuditEvent, Paper, User
from core.models.paper import PaperState
from members.models import Membership, Person
from tests.members.people import PHONE, ZHAO, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city(tree, city):
    """A tree with a member, an issued paper and a sealed trail."""
    member(tree.enterprise, "钱䶮", phone=PHONE)
    papers.make_now(papers.ask("roll", union=tree.enterprise, by=city))
    audit.seal(timezone.now())
    return city


def everything():
    """Every row of every kept table, and every file, as they lie there."""
    rows = {
        model._meta.db_table: list(model._base_manager.order_by("pk").values_list())
        for model in backup.tables()
        if model is not AuditEvent
    }
    return rows, list(AuditEvent.objects.exclude(verb="core.restore_backup").order_by("pk").values_list())


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_a_backup_comes_back_row_for_row_and_file_for_file(city, tmp_path, settings, capsys):
    before, kept = everything(), files(settings.MEDIA_ROOT)
    assert kept
    call_command("backup", str(tmp_path / "night.zip"))
    member_of = Membership.objects.get()
    member_of.person.name = "改名"
    member_of.person.save()
    User.objects.create(username="later")
    shutil.rmtree(settings.MEDIA_ROOT)
    call_command("restore", str(tmp_path / "night.zip"), replace=True)
    assert everything() == before
    assert files(settings.MEDIA_ROOT) == kept
    assert triggers.missing() == []
    assert audit.verify().faults == []
    person = Person.objects.get(id_index=secrets.blind("id_number", ZHAO))
    assert (person.name, person.id_number, person.phone) == ("钱䶮", ZHAO, PHONE)
    paper = Paper.objects.get(state=PaperState.VALID)
    assert papers.digest_of(paper.file.name) == paper.sha256
    # Keys go on where they were: nothing written afterwards meets a restored row.
    member(city.appointments.first().union, "孙某", "210400199202290029")


def test_a_backup_comes_back_into_an_empty_database_and_all_of_it_is_proved(city, tmp_path, settings, capsys):
    """backup → drop → restore: every row, every paper's hash, every sealed number, the audit trail."""
    before = everything()
    call_command("backup", str(tmp_path / "night.zip"))
    triggers.drop()
    call_command("flush", interactive=False, verbosity=0)  # a migrated database with nothing but the defaults
    shutil.rmtree(settings.MEDIA_ROOT)
    assert not Person.objects.exists()
    call_command("restore", str(tmp_path / "night.zip"))
    assert everything() == before
    said = capsys.readouterr().out
    assert "1 份文书与签发时一致，2 项加密信息全部可以解开" in said  # number and phone of one person
    assert audit.verify().faults == []


def test_what_does_not_open_or_was_altered_is_found_after_a_restore(city, tmp_path, settings):
    member(city.appointments.first().union, "孙某", "210400199202290029", phone=PHONE)
    assert (backup.prove().papers, backup.prove().values, backup.prove().faults) == (1, 4, [])
    paper, (one, other) = Paper.objects.get(), Person.objects.order_by("pk")
    Path(paper.file.path).write_bytes(b"%PDF another")
    sealed = Person.objects.filter(pk=other.pk).values_list("phone", flat=True).get()
    with connection.cursor() as cursor:  # moved to another person
        cursor.execute("UPDATE members_person SET phone = %s WHERE id = %s", [str(sealed), one.pk])
    proof = backup.prove()
    assert (proof.papers, proof.values) == (0, 3)
    assert [paper.number in proof.faults[0], f"members.Person.phone {one.pk}" in proof.faults[1]] == [True, True]
    call_command("backup", str(tmp_path / "night.zip"))
    with pytest.raises(CommandError, match=re.escape(paper.number)):
        call_command("restore", str(tmp_path / "night.zip"), replace=True)


def test_sealed_text_stays_sealed_in_the_archive_and_no_key_lies_in_it(city, tmp_path, settings):
    backup.make(tmp_path / "night.zip")
    with zipfile.ZipFile(tmp_path / "night.zip") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
        assert json.loads(archive.read("manifest.json"))["keys"]["FIELD_KEYS"].keys() == {"t1"}
    assert ZHAO not in text
    assert PHONE not in text
    assert settings.FIELD_KEYS.partition(":")[2] not in text


def test_an_altered_archive_is_refused_and_nothing_changes(city, tmp_path):
    backup.make(tmp_path / "night.zip")
    with zipfile.ZipFile(tmp_path / "night.zip") as archive, zipfile.ZipFile(tmp_path / "forged.zip", "w") as forged:
        for name in archive.namelist():
            content = archive.read(name)
            forged.writestr(name, content.replace("钱䶮".encode(), "钱某".encode()) if "person" in name else content)
    before = everything()
    with pytest.raises(CommandError, match="members_person"):
        call_command("restore", str(tmp_path / "forged.zip"), replace=True)
    assert everything() == before


@pytest.mark.parametrize("secret", ["FIELD_KEYS", "AUDIT_KEY", "INDEX_KEYS"])
def test_a_missing_key_is_named_before_anything_is_changed(city, tmp_path, settings, secret):
    backup.make(tmp_path / "night.zip")
    other = "dGVzdHM6IGEga2V5IG9mIGFub3RoZXIgcmluZywgMzI="
    setattr(settings, secret, other if secret == "AUDIT_KEY" else f"k9:{other}")
    with pytest.raises(CommandError, match=secret):
        call_command("restore", str(tmp_path / "night.zip"), replace=True)
    assert Person.objects.filter(name="钱䶮").exists()


def test_a_database_in_use_is_replaced_only_when_told_to(city, tmp_path):
    backup.make(tmp_path / "night.zip")
    with pytest.raises(CommandError, match="--replace"):
        call_command("restore", str(tmp_path / "night.zip"))
    with pytest.raises(CommandError, match=r"night\.zip"):
        call_command("backup", str(tmp_path / "night.zip"))


def manifest_of(text):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("manifest.json", text)
    return archive.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no zip", b"PK\x05\x06" + b"\0" * 18,
        *map(manifest_of, ("[" * 200_000, "[]", "null", b"\xff", "{}", '{"keys": [], "files": {}, "tables": {}}')),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_backup_is_refused_with_a_sentence(db, tmp_path, content):
    (tmp_path / "other.zip").write_bytes(content)
    with pytest.raises(CommandError, match="备份"):
        call_command("restore", str(tmp_path / "other.zip"))
    with pytest.raises(CommandError, match="备份"):
        call_command("restore", str(tmp_path / "nowhere.zip"))


def rewritten(source, target, change):
    """Copy the archive `source` to `target`; `change(name, content)` gives each entry anew, None leaves it out."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as forged:
        for name in archive.namelist():
            if (content := change(name, archive.read(name))) is not None:
                forged.writestr(name, content)


def forge(name, content):
    """A row and its hash in the manifest, as whoever holds the archive and no key would write them."""
    if name == "tables/members_person.jsonl":
        return content.replace("钱䶮".encode(), "钱某".encode())
    if name == "manifest.json":
        manifest = json.loads(content)
        table = manifest["tables"]["members_person"]
        table["sha256"] = forge.sha256
        return json.dumps(manifest).encode()
    return content


def test_a_manifest_made_to_fit_altered_rows_is_refused(city, tmp_path):
    backup.make(tmp_path / "night.zip")
    with zipfile.ZipFile(tmp_path / "night.zip") as archive:
        rows = forge("tables/members_person.jsonl", archive.read("tables/members_person.jsonl"))
    forge.sha256 = hashlib.sha256(rows).hexdigest()
    rewritten(tmp_path / "night.zip", tmp_path / "forged.zip", forge)
    for flags in ({}, {"unsigned": True}):
        with pytest.raises(backup.BackupRefused):
            backup.restore(tmp_path / "forged.zip", replace=True, **flags)
    assert Person.objects.filter(name="钱䶮").exists()


def test_an_archive_without_signature_is_taken_only_when_told_to(city, tmp_path):
    backup.make(tmp_path / "night.zip")
    rewritten(
        tmp_path / "night.zip", tmp_path / "old.zip",
        lambda name, content: None if name == "manifest.mac" else content,
    )  # fmt: skip
    with pytest.raises(CommandError, match="--unsigned"):
        call_command("restore", str(tmp_path / "old.zip"), replace=True)
    call_command("restore", str(tmp_path / "old.zip"), replace=True, unsigned=True)
    assert Person.objects.filter(name="钱䶮").exists()


def test_an_archive_that_a_disk_spoiled_is_refused(city, tmp_path):
    before = everything()
    backup.make(tmp_path / "night.zip")
    spoiled = bytearray((tmp_path / "night.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "night.zip") as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.compress_size)
    begin = largest.header_offset + largest.compress_size // 2
    spoiled[begin : begin + 40] = bytes(byte ^ 0xFF for byte in spoiled[begin : begin + 40])
    (tmp_path / "night.zip").write_bytes(spoiled)
    with pytest.raises(CommandError, match="备份"):
        call_command("restore", str(tmp_path / "night.zip"), replace=True)
    assert everything()[0] == before[0]


def test_a_refused_file_leaves_no_folder_behind(city, tmp_path, settings):
    before = files(settings.MEDIA_ROOT)
    backup.make(tmp_path / "night.zip")
    rewritten(
        tmp_path / "night.zip", tmp_path / "forged.zip",
        lambda name, content: b"%PDF forged" if name.startswith("files/") else content,
    )  # fmt: skip
    with pytest.raises(backup.BackupRefused):
        backup.restore(tmp_path / "forged.zip", replace=True)
    assert files(settings.MEDIA_ROOT) == before
    assert [path.name for path in Path(settings.MEDIA_ROOT).parent.iterdir() if path.is_dir()] == ["files"]


def test_a_backup_is_an_event(city, tmp_path):
    manifest = backup.make(tmp_path / "night.zip")
    event = AuditEvent.objects.get(verb="core.make_backup")
    assert event.changes["files"] == [None, len(manifest["files"])]


def test_a_full_disk_leaves_no_half_backup_behind(city, tmp_path):
    """The system refuses to write more than a few kilobytes, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    quiet = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(CommandError, match="腾出空间"):
            call_command("backup", str(tmp_path / "night.zip"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, quiet)
    assert list(tmp_path.glob("*.zip*")) == []

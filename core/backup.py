"""Backup and restore: every row and every kept file in one archive that says what is in it, for either database.

The archive is a zip: `manifest.json`, `tables/<table>.jsonl` (one JSON list a row), `files/<name>`. The manifest holds
the hash of each of them and is itself signed with AUDIT_KEY (`manifest.mac`): without the key nobody alters anything
unseen. Sealed text stays sealed: the archive names the keys that open it and holds none. It restores into PostgreSQL as
well as into SQLite, by the release that wrote it. Sessions are left out: after a restore everybody signs in again.
"""

import fcntl
import hashlib
import hmac
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.core.files.storage import default_storage
from django.core.management.color import no_style
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, bulk, papers, rotation, secrets, triggers, uploads
from core.models import AuditSeal, Paper, Upload, User

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.mac"
MADE = "core.make_backup"
LEFT_OUT = ("sessions.Session",)
CHUNK = 5000
FAULTS_TOLD = 20
READERS = {
    models.DateTimeField: datetime.fromisoformat,
    models.DateField: date.fromisoformat,
    models.UUIDField: UUID,
    models.DecimalField: Decimal,
}


class BackupRefused(Exception):
    """The backup cannot be made or restored; the message is the sentence that says what to do."""


def tables():
    """Every model whose rows are kept, in a stable order."""
    found = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return sorted(
        (model for model in found if model._meta.managed and model._meta.label not in LEFT_OUT),
        key=lambda model: model._meta.db_table,
    )


# --- Making one ----------------------------------------------------------------------------------------------------


def make(target, progress=None):
    """Write the archive `target` (a path that does not exist yet) and return its manifest (dict).

    All rows are of one moment, also while others write. `progress(text)` hears each table. What is not whole is not
    left behind. Raises BackupRefused.
    """
    target = Path(target)
    if target.exists():
        raise BackupRefused(_("%(file)s is there already: give another name.") % {"file": target})
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            manifest = _write(archive, progress or (lambda text: None))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _note(manifest)
    except OSError as error:
        raise BackupRefused(
            _("The backup could not be written: %(reason)s. Make room, or choose another place.")
            % {"reason": error.strerror or error}
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _note(manifest):
    """The event by which the health check knows when the last backup was made."""
    rows = sum(table["rows"] for table in manifest["tables"].values())
    changes = {"rows": [None, rows], "files": [None, len(manifest["files"])]}
    audit.record(MADE, None, by=None, changes=changes)


def _write(archive, progress):
    with _one_moment():
        manifest = {
            "format": FORMAT,
            "made_at": timezone.now().isoformat(),
            "migrations": _migrations(),
            "keys": _keys(),
            "seal": list(AuditSeal.objects.order_by("id").values_list("id", "digest").last() or ()),
            "tables": {},
            "files": {},
        }
        for model in tables():
            progress(model._meta.db_table)
            manifest["tables"][model._meta.db_table] = _write_table(archive, model)
    # After the rows: a file that a row names lies there before the row does.
    root = Path(settings.MEDIA_ROOT)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        try:
            with path.open("rb") as source, archive.open(f"files/{name}", "w", force_zip64=True) as kept:
                manifest["files"][name] = _copy(source, kept)
        except FileNotFoundError:  # discarded meanwhile
            continue
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    archive.writestr(MANIFEST, text)
    archive.writestr(SIGNATURE, _signature(text))
    return manifest


def _write_table(archive, model):
    fields = [each.attname for each in model._meta.concrete_fields if not each.generated]
    digest, rows = hashlib.sha256(), 0
    with archive.open(f"tables/{model._meta.db_table}.jsonl", "w", force_zip64=True) as file:
        for row in model._base_manager.order_by("pk").values_list(*fields).iterator(chunk_size=CHUNK):
            line = (json.dumps(row, ensure_ascii=False, cls=_Exactly) + "\n").encode()
            digest.update(line)
            file.write(line)
            rows += 1
    return {"columns": fields, "rows": rows, "sha256": digest.hexdigest()}


class _Exactly(DjangoJSONEncoder):
    def default(self, value):
        # Django's encoder cuts microseconds to milliseconds; an audit event's MAC is over all of them.
        return value.isoformat() if isinstance(value, datetime) else super().default(value)


@contextmanager
def _one_moment():
    """A read transaction that sees one moment and keeps no writer out."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")  # IMMEDIATE, the portal's own way, would keep writers out
        try:
            yield
        finally:
            cursor.execute("COMMIT")


def _copy(source, target):
    """Copy a file and return its SHA-256 (hex)."""
    digest = hashlib.sha256()
    while piece := source.read(1 << 20):
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


def _migrations():
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def _keys():
    """What tells whether the right keys are there, and nothing about them: {secret: {key id: a MAC by that key}}."""
    return {
        "FIELD_KEYS": _marks(secrets.ring(settings.FIELD_KEYS)),
        "INDEX_KEYS": _marks(secrets.ring(settings.INDEX_KEYS)),
        "AUDIT_KEY": {"": secrets.audit_mac(b"backup check")},
    }


def _signature(manifest):
    """The MAC (hex) of a manifest's bytes: no other use of AUDIT_KEY begins with these words."""
    return secrets.audit_mac(b"backup manifest\n" + manifest)


def _marks(ring):
    return {key_id: hmac.new(key, b"backup check", hashlib.sha256).hexdigest() for key_id, key in ring.items()}


# --- Restoring one -------------------------------------------------------------------------------------------------


def restore(source, *, replace=False, unsigned=False, progress=None):
    """Put the rows and files of the archive `source` in place of what is here, and return its manifest.

    Rows are replaced in one transaction, files beside the old ones and then in their place. `replace`: also over a
    database that is in use. `unsigned`: also an archive without a signature, as earlier releases wrote them; a wrong
    signature is always refused. Raises BackupRefused before anything is changed.
    """
    progress = progress or (lambda text: None)
    try:
        with zipfile.ZipFile(source) as archive, _portal_stopped():
            text, manifest = _read_manifest(archive)
            _refuse_if_wrong(manifest, replace)
            _refuse_if_altered(archive, text, unsigned)
            _check_whole(archive, manifest)
            beside = _lay_files_beside(archive, manifest)
            try:
                with transaction.atomic():
                    _replace_rows(archive, manifest, progress)
                    _refuse_if_used()  # also what came in the meantime: it acts on what was there before
            except BaseException:
                shutil.rmtree(beside)
                raise
            _put_in_place(beside)
            caches["default"].clear()  # sessions of before live there too
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise BackupRefused(_("This is no whole backup of the portal: %(reason)s.") % {"reason": error}) from error
    audit.record("core.restore_backup", None, by=None, changes={"made_at": [None, manifest["made_at"]]})
    return manifest


@dataclass
class Proof:
    """What a look at everything found: papers as issued, sealed values that open, the first faults in words."""

    papers: int = 0
    values: int = 0
    faults: list = field(default_factory=list)

    def blame(self, sentence):
        if len(self.faults) < FAULTS_TOLD:
            self.faults.append(sentence)


def prove():
    """Compare every issued or uploaded paper with its hash, open every sealed value, and return the `Proof`.

    A fault names the paper's number, or model and primary key: no personal data.
    """
    proof = Proof()
    for number, name, sha256 in Paper.objects.exclude(sha256="").values_list("number", "file", "sha256").iterator():
        if default_storage.exists(name) and papers.digest_of(name) == sha256:
            proof.papers += 1
        else:
            proof.blame(_("The file of the paper %(number)s is not the one that was issued.") % {"number": number})
    for upload in Upload.objects.exclude(file="").order_by("pk").iterator():
        if uploads.is_intact(upload):
            proof.values += 1
        else:
            proof.blame(_("The file of the upload %(pk)d is not the one that was handed in.") % {"pk": upload.pk})
    for model, columns in rotation.tables():
        names = [name for column in columns for name in (column.uuid, column.name)]
        for pk, *values in model._base_manager.order_by().values_list("pk", *names).iterator(chunk_size=CHUNK):
            for column, row_uuid, text in zip(columns, values[::2], values[1::2], strict=True):
                if not text:
                    continue
                try:
                    secrets.unseal(text, column.sealed.place(row_uuid))
                    proof.values += 1
                except ValueError:
                    what = f"{model._meta.label}.{column.name} {pk}"
                    proof.blame(_("%(what)s is sealed and does not open.") % {"what": what})
    return proof


def _read_manifest(archive):
    """Return the bytes of the manifest and what they say. Raises BadZipFile where that is no manifest of ours."""
    text = archive.read(MANIFEST)
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise zipfile.BadZipFile(MANIFEST) from error
    parts = [manifest.get(name) for name in ("keys", "tables", "files")] if isinstance(manifest, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise zipfile.BadZipFile(MANIFEST)
    return text, manifest


def _refuse_if_wrong(manifest, replace):
    if manifest["format"] != FORMAT:
        raise BackupRefused(_("This backup was written by another release: restore it with that release."))
    if manifest["migrations"] != _migrations():
        raise BackupRefused(
            _("The tables here are of another release: take the release of the backup and run migrate first.")
        )
    here = _keys()
    for secret, kept in manifest["keys"].items():
        if missing := sorted(kept.items() - here[secret].items()):
            names = "、".join(key_id for key_id, _mark in missing)
            said = _("%(secret)s is not that of the backup (%(keys)s): put the saved one back into .env.")
            raise BackupRefused(said % {"secret": secret, "keys": names})
    if not replace and User.objects.exists():
        raise BackupRefused(
            _("There are accounts in this database: stop the portal and say --replace to put the backup in its place.")
        )
    _refuse_if_used()
    if "REDIS_URL" in os.environ and not caches["default"].clear():  # our own Valkey is emptied when the portal starts
        raise BackupRefused(_("Redis does not answer, and sessions of before live on in it: start it first."))


def _refuse_if_used():
    if others := _others():
        raise BackupRefused(
            _("%(number)s other connections use this database: stop web, worker and timetable first.")
            % {"number": others}
        )


@contextmanager
def _portal_stopped():
    """Hold the lock of `manage.py portal` on the folder whose own database this is; refuse while it runs."""
    if str(connection.settings_dict["NAME"]) != str(settings.VAR_DIR / "portal.sqlite3"):
        yield
        return
    settings.PORTAL_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with settings.PORTAL_LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(_("The portal of this folder is running: stop it first.")) from None
        yield


def _refuse_if_altered(archive, text, unsigned):
    """After the keys were compared: with another AUDIT_KEY every manifest would look altered."""
    if SIGNATURE in archive.namelist():
        if not hmac.compare_digest(archive.read(SIGNATURE), _signature(text).encode()):
            raise BackupRefused(_("The list of contents of this backup was altered: take another backup."))
    elif not unsigned:
        raise BackupRefused(
            _(
                "This backup is not signed: somebody took the signature off, or an earlier release wrote it. "
                "Only if you know that it is such an old one, say --unsigned."
            )
        )


def _others():
    """How many others are connected; on SQLite nobody can tell, and its one writer waits for them."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def _check_whole(archive, manifest):
    for table, told in manifest["tables"].items():
        with archive.open(f"tables/{table}.jsonl") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != told["sha256"]:
                raise BackupRefused(_("The table %(table)s of this backup was altered.") % {"table": table})


def _lay_files_beside(archive, manifest):
    """Unpack the files into a folder beside theirs and return it; nothing of it stays when one is refused."""
    root = Path(settings.MEDIA_ROOT)
    beside = root.with_name(root.name + ".restored")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        _unpack(archive, manifest, beside)
    except BaseException:
        shutil.rmtree(beside)
        raise
    return beside


def _unpack(archive, manifest, beside):
    for name, sha256 in manifest["files"].items():
        path = beside / name
        if not path.resolve().is_relative_to(beside.resolve()):
            raise BackupRefused(_("This is no whole backup of the portal: %(reason)s.") % {"reason": name})
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(f"files/{name}") as source, path.open("wb") as target:
            path.chmod(0o600)
            if _copy(source, target) != sha256:
                raise BackupRefused(_("The file %(file)s of this backup was altered.") % {"file": name})


def _put_in_place(beside):
    root = Path(settings.MEDIA_ROOT)
    old = root.with_name(root.name + ".replaced")
    shutil.rmtree(old, ignore_errors=True)
    if root.exists():
        root.replace(old)
    beside.replace(root)


def _replace_rows(archive, manifest, progress):
    """Empty every table and fill it again; foreign keys are checked at the end of the transaction."""
    models_here = tables()
    triggers.drop()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA defer_foreign_keys = ON")
        names = [connection.ops.quote_name(model._meta.db_table) for model in models_here]
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(names)} CASCADE")
        else:
            for name in names:
                cursor.execute(f"DELETE FROM {name}")  # noqa: S608 — names of our own tables
        cursor.execute(f"DELETE FROM {connection.ops.quote_name('django_session')}")  # noqa: S608
    for model in models_here:
        table = model._meta.db_table
        progress(table)
        told = manifest["tables"][table]
        with archive.open(f"tables/{table}.jsonl") as file:
            for rows in _chunks(_read(file, model, told["columns"])):
                bulk.insert(model, [model._meta.get_field(name).name for name in told["columns"]], rows)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models_here):
            cursor.execute(statement)
    triggers.create("default")


def _read(file, model, columns) -> Iterator[list]:
    readers = []
    for place, name in enumerate(columns):
        column = model._meta.get_field(name)
        reader = next((read for kind, read in READERS.items() if isinstance(column, kind)), None)
        if reader:
            readers.append((place, reader))
    for line in file:
        row = json.loads(line)
        for place, reader in readers:
            if row[place] is not None:
                row[place] = reader(row[place])
        yield row


def _chunks(rows):
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

"""Renewal of the field keys: all that is sealed is sealed again under the ring's first key, blind indexes likewise.

It goes through every EncryptedText, the ciphertext in staging tables (`SEALED_COPIES`), second factors and sealed
files, in short transactions by primary key. What the first keys made is left as it is, so a run that was stopped is
simply started again, and a run that finds nothing to do proves that older keys may leave the rings.
"""

import re
from dataclasses import dataclass, field

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Left, StrIndex
from django.utils.translation import gettext as _

from core import audit, secrets
from core.fields import BlindIndex, EncryptedText
from core.sealed_files import SealedStorage

CHUNK = 500  # rows a transaction
SEALED = re.compile(r"[^:\s]{1,40}:[A-Za-z0-9+/]+={0,2}")


class RotationRefused(Exception):
    """Nothing was begun; carries the sentence that says what to do."""


@dataclass(frozen=True)
class Column:
    """A column of ciphertext: what it is bound to, the look-up of the uuid, its blind index and that one's purpose."""

    name: str
    sealed: EncryptedText
    uuid: str
    index: str = ""
    copied: bool = False  # from a sheet: its index may stand without the number it was made of

    def fresh(self, row_uuid, text, index, *, index_changes):
        """Return (ciphertext, index) as the first keys make them: the same when they did. Raises CannotOpen.

        While `index_changes`, an index that stands alone is forgotten: nothing is found under it any more.
        """
        if not text:
            return text, "" if self.copied and index_changes else index
        if row_uuid is None:
            return text, index  # the person it was sealed for is gone
        place = self.sealed.place(row_uuid)
        old = not text.startswith(f"{secrets.first_key()}:")
        if not old and not self.index:
            return text, index
        plain = secrets.unseal(text, place)
        return (secrets.seal(plain, place) if old else text), (
            secrets.blind(self.sealed.name, plain) if self.index else ""
        )


@dataclass
class Report:
    """What a run has looked at and renewed, and a sentence about each thing that could not be."""

    seen: int = 0
    renewed: int = 0
    faults: list = field(default_factory=list)

    def fault(self, where, error):
        self.faults.append(f"{where}: {error}")


def rotate(progress=None, *, index_lost=False):
    """Renew everything and return the Report; `progress(what, seen, renewed)` hears how far it is.

    `index_lost`: also when no index key of the ring made the indexes that are there, because it is gone for good; they
    are reckoned anew from what is sealed. Raises RotationRefused while a key is missing.
    """
    sealed = tables()
    check(sealed, index_lost=index_lost)
    report = Report()
    tell = progress or (lambda *_told: None)
    for model, columns in sealed:
        for _chunk in _rows(model, columns, report, index_changes=index_lost or secrets.index_rotating()):
            tell(model._meta.label, report.seen, report.renewed)
    for what, renewing in (("mfa.Authenticator", _second_factors), (_("files"), _files)):
        renewing(report)
        tell(what, report.seen, report.renewed)
    if report.renewed:
        audit.record("core.rotate_field_keys", None, by=None, changes={"renewed": [0, report.renewed]})
    return report


def tables():
    """Return [(model, [Column])] of every model with ciphertext in its rows."""
    found = []
    for model in apps.get_models():
        fields = model._meta.concrete_fields
        indexes = {each.source: each.attname for each in fields if isinstance(each, BlindIndex)}
        columns = [
            Column(each.name, each, "uuid", indexes.get(each.name, ""))
            for each in fields
            if isinstance(each, EncryptedText)
        ]
        copies = getattr(model, "SEALED_COPIES", ())
        columns += [Column(copy.column, copy.field, copy.uuid, copy.index, copied=True) for copy in copies]
        if columns:
            found.append((model, columns))
    return found


def check(sealed, *, index_lost=False):
    """Raise RotationRefused when a ring is not well formed, or lacks a key that something is sealed with."""
    try:
        known, _indexes = secrets.ring(settings.FIELD_KEYS), secrets.ring(settings.INDEX_KEYS)
    except (ImproperlyConfigured, ValueError) as error:
        raise RotationRefused(str(error)) from None
    for model, columns in sealed:
        for column in columns:
            rows = model._base_manager.filter(**{f"{column.uuid}__isnull": False}).order_by()
            until = StrIndex(F(column.name), Value(":")) - 1
            used = rows.annotate(key=Left(F(column.name), until, output_field=models.TextField())).values_list(
                "key", flat=True
            )
            for key in sorted({key for key in used.distinct() if key} - known.keys()):
                raise RotationRefused(
                    _("Key «%(key)s» still seals %(what)s and is not in FIELD_KEYS: put it back, behind the first.")
                    % {"key": key, "what": f"{model._meta.label}.{column.name}"}
                )
            if column.index and not index_lost:
                _check_index(rows, column)


@checks.register(checks.Tags.database)
def name_missing_keys(databases, **_options):
    """Say at each `migrate` when a key is missing that something is sealed with; the rest of the portal works."""
    if not databases:
        return []
    try:
        check(tables())
    except RotationRefused as refusal:
        return [checks.Warning(str(refusal), "Pages that open such a number say so until then.", id="core.W002")]
    except DatabaseError:  # before the first migrate there are no tables
        return []
    return []


def _check_index(rows, column):
    """The first row must be found under some key of the ring, else the key in use until now is not in it."""
    row = rows.exclude(**{column.index: ""}).values_list(column.uuid, column.name, column.index).first()
    if row is None:
        return
    row_uuid, text, index = row
    try:
        plain = secrets.unseal(text, column.sealed.place(row_uuid))
    except secrets.CannotOpen:
        return  # told of when its row is renewed
    if index not in secrets.blind_all(column.sealed.name, plain):
        raise RotationRefused(
            _("The index %(what)s was made with a key that is not in INDEX_KEYS: put it back, behind the first.")
            % {"what": f"{rows.model._meta.label}.{column.index}"}
        )


# --- Rows ---------------------------------------------------------------------------------------------------------


def _rows(model, columns, report, *, index_changes):
    """Renew the rows of `model`, a transaction a chunk; yields after each."""
    names = [name for column in columns for name in (column.name, column.index) if name]
    last = 0
    while True:
        with transaction.atomic():
            # Locked in the order of keys, and read again: what somebody saves meanwhile is not overwritten.
            held = model._base_manager.filter(pk__gt=last).order_by("pk").select_for_update()
            pks = list(held.values_list("pk", flat=True)[:CHUNK])
            if not pks:
                return
            rows = model._base_manager.filter(pk__gte=pks[0], pk__lte=pks[-1]).order_by("pk")
            stale = []
            for pk, row_uuid, *values in rows.values_list("pk", columns[0].uuid, *names):
                report.seen += 1
                try:
                    fresh = _fresh(columns, row_uuid, iter(values), index_changes)
                except secrets.CannotOpen as error:
                    report.fault(f"{model._meta.label} {pk}", error)
                    continue
                if fresh != values:
                    stale.append((*fresh, pk))
            _write(model, names, stale, report)
        last = pks[-1]
        yield


def _fresh(columns, row_uuid, values, index_changes):
    fresh = []
    for column in columns:
        text, index = next(values), next(values) if column.index else ""
        text, index = column.fresh(row_uuid, text, index, index_changes=index_changes)
        fresh += [text, index] if column.index else [text]
    return fresh


def _write(model, names, rows, report):
    """Write `rows` (the columns `names`, then the key); one at a time where the database refuses them together."""
    if not rows:
        return
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(model._meta.get_field(name).column)} = %s" for name in names)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {quote(model._meta.pk.column)} = %s"  # noqa: S608
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, rows)
        report.renewed += len(rows)
    except IntegrityError:
        if len(rows) == 1:
            report.fault(f"{model._meta.label} {rows[0][-1]}", _("another row holds the same value: merge the two."))
            return
        for row in rows:
            _write(model, names, [row], report)


# --- Second factors and files -------------------------------------------------------------------------------------


def _second_factors(report):
    for pk in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            authenticator = Authenticator.objects.select_for_update(of=("self",)).filter(pk=pk).first()
            if authenticator is None:
                continue
            report.seen += 1
            try:
                fresh = _resealed(authenticator.data)
            except secrets.CannotOpen as error:
                report.fault(f"mfa.Authenticator {pk}", error)
                continue
            if fresh != authenticator.data:
                authenticator.data = fresh
                authenticator.save(update_fields=["data"])
                report.renewed += 1


def _resealed(data):
    """Return `data` (JSON) with every sealed text in it sealed under the first key."""
    if isinstance(data, dict):
        return {name: _resealed(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_resealed(value) for value in data]
    if not isinstance(data, str) or not SEALED.fullmatch(data) or data.startswith(f"{secrets.first_key()}:"):
        return data
    adapter = get_adapter()
    return adapter.encrypt(adapter.decrypt(data))


def _files(report):
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if not isinstance(column, models.FileField) or not isinstance(column.storage, SealedStorage):
                continue
            names = model._base_manager.exclude(**{column.name: ""}).order_by("pk").values_list(column.name, flat=True)
            for name in names.iterator():
                report.seen += 1
                try:
                    report.renewed += column.storage.renew(name)
                except FileNotFoundError:
                    continue  # thrown away meanwhile
                except secrets.CannotOpen as error:
                    report.fault(name, error)

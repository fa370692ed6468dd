"""The audit trail: events written with what they tell of, sealed every minute, and the check that nobody touched them.

An event carries a MAC over every one of its columns, its key included; a seal holds a digest over the consecutive
events since the seal before it and is chained to that one. Whoever has the database but not AUDIT_KEY can alter
neither without `verify` noticing. What is not covered: the deletion of the last, not yet sealed events.
"""

import json
import uuid
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache

from django.apps import apps
from django.db import connection, models, transaction
from django.utils import timezone

from core import ids, middleware, secrets
from core.fields import BlindIndex, EncryptedText
from core.models import AuditEvent, AuditSeal

# PostgreSQL advisory lock: writers share it until they commit, the sealer takes it alone. Any number will do.
LOCK = 0x41554449


def record(verb, target, *, by, union=None, changes=None, reason=""):
    """Write one event and return it.

    `verb` is «app.verb_model», `target` a model instance or None, `by` a user or None (the system), `union` a Union, its
    key or None, `changes` {field: [old, new]}. Call it inside the transaction of the change it tells of.
    """
    [event] = record_many([{"verb": verb, "target": target, "by": by, "union": union, "changes": changes, "reason": reason}])
    return event


def record_many(entries):
    """Write one event for each of `entries`, dicts with the arguments of `record`, and return them in that order.

    A target may also be a triple (label, key, text), for rows that were not loaded as instances.
    """
    entries = list(entries)
    if not entries:
        return []
    with transaction.atomic(savepoint=False):
        _share_lock()
        now = timezone.now()
        events = [
            _event(key, now, **entry) for key, entry in zip(ids.allocate(AuditEvent, len(entries)), entries, strict=True)
        ]
        AuditEvent.objects.bulk_create(events, batch_size=1000)
    return events


def mac_of(row):
    """Return the MAC (hex) that belongs to an event or a seal: over every column but the MAC itself."""
    columns = {field.attname: _plain(getattr(row, field.attname)) for field in row._meta.concrete_fields if field.name != "mac"}
    canonical = json.dumps([row._meta.label, columns], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return secrets.audit_mac(canonical.encode())


def _event(key, now, *, verb, target, by, union=None, changes=None, reason=""):
    label, target_id, text = _named(target)
    event = AuditEvent(
        id=key,
        at=now,
        actor_id=getattr(by, "pk", None),
        actor_name=str(by) if getattr(by, "pk", None) else "",
        verb=verb,
        target_label=label,
        target_id=target_id,
        target_text=text,
        union_id=getattr(union, "pk", union),
        changes=_without_sealed(_jsonable(changes or {})),
        reason=reason,
        request_id=middleware.request_id.get(),
        address=middleware.address.get(),
        uuid=uuid.uuid4(),
    )
    for field in event._meta.concrete_fields:  # what the column would not hold must not be in the MAC either
        if isinstance(field, models.CharField):
            setattr(event, field.attname, str(getattr(event, field.attname)).replace("\0", "")[: field.max_length])
    event.mac = mac_of(event)
    return event


def _named(target):
    if target is None:
        return "", "", ""
    if isinstance(target, tuple):
        return target
    return target._meta.label, "" if target.pk is None else str(target.pk), str(target)


def _jsonable(value):
    """Return `value` as JSON can hold it and both databases give it back unaltered: numbers but int become text."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_jsonable(item) for item in value]
    if value is None or isinstance(value, bool) or type(value) is int:
        return value
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, models.Model):
        value = value.pk
    if isinstance(value, date):
        value = value.isoformat()
    return str(value).replace("\0", "")


@lru_cache(maxsize=1)
def _sealed_names():
    return {
        name
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedText | BlindIndex)
        for name in (field.name, field.attname)
    }


def _without_sealed(changes):
    """Leave of a sealed field only that it changed, whatever the caller handed over."""
    return {name: ["changed"] if name in _sealed_names() else change for name, change in changes.items()}


def _plain(value):
    """Return a column's value in the one form the MAC is reckoned over; null stays apart from empty."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, uuid.UUID) else value


def _share_lock():
    """Keep the sealer out until this transaction ends: taken before the key is drawn, so no commit comes late.

    SQLite needs none: its writer has the database alone (BEGIN IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])

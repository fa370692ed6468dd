"""The audit trail: events written with what they tell of, sealed every minute, and the check that nobody touched them.

An event carries a MAC over every one of its columns, its key included; a seal holds a digest over the consecutive
events since the seal before it and is chained to that one. Whoever has the database but not AUDIT_KEY can alter
neither without `verify` noticing. What is not covered: the deletion of the last, not yet sealed events.
"""

import hashlib
import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache

from django.apps import apps
from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from core import examination, ids, middleware, secrets
from core.fields import BlindIndex, EncryptedText
from core.models import AuditEvent, AuditRestriction, AuditSeal, Paper

logger = logging.getLogger(__name__)

# PostgreSQL advisory lock: writers share it until they commit, the sealer takes it alone. Any number will do.
LOCK = 0x41554449
FAULTS_NAMED = 20  # a broken trail is named by its first faults


def record(verb, target, *, by, union=None, changes=None, reason=""):
    """Write one event and return it.

    `verb` is «app.verb_model», `target` a model instance or None, `by` a user or None (the system), `union` a Union,
    its key or None, `changes` {field: [old, new]}. Call it inside the transaction of the change it tells of.
    """
    entry = {"verb": verb, "target": target, "by": by, "union": union, "changes": changes, "reason": reason}
    return record_many([entry])[0]


def record_many(entries):
    """Write one event for each of `entries`, dicts with the arguments of `record`, and return them in that order.

    A target may also be a triple (label, key, text), for rows that were not loaded as instances.
    """
    entries = list(entries)
    if not entries:
        return []
    with transaction.atomic(savepoint=False):
        _share_lock()
        now, keys = timezone.now(), ids.allocate(AuditEvent, len(entries))
        events = [_event(key, now, **entry) for key, entry in zip(keys, entries, strict=True)]
        AuditEvent.objects.bulk_create(events, batch_size=1000)
    examination.hear(events)  # every write has its event: this is where the checkup learns of it
    return events


def restrict(targets):
    """Show to nobody any more what the trail says about `targets`, pairs (label, key); the events themselves stay."""
    rows = [AuditRestriction(target_label=label, target_id=str(key)) for label, key in targets]
    AuditRestriction.objects.bulk_create(rows, ignore_conflicts=True)


def mac_of(row):
    """Return the MAC (hex) that belongs to an event or a seal: over every column but the MAC itself."""
    columns = {column.attname: _plain(getattr(row, column.attname)) for column in row._meta.concrete_fields}
    del columns["mac"]
    canonical = json.dumps([row._meta.label, columns], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return secrets.audit_mac(canonical.encode())


def seal(now):
    """Seal every event not yet sealed; return the seal, or None when there is none to seal or writers are busy.

    Runs alone: under the lock no transaction is open that has drawn a key and not yet committed, so no event can come
    to lie below `to_id` afterwards. Busy writers (a long import) are waited for one second; the next run tries again.
    """
    try:
        with transaction.atomic():
            _take_lock()
            return _seal(now)
    except OperationalError as error:
        logger.warning("The audit trail was not sealed; the next run tries again: %s", type(error).__name__)
        return None


def _seal(now):
    last = AuditSeal.objects.order_by("id").last()
    if last and last.at > now:
        logger.warning("The clock runs %s behind the last audit seal: was it set back?", last.at - now)
    digest, count, first, to = hashlib.sha256(), 0, None, None
    unsealed = AuditEvent.objects.filter(id__gt=last.to_id if last else 0).order_by("id")
    for key, event_uuid, mac in unsealed.values_list("id", "uuid", "mac").iterator(chunk_size=2000):
        digest.update(_link(key, event_uuid, mac))
        first, to, count = first or key, key, count + 1
    if not count:
        return None
    new = AuditSeal(
        id=last.id + 1 if last else 1,
        at=now,
        from_id=first,
        to_id=to,
        count=count,
        digest=digest.hexdigest(),
        previous=last.digest if last else "",
    )
    new.mac = mac_of(new)
    new.save(force_insert=True)
    # A log kept elsewhere is the witness against a trail cut off at its end.
    logger.info("Audit seal %s over events %s to %s: %s", new.id, first, to, new.digest)
    return new


@dataclass
class Report:
    """What `verify` found: how much it read, and the first faults as sentences."""

    events: int = 0
    sealed: int = 0
    seals: int = 0
    papers: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, sentence):
        if len(self.faults) < FAULTS_NAMED:
            self.faults.append(sentence)


def verify(witness=None):
    """Read the whole trail and return a `Report`: MACs, counts, digests and the chain of seals, and seals on papers.

    `witness`: (number, digest) of a seal as a log kept elsewhere tells it; that seal must still be there.
    """
    report = Report()
    if witness and not AuditSeal.objects.filter(id=witness[0], digest=witness[1]).exists():
        said = _("Seal %(id)s of the log is not in the trail: it was cut off, or another put in its place.")
        report.blame(said % {"id": witness[0]})
    try:
        _verify_trail(report)
    except (ValueError, TypeError, AttributeError, DatabaseError):  # a value no event was ever written with
        report.blame(_("The row after event %(events)s and seal %(seals)s cannot be read.") % vars(report))
    _verify_papers(report)
    return report


def _verify_trail(report):
    # Seals first: an event below the last seal was committed before it, so a trail being written reads as whole.
    last = AuditSeal.objects.order_by("id").last()
    seals = AuditSeal.objects.filter(id__lte=last.id if last else 0).order_by("id")
    events = _checked_events(report)
    event = next(events, None)
    previous = ""
    for sealed in seals.iterator(chunk_size=2000):
        report.seals += 1
        if mac_of(sealed) != sealed.mac:
            report.blame(_("Seal %(id)s was altered.") % {"id": sealed.id})
        if sealed.previous != previous:
            report.blame(_("Seal %(id)s does not follow on the seal before it.") % {"id": sealed.id})
        previous = sealed.digest
        digest, count = hashlib.sha256(), 0
        while event and event.id <= sealed.to_id:
            if event.id < sealed.from_id:
                report.blame(_("Event %(id)s was put in between two seals.") % {"id": event.id})
            digest.update(_link(event.id, event.uuid, event.mac))
            count += 1
            event = next(events, None)
        report.sealed += count
        if count != sealed.count:
            report.blame(
                _("Seal %(id)s covers %(count)s events, %(found)s are there.")
                % {"id": sealed.id, "count": sealed.count, "found": count}
            )
        elif digest.hexdigest() != sealed.digest:
            report.blame(_("The events under seal %(id)s are not the ones that were sealed.") % {"id": sealed.id})
    while event:
        event = next(events, None)


def _checked_events(report):
    """Yield every event in the order of keys; blame each whose MAC does not fit."""
    for event in AuditEvent.objects.order_by("id").iterator(chunk_size=2000):
        if mac_of(event) != event.mac:
            report.blame(_("Event %(id)s was altered.") % {"id": event.id})
        report.events += 1
        yield event


def _verify_papers(report):
    """A paper names the seal that stood when it was issued: that seal must still be there, with that digest."""
    sealed = Paper.objects.filter(seal_id__isnull=False)
    report.papers = sealed.count()
    same = AuditSeal.objects.filter(id=OuterRef("seal_id"), digest=OuterRef("seal_digest"))
    for number in sealed.exclude(Exists(same)).order_by("id").values_list("number", flat=True)[:FAULTS_NAMED]:
        report.blame(_("Paper %(number)s names a seal that is not in the trail.") % {"number": number})


def _link(key, event_uuid, mac):
    """What a seal's digest is made of, for one event."""
    return f"{key} {event_uuid} {mac}\n".encode()


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
    for column in event._meta.concrete_fields:  # what the column would not hold must not be in the MAC either
        if isinstance(column, models.CharField):
            setattr(event, column.attname, str(getattr(event, column.attname)).replace("\0", "")[: column.max_length])
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
        column.name
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if isinstance(column, EncryptedText | BlindIndex)
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


def _take_lock():
    """Wait at most a second until no writer holds the lock, and keep new ones out. Raises OperationalError."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])

"""How the portal is: named checks, each answered in bounded time, also while a database or a broker hangs.

What may block is asked in threads that nobody waits for beyond `PATIENCE`; what they found so far is judged by limits
that are data (settings `health_…`), or by those of the release while the database is away. What would cost too much at
each look (a mail server, every sealed row) is looked at by the worker in its own time and read from there. The worker
keeps, each minute, since when each check says what it says.
"""

import logging
import os
import shutil
import smtplib
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import redis
from celery import signals
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import backup, rotation, secrets
from core.loader import shipped_settings
from core.models import AuditEvent, AuditSeal, CalendarYear, HealthPeriod, Job, Pulse
from core.models.health import HealthState
from core.models.job import JobState
from core.settings_table import value

logger = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds that a look waits for all answers
KEPT_FOR = 5.0  # seconds that an answer to the outside is given again, so that asking often costs little
SAMPLE = 20  # rows at either end of a table whose sealed text is opened
MAIL_EVERY = timedelta(minutes=10)  # a mail server is no thing to knock at each minute
BEAT_TASK = "core.tasks.note_health"
OK, WARN, FAIL, UNKNOWN = HealthState.OK, HealthState.WARN, HealthState.FAIL, HealthState.UNKNOWN


@dataclass(frozen=True)
class Check:
    """One check: its name on the page, and the sentence for each key but «ok», what it means and what to do.

    `section`: the number of the section of docs/operate.md that says more.
    """

    label: str
    section: str
    sentences: dict


SILENT = _("It did not answer in time: it hangs, or the network does.")
CHECKS = {
    "database": Check(_("Database"), "13", {
        "away": _("It cannot be reached: nothing works. Look whether PostgreSQL runs and DATABASE_URL is right."),
        "no_answer": SILENT,
    }),
    "migrations": Check(_("Tables"), "8", {
        "missing": _("They are older than the program: run manage.py migrate, then restart all parts."),
    }),
    "keys": Check(_("Keys"), "5", {
        "missing": _("A key that numbers are sealed with is not in FIELD_KEYS: put the saved .env back, restart all."),
        "altered": _("Sealed text cannot be opened: it was altered, or a key was exchanged. Tell whoever keeps them."),
    }),
    "all_keys": Check(_("Keys of all rows"), "5", {
        "missing": _("Some rows are sealed with a key that is not in the ring: put that key back, behind the first."),
        "not_yet": _("Nobody looked yet: this is done each night."),
    }),
    "broker": Check(_("Broker"), "13", {
        "away": _("It cannot be reached: pages work, jobs wait. Look whether Redis or Valkey runs."),
        "refuses": _("It takes nothing more: its memory or disk is full. Jobs wait meanwhile."),
        "no_answer": SILENT,
    }),
    "beat": Check(_("Timetable"), "13", {
        "silent": _("It stands still: nothing is sealed, reminded or woken. Start the part «beat», exactly once."),
    }),
    "worker": Check(_("Worker"), "13", {
        "silent": _("No worker takes work: imports and papers wait. Start one, or look into its log."),
        "beat": _("Nothing was sent to it, because the timetable stands still: start that first."),
    }),
    "jobs": Check(_("Waiting jobs"), "13", {
        "waiting": _("Work has waited too long: start more workers, or see which job holds them."),
    }),
    "seals": Check(_("Audit seals"), "13", {
        "late": _("Events were not sealed in time: see whether timetable and worker run, or a long import is writing."),
    }),
    "disk": Check(_("Disk"), "13", {
        "full": _("There is little room left: make room before papers, imports and backups fail."),
        "read_only": _("The folder of files cannot be written to: set its owner, or mount it for writing."),
        "no_answer": SILENT,
    }),
    "calendar": Check(_("Holiday calendar"), "9", {
        "year_missing": _("The holiday notice of a year that dates reach into is missing: enter it, or upgrade."),
    }),
    "backup": Check(_("Backup"), "7", {
        "never": _("There is no backup yet: make one now, and one every night."),
        "old": _("The last backup is too old: see why the nightly one was not made."),
    }),
    "mail": Check(_("E-mail"), "13", {
        "away": _("The mail server does not answer: reminders by e-mail wait. See EMAIL_URL."),
        "off": _("No mail server is named: mails are printed to the log of the worker."),
        "not_yet": _("Nobody looked yet: the worker does every ten minutes."),
    }),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What one check says: its state, the key of its sentence, and figures without anybody's data."""

    check: str
    state: HealthState
    key: str = "ok"
    measure: dict = field(default_factory=dict)

    @property
    def sentence(self):
        return CHECKS[self.check].sentences.get(self.key, "")


# --- A look --------------------------------------------------------------------------------------------------------


def look(patience=PATIENCE):
    """Ask everything at once and return the `Finding` of every check, within `patience` seconds, come what may."""
    end = time.monotonic() + patience
    asked = [_Asked(name, ask) for name, ask in (("database", _ask_database), ("broker", _ask_broker), ("disk", _disk))]
    facts = {}
    for each in asked:
        facts |= each.answer(end)
    return _judge(facts)


def overall(findings):
    """The gravest state among `findings`; what cannot be told is no worse than what caused it."""
    states = {finding.state for finding in findings}
    return next((state for state in (FAIL, WARN) if state in states), OK)


class _Asked:
    """A question put in a thread of its own. While an earlier one of its name hangs, no other is sent after it."""

    _hanging = {}
    _lock = threading.Lock()

    def __init__(self, name, ask):
        self.name, self.facts = name, {}
        with self._lock:
            before = self._hanging.get(name)
            if before is not None and before.is_alive():
                self.thread = None
                return
            self.thread = self._hanging[name] = threading.Thread(target=self._run, args=[ask], daemon=True)
            self.thread.start()

    def _run(self, ask):
        try:
            ask(self.facts)
        except Exception as error:  # whatever its client raises: a check that fails is an answer
            self.facts[self.name] = "away"
            logger.warning("health: %s: %s", self.name, type(error).__name__)

    def answer(self, end):
        """What is known by the moment `end`; where it still hangs, that."""
        if self.thread is not None:
            self.thread.join(max(0.0, end - time.monotonic()))
        facts = dict(self.facts)  # the thread may go on writing into its own
        if self.thread is None or self.thread.is_alive():
            facts[self.name] = "no_answer"
        return facts


# --- What is asked -------------------------------------------------------------------------------------------------


def _ask_database(facts):
    """Everything that the database knows, on a connection of this thread."""
    try:
        _bound()
        for name, ask in QUESTIONS.items():
            facts[name] = ask()
        facts["database"] = "ok"
    except (DatabaseError, InterfaceError) as error:
        missing = facts.get("migrations", 0)
        facts["database"] = "ok" if missing else "away"  # a table that is not there yet is no database that is away
        logger.warning("health: database: %s", type(error).__name__)
    finally:
        connection.close()


def _bound():
    """Let no question hold the database longer than the look would wait."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET statement_timeout = {int(PATIENCE * 1000)}")
        else:
            cursor.execute("PRAGMA busy_timeout = 1000")


@lru_cache(maxsize=1)
def _shipped_migrations():
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _missing_migrations():
    return len(_shipped_migrations() - MigrationRecorder(connection).applied_migrations().keys())


def _limits():
    return {key: int(value(key)) for key in _shipped_limits()}


@lru_cache(maxsize=1)
def _shipped_limits():
    """The limits of the release, for while nobody can read the federation's own."""
    return {key: int(row.value) for key, row in shipped_settings().items() if key.startswith("health_")}


def _pulses():
    return dict(Pulse.objects.values_list("part", "at"))


def _unsealed_since():
    sealed = AuditSeal.objects.order_by("-id").values_list("to_id", flat=True).first() or 0
    return AuditEvent.objects.filter(id__gt=sealed).order_by("id").values_list("at", flat=True).first()


def _waiting_since():
    waiting = Job.objects.filter(state=JobState.WAITING, message="").order_by("id")
    return waiting.values_list("created_at", flat=True).first()


def _published():
    return set(CalendarYear.objects.filter(published=True).values_list("year", flat=True))


def _last_backup():
    return AuditEvent.objects.filter(verb=backup.MADE).order_by("-id").values_list("at", flat=True).first()


def _noted():
    """{check: (state, key)} of the checks that only the worker makes."""
    rows = HealthPeriod.objects.filter(ended_at__isnull=True, check_name__in=("all_keys", "mail"))
    return {name: (state, key) for name, state, key in rows.values_list("check_name", "state", "key")}


def _key_trouble():
    """Open the first and the last rows of every sealed column: «», «missing» or «altered»."""
    for model, columns in rotation.tables():
        for order in ("pk", "-pk"):
            names = [name for column in columns for name in (column.uuid, column.name)]
            for values in model._base_manager.order_by(order).values_list(*names)[:SAMPLE]:
                for column, row_uuid, text in zip(columns, values[::2], values[1::2], strict=True):
                    if not text or row_uuid is None:
                        continue
                    try:
                        secrets.unseal(text, column.sealed.place(row_uuid))
                    except secrets.CannotOpen as error:
                        return "missing" if error.key_id else "altered"
    return ""


QUESTIONS = {
    "migrations": _missing_migrations,
    "limits": _limits,
    "pulses": _pulses,
    "unsealed_since": _unsealed_since,
    "waiting_since": _waiting_since,
    "published": _published,
    "last_backup": _last_backup,
    "noted": _noted,
    "key_trouble": _key_trouble,
}


def _ask_broker(facts):
    """Whether it takes something: one that is full still answers a ping."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.set("portal:health", 1, ex=60)
        facts["broker"] = "ok"
    except redis.ResponseError:
        facts["broker"] = "refuses"
    finally:
        client.close()


def _disk(facts):
    """Room in every folder that is written to; a folder that is still to be made counts as the one above it."""
    folders = [Path(settings.MEDIA_ROOT), settings.VAR_DIR, Path(tempfile.gettempdir())]
    there = [next(folder for folder in (each, *each.parents) if folder.is_dir()) for each in folders]
    facts["free_mb"] = min(shutil.disk_usage(folder).free for folder in there) // 2**20
    facts["disk"] = "ok" if os.access(there[0], os.W_OK) else "read_only"


# --- Judging -------------------------------------------------------------------------------------------------------


def _judge(facts):
    """Return the findings: what the database could not be asked is unknown, not wrong."""
    now, limits = timezone.now(), facts.get("limits") or _shipped_limits()
    said = {"broker": _said("broker", facts.get("broker", "away")), "disk": _of_disk(facts, limits)}
    said["database"] = _said("database", facts.get("database", "away"))
    judges = {
        "migrations": (_of_migrations, "migrations"),
        "keys": (_of_keys, "key_trouble"),
        "beat": (_of_beat, "pulses"),
        "worker": (_of_worker, "pulses"),
        "jobs": (_of_jobs, "waiting_since"),
        "seals": (_of_seals, "unsealed_since"),
        "calendar": (_of_calendar, "published"),
        "backup": (_of_backup, "last_backup"),
    }
    for name, (judge, fact) in judges.items():
        said[name] = judge(name, facts[fact], now, limits) if fact in facts else Finding(name, UNKNOWN, "unknown")
    for name in ("all_keys", "mail"):
        state, key = facts.get("noted", {}).get(name, (UNKNOWN, "not_yet"))
        said[name] = Finding(name, HealthState(state), key)
    return [said[name] for name in CHECKS]


def _said(name, key):
    return Finding(name, OK if key == "ok" else FAIL, key)


def _of_disk(facts, limits):
    free = facts.get("free_mb")
    measure = {} if free is None else {"free_mb": free}
    if facts.get("disk") == "ok" and free < limits["health_disk_free_mb"]:
        return Finding("disk", FAIL, "full", measure)
    key = facts.get("disk", "no_answer")
    return Finding("disk", OK if key == "ok" else FAIL, "no_answer" if key == "away" else key, measure)


def _of_migrations(name, missing, now, limits):
    return Finding(name, FAIL, "missing", {"number": missing}) if missing else Finding(name, OK)


def _of_keys(name, trouble, now, limits):
    return Finding(name, FAIL, trouble) if trouble else Finding(name, OK)


def _minutes(since, now):
    """Whole minutes since a moment; a clock that was set back counts as just now."""
    return max(0, int((now - since).total_seconds() // 60))


def _late(pulse, limit, now):
    return pulse is None or _minutes(pulse, now) >= limit


def _of_beat(name, pulses, now, limits):
    pulse = pulses.get("beat")
    measure = {"minutes": _minutes(pulse, now)} if pulse else {}
    late = _late(pulse, limits["health_beat_minutes"], now)
    return Finding(name, FAIL if late else OK, "silent" if late else "ok", measure)


def _of_worker(name, pulses, now, limits):
    """Silent since the timetable last sent something; while that stands still nobody can tell."""
    pulse, beat = pulses.get("worker"), pulses.get("beat")
    measure = {"minutes": _minutes(pulse, now)} if pulse else {}
    if not _late(pulse, limits["health_worker_minutes"], now):
        return Finding(name, OK, "ok", measure)
    if _late(beat, limits["health_beat_minutes"], now):
        return Finding(name, UNKNOWN, "beat", measure)
    return Finding(name, FAIL, "silent", measure)


def _of_jobs(name, since, now, limits):
    if since is None or _minutes(since, now) < limits["health_job_minutes"]:
        return Finding(name, OK)
    return Finding(name, WARN, "waiting", {"minutes": _minutes(since, now)})


def _of_seals(name, since, now, limits):
    if since is None or _minutes(since, now) < limits["health_seal_minutes"]:
        return Finding(name, OK)
    return Finding(name, FAIL, "late", {"minutes": _minutes(since, now)})


def _of_calendar(name, published, now, limits):
    today = timezone.localdate(now)
    years = {today.year, (today + timedelta(days=limits["health_calendar_days"])).year}
    if missing := sorted(years - published):
        return Finding(name, WARN, "year_missing", {"year": missing[0]})
    return Finding(name, OK)


def _of_backup(name, last, now, limits):
    if last is None:
        return Finding(name, WARN, "never")
    hours = _minutes(last, now) // 60
    if hours >= limits["health_backup_hours"]:
        return Finding(name, WARN, "old", {"hours": hours})
    return Finding(name, OK, "ok", {"hours": hours})


# --- What the worker does ------------------------------------------------------------------------------------------


@signals.after_task_publish.connect(sender=BEAT_TASK)
def beat_lives(**_signal):
    """The timetable alone sends this task: that it was sent is its sign of life, also while no worker takes it."""
    with suppress(DatabaseError, InterfaceError):  # the next minute's may be written
        _pulse("beat")


def _pulse(part):
    connection.close_if_unusable_or_obsolete()
    Pulse.objects.update_or_create(part=part, defaults={"at": timezone.now()})


def note(now):
    """A worker took this: note that it lives, look, and keep since when each check says what it says."""
    _pulse("worker")
    findings = [finding for finding in look() if finding.check not in ("all_keys", "mail")]
    _note_silence(now)
    _keep(findings, now)
    mail = HealthPeriod.objects.filter(check_name="mail", ended_at__isnull=True).first()
    if mail is None or now - mail.seen_at >= MAIL_EVERY:
        _keep([_look_at_mail()], now)


def look_at_all_keys(now):
    """Each night: whether every sealed row can be opened with the rings as they are."""
    try:
        rotation.check(rotation.tables())
        finding = Finding("all_keys", OK)
    except rotation.RotationRefused:
        finding = Finding("all_keys", FAIL, "missing")
    _keep([finding], now)


def _look_at_mail():
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return Finding("mail", OK, "off")
    try:
        with (
            smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=5)
            if not settings.EMAIL_USE_SSL
            else (smtplib.SMTP_SSL(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=5)) as server
        ):
            server.noop()
    except (OSError, smtplib.SMTPException):
        return Finding("mail", WARN, "away")
    return Finding("mail", OK)


def _note_silence(now):
    """Nobody noted anything for a while: that was a silence of the worker, which only now can be written down."""
    last = HealthPeriod.objects.filter(check_name="worker", ended_at__isnull=True).first()
    if last and _minutes(last.seen_at, now) >= _limits()["health_worker_minutes"]:
        with transaction.atomic():
            last.ended_at = last.seen_at
            last.save(update_fields=["ended_at"])
            HealthPeriod.objects.create(
                check_name="worker", state=FAIL, key="silent", began_at=last.seen_at, seen_at=now, ended_at=now
            )


@transaction.atomic
def _keep(findings, now):
    """Go on with the period of each check that says the same, end it and begin another where it says something else."""
    names = [finding.check for finding in findings]
    running = HealthPeriod.objects.select_for_update().filter(ended_at__isnull=True, check_name__in=names)
    running = {period.check_name: period for period in running}
    for finding in findings:
        period = running.get(finding.check)
        if period and (period.state, period.key) == (finding.state, finding.key):
            period.seen_at = now
            period.save(update_fields=["seen_at"])
            continue
        if period:
            period.ended_at = now
            period.save(update_fields=["ended_at"])
        HealthPeriod.objects.create(
            check_name=finding.check, state=finding.state, key=finding.key, began_at=now, seen_at=now
        )


# --- What is shown -------------------------------------------------------------------------------------------------


_answer = (0.0, [])


def recent():
    """The findings of at most `KEPT_FOR` seconds ago: for whoever asks often, and without being known."""
    global _answer
    asked, findings = _answer
    if not findings or time.monotonic() - asked >= KEPT_FOR:
        findings = look()
        _answer = (time.monotonic(), findings)
    return findings


def since(findings):
    """Return {check: since when it says so} as the worker noted it; a check that it noted otherwise is left out."""
    now = {finding.check: (finding.state, finding.key) for finding in findings}
    with suppress(DatabaseError, InterfaceError):
        periods = HealthPeriod.objects.filter(ended_at__isnull=True)
        return {
            each.check_name: each.began_at for each in periods if now.get(each.check_name) == (each.state, each.key)
        }
    return {}


def history(limit):
    """The latest periods in which something did not work or needed attention, the last first."""
    return HealthPeriod.objects.filter(state__in=[WARN, FAIL]).order_by("-began_at", "-id")[:limit]

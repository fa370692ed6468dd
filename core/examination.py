"""A checkup as it runs: what the checks find is compared with what stood there, and counted, set-based.

The tables hold what the pages show: findings, counts of each union with all below it, and how the counts went. A
finding keeps the day since which it stands, a mended one goes. Who writes the tables holds one lock, so that two at
once find what one would have found. `look_again` does the same for a few records, after the audit trail told that they
were written.
"""

import logging
from collections import Counter, defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from core.checkup import ALL, Day, checks, populations, unions
from core.counting import add_months
from core.models import CheckupCount, CheckupDay, Finding
from core.scope import WIDTH, after

logger = logging.getLogger(__name__)

LOCK = 0x43484543  # PostgreSQL advisory lock of whoever writes findings and counts. Any number will do.
PATIENCE = "3s"  # a page waits no longer for a checkup under way, which finds the same a moment later
FEW = 50  # records written by one act that are looked at again at once; more are left to the next checkup
MANY = 1000  # rows from which PostgreSQL plans better when it has counted them
DEEPEST = 15  # levels that a path has room for
DAILY_DAYS = "checkup_daily_days"  # setting: so long each day is kept; of older months the last one

FINDING, COUNT, DAY = (model._meta.db_table for model in (Finding, CheckupCount, CheckupDay))
# Temporary tables: what one check has found; what there is at each union; the same with all below it.
FOUND, HERE, SUMS = "checkup_found", "checkup_here", "checkup_sums"
SUMMED = ("here", "below", "aside", "unclear")


_gathered = ContextVar("records heard of and not yet looked at again", default=None)


def work(run):
    """The job of a checkup."""
    run.progress(total=len(checks()))
    examine(run.job.union, today=timezone.localdate(), told=lambda done: run.progress(done=done))


def examine(union, *, today, told=lambda done: None):
    """Run every check over `union` (a Union) and all below it; `told(done)` hears how many are done.

    May be run twice at once and broken off at any time: each check is a transaction of its own, and the next run
    brings to the end what this one left.
    """
    day, scope = Day.of(today), _Scope(union)
    with connection.cursor() as cursor:
        _make_room(cursor)
        for done, check in enumerate(checks().values()):
            told(done)
            with transaction.atomic():
                alone(cursor)
                _find(cursor, check, scope, day)
        with transaction.atomic():
            alone(cursor)
            _count(cursor, scope, today)
            _note_day(cursor, scope, today)
    _thin_out(today, day.number(DAILY_DAYS))


class _Scope:
    """The part of the tree that a checkup covers, for ORM and SQL; the whole tree is no condition at all."""

    def __init__(self, union):
        self.union = union
        self.line = union.ancestor_ids
        self.whole = not self.line

    def unions(self):
        return unions().filter(path__gte=self.union.path, path__lt=after(self.union.path))

    def rows(self, population, rows):
        """Those of the `rows` that lie in scope, placed."""
        rows = population.placed(rows)
        return rows if self.whole else rows.filter(at_union__in=self.unions().values("pk"))

    def only(self, found):
        """Those of `found`, [(key, key of the union)], that lie in scope."""
        if self.whole:
            return found
        within = set(self.unions().values_list("pk", flat=True))
        return [each for each in found if each[1] in within]

    def where(self, column, *, and_line=False):
        """(SQL, parameters) of the condition that `column` is the key of a union in scope, or above it too."""
        if self.whole:
            return "", []
        within = f" AND ({column} IN (SELECT id FROM {_tree()} WHERE path >= %s AND path < %s)"
        parameters = [self.union.path, after(self.union.path)]
        if and_line:
            within += f" OR {column} IN ({_marks(self.line)})"
            parameters += self.line
        return within + ")", parameters


def _tree():
    return unions().model._meta.db_table


def _marks(values):
    return ", ".join(["%s"] * len(values))


def alone(cursor, patience=""):
    """Wait until nobody else writes findings, and keep others out until this transaction ends.

    SQLite needs no lock: its writer has the database alone. Raises OperationalError when `patience` is over.
    """
    if connection.vendor == "postgresql":
        if patience:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if patience:
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")


# --- What is found ---------------------------------------------------------------------------------------------------


def _make_room(cursor):
    """Make the temporary tables of a run, or empty those that an earlier one left on this connection."""
    numbers = ", ".join(f"{name} integer NOT NULL" for name in SUMMED)
    for table, columns in (
        (FOUND, "subject_id integer PRIMARY KEY, union_id bigint NOT NULL"),
        (HERE, f"code varchar(32) NOT NULL, union_id bigint NOT NULL, {numbers}"),
        (SUMS, f"code varchar(32) NOT NULL, union_id bigint NOT NULL, {numbers}"),
    ):
        if connection.vendor == "postgresql":  # which needs no index to find what is missing
            columns = columns.replace("integer PRIMARY KEY", "bigint NOT NULL")
        cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({columns})")
        _empty(cursor, table)


def _empty(cursor, table):
    cursor.execute(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")


def _compiled(rows):
    sql, parameters = rows.values_list("pk", "at_union").query.sql_with_params()
    return sql, list(parameters)


def _find(cursor, check, scope, day):
    """Bring the findings of one check in line with the records."""
    rows = check.of.rows()
    if check.pick:
        found = scope.only(check.picked(scope.rows(check.of, rows), day))
        cursor.executemany(f"INSERT INTO {FOUND} VALUES (%s, %s)", found)
    else:
        sql, parameters = _compiled(scope.rows(check.of, check.fault(rows, day)))
        cursor.execute(f"INSERT INTO {FOUND} (subject_id, union_id) {sql}", parameters)
        if connection.vendor == "postgresql" and cursor.rowcount > MANY:
            cursor.execute(f"ANALYZE {FOUND}")
    within, parameters = scope.where(f"{FINDING}.union_id")
    cursor.execute(
        f"DELETE FROM {FINDING} WHERE code = %s{within}"
        f" AND NOT EXISTS (SELECT 1 FROM {FOUND} f WHERE f.subject_id = {FINDING}.subject_id)",
        [check.code, *parameters],
    )
    cursor.execute(  # the record went over to another union
        f"UPDATE {FINDING} SET union_id = f.union_id FROM {FOUND} f"
        f" WHERE {FINDING}.code = %s AND f.subject_id = {FINDING}.subject_id AND f.union_id <> {FINDING}.union_id",
        [check.code],
    )
    cursor.execute(
        f"INSERT INTO {FINDING} (code, union_id, subject_id, since, aside_reason)"
        f" SELECT %s, f.union_id, f.subject_id, %s, '' FROM {FOUND} f WHERE NOT EXISTS"
        f" (SELECT 1 FROM {FINDING} x WHERE x.code = %s AND x.subject_id = f.subject_id)",
        [check.code, day.today, check.code],
    )
    _empty(cursor, FOUND)
    if check.unclear:
        _tally(cursor, check.code, "unclear", scope.rows(check.of, check.unclear(rows, day)))


# --- How many --------------------------------------------------------------------------------------------------------


def _tally(cursor, code, column, rows):
    """Note how many of the placed `rows` there are at each union, as the number `column` of `code`."""
    sql, parameters = _compiled(rows)
    numbers = ", ".join("count(*)" if name == column else "0" for name in SUMMED)
    cursor.execute(
        f"INSERT INTO {HERE} WITH f (subject_id, union_id) AS ({sql}) SELECT %s, union_id, {numbers} FROM f"
        f" GROUP BY union_id",
        [*parameters, code],
    )


def _count(cursor, scope, today):
    """Store for each union, here and with all below it, what each check found, all checks, and what was looked at."""
    for population in populations().values():
        _tally(cursor, population.code, "here", scope.rows(population, population.rows()))
    if scope.whole:
        cursor.execute(f"DELETE FROM {FINDING} WHERE code NOT IN ({_marks(checks())})", [*checks()])
    within, parameters = scope.where("union_id")
    cursor.execute(
        f"INSERT INTO {HERE} SELECT code, union_id, sum(CASE WHEN aside_until >= %s THEN 0 ELSE 1 END), 0,"
        f" sum(CASE WHEN aside_until >= %s THEN 1 ELSE 0 END), 0 FROM {FINDING} WHERE true{within}"
        f" GROUP BY code, union_id",
        [today, today, *parameters],
    )
    levels = ", ".join(f"({WIDTH * level})" for level in range(1, DEEPEST + 1))
    within, parameters = scope.where("a.id")
    cursor.execute(
        f"INSERT INTO {SUMS} WITH levels (width) AS (VALUES {levels})"
        f" SELECT h.code, a.id, sum(CASE WHEN a.id = h.union_id THEN h.here ELSE 0 END), sum(h.here), sum(h.aside),"
        f" sum(h.unclear) FROM {HERE} h JOIN {_tree()} u ON u.id = h.union_id"
        f" JOIN levels l ON l.width <= length(u.path) JOIN {_tree()} a ON a.path = substr(u.path, 1, l.width)"
        f" WHERE true{within} GROUP BY h.code, a.id",
        parameters,
    )
    cursor.execute(
        f"INSERT INTO {SUMS} SELECT %s, union_id, {', '.join(f'sum({name})' for name in SUMMED)} FROM {SUMS}"
        f" WHERE code IN ({_marks(checks())}) GROUP BY union_id",
        [ALL, *checks()],
    )
    before = _top(scope)
    _store(cursor, scope)
    now = _top(scope)
    for code in {*before, *now}:
        old, new = before.get(code, (0, 0, 0)), now.get(code, (0, 0, 0))
        numbers = zip(SUMMED[1:], (mine - its for mine, its in zip(new, old, strict=True)), strict=True)
        _carry(scope.line, [code], dict(numbers))


def _top(scope):
    """{code: (below, aside, unclear)} of the top of the scope, when there is something above to carry it to."""
    rows = CheckupCount.objects.filter(union=scope.union) if scope.line else CheckupCount.objects.none()
    return {code: tuple(numbers) for code, *numbers in rows.values_list("code", *SUMMED[1:])}


def _store(cursor, scope):
    """Write the sums, only where they differ from what stands there; what has none any more is zero."""
    within, parameters = scope.where(f"{COUNT}.union_id")
    some = " OR ".join(f"{name} <> 0" for name in SUMMED)
    cursor.execute(
        f"UPDATE {COUNT} SET {', '.join(f'{name} = 0' for name in SUMMED)} WHERE ({some}){within}"
        f" AND NOT EXISTS (SELECT 1 FROM {SUMS} s WHERE s.union_id = {COUNT}.union_id AND s.code = {COUNT}.code)",
        parameters,
    )
    differs = " OR ".join(f"{COUNT}.{name} <> excluded.{name}" for name in SUMMED)
    cursor.execute(
        f"INSERT INTO {COUNT} (code, union_id, {', '.join(SUMMED)}) SELECT * FROM {SUMS} WHERE true"
        f" ON CONFLICT (union_id, code) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in SUMMED)}"
        f" WHERE {differs}"
    )


def _carry(line, codes, numbers):
    """Add `numbers`, {column: n}, to what stands at the unions `line` (keys) for `codes`."""
    if not line or not any(numbers.values()):
        return
    rows = [CheckupCount(union_id=union, code=code) for union in line for code in codes]
    CheckupCount.objects.bulk_create(rows, ignore_conflicts=True)
    changed = {name: Greatest(F(name) + number, 0) for name, number in numbers.items()}
    CheckupCount.objects.filter(union__in=line, code__in=codes).update(**changed)


def count_on(changes):
    """Add `changes`, {(key of a union, code): {"here": n, "aside": n}}, to what is counted there and above.

    Only who holds the lock calls it.
    """
    places = unions().in_bulk({union for union, _code in changes})
    for (key, code), numbers in changes.items():
        here, aside, codes = numbers.get("here", 0), numbers.get("aside", 0), [code, ALL]
        _carry([key], codes, {"here": here, "below": here, "aside": aside})
        _carry(places[key].ancestor_ids, codes, {"below": here, "aside": aside})


# --- How it went -----------------------------------------------------------------------------------------------------


def _note_day(cursor, scope, today):
    """Write today's number of each union and check where it is another than the one written last."""
    codes = [ALL, *checks()]
    within, parameters = scope.where("c.union_id", and_line=True)
    cursor.execute(
        f"INSERT INTO {DAY} (union_id, code, day, below) SELECT c.union_id, c.code, %s, c.below FROM {COUNT} c"
        f" WHERE c.code IN ({_marks(codes)}){within} AND c.below <> coalesce((SELECT d.below"
        f" FROM {DAY} d WHERE d.union_id = c.union_id AND d.code = c.code ORDER BY d.day DESC LIMIT 1), 0)"
        f" ON CONFLICT (union_id, code, day) DO UPDATE SET below = excluded.below",
        [today, *codes, *parameters],
    )


def _thin_out(today, days):
    """Keep of the months before the last `days` only the last row of each union and check."""
    last = today - date.resolution * days
    begin = add_months(last.replace(day=1), -1)
    for first in (begin, add_months(begin, 1)):
        end = min(add_months(first, 1), last)
        month = CheckupDay.objects.filter(day__gte=first, day__lt=end)
        same = {"union": OuterRef("union"), "code": OuterRef("code")}
        month.filter(Exists(month.filter(**same, day__gt=OuterRef("day")))).delete()


# --- Looking again at a few records ----------------------------------------------------------------------------------


def hear(events):
    """Look again, once the transaction is over, at the records that the audit `events` just written tell of."""
    if len(events) > FEW:
        return
    keys = defaultdict(set)
    for check in checks().values():
        for event in events:
            if event.target_label == check.of.label_of_model and event.target_id.isdigit():
                keys[check].add(int(event.target_id))
            if event.target_label in check.follows and event.union_id:
                keys[check].add(event.union_id)
    if keys:

        def look_at_what_was_written():
            if (gathered := _gathered.get()) is None:
                _look(keys)
            else:
                for check, found in keys.items():
                    gathered[check] |= found

        transaction.on_commit(look_at_what_was_written, robust=True)


@contextmanager
def in_one_go():
    """Within the block what is heard is gathered and looked at once at its end: for acts in a row, as of a grid."""
    gathered = defaultdict(set)
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
        if gathered:
            _look(gathered)


class LookOnceMiddleware:
    """Look once at all that a request wrote, whatever transactions it took: the lock is one for the whole city."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.method != "POST":
            return self.get_response(request)
        with in_one_go():
            return self.get_response(request)


def look_again(subjects):
    """Bring the findings about `subjects`, {(label of the model, key)}, and the counts in line with the records."""
    keys = defaultdict(set)
    for check in checks().values():
        for label, key in subjects:
            if label == check.of.label_of_model:
                keys[check].add(key)
    if keys:
        _look(keys)


def _look(keys):
    """Bring the findings of the checks in `keys`, {Check: keys of records}, and the counts in line with the records.

    While a checkup holds the lock for longer than a page should wait, it is left to the next one.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            alone(cursor, PATIENCE)
            _update(keys, Day.of(timezone.localdate()))
    except OperationalError as error:
        logger.warning("Findings were not looked at again; the next checkup does: %s", type(error).__name__)


def _update(keys, day):
    found = _at_fault(keys, day)
    at_subjects = Q(pk__in=())
    for check, subjects in keys.items():
        at_subjects |= Q(code=check.code, subject_id__in=subjects)
    changes = defaultdict(Counter)  # (union, code) → numbers
    gone = []
    for finding in Finding.objects.filter(at_subjects):
        if found.get((finding.code, finding.subject_id)) == finding.union_id:
            del found[finding.code, finding.subject_id]
        else:
            gone.append(finding.pk)
            changes[finding.union_id, finding.code]["aside" if finding.is_aside(day.today) else "here"] -= 1
    if gone:
        Finding.objects.filter(pk__in=gone).delete()
    for (code, subject), union in found.items():
        Finding.objects.create(code=code, subject_id=subject, union_id=union, since=day.today)
        changes[union, code]["here"] += 1
    if changes:
        count_on(changes)


def _at_fault(keys, day):
    """{(code, key): key of the union} of what the checks in `keys` find among those records."""
    found, asked = {}, []
    for check, subjects in keys.items():
        rows = check.of.rows().filter(pk__in=subjects)
        if check.pick:
            found |= {(check.code, key): union for key, union in check.picked(check.of.placed(rows), day)}
        else:
            rows = check.of.placed(check.fault(rows, day)).annotate(check_code=Value(check.code))
            asked.append(rows.values_list("check_code", "pk", "at_union"))
    if asked:
        found |= {(code, key): union for code, key, union in asked[0].union(*asked[1:], all=True)}
    return found

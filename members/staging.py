"""The set-based half of a member import: SQL from staging into people and memberships, the same on both databases.

The ORM has no INSERT … SELECT. Names of tables and columns come from the models, every value is a parameter. What the
staging table does not say gets the model's default, so that a new column needs no change here.
"""

import uuid

from django.db import connection
from django.utils import timezone

from core.models import Deadline, Paper
from members.models import (
    OPEN_STATES,
    BeforeImport,
    DuplicatePair,
    Membership,
    MembershipStep,
    NameSuffix,
    PairState,
    Person,
    StagedMember,
)
from unions.models import Union

S = StagedMember._meta.db_table
P = Person._meta.db_table
M = Membership._meta.db_table
B = BeforeImport._meta.db_table
U = Union._meta.db_table

STORABLE = "s.batch_id = %s AND s.outcome IN ('ok', 'warning')"
OPEN = ", ".join(f"'{state.value}'" for state in OPEN_STATES)

PERSON_FACTS = (
    "uuid", "name", "document_kind", "id_number", "id_index", "id_masked", "sex", "born_on",
    "phone", "phone_index", "phone_masked", "ethnicity",
    "id_tail", "name_pinyin", "name_initials", "name_sort",
)  # fmt: skip
TEXTS = ("department", "post", "card_no", "notes")


PERSON_CHANGED = "(s.phone <> '' OR s.ethnicity <> '')"  # of a storable row about a stored person
BEFORE_PERSON = ("phone", "phone_index", "phone_masked", "ethnicity")
BEFORE_MEMBERSHIP = (
    "state", "state_before", "employment_state", "joined_on", "employment", "occupation_group", "migrant_worker",
    *TEXTS,
)  # fmt: skip


def outdated(batch, outside):
    """Return the blind indexes of storable rows that no longer fit what is stored.

    `outside`: keys of unions that the committing user does not reach. A row for a new person must find none stored; one
    for a stored person must find the same, alive, of that name, open where the row expects it, and no second row about
    it. A number whose record was merged into another leads to that one, by either's name.
    """
    open_elsewhere = f"""
        SELECT 1 FROM {M} m WHERE m.person_id = k.id AND m.state IN ({OPEN})
        AND (s.membership_id IS NULL OR m.id <> s.membership_id)"""
    still_open = f"SELECT 1 FROM {M} m WHERE m.id = s.membership_id AND m.state IN ({OPEN})"
    twice = f"""
        SELECT 1 FROM {P} o JOIN {S} t ON t.batch_id = s.batch_id AND t.id_index = o.id_index
        WHERE o.merged_into_id = s.person_id AND t.id <> s.id AND t.outcome IN ('ok', 'warning')"""
    beyond = f"OR s.union_id IN ({', '.join(['%s'] * len(outside))})" if outside else ""
    return _column(
        f"""
        SELECT DISTINCT s.id_index FROM {S} s
        LEFT JOIN {P} p ON p.id_index = s.id_index LEFT JOIN {P} k ON k.id = COALESCE(p.merged_into_id, p.id)
        WHERE {STORABLE} AND (
            (s.person_id IS NULL AND p.id IS NOT NULL)
            OR (s.person_id IS NOT NULL AND (
                p.id IS NULL OR k.id <> s.person_id OR s.name NOT IN (p.name, k.name) OR k.deceased_on IS NOT NULL
                OR EXISTS ({open_elsewhere}) OR EXISTS ({twice})))
            OR (s.membership_id IS NOT NULL AND NOT EXISTS ({still_open}))
            {beyond}
        )""",
        [batch.pk, *outside],
    )


def people(indexes):
    """Yield (index, key, uuid, name, name under that number, died on, phone index, phone masked, ethnicity) of people.

    Found by blind indexes; a record that was merged leads to the one that was kept. Written out, because the ORM takes
    longer to write down 5,000 indexes than the database takes to find them.
    """
    one_of = "= ANY(%s)" if connection.vendor == "postgresql" else f"IN ({', '.join(['%s'] * len(indexes))})"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id_index, k.id, k.uuid, k.name, p.name, k.deceased_on,"
            " k.phone_index, k.phone_masked, k.ethnicity"
            f" FROM {P} p JOIN {P} k ON k.id = COALESCE(p.merged_into_id, p.id) WHERE p.id_index {one_of}",
            [indexes] if connection.vendor == "postgresql" else indexes,
        )
        for index, key, found, *rest in cursor.fetchall():
            yield index, key, found if isinstance(found, uuid.UUID) else uuid.UUID(found), *rest


def enrol(batch):
    """Write new people and memberships; returns the blind indexes of rows that found no place (normally none).

    A row that somebody else was quicker with is left out by the database's own unique keys. Called again after those
    rows were judged anew, it writes only what is still missing.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    values = {name: f"s.{name}" for name in PERSON_FACTS} | {"uuid": "s.person_uuid"}
    columns, expressions, defaults = _columns(Person, values, now)
    _run(
        f"INSERT INTO {P} ({columns}) SELECT {expressions} FROM {S} s"
        f" WHERE {STORABLE} AND s.person_id IS NULL ORDER BY s.row ON CONFLICT DO NOTHING",
        [*defaults, batch.pk],
    )
    values = {name: f"s.{name}" for name in ("union", "joined_on", "employment", "occupation_group", *TEXTS, "batch")}
    values |= {"union": "s.union_id", "batch": "s.batch_id", "person": "p.id"}
    values |= {"migrant_worker": "COALESCE(s.migrant_worker, FALSE)", "path": "u.path"}
    columns, expressions, defaults = _columns(Membership, values, now)
    enrolled = _run(
        f"INSERT INTO {M} ({columns}) SELECT {expressions}"
        f" FROM {S} s JOIN {P} p ON p.uuid = s.person_uuid JOIN {U} u ON u.id = s.union_id"
        f" WHERE {STORABLE} AND s.membership_id IS NULL ORDER BY s.row ON CONFLICT DO NOTHING",
        [*defaults, batch.pk],
    )
    if enrolled == StagedMember.objects.filter(batch=batch, outcome__in=("ok", "warning"), membership=None).count():
        _write_suffixes(batch)
        return []
    return _column(
        f"""
        SELECT s.id_index FROM {S} s WHERE {STORABLE} AND s.membership_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM {P} p JOIN {M} m ON m.person_id = p.id
            WHERE p.uuid = s.person_uuid AND m.batch_id = s.batch_id
        )""",
        [batch.pk],
    )


def _write_suffixes(batch):
    """Write what lies within the names of the new people (`NameSuffix`)."""
    new = f"{STORABLE} AND s.person_id IS NULL"
    longest = _column(f"SELECT COALESCE(MAX(LENGTH(s.name)), 0) FROM {S} s WHERE {new}", [batch.pk])[0]
    if longest < 3:
        return
    starts = ", ".join(f"({start})" for start in range(2, longest))
    _run(
        f"""
        INSERT INTO {NameSuffix._meta.db_table} (person_id, text)
        WITH places (start) AS (VALUES {starts})
        SELECT p.id, SUBSTR(s.name, places.start)
        FROM {S} s JOIN {P} p ON p.uuid = s.person_uuid JOIN places ON places.start < LENGTH(s.name) WHERE {new}""",
        [batch.pk],
    )


def remember(batch):
    """Keep the people and memberships that `change` will touch as they are, for the undo."""
    columns = [*BEFORE_PERSON, *BEFORE_MEMBERSHIP]
    kept = [f"p.{name}" for name in BEFORE_PERSON]
    kept += [_or_default(name) for name in BEFORE_MEMBERSHIP]
    _run(
        f"""
        INSERT INTO {B} (batch_id, person_id, membership_id, person_version, membership_version, {", ".join(columns)})
        SELECT s.batch_id, p.id, m.id, p.version, m.version, {", ".join(kept)}
        FROM {S} s JOIN {P} p ON p.id = s.person_id LEFT JOIN {M} m ON m.id = s.membership_id
        WHERE {STORABLE} ORDER BY s.row""",
        [batch.pk],
    )


def _or_default(name):
    """The column of a membership; what stands for it where a row is about none."""
    field = Membership._meta.get_field(name)
    if field.null:
        return f"m.{name}"
    return f"COALESCE(m.{name}, {'FALSE' if field.get_internal_type() == 'BooleanField' else chr(39) * 2})"


def change(batch, by):
    """Change the facts of people and memberships that are stored already: an empty value of the row changes nothing."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    _run(
        f"""
        UPDATE {P} SET
            phone = CASE WHEN s.phone <> '' THEN s.phone ELSE {P}.phone END,
            phone_index = CASE WHEN s.phone <> '' THEN s.phone_index ELSE {P}.phone_index END,
            phone_masked = CASE WHEN s.phone <> '' THEN s.phone_masked ELSE {P}.phone_masked END,
            ethnicity = CASE WHEN s.ethnicity <> '' THEN s.ethnicity ELSE {P}.ethnicity END,
            version = {P}.version + 1
        FROM {S} s WHERE {STORABLE} AND s.person_id = {P}.id AND {PERSON_CHANGED}""",
        [batch.pk],
    )
    facts = {"on": timezone.localdate().isoformat(), "batch": batch.pk}
    told = {"by": by and by.pk, "by_name": str(by or ""), "move": "restore", "target": "ACTIVE", "facts": facts}
    columns, expressions, parameters = _columns(MembershipStep, {"case": "m.id", "source": "m.state"}, now, told)
    _run(
        f"INSERT INTO {MembershipStep._meta.db_table} ({columns}) SELECT {expressions}"
        f" FROM {S} s JOIN {M} m ON m.id = s.membership_id WHERE {STORABLE} AND m.state = 'RETAINED' ORDER BY s.row",
        [*parameters, batch.pk],
    )
    retained = f"{M}.state = 'RETAINED'"
    texts = ", ".join(f"{name} = CASE WHEN s.{name} <> '' THEN s.{name} ELSE {M}.{name} END" for name in TEXTS)
    _run(
        f"""
        UPDATE {M} SET
            state = CASE WHEN {retained} THEN 'ACTIVE' ELSE {M}.state END,
            state_before = CASE WHEN {retained} THEN '' ELSE {M}.state_before END,
            employment_state = CASE WHEN {retained} AND {M}.employment_state IN ('RETIRED', 'UNEMPLOYED')
                THEN 'AT_WORK' ELSE {M}.employment_state END,
            joined_on = COALESCE(s.joined_on, {M}.joined_on),
            employment = CASE WHEN s.employment <> '' THEN s.employment ELSE {M}.employment END,
            occupation_group = CASE WHEN s.employment <> '' THEN s.occupation_group ELSE {M}.occupation_group END,
            migrant_worker = COALESCE(s.migrant_worker, {M}.migrant_worker),
            {texts},
            version = {M}.version + 1
        FROM {S} s WHERE {STORABLE} AND s.membership_id = {M}.id""",
        [batch.pk],
    )


def hold(batch, *, enrolled=False):
    """Lock the unions, stored people and memberships that the batch's rows are about, in everybody's order.

    SQLite locks all. The unions are locked against a move only, which would leave their new members behind.

    `enrolled`: those too whom the batch itself has enrolled, for its undo.
    """
    if connection.vendor != "postgresql":
        return
    of_unions = f"SELECT s.union_id FROM {S} s WHERE {STORABLE}"
    _run(f"SELECT id FROM {U} WHERE id IN ({of_unions}) ORDER BY id FOR KEY SHARE", [batch.pk])
    of_people = f"SELECT p.id FROM {S} s JOIN {P} p ON p.uuid = s.person_uuid WHERE {STORABLE}"
    if not enrolled:
        of_people += " AND s.person_id IS NOT NULL"
    _run(f"SELECT id FROM {P} WHERE id IN ({of_people}) ORDER BY id FOR UPDATE", [batch.pk])
    _run(f"SELECT id FROM {M} WHERE person_id IN ({of_people}) ORDER BY id FOR UPDATE", [batch.pk])


def take_back(batch, outside):
    """Delete what the batch enrolled and restore what it changed; returns [(row, why it was kept)] of the other rows.

    A row is taken back whole or not at all: only while person and membership are as the commit left them and nothing
    refers to what would be deleted. `outside`: keys of unions that the user does not reach.
    """
    hold(batch, enrolled=True)
    _run(f"CREATE TEMPORARY TABLE taken AS {_judged(outside)}", [*outside, batch.pk])
    kept = _rows("SELECT sheet_row, kept FROM taken WHERE kept <> '' ORDER BY sheet_row")
    _run("DELETE FROM taken WHERE kept <> ''")
    _restore(batch)
    _delete(batch)
    BeforeImport.objects.filter(batch=batch).delete()
    _run("DROP TABLE taken")
    return kept


def forget(batch):
    """Delete how people stood before the batch: it is too old to be taken back."""
    BeforeImport.objects.filter(batch=batch).delete()


def _judged(outside):
    """The SELECT of a batch's stored rows, what they enrolled or changed, and why each cannot be taken back, or ''."""
    beyond = f"WHEN s.union_id IN ({', '.join(['%s'] * len(outside))}) THEN 'OUT_OF_SCOPE'" if outside else ""
    pairs = DuplicatePair._meta.db_table
    moved = _refers(Membership, "m.id", only=("steps", "transfers", "arrived_by"))
    used = _refers(Membership, "m.id", but=("steps", "transfers", "arrived_by"))
    person_used = _refers(Person, "p.id", but=("memberships", "suffixes", "pairs_first", "pairs_second", "absorbed"))
    return f"""
        SELECT s.row AS sheet_row, p.id AS person_id, s.person_id IS NULL AS is_new,
        m.id AS enrolled_id, o.id AS changed_id,
        CASE {beyond}
            WHEN p.id IS NULL OR p.merged_into_id IS NOT NULL THEN 'MERGED'
            WHEN EXISTS (SELECT 1 FROM {P} a WHERE a.merged_into_id = p.id) AND s.person_id IS NULL THEN 'MERGED'
            WHEN s.membership_id IS NULL AND m.id IS NULL THEN 'MERGED'
            WHEN s.membership_id IS NULL AND ({moved}) THEN 'MOVED'
            WHEN s.membership_id IS NULL AND (m.version <> 1 OR m.union_id <> s.union_id) THEN 'CHANGED'
            WHEN s.membership_id IS NOT NULL AND (o.id IS NULL OR o.version <> b.membership_version + 1) THEN 'CHANGED'
            WHEN s.person_id IS NULL AND p.version <> 1 THEN 'CHANGED'
            WHEN s.person_id IS NOT NULL AND (b.id IS NULL OR
                p.version <> b.person_version + CASE WHEN {PERSON_CHANGED} THEN 1 ELSE 0 END) THEN 'CHANGED'
            WHEN s.membership_id IS NULL AND ({used}) THEN 'USED'
            WHEN s.person_id IS NULL AND EXISTS (
                SELECT 1 FROM {M} x WHERE x.person_id = p.id AND x.id <> m.id) THEN 'ELSEWHERE'
            WHEN s.person_id IS NULL AND EXISTS (SELECT 1 FROM {pairs} d
                WHERE d.first_id = p.id AND d.state <> '{PairState.OPEN.value}') THEN 'DECIDED'
            WHEN s.person_id IS NULL AND EXISTS (SELECT 1 FROM {pairs} d
                WHERE d.second_id = p.id AND d.state <> '{PairState.OPEN.value}') THEN 'DECIDED'
            WHEN s.person_id IS NULL AND ({person_used}) THEN 'USED'
            ELSE '' END AS kept
        FROM {S} s LEFT JOIN {P} p ON p.uuid = s.person_uuid
        LEFT JOIN {M} m ON m.person_id = p.id AND m.batch_id = s.batch_id AND s.membership_id IS NULL
        LEFT JOIN {M} o ON o.id = s.membership_id
        LEFT JOIN {B} b ON b.batch_id = s.batch_id AND b.person_id = s.person_id
        WHERE {STORABLE}"""


def _refers(model, key, only=(), but=()):
    """The condition that some row refers to the row of `model` with the key `key`, by a foreign key or as its subject.

    Whatever a later module attaches to a person or a membership is found by this, too. Staging is no reference.
    """
    found = []
    for relation in model._meta.get_fields(include_hidden=True):
        hidden = relation.concrete or not relation.auto_created or relation.many_to_many  # by its own table then
        if hidden or relation.related_model in (StagedMember, BeforeImport):
            continue
        if (relation.get_accessor_name() in only) if only else (relation.get_accessor_name() not in but):
            table, column = relation.related_model._meta.db_table, relation.field.column
            found.append(f"EXISTS (SELECT 1 FROM {table} r WHERE r.{column} = {key})")
    about = f"r.subject_type = '{model._meta.label_lower}' AND r.subject_id = {key}"
    subjects = () if only else (Deadline._meta.db_table, Paper._meta.db_table)
    return " OR ".join([*found, *(f"EXISTS (SELECT 1 FROM {table} r WHERE {about})" for table in subjects)])


def _restore(batch):
    """Give back what was changed, versions included, and take the steps back that the import made."""
    steps = MembershipStep._meta.db_table
    _run(
        f"""
        DELETE FROM {steps} WHERE id IN (
            SELECT MAX(x.id) FROM {steps} x JOIN taken ON taken.changed_id = x.case_id
            JOIN {B} b ON b.membership_id = x.case_id AND b.batch_id = %s AND b.state = 'RETAINED'
            GROUP BY x.case_id)""",
        [batch.pk],
    )
    for table, names, key in ((P, BEFORE_PERSON, "person"), (M, BEFORE_MEMBERSHIP, "membership")):
        facts = ", ".join(f"{name} = b.{name}" for name in names)
        mine = "changed_id" if table == M else "person_id"
        _run(
            f"UPDATE {table} SET {facts}, version = b.{key}_version FROM {B} b"
            f" WHERE b.{key}_id = {table}.id AND b.batch_id = %s AND {table}.id IN (SELECT {mine} FROM taken)",
            [batch.pk],
        )


def _delete(batch):
    """Delete what was enrolled, with the pairs that the finder has made of it or of changed facts since."""
    pairs, suffixes = DuplicatePair._meta.db_table, NameSuffix._meta.db_table
    since = connection.ops.adapt_datetimefield_value(batch.committed_at)
    for side in ("first_id", "second_id"):
        _run(
            f"DELETE FROM {pairs} WHERE state = %s AND found_at >= %s AND {side} IN (SELECT person_id FROM taken)",
            [PairState.OPEN.value, since],
        )
    _run(f"DELETE FROM {M} WHERE id IN (SELECT enrolled_id FROM taken)")
    _run(f"DELETE FROM {suffixes} WHERE person_id IN (SELECT person_id FROM taken WHERE is_new)")
    _run(f"DELETE FROM {P} WHERE id IN (SELECT person_id FROM taken WHERE is_new)")


def _columns(model, values, now, told=None):
    """Return (columns, expressions, parameters) of an INSERT … SELECT: `values`, `told`, else the model's default."""
    columns, expressions, parameters = [], [], []
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(connection.ops.quote_name(field.column))
        if field.name in values:
            expressions.append(values[field.name])
            continue
        expressions.append("%s")
        stamped = getattr(field, "auto_now_add", False)
        value = told[field.name] if told and field.name in told else field.get_default()
        parameters.append(now if stamped else field.get_db_prep_save(value, connection))
    return ", ".join(columns), ", ".join(expressions), parameters


def _rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _run(sql, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def _column(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [value for (value,) in cursor.fetchall()]

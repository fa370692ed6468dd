"""The set-based half of a member import: SQL from staging into people and memberships, the same on both databases.

The ORM has no INSERT … SELECT. Names of tables and columns come from the models, every value is a parameter. What the
staging table does not say gets the model's default, so that a new column needs no change here.
"""

import uuid

from django.db import connection
from django.utils import timezone

from members.models import OPEN_STATES, Membership, MembershipState, Person, StagedMember

S = StagedMember._meta.db_table
P = Person._meta.db_table
M = Membership._meta.db_table

STORABLE = "s.batch_id = %s AND s.outcome IN ('ok', 'warning')"
OPEN = ", ".join(f"'{state.value}'" for state in OPEN_STATES)

PERSON_FACTS = (
    "uuid", "name", "document_kind", "id_number", "id_index", "id_masked", "sex", "born_on",
    "phone", "phone_index", "phone_masked", "ethnicity",
)  # fmt: skip
TEXTS = ("department", "post", "card_no", "notes")


def outdated(batch, outside):
    """Return the blind indexes of storable rows that no longer fit what is stored.

    `outside`: keys of unions that the committing user does not reach. A row for a new person must find none stored; one
    for a stored person must find the same, alive, of that name, and open where the row expects it.
    """
    open_elsewhere = f"""
        SELECT 1 FROM {M} m WHERE m.person_id = p.id AND m.state IN ({OPEN})
        AND (s.membership_id IS NULL OR m.id <> s.membership_id)"""
    still_open = f"SELECT 1 FROM {M} m WHERE m.id = s.membership_id AND m.state IN ({OPEN})"
    beyond = f"OR s.union_id IN ({', '.join(['%s'] * len(outside))})" if outside else ""
    return _column(
        f"""
        SELECT DISTINCT s.id_index FROM {S} s LEFT JOIN {P} p ON p.id_index = s.id_index
        WHERE {STORABLE} AND (
            (s.person_id IS NULL AND p.id IS NOT NULL)
            OR (s.person_id IS NOT NULL AND (
                p.id IS NULL OR p.id <> s.person_id OR p.name <> s.name OR p.deceased_on IS NOT NULL
                OR EXISTS ({open_elsewhere})))
            OR (s.membership_id IS NOT NULL AND NOT EXISTS ({still_open}))
            {beyond}
        )""",
        [batch.pk, *outside],
    )


def people(indexes):
    """Yield (blind index, key, uuid, name, died on, phone index, phone masked, ethnicity) of people by blind indexes.

    Written out, because the ORM takes longer to write down 5,000 indexes than the database takes to find them.
    """
    marks = ", ".join(["%s"] * len(indexes))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id_index, id, uuid, name, deceased_on, phone_index, phone_masked, ethnicity"
            f" FROM {P} WHERE id_index IN ({marks})",
            indexes,
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
    values |= {"migrant_worker": "COALESCE(s.migrant_worker, FALSE)"}
    columns, expressions, defaults = _columns(Membership, values, now)
    enrolled = _run(
        f"INSERT INTO {M} ({columns}) SELECT {expressions} FROM {S} s JOIN {P} p ON p.uuid = s.person_uuid"
        f" WHERE {STORABLE} AND s.membership_id IS NULL ORDER BY s.row ON CONFLICT DO NOTHING",
        [*defaults, batch.pk],
    )
    if enrolled == StagedMember.objects.filter(batch=batch, outcome__in=("ok", "warning"), membership=None).count():
        return []
    return _column(
        f"""
        SELECT s.id_index FROM {S} s WHERE {STORABLE} AND s.membership_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM {P} p JOIN {M} m ON m.person_id = p.id
            WHERE p.uuid = s.person_uuid AND m.batch_id = s.batch_id
        )""",
        [batch.pk],
    )


def change(batch):
    """Change the facts of people and memberships that are stored already: an empty value of the row changes nothing."""
    _run(
        f"""
        UPDATE {P} SET
            phone = CASE WHEN s.phone <> '' THEN s.phone ELSE {P}.phone END,
            phone_index = CASE WHEN s.phone <> '' THEN s.phone_index ELSE {P}.phone_index END,
            phone_masked = CASE WHEN s.phone <> '' THEN s.phone_masked ELSE {P}.phone_masked END,
            ethnicity = CASE WHEN s.ethnicity <> '' THEN s.ethnicity ELSE {P}.ethnicity END,
            version = {P}.version + 1
        FROM {S} s WHERE {STORABLE} AND s.person_id = {P}.id AND (s.phone <> '' OR s.ethnicity <> '')""",
        [batch.pk],
    )
    texts = ", ".join(f"{name} = CASE WHEN s.{name} <> '' THEN s.{name} ELSE {M}.{name} END" for name in TEXTS)
    _run(
        f"""
        UPDATE {M} SET
            state = CASE WHEN {M}.state = %s THEN %s ELSE {M}.state END,
            joined_on = COALESCE(s.joined_on, {M}.joined_on),
            employment = CASE WHEN s.employment <> '' THEN s.employment ELSE {M}.employment END,
            occupation_group = CASE WHEN s.employment <> '' THEN s.occupation_group ELSE {M}.occupation_group END,
            migrant_worker = COALESCE(s.migrant_worker, {M}.migrant_worker),
            {texts},
            version = {M}.version + 1
        FROM {S} s WHERE {STORABLE} AND s.membership_id = {M}.id""",
        [MembershipState.RETAINED.value, MembershipState.ACTIVE.value, batch.pk],
    )


def _columns(model, values, now):
    """Return (columns, expressions, parameters) of an INSERT … SELECT: from `values`, else the model's default."""
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
        parameters.append(now if stamped else field.get_db_prep_save(field.get_default(), connection))
    return ", ".join(columns), ", ".join(expressions), parameters


def _run(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def _column(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [value for (value,) in cursor.fetchall()]

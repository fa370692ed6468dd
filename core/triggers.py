"""What the database itself refuses: any change of the audit trail, and of the facts and files of issued papers.

The apps above add their own (`settings.TRIGGERS`). Created after every migrate, because altering a table on SQLite
loses its triggers; a system check names what is missing.
"""

from django.conf import settings
from django.core import checks
from django.db import connections, transaction
from django.utils.module_loading import import_string

from core.models import AuditEvent, AuditSeal, Paper
from core.models.paper import PaperState

TRAIL = "the audit trail is append-only"
PAPER = "an issued paper does not change"

UNISSUED = f"('{PaperState.DRAWING}', '{PaperState.FAILED}')"
FIXED = ("id", "kind", "number", "token", "issued_at")
FIXED += ("facts", "facts_digest", "file", "sha256", "seal_id", "seal_digest")


FUNCTIONS = {
    "core_refuse": "BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END"
}


def triggers(vendor):
    """Return {table: {trigger name: the rest of its CREATE TRIGGER statement}} of the trail and the papers."""
    return _on_sqlite() if vendor == "sqlite" else _on_postgresql()


def wanted(vendor):
    """Return the same of every module in `settings.TRIGGERS`, for a database vendor."""
    tables = {}
    for module in settings.TRIGGERS:
        for table, found in import_string(f"{module}.triggers")(vendor).items():
            tables[table] = tables.get(table, {}) | found
    return tables


def _on_sqlite():
    triggers = {}
    for model in (AuditEvent, AuditSeal):
        table = model._meta.db_table
        triggers[table] = {
            f"{table}_no_update": _raise(f"BEFORE UPDATE ON {table}", TRAIL),
            f"{table}_no_delete": _raise(f"BEFORE DELETE ON {table}", TRAIL),
            # REPLACE deletes the row in its way without firing the DELETE trigger.
            f"{table}_no_replace": _raise(f"BEFORE INSERT ON {table} WHEN {_in_the_way(model)}", TRAIL),
        }
    table = Paper._meta.db_table
    changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in FIXED)
    triggers[table] = {
        f"{table}_no_update": _raise(f"BEFORE UPDATE ON {table} WHEN {_issued_and(changed)}", PAPER),
        f"{table}_no_delete": _raise(f"BEFORE DELETE ON {table} WHEN OLD.state NOT IN {UNISSUED}", PAPER),
        f"{table}_no_replace": _raise(
            f"BEFORE INSERT ON {table} WHEN {_in_the_way(Paper, f'state NOT IN {UNISSUED}')}", PAPER
        ),
    }
    return triggers


def _on_postgresql():
    triggers = {}
    for model in (AuditEvent, AuditSeal):
        table = model._meta.db_table
        # A statement trigger fires for ON CONFLICT DO UPDATE too, whatever rows it would touch.
        events = f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT"
        triggers[table] = {f"{table}_no_change": f"{events} EXECUTE FUNCTION core_refuse('{TRAIL}')"}
    table = Paper._meta.db_table
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in FIXED)
    refuse = f"EXECUTE FUNCTION core_refuse('{PAPER}')"
    triggers[table] = {
        f"{table}_no_update": f"BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({_issued_and(changed)}) {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} FOR EACH ROW WHEN (OLD.state NOT IN {UNISSUED}) {refuse}",
        f"{table}_no_truncate": f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}",
    }
    return triggers


def _issued_and(changed):
    return f"OLD.state NOT IN {UNISSUED} AND (NEW.state IN {UNISSUED} OR {changed})"


def _in_the_way(model, condition="true"):
    unique = [field.column for field in model._meta.concrete_fields if field.unique]
    same = " OR ".join(f"{column} = NEW.{column}" for column in unique)
    return f"EXISTS (SELECT 1 FROM {model._meta.db_table} WHERE ({same}) AND {condition})"  # noqa: S608


def _raise(when, sentence):
    return f"{when} BEGIN SELECT RAISE(ABORT, '{sentence}'); END"


def create(using, **_signal):
    """Create the triggers anew, in one transaction (post_migrate)."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if connection.vendor == "postgresql":
            for module in settings.TRIGGERS:
                for name, body in import_string(f"{module}.FUNCTIONS").items():
                    head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                    cursor.execute(f"{head} AS $$ {body} $$")
        for table, triggers in wanted(connection.vendor).items():
            if table not in tables:
                continue
            for name, rest in triggers.items():
                cursor.execute(_drop_statement(connection, table, name))
                cursor.execute(f"CREATE TRIGGER {name} {rest}")


def drop(using="default"):
    """Drop the triggers: for the tests' flush, whose post_migrate creates them again."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table, name in sorted(_present(cursor, connection)):
            cursor.execute(_drop_statement(connection, table, name))


def missing(using="default"):
    """Return the sorted names of the triggers that should be there and are not, or are switched off."""
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        present = {name for _table, name in _present(cursor, connection)}
    triggers = wanted(connection.vendor)
    return sorted(name for table in triggers if table in tables for name in triggers[table] if name not in present)


def _drop_statement(connection, table, name):
    return f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if connection.vendor == "postgresql" else "")


def _present(cursor, connection):
    """Return {(table, name)} of our triggers that are in force."""
    if connection.vendor == "sqlite":
        cursor.execute("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
    else:
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgenabled <> 'D' AND NOT t.tgisinternal AND pg_table_is_visible(c.oid)"
        )
    triggers = wanted(connection.vendor)
    return {(table, name) for table, name in cursor.fetchall() if name in triggers.get(table, ())}


@checks.register(checks.Tags.database)
def triggers_stand(databases=None, **_kwargs):
    """Name every missing trigger. A warning, not an error: `migrate`, which puts it back, runs the checks first."""
    names = [name for using in databases or () for name in missing(using)]
    hint = "Run: manage.py migrate"
    return [checks.Warning(f"The trigger {name} is missing from the database.", hint, id="core.W001") for name in names]

"""What the database refuses, on both databases, also to somebody who goes round the application."""

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core import audit, triggers
from core.models import AuditEvent, AuditSeal, Paper
from core.models.paper import PaperState

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

REFUSED = [
    # (database or None for both, statement)
    (None, "UPDATE {table} SET mac = 'x'"),
    (None, "UPDATE {table} SET id = id"),
    (None, "DELETE FROM {table}"),
    (None, "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT (id) DO UPDATE SET mac = 'x'"),
    (POSTGRESQL, "TRUNCATE {table}"),
    (POSTGRESQL, "TRUNCATE {table} CASCADE"),
    (SQLITE, "REPLACE INTO {table} SELECT * FROM {table}"),
    (SQLITE, "INSERT OR REPLACE INTO {table} SELECT * FROM {table}"),
    (SQLITE, "INSERT OR IGNORE INTO {table} SELECT * FROM {table}"),
    (SQLITE, "UPDATE OR REPLACE {table} SET id = id + 1"),
]


def run(statement, *params):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def refused():
    return [sql for vendor, sql in REFUSED if vendor in (None, connection.vendor)]


@pytest.fixture
def sealed(db):
    audit.record("core.test", None, by=None)
    audit.record("core.test", None, by=None)
    audit.seal(timezone.now())


@pytest.mark.parametrize("table", ["core_auditevent", "core_auditseal"])
@pytest.mark.parametrize("statement", refused())
def test_trail_refuses(sealed, table, statement):
    before = list(AuditEvent.objects.values_list()), list(AuditSeal.objects.values_list())
    with pytest.raises(IntegrityError, match="append-only"):
        run(statement.format(table=table))
    assert (list(AuditEvent.objects.values_list()), list(AuditSeal.objects.values_list())) == before


def test_trail_refuses_an_event_with_the_uuid_of_another(sealed):
    event = AuditEvent.objects.first()
    event.id += 1000
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


@pytest.fixture
def paper(tree, city):
    return Paper.objects.create(
        kind="roll", title="名册", union=tree.street, subject_type="unions.Union", subject_id=tree.street.pk,
        token="t" * 32, facts={"rows": 3}, asked_by=city, asked_by_name="周慧敏",
    )  # fmt: skip


def issue(paper):
    paper.number, paper.state, paper.issued_at = "云工册〔2026〕1号", PaperState.VALID, timezone.now()
    paper.file, paper.sha256 = "papers/2026/05/1.pdf", "0" * 64
    paper.save()


def test_paper_may_change_while_it_is_drawn(paper):
    paper.facts = {"rows": 4}
    issue(paper)
    paper.refresh_from_db()
    assert (paper.facts, paper.state) == ({"rows": 4}, PaperState.VALID)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("facts", '{"rows": 4}'),
        ("file", "papers/other.pdf"),
        ("sha256", "1" * 64),
        ("number", "云工册〔2026〕2号"),
        ("token", "u" * 32),
        ("issued_at", "2001-02-03 04:05:06"),
        ("state", PaperState.DRAWING),
    ],
)
def test_issued_paper_refuses_a_change(paper, column, value):
    issue(paper)
    with pytest.raises(IntegrityError, match="issued paper"):
        run(f"UPDATE core_paper SET {column} = %s WHERE id = %s", value, paper.pk)


def test_issued_paper_refuses_deletion_and_replacement(paper):
    issue(paper)
    with pytest.raises(IntegrityError, match="issued paper"):
        run("DELETE FROM core_paper")
    connection.check_constraints()  # PostgreSQL truncates nothing while constraints are deferred
    replace = "REPLACE INTO core_paper SELECT * FROM core_paper"
    with pytest.raises(IntegrityError, match="issued paper"):
        run(replace if connection.vendor == SQLITE else "TRUNCATE core_paper CASCADE")


def test_issued_paper_may_be_replaced_by_a_newer_one_and_saved_again(paper):
    issue(paper)
    paper.refresh_from_db()
    paper.state, paper.reason = PaperState.REPLACED, "更正"
    paper.save()
    paper.refresh_from_db()
    assert (paper.state, paper.reason) == (PaperState.REPLACED, "更正")


def test_drawn_paper_may_be_deleted(paper):
    paper.delete()
    assert Paper.objects.count() == 0


@pytest.mark.django_db
def test_check_names_a_missing_trigger_and_migrate_puts_it_back():
    names = sorted(name for table in triggers.wanted(connection.vendor).values() for name in table)
    assert triggers.missing() == []
    assert checks.run_checks(tags=[checks.Tags.database], databases=["default"]) == []
    triggers.drop()
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert [warning.msg for warning in found] == [f"The trigger {name} is missing from the database." for name in names]
    call_command("migrate", verbosity=0)
    assert triggers.missing() == []


@pytest.mark.django_db(transaction=True)
def test_flush_of_a_test_empties_the_trail():
    audit.record("core.test", None, by=None)
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_trail_is_empty_and_guarded_after_such_a_flush():
    assert AuditEvent.objects.count() == 0
    assert triggers.missing() == []


@pytest.mark.django_db(transaction=True)
def test_flush_outside_the_tests_is_refused():
    audit.record("core.test", None, by=None)
    with pytest.raises(Exception, match="flush"):  # Django's CommandError, whatever the database said
        call_command("flush", interactive=False, verbosity=0)
    assert AuditEvent.objects.count() == 1

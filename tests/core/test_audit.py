"""The trail: what an event says, that nobody alters it unseen, and that no late commit slips past a seal."""

import re
import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from core import audit, ids, triggers
from core.models import AuditEvent, AuditSeal, Paper
from core.models.paper import PaperState
from core.tasks import seal_audit
from unions.models import UnionKind


def event_columns():
    return [column.attname for column in AuditEvent._meta.concrete_fields]


def seal_columns():
    return [column.attname for column in AuditSeal._meta.concrete_fields]


# What each kind of column is altered to; every one differs from what `trail` below writes.
ALTERED = {
    "id": 999_999_999,
    "at": "2001-02-03 04:05:06",
    "actor_id": 7777,
    "union_id": None,
    "changes": '{"name": ["甲", "丙"]}',
    "uuid": "0" * 31 + "1",
    "mac": "0" * 64,
    "from_id": 0,
    "to_id": 999_999_999,
    "count": 1,
    "digest": "0" * 64,
    "previous": "",
}


@pytest.fixture
def trail(tree, city):
    """Two seals over two events each, and one event not yet sealed."""
    for _seal in range(2):
        for name in ("甲", "乙"):
            write(tree, city, name)
        assert audit.seal(timezone.now()).count == 2
    write(tree, city, "尾")
    return list(AuditEvent.objects.order_by("id").values_list("id", flat=True))


def write(tree, user, name="甲"):
    return audit.record(
        "unions.change_union", tree.street, by=user, union=tree.street, changes={"name": [name, "乙"]}, reason="更名"
    )


def tamper(table, column, key, value):
    """Alter one column as somebody with the database and without the key would."""
    triggers.drop()
    quoted = connection.ops.quote_name(column)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {quoted} = %s WHERE id = %s", [value, key])
        assert cursor.rowcount == 1


def test_record_writes_who_did_what_to_what(tree, city):
    event = audit.record("unions.change_union", tree.street, by=city, union=tree.street, changes={"name": ["甲", "乙"]})
    stored = AuditEvent.objects.get()
    assert (stored.actor_id, stored.actor_name, stored.verb) == (city.pk, "周慧敏", "unions.change_union")
    assert (stored.target_label, stored.target_id, stored.target_text) == (
        "unions.Union",
        str(tree.street.pk),
        "滨河区一道街道工会",
    )
    assert (stored.union_id, stored.changes) == (tree.street.pk, {"name": ["甲", "乙"]})
    assert stored.mac == event.mac == audit.mac_of(stored)


@pytest.mark.django_db
def test_record_by_the_system_on_nothing_is_whole():
    audit.record("core.reckon_rules", None, by=None)
    stored = AuditEvent.objects.get()
    assert (stored.actor_id, stored.actor_name, stored.target_label, stored.union_id) == (None, "", "", None)
    assert audit.verify().faults == []


@pytest.mark.django_db
def test_record_turns_values_into_what_json_gives_back_unaltered():
    changes = {
        "on": [None, date(2026, 5, 3)],
        "amount": [Decimal("10.50"), 1.5],
        "kind": [UnionKind.STREET, True],
        "words": ["零\0字", 3],
    }
    audit.record("core.change_setting", None, by=None, changes=changes)
    assert AuditEvent.objects.get().changes == {
        "on": [None, "2026-05-03"],
        "amount": ["10.50", "1.5"],
        "kind": ["STREET", True],
        "words": ["零字", 3],
    }
    assert audit.verify().faults == []


@pytest.mark.django_db
def test_record_keeps_no_sealed_value():
    changes = {"phone": ["13800000000", "13900000000"], "name": ["a", "b"]}
    audit.record("members.change_membership", None, by=None, changes=changes)
    assert AuditEvent.objects.get().changes == {"phone": ["changed"], "name": ["a", "b"]}


@pytest.mark.django_db
def test_record_cuts_long_text_before_the_mac():
    audit.record("core.change_setting", ("core.Setting", "1", "长" * 300), by=None, reason="由" * 600)
    stored = AuditEvent.objects.get()
    assert (len(stored.target_text), len(stored.reason)) == (200, 500)
    assert audit.verify().faults == []


@pytest.mark.django_db
def test_record_rolls_back_with_what_it_tells_of():
    with transaction.atomic():
        audit.record("core.change_setting", None, by=None)
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db
def test_record_many_writes_in_order_with_few_queries(django_assert_max_num_queries):
    entries = [{"verb": "core.import_row", "target": ("x", str(n), ""), "by": None} for n in range(50)]
    with django_assert_max_num_queries(6):
        audit.record_many(entries)
    assert list(AuditEvent.objects.order_by("id").values_list("target_id", flat=True)) == [str(n) for n in range(50)]
    assert audit.record_many([]) == []


def test_request_id_and_address_of_a_request_stand_on_its_events(tree, city, client):
    response = client.post("/accounts/login/", {"login": "city", "password": "wrong"}, REMOTE_ADDR="192.0.2.7")
    assert list(AuditEvent.objects.values_list("request_id", "address")) == [(response["X-Request-ID"], "192.0.2.7")]


def test_mac_tells_null_from_empty(trail):
    event = AuditEvent.objects.get(id=trail[0])
    event.union_id = None
    without = audit.mac_of(event)
    event.union_id = ""
    assert audit.mac_of(event) != without


def test_seal_covers_what_is_unsealed_and_nothing_twice(trail):
    first, second = AuditSeal.objects.order_by("id")
    assert (first.from_id, first.to_id, first.count) == (trail[0], trail[1], 2)
    assert (second.from_id, second.to_id, second.count) == (trail[2], trail[3], 2)
    assert (first.previous, second.previous) == ("", first.digest)
    seal_audit()
    assert AuditSeal.objects.count() == 3
    seal_audit()
    assert AuditSeal.objects.count() == 3


def test_verify_counts_a_whole_trail(trail, capsys):
    report = audit.verify()
    assert (report.events, report.sealed, report.seals, report.papers, report.faults) == (5, 4, 2, 0, [])
    call_command("verify_audit")
    assert sorted(re.findall(r"\d+", capsys.readouterr().out)) == ["0", "1", "2", "4"]  # papers, open, seals, sealed


@pytest.mark.parametrize("position", [0, 3, 4], ids=["sealed first", "sealed last", "unsealed"])
@pytest.mark.parametrize("column", event_columns())
def test_verify_names_an_event_altered_in_any_column(trail, column, position):
    tamper("core_auditevent", column, trail[position], ALTERED.get(column, "altered"))
    assert audit.verify().faults != []
    with pytest.raises(CommandError):
        call_command("verify_audit")


@pytest.mark.parametrize("position", [0, 1], ids=["first", "last"])
@pytest.mark.parametrize("column", seal_columns())
def test_verify_names_a_seal_altered_in_any_column(trail, column, position):
    seals = list(AuditSeal.objects.order_by("id"))
    value = "1" * 64 if column == "previous" else ALTERED[column]
    tamper("core_auditseal", column, seals[position].id, value)
    assert audit.verify().faults != []


def test_verify_misses_no_deleted_sealed_event(trail):
    triggers.drop()
    AuditEvent.objects.filter(id=trail[2]).delete()
    assert audit.verify().faults != []


def test_verify_misses_no_deleted_seal(trail):
    triggers.drop()
    AuditSeal.objects.filter(id=1).delete()
    assert audit.verify().faults != []


@pytest.mark.parametrize("with_key", [False, True], ids=["MAC copied", "MAC made with the key"])
def test_verify_misses_no_event_put_into_a_sealed_range(tree, city, with_key):
    write(tree, city)
    [between] = ids.allocate(AuditEvent)
    write(tree, city)
    audit.seal(timezone.now())
    event = AuditEvent.objects.order_by("id").last()
    event.id, event.uuid = between, "1" * 32
    if with_key:
        event.mac = audit.mac_of(event)
    event.save(force_insert=True)
    assert audit.verify().faults != []


def test_verify_names_a_row_that_cannot_be_read(trail):
    if connection.vendor == "sqlite":
        tamper("core_auditevent", "at", trail[2], "yesterday")
    else:
        tamper("core_auditevent", "at", trail[2], "infinity")
    assert len(audit.verify().faults) >= 1


def test_verify_checks_the_seal_a_paper_names(trail, tree, city):
    seal = AuditSeal.objects.order_by("id").last()
    paper = Paper.objects.create(
        kind="roll", number="云工册〔2026〕1号", title="名册", union=tree.street, subject_type="unions.Union",
        subject_id=tree.street.pk, token="t" * 32, state=PaperState.VALID, sha256="0" * 64, issued_at=timezone.now(),
        seal_id=seal.id, seal_digest=seal.digest, asked_by=city, asked_by_name="周慧敏",
    )  # fmt: skip
    assert (audit.verify().papers, audit.verify().faults) == (1, [])
    tamper("core_paper", "seal_digest", paper.pk, "0" * 64)
    assert len(audit.verify().faults) == 1


def test_verify_sees_a_trail_cut_off_under_a_paper(trail, tree, city):
    seal = AuditSeal.objects.order_by("id").last()
    Paper.objects.create(
        kind="roll", number="云工册〔2026〕1号", title="名册", union=tree.street, subject_type="unions.Union",
        subject_id=tree.street.pk, token="t" * 32, state=PaperState.VALID, sha256="0" * 64, issued_at=timezone.now(),
        seal_id=seal.id, seal_digest=seal.digest, asked_by=city, asked_by_name="周慧敏",
    )  # fmt: skip
    triggers.drop()
    AuditEvent.objects.filter(id__gte=seal.from_id).delete()
    seal.delete()
    assert len(audit.verify().faults) == 1


def test_trail_is_read_by_the_auditadmin_and_nobody_below(trail, auditadmin, secadmin, client_of):
    client = client_of(auditadmin)
    page = client.get("/admin/core/auditevent/")
    assert (page.status_code, page.context["cl"].result_count) == (200, 5)
    assert client.get(f"/admin/core/auditevent/{trail[0]}/change/").status_code == 200
    assert client.post(f"/admin/core/auditevent/{trail[0]}/change/", {"reason": "x"}).status_code == 403
    assert client.get("/admin/core/auditevent/add/").status_code == 403
    assert client_of(secadmin).get("/admin/core/auditevent/").status_code == 403
    assert audit.verify().faults == []


@pytest.mark.django_db(transaction=True)
def test_seal_waits_for_a_late_commit_and_then_covers_it():
    """A writer draws its key, another commits a higher one; sealing between the two must not leave the first behind."""
    drawn, sealing_tried = threading.Event(), threading.Event()

    def late_writer():
        try:
            with transaction.atomic():
                audit.record("core.late", None, by=None)
                drawn.set()
                sealing_tried.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=late_writer)
    thread.start()
    assert drawn.wait(20)
    if connection.vendor == "postgresql":  # on SQLite nobody else can write meanwhile
        audit.record("core.early", None, by=None)
        assert audit.seal(timezone.now()) is None
        assert AuditSeal.objects.count() == 0
    sealing_tried.set()
    thread.join()
    seal = audit.seal(timezone.now())
    assert seal.count == AuditEvent.objects.count()
    assert audit.verify().faults == []


@pytest.mark.django_db(transaction=True)
def test_sealing_beside_busy_writers_loses_no_event():
    errors = []

    def writer():
        try:
            for _turn in range(20):
                with transaction.atomic():
                    audit.record("core.busy", None, by=None)
                    audit.record("core.busy", None, by=None)
        except Exception as error:  # told to the test below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=writer) for _number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        audit.seal(timezone.now())
    for thread in threads:
        thread.join()
    audit.seal(timezone.now() + timedelta(seconds=1))
    report = audit.verify()
    assert errors == []
    assert (report.events, report.sealed, report.faults) == (120, 120, [])


def test_a_seal_that_a_log_kept_elsewhere_names_must_still_stand(tree, city, capsys):
    """The last events and their seal are cut off together: the rest of the trail reads as whole."""
    audit.record("core.test", None, by=city)
    audit.seal(timezone.now())
    audit.record("core.test", None, by=city)
    last = audit.seal(timezone.now())
    call_command("verify_audit", witness=f"{last.id} {last.digest}")
    triggers.drop()
    AuditEvent.objects.filter(id__gte=last.from_id).delete()
    AuditSeal.objects.filter(id=last.id).delete()
    triggers.create("default")
    call_command("verify_audit")
    with pytest.raises(CommandError):
        call_command("verify_audit", witness=f"{last.id} {last.digest}")
    with pytest.raises(CommandError):
        call_command("verify_audit", witness="the last one")

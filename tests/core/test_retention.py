"""Retention: what is over its period goes, what is held or still needed stays, and each run tells what it deleted."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from core import drafts, imports, jobs, papers, retention
from core.models import (
    AuditEvent,
    Digest,
    Draft,
    Export,
    HealthPeriod,
    Hold,
    ImportBatch,
    Job,
    Paper,
    PaperSlice,
    RetentionRule,
    RetentionRun,
)
from core.models.retention import SignInLimit
from members.models import BeforeImport, Membership, StagedMember
from tests.builders import export_at, job_at
from tests.members.people import QIAN, ZHAO, member
from tests.members.registers import row, write

pytestmark = pytest.mark.django_db(transaction=True)


def later(**period):
    return timezone.now() + timedelta(**period)


@pytest.fixture
def upload(tree, root, tmp_path):
    """Read the register of these rows and store it; returns the batch, with a file as a page leaves it."""

    def upload(*rows, store=True):
        path = write(tmp_path, rows)
        batch = imports.receive("members", ContentFile(path.read_bytes(), name=path.name), by=root)
        jobs.run_now(batch.job)
        if store:
            imports.ask_commit(batch, by=root)
            batch.refresh_from_db()
            jobs.run_now(batch.job)
        batch.refresh_from_db()
        return batch

    return upload


def lies_there(name, settings):
    return (Path(settings.MEDIA_ROOT) / name).exists()


def test_every_rule_is_known_and_every_kind_has_a_rule():
    assert set(RetentionRule.objects.values_list("kind", flat=True)) == {*retention.KINDS, retention.PERSON}


def test_of_a_stored_import_only_what_it_stored_stays(upload, settings, client_of, root):
    batch = upload(row("赵建国", ZHAO))
    name = batch.file.name
    assert lies_there(name, settings)
    assert retention.run(later(days=150))["import_stored"] == 0
    assert StagedMember.objects.count() == 1
    assert retention.run(later(days=200))["import_stored"] == 1
    batch.refresh_from_db()
    assert (batch.state, batch.cleared_on, batch.file.name) == ("committed", timezone.localdate(), "")
    assert not lies_there(name, settings)
    assert not StagedMember.objects.exists()
    assert not BeforeImport.objects.exists()
    assert Membership.objects.count() == 1
    assert not imports.ask_undo(batch, by=root)
    assert not imports.ask_return(batch, by=root)
    page = client_of(root).get(reverse("import_page", args=[batch.pk]))
    assert page.status_code == 200
    assert reverse("import_undo", args=[batch.pk]) not in page.content.decode()
    [event] = AuditEvent.objects.filter(verb="core.apply_retentionrule")
    assert (event.target_text, event.changes["deleted"]) == (
        RetentionRule.objects.get(kind="import_stored").name,
        [None, 1],
    )
    assert retention.run(later(days=200))["import_stored"] == 0


def test_an_import_nobody_stored_goes_sooner(upload):
    batch = upload(row("赵建国", ZHAO), store=False)
    assert retention.run(later(days=31))["import_unstored"] == 1
    batch.refresh_from_db()
    assert (batch.state, batch.file.name) == ("discarded", "")
    assert not StagedMember.objects.exists()


def test_a_run_that_was_broken_off_is_finished_with_the_true_number(upload, monkeypatch):
    for person in (ZHAO, QIAN):
        upload(row("赵建国" if person == ZHAO else "钱玉兰", person))
    whole = imports.drop_files
    calls = []

    def second_fails(batches):
        calls.append(batches)
        if len(calls) == 2:
            raise ConnectionError("the database went away")
        return whole(batches)

    kind = retention.KINDS["import_stored"]
    monkeypatch.setitem(
        retention.KINDS, "import_stored", retention.Kind(kind.over, second_fails, kind.begin, kind.held, 1)
    )
    with pytest.raises(ConnectionError):
        retention.run(later(days=200))
    assert not AuditEvent.objects.filter(verb="core.apply_retentionrule").exists()
    assert retention.run(later(days=200))["import_stored"] == 2
    [event] = AuditEvent.objects.filter(verb="core.apply_retentionrule")
    assert event.changes["deleted"] == [None, 2]
    assert ImportBatch.objects.exclude(file="").count() == 0


def test_what_is_held_stays_until_it_is_released(upload, root, tree):
    batch = upload(row("赵建国", ZHAO))
    hold = retention.place_hold(batch, union=tree.city, by=root, reason="检查组调阅")
    assert [
        (each.number, each.held) for each in retention.preview(later(days=200)) if each.rule.kind == "import_stored"
    ] == [(0, 1)]
    assert retention.run(later(days=200))["import_stored"] == 0
    retention.release_hold(hold, by=root, reason="检查已结束")
    assert retention.run(later(days=200))["import_stored"] == 1
    verbs = AuditEvent.objects.filter(target_label="core.Hold").order_by("id").values_list("verb", "reason")
    assert list(verbs) == [("core.add_hold", "检查组调阅"), ("core.release_hold", "检查已结束")]


def test_a_hold_on_a_person_keeps_the_imports_that_name_the_person(upload, root, tree):
    upload(row("赵建国", ZHAO), row("钱玉兰", QIAN))
    held = Membership.objects.get(person__name="钱玉兰")
    retention.place_hold(held, union=tree.enterprise, by=root, reason="信访核查")
    assert retention.run(later(days=200))["import_stored"] == 0
    assert StagedMember.objects.count() == 2


def test_holds_are_placed_and_released_by_role_once_and_with_a_reason(tree, approver, enterprise):
    membership = member(tree.enterprise)
    with pytest.raises(PermissionDenied):
        retention.place_hold(membership, union=tree.enterprise, by=enterprise, reason="核查")
    for reason in ("", "证件号 210400198503070017", "长" * 501):
        with pytest.raises(ValidationError):
            retention.place_hold(membership, union=tree.enterprise, by=approver, reason=reason)
    hold = retention.place_hold(membership, union=tree.enterprise, by=approver, reason="核查")
    with pytest.raises(ValidationError):
        retention.place_hold(membership, union=tree.enterprise, by=approver, reason="再次核查")
    with pytest.raises(PermissionDenied):
        retention.release_hold(hold, by=enterprise, reason="结束")
    retention.release_hold(hold, by=approver, reason="结束")
    with pytest.raises(ValidationError):
        retention.release_hold(hold, by=approver, reason="结束")
    assert Hold.objects.open().count() == 0


def test_jobs_go_when_nothing_names_them(tree, city):
    member(tree.enterprise)
    job_at(tree.city)
    export_at(tree.city)  # names its job
    paper = papers.make_now(papers.ask("roll", union=tree.enterprise, by=city))
    slices = PaperSlice.objects.count()
    assert slices
    waiting = Job.objects.create(task="core.tasks.make_export", title="—")
    assert retention.run(later(days=400))["job"] == 1 + slices
    assert set(Job.objects.values_list("pk", flat=True)) == {waiting.pk, paper.job_id, Export.objects.get().job_id}
    assert Paper.objects.get().state == "valid"


def test_the_rest_goes_by_its_own_period(tree, city, client_of):
    drafts_page = reverse("member_add")
    drafts.keep(city, drafts_page, {"name": ["赵"]})
    export_at(tree.city)
    Digest.objects.create(user=city, day=timezone.localdate())
    client_of(city).get("/")
    caches["limits"].set("failed", 1, 10 * 86400)
    now = timezone.now()
    HealthPeriod.objects.create(check_name="broker", state="fail", key="away", began_at=now, seen_at=now, ended_at=now)
    HealthPeriod.objects.create(check_name="broker", state="ok", key="ok", began_at=now, seen_at=now)
    ages = {Session: 0, SignInLimit: 10, Draft: 13, Digest: 364, HealthPeriod: 364, Export: 729}  # still within
    for model, days in ages.items():
        before = model.objects.count()
        retention.run(later(days=days))
        assert model.objects.count() == before > 0, model
        retention.run(later(days=days + 3))
        assert model.objects.count() == (1 if model is HealthPeriod else 0), model


def test_the_trail_is_never_deleted(tree, city):
    before = AuditEvent.objects.count()
    retention.run(later(days=36500))
    assert AuditEvent.objects.count() >= before


def test_the_command_tells_first_and_deletes_only_when_told_to(tree, city, capsys):
    drafts.keep(city, reverse("member_add"), {"name": ["赵"]})
    Draft.objects.update(saved_at=timezone.now() - timedelta(days=20))
    call_command("retention", dry_run=True)
    assert "draft" in capsys.readouterr().out
    assert Draft.objects.count() == 1
    assert RetentionRun.objects.count() == 0
    call_command("retention")
    assert Draft.objects.count() == 0
    assert RetentionRun.objects.get().deleted == 1


def test_a_period_is_a_sensible_number(tree, city, client_of):
    rule = RetentionRule.objects.get(kind="draft")
    url = reverse("admin:core_retentionrule_change", args=[rule.pk])
    facts = {"name": rule.name, "unit": "DAY", "starts": rule.starts, "status": "LOCAL", "legal_basis": "本会规定"}
    for length, status in (("0", 200), ("99999", 200), ("30", 302)):
        assert client_of(city).post(url, facts | {"length": length, "source": "市总"}).status_code == status
    rule.refresh_from_db()
    assert (rule.length, rule.status) == (30, "LOCAL")
    assert AuditEvent.objects.get(verb="core.change_retentionrule").changes["length"] == [14, 30]


def test_a_held_import_is_neither_discarded_nor_taken_back(upload, root, tree, client_of):
    looked_at, stored = upload(row("赵建国", ZHAO), store=False), upload(row("钱玉兰", QIAN))
    retention.place_hold(looked_at, union=tree.city, by=root, reason="检查组调阅")
    retention.place_hold(Membership.objects.get(), union=tree.enterprise, by=root, reason="信访核查")
    for batch, act in ((looked_at, "import_discard"), (stored, "import_undo")):
        answer = client_of(root).post(reverse(act, args=[batch.pk]), follow=True)
        assert [str(each.level_tag) for each in answer.context["messages"]] == ["error"]
    assert [batch.state for batch in ImportBatch.objects.order_by("pk")] == ["preview", "committed"]
    assert StagedMember.objects.count() == 2


def test_nothing_is_held_that_is_gone(upload, root, tree):
    discarded, cleared = upload(row("赵建国", ZHAO), store=False), upload(row("钱玉兰", QIAN))
    imports.discard(discarded, by=root)
    retention.run(later(days=200))
    for batch in (discarded, cleared):
        with pytest.raises(ValidationError):
            retention.place_hold(batch, union=tree.city, by=root, reason="检查组调阅")


def test_a_hold_placed_while_the_night_is_at_it_counts(upload, root, tree, monkeypatch):
    """Between the look at what is over and the lock on it somebody places the hold."""
    batch = upload(row("赵建国", ZHAO))
    kind = retention.KINDS["import_stored"]

    def placed_just_now(pk):
        retention.place_hold(batch, union=tree.city, by=root, reason="检查组调阅")
        kind.begin(pk)

    monkeypatch.setitem(
        retention.KINDS, "import_stored", retention.Kind(kind.over, kind.delete, placed_just_now, kind.held, 1)
    )
    assert retention.run(later(days=200))["import_stored"] == 0
    batch.refresh_from_db()
    assert (batch.cleared_on, bool(batch.file), StagedMember.objects.count()) == (None, True, 1)

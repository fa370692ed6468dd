"""The drills with real servers: PostgreSQL restarted, Redis emptied, a restore over a running portal, full disks."""

import time

import pytest
import redis
from django.utils import translation

from bench.servers import Cluster, wait_for
from bench.trial.browser import form_with
from core import full_disk, trouble
from tests.trouble.conftest import Ground, Load

pytestmark = pytest.mark.trouble


def chinese(sentence):
    """The sentence as a page shows it."""
    with translation.override("zh-hans"):
        return str(sentence)


# --- PostgreSQL restarted under load -------------------------------------------------------------------------------


def test_postgresql_restarted_under_load(ground):
    """Two restarts, one as a power cut: 503 with the sentence meanwhile; then all works with the same processes."""
    web, worker = ground.portal.web(ground.port), ground.portal.worker("one")
    with Load(ground) as load:
        wait_for(lambda: ground.kinds()["200"] > 40, what="the officers")
        for how in ("fast", "immediate"):
            ground.cluster.stop(how)
            page = ground.browser(9).get("while away", "/members/")
            assert page.status in (302, 503)  # without a session nobody asks the database
            before = ground.kinds()["503"]
            wait_for(lambda before=before: ground.kinds()["503"] > before + 3, what="the page that says so")
            ground.cluster.start()
            before = ground.kinds()["200"]
            wait_for(lambda before=before: ground.kinds()["200"] > before + 30, what="work to go on")
    assert (web.poll(), worker.poll()) == (None, None)
    assert set(ground.kinds()) <= {"200", "302", "409", "503"}

    def finished():
        ground.wake()
        return not ground.child("bench.trial.verdict:unfinished")["jobs"]

    wait_for(finished, patience=90, what="the jobs that were cut off")
    assert load.verdict(ground) == []


def test_what_was_typed_is_on_the_page_while_postgresql_is_away(ground):
    ground.portal.web(ground.port)
    account = ground.accounts[0]
    browser = ground.signed_in(account)
    fields = form_with(browser.get("form", f"/members/add/?union={account['union']}"), "id_number")
    fields |= {"union": account["code"], "name": "钱芳", "id_number": "210400199202290029"}
    ground.cluster.stop()
    page = browser.post("enrol", "/members/add/", fields)
    assert page.status == 503
    assert chinese(trouble.DATABASE_AWAY.sentence) in page.text
    ground.cluster.start()
    again = form_with(page, "id_number")
    assert again["name"] == ["钱芳"]
    assert browser.post("again", "/members/add/", again).status == 302


# --- Redis ---------------------------------------------------------------------------------------------------------


def test_redis_emptied_and_stopped_under_load(ground):
    """FLUSHALL, then away for some seconds: nobody is signed out, jobs wait and are done once."""
    ground.portal.web(ground.port)
    worker = ground.portal.worker("one")
    with Load(ground) as load:
        wait_for(lambda: ground.kinds()["200"] > 40, what="the officers")
        with redis.Redis.from_url(ground.broker.url) as client:
            client.flushall()
        before = ground.kinds()["200"]
        wait_for(lambda: ground.kinds()["200"] > before + 30, what="work to go on")
        ground.broker.stop()
        before = ground.kinds()["200"]
        wait_for(lambda: ground.kinds()["200"] > before + 30, what="work to go on without Redis")
        ground.broker.start()
    assert worker.poll() is None
    assert set(ground.kinds()) <= {"200", "302", "409"}
    assert not [sample for sample in ground.samples if sample.name == "sign in" and sample.kind != "302"]

    def finished():
        ground.wake()
        return not ground.child("bench.trial.verdict:unfinished")["jobs"]

    wait_for(finished, patience=90, what="the jobs")
    assert load.verdict(ground) == []


# --- A restore over a running portal -------------------------------------------------------------------------------


def test_a_restore_waits_for_nobody_and_leaves_nothing_of_before(ground):
    """Refused while a part runs; afterwards the old session is gone, and an old job's message does nothing."""
    web = ground.portal.web(ground.port)
    worker = ground.portal.worker("one")
    account = ground.accounts[0]
    browser = ground.signed_in(account)
    archive = str(ground.folder / "night.zip")
    assert ground.manage("backup", archive)[0] == 0
    officer = ground.officer(account, ground.accounts[1])
    officer.browser = browser
    officer.enrol()
    officer.paper()
    browser.get("desk", "/")
    code, said = ground.manage("restore", archive, "--replace")
    assert code, said
    assert "停" in said, said
    for process in (worker, web):
        ground.portal.kill(process)  # as of a host that went away: its sessions stay behind until PostgreSQL notices
    wait_for(lambda: ground.cluster.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'drill' AND pid <> pg_backend_pid()"
    )[0][0] == 0, what="the sessions to end")  # fmt: skip
    code, said = ground.manage("restore", archive, "--replace")
    assert code == 0, said
    ground.portal.web(ground.port)
    ground.portal.worker("two")
    page = browser.get("desk", "/")
    assert (page.status, page.location.split("?")[0]) == (302, "/accounts/login/")
    time.sleep(3)  # the worker has taken what lay in the queue
    assert ground.cluster.execute("SELECT count(*) FROM core_job", "drill")[0][0] == 0
    assert ground.cluster.execute("SELECT count(*) FROM core_paper", "drill")[0][0] == 0
    code, said = ground.manage("verify_audit")
    assert code == 0, said


# --- Full disks ----------------------------------------------------------------------------------------------------


def fill(place):
    """Leave no byte free at `place`; returns the file to remove again."""
    file = place / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            return file
    raise AssertionError("the disk has no end")


def filled_in(ground, browser, sequence):
    """The fields of the enrol form as an officer has filled them in; `sequence`, below 50, tells the people apart."""
    account = ground.accounts[0]
    name, number = ground.officer(account, ground.accounts[1], number=sequence).person()
    fields = form_with(browser.get("form", f"/members/add/?union={account['union']}"), "id_number")
    return fields | {"union": account["code"], "name": name, "id_number": number, "joined_on": "2024-03-05"}


def enrol_once(ground, browser, sequence):
    """Enrol somebody; returns the page that answers."""
    return browser.post("enrol", "/members/add/", filled_in(ground, browser, sequence))


def test_postgresql_on_a_full_disk(broker, little_disk, tmp_path):
    """No write goes in half, one sentence says why; with room again what was typed is sent from that page."""
    disk = little_disk(200)
    (disk / "cluster").mkdir()
    small = Cluster(disk / "cluster", options=("max_wal_size=32MB", "min_wal_size=32MB"))
    try:
        small.start()
        small.execute("CREATE DATABASE drill")
        ground = Ground(small.url("drill"), broker, tmp_path / "ground")
        ground.seed()
        ground.portal.web(ground.port)
        browser = ground.signed_in(ground.accounts[0])
        assert enrol_once(ground, browser, 1).status == 302
        filler = fill(disk)
        statuses, page = [], None
        for sequence in range(2, 48):
            page = enrol_once(ground, browser, sequence)
            statuses.append(page.status)
            if page.status != 302:
                break
        assert page.status in (503, 507), statuses
        expected = full_disk.SENTENCE if page.status == 507 else trouble.DATABASE_AWAY.sentence
        assert chinese(expected) in page.text
        stored = statuses.count(302) + 1
        filler.unlink()
        again = form_with(page, "id_number")
        wait_for(lambda: browser.post("again", "/members/add/", again).status == 302, what="room")
        events = "SELECT count(*) FROM core_auditevent WHERE verb = 'members.enrol_membership'"
        assert small.execute(events, "drill")[0][0] == stored + 1
        assert ground.manage("verify_audit")[0] == 0
        ground.close()
    finally:
        small.remove()


def test_sqlite_on_a_full_disk(broker, little_disk, tmp_path):
    """The same with the portal's own SQLite."""
    disk = little_disk(60)
    ground = Ground(f"sqlite:///{disk}/portal.sqlite3", broker, tmp_path / "ground")
    try:
        ground.seed()
        ground.portal.web(ground.port)
        browser = ground.signed_in(ground.accounts[0])
        assert enrol_once(ground, browser, 1).status == 302
        fields = filled_in(ground, browser, 2)
        filler = fill(disk)
        page = browser.post("enrol", "/members/add/", fields)
        assert page.status == 507
        assert chinese(full_disk.SENTENCE) in page.text
        # SQLite cannot even be opened for reading: its index of the log needs room. The page says the same.
        assert browser.get("list", "/members/").status in (200, 507)
        filler.unlink()
        assert browser.post("again", "/members/add/", form_with(page, "id_number")).status == 302
        assert ground.manage("verify_audit")[0] == 0
    finally:
        ground.close()


def test_an_export_on_a_full_disk_fails_with_the_sentence_and_leaves_no_file(ground, little_disk):
    disk = little_disk(1)
    ground.environment["FILES_ROOT"] = ground.portal.environment["FILES_ROOT"] = str(disk)
    fill(disk)
    ground.portal.web(ground.port)
    ground.portal.worker("one")
    browser = ground.signed_in(ground.accounts[0])
    fields = form_with(browser.get("form", "/exports/ask/members/"), "purpose") | {"purpose": "年度统计"}
    assert browser.post("ask", "/exports/ask/members/", fields).status == 302
    jobs = "SELECT state, message FROM core_job ORDER BY id DESC LIMIT 1"
    wait_for(lambda: ground.cluster.execute(jobs, "drill")[0][0] in ("failed", "done"), what="the export")
    assert ground.cluster.execute(jobs, "drill")[0] == ("failed", chinese(full_disk.SENTENCE))
    assert [path.name for path in disk.rglob("*") if path.is_file()] == ["filler"]


def test_a_log_that_cannot_be_written_stops_nobody(ground, little_disk):
    """The web server's log lies on a full disk: every page is answered."""
    disk = little_disk(1)
    fill(disk)
    ground.portal.folder = disk
    ground.portal.environment["LOG_LEVEL"] = "INFO"
    ground.portal.web(ground.port)
    browser = ground.signed_in(ground.accounts[0])
    for path in ("/", "/members/", "/no/such/page/"):
        assert browser.get("page", path).status in (200, 404)

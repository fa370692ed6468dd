"""Papers: numbered without gaps, drawn in slices by whoever comes, kept unaltered, replaced and revoked."""

import errno
import hashlib
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from core import drawing, jobs, papers, tasks
from core.jobs import RunLost
from core.models import AuditEvent, AuditSeal, Job, Paper, PaperSlice
from core.models.paper import PaperState
from members.models import Membership, Person
from tests.workers import broker, wait_for, workers  # noqa: F401


def enrol(union, count, *, first=1, name="安{:04d}"):
    """Write `count` members at `union`, straight into the database."""
    people = [
        Person(
            name=name.format(number), id_number=f"2104{number:014d}", id_index=f"test-{number}",
            id_masked=f"2104**********{number % 10_000:04d}", sex="FM"[number % 2], born_on=date(1980, 1, 1),
        )
        for number in range(first, first + count)
    ]  # fmt: skip
    Person.objects.bulk_create(people)
    Membership.objects.bulk_create(
        [Membership(person=person, union=union, joined_on=date(2020, 5, 1)) for person in people]
    )


def text_of(paper):
    """The text of every page, as another library reads it."""
    return [page.extract_text() for page in PdfReader(paper.file.path).pages]


@pytest.fixture
def asked(tree, enterprise):
    """A roll of three members, asked for and not yet begun."""
    enrol(tree.enterprise, 3)
    return papers.ask("roll", union=tree.enterprise, by=enterprise)


@pytest.fixture
def issued(asked):
    return papers.make_now(asked)


# --- From asking to the file -------------------------------------------------------------------------------------


def test_paper_is_made_numbered_and_kept(issued, tree):
    year = timezone.localdate().year
    assert issued.state == PaperState.VALID
    assert issued.number == f"滨工册〔{year}〕0001号"
    assert (issued.rows, issued.pages) == (3, 1)
    content = Path(issued.file.path).read_bytes()
    assert issued.sha256 == hashlib.sha256(content).hexdigest()
    assert issued.size == len(content)
    assert issued.job.state == "done"
    assert issued.job.result_url == reverse("paper_page", args=[issued.pk])
    assert [*Path(default_storage.path("slices")).iterdir()] == []
    assert list(AuditEvent.objects.order_by("id").values_list("verb", flat=True)) == [
        "core.ask_paper",
        "core.issue_paper",
    ]


def test_paper_shows_number_check_value_seal_and_page(tree, enterprise):
    AuditSeal.objects.create(
        id=48_211, at=timezone.now(), from_id=1, to_id=2, count=2, digest="d" * 64, previous="", mac="m" * 64
    )
    enrol(tree.enterprise, 3)
    paper = papers.make_now(papers.ask("roll", union=tree.enterprise, by=enterprise))
    [page] = text_of(paper)
    digest = paper.facts_digest
    assert f"校验值 {digest[:4]} {digest[4:8]} {digest[8:12]} {digest[12:16]}" in page
    assert "审计封存 #48,211" in page
    assert "第 1 页　共 1 页" in page
    assert f"编号 {paper.number}" in page
    assert f"制表：{enterprise.name}" in page
    assert (paper.seal_id, paper.seal_digest) == (48_211, "d" * 64)


def test_paper_embeds_the_two_packaged_faces_only(issued):
    fonts = {
        font.get_object()["/BaseFont"].split("+")[-1]
        for page in PdfReader(issued.file.path).pages
        for resources in [
            page["/Resources"],
            *(form.get_object()["/Resources"] for form in page["/Resources"]["/XObject"].values()),
        ]
        for font in resources.get("/Font", {}).values()
    }
    assert fonts == {"Noto-Serif-SC", "Noto-Sans-SC"}


def test_paper_facts_hold_no_personal_data(issued):
    assert issued.facts == {
        "cut_off": issued.facts["cut_off"],
        "day": timezone.localdate().isoformat(),
        "union": "云河恒达机械有限公司工会",
        "union_code": "T0101001",
        "filter": {},
        "groups": 1,
        "figures": [3, 1, 0],
    }


def test_paper_without_rows_is_refused(tree, enterprise):
    with pytest.raises(ValidationError):
        papers.ask("roll", union=tree.enterprise, by=enterprise)
    assert Paper.objects.count() == 0


def test_paper_too_long_is_refused(tree, enterprise, monkeypatch):
    monkeypatch.setattr(papers, "MOST_ROWS", 2)
    enrol(tree.enterprise, 3)
    with pytest.raises(ValidationError):
        papers.ask("roll", union=tree.enterprise, by=enterprise)


def test_paper_whose_rows_left_meanwhile_fails_with_a_sentence(asked):
    jobs.step_now(asked.job)
    Membership.objects.first().delete()
    jobs.run_now(asked.slices.get().job)
    asked.refresh_from_db()
    assert (asked.state, asked.number, asked.reason) == (PaperState.FAILED, None, str(papers.CHANGED_MEANWHILE))
    asked.job.refresh_from_db()
    assert (asked.job.state, asked.job.message) == ("failed", str(papers.CHANGED_MEANWHILE))


def test_nothing_outside_is_read_while_drawing(tmp_path):
    (tmp_path / "secret.txt").write_text("x")
    with pytest.raises(ValueError, match="reads nothing from outside"):
        drawing.refuse((tmp_path / "secret.txt").as_uri())
    assert drawing._weasyprint()  # with the fontconfig that knows two faces


def test_disk_full_leaves_nothing_and_says_so(asked, monkeypatch):
    jobs.step_now(asked.job)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(papers.os, "fsync", full)
        jobs.run_now(asked.slices.get().job)
    asked.refresh_from_db()
    assert (asked.state, asked.reason) == (PaperState.FAILED, str(papers.NO_ROOM))
    assert [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()] == []


# --- Numbers -----------------------------------------------------------------------------------------------------


def test_numbers_run_without_gaps_and_a_failed_paper_gives_its_number_back(tree, enterprise):
    enrol(tree.enterprise, 1)
    first, second = (papers.make_now(papers.ask("roll", union=tree.enterprise, by=enterprise)) for _paper in range(2))
    broken = papers.ask("roll", union=tree.enterprise, by=enterprise)
    jobs.step_now(broken.job)
    jobs.run_now(broken.slices.get().job)
    run = claimed(broken.job)
    papers._number(run, papers._paper_of(broken.job))
    third = papers.make_now(papers.ask("roll", union=tree.enterprise, by=enterprise))
    jobs.give_up(broken.job, "…")
    fourth = papers.make_now(papers.ask("roll", union=tree.enterprise, by=enterprise))
    assert [paper.serial for paper in (first, second, third, fourth)] == [1, 2, 4, 3]


def test_numbers_are_counted_for_each_unit_and_kind(tree, city):
    enrol(tree.enterprise, 1)
    enrol(tree.neighbour_enterprise, 1, first=2)
    made = [
        papers.make_now(papers.ask(kind, union=union, by=city)).number
        for kind, union in (
            ("roll", tree.street),
            ("roll", tree.other_district),
            ("roll", tree.city),
            ("terms", tree.street),
        )
    ]
    year = timezone.localdate().year
    assert made == [
        f"滨工册〔{year}〕0001号",
        f"东工册〔{year}〕0001号",
        f"云工册〔{year}〕0001号",
        f"滨工换〔{year}〕0001号",
    ]


def claimed(job):
    """A run that owns `job`."""
    assert jobs._take(job, jobs.Q())
    return jobs.Run(job)


@pytest.mark.django_db(transaction=True)
def test_numbers_given_at_once_are_all_different(tree, city):
    enrol(tree.enterprise, 1)
    asked = [papers.ask("roll", union=tree.enterprise, by=city) for _paper in range(6)]
    runs = []
    for paper in asked:
        jobs.step_now(paper.job)
        runs.append(claimed(paper.job))
    start, errors = threading.Barrier(len(asked)), []

    def number(run):
        try:
            start.wait()
            papers._number(run, papers._paper_of(run.job))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=number, args=[run]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(Paper.objects.values_list("serial", flat=True)) == [1, 2, 3, 4, 5, 6]


# --- Twice, at once, and taken over ------------------------------------------------------------------------------


def test_every_task_delivered_twice_makes_one_paper(asked):
    for _time in range(2):
        tasks.make_paper(asked.job_id)
    [part] = asked.slices.all()
    for _time in range(2):
        tasks.draw_slice(part.job_id)
    for _time in range(2):
        tasks.make_paper(asked.job_id)
    asked.refresh_from_db()
    assert (asked.state, asked.serial) == (PaperState.VALID, 1)
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1
    assert PaperSlice.objects.count() == 1


def test_join_waits_while_a_slice_is_not_drawn(asked):
    tasks.make_paper(asked.job_id)
    tasks.make_paper(asked.job_id)
    asked.job.refresh_from_db()
    assert (asked.job.state, asked.job.attempts) == ("waiting", 0)


@pytest.mark.django_db(transaction=True)
def test_two_slices_finishing_at_once_make_one_join(tree, city, monkeypatch):
    monkeypatch.setattr("core.rolls.SLICE_ROWS", 30)
    monkeypatch.setattr(jobs, "wake", lambda job: tasks.make_paper(job.pk) if job.task == papers.MAKE else False)
    enrol(tree.enterprise, 45)
    paper = papers.ask("roll", union=tree.enterprise, by=city)
    tasks.make_paper(paper.job_id)
    parts = list(paper.slices.all())
    assert len(parts) == 2
    drawn = threading.Barrier(2)
    original = papers._draw

    def together(run, part):
        original(run, part)
        drawn.wait()

    monkeypatch.setattr(papers, "_draw", together)

    def draw(part):
        tasks.draw_slice(part.job_id)
        connection.close()

    threads = [threading.Thread(target=draw, args=[part]) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paper.refresh_from_db()
    assert (paper.state, paper.serial) == (PaperState.VALID, 1)
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1
    assert len(list(Path(paper.file.path).parent.iterdir())) == 1


def test_join_killed_in_the_middle_is_made_again_with_the_same_number(asked):
    jobs.step_now(asked.job)
    jobs.run_now(asked.slices.get().job)
    papers._number(claimed(asked.job), papers._paper_of(asked.job))  # and then the worker was killed, leaving these
    asked.refresh_from_db()
    folder = Path(default_storage.path(f"papers/{asked.issued_at:%Y/%m}"))
    folder.mkdir(parents=True)
    for name in (f"{asked.pk}-dead.part", f"{asked.pk}-dead.pdf"):
        (folder / name).write_bytes(b"%PDF half")
    Job.objects.filter(pk=asked.job_id).update(heartbeat_at=timezone.now() - timedelta(days=1))
    tasks.make_paper(asked.job_id)
    issued = Paper.objects.get(pk=asked.pk)
    assert (issued.state, issued.number, issued.serial) == (PaperState.VALID, asked.number, 1)
    assert list(folder.iterdir()) == [Path(issued.file.path)]


def test_run_that_lost_its_slice_leaves_no_file(asked):
    jobs.step_now(asked.job)
    part = asked.slices.select_related("paper__union", "paper__job").get()
    run = claimed(part.job)
    Job.objects.filter(pk=part.job_id).update(run_token=None)
    with pytest.raises(RunLost):
        papers._draw(run, part)
    assert [*Path(default_storage.path(f"slices/{asked.pk}")).iterdir()] == []


# --- Reading, replacing, revoking --------------------------------------------------------------------------------


def test_download_gives_the_file_and_is_an_event(issued, enterprise, client_of):
    response = client_of(enterprise).get(reverse("paper_download", args=[issued.pk]))
    assert response.status_code == 200
    assert b"".join(response) == Path(issued.file.path).read_bytes()
    assert response["Content-Type"] == "application/pdf"
    event = AuditEvent.objects.filter(verb="core.download_paper").get()
    assert (event.actor_id, event.union_id) == (enterprise.pk, issued.union_id)


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_download_of_a_file_that_is_not_the_issued_one_is_refused(issued, enterprise, client_of, damage):
    path = Path(issued.file.path)
    path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:-1] + b" ")
    response = client_of(enterprise).get(reverse("paper_download", args=[issued.pk]))
    assert (response.status_code, response.url) == (302, reverse("paper_page", args=[issued.pk]))
    assert AuditEvent.objects.filter(verb="core.refuse_paper").count() == 1
    assert AuditEvent.objects.filter(verb="core.download_paper").count() == 0


def test_replacement_takes_the_place_of_the_old_paper(issued, enterprise, client_of):
    client = client_of(enterprise)
    response = client.post(reverse("paper_replace", args=[issued.pk]))
    new = issued.replaced_by
    assert response.url == reverse("job_page", args=[new.job_id])
    issued.refresh_from_db()
    assert issued.state == PaperState.VALID  # until the new one is there
    papers.make_now(new)
    issued.refresh_from_db()
    assert (issued.state, new.state, new.serial) == (PaperState.REPLACED, PaperState.VALID, 2)
    assert client.post(reverse("paper_replace", args=[issued.pk])).url == reverse("paper_page", args=[issued.pk])
    assert Paper.objects.count() == 2


def test_replacement_asked_for_twice_is_made_once(issued, enterprise):
    papers.ask("roll", union=issued.union, by=enterprise, replaces=issued)
    with pytest.raises(ValidationError):
        papers.ask("roll", union=issued.union, by=enterprise, replaces=issued)


def test_replacement_that_failed_can_be_asked_for_again(issued, enterprise):
    broken = papers.ask("roll", union=issued.union, by=enterprise, replaces=issued)
    jobs.give_up(broken.job, "…")
    again = papers.make_now(papers.ask("roll", union=issued.union, by=enterprise, replaces=issued))
    issued.refresh_from_db()
    assert (issued.state, again.replaces_id) == (PaperState.REPLACED, issued.pk)


def test_revoked_paper_says_why_and_stays_revoked(issued, enterprise, client_of):
    client = client_of(enterprise)
    assert client.post(reverse("paper_revoke", args=[issued.pk]), {"reason": " "}).status_code == 200
    issued.refresh_from_db()
    assert issued.state == PaperState.VALID
    client.post(reverse("paper_revoke", args=[issued.pk]), {"reason": "印错了日期"})
    issued.refresh_from_db()
    assert (issued.state, issued.reason) == (PaperState.REVOKED, "印错了日期")
    with pytest.raises(ValidationError):
        papers.revoke(issued, by=enterprise, reason="再来一次")
    assert AuditEvent.objects.filter(verb="core.revoke_paper").count() == 1


# --- Pages -------------------------------------------------------------------------------------------------------


def test_public_page_needs_no_sign_in_and_shows_no_person(issued, client, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = client.get(reverse("paper_public", args=[issued.token]))
    page = response.content.decode()
    assert (response.status_code, response["X-Robots-Tag"]) == (200, "noindex, nofollow")
    for shown in (issued.number, "工会会员名册", issued.union.name, papers.check_value(issued), issued.sha256):
        assert shown in page
    assert issued.asked_by_name not in page
    assert "安0001" not in page
    assert "2104*" not in page


def test_public_page_follows_the_state(issued, enterprise, client):
    papers.revoke(issued, by=enterprise, reason="印错了日期")
    response = client.get(reverse("paper_public", args=[issued.token]))
    assert response.context["state"] == PaperState.REVOKED
    assert "印错了日期" not in response.content.decode()


def test_public_page_knows_nothing_of_other_addresses(asked, client):
    assert client.get(reverse("paper_public", args=["nothing"])).status_code == 404
    assert client.get(reverse("paper_public", args=[asked.token])).status_code == 404  # not issued yet
    assert client.post(reverse("paper_public", args=["nothing"])).status_code == 405


def test_code_on_the_paper_leads_to_the_public_page(issued, settings):
    settings.PUBLIC_URL = "https://gonghui.example"
    assert papers.public_address(issued) == f"https://gonghui.example/p/{issued.token}/"
    assert drawing.qr_code("https://gonghui.example/").startswith("<svg")


def test_ask_page_asks_and_leads_to_the_job(tree, street, client_of):
    enrol(tree.enterprise, 2)
    client = client_of(street)
    page = client.get(reverse("paper_ask", args=["roll"]))
    assert page.context["form"]["code"].initial == "T0101"  # the highest union in reach
    response = client.post(reverse("paper_ask", args=["roll"]), {"union": tree.enterprise.pk})
    paper = Paper.objects.get()
    assert response.url == reverse("job_page", args=[paper.job_id])
    assert (paper.union, paper.params) == (tree.enterprise, {"scope": "subtree"})
    assert client.get(response.url).status_code == 200


def test_ask_page_takes_a_code_in_reach_only(tree, street, client_of):
    enrol(tree.neighbour_enterprise, 2)
    client = client_of(street)
    url = reverse("paper_ask", args=["roll"])
    assert client.post(url, {"code": "T0201001", "scope": "own"}).status_code == 200
    assert client.post(url, {"union": tree.neighbour_enterprise.pk, "scope": "own"}).status_code == 404
    assert client.get(reverse("paper_ask", args=["nothing"])).status_code == 404
    assert Paper.objects.count() == 0


def test_pages_of_papers_and_jobs_are_closed_to_neighbours(issued, neighbour, client_of):
    client = client_of(neighbour)
    for name, key in (("paper_page", issued.pk), ("paper_download", issued.pk), ("job_page", issued.job_id)):
        assert client.get(reverse(name, args=[key])).status_code == 404


def test_job_page_renews_itself_until_it_is_finished(asked, enterprise, client_of):
    client = client_of(enterprise)
    url = reverse("job_page", args=[asked.job_id])
    assert f'hx-get="{url}"' in client.get(url).content.decode()
    papers.make_now(asked)
    partial = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" not in partial
    assert "<html" not in partial
    assert reverse("paper_page", args=[asked.pk]) in partial


@pytest.mark.parametrize("count", [1, 3])
def test_lists_take_the_same_queries_at_any_length(tree, city, client_of, count, django_assert_num_queries):
    enrol(tree.enterprise, 1)
    for _paper in range(count):
        papers.ask("roll", union=tree.enterprise, by=city)
    client = client_of(city)
    for name in ("paper_list", "job_list"):
        client.get(reverse(name))
        with django_assert_num_queries(5):
            assert len(client.get(reverse(name)).context["table"].rows) == count


# --- A real broker and real workers ------------------------------------------------------------------------------


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_worker_makes_the_paper(tree, city, workers):  # noqa: F811
    enrol(tree.enterprise, 30)
    workers.start()
    paper = papers.ask("roll", union=tree.enterprise, by=city)
    wait_for(lambda: Job.objects.get(pk=paper.job_id).finished)
    paper.refresh_from_db()
    assert (paper.state, paper.serial, paper.pages) == (PaperState.VALID, 1, 2)


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_worker_killed_in_a_slice_another_finishes_the_paper(tree, city, workers, settings):  # noqa: F811
    settings.JOB_STALE_SECONDS = 2
    enrol(tree.enterprise, 600)
    paper = papers.ask("roll", union=tree.enterprise, by=city)
    first = workers.start()
    slices = Job.objects.filter(paper_slice__paper=paper)
    wait_for(lambda: slices.filter(state="running").exists())
    workers.kill(first)
    assert slices.filter(state="running").count() == 1
    assert list(Path(default_storage.path("")).rglob("*.pdf")) == []
    workers.start()

    def done():
        tasks.wake_jobs()  # what the timetable does each minute
        time.sleep(0.5)
        return Job.objects.get(pk=paper.job_id).finished

    wait_for(done)
    paper.refresh_from_db()
    assert (paper.state, paper.serial, paper.rows) == (PaperState.VALID, 1, 600)
    assert AuditEvent.objects.filter(verb="core.issue_paper").count() == 1
    files = [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()]
    assert files == [Path(paper.file.path)]
    assert papers.digest_of(paper.file.name) == paper.sha256


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_broker_down_lets_the_paper_wait_and_run_later(tree, city, broker, workers, client_of):  # noqa: F811
    enrol(tree.enterprise, 2)
    broker.stop()
    client = client_of(city)
    began = time.monotonic()
    response = client.post(reverse("paper_ask", args=["roll"]), {"union": tree.enterprise.pk})
    page = client.get(response.url)
    assert time.monotonic() - began < 2
    assert (response.status_code, page.status_code) == (302, 200)
    paper = Paper.objects.get()
    assert paper.job.state == "waiting"
    broker.start()
    workers.start()
    tasks.wake_jobs()
    wait_for(lambda: Job.objects.get(pk=paper.job_id).finished)
    paper.refresh_from_db()
    assert paper.state == PaperState.VALID


def test_a_union_is_found_by_its_full_name_too(tree, street, client_of):
    enrol(tree.enterprise, 1)
    client = client_of(street)
    answer = client.post(reverse("paper_ask", args=["roll"]), {"code": tree.enterprise.name})
    assert answer.status_code == 302
    assert Paper.objects.get().union == tree.enterprise
    answer = client.post(reverse("paper_ask", args=["roll"]), {"code": tree.neighbour_enterprise.name})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["code"]

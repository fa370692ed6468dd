"""The pages of imports, from upload to what came of it; and the batch when workers are killed in the middle."""

import hashlib
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import translation

from core import imports, jobs
from core.models import AuditEvent, ImportBatch, Job, Setting
from core.models.imports import BatchState
from core.models.job import JobState
from members import transfers
from members.models import Membership, Person, StagedMember, Transfer
from tests.members.people import PHONE, QIAN, ZHAO, member, number
from tests.members.registers import HEADERS, row, write
from tests.members.test_member_import import DATA, REGISTER
from tests.workers import broker, wait_for, workers  # noqa: F401

NEW = reverse("import_new", args=["members"])


@pytest.fixture(autouse=True)
def _english_and_own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def upload(client_of, tmp_path):
    """Send rows (or `content`) as a file by `user`, and read it as a worker would; returns (client, batch)."""

    def upload(user, *rows, content=None, name="名册.csv", read=True):
        client = client_of(user)
        content = write(tmp_path, rows).read_bytes() if content is None else content
        response = client.post(NEW, {"file": SimpleUploadedFile(name, content)})
        if response.status_code != 302:
            return client, response
        batch = ImportBatch.objects.latest("pk")
        assert response.url == page_of(batch)
        if read:
            jobs.run_now(batch.job)
            batch.refresh_from_db()
        return client, batch

    return upload


def page_of(batch):
    return reverse("import_page", args=[batch.pk])


def commit_of(batch):
    return reverse("import_commit", args=[batch.pk])


def discard_of(batch):
    return reverse("import_discard", args=[batch.pk])


def text_of(client, url, **headers):
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


# --- Upload --------------------------------------------------------------------------------------------------------


def test_an_uploaded_file_is_kept_for_us_alone_and_read_in_the_background(upload, enterprise, tree):
    client, batch = upload(enterprise, row(), read=False)
    assert (batch.state, batch.union, batch.created_by) == (BatchState.READING, tree.enterprise, enterprise)
    path = Path(batch.file.path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "名册" not in path.name
    with batch.file.open() as clear:
        assert batch.sha256 == hashlib.sha256(clear.read()).hexdigest()
    assert number(1).encode() not in path.read_bytes()  # sealed where it lies
    assert AuditEvent.objects.get(verb="core.upload_importbatch").changes == {"sha256": [None, batch.sha256]}
    page = text_of(client, page_of(batch))
    assert 'id="progress"' in page
    assert 'hx-trigger="every 2s"' in page
    jobs.run_now(batch.job)
    assert client.get(page_of(batch), headers={"HX-Request": "true", "HX-Target": "progress"})["HX-Refresh"] == "true"
    assert 'id="progress"' not in text_of(client, page_of(batch))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "The file is empty (0 bytes)."),
        ("a.xls", b"x", "save it as .xlsx"),
        ("a.pdf", b"%PDF", "Only workbooks (.xlsx) and CSV files (.csv) can be read."),
        ("a.xlsx", b"name,number", "This is not a workbook"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_the_form(upload, enterprise, settings, name, content, sentence):
    _client, response = upload(enterprise, content=content, name=name)
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert ImportBatch.objects.count() == 0
    assert [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []


def test_a_form_without_a_file_says_so(client_of, enterprise):
    response = client_of(enterprise).post(NEW)
    assert response.status_code == 200
    assert "This field is required." in response.content.decode()


def test_what_is_found_out_while_reading_stands_on_the_page(upload, enterprise):
    client, batch = upload(enterprise, content=b"a,b\n1,2\n")
    assert batch.state == BatchState.FAILED
    assert batch.message.startswith("No header row was found")
    assert batch.message in text_of(client, page_of(batch)).replace("&quot;", '"')
    assert client.post(discard_of(batch)).status_code == 302


def test_the_template_has_its_numbers_as_text(client_of, enterprise):
    response = client_of(enterprise).get(reverse("import_template", args=["members"]))
    sheet = openpyxl.load_workbook(BytesIO(response.content)).active
    assert [cell.value for cell in sheet[2]][:3] == ["*姓名", "*身份证号", "*所属工会编码"]
    assert sheet.column_dimensions["B"].number_format == "@"


def test_an_unknown_kind_is_no_page(client_of, enterprise):
    assert client_of(enterprise).get("/imports/new/dogs/").status_code == 404


# --- Preview -------------------------------------------------------------------------------------------------------


def test_the_preview_shows_problems_first_masked_and_says_what_to_do(upload, enterprise, tree):
    member(tree.enterprise, name="钱红", id_number=QIAN, phone="13700001111", joined_on=None)
    client, batch = upload(
        enterprise,
        row("赵建国", ZHAO),
        row("钱红", QIAN, phone="13900002222"),
        row("孙六", "210400198503070018", phone="12345"),
    )
    page = text_of(client, page_of(batch))
    assert "孙六" in page
    assert "赵建国" not in page  # behind the chip of its outcome
    assert "2104**********0018" in page
    assert "The check digit is wrong" in page
    assert "123**" in page
    stored = text_of(client, page_of(batch) + "?show=ok")
    assert "2104**********0017" in stored
    assert "137****1111" in stored
    assert "139****2222" in stored
    assert "Store 2 rows" in stored
    by_code = text_of(client, page_of(batch) + "?show=PHONE_INVALID")
    assert "孙六" in by_code
    assert "钱红" not in by_code
    for text in (page, stored, by_code):
        for secret in (ZHAO, QIAN, PHONE, "13700001111", "13900002222", "210400198503070018"):
            assert secret not in text


def test_pages_go_on_by_the_row_number_and_back(upload, enterprise):
    client, batch = upload(enterprise, *(row(f"人{'一二三四五六七八九'[place % 9]}", "x") for place in range(120)))
    first = text_of(client, page_of(batch))
    assert "?show=error&amp;after=51" in first
    second = text_of(client, page_of(batch) + "?show=error&after=51", **{"HX-Request": "true", "HX-Target": "list"})
    assert '<th scope="row" class="figure">52</th>' in second
    assert "?show=error&amp;after=101" in second
    assert "?show=error&amp;before=52" in second
    assert "<html" not in second
    last = text_of(client, page_of(batch) + "?show=error&after=101")
    assert '<th scope="row" class="figure">121</th>' in last
    assert "after=" not in last
    back = text_of(client, page_of(batch) + "?show=error&before=52")
    assert '<th scope="row" class="figure">2</th>' in back


@pytest.mark.parametrize("query", ["?show=x&after=y", "?after=-1", "?before=99999999999", "?show=UPDATED", "?after=²"])
def test_odd_parameters_show_an_ordinary_page(upload, enterprise, query):
    client, batch = upload(enterprise, row())
    assert client.get(page_of(batch) + query).status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_the_preview_costs_the_same_at_any_length(upload, enterprise, rows, django_assert_num_queries):
    client, batch = upload(enterprise, *(row("张三", number(place)) for place in range(rows)))
    text_of(client, page_of(batch))
    with django_assert_num_queries(5):
        text_of(client, page_of(batch))


@pytest.mark.parametrize("batches", [1, 3])
def test_the_list_costs_the_same_at_any_length(upload, enterprise, batches, client_of, django_assert_num_queries):
    for _batch in range(batches):
        client, _ = upload(enterprise, row())
    text_of(client, reverse("import_list"))
    with django_assert_num_queries(5):
        assert text_of(client, reverse("import_list")).count("名册.csv") == batches


# --- Commit and discard --------------------------------------------------------------------------------------------


def test_a_batch_is_stored_once_however_often_it_is_clicked(upload, enterprise):
    client, batch = upload(enterprise, row(), row("李四", "x"))
    for _click in range(2):
        assert client.post(commit_of(batch)).url == page_of(batch)
    batch.refresh_from_db()
    assert Job.objects.filter(task=imports.COMMIT).count() == 1
    jobs.run_now(batch.job)
    assert client.post(commit_of(batch)).url == page_of(batch)
    batch.refresh_from_db()
    assert (batch.state, batch.committed_by) == (BatchState.COMMITTED, enterprise)
    assert Membership.objects.count() == 1
    page = text_of(client, page_of(batch))
    assert "1 row was stored by" in page
    assert commit_of(batch) not in page
    assert discard_of(batch) not in page


def test_a_discarded_batch_leaves_neither_file_nor_rows(upload, enterprise):
    client, batch = upload(enterprise, row())
    path = Path(batch.file.path)
    assert client.post(discard_of(batch)).url == reverse("import_list")
    assert not path.exists()
    assert StagedMember.objects.count() == 0
    batch.refresh_from_db()
    assert (batch.state, batch.file.name) == (BatchState.DISCARDED, "")
    assert text_of(client, reverse("import_list")).count("名册.csv") == 0
    assert client.post(commit_of(batch)).status_code == 302
    assert Membership.objects.count() == 0
    assert AuditEvent.objects.filter(verb="core.discard_importbatch").count() == 1


def test_a_batch_discarded_while_it_is_read_stays_discarded(upload, enterprise):
    client, batch = upload(enterprise, row(), read=False)
    job = batch.job
    client.post(discard_of(batch))
    jobs.run_now(job)
    batch.refresh_from_db()
    assert batch.state == BatchState.DISCARDED
    assert StagedMember.objects.count() == 0


def test_a_commit_that_fails_can_be_asked_for_again(upload, enterprise, monkeypatch):
    client, batch = upload(enterprise, row())
    client.post(commit_of(batch))
    batch.refresh_from_db()
    with monkeypatch.context() as patch:
        patch.setattr("members.staging.enrol", lambda batch: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            jobs.run_now(batch.job)
    batch.refresh_from_db()
    assert (batch.state, Membership.objects.count(), Person.objects.count()) == (BatchState.PREVIEW, 0, 0)
    assert batch.message in text_of(client, page_of(batch))
    client.post(commit_of(batch))
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    assert Membership.objects.count() == 1


def test_a_union_sheet_goes_the_same_way(client_of, district, tree):
    client = client_of(district)
    sheet = (
        "工会编码,上级工会编码,工会名称,组织类型,任期年限\nT0109,T01,滨河区九道街道工会,街道工会,5\nT02,T00,东山,x,5\n"
    )
    client.post(reverse("import_new", args=["unions"]), {"file": SimpleUploadedFile("工会.csv", sheet.encode())})
    batch = ImportBatch.objects.get()
    jobs.run_now(batch.job)
    page = text_of(client, page_of(batch))
    assert "This union lies outside your part of the tree" in page
    assert "滨河区九道街道工会" in text_of(client, page_of(batch) + "?show=warning")
    client.post(commit_of(batch))
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    assert tree.district.children.filter(code="T0109").exists()
    assert "1 row was stored by" in text_of(client, page_of(batch))


# --- The returned workbook -----------------------------------------------------------------------------------------


def returned_of(client, batch):
    """Ask for the marked workbook, make it, fetch it."""
    assert client.post(reverse("import_return", args=[batch.pk])).url == page_of(batch)
    batch.refresh_from_db()
    assert 'id="progress"' in text_of(client, page_of(batch))
    jobs.run_now(batch.job)
    batch.refresh_from_db()
    response = client.get(reverse("import_returned", args=[batch.pk]))
    return b"".join(response.streaming_content)


def test_the_marked_workbook_is_sealed_fetched_with_an_event_and_gone_with_its_truth(
    upload, enterprise, auditor, client_of
):
    client, batch = upload(enterprise, row(), row("李四", "x"), row("=1+1", number(3)))
    book = openpyxl.load_workbook(BytesIO(returned_of(client, batch))).active
    assert book["G1"].value == "处理结果"
    assert (book["G2"].value, book["B2"].value, book["B2"].number_format) == (None, number(1), "@")
    assert "未" in book["G3"].value or "not stored" in book["G3"].value
    assert (book["A4"].value, book["A4"].data_type) == ("=1+1", "s")
    path = Path(batch.returned.path)
    assert number(1).encode() not in path.read_bytes()
    assert AuditEvent.objects.filter(verb="core.download_importbatch").count() == 1
    assert reverse("import_returned", args=[batch.pk]) in text_of(client, page_of(batch))
    assert client_of(auditor).get(reverse("import_returned", args=[batch.pk])).status_code == 403
    client.post(commit_of(batch))
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    batch.refresh_from_db()
    assert (batch.state, batch.returned.name) == (BatchState.COMMITTED, "")
    assert client.get(reverse("import_returned", args=[batch.pk])).url == page_of(batch)


def test_a_marked_workbook_asked_for_before_the_commit_is_not_kept_after_it(upload, enterprise):
    client, batch = upload(enterprise, row(), row("李四", "x"))
    client.post(reverse("import_return", args=[batch.pk]))
    batch.refresh_from_db()
    late = batch.job
    client.post(reverse("import_return", args=[batch.pk]))
    assert Job.objects.filter(task=imports.RETURN).count() == 1
    client.post(commit_of(batch))
    jobs.run_now(late)
    batch.refresh_from_db()
    assert (batch.returned.name, late.state) == ("", JobState.DONE)


def test_above_the_limit_only_the_problem_rows_come_back(upload, enterprise):
    Setting.objects.filter(key="import_whole_rows").update(value="2")
    client, batch = upload(enterprise, row(), row("李四", "x"), row("王五", "y"))
    book = openpyxl.load_workbook(BytesIO(returned_of(client, batch))).active
    assert [line[-2].value for line in book] == ["原表行号", 3, 4]


def test_the_sample_returned_corrected_and_imported_again_leaves_no_error(root, upload):
    call_command("import_unions", str(DATA / "unions.csv"), "--as", "root", "--commit")
    client, batch = upload(root, content=REGISTER.read_bytes(), name="会员名册.xlsx")
    client.post(commit_of(batch))
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    book = openpyxl.load_workbook(BytesIO(returned_of(client, batch)))
    sheet, left = book.active, 0
    headers = {cell.value: cell.column for cell in sheet[3]}
    result = headers["处理结果"]
    errors = dict(StagedMember.objects.filter(batch=batch, outcome="error").values_list("row", "codes"))
    assert {line for line in range(4, sheet.max_row + 1) if sheet.cell(line, result).value} == set(
        StagedMember.objects.filter(batch=batch).exclude(outcome="ok").values_list("row", flat=True)
    )
    for place, (line, codes) in enumerate(errors.items()):
        if codes == ["ACTIVE_ELSEWHERE"]:
            left += 1  # no correction of a cell: a transfer is asked for
            continue
        new = {"姓  名": "更正", "身份证号码": number(place % 1000, born=f"19{70 + place // 1000}0101"), "性别": ""}
        new |= {"所属工会编码": "C01010117", "入会时间": "2020-01-02"}
        for header, value in new.items():
            sheet.cell(line, headers[header]).value = value
    out = BytesIO()
    book.save(out)
    _client, again = upload(root, content=out.getvalue(), name="更正后.xlsx")
    assert again.counts["outcomes"]["error"] == left
    assert again.counts["outcomes"]["ok"] == len(errors) - left


# --- What a row leads to -------------------------------------------------------------------------------------------


def test_a_row_of_a_member_elsewhere_offers_to_ask_for_a_transfer(upload, enterprise, auditor, client_of, tree):
    member(tree.neighbour_enterprise, name="钱红", id_number=QIAN)
    client, batch = upload(enterprise, row("钱红", QIAN))
    page = text_of(client, page_of(batch))
    asking = reverse("transfer_from_row", args=[batch.pk])
    assert asking in page
    assert "东山" not in page
    assert client.post(asking, {"row": "2"}).status_code == 302
    transfer = Transfer.objects.get()
    page = text_of(client, page_of(batch))
    assert reverse("transfer_page", args=[transfer.pk]) in page
    assert asking not in page


def test_all_members_elsewhere_are_asked_for_at_once_and_refusals_are_listed(
    upload, enterprise, auditor, client_of, tree
):
    qian = member(tree.neighbour_enterprise, name="钱红", id_number=QIAN)
    sun = member(tree.other_street, name="孙立", id_number=number(3))
    client, batch = upload(enterprise, row("钱红", QIAN), row("孙立", number(3)), row("李新", number(5)))
    url = reverse("transfers_from_batch", args=[batch.pk])
    assert f'action="{url}"' in text_of(client, page_of(batch))
    assert client_of(auditor).post(url).status_code == 403
    transfers.ask_transfer(by=None, membership=sun, to_union=tree.sibling, side="FROM")  # another one was quicker
    answer = client.post(url)
    assert client.post(url).url == answer.url  # a second click
    job = jobs.run_now(Job.objects.get(task=transfers.ASK_ROWS))
    assert answer.url == reverse("job_page", args=[job.pk])
    assert (job.state, job.total, job.result_url) == ("done", 2, page_of(batch))
    asked = Transfer.objects.get(to_union=tree.enterprise)
    assert (asked.membership, asked.side, asked.asked_by) == (qian, "TO", enterprise)
    assert [note for note in job.notes if "(3)" in note] == job.notes
    assert "孙立" not in str(job.notes)
    jobs.start(transfers.ASK_ROWS, title="—", by=enterprise, params={"batch": batch.pk})  # delivered once more
    jobs.run_now(Job.objects.latest("pk"))
    assert Transfer.objects.count() == 2


def test_a_sheet_without_members_elsewhere_asks_for_none(upload, enterprise):
    client, batch = upload(enterprise, row("李新", number(5)))
    url = reverse("transfers_from_batch", args=[batch.pk])
    assert url not in text_of(client, page_of(batch))
    assert client.post(url).url == page_of(batch)
    assert not Job.objects.filter(task=transfers.ASK_ROWS).exists()


def test_possible_duplicates_that_a_sheet_brings_are_found_and_told(upload, enterprise, tree):
    member(tree.enterprise, name="张三", id_number=number(2), phone=PHONE)
    client, batch = upload(enterprise, row("张三", number(4), phone=PHONE))
    client.post(commit_of(batch))
    batch.refresh_from_db()
    jobs.run_now(batch.job)
    page = text_of(client, page_of(batch))
    assert "1 possible duplicate" in page
    assert reverse("pair_list") in page


def test_other_sheets_with_a_header_are_named(upload, enterprise):
    book = openpyxl.Workbook()
    for place in range(40):
        sheet = book.active if not place else book.create_sheet(f"表{place}")
        sheet.append(HEADERS if place in (3, 7) else ["随便"])
        sheet.append(row(id_number=number(place)))
    book["表9"].sheet_state = "hidden"
    out = BytesIO()
    book.save(out)
    client, batch = upload(enterprise, content=out.getvalue(), name="四十张.xlsx")
    assert (batch.sheet, batch.other_sheets, batch.counts["outcomes"]["ok"]) == ("表3", ["表7"], 1)
    assert "Only the sheet «表3» is read" in text_of(client, page_of(batch))


def test_the_history_tells_counts_and_who_took_back_and_narrows(upload, enterprise, street, client_of):
    client, batch = upload(enterprise, row(), row("李四", "x"))
    for act in ("import_commit", "import_undo"):
        client.post(reverse(act, args=[batch.pk]))
        batch.refresh_from_db()
        jobs.run_now(batch.job)
    page = text_of(client, reverse("import_list"))
    assert "taken back" in page
    assert enterprise.name in page
    assert "not stored 1" in page
    stored = text_of(client, page_of(batch) + "?show=ok")
    assert '<span class="badge rest">taken back</span>' in stored
    above = client_of(street)
    for query, shown in (("state=undone", 1), ("state=preview", 0), ("kind=unions", 0), ("mine=on", 0)):
        assert text_of(above, f"{reverse('import_list')}?{query}").count("名册.csv") == shown


# --- Who sees it ---------------------------------------------------------------------------------------------------


def test_a_batch_is_seen_from_above_and_by_its_own_not_by_the_neighbour(
    upload, street, district, enterprise, neighbour, auditor, nobody, client_of
):
    _client, batch = upload(street, row())
    statuses = {
        user.username: client_of(user).get(page_of(batch)).status_code
        for user in (street, district, enterprise, neighbour, auditor, nobody)
    }
    assert statuses == {
        "street": 200, "district": 200, "enterprise": 404, "neighbour": 404, "auditor": 200, "nobody": 403,
    }  # fmt: skip
    assert client_of(auditor).post(commit_of(batch)).status_code == 403
    assert client_of(neighbour).post(commit_of(batch)).status_code == 404
    assert client_of(neighbour).post(discard_of(batch)).status_code == 404
    assert commit_of(batch) not in text_of(client_of(auditor), page_of(batch))


def test_an_upload_for_two_places_is_seen_by_its_own_but_not_by_a_colleague_at_one(upload, tree, enterprise, client_of):
    enterprise.appointments.create(union=tree.neighbour_enterprise, role="cadre", valid_from="2020-01-01")
    client, batch = upload(enterprise, row(), row("李四", number(2), "T0201001"))
    assert batch.union == tree.city
    assert batch.counts["outcomes"]["ok"] == 2
    assert client.get(page_of(batch)).status_code == 200
    colleague = type(enterprise).objects.create(username="colleague")
    colleague.appointments.create(union=tree.enterprise, role="cadre", valid_from="2020-01-01")
    assert client_of(colleague).get(page_of(batch)).status_code == 404


# --- Workers that are killed ---------------------------------------------------------------------------------------


PEOPLE, FAULTY = 8_000, 5
ENDS = {
    "reading": BatchState.PREVIEW, "committing": BatchState.COMMITTED, "returning": BatchState.PREVIEW,
    "undoing": BatchState.UNDONE,
}  # fmt: skip


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stage", ENDS)
def test_a_worker_killed_at_any_stage_leaves_a_batch_that_ends_well(
    tree,
    root,
    client_of,
    tmp_path,
    settings,
    workers,  # noqa: F811
    stage,
):
    settings.JOB_STALE_SECONDS = 2
    days = [date(1970, 1, 1) + timedelta(days=place) for place in range(PEOPLE)]
    rows = [row(f"赵钱{chr(0x4E00 + place)}", number(1, born=f"{day:%Y%m%d}")) for place, day in enumerate(days)]
    client = client_of(root)
    content = write(tmp_path, [*rows, *[row("李四", "x")] * FAULTY]).read_bytes()
    client.post(NEW, {"file": SimpleUploadedFile("名册.csv", content)})
    batch = ImportBatch.objects.select_related("job").get()
    if stage != "reading":
        jobs.run_now(batch.job)
        client.post(reverse("import_return", args=[batch.pk]) if stage == "returning" else commit_of(batch))
    if stage == "undoing":
        jobs.run_now(batch_now(batch).job)
        client.post(reverse("import_undo", args=[batch.pk]))
    victim = workers.start()
    if stage == "reading":
        wait_for(lambda: StagedMember.objects.count() > 2000)
    else:
        wait_for(lambda: batch_now(batch).job.state != JobState.WAITING)
    workers.kill(victim)
    if batch_now(batch).state == BatchState.COMMITTING:
        assert Membership.objects.count() == Person.objects.count() == 0
    if batch_now(batch).state == BatchState.UNDOING:
        assert Membership.objects.count() == Person.objects.count() == PEOPLE
    workers.start()
    wait_for(lambda: woken(batch).job.state == JobState.DONE)
    batch = batch_now(batch)
    assert batch.state == ENDS[stage]
    assert batch.counts["outcomes"] == {"ok": PEOPLE, "warning": 0, "duplicate": 0, "error": FAULTY}
    assert StagedMember.objects.count() == PEOPLE + FAULTY
    stored = PEOPLE if stage == "committing" else 0
    assert Membership.objects.count() == Person.objects.count() == stored
    verb = {"committing": "members.import_membership", "undoing": "core.undo_importbatch"}.get(stage)
    assert AuditEvent.objects.filter(verb=verb).count() == (1 if verb else 0)
    files = [path for path in (Path(settings.MEDIA_ROOT) / "returned").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ([Path(batch.returned.name).name] if stage == "returning" else [])


def batch_now(batch):
    return ImportBatch.objects.select_related("job").get(pk=batch.pk)


def woken(batch):
    """The batch as it stands, after the timetable has looked for silent jobs."""
    jobs.wake_waiting()
    return batch_now(batch)

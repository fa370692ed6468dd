"""The pages of a household: one sheet, drafts, conflicts, masks, consents, papers; the list, the export."""

import io
import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation
from openpyxl import load_workbook
from PIL import Image

from assistance.households import AmountRow
from assistance.models import Consent, HardshipCase
from core import drafts, exports
from core.models import AuditEvent, Deadline, DeadlineRule, Draft, Export, Upload
from tests.assistance.households import household, own, rewritten
from tests.builders import hardship_case_at
from tests.members.people import PHONE, QIAN, ZHAO, member, number

SECRETS = (ZHAO, QIAN, PHONE, "尿毒症", "青年路18号", "6222021300001234567")


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def text_of(response):
    return response.content.decode()


def rows(name, columns, *lines):
    """The form data of a table of rows."""
    return {f"{name}-{column}": [line[place] for line in lines] for place, column in enumerate(columns)}


PEOPLE = ("pk", "kin", "name", "number", "situation", "workplace", "health")
AMOUNTS = ("of", "kind", "amount", "notes")


def sheet(**changes):
    """What a browser sends of the application of 赵建国, as the page offers it and somebody goes on."""
    data = {
        "applied_on": "2026-03-02", "cause": "ILLNESS", "phone": "138****1234", "residence": "******",
        "resident": "on", "labour_months": "60", "houses": "1", "event_loss": "", "statement": "丈夫患尿毒症",
    }  # fmt: skip
    data |= rows(
        "people", PEOPLE, ("", "SELF", "赵建国", "2104**********0017", "WORKING", "一车间", "尿毒症"),
        ("", "SPOUSE", "钱 芳", "２１０４００１９９２０２２９００２９", "JOBLESS", "", ""),
        ("", "", "", "", "", "", ""),
    )  # fmt: skip
    data |= rows("incomes", AMOUNTS, ("", "WAGE", "３６，０００.50", "工资条"), ("钱芳", "OTHER", "￥1,200", ""))
    data |= rows("expenses", AMOUNTS, ("2", "MEDICAL", "12000", ""), ("", "", "", ""))
    return data | changes


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise, phone=PHONE, residence="青年路18号")


@pytest.fixture
def case(tree):
    facts = {"statement": "丈夫患尿毒症", "bank_name": "工商银行", "bank_account": "6222021300001234567"}
    return household(tree.enterprise, facts=facts)


def apply_url(membership):
    return reverse("hardship_apply", args=[membership.pk])


# --- Applying --------------------------------------------------------------------------------------------------------


def test_the_sheet_opens_with_what_the_register_knows_masked(zhao, enterprise, client_of):
    page = text_of(client_of(enterprise).get(apply_url(zhao)))
    for shown in ("2104**********0017", "138****1234", 'value="赵建国"', "******"):
        assert shown in page
    assert not [secret for secret in SECRETS if secret in page]
    assert "Apply for hardship help" in text_of(client_of(enterprise).get(reverse("member_page", args=[zhao.pk])))


def test_a_sheet_becomes_a_case(zhao, enterprise, client_of):
    client = client_of(enterprise)
    answer = client.post(apply_url(zhao), sheet())
    case = HardshipCase.objects.get()
    assert answer.url == reverse("hardship_page", args=[case.pk])
    assert (case.phone, case.residence, case.statement) == (PHONE, "青年路18号", "丈夫患尿毒症")
    assert [(row.name, row.id_number, row.health) for row in case.people.all()] == [
        ("赵建国", ZHAO, "尿毒症"), ("钱芳", QIAN, "")
    ]  # fmt: skip
    assert [(row.of.name, row.amount) for row in case.incomes.all()] == [
        ("赵建国", Decimal("36000.50")), ("钱芳", Decimal(1200))
    ]  # fmt: skip
    assert [(row.of.name, row.kind) for row in case.expenses.all()] == [("钱芳", "MEDICAL")]
    page = text_of(client.get(answer.url))
    assert "37200.50" in page
    assert not [secret for secret in SECRETS if secret in page]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cause": ""}, "This field is required."),
        ({"labour_months": "-3"}, "0"),
        ({"applied_on": "昨天"}, "Enter a date like 2019-03-05."),
        ({"people-number": ["2104**********0017", "210400199202290020", ""]}, "Row 2: The check digit is wrong"),
        ({"people-kin": ["SELF", "AUNT", ""]}, "Row 2: choose the relation"),
        ({"people-kin": ["SPOUSE", "SPOUSE", ""]}, "Row 1: "),
        ({"people-situation": ["WORKING", "", ""]}, "Row 2: choose the situation."),
        ({"people-name": ["赵建国", "钱2芳", ""]}, "Row 2: This is no name of a person"),
        ({"incomes-of": ["孙", ""]}, "Row 1: nobody of the household has this name."),
        ({"incomes-of": ["9", ""]}, "Row 1: say whose it is"),
        ({"incomes-kind": ["", "OTHER"]}, "Row 1: choose the kind."),
        ({"incomes-amount": ["三万", "1"]}, "Row 1: write the amount in yuan"),
        ({"incomes-amount": ["1.005", "1"]}, "Row 1: write the amount in yuan"),
        ({"incomes-amount": ["NaN", "1"]}, "Row 1: write the amount in yuan"),
        ({"incomes-amount": ["1e999999999", "1"]}, "Row 1: "),
        ({"incomes-amount": ["-5", "1"]}, "Row 1: an amount is never negative."),
        ({"expenses-amount": ["99999999999999", ""]}, "it is in yuan"),
        ({"flags": ["YACHT"]}, "Select a valid choice"),
        ({"event_loss": "7"}, "Say which event the loss comes from."),
        ({"bank_account": "12"}, "8 to 30 digits"),
        ({"people": "[" * 9999}, "cannot be read"),
    ],
)
def test_a_wrong_entry_is_told_and_nothing_typed_is_lost(zhao, enterprise, client_of, changes, sentence):
    page = text_of(client_of(enterprise).post(apply_url(zhao), sheet(**changes)))
    assert sentence in page
    assert "丈夫患尿毒症" in page  # typed just now, by this user
    assert not HardshipCase.objects.exists()


def test_two_of_one_name_are_told_apart_by_their_row(zhao, enterprise, client_of):
    people = rows(
        "people", PEOPLE, ("", "SELF", "赵建国", "2104**********0017", "WORKING", "", ""),
        ("", "CHILD", "赵小宝", number(5, born="20160301"), "STUDENT", "", ""),
        ("", "CHILD", "赵小宝", number(7, born="20180301"), "STUDENT", "", ""),
    )  # fmt: skip
    spent = rows("expenses", AMOUNTS, ("赵小宝", "EDUCATION", "800", ""))
    data = sheet(**people, **rows("incomes", AMOUNTS, ("", "WAGE", "1", "")), **spent)
    assert "write the number of the row" in text_of(client_of(enterprise).post(apply_url(zhao), data))
    client_of(enterprise).post(apply_url(zhao), data | {"expenses-of": ["３"]})
    case = HardshipCase.objects.get()
    assert case.expenses.get().of == case.people.last()
    page = text_of(client_of(enterprise).get(reverse("hardship_edit", args=[case.pk])))
    assert 'name="expenses-of" value="3"' in page


def test_a_draft_opens_with_its_rows_and_goes_when_the_sheet_is_taken(zhao, enterprise, client_of):
    client, url = client_of(enterprise), apply_url(zhao)
    fields = {name: value if isinstance(value, list) else [value] for name, value in sheet().items()}
    drafts.keep(enterprise, url, fields)
    page = text_of(client.get(url))
    assert "Your draft of" in page
    assert 'name="people-name" value="钱 芳"' in page
    client.post(url, sheet())
    assert not Draft.objects.exists()


def test_who_cannot_apply_is_told_at_once(zhao, enterprise, client_of):
    zhao.person.die(date(2026, 1, 1))
    page = text_of(client_of(enterprise).get(apply_url(zhao)))
    assert "The register says that this person died" in page
    assert "this person died" in text_of(client_of(enterprise).post(apply_url(zhao), sheet()))
    assert not HardshipCase.objects.exists()


# --- Changing --------------------------------------------------------------------------------------------------------


def hidden_and_shown(page):
    """The form data that a browser would send back unchanged, read from the page's own form."""
    form = page.context["form"]
    data = {}
    for bound in form:
        value = bound.field.prepare_value(form.get_initial_for_field(bound.field, bound.name))
        if bound.name in ("people", "incomes", "expenses"):
            data[bound.html_initial_name] = value
            for row in json.loads(value):
                for column, text in row.items():
                    data.setdefault(f"{bound.name}-{column}", []).append(text)
            continue
        for name in (bound.html_name, bound.html_initial_name):
            if value is not False and value not in (None, "", []):
                data[name] = "on" if value is True else value
    return data


def test_the_edit_sheet_shows_masks_and_saved_as_it_is_changes_nothing(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_edit", args=[case.pk])
    page = client.get(url)
    assert not [secret for secret in SECRETS if secret in text_of(page)]
    saved = client.post(url, hidden_and_shown(page))
    assert not saved.context or saved.context["form"].errors == {}
    after = HardshipCase.objects.get()
    assert after.version == 1
    assert (after.statement, after.bank_account, after.phone) == ("丈夫患尿毒症", "6222021300001234567", PHONE)
    assert not AuditEvent.objects.filter(verb="assistance.change_hardshipcase").exists()


def test_an_edit_stores_what_was_changed(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_edit", args=[case.pk])
    data = hidden_and_shown(client.get(url))
    data |= {"statement": "已痊愈", "people-situation": ["WORKING", "ILL", "STUDENT"], "expenses-amount": ["99.90"]}
    client.post(url, data)
    after = HardshipCase.objects.get()
    assert (after.statement, after.expenses.get().amount, after.version) == ("已痊愈", Decimal("99.90"), 2)
    assert [row.situation for row in after.people.all()] == ["WORKING", "ILL", "STUDENT"]
    assert [row.id_number for row in after.people.all()][:2] == [ZHAO, QIAN]


def test_a_late_edit_shows_both_and_saves_on_second_thought(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_edit", args=[case.pk])
    data = hidden_and_shown(client.get(url))
    people = [own(pk=case.applicant.pk)]
    rewritten(case, people=people, facts={"cause": "DISABILITY"})
    answer = client.post(url, data | {"statement": "另有变化"})
    assert answer.status_code == 409
    page = text_of(answer)
    assert "Somebody changed this record" in page
    assert "because of disability" in page
    assert "另有变化" in page
    assert not [secret for secret in SECRETS if secret in page]
    form = answer.context["form"]
    again = dict(form.data.lists())
    assert client.post(url, again).status_code == 302
    after = HardshipCase.objects.get()
    assert (after.statement, after.cause, after.people.count()) == ("另有变化", "DISABILITY", 1)


def test_a_row_that_somebody_else_deleted_is_typed_anew(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_edit", args=[case.pk])
    data = hidden_and_shown(client.get(url))
    rewritten(case, people=[own(pk=case.applicant.pk)], expenses=[AmountRow(0, "MEDICAL", Decimal(1))])
    late = client.post(url, data | {"people-workplace": ["", "纺织厂", ""]})
    assert late.status_code == 409
    again = dict(late.context["form"].data.lists())
    assert "Row 2: this row was deleted meanwhile: type the number in full." in text_of(client.post(url, again))
    again["people-number"] = ["2104**********0017", QIAN, number(5, born="20160301")]
    assert client.post(url, again).status_code == 302
    assert [(row.name, row.workplace) for row in HardshipCase.objects.get().people.all()] == [
        ("赵建国", ""), ("钱芳", "纺织厂"), ("赵小宝", "")
    ]  # fmt: skip


def test_what_cannot_be_changed_says_why(case, enterprise, client_of):
    HardshipCase.objects.update(state="PUBLICITY")
    client = client_of(enterprise)
    for url in (reverse("hardship_edit", args=[case.pk]), reverse("hardship_page", args=[case.pk])):
        assert "in a draft or in a periodic review only" in text_of(client.get(url))


# --- Looking, consents, papers ---------------------------------------------------------------------------------------


def test_what_is_sealed_is_shown_on_one_answer_and_written_down(case, enterprise, auditor, client_of):
    url = reverse("hardship_reveal", args=[case.pk])
    page = text_of(client_of(enterprise).post(url, {"reason": ""}))
    assert not [secret for secret in SECRETS if secret in page]
    answer = client_of(enterprise).post(url, {"reason": "核对户口本"})
    for secret in (ZHAO, QIAN, PHONE, "尿毒症", "青年路18号", "6222021300001234567"):
        assert secret in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert AuditEvent.objects.get(verb="assistance.reveal_hardshipcase").reason == "核对户口本"
    assert client_of(auditor).post(url, {"reason": "审计"}).status_code == 403


def test_consents_are_recorded_and_withdrawn_on_the_page(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_consent", args=[case.pk])
    assert "Nothing is signed yet." in text_of(client.get(reverse("hardship_page", args=[case.pk])))
    key = f"{case.applicant.pk}:CHECK"
    client.post(url, {"on": "2026-03-01", "given": [key]})
    row = Consent.objects.get()
    page = text_of(client.get(reverse("hardship_page", args=[case.pk])))
    assert "signed on 2026-03-01, text 2026-1" in page
    assert "授权工会帮扶工作机构" in page
    client.post(url, {"withdraw": row.pk})
    row.refresh_from_db()
    assert row.withdrawn_at
    for data in ({}, {"on": "2026-03-01", "given": ["x"]}, {"on": "", "given": [key]}, {"withdraw": "²"}):
        client.post(url, data)
    assert Consent.objects.count() == 1


def photo():
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(made, "PNG")
    return SimpleUploadedFile("赵建国身份证.png", made.getvalue(), content_type="text/html")


def test_a_paper_is_kept_and_handed_out_as_a_download_only(case, enterprise, neighbour, auditor, client_of):
    client = client_of(enterprise)
    client.post(reverse("hardship_upload", args=[case.pk]), {"kind": "ID_CARD", "file": photo()})
    row = Upload.objects.get()
    url = reverse("hardship_document", args=[row.pk])
    assert url in text_of(client.get(reverse("hardship_page", args=[case.pk])))
    answer = client_of(auditor).get(url)
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"] == f'attachment; filename="{case.pk}-{row.pk}.jpg"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
    event = AuditEvent.objects.get(verb="core.download_upload")
    assert (event.actor_id, event.union_id) == (auditor.pk, case.union_id)
    assert client_of(neighbour).get(url).status_code == 404


def test_a_paper_is_taken_away_with_a_reason_while_the_case_may_be_changed(case, enterprise, auditor, client_of):
    client = client_of(enterprise)
    client.post(reverse("hardship_upload", args=[case.pk]), {"kind": "ID_CARD", "file": photo()})
    row = Upload.objects.get()
    url = reverse("hardship_document_remove", args=[row.pk])
    assert client_of(auditor).post(url, {"reason": "传错了"}).status_code == 403
    client.post(url, {"reason": ""})
    HardshipCase.objects.update(state="FILED")
    client.post(url, {"reason": "传错了"})
    row.refresh_from_db()
    assert row.removed_at is None
    HardshipCase.objects.update(state="REVIEW")
    client.post(url, {"reason": "传错了"})
    row.refresh_from_db()
    assert (row.removed_by, row.removed_reason, row.file.name) == (enterprise, "传错了", "")
    page = client.get(reverse("hardship_document", args=[row.pk]), follow=True)
    assert "This paper was taken away." in text_of(page)


def test_a_refused_paper_says_why(case, enterprise, client_of):
    client, url = client_of(enterprise), reverse("hardship_upload", args=[case.pk])
    fake = SimpleUploadedFile("x.jpg", b"<html><script>alert(1)</script>", content_type="image/jpeg")
    assert "This is no photo" in text_of(client.post(url, {"kind": "ID_CARD", "file": fake}, follow=True))
    page = client.post(url, {"kind": "ID_CARD"}, follow=True)
    assert "This field is required." in text_of(page)
    HardshipCase.objects.update(state="CLOSED")
    closed = client.post(url, {"kind": "ID_CARD", "file": photo()}, follow=True)
    assert "This case is closed: nothing is added to it." in text_of(closed)
    assert not Upload.objects.exists()


# --- The list --------------------------------------------------------------------------------------------------------

LIST = reverse("hardship_list")


def keys(answer):
    return {row.pk for row in answer.context["table"].data.data}


@pytest.fixture
def four(tree):
    filed = hardship_case_at(tree.enterprise)
    draft = hardship_case_at(tree.sibling)
    draft.state, draft.category, draft.cause, draft.applied_on, draft.migrant = (
        "DRAFT", "", "EDUCATION", date(2026, 6, 1), True,
    )  # fmt: skip
    draft.save()
    closed = hardship_case_at(tree.neighbour_enterprise)
    closed.state = "CLOSED"
    closed.save()
    return filed, draft, closed


def test_each_filter_of_the_list(four, tree, city, client_of):
    filed, draft, closed = (each.pk for each in four)
    rule = DeadlineRule.objects.first()
    for key, state in ((draft, "open"), (filed, "met")):
        Deadline.objects.create(
            rule=rule, trigger=date(2026, 1, 5), natural=date(2026, 1, 9), due=date(2026, 1, 9),
            earliest=date(2026, 1, 9), derivation="—", subject_type="assistance.hardshipcase", subject_id=key,
            title="—", union=tree.sibling, side="OURS", state=state,
            closed_on=date(2026, 1, 6) if state == "met" else None,
        )  # fmt: skip
    client = client_of(city)
    for query, found in (
        ("", {filed, draft}),
        ("state=every", {filed, draft, closed}),
        ("state=CLOSED", {closed}),
        ("state=under_way", {draft}),
        ("category=DEEP&state=every", {filed, closed}),
        ("cause=EDUCATION", {draft}),
        ("overdue=on", {draft}),
        (f"union={tree.street.pk}&state=every", {filed, draft}),
        (f"union={tree.enterprise.pk}", {filed}),
        ("applied_on_from=2026-04-01", {draft}),
        ("applied_on_to=2026-04-01", {filed}),
        ("migrant=on", {draft}),
        ("category=NOBODY", set()),
    ):
        assert keys(client.get(f"{LIST}?{query}")) == found, query


def test_the_list_ends_at_the_border_and_shows_masks(four, neighbour, client_of):
    filed, _draft, closed = four
    answer = client_of(neighbour).get(f"{LIST}?state=every&columns=*&sort=-per_capita")
    assert keys(answer) == {closed.pk}
    assert "2104**********0017" in text_of(answer)
    assert closed.file.person.id_number not in text_of(answer)
    assert client_of(neighbour).get(reverse("hardship_page", args=[filed.pk])).status_code == 404


def test_an_export_is_masked_and_says_what_it_is_for(four, auditor, client_of, django_capture_on_commit_callbacks):
    page = client_of(auditor).get(f"{LIST}?state=every")
    assert reverse("export_ask", args=["hardship"]) in text_of(page)
    export = exports.ask("hardship", by=auditor, query="state=every&columns=*", purpose="年度审计")
    with OpenWorkbook(export) as sheet:
        cells = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert "目的" in "".join(cells) or "年度审计" in "".join(cells)
    assert cells.count("2104**********0017") == 3
    assert not [cell for cell in cells if four[0].file.person.id_number in cell]
    assert "深度困难" in cells or "deep hardship" in cells


class OpenWorkbook:
    """The sheet that an export's job writes."""

    def __init__(self, export):
        self.export = export

    def __enter__(self):
        kind = exports.kinds()["hardship"](self.export.asked_by)
        file = io.BytesIO()

        class Run:
            def progress(self, **_facts):
                pass

        assert exports.write(file, kind, Export.objects.get(pk=self.export.pk), Run()) == 3
        return load_workbook(file).active

    def __exit__(self, *_error):
        pass

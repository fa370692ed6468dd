"""Publicity: masked whatever is planted, gone after its days by itself, objections that stop it, and the proof."""

import re
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pypdf import PdfReader

from assistance import publicity, publicity_papers
from assistance.models import HardshipCase
from core import limits, names, papers
from core import publicity as core_publicity
from core.models import AuditEvent, CalendarDay, Deadline, Objection, Publicity
from members.matching import COMPOUND
from tests import cast
from tests.assistance.published import household

MONDAY = date(2026, 11, 16)  # the five working days after it end on the next Monday
TEXT = "他家有两套住房，请再核实一下情况。"


def at(day, hour=9):
    return timezone.make_aware(datetime(day.year, day.month, day.day, hour))


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield
    caches["default"].clear()


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(at(MONDAY), tick=False)
    return time_machine


@pytest.fixture
def case(tree):
    return household(tree.enterprise, kin=[("SPOUSE", "王芳"), ("CHILD", "安小宝")])


@pytest.fixture
def shown(case):
    return publicity.begin(case, None)


def page_of(row):
    return reverse("publicity_public", args=[row.token])


def sentences(act, *args, **facts):
    with pytest.raises(ValidationError) as refusal:
        act(*args, **facts)
    return " ".join(refusal.value.messages)


# --- Names and numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("安建国", "安*"), ("欧阳", "欧*"), ("欧阳思琪", "欧阳*"), ("阿卜杜拉·买买提", "阿*"), ("John Smith", "J*"),
        ("", "*"), ("13800131234", "*"), ("安210400198503070017", "安*"), ("  安 建国 ", "安*"),
    ],
)  # fmt: skip
def test_a_name_is_masked_to_its_surname(name, masked):
    assert names.mask_name(name) == masked


def test_compound_surnames_are_those_that_names_are_compared_by():
    assert names.COMPOUND_SURNAMES == COMPOUND


@pytest.mark.parametrize(
    "text",
    [
        "恒达13800131234工会", "恒达138 0013 1234工会", "恒达1-3-8-0-0-1-3工会",
        "恒达１３８００１３１２３４工会", "恒达幺三八零零幺三幺",
        "0413-2345678", "6222 0213 0700 1234 567", "٢١٠٤٠٠١٩٨٥",
    ],
)  # fmt: skip
def test_a_number_is_found_however_it_is_written(text):
    assert core_publicity.holds_number(text)
    assert not core_publicity.holds_number(core_publicity.without_numbers(text))


@pytest.mark.parametrize("text", ["国营第504厂工会", "云河第一百二十三中学工会", "2026年度", "", "一道街道工会"])
def test_an_ordinary_name_holds_no_number(text):
    assert not core_publicity.holds_number(text)


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_may_be_shown_and_nobody_need_sign_in(shown, client, tree):
    answer = client.get(page_of(shown))
    text = answer.content.decode()
    assert answer.status_code == 200
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "no-referrer"
    for word in ("困难职工建档公示", "安*", "深度困难", "因病", tree.enterprise.name, tree.street.name):
        assert word in text
    assert "安建国" not in text
    assert shown.shown["people"] == 3
    assert shown.digest == core_publicity.digest_of(shown.title, shown.shown)


def test_the_page_is_gone_after_its_last_day_without_anything_having_run(shown, client, clock):
    assert shown.shown_until == date(2026, 11, 23)
    clock.move_to(at(shown.shown_until, 23))
    assert client.get(page_of(shown)).status_code == 200
    clock.move_to(at(shown.shown_until + timedelta(days=1), 0))
    answer = client.get(page_of(shown))
    assert answer.status_code == 410
    assert "安*" not in answer.content.decode()
    shown.refresh_from_db()
    assert shown.taken_down_at is None


def test_a_holiday_that_comes_to_the_calendar_lengthens_it(shown, case, client, clock):
    CalendarDay.objects.create(date=date(2026, 11, 23), kind="OFF", name="—")
    clock.move_to(at(date(2026, 11, 24)))
    assert client.get(page_of(shown)).status_code == 200
    assert "2026-11-24" in publicity.may_end(case)


def test_an_unknown_address_tells_nothing(db, client):
    assert client.get(reverse("publicity_public", args=["nothing"])).status_code == 404


def test_other_notices_of_the_union_are_named_and_no_neighbours(shown, tree, client):
    beside = publicity.begin(household(tree.enterprise, sequence=11, name="李明"), None)
    publicity.begin(household(tree.sibling, sequence=12, name="周强"), None)
    text = client.get(page_of(shown)).content.decode()
    assert page_of(beside) in text
    assert "李*" in text
    assert "周*" not in text


def test_who_looks_too_often_is_told_to_wait(shown, client, monkeypatch):
    monkeypatch.setattr("core.views.public.VIEWS_A_MINUTE", 2)
    assert [client.get(page_of(shown)).status_code for _time in range(3)] == [200, 200, 429]


def test_what_is_counted_is_counted_an_address_and_a_name(db, rf):
    one, other = rf.get("/", REMOTE_ADDR="10.0.0.1"), rf.get("/", REMOTE_ADDR="10.0.0.2")
    asked = [limits.exceeded(each, "x", most=1, seconds=60, cache="limits") for each in (one, other, one)]
    assert asked == [False, False, True]
    assert not limits.exceeded(one, "y", most=1, seconds=60, cache="limits")


# --- Beginning, ending, stopping -------------------------------------------------------------------------------------


def test_it_may_end_the_day_after(case, shown, clock):
    assert Deadline.objects.of(case).open().get().due == shown.shown_until
    clock.move_to(at(shown.shown_until))
    assert "2026-11-23" in publicity.may_end(case)
    clock.move_to(at(shown.shown_until + timedelta(days=1)))
    assert publicity.may_end(case) == ""


def test_what_was_never_published_cannot_be_ended(case):
    assert "publish it first" in publicity.may_end(case)


def test_publishing_anew_takes_down_what_stood(case, shown, client):
    again = publicity.begin(case, None)
    assert client.get(page_of(shown)).status_code == 410
    assert client.get(page_of(again)).status_code == 200
    assert Publicity.objects.of(case).standing().count() == 1


def test_stopping_takes_it_down_at_once(case, shown, client):
    publicity.stop(case, "撤回申请")
    assert client.get(page_of(shown)).status_code == 410
    assert "publish it first" in publicity.may_end(case)
    assert AuditEvent.objects.filter(verb="core.end_publicity", reason="撤回申请").exists()


def test_a_case_that_leaves_publicity_is_shown_no_longer(case, shown, tree, client):
    beside = publicity.begin(household(tree.enterprise, sequence=11, name="李明"), None)
    case.make_move("withdraw", by=None, reason="申请人撤回")
    assert client.get(page_of(shown)).status_code == 410
    assert "安*" not in client.get(page_of(beside)).content.decode()


def test_an_objection_unanswered_keeps_it_from_ending(case, shown, district, clock):
    objection = core_publicity.object_to(shown, text=TEXT)
    again = publicity.begin(HardshipCase.objects.get(pk=case.pk), None)
    clock.move_to(at(again.shown_until + timedelta(days=1)))
    assert "An objection waits" in publicity.may_end(case)
    core_publicity.answer(objection, by=district, text="经入户核实，异议不成立。")
    assert publicity.may_end(case) == ""


def test_a_household_without_category_is_not_published(tree):
    rich = household(tree.enterprise, wage=900_000)
    assert "no category" in sentences(publicity.begin, rich, None)
    assert not Publicity.objects.exists()


def test_a_cause_or_category_in_free_words_is_not_taken(case):
    notice = core_publicity.Notice("安", "工会", "深度困难", publicity.CauseWord.ILLNESS, 1, ())
    with pytest.raises(TypeError):
        notice.shown()


# --- Nothing private, whatever is planted ----------------------------------------------------------------------------

ID, PHONE, BANK = "210400198503070017", "13800131234", "6222021307001234567"
ADDRESS, ILLNESS = "滨河区青年路18号3单元402室", "肺恶性肿瘤三期"
PLANTED = (ID, PHONE, BANK, ADDRESS, ILLNESS)
ALL_OF_IT = " ".join(PLANTED)


def plant(case, text):
    """Write `text` into every free-text field that leads to the page or the paper, but the names of unions."""
    HardshipCase.objects.filter(pk=case.pk).update(bank_name=text[:50])
    case = HardshipCase.objects.get(pk=case.pk)
    case.statement, case.phone, case.residence, case.bank_account = ALL_OF_IT, PHONE, ADDRESS, BANK
    case.bank_last4 = BANK[-4:]
    case.save()
    for each in case.people.all():
        each.name, each.workplace, each.health = f"{each.name[:1]}{text}"[:50], text[:100], ILLNESS
        each.save()
    case.incomes.update(notes=text[:200])
    case.file.person.name = f"安{text}"[:50]
    case.file.person.save()
    union = case.union
    union.contact_name, union.contact_phone, union.address = text[:50], PHONE, ADDRESS
    union.employer_name, union.industry = text[:100], text[:40]
    union.save()
    return HardshipCase.objects.get(pk=case.pk)


def found_in(text):
    plain = re.sub(r"\s", "", text)
    return [word for word in PLANTED if word in plain]


def test_nothing_planted_stands_on_the_page_or_in_the_proof(case, client, district):
    row = publicity.begin(plant(case, ALL_OF_IT), district)
    assert found_in(client.get(page_of(row)).content.decode()) == []
    paper = papers.make_now(publicity_papers.ask(row, by=district))
    text = "".join(page.extract_text() for page in PdfReader(paper.file.path).pages)
    assert "安*" in text
    assert found_in(text) == []
    assert found_in(str([row.shown, row.title, paper.facts, paper.title])) == []
    assert found_in(client.get(reverse("paper_public", args=[paper.token])).content.decode()) == []


@pytest.mark.parametrize("word", [*PLANTED, "138 0013 1234", "安建国", "７肺恶性肿瘤三期"])
@pytest.mark.parametrize("where", ["enterprise", "street"])
def test_the_name_of_a_union_that_holds_it_is_refused(case, tree, word, where):
    case = plant(case, "")
    union = getattr(tree, where)
    union.name = f"恒达{word}工会"
    union.save()
    for each in case.people.filter(kin="SELF"):
        each.name = "安建国"
        each.save()
    case = HardshipCase.objects.get(pk=case.pk)
    assert "must not be published" in sentences(publicity.begin, case, None)
    assert not Publicity.objects.exists()


def test_a_union_renamed_later_shows_no_number_on_the_public_page_of_the_proof(shown, district, tree, client):
    paper = papers.make_now(publicity_papers.ask(shown, by=district))
    tree.enterprise.name = f"恒达{PHONE}工会"
    tree.enterprise.save()
    assert PHONE not in client.get(reverse("paper_public", args=[paper.token])).content.decode()


def test_whose_name_holds_a_number_prints_no_proof(shown, district):
    district.name = f"孟{PHONE}"
    assert "number" in sentences(publicity_papers.ask, shown, by=district)


@pytest.mark.usefixtures("clock")
class AnythingPlanted(TestCase):
    """Whatever stands in the names and texts, and however it is written: refused, or nowhere to be seen."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        word=st.sampled_from([ID, PHONE, BANK, ADDRESS, ILLNESS]),
        gap=st.sampled_from(["", " ", "-", ".", "　"]),
        before=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=4),
        where=st.sampled_from(["name", "union", "above", "texts"]),
    )
    @example(word=PHONE, gap="-", before="", where="union")
    def test_is_never_shown(self, word, gap, before, where):
        with translation.override("en"):
            tree = cast.plant_tree()
            case = household(tree.enterprise)
            written = before + gap.join(word)
            case = plant(case, written if where == "texts" else "")
            if where == "name":
                each = case.people.get(kin="SELF")
                each.name = written[:50]
                each.save()
            if where in ("union", "above"):
                union = tree.enterprise if where == "union" else tree.street
                union.name = f"{written}工会"[:100]
                union.save()
            try:
                row = publicity.begin(HardshipCase.objects.get(pk=case.pk), None)
            except ValidationError:
                assert where in ("union", "above")
                return
            caches["default"].clear()
            page = self.client.get(page_of(row)).content.decode()
            plain = "".join(char for char in page if char.isalnum())
            assert word not in plain
            assert written not in page or len(written) < 4


# --- Objections ------------------------------------------------------------------------------------------------------


def test_an_objection_is_sealed_stops_the_publicity_and_gives_a_receipt(case, shown, client, district, client_of):
    answer = client.post(page_of(shown), {"text": TEXT, "contact": "王大伟 13800131234"}, follow=True)
    objection = Objection.objects.get()
    assert answer.status_code == 410
    assert objection.receipt in answer.content.decode()
    assert not core_publicity.holds_number(objection.receipt)
    raw = Objection.objects.values_list("text", "contact").get()
    assert TEXT not in str(raw)
    case.refresh_from_db()
    assert case.state == "OBJECTION"
    step = case.steps.get(move="object")
    assert step.by is None
    assert objection.receipt in step.reason
    assert TEXT not in str([vars(event) for event in AuditEvent.objects.all()])
    page = client_of(district).get(reverse("objection_page", args=[objection.pk])).content.decode()
    assert TEXT in page
    assert "13800131234" not in page


def test_an_objection_too_short_or_too_late_is_refused_and_nothing_typed_is_lost(shown, client, clock):
    page = client.post(page_of(shown), {"text": "不对", "contact": "王大伟"}).content.decode()
    assert "Say in 10 to 2000 characters" in page
    assert "王大伟" in page
    clock.move_to(at(date(2026, 11, 24)))
    assert client.post(page_of(shown), {"text": TEXT}).status_code == 410
    assert "over" in sentences(core_publicity.object_to, shown, text=TEXT)
    assert not Objection.objects.exists()


def test_spam_is_not_taken(case, shown, client, monkeypatch):
    client.post(page_of(shown), {"text": TEXT, "website": "https://spam.example"})
    assert not Objection.objects.exists()
    monkeypatch.setattr("core.publicity.MOST_WAITING", 0)
    assert "Many objections" in client.post(page_of(shown), {"text": TEXT}).content.decode()
    monkeypatch.setattr("core.views.public.OBJECTIONS_A_DAY", 1)
    assert client.post(page_of(shown), {"text": TEXT}).status_code == 429
    case.refresh_from_db()
    assert case.state == "PUBLICITY"


def test_an_objection_is_answered_once_by_whoever_reviews(case, shown, district, client_of):
    objection = core_publicity.object_to(shown, text=TEXT)
    url = reverse("objection_page", args=[objection.pk])
    client = client_of(district)
    assert "Say in 10 to 2000" in client.post(url, {"answer": "不实"}).content.decode()
    assert client.post(url, {"answer": "经入户核实，只有一套住房，异议不成立。"}).status_code == 302
    objection.refresh_from_db()
    assert objection.answered_by == district
    assert "answered already" in client.post(url, {"answer": "经入户核实，只有一套住房。"}).content.decode()


def test_a_contact_is_shown_to_whoever_says_why_and_written_down(shown, district, client_of):
    objection = core_publicity.object_to(shown, text=TEXT, contact="王大伟 13800131234")
    url = reverse("objection_reveal", args=[objection.pk])
    client = client_of(district)
    assert "13800131234" not in client.post(url, {"reason": ""}).content.decode()
    assert "13800131234" in client.post(url, {"reason": "核实异议"}).content.decode()
    event = AuditEvent.objects.get(verb="core.reveal_objection")
    assert event.reason == "核实异议"


def test_the_union_that_published_reads_no_objection(shown, enterprise, neighbour, city, client_of):
    objection = core_publicity.object_to(shown, text=TEXT)
    for user in (enterprise, city, neighbour):
        assert client_of(user).get(reverse("objection_page", args=[objection.pk])).status_code == 403
        assert client_of(user).get(reverse("objection_list")).status_code == 403


# --- Lists, the case page, the proof ---------------------------------------------------------------------------------


def test_the_list_of_a_union_shows_what_is_in_publicity(shown, tree, enterprise, neighbour, client_of, clock):
    url = reverse("publicity_list")
    assert "安*" in client_of(enterprise).get(url).content.decode()
    assert "安*" not in client_of(neighbour).get(url).content.decode()
    clock.move_to(at(date(2026, 11, 24)))
    client = client_of(enterprise)
    assert "安*" not in client.get(url).content.decode()
    assert "安*" in client.get(f"{url}?box=all").content.decode()


def test_the_case_page_leads_to_the_public_page_and_the_proof(case, shown, enterprise, client_of):
    page = client_of(enterprise).get(reverse("hardship_page", args=[case.pk])).content.decode()
    assert urlsplit(core_publicity.public_address(shown)).path in page
    assert reverse("publicity_proof", args=[shown.pk]) in page


def test_the_proof_says_what_was_shown_from_when_to_when(case, shown, district, client_of, clock, tree):
    clock.move_to(at(date(2026, 11, 25)))
    answer = client_of(district).post(reverse("publicity_proof", args=[shown.pk]))
    assert answer.status_code == 302
    paper = papers.make_now(papers.Paper.objects.get(kind="publicity_proof"))
    text = "".join(page.extract_text() for page in PdfReader(paper.file.path).pages)
    for word in (
        "公示证明",
        "安*",
        "深度困难",
        "因病",
        "3 人",
        "自 2026-11-16 至 2026-11-23",
        shown.digest,
        "与发布时一致",
    ):
        assert word in text
    assert paper.facts["sha256"] == shown.digest


def test_the_proof_of_what_was_stopped_ends_that_day(case, shown, district, clock):
    clock.move_to(at(date(2026, 11, 18)))
    publicity.stop(case, "异议")
    clock.move_to(at(date(2026, 11, 25)))
    paper = papers.make_now(publicity_papers.ask(shown, by=district))
    assert (paper.facts["from"], paper.facts["until"], paper.facts["stopped"]) == ("2026-11-16", "2026-11-18", True)


def test_the_proof_tells_when_the_row_was_altered(shown, district):
    Publicity.objects.filter(pk=shown.pk).update(shown=shown.shown | {"name": "李*"})
    paper = papers.make_now(publicity_papers.ask(shown, by=district))
    assert "与发布时不一致" in PdfReader(paper.file.path).pages[0].extract_text()


def test_a_proof_is_asked_for_where_the_case_is_shown_only(district, client_of):
    url = reverse("paper_ask", args=["publicity_proof"])
    assert client_of(district).get(url).status_code == 404
    assert url not in client_of(district).get(reverse("paper_list")).content.decode()

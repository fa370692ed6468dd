"""Data match with civil affairs (核对): the list of whom we ask about, the answer compared, and what follows from it.

Everybody on a list stands there by an authorisation in force. The answer is read twice: first its numbers, whose blind
indexes are joined with those of the people asked about, then the rows of these people alone. Nothing else of it is
kept but its hash, who gave it for which purpose, and counts (rulebook §3.7).
"""

import hashlib
import json
import re
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from io import BytesIO
from itertools import islice
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from assistance.decisions import household_of
from assistance.eligibility import HELPED, CannotClassify, classify
from assistance.models import (
    Consent,
    ConsentKind,
    HardshipCase,
    HouseholdPerson,
    Income,
    MatchAnswer,
    MatchNumber,
    MatchPerson,
    MatchPurpose,
    MatchRequest,
    MatchResult,
    MatchState,
)
from assistance.moves import IN_FORCE, MATCH, HardshipState
from assistance.policy import policy_on, standard_for
from core import audit, bulk, deadlines, jobs, secrets, sheets
from core.calendar import Calendar
from core.columns import badge_of
from core.exports import neutral
from core.fields import MoneyField
from core.models import Deadline, DeadlineRule
from core.models.deadline import DeadlineState
from core.names import normalise_name
from core.scope import reach
from core.sealed_files import clear_copy
from core.sheets import SheetRefused
from members.identity import normalise_number
from unions.models import Union

READ = "assistance.tasks.read_answer"
VALID = "HARDSHIP_MATCH_VALID_6M"
CHUNK = 50_000  # numbers put aside at once
MOST_ROWS = 1_000_000
MOST_PEOPLE = 50_000  # on one list
ADULT = 18  # years: below, whoever has the care of the child authorises (民法典 17, 19, 23)
A_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
STATES = {
    MatchPurpose.APPLICATION: (HardshipState.DATA_MATCH,),
    MatchPurpose.REVIEW: IN_FORCE,
    MatchPurpose.RETURN: (HardshipState.MONITORED,),
}
COLUMNS = {
    "id_number": (True, ("身份证号", "身份证号码", "公民身份号码", "证件号码")),
    "name": (False, ("姓名",)),
    "result": (False, ("核对结果", "结果")),
    "income": (False, ("年收入", "收入", "年收入合计")),
    "homes": (False, ("房产", "房产套数", "住房套数", "不动产")),
    "cars": (False, ("车辆", "机动车", "车辆数")),
    "companies": (False, ("企业", "工商登记", "企业登记")),
    "dibao": (False, ("低保", "是否低保", "低保低收入")),
}
FIELDS = {
    "name": gettext_lazy("name"),
    "result": gettext_lazy("result of civil affairs"),
    "income": gettext_lazy("yuan in twelve months"),
    "homes": gettext_lazy("homes"),
    "cars": gettext_lazy("cars"),
    "companies": gettext_lazy("companies"),
}
NOBODY = ("查无", "未查到", "无此人", "无记录", "未找到")
DIFFERS = ("不一致", "不符", "异常")
NO = {"", "否", "无", "0", "N", "NO", "FALSE", "不是"}
BADGES = {MatchResult.MATCH: "good", MatchResult.MISMATCH: "late", MatchResult.NOT_FOUND: "soon"}
HEADERS = ("序号", "授权书编号", "授权日期", "授权书文本", "姓名", "身份证号", "核对期间")


# --- The list ------------------------------------------------------------------------------------------------------


def places_of(user):
    """The unions whose cases `user` may ask about: the highest ones that are reached."""
    held = reach(user, MATCH)
    rows = Union.objects.filter(parent=None) if held.everything else Union.objects.filter(path__in=held.paths)
    return rows.order_by("path")


@transaction.atomic
def ask(*, by, union, purpose):
    """Make the list of everybody in the cases at and below `union` who authorised the check; return the MatchRequest.

    Raises ValidationError when there is nobody to ask about, saying how many have not authorised it.
    """
    cases = HardshipCase.objects.visible_to(by, MATCH).filter(
        union__in=Union.objects.below(union), state__in=STATES[MatchPurpose(purpose)]
    )
    given = Consent.objects.filter(kind=ConsentKind.CHECK, case__in=cases)
    in_force = list(given.filter(withdrawn_at=None).values_list("of_id", "pk", "case_id").order_by("pk"))
    left_out = _left_out(cases, {person for person, _consent, _case in in_force})
    if not in_force:
        said = _("There is nobody to ask about: no case waits, or nobody in them has authorised the check.")
        raise ValidationError(" ".join([said, *left_out_words(left_out)]))
    if len(in_force) > MOST_PEOPLE:
        said = _("More than %(most)d people: ask for lower unions one by one.")
        raise ValidationError(said % {"most": MOST_PEOPLE})
    request = MatchRequest.objects.create(
        union=union, purpose=purpose, asked_by=by, people=len(in_force), left_out=left_out,
        cases=len({case for _person, _consent, case in in_force}),
    )  # fmt: skip
    rows = [(request.pk, person, consent) for person, consent, _case in in_force]
    bulk.insert(MatchPerson, ("request", "person", "consent"), rows)
    facts = {"purpose": ["", purpose], "people": [None, request.people], "left_out": [None, left_out]}
    audit.record("assistance.ask_match", request, by=by, union=union, changes=facts)
    return request


def _left_out(cases, authorised):
    """{"withdrawn": n, "missing": n} of people in `cases` who are not `authorised`; of children only who withdrew."""
    withdrawn = Consent.objects.filter(of=OuterRef("pk"), kind=ConsentKind.CHECK, withdrawn_at__isnull=False)
    people = HouseholdPerson.objects.filter(case__in=cases).annotate(withdrew=Exists(withdrawn))
    counts = Counter()
    for pk, withdrew, born_on, day in people.values_list("pk", "withdrew", "born_on", "case__applied_on"):
        if pk in authorised:
            continue
        if withdrew:
            counts["withdrawn"] += 1
        elif is_adult(born_on, day):
            counts["missing"] += 1
    return dict(counts)


def left_out_words(left_out):
    """Return the sentences on who is not asked about."""
    said = []
    if number := left_out.get("withdrawn"):
        words = ngettext(
            "%(number)d person withdrew the authorisation and is left out.",
            "%(number)d people withdrew the authorisation and are left out.",
            number,
        )
        said.append(words % {"number": number})
    if number := left_out.get("missing"):
        words = ngettext(
            "%(number)d person has not authorised the check and is left out.",
            "%(number)d people have not authorised the check and are left out.",
            number,
        )
        said.append(words % {"number": number})
    return said


def is_adult(born_on, day):
    """Whether somebody is of age on a day."""
    return (day.year - born_on.year) - ((day.month, day.day) < (born_on.month, born_on.day)) >= ADULT


def drop_withdrawn(request):
    """Take out of a list whoever withdrew the authorisation since it was made; return how many."""
    gone = request.asked.filter(consent__withdrawn_at__isnull=False)
    number = gone.count()
    if number:
        gone.delete()
        request.left_out = request.left_out | {"withdrawn": request.left_out.get("withdrawn", 0) + number}
        request.people -= number
        request.save(update_fields=["left_out", "people"])
    return number


@transaction.atomic
def download(request, *, by):
    """Return the list as a workbook (bytes), in clear: audited with its hash. The request waits for its answer then.

    Raises ValidationError when the answer is there or nobody is left on the list.
    """
    request = MatchRequest.objects.select_for_update(of=("self",)).select_related("union").get(pk=request.pk)
    if request.state not in (MatchState.ASKED, MatchState.SENT):
        raise ValidationError(_("The answer to this list is there: make a new one."))
    drop_withdrawn(request)
    rows = request.asked.select_related("person__case", "consent").order_by("pk")
    if not rows.exists():
        raise ValidationError(_("Everybody on this list withdrew the authorisation: there is nobody to ask about."))
    content = _workbook(rows)
    request.sha256 = hashlib.sha256(content).hexdigest()
    request.state, request.sent_on = MatchState.SENT, request.sent_on or timezone.localdate()
    request.save(update_fields=["sha256", "state", "sent_on"])
    facts = {"sha256": ["", request.sha256], "people": [None, request.people]}
    audit.record(
        "assistance.export_match", request, by=by, union=request.union, changes=facts,
        reason=str(request.get_purpose_display()),
    )  # fmt: skip
    return content


def _workbook(rows):
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("核对名单")
    sheet.column_dimensions["F"].width = 24
    sheet.append(HEADERS)
    for number, row in enumerate(rows.iterator(chunk_size=1000), start=1):
        person, consent, end = row.person, row.consent, row.person.case.applied_on
        begin = end.replace(year=end.year - 1, day=28 if (end.month, end.day) == (2, 29) else end.day)
        number_cell = WriteOnlyCell(sheet, person.id_number)
        number_cell.number_format = "@"
        given, version = timezone.localdate(consent.given_at).isoformat(), neutral(consent.text_version)
        period = f"{begin.isoformat()}至{end.isoformat()}"
        sheet.append([number, f"SQ{consent.pk:08d}", given, version, neutral(person.name), number_cell, period])
    out = BytesIO()
    workbook.save(out)
    return out.getvalue()


# --- Many numbers against few, or many -------------------------------------------------------------------------------


class Numbers:
    """Numbers put aside as blind indexes and joined with those of a table, all at once (within `core.bulk.aside`)."""

    table = MatchNumber._meta.db_table

    def __init__(self, purpose="id_number"):
        self.blind = secrets.blinder(purpose)
        self.rows = 0

    def put(self, numbers, *, hear=None):
        """Put aside `numbers`, pairs (row, normalised number); `hear(rows)` is told how many there are so far."""
        blind = self.blind
        indexed = ((row, blind(number)) for row, number in numbers)
        while chunk := list(islice(indexed, CHUNK)):
            with transaction.atomic():
                bulk.insert(MatchNumber, ("row", "id_index"), chunk)
            self.rows += len(chunk)
            if hear:
                hear(self.rows)

    def joined(self, register, parameters=()):
        """Yield (key, row) wherever an index put aside is in the SELECT `register` of (key, id_index)."""
        statement = f"SELECT r.key, n.row FROM {self.table} n JOIN ({register}) r ON r.id_index = n.id_index"  # noqa: S608
        with transaction.atomic(), bulk.roomy():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"ANALYZE {self.table}")
            with connection.chunked_cursor() as cursor:
                cursor.execute(statement, parameters)
                while found := cursor.fetchmany(CHUNK // 10):
                    yield from found

    def different(self):
        """How many different numbers there are."""
        distinct = f"SELECT COUNT(*) FROM (SELECT DISTINCT id_index FROM {self.table}) d"  # noqa: S608
        with transaction.atomic(), bulk.roomy(), connection.cursor() as cursor:
            cursor.execute(distinct)
            return cursor.fetchone()[0]


ASKED_ABOUT = (
    f"SELECT a.id AS key, p.id_index FROM {MatchPerson._meta.db_table} a"  # noqa: S608
    f" JOIN {HouseholdPerson._meta.db_table} p ON p.id = a.person_id WHERE a.request_id = %s"
)


# --- The answer ----------------------------------------------------------------------------------------------------


def receive(request, upload, *, by, issued_on):
    """Take the answer to a list that was sent; a job reads it. `issued_on`: the day civil affairs gave it.

    Raises SheetRefused for a file that cannot be read, ValidationError otherwise.
    """
    name = Path(upload.name).name[-200:]
    if issued_on > timezone.localdate():
        raise ValidationError({"issued_on": _("This day lies in the future.")})
    if secrets.index_rotating():
        raise ValidationError(_("The keys are being renewed: upload the answer when that is done."))
    with clear_copy(upload) as path:
        sheets.check(path, name)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            stored = MatchRequest._meta.get_field("answer_file").storage.save(
                f"matches/{uuid.uuid4().hex}{sheets.suffix(name)}", File(file)
            )
    try:
        with transaction.atomic():
            return _received(request, stored, name, digest, by, issued_on)
    except BaseException:
        request.answer_file.storage.delete(stored)
        raise


def _received(request, stored, name, digest, by, issued_on):
    request = MatchRequest.objects.select_for_update(of=("self",)).select_related("union").get(pk=request.pk)
    if request.state != MatchState.SENT:
        raise ValidationError(_("This list waits for no answer: it was not downloaded, or its answer is there."))
    request.answer_file, request.answer_name, request.answer_sha256 = stored, name, digest
    request.answered_by, request.issued_on, request.state = by, issued_on, MatchState.READING
    request.message = ""
    title = _("Read the answer to data match %(number)d") % {"number": request.pk}
    request.job = jobs.start(READ, title=title, by=by, union=request.union, params={"request": request.pk})
    request.save()
    facts = {"sha256": ["", digest], "issued_on": [None, issued_on]}
    audit.record(
        "assistance.upload_match", request, by=by, union=request.union, changes=facts,
        reason=str(request.get_purpose_display()),
    )  # fmt: skip
    return request


def read_answer(run):
    """The work of the job: read the answer of a request, from the start whenever it is run."""
    request = MatchRequest.objects.select_related("union").get(pk=run.job.params["request"])
    if request.state != MatchState.READING:
        return
    try:
        with request.answer_file.open() as file, clear_copy(file) as path, bulk.uncollected():
            counts, found = _read(run, request, path)
    except SheetRefused as refusal:
        raise jobs.JobRefused(str(refusal)) from refusal
    stored = request.answer_file.name
    try:
        with transaction.atomic():
            run.hold()
            _settle(MatchRequest.objects.select_for_update(of=("self",)).get(pk=request.pk), counts, found)
    except CannotClassify as refusal:
        raise jobs.JobRefused(str(refusal)) from refusal
    request.answer_file.storage.delete(stored)
    run.result(reverse("match_page", args=[request.pk]))


def answer_failed(job, sentence):
    """The answer could not be read: it may be uploaded again, and is not kept."""
    request = MatchRequest.objects.filter(pk=job.params["request"], state=MatchState.READING).first()
    if request:
        stored = request.answer_file.name
        request.state, request.message, request.answer_file = MatchState.SENT, sentence[:500], ""
        request.save(update_fields=["state", "message", "answer_file"])
        transaction.on_commit(lambda: MatchRequest._meta.get_field("answer_file").storage.delete(stored))


def _read(run, request, path):
    """Return (counts, {key of a MatchPerson: the cells of its row}) of the answer at `path`."""
    sheet = sheets.read(path, request.answer_name, COLUMNS, most=MOST_ROWS)
    total, counts = sheet.total, Counter()
    numbers = Numbers()

    def readable():
        for row, (number, *_rest) in sheet.rows:
            counts["rows"] += 1
            said = normalise_number(sheets.text(number))
            if A_NUMBER.fullmatch(said):
                yield row, said
            else:
                counts["unreadable"] += 1

    with bulk.aside(MatchNumber):
        numbers.put(readable(), hear=lambda rows: run.progress(done=rows, total=max(total, rows)))
        rows_of, hit = {}, set()
        for key, row in numbers.joined(ASKED_ABOUT, [request.pk]):
            hit.add(row)
            rows_of[key] = min(row, rows_of.get(key, row))
        different = numbers.different()
        counts["duplicates"] = numbers.rows - different
        counts["strangers"] = different - _different(rows_of)
    wanted = defaultdict(list)
    for key, row in rows_of.items():
        wanted[row].append(key)
    found = {}
    if wanted:
        again = sheets.read(path, request.answer_name, COLUMNS, most=MOST_ROWS)
        for row, cells in again.rows:
            for key in wanted.get(row, ()):
                found[key] = cells
    return counts, found


def _different(rows_of):
    """How many different numbers were found: one person may stand on a list twice, with one row for both."""
    return len(set(rows_of.values()))


# --- What the answer says --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What a row of the answer says: texts as they stand, figures where they are figures."""

    name: str
    result: str
    income: object
    homes: object
    cars: object
    companies: object
    dibao: bool

    @classmethod
    def of(cls, cells):
        _number, name, result, income, homes, cars, companies, dibao = map(sheets.text, cells)
        return cls(
            normalise_name(name), result, _yuan(income), _count(homes), _count(cars), _count(companies),
            dibao.upper() not in NO,
        )  # fmt: skip


def _yuan(text):
    """A Decimal, None for nothing, or the text when it is no amount."""
    if not text:
        return None
    try:
        return MoneyField().to_python(text.replace(",", "").removesuffix("元"))
    except (ValidationError, InvalidOperation):
        return text


def _count(text):
    """An int, None for nothing, or the text when it is no number; yes is 1, no is 0."""
    if not text:
        return None
    plain = text.removesuffix("套").removesuffix("辆").removesuffix("家")
    if plain.isascii() and plain.isdigit() and len(plain) < 5:
        return int(plain)
    return 0 if text.upper() in NO else 1 if text in ("是", "有") else text


def compare(found, person, case, income):
    """Return the differences, [{"field", "declared", "found"}], of `found` from what was declared. Pure.

    `income`: the person's declared yuan in twelve months. Homes, cars and companies were declared of the household.
    """
    differences = []

    def differs(field, declared, what):
        differences.append({"field": field, "declared": str(declared), "found": str(what)})

    if found.name and found.name != normalise_name(person.name):
        differs("name", person.name, found.name)
    if found.income is not None and found.income != income:
        differs("income", f"{income:.2f}", found.income)
    allowed = {
        "homes": case.houses,
        "cars": 1 if "CAR" in case.flags else 0,
        "companies": 1 if {"CONTROLLING_SHAREHOLDER", "BUSINESS"}.intersection(case.flags) else 0,
    }
    for field, declared in allowed.items():
        what = getattr(found, field)
        if isinstance(what, str) or (what and (what > declared if field == "homes" else not declared)):
            differs(field, declared, what)
    if not differences and any(word in found.result for word in DIFFERS):
        differs("result", "", found.result)
    return differences


def _settle(request, counts, found):
    """Store the results of `found` for everybody on the list, and what follows from them."""
    if request.state != MatchState.READING:
        raise jobs.RunLost
    drop_withdrawn(request)
    request.answers.all().delete()
    asked = list(request.asked.select_related("person"))
    cases = HardshipCase.objects.filter(people__matches__request=request).distinct().select_related("union")
    cases = {case.pk: case for case in cases.prefetch_related("people", "incomes", "expenses")}
    incomes = Income.objects.filter(case__in=cases).values_list("of").annotate(Sum("amount")).order_by()
    incomes = dict(incomes)
    said = {key: Found.of(cells) for key, cells in found.items()}
    back = _back(request, cases, asked, said, incomes)
    answers = []
    for each in asked:
        case, what, differences = cases[each.person.case_id], said.get(each.pk), []
        if what is None or any(word in what.result for word in NOBODY):
            result = MatchResult.NOT_FOUND
        else:
            differences = compare(what, each.person, case, incomes.get(each.person_id, Decimal(0)))
            result = MatchResult.MISMATCH if differences else MatchResult.MATCH
        counts[result.value] += 1
        text = json.dumps(differences, ensure_ascii=False) if differences else ""
        answers.append(MatchAnswer(asked=each, request=request, result=result, differences=text, back=case.pk in back))
    MatchAnswer.objects.bulk_create(answers, batch_size=1000)
    counts["back"] = len(back)
    rule = DeadlineRule.objects.get(code=VALID)
    request.valid_until = deadlines.compute(rule, request.issued_on, Calendar.load()).due
    request.state, request.counts, request.answer_file = MatchState.ANSWERED, dict(counts), ""
    request.save(update_fields=["state", "counts", "answer_file", "valid_until"])
    _open_validity(request, cases)
    audit.record(
        "assistance.answer_match", request, by=request.answered_by, union=request.union,
        changes={"counts": [None, dict(counts)], "sha256": ["", request.answer_sha256]},
    )  # fmt: skip


def _open_validity(request, cases):
    """The results expire: a duty of each case that is not over, in the place of the one of its last match."""
    by, today = request.answered_by, timezone.localdate()
    old = Deadline.objects.filter(
        rule__code=VALID, subject_type=HardshipCase._meta.label_lower, subject_id__in=list(cases)
    )
    deadlines.close(old, DeadlineState.MET, on=today, by=by)
    open_ = [case for case in cases.values() if case.state in (HardshipState.DATA_MATCH, *IN_FORCE)]
    deadlines.open_many(
        [deadlines.Opening(VALID, request.issued_on, case, case.union, case.union.name) for case in open_], by=by
    )


def _back(request, cases, asked, said, incomes):
    """The keys of exited households that are in hardship again by what was found. Raises CannotClassify."""
    told = defaultdict(list)
    for each in asked:
        if each.pk in said:
            told[each.person.case_id].append((each.person_id, said[each.pk]))
    back = set()
    for key, case in cases.items():
        if case.state != HardshipState.MONITORED or key not in told:
            continue
        income = incomes | {
            person: what.income for person, what in told[key] if isinstance(what.income, Decimal)
        }  # fmt: skip
        household = household_of(case, standard_for(case.union, request.issued_on).amount)
        total = sum((income.get(person.pk, Decimal(0)) for person in case.people.all()), Decimal(0))
        known = any(isinstance(what.income, Decimal) for _person, what in told[key])
        verdict = classify(replace(household, income=total), policy_on(request.issued_on))
        if any(what.dibao for _person, what in told[key]) or (known and verdict.category in HELPED):
            back.add(key)
    return back


# --- Explaining, and what a case asks --------------------------------------------------------------------------------


@transaction.atomic
def explain(answer, *, by, text, upheld):
    """Record a human's explanation of a difference; `upheld`: what was found is right. Raises ValidationError."""
    answer = MatchAnswer.objects.select_for_update(of=("self",)).select_related("request__union").get(pk=answer.pk)
    text = text.strip()
    if answer.result != MatchResult.MISMATCH:
        raise ValidationError(_("There is no difference to explain."))
    if answer.upheld is not None:
        raise ValidationError(_("This difference is explained already."))
    if len(text) < 5:
        raise ValidationError({"text": _("Explain it in a sentence: who was asked, and which paper shows it.")})
    answer.explanation, answer.upheld = text, upheld
    answer.explained_by, answer.explained_at = by, timezone.now()
    answer.save(update_fields=["explanation", "upheld", "explained_by", "explained_at"])
    facts = {"upheld": [None, upheld]}
    audit.record("assistance.explain_match", answer, by=by, union=answer.request.union, changes=facts)
    return answer


def differences_of(answer):
    """[(field in words, declared, found)] of an answer."""
    rows = json.loads(answer.differences or "[]")
    return [(FIELDS[row["field"]], row["declared"], row["found"]) for row in rows]


def latest(case):
    """{key of a person: the last MatchAnswer about it} of the people of a case."""
    rows = MatchAnswer.objects.filter(asked__person__case=case, request__state=MatchState.ANSWERED)
    return {row.asked.person_id: row for row in rows.select_related("request", "asked").order_by("pk")}


def to_be_matched(case):
    """The people of a case whose result is needed: all of age, and the children about whom anybody may ask."""
    given = set(case.consents.filter(kind=ConsentKind.CHECK, withdrawn_at=None).values_list("of_id", flat=True))
    people = [each for each in case.people.all() if each.pk in given or is_adult(each.born_on, case.applied_on)]
    return people, given


def why_not_done(case):
    """Return the sentence why the data match of a case is not done, or an empty one."""
    today = timezone.localdate()
    people, given = to_be_matched(case)
    if number := sum(each.pk not in given for each in people):
        words = ngettext(
            "%(number)d person of the household has not authorised the check, or withdrew it.",
            "%(number)d people of the household have not authorised the check, or withdrew it.",
            number,
        )
        return words % {"number": number}
    answers = latest(case)
    there = [answers[each.pk] for each in people if each.pk in answers]
    if number := len(people) - len(there):
        words = ngettext(
            "The result of civil affairs is missing for %(number)d person.",
            "The result of civil affairs is missing for %(number)d people.",
            number,
        )
        return words % {"number": number}
    if any(answer.request.valid_until < today for answer in there):
        return _("The result of civil affairs has expired: ask again.")
    if number := sum(answer.result == MatchResult.MISMATCH and answer.upheld is None for answer in there):
        words = ngettext(
            "%(number)d difference waits for its explanation.",
            "%(number)d differences wait for their explanations.",
            number,
        )
        return words % {"number": number}
    if any(answer.upheld for answer in there):
        return _("What was declared turned out to be wrong: give the case back to be corrected, and ask again.")
    return ""


def state_of(case):
    """What the page of a case shows of its match: {"people": [{"name", "badge", "said"}], "why_not": sentence}."""
    answers = latest(case)
    shown = []
    for person in case.people.all():
        if answer := answers.get(person.pk):
            valid = _("valid until %(day)s") % {"day": answer.request.valid_until}
            words = [valid] if answer.upheld is None else [valid, _("explained")]
            badge = badge_of(BADGES[answer.result], answer.get_result_display())
            shown.append({"name": person.name, "badge": badge, "said": " · ".join(words)})
    return {"people": shown, "why_not": why_not_done(case) if case.state == HardshipState.DATA_MATCH else ""}

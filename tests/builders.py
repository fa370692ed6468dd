"""Objects of every kind at a place of the tree, as plain as the database allows: for walks over routes and pages."""

import hashlib
import uuid
from datetime import date
from decimal import Decimal

from django.core.files.base import ContentFile
from django.utils import timezone

from assistance.models import (
    Budget,
    Campaign,
    Consent,
    FundRule,
    FundSource,
    Grant,
    HardshipCase,
    HardshipFile,
    HouseholdPerson,
    Income,
    LivingStandard,
    MatchAnswer,
    MatchPerson,
    MatchRequest,
    PaymentBatch,
)
from core.models import (
    AuditEvent,
    Deadline,
    DeadlineRule,
    Export,
    Finding,
    Hold,
    ImportBatch,
    Job,
    Objection,
    Paper,
    Publicity,
    Reminder,
    SavedView,
    Upload,
    User,
)
from members import merging
from members.models import (
    DuplicatePair,
    EmployerSpell,
    Erasure,
    Kinship,
    Membership,
    MembershipStep,
    Person,
    Transfer,
)
from unions.models import Appointment, Committee, Officer, Position, Union, UnionEvent


def committee_at(union):
    return Committee.objects.create(
        union=union, elected_on=date(2023, 5, 10), term_years=5, term_ends_on=date(2028, 5, 10)
    )


def deadline_at(union):
    rule = DeadlineRule.objects.get(code="UNION_TERM_5Y")
    committee = union.committee
    return Deadline.objects.create(
        rule=rule, trigger=committee.elected_on, natural=committee.term_ends_on, due=committee.term_ends_on,
        earliest=committee.term_ends_on, derivation="—", subject_type="unions.committee", subject_id=committee.pk,
        title=union.name, union=union, side="OURS",
    )  # fmt: skip


def reminder_at(union):
    deadline = deadline_at(union)
    return Reminder.objects.create(
        deadline=deadline, rule_code=deadline.rule.code, subject_type=deadline.subject_type,
        subject_id=deadline.subject_id, trigger=deadline.trigger, stage="6M", union=union,
    )  # fmt: skip


def membership_at(union):
    person = Person.objects.create(
        name="安建国", id_number=f"2104001985030{union.pk:04d}7", id_masked="2104**********0017", sex="M",
        born_on=date(1985, 3, 7),
    )  # fmt: skip
    return Membership.objects.create(person=person, union=union, joined_on=date(2020, 1, 1))


def transfer_at(union):
    membership = membership_at(union)
    membership.state, membership.state_before = "TRANSFER_PENDING", "ACTIVE"
    membership.save()
    return Transfer.objects.create(
        membership=membership, from_union=union, to_name="江北市纺织工会", side="FROM", asked_on=date(2026, 11, 2)
    )


def hardship_case_at(union):
    """A filed case of one person on the standard of the tree's root."""
    membership = membership_at(union)
    person = membership.person
    root = Union.objects.get(parent__isnull=True)
    LivingStandard.objects.get_or_create(area=root, defaults={"amount": Decimal(800)})
    file = HardshipFile.objects.create(union=union, person=person, opened_on=date(2026, 3, 2))
    case = HardshipCase.objects.create(
        file=file, union=union, membership=membership, applied_on=date(2026, 3, 2), cause="ILLNESS", labour_months=60,
        state="FILED", filed_on=date(2026, 4, 20), category="DEEP", per_capita=Decimal("500.00"),
    )  # fmt: skip
    own = HouseholdPerson.objects.create(
        case=case, person=person, kin="SELF", name=person.name, id_number=person.id_number, id_masked=person.id_masked,
        sex="M", born_on=person.born_on, situation="ILL",
    )  # fmt: skip
    Income.objects.create(case=case, of=own, kind="WAGE", amount=Decimal(6000))
    return case


def upload_at(union):
    case = hardship_case_at(union)
    row = Upload(
        subject_type="assistance.hardshipcase", subject_id=case.pk, union=union, kind="ID_CARD",
        content_type="image/jpeg", size=3, sha256=hashlib.sha256(b"jpg").hexdigest(),
    )  # fmt: skip
    row.file.save(f"uploads/{row.uuid}.jpg", ContentFile(b"jpg"))
    return row


def kinship_at(union):
    user = User.objects.get_or_create(username="asker")[0]
    return Kinship.objects.create(
        user=user, kind="SPOUSE", name="安建国", id_number="210400198503070017", id_masked="2104**********0017",
        declared_on=date(2026, 11, 2),
    )  # fmt: skip


def employer_at(union):
    user = User.objects.get_or_create(username="asker")[0]
    return EmployerSpell.objects.create(
        user=user, union=union, began_on=date(2020, 1, 1), declared_on=date(2026, 11, 2)
    )


def publicity_at(union):
    case = hardship_case_at(union)
    shown = {"name": "安*", "unit": union.name, "category": "深度困难", "cause": "因病", "people": 1, "contacts": []}
    return Publicity.objects.create(
        subject_type="assistance.hardshipcase", subject_id=case.pk, union=union, title="困难职工建档公示", shown=shown,
        token=f"notice{union.pk:016d}", digest="0" * 64, rule_code="HARDSHIP_PUBLICITY_5WD",
        shown_from=date(2026, 11, 2), shown_until=timezone.localdate(),
    )  # fmt: skip


def objection_at(union):
    return Objection.objects.create(publicity=publicity_at(union), receipt=f"R{union.pk}", text="情况不属实，请核实。")


def match_request_at(union):
    asked_by = User.objects.get_or_create(username="asker")[0]
    return MatchRequest.objects.create(
        union=union, purpose="REVIEW", state="ANSWERED", asked_by=asked_by, people=1, cases=1,
        sent_on=date(2026, 11, 2), issued_on=date(2026, 11, 9), valid_until=date(2027, 5, 9),
        counts={"MISMATCH": 1}, job=job_at(union),
    )  # fmt: skip


def match_answer_at(union):
    person = hardship_case_at(union).people.get()
    consent = Consent.objects.create(
        case=person.case, of=person, kind="CHECK", text_version="2026-1", text="—", given_at=timezone.now()
    )
    request = match_request_at(union)
    asked = MatchPerson.objects.create(request=request, person=person, consent=consent)
    return MatchAnswer.objects.create(asked=asked, request=request, result="MISMATCH")


def fund_source_at(union):
    """A source of money with 500 yuan in a budget for living allowances, as the ledger says."""
    FundRule.objects.get_or_create(fund_kind="UNION_OWN", aid_kind="LIVING")
    source, made = FundSource.objects.get_or_create(
        union=union, kind="UNION_OWN", year=2026, name="送温暖资金", defaults={"expires_on": date(2026, 12, 31)}
    )
    if made:
        budget = Budget.objects.create(source=source, aid_kind="LIVING")
        budget.enter("APPROPRIATION", Decimal(500), by=None)
    return source


def grant_at(union):
    case, source = hardship_case_at(union), fund_source_at(union)
    own = case.applicant
    return Grant.objects.create(
        case=case, union=union, person=own.person, name=own.name, id_number=own.id_number, id_masked=own.id_masked,
        budget=source.budgets.get(), amount=Decimal(100), method="IN_KIND", on=date(2026, 11, 20),
    )  # fmt: skip


def payment_batch_at(union):
    """A batch of one approved grant."""
    grant = grant_at(union).make_move("approve", by=None)
    batch = PaymentBatch.objects.create(source=grant.source, serial=1, method="IN_KIND")
    grant.make_move("enter_batch", by=None, batch=batch.pk)
    return batch


def campaign_at(union):
    return Campaign.objects.create(
        union=union, kind="COOL", year=2026, name="夏送清凉", ends_on=date(2026, 12, 31), target="MEMBERS"
    )


def job_at(union):
    return Job.objects.create(
        task="core.tasks.seal_audit", title="—", union=union, state="done", finished_at=timezone.now()
    )


def paper_at(union):
    asked_by = User.objects.get_or_create(username="asker")[0]
    return Paper.objects.create(
        kind="terms", title="换届情况表", union=union, subject_type="unions.union", subject_id=union.pk,
        token=f"{union.pk:032d}", job=job_at(union), asked_by=asked_by, asked_by_name="—", facts={"day": "2026-11-20"},
    )  # fmt: skip


def batch_at(union):
    created_by = User.objects.get_or_create(username="asker")[0]
    return ImportBatch.objects.create(
        kind="members", file_name="名册.xlsx", sha256="0" * 64, union=union, state="preview", created_by=created_by,
        counts={"outcomes": dict.fromkeys(("ok", "warning", "duplicate", "error"), 0), "codes": {}},
    )  # fmt: skip


def export_at(union):
    asked_by = User.objects.get_or_create(username="asker")[0]
    return Export.objects.create(
        kind="unions", purpose="年报", union=union, tops=[union.pk], asked_by=asked_by, job=job_at(union),
        kept_until=timezone.localdate(),
    )  # fmt: skip


def finding_at(union):
    return Finding.objects.create(
        code="NO_PHONE", union=union, subject_id=membership_at(union).pk, since=date(2026, 11, 1)
    )


def saved_view_at(union):
    user = User.objects.get_or_create(username="asker")[0]
    return SavedView.objects.create(user=user, page="union_list", name=f"常用{union.pk}", query="kind=STREET")


def officer_at(union):
    known = {"name": "孟平", "started_on": union.committee.elected_on}
    return Officer.objects.get_or_create(
        committee=union.committee, position=Position.CHAIR, ended_on=None, defaults=known
    )[0]


def account_at(union):
    user = User.objects.create(username=f"account{union.pk}")
    Appointment.objects.create(user=user, union=union, role="visitor", valid_from=date(2020, 1, 1))
    return user


def event_at(union):
    return AuditEvent.objects.create(
        id=10**9 + union.pk, at=timezone.now(), actor_name="—", verb="core.test", target_label="—", union_id=union.pk,
        uuid=uuid.uuid4(), mac="0" * 64,
    )  # fmt: skip


def person_at(union):
    return membership_at(union).person


def step_at(union):
    return MembershipStep.objects.create(case=membership_at(union), move="retain", source="ACTIVE", target="RETAINED")


def pair_at(union):
    first = person_at(union)
    second = Person.objects.create(
        name="安建国", id_number=f"2104001985030{union.pk:04d}5", id_masked="2104**********0015", sex="M",
        born_on=date(1985, 3, 7),
    )  # fmt: skip
    Membership.objects.create(person=second, union=union, joined_on=date(2020, 1, 1))
    return DuplicatePair.objects.create(first=first, second=second, score="0.900", reasons=["SAME_NAME"])


def merge_at(union):
    pair = pair_at(union)
    return merging.merge(by=None, kept=pair.first, absorbed=pair.second, choices={}, reason="同一人登记两次")


def erasure_at(union):
    membership = membership_at(union)
    membership.state, membership.ended_on = "WITHDRAWN", date(2021, 1, 1)
    membership.save()
    return Erasure.objects.create(
        person=membership.person, union=union, ground="PERIOD", reason="保存期限已满", asked_on=date(2026, 11, 2)
    )


def hold_at(union):
    return Hold.objects.create(
        subject_type="members.membership", subject_id=membership_at(union).pk, union=union, reason="信访核查"
    )


def union_event_at(union):
    return UnionEvent.objects.create(union=union, kind="RENAME", on=date(2024, 5, 10))


# URL parameter → (builder, permission to see such an object)
BUILDERS = {
    "export_pk": (export_at, ""),
    "savedview_pk": (saved_view_at, ""),
    "finding_pk": (finding_at, "core.view_finding"),
    "union_pk": (lambda union: union, "unions.view_union"),
    "membership_pk": (membership_at, "members.view_membership"),
    "transfer_pk": (transfer_at, "members.view_transfer"),
    "duplicatepair_pk": (pair_at, "members.merge_person"),
    "personmerge_pk": (merge_at, "members.merge_person"),
    "erasure_pk": (erasure_at, "members.view_erasure"),
    "hardshipcase_pk": (hardship_case_at, "assistance.view_hardshipcase"),
    "upload_pk": (upload_at, "assistance.view_hardshipcase"),
    "kinship_pk": (kinship_at, ""),
    "employerspell_pk": (employer_at, ""),
    "publicity_pk": (publicity_at, "assistance.view_hardshipcase"),
    "objection_pk": (objection_at, "assistance.check_hardshipcase"),
    "matchrequest_pk": (match_request_at, "assistance.view_hardshipcase"),
    "matchanswer_pk": (match_answer_at, "assistance.view_hardshipcase"),
    "grant_pk": (grant_at, "assistance.view_grant"),
    "fundsource_pk": (fund_source_at, "assistance.view_fundsource"),
    "paymentbatch_pk": (payment_batch_at, "assistance.view_paymentbatch"),
    "campaign_pk": (campaign_at, "assistance.view_campaign"),
    "hold_pk": (hold_at, "core.view_hold"),
    "officer_pk": (officer_at, "unions.view_officer"),
    "committee_pk": (lambda union: union.committee, "unions.view_committee"),
    "job_pk": (job_at, "core.view_job"),
    "paper_pk": (paper_at, "core.view_paper"),
    "importbatch_pk": (batch_at, "core.view_importbatch"),
    "reminder_pk": (reminder_at, "core.view_reminder"),
    "deadline_pk": (deadline_at, "core.view_deadline"),
    "user_pk": (account_at, "core.view_user"),
    "appointment_pk": (lambda union: account_at(union).appointments.get(), "unions.view_appointment"),
}

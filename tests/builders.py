"""Objects of every kind at a place of the tree, as plain as the database allows: for walks over routes and pages."""

import uuid
from datetime import date

from django.utils import timezone

from core.models import (
    AuditEvent,
    Deadline,
    DeadlineRule,
    Export,
    Finding,
    Hold,
    ImportBatch,
    Job,
    Paper,
    Reminder,
    SavedView,
    User,
)
from members import merging
from members.models import DuplicatePair, Erasure, Membership, MembershipStep, Person, Transfer
from unions.models import Appointment, Committee, Officer, Position, UnionEvent


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

"""Objects of every kind at a place of the tree, as plain as the database allows: for walks over routes and pages."""

import uuid
from datetime import date

from django.utils import timezone

from core.models import AuditEvent, Deadline, DeadlineRule, ImportBatch, Job, Paper, Reminder, User
from members.models import Membership, Person
from unions.models import Appointment, Committee, Officer, Position


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


def officer_at(union):
    return Officer.objects.create(
        committee=union.committee, position=Position.CHAIR, name="孟平", started_on=union.committee.elected_on
    )


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


# URL parameter → (builder, permission to see such an object)
BUILDERS = {
    "union_pk": (lambda union: union, "unions.view_union"),
    "membership_pk": (membership_at, "members.view_membership"),
    "officer_pk": (officer_at, "unions.view_officer"),
    "committee_pk": (lambda union: union.committee, "unions.view_committee"),
    "job_pk": (job_at, "core.view_job"),
    "paper_pk": (paper_at, "core.view_paper"),
    "importbatch_pk": (batch_at, "core.view_importbatch"),
    "reminder_pk": (reminder_at, "core.view_reminder"),
}

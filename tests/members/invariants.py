"""What must hold of the register whatever was done to it, by whom and in which order."""

from django.db.models import Count, Exists, F, OuterRef, Q

from core import audit
from core.models import AuditEvent
from core.scope import after
from members.models import (
    OPEN_STATES,
    TRANSFER_OPEN,
    Membership,
    MembershipState,
    NameSuffix,
    Person,
    PersonMerge,
    Transfer,
    TransferState,
)
from unions.models import Union


def check_register(*, began=True):
    """Assert everything below. A few queries for the whole register.

    `began`: also that each membership began by an act of the trail; those that a demo wrote did not.
    """
    _one_open_membership_a_person()
    _pending_exactly_while_a_transfer_is_open()
    _transfers_arrived()
    _absorbed_people_hold_nothing()
    if began:
        _every_membership_has_a_history()
    _counts_add_up_the_tree()
    _names_are_found()
    check_paths()


def check_paths():
    """Assert that each membership stands where its union stands."""
    assert not Membership.objects.exclude(path=F("union__path")).exists()


def check_trail():
    """Assert that the audit trail is whole."""
    assert audit.verify().faults == []


def _one_open_membership_a_person():
    doubled = Person.objects.annotate(n=Count("memberships", filter=Q(memberships__state__in=OPEN_STATES)))
    assert not doubled.filter(n__gt=1).exists()
    open_and_dead = Membership.objects.open().filter(person__deceased_on__isnull=False)
    assert not open_and_dead.exists()


def _pending_exactly_while_a_transfer_is_open():
    running = Transfer.objects.filter(membership=OuterRef("pk"), state__in=TRANSFER_OPEN)
    pending = Membership.objects.filter(state=MembershipState.TRANSFER_PENDING)
    assert not pending.exclude(Exists(running)).exists()
    assert not Membership.objects.exclude(state=MembershipState.TRANSFER_PENDING).filter(Exists(running)).exists()


def _transfers_arrived():
    """Who was accepted by a union of the register left the old one and has a membership in the new one."""
    accepted = Transfer.objects.filter(state=TransferState.ACCEPTED, to_union__isnull=False)
    for transfer in accepted.select_related("membership", "result"):
        assert transfer.membership.state == MembershipState.TRANSFERRED
        assert transfer.result is not None
        assert transfer.result.union_id == transfer.to_union_id


def _absorbed_people_hold_nothing():
    absorbed = Person.objects.filter(merged_into__isnull=False)
    assert not Membership.objects.filter(person__in=absorbed).exists()
    assert not absorbed.filter(merged_into__merged_into__isnull=False).exists()
    standing = PersonMerge.objects.filter(undone_at__isnull=True).values("absorbed")
    assert set(absorbed.values_list("pk", flat=True)) == {row["absorbed"] for row in standing}


def _every_membership_has_a_history():
    """A membership began by an import, an enrolment or an arrival, and an ended one has the step that ended it."""
    told = AuditEvent.objects.filter(
        verb__in=["members.enrol_membership", "members.arrive_membership"], target_label=Membership._meta.label
    )
    began_by_act = {int(key) for key in told.values_list("target_id", flat=True)}
    rows = Membership.objects.annotate(
        moved=Exists(Membership.steps.rel.related_model.objects.filter(case=OuterRef("pk")))
    )
    for membership in rows:
        assert membership.batch_id or membership.pk in began_by_act, f"membership {membership.pk} comes from nowhere"
        assert membership.is_open or membership.moved, f"membership {membership.pk} ended without a step"


def _counts_add_up_the_tree():
    own = dict(Union.objects.with_members().values_list("pk", "members"))
    for union in Union.objects.all():
        below = Union.objects.filter(path__gte=union.path, path__lt=after(union.path)).values_list("pk", flat=True)
        assert union.members_below(10**6) == sum(own[pk] for pk in below)


def _names_are_found():
    """Each name from its second character on, and so forth, two characters at least; nothing else."""
    wanted = {
        (pk, name[place:]) for pk, name in Person.objects.values_list("pk", "name") for place in range(1, len(name) - 1)
    }
    assert set(NameSuffix.objects.values_list("person_id", "text")) == wanted

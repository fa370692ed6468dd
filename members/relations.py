"""Relations: whom an officer is related to, and where he worked: recusal and conflicts of interest are found from them.

An account belongs to a person of the register (`AccountHolder`), who declares relatives and employers. A tie is looked
for between a user and people given by the blind index of their number, so that those who are no members count too.
"""

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit, settings_table
from core.counting import add_months
from core.secrets import blind_all
from members import identity
from members.models import AccountHolder, EmployerSpell, Kinship, Membership, Person

SELF, KIN, COLLEAGUE = "SELF", "KIN", "COLLEAGUE"


@dataclass(frozen=True)
class Tie:
    """One relation between a user and one of the people asked about; `sentence` names nobody."""

    kind: str
    sentence: str


def ties(user, indexes, on=None):
    """Return the `Tie`s between `user` and the people with the blind `indexes` of their numbers, on the day `on`.

    SELF: the user's own person. KIN: declared by the user, or by one of the people who has an account too. COLLEAGUE:
    in one union within the last `conflict_years` years, by memberships or declared employers.
    """
    on = on or timezone.localdate()
    indexes = set(indexes) - {""}
    if user is None or not indexes:
        return []
    mine = Person.objects.filter(accounts__user=user).values_list("pk", "id_index").first()
    found = []
    if mine and mine[1] in indexes:
        found.append(Tie(SELF, _("This is your own household: somebody else must do this.")))
    running = Q(ended_on__isnull=True) | Q(ended_on__gte=on)
    kin = Q(user=user, id_index__in=indexes)
    if mine:
        kin |= Q(user__holder__person__id_index__in=indexes, id_index=mine[1])
    if declared := Kinship.objects.filter(running, kin).first():
        said = _("You are related to somebody of this household (%(relation)s): somebody else must do this.")
        found.append(Tie(KIN, said % {"relation": declared.get_kind_display()}))
    if _worked_together(user, mine, indexes, on):
        found.append(Tie(COLLEAGUE, _("You worked in the same unit as somebody of this household.")))
    return found


def bars(user, indexes, on=None):
    """Return the sentence why `user` must recuse, or an empty one: own household or relatives, never colleagues."""
    return next((tie.sentence for tie in ties(user, indexes, on) if tie.kind != COLLEAGUE), "")


def _worked_together(user, mine, indexes, on):
    since = add_months(on, -12 * int(settings_table.value("conflict_years", on)))
    lately = Q(ended_on__isnull=True) | Q(ended_on__gte=since)
    places = set(EmployerSpell.objects.filter(lately, user=user).values_list("union_id", flat=True))
    if mine:
        places |= set(Membership.objects.filter(lately, person_id=mine[0]).values_list("union_id", flat=True))
    return Membership.objects.filter(lately, person__id_index__in=indexes, union_id__in=places).exists()


# --- Declaring ------------------------------------------------------------------------------------------------------


@transaction.atomic
def hold_account(user, person, *, by):
    """Record that the account `user` belongs to `person`. Raises PermissionDenied, ValidationError."""
    _check_own(user, by)
    holder, made = AccountHolder.objects.get_or_create(
        user=user, defaults={"person": person, "declared_on": timezone.localdate()}
    )
    if not made:
        before, holder.person, holder.declared_on = holder.person_id, person, timezone.localdate()
        holder.save(update_fields=["person", "declared_on"])
    else:
        before = None
    audit.record("members.hold_account", user, by=by, changes={"person": [before, person.pk]})
    return holder


def hold_by_number(user, *, by, name, number):
    """The same by name and checked `members.identity` number, both as on the card: one alone finds nobody."""
    indexes = blind_all("id_number", number.number)
    found = Person.objects.filter(id_index__in=indexes, name=name).select_related("merged_into").first()
    if found is None:
        raise ValidationError({"id_number": _("The register has nobody with this name and this number.")})
    return hold_account(user, found.merged_into or found, by=by)


@transaction.atomic
def declare_kin(user, *, by, kind, name, number):
    """Record a relative by a checked `members.identity` number; returns the Kinship."""
    _check_own(user, by)
    if Person.objects.filter(accounts__user=user, id_index__in=blind_all("id_number", number.number)).exists():
        raise ValidationError({"id_number": _("This is your own number: give that of the relative.")})
    try:
        with transaction.atomic():
            row = Kinship.objects.create(
                user=user, kind=kind, name=name, id_number=number.number, id_masked=identity.mask_number(number.number),
                declared_on=timezone.localdate(),
            )  # fmt: skip
    except IntegrityError:
        raise ValidationError({"id_number": _("This person is declared already.")}) from None
    audit.record("members.declare_kinship", row, by=by, changes={"kind": [None, kind]})
    return row


@transaction.atomic
def end_kin(row, *, by):
    """End a declared relation today: it is kept, and counts no more from tomorrow. Raises ValidationError."""
    _check_own(row.user, by)
    _check_running(row)
    row.ended_on = timezone.localdate()
    row.save(update_fields=["ended_on"])
    audit.record("members.end_kinship", row, by=by, changes={"ended_on": [None, row.ended_on]})


@transaction.atomic
def declare_employer(user, *, by, union, began_on, ended_on=None):
    """Record where the user worked, as the union of that employer; returns the EmployerSpell."""
    _check_own(user, by)
    if began_on > timezone.localdate():
        raise ValidationError({"began_on": _("This day lies in the future.")})
    if ended_on and ended_on < began_on:
        raise ValidationError({"ended_on": _("The end lies before the beginning: exchange them.")})
    row = EmployerSpell.objects.create(
        user=user, union=union, began_on=began_on, ended_on=ended_on, declared_on=timezone.localdate()
    )
    changes = {"union": [None, union.pk], "began_on": [None, began_on], "ended_on": [None, ended_on]}
    audit.record("members.declare_employerspell", row, by=by, changes=changes)
    return row


@transaction.atomic
def end_employer(row, *, by):
    """End a declared employment today; it counts for `conflict_years` more. Raises ValidationError."""
    _check_own(row.user, by)
    _check_running(row)
    row.ended_on = timezone.localdate()
    row.save(update_fields=["ended_on"])
    audit.record("members.end_employerspell", row, by=by, changes={"ended_on": [None, row.ended_on]})


def _check_running(row):
    if row.ended_on:
        raise ValidationError(_("This was ended already."))


def _check_own(user, by):
    if by is not None and by != user and not by.has_perm("core.change_user", user):
        raise PermissionDenied(_("Only the holder of the account declares this, or whoever keeps the accounts."))

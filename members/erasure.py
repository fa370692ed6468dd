"""A person's data is erased: on the person's request or when its period is over, asked by one and decided by another.

Nothing that tells who it was stays in any table or kept file of ours, and no search finds the person. What stays is an
anonymous row, so that the counts of past years stay true, and what the law wants kept: issued papers and the audit
trail, whose words about the person are shown to nobody any more (个人信息保护法 47; docs/adr/0013).
"""

import logging
from datetime import date, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from core import audit, deadlines
from core.counting import add_months
from core.models import Draft, Hold, ImportBatch, RetentionRule
from core.models.imports import BatchState
from core.models.retention import RetentionUnit
from core.retention import PERSON
from members.actions import checked_reason
from members.merging import current, side
from members.models import (
    AccountHolder,
    BeforeImport,
    DuplicatePair,
    Erasure,
    ErasureGround,
    Kinship,
    Membership,
    MembershipStep,
    NameSuffix,
    Person,
    PersonMerge,
    StagedMember,
    Transfer,
    TransferStep,
)
from unions.models import Union

logger = logging.getLogger(__name__)

NAMELESS = "—"  # stands where a name stood: the database wants one, and no search finds it
UNDER_WAY = (BatchState.READING, BatchState.PREVIEW, BatchState.COMMITTING, BatchState.UNDOING)

# Every table that holds sealed text or leads to a person, and what becomes of its rows. A test compares this with the
# models there are: a new one must be decided on here.
TABLES = {
    "assistance.Grant": "stays: money that was paid is kept for the audit, and bars the erasure",
    "assistance.HardshipCase": "stays: a household that was helped is kept for the audit, and bars the erasure",
    "assistance.HardshipFile": "stays, as the case",
    "assistance.HouseholdPerson": "stays, as the case",
    "assistance.StagedHousehold": "bars the erasure until its period as an import is over",
    "assistance.Visit": "stays, as the case",
    "assistance.MatchAnswer": "stays, as the case",
    "core.Objection": "stays: who objects is no member by it; kept for the audit of the decision",
    "assistance.Recipient": "stays, as the grant",
    "core.Draft": "deleted where the form was one about the person; all others within the retention period of drafts",
    "members.AccountHolder": "deleted",
    "members.BeforeImport": "deleted",
    "members.DuplicatePair": "deleted",
    "members.Erasure": "stays: who asked, who decided and why; it names nobody",
    "members.ErasureStep": "stays, as the erasure",
    "members.Kinship": "deleted",
    "members.Membership": "stays with union, dates, state and statistical marks; texts are emptied",
    "members.MembershipStep": "stays with its date; reason and facts are emptied",
    "members.NameSuffix": "deleted",
    "members.Person": "stays without name, numbers, indexes, phone, residence and marks; sex and year of birth remain",
    "members.PersonMerge": "stays without the sealed images of the rows and without its reason; cannot be taken back",
    "members.StagedMember": "deleted, and with them the uploaded and returned workbooks they were read from",
    "members.Transfer": "stays with unions and dates; the reason is emptied",
    "members.TransferStep": "stays with its date; reason and facts are emptied",
    "unions.Officer": "stays: an office of a union is not data about a member; the union ends it by its own rules",
}


# --- Asking --------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask(*, by, person, ground, reason, requested_on=None):
    """Ask for the data of `person` to be erased and return the Erasure, which somebody else decides.

    Raises PermissionDenied without `members.ask_erasure` at the union of the last membership, ValidationError with the
    sentences.
    """
    person = current(person)
    lock(person)
    person.refresh_from_db()
    place = side(person).place
    if place is None or (by is not None and not by.has_perm(Erasure.ASK, place)):
        raise PermissionDenied(_("Your role here does not include this act."))
    if ground not in ErasureGround.values:
        raise ValidationError({"ground": _("Say on what ground the data is to be erased.")})
    today = timezone.localdate()
    if ground == ErasureGround.REQUEST:
        if not isinstance(requested_on, date):
            raise ValidationError({"requested_on": _("Give the day on which the request was received.")})
        if requested_on > today:
            raise ValidationError({"requested_on": _("This day lies in the future.")})
    reason = checked_reason(reason)
    check_nameless(person, reason)
    if refusals := why_not(person, ground, by=by):
        raise ValidationError(refusals)
    try:
        with transaction.atomic():
            erasure = Erasure.objects.create(
                person=person, union=place, ground=ground, reason=reason, asked_by=by, asked_on=today,
                requested_on=requested_on if ground == ErasureGround.REQUEST else None,
            )  # fmt: skip
    except IntegrityError:
        raise ValidationError(_("The erasure was asked for already and waits for the decision.")) from None
    begins = erasure.requested_on or today
    deadlines.open_deadline(Erasure.RULE, begins, subject=erasure, union=place, title=place.name, by=by)
    changes = {"ground": [None, ground], "requested_on": [None, erasure.requested_on]}
    audit.record("members.ask_erasure", erasure, by=by, union=place, changes=changes, reason=reason)
    return erasure


def check_nameless(person, reason):
    """Refuse a reason that names the person: it stays when the name is gone. Raises ValidationError."""
    if any(each.name in reason for each in _records(person)):
        raise ValidationError({"reason": _("Write the reason without the name: it is kept when the name is gone.")})


def why_not(person, ground, *, by=None):
    """Return the sentences why the data of `person` cannot be erased now; none: it can.

    They name no union whose members `by` does not see: the person may be a member there since.
    """
    if person.erased_on:
        return [_("The data of this person was erased already.")]
    if person.merged_into_id:
        return [_("This record was merged into another one: erase that person.")]
    people = _records(person)
    memberships = Membership.objects.filter(person__in=people)
    refusals = [
        _("The membership in %(union)s is open: it must end first.") % {"union": membership.union.name}
        if by is None or by.has_perm("members.view_membership", membership)
        else _("A membership in another union is open: it must end first.")
        for membership in memberships.open().select_related("union")
    ]
    if Transfer.objects.open().filter(membership__in=memberships).exists():
        refusals.append(_("A transfer is under way: it must be answered or called off first."))
    if held(person):
        refusals.append(_("The data is held: release the hold first."))
    if _staged(people).filter(batch__state__in=UNDER_WAY).exists():
        refusals.append(_("An import that names this person is under way: store or discard it first."))
    for place in settings.ERASURE_BARS:
        refusals += import_string(place)(people)
    if ground == ErasureGround.PERIOD and (sentence := _too_early(memberships)):
        refusals.append(sentence)
    return refusals


def held(person):
    """Whether a hold lies on a membership of the person, or on an import whose rows and file would go along."""
    people = _records(person)
    memberships = Membership.objects.filter(person__in=people, pk__in=list(Hold.objects.on(Membership)))
    return memberships.exists() or _staged(people).filter(batch__in=list(Hold.objects.on(ImportBatch))).exists()


def ends_on():
    """Return (the rule of how long people are kept, the day on or before which the last membership must have ended)."""
    rule, today = RetentionRule.objects.get(kind=PERSON), timezone.localdate()
    if rule.unit == RetentionUnit.DAY:
        return rule, today - timedelta(days=rule.length)
    return rule, add_months(today, -rule.length)


def _too_early(memberships):
    last = max(memberships.values_list("ended_on", flat=True), key=lambda day: day or date.max, default=None)
    rule, until = ends_on()
    if last is None or last <= until:
        return ""
    said = _("The last membership ended on %(day)s: the period of %(length)d %(unit)s is not over.")
    return said % {"day": last, "length": rule.length, "unit": rule.get_unit_display()}


def _records(person):
    """The person's own record and those that were merged into it, by their keys."""
    return list(Person.objects.filter(Q(pk=person.pk) | Q(merged_into=person.pk)).order_by("pk"))


def _staged(people):
    """The rows of registers that were read about these records."""
    indexes = [each.id_index for each in people if each.id_index]
    uuids = [each.uuid for each in people]
    return StagedMember.objects.filter(Q(person__in=people) | Q(person_uuid__in=uuids) | Q(id_index__in=indexes))


def lock(person):
    """Lock unions, people, memberships and transfers in the order that all keep (see Membership.lock_before)."""
    records = Person.objects.filter(Q(pk=person.pk) | Q(merged_into=person.pk))
    memberships = Membership.objects.filter(person__in=records)
    unions = set(memberships.values_list("union_id", flat=True))
    for rows in (Union.objects.filter(pk__in=unions), records, memberships):
        list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


# --- What goes and what stays --------------------------------------------------------------------------------------


def preview(person):
    """Return ([(what goes, how many)], [what stays]) for the page that asks and the page that decides."""
    people = _records(person)
    memberships = Membership.objects.filter(person__in=people)
    staged = _staged(people)
    images = sum(map(bool, _merges(people).values_list("before", flat=True)))
    goes = [
        (_("name, identity number, phone, residence and personal marks, with all that finds them"), len(people)),
        (_("texts of memberships: department, post, card number, dues, remarks"), memberships.count()),
        (_("reasons and facts of transfers and changes"),
         MembershipStep.objects.filter(case__in=memberships).count()
         + Transfer.objects.filter(membership__in=memberships).count()),
        (_("pairs of possible duplicates"), DuplicatePair.objects.filter(_in_pair(people)).count()),
        (_("sealed images kept for taking merges back"), images),
        (_("rows of uploaded registers"), staged.count()),
        (_("uploaded and returned workbooks that name the person"), _files_of(staged).count()),
        (_("drafts of forms about the person"), _drafts(memberships).count()),
    ]  # fmt: skip
    stays = [
        _("The memberships without a name, with union, dates and sex: the counts of past years stay true."),
        _("Papers that were issued keep their bytes: the law wants them kept unaltered."),
        _("The audit trail stays, for it cannot be altered; what it says about this person is not shown any more."),
        _("Exports that were downloaded, and backups: the files here are deleted after their days, backups with time."),
        _("An office in a union committee and an account of the portal are not touched."),
    ]
    return [(what, number) for what, number in goes if number], stays


def _in_pair(people):
    return Q(first__in=people) | Q(second__in=people)


def _merges(people):
    return PersonMerge.objects.filter(Q(kept__in=people) | Q(absorbed__in=people))


def _files_of(staged):
    batches = ImportBatch.objects.filter(pk__in=list(staged.order_by().values_list("batch", flat=True).distinct()))
    return batches.exclude(file="", returned="")


def _drafts(memberships):
    """Drafts of the forms at the addresses of these memberships and their transfers."""
    begins = Q(pk__in=())
    for key in memberships.values_list("pk", flat=True):
        begins |= Q(form__startswith=reverse("member_page", args=[key]))
    return Draft.objects.filter(begins)


# --- Erasing -------------------------------------------------------------------------------------------------------


def erase(person):
    """Erase the data of `person`, inside the transaction and under the locks of the deciding move.

    Returns {what: how many} for the step. Files go when the transaction is stored.
    """
    people = _records(person)
    memberships = Membership.objects.filter(person__in=people)
    transfers = Transfer.objects.filter(membership__in=memberships)
    merges, pairs, staged = _merges(people), DuplicatePair.objects.filter(_in_pair(people)), _staged(people)
    _stop_showing(people, memberships, transfers, merges, pairs)
    told = {"people": len(people), "memberships": memberships.count(), "rows": staged.count()}
    told["files"] = _drop_files(_files_of(staged))
    staged.delete()
    BeforeImport.objects.filter(person__in=people).delete()
    _drafts(memberships).delete()
    pairs.delete()
    NameSuffix.objects.filter(person__in=people).delete()
    AccountHolder.objects.filter(person__in=people).delete()
    Kinship.objects.filter(id_index__in=[each.id_index for each in people]).delete()
    merges.update(before="", reason="")
    MembershipStep.objects.filter(case__in=memberships).update(reason="", facts={})
    TransferStep.objects.filter(case__in=transfers).update(reason="", facts={})
    transfers.update(reason="")
    _holds(memberships).update(reason=NAMELESS, release_reason=NAMELESS)
    memberships.update(
        department="", post="", card_no="", dues_standard="", notes="", model_worker=False, version=F("version") + 1
    )
    for each in people:
        _make_nameless(each)
    # After a restore of an older backup this line, kept elsewhere, tells what must be erased once more.
    logger.info("Erased: person %s", person.pk)
    return told


def _make_nameless(person):
    """Straight into the row: a save would derive an index from a number that is no longer there."""
    Person.objects.filter(pk=person.pk).update(
        name=NAMELESS, name_pinyin="", name_initials="", name_sort="",
        id_number="", id_index=f"erased:{person.pk}", id_masked="", id_tail="",
        phone="", phone_index="", phone_masked="", residence="",
        ethnicity="", politics="", education="", hukou_kind="", hukou_place="",
        born_on=date(person.born_on.year, 1, 1), deceased_on=None, verified_on=None,
        erased_on=timezone.localdate(), version=F("version") + 1,
    )  # fmt: skip


def _stop_showing(people, memberships, transfers, merges, pairs):
    for rows in (people, memberships, transfers, merges, pairs, _holds(memberships)):
        audit.restrict((row._meta.label, row.pk) for row in rows)


def _drop_files(batches):
    number = 0
    for batch in batches.select_for_update(of=("self",)):
        for file in (batch.file, batch.returned):
            if file:
                transaction.on_commit(lambda file=file, name=file.name: file.storage.delete(name), robust=True)
                number += 1
        batch.file = batch.returned = ""
        batch.save(update_fields=["file", "returned"])
    return number


def _holds(memberships):
    """What was held of these memberships, and is no longer: whoever gave a reason may have named the person."""
    keys = list(memberships.values_list("pk", flat=True))
    return Hold.objects.filter(subject_type=Membership._meta.label_lower, subject_id__in=keys)

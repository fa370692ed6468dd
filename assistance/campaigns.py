"""Campaigns (四季送): made by the federation, divided among unions, recipients entered by cadres from the register."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Sum
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance import money
from assistance.grants import GrantState
from assistance.models import Campaign, Grant, HouseholdPerson, Quota, Recipient, Target
from assistance.moves import IN_FORCE
from core import audit
from core.cases import MoveRefused
from core.deadlocks import again_on_deadlock
from members.filters import MemberFilter
from members.models import Membership
from unions.models import Union

KEEP, ENTER = "assistance.keep_campaign", "assistance.enter_campaign"
MOST_AT_ONCE = 100  # recipients entered in one act


def _check(by, perm, union):
    if by is not None and not by.has_perm(perm, union):
        raise PermissionDenied(_("Your role here does not include this act."))


@transaction.atomic
def add(*, by, view=None, **facts):
    """Make a campaign and return it. `view`: the saved view of the list of members whose filters say whom it is for.

    Raises PermissionDenied, ValidationError by field.
    """
    campaign = Campaign(**facts)
    _check(by, KEEP, campaign.union)
    campaign.made_by = by
    if view is not None:
        campaign.query, campaign.target_name = view.query, view.name
    campaign.clean_fields(exclude=["union", "budget"])
    if campaign.ends_on.year < campaign.year:
        raise ValidationError({"ends_on": _("This day lies before the year of the campaign.")})
    budget = campaign.budget
    if (budget is None) != (not campaign.amount):
        raise ValidationError({"amount": _("Give a budget and an amount, or neither.")})
    if budget is not None and not campaign.union.path.startswith(budget.source.union.path):
        raise ValidationError({"budget": _("This money belongs to a union that is not above this one.")})
    try:
        with transaction.atomic():
            campaign.save()
    except IntegrityError:
        raise ValidationError({"name": _("The union has a campaign of this name and year already.")}) from None
    changes = {"kind": ["", campaign.kind], "amount": [None, campaign.amount], "target": ["", campaign.target]}
    audit.record("assistance.add_campaign", campaign, by=by, union=campaign.union, changes=changes)
    return campaign


@again_on_deadlock
@transaction.atomic
def allocate(campaign, *, by, union, places):
    """Give `union` and all below it so many `places`; said again, the number is changed. Returns the Quota.

    Two quotas never hold one union: neither above nor below another. Raises ValidationError, MoveRefused.
    """
    _check(by, KEEP, campaign.union)
    _open(campaign)
    if not union.path.startswith(campaign.union.path):
        raise ValidationError({"union": _("This union is not below the union of the campaign.")})
    others = campaign.quotas.exclude(union=union).select_related("union")
    if any(each.union.path.startswith(union.path) or union.path.startswith(each.union.path) for each in others):
        raise ValidationError({"union": _("A union above or below this one has places already.")})
    quota = campaign.quotas.filter(union=union).first() or Quota(campaign=campaign, union=union)
    before = quota.places
    quota.places = places
    quota.clean_fields(exclude=["campaign", "union"])
    if quota.taken > places:
        said = _("%(taken)d recipients are entered already: there cannot be fewer places.")
        raise ValidationError({"places": said % {"taken": quota.taken}})
    quota.save()
    audit.record(
        "assistance.allocate_campaign", campaign, by=by, union=union, changes={"places": [before, places]}
    )  # fmt: skip
    return quota


def _open(campaign):
    """Lock the campaign. Raises MoveRefused when it is closed."""
    Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
    campaign.refresh_from_db(fields=["closed_on"])
    if campaign.closed_on:
        raise MoveRefused(_("The campaign was closed on %(day)s.") % {"day": campaign.closed_on})


def candidates(campaign, union, user):
    """The open memberships at `union` and below that the campaign is meant for and `user` sees; not yet entered."""
    rows = Membership.objects.open().below(union).visible_to(user, "members.view_membership")
    if campaign.target == Target.HOUSEHOLDS:
        filed = HouseholdPerson.objects.filter(
            person=OuterRef("person"), live=True, case__state__in=IN_FORCE,
            **({"case__category": campaign.category} if campaign.category else {}),
        )  # fmt: skip
        rows = rows.filter(Exists(filed))
    elif campaign.query:
        rows = MemberFilter(QueryDict(campaign.query), queryset=rows, user=campaign.made_by).qs
    entered = Recipient.objects.filter(campaign=campaign, person=OuterRef("person"))
    return rows.filter(~Exists(entered)).select_related("person", "union").order_by("path", "pk")


@again_on_deadlock
@transaction.atomic
def enter(campaign, *, by, quota, keys, accounts=None):
    """Enter the memberships with `keys` as recipients, within the places of `quota`; all of them, or none.

    `accounts`: {membership key: account number} where the campaign pays by transfer; without one the account of the
    person's filed household is taken. With a budget each gets a grant, which somebody else approves. Returns them.
    """
    _check(by, ENTER, quota.union)
    _open(campaign)
    if campaign.ends_on < timezone.localdate():
        raise MoveRefused(_("Recipients were to be entered by %(day)s.") % {"day": campaign.ends_on})
    keys = set(keys)
    if not keys:
        raise ValidationError(_("Choose the recipients."))
    if len(keys) > MOST_AT_ONCE:
        raise ValidationError(_("At most %(most)d recipients are entered at once.") % {"most": MOST_AT_ONCE})
    if campaign.budget:
        campaign.budget.source.lock()
    quota = Quota.objects.select_related("union").select_for_update(of=("self",)).get(pk=quota.pk)
    if quota.taken + len(keys) > quota.places:
        said = _("%(places)d places, %(taken)d taken: there is no room for %(more)d more.")
        raise ValidationError(said % {"places": quota.places, "taken": quota.taken, "more": len(keys)})
    found = list(candidates(campaign, quota.union, by).filter(pk__in=keys))
    if len(found) != len(keys):
        raise ValidationError(_("Some of these people are entered already or not meant: choose again."))
    refusals, made = [], []
    for membership in found:
        try:
            made.append(_enter_one(campaign, quota, membership, (accounts or {}).get(membership.pk, ""), by))
        except ValidationError as refusal:
            refusals.append(f"{membership.person.name}: {' '.join(refusal.messages)}")
    if refusals:
        raise ValidationError(refusals)
    quota.taken += len(made)
    quota.save(update_fields=["taken"])
    changes = {"taken": [quota.taken - len(made), quota.taken]}
    audit.record("assistance.enter_campaign", campaign, by=by, union=quota.union, changes=changes)
    return made


def _enter_one(campaign, quota, membership, account, by):
    person = membership.person
    try:
        with transaction.atomic():
            recipient = Recipient.objects.create(
                campaign=campaign, quota=quota, union=membership.union, person=person, entered_by=by
            )
    except IntegrityError:
        raise ValidationError(_("This person is entered already.")) from None
    if campaign.budget is None:
        return recipient
    home = HouseholdPerson.objects.filter(person=person, live=True, case__state__in=IN_FORCE)
    home = home.select_related("case").first()
    case = home.case if home else None
    grant = Grant(
        recipient=recipient, case=case, union=membership.union, person=person, name=person.name,
        id_number=person.id_number, id_masked=person.id_masked, budget=campaign.budget, amount=campaign.amount,
        method=campaign.method,
    )  # fmt: skip
    bank = case.bank_name if case and not account else ""
    money.enter(grant, by=by, bank_name=bank, account=account or (case.bank_account if case else ""))
    return recipient


@transaction.atomic
def close(campaign, *, by):
    """End a campaign: nobody is entered any more. Raises MoveRefused while a grant of it is undecided or unpaid."""
    _check(by, KEEP, campaign.union)
    _open(campaign)
    waiting = Grant.objects.filter(
        recipient__campaign=campaign, state__in=(GrantState.ASKED, GrantState.APPROVED, GrantState.IN_BATCH)
    ).count()
    if waiting:
        raise MoveRefused(_("%(number)d grants are not decided or not paid yet.") % {"number": waiting})
    campaign.closed_on = timezone.localdate()
    campaign.save(update_fields=["closed_on"])
    changes = {"closed_on": [None, campaign.closed_on]}
    audit.record("assistance.close_campaign", campaign, by=by, union=campaign.union, changes=changes)
    return campaign


def progress(campaign):
    """Return [(quota, {state: number of grants}, yuan paid)] of a campaign, in the order of the tree."""
    paid = dict(
        Grant.objects.filter(recipient__campaign=campaign, state=GrantState.PAID)
        .order_by().values("recipient__quota").annotate(sum=Sum("amount")).values_list("recipient__quota", "sum")
    )  # fmt: skip
    counts = {}
    rows = Grant.objects.filter(recipient__campaign=campaign).order_by()
    for quota, state in rows.values_list("recipient__quota", "state"):
        counts.setdefault(quota, dict.fromkeys(GrantState.values, 0))[state] += 1
    nothing = dict.fromkeys(GrantState.values, 0)
    return [
        (quota, counts.get(quota.pk, nothing), paid.get(quota.pk, 0))
        for quota in campaign.quotas.select_related("union").order_by("union__path")
    ]


def quotas_of(campaign, user):
    """The quotas within which `user` may enter recipients."""
    below = Union.objects.visible_to(user, ENTER)
    return campaign.quotas.filter(union__in=below).select_related("union").order_by("union__path")

"""Campaigns: whom they are for, places that are never exceeded, recipients once, and grants that somebody approves."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone, translation

from assistance import campaigns, ledger
from assistance.models import Campaign, Grant, Quota, Recipient
from core.cases import MoveRefused
from core.models import SavedView
from tests.assistance import funds
from tests.assistance.funds import household
from tests.members.people import QIAN, member, number

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def campaign(tree, by=None, **facts):
    known = {
        "union": tree.city, "kind": "COOL", "year": timezone.localdate().year, "name": "夏送清凉",
        "ends_on": timezone.localdate(), "target": "MEMBERS",
    }  # fmt: skip
    return campaigns.add(by=by, **known | facts)


def quota(made, union, places=2):
    return campaigns.allocate(made, by=None, union=union, places=places)


def test_recipients_are_entered_within_the_places_and_once(tree, street):
    made = campaign(tree)
    places = quota(made, tree.street, 2)
    people = [member(tree.enterprise, f"赵{name}", number(n)) for n, name in enumerate(("一", "二", "三"), start=1)]
    elsewhere = member(tree.neighbour_enterprise, "邓小云", number(9))
    with pytest.raises(ValidationError, match="no room for 3 more"):
        campaigns.enter(made, by=street, quota=places, keys=[each.pk for each in people])
    with pytest.raises(ValidationError, match="choose again"):
        campaigns.enter(made, by=street, quota=places, keys=[elsewhere.pk])
    campaigns.enter(made, by=street, quota=places, keys=[people[0].pk])
    with pytest.raises(ValidationError, match="choose again"):
        campaigns.enter(made, by=street, quota=places, keys=[people[0].pk])
    assert (Quota.objects.get().taken, Recipient.objects.get().person) == (1, people[0].person)
    campaigns.enter(made, by=street, quota=places, keys=[people[1].pk])
    assert not Grant.objects.exists()
    with pytest.raises(ValidationError, match="cannot be fewer places"):
        quota(made, tree.street, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.update(taken=3)


def test_whom_a_saved_view_means(tree, approver, street):
    view = SavedView.objects.create(user=approver, page="member_list", name="女会员", query="sex=F")
    made = campaign(tree, by=approver, view=view)
    places = quota(made, tree.street)
    man, woman = member(tree.enterprise, "赵建国"), member(tree.enterprise, "钱秀英", QIAN)
    assert list(campaigns.candidates(made, places.union, street)) == [woman]
    with pytest.raises(ValidationError, match="not meant"):
        campaigns.enter(made, by=street, quota=places, keys=[man.pk])
    view.delete()
    assert Campaign.objects.get().query == "sex=F"


def test_filed_households_of_a_category(tree, street):
    member(tree.enterprise, "赵建国")
    case = household(tree.enterprise)
    made = campaign(tree, target="HOUSEHOLDS", category="DEEP")
    places = quota(made, tree.street)
    assert list(campaigns.candidates(made, places.union, street)) == [case.membership]
    case.category = "RELATIVE"
    case.save()
    assert not campaigns.candidates(made, places.union, street)


def test_each_recipient_gets_a_grant_that_somebody_else_approves(tree, street, approver):
    budget = funds.budget(tree.city, "500", aid_kind="COOL")
    made = campaign(tree, budget=budget, amount=Decimal(200), method="IN_KIND")
    places = quota(made, tree.street, 5)
    people = [member(tree.enterprise, f"赵{name}", number(n)) for n, name in enumerate("一二三", start=1)]
    campaigns.enter(made, by=street, quota=places, keys=[each.pk for each in people])
    states = []
    for grant in Grant.objects.order_by("pk"):
        try:
            states.append(grant.make_move("approve", by=approver).state)
        except MoveRefused:
            states.append("no money")
    assert states == ["APPROVED", "APPROVED", "no money"]
    ((row, counts, paid),) = campaigns.progress(made)
    assert (row, counts["APPROVED"], counts["ASKED"], paid) == (places, 2, 1, 0)
    with pytest.raises(MoveRefused, match="3 grants are not decided or not paid"):
        campaigns.close(made, by=approver)
    assert list(ledger.faults()) == []


def test_one_who_may_not_get_it_keeps_all_from_being_entered(tree, street):
    funds.rule("COOL", per_time="100")
    budget = funds.budget(tree.city, aid_kind="COOL")
    made = campaign(tree, budget=budget, amount=Decimal("100.01"), method="IN_KIND")
    places, zhao = quota(made, tree.street), member(tree.enterprise)
    with pytest.raises(ValidationError, match="赵建国: At most"):
        campaigns.enter(made, by=street, quota=places, keys=[zhao.pk])
    assert not Recipient.objects.exists()
    assert Quota.objects.get().taken == 0


def test_money_goes_to_a_typed_account_or_that_of_the_file(tree, street):
    budget = funds.budget(tree.city, aid_kind="COOL")
    made = campaign(tree, budget=budget, amount=Decimal(100), method="BANK")
    places, zhao, case = quota(made, tree.street), member(tree.enterprise), household(tree.enterprise)
    with pytest.raises(ValidationError, match="no account number"):
        campaigns.enter(made, by=street, quota=places, keys=[zhao.pk])
    keys = [zhao.pk, case.membership_id]
    campaigns.enter(made, by=street, quota=places, keys=keys, accounts={zhao.pk: "6222 0000 1111 22"})
    assert {grant.bank_account for grant in Grant.objects.all()} == {"62220000111122", funds.ACCOUNT}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"amount": Decimal(5)}, "or neither"),
        ({"year": 1999}, ""),
        ({"ends_on": timezone.localdate().replace(year=2020, day=1)}, "before the year"),
        ({"name": ""}, "blank|required"),
    ],
)
def test_a_campaign_that_cannot_be_is_not_made(tree, facts, sentence):
    with pytest.raises(ValidationError) as refusal:
        campaign(tree, **facts)
    assert any(part in str(refusal.value) for part in sentence.split("|"))
    assert not Campaign.objects.exists()


def test_places_do_not_overlap_and_stay_below(tree):
    made = campaign(tree, union=tree.district)
    quota(made, tree.street, 5)
    for union in (tree.enterprise, tree.district):
        with pytest.raises(ValidationError, match="has places already"):
            quota(made, union, 1)
    with pytest.raises(ValidationError, match="not below"):
        quota(made, tree.other_street, 1)
    assert quota(made, tree.street, 3).places == 3


def test_a_campaign_that_is_over_takes_nobody(tree, street):
    made = campaign(tree)
    places, zhao = quota(made, tree.street), member(tree.enterprise)
    Campaign.objects.update(ends_on=timezone.localdate() - timedelta(days=1))
    made.refresh_from_db()
    with pytest.raises(MoveRefused, match="were to be entered by"):
        campaigns.enter(made, by=street, quota=places, keys=[zhao.pk])
    campaigns.close(made, by=None)
    with pytest.raises(MoveRefused, match="was closed on"):
        campaigns.enter(made, by=street, quota=places, keys=[zhao.pk])
    with pytest.raises(MoveRefused, match="was closed on"):
        quota(made, tree.street, 5)


def test_only_who_keeps_and_enters_at_the_place(tree, street, enterprise, neighbour, auditor):
    made = campaign(tree)
    places, zhao = quota(made, tree.street), member(tree.enterprise)
    for user in (enterprise, neighbour, auditor):
        with pytest.raises(PermissionDenied):
            campaigns.enter(made, by=user, quota=places, keys=[zhao.pk])
    with pytest.raises(PermissionDenied):
        campaigns.allocate(made, by=street, union=tree.street, places=9)
    with pytest.raises(PermissionDenied):
        campaigns.close(made, by=street)


def test_a_campaign_by_the_pages(tree, approver, street, neighbour, client_of):
    theirs, ours = client_of(approver), client_of(street)
    zhao = member(tree.enterprise)
    budget = funds.budget(tree.city, aid_kind="COOL")
    form = {
        "union": tree.city.name, "kind": "COOL", "year": "2026", "name": "夏送清凉", "ends_on": "2099-12-31",
        "target": "MEMBERS", "method": "BANK", "budget": budget.pk, "amount": "",
    }  # fmt: skip
    assert "or neither" in theirs.post(reverse("campaign_add"), form).content.decode()
    assert theirs.post(reverse("campaign_add"), form | {"amount": "100"}).status_code == 302
    made = Campaign.objects.get()
    url = reverse("campaign_page", args=[made.pk])
    assert ours.get(url).status_code == 404  # nothing of it is theirs yet
    page = theirs.post(reverse("campaign_places", args=[made.pk]), {"union": "nowhere", "places": "5"})
    assert "No union below has this code" in page.content.decode()
    theirs.post(reverse("campaign_places", args=[made.pk]), {"union": tree.street.code, "places": "1"})
    assert tree.street.name in ours.get(url).content.decode()
    assert client_of(neighbour).get(url).status_code == 404
    enter = reverse("campaign_enter", args=[made.pk])
    assert "210400198503070017" not in ours.get(enter).content.decode()
    page = ours.post(enter, {"member": [zhao.pk], f"account_{zhao.pk}": "123"}).content.decode()
    assert "8 to 32 digits" in page
    assert 'value="123"' in page
    assert ours.post(enter, {"member": ["x", "9" * 30]}).status_code == 200
    assert ours.post(enter, {"member": [zhao.pk], f"account_{zhao.pk}": "6222000011112222"}).status_code == 302
    assert "1 / 1" in ours.get(url).content.decode()
    page = theirs.post(reverse("campaign_close", args=[made.pk]), follow=True)
    assert "not decided or not paid" in page.content.decode()

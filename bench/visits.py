"""The visits that `bench.pages` times, and the timing itself: run in a process of its own, with Django set up."""

import time
from datetime import date
from tempfile import TemporaryFile
from types import SimpleNamespace

from django.db import connection, transaction
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core import exports
from core.models import Export, SavedView, User
from members.exports import MemberExport
from members.models import Membership
from unions.models import Appointment, Union

HERE = "127.0.0.1"  # a host that every portal answers to
VISITS = 30  # timed ones of a page, in each pass
ENOUGH = 1.5  # seconds: a slow page is visited less often, five times at least
NEVER = "2099-01-01"

MEMBER_PAGES = {
    "empty page": "/search/",
    "desk": "/",
    "members": "/members/",
    "members, by name": "/members/?sort=name",
    "members, by joining day": "/members/?sort=joined_on",
    "members, by age": "/members/?sort=age",
    "members, in the middle": lambda here: f"/members/?after={here.member_at(0.5)}",
    "members, near the end": lambda here: f"/members/?after={here.member_at(0.99)}",
    "members, backwards from the end": lambda here: f"/members/?before={here.member_at(0.99)}",
    "members, own view": lambda here: here.saved_view(),
    "members, all columns": "/members/?columns=*",
    "members below a union": lambda here: f"/members/?union={here.below.pk}",
    "members of the largest union": lambda here: f"/members/?union={here.largest.pk}",
    "members of a union by code": lambda here: f"/members/?union_text={here.largest.code}",
    "members, retained": "/members/?state=RETAINED",
    "members, ended": "/members/?state=ended",
    "members, women": "/members/?sex=F",
    "members, new forms of employment": "/members/?employment=PLATFORM",
    "members, riders": "/members/?occupation_group=FOOD_RIDER",
    "members, migrant workers": "/members/?migrant_worker=on",
    "members, without a phone": "/members/?no_phone=on",
    "members, never verified": "/members/?never_verified=on",
    "members, aged 58 and more": "/members/?age_from=58",
    "members, lately joined": "/members/?joined_on_from=2026-01-01",
    "members, no such group": "/members/?occupation_group=ESTATE_AGENT",
    "members, nobody so old": "/members/?age_from=110",
    "members, nobody so late": f"/members/?joined_on_from={NEVER}",
    "members, nobody so skilled": "/members/?skill_level=SENIOR_TECHNICIAN",
    "members, no such department": "/members/?department=无此部门",
    "members, no such union": "/members/?union_text=无此工会",
    "member": lambda here: f"/members/{here.member_at(0.5)}/",
    "member, edit": lambda here: f"/members/{here.member_at(0.5)}/edit/",
    "unions": "/unions/",
    "unions, by name": "/unions/?sort=name",
    "unions, by term": "/unions/?sort=term_ends_on",
    "unions, overdue": "/unions/?state=overdue",
    "unions, no such name": "/unions/?text=无此工会",
    "tree": "/unions/tree/",
    "tree, opened": lambda here: f"/unions/tree/?open={here.below.pk}",
    "union": lambda here: f"/unions/{here.top.pk}/",
    "largest union": lambda here: f"/unions/{here.largest.pk}/",
    "re-elections": "/terms/",
    "transfers to answer": "/transfers/",
    "transfers decided": "/transfers/?box=decided",
    "possible duplicates": "/duplicates/",
    "imports": "/imports/",
    "papers": "/papers/",
    "jobs": "/jobs/",
    "exports": "/exports/",
}
KEEPER_PAGES = {
    "accounts": "/users/",
    "roles": "/roles/",
    "admin: people": "/admin/members/person/",
    "admin: members": "/admin/members/membership/",
    "admin: members by name": "/admin/members/membership/?q=王",
    "admin: members retained": "/admin/members/membership/?state__exact=RETAINED",
    "admin: changes of memberships": "/admin/members/membershipstep/",
    "admin: unions": "/admin/unions/union/",
    "admin: events": "/admin/core/auditevent/",
    "admin: deadlines": "/admin/core/deadline/",
}


def measure(user):
    """Return {"pages": {page: ([seconds], queries)}} for one user of `bench.pages`."""
    with transaction.atomic():
        here = _Here(user)
        client = _signed_in(here.account)
        pages = KEEPER_PAGES if user == "keeper" else MEMBER_PAGES
        timed = {name: _visit(client, page(here) if callable(page) else page) for name, page in pages.items()}
        transaction.set_rollback(True)
    return {"pages": timed}


def usual():
    """Return {"pages": {page: [seconds]}} of `bench.peers_pages`, for a superuser."""
    list_of = "/{}/members/membership/{}"
    with transaction.atomic():
        client = _signed_in(User.objects.create_superuser("peer", "peer@example.test", "a-password"))
        last = Membership.objects.count() // 50
        timed = {
            "plain empty page": _visit(client, "/empty/"),
            "tuned admin": _visit(client, list_of.format("tuned", "")),
            "tuned admin, near the end": _visit(client, list_of.format("tuned", f"?p={last - 1}")),
            "stock admin": _visit(client, list_of.format("stock", "")),
        }
        transaction.set_rollback(True)
    return {"pages": {name: seconds for name, (seconds, _queries) in timed.items()}}


def export():
    """Write the workbook of a district's members as the job does; return {"seconds", "rows"}."""
    with transaction.atomic(), TemporaryFile() as file:
        account, top = _account("city")
        district = Union.objects.below(top).exclude(pk=top.pk).order_by("path").first()
        asked = Export(query=f"union={district.pk}", purpose="年报", asked_by=account, asked_at=timezone.now())
        run = SimpleNamespace(progress=lambda **_how_far: None)
        began = time.perf_counter()
        rows = exports.write(file, MemberExport(account), asked, run)
        spent = time.perf_counter() - began
        transaction.set_rollback(True)
    return {"seconds": spent, "rows": rows}


class _Here:
    """Somebody's account and what lies in its reach."""

    def __init__(self, user):
        self.account, self.top = _account(user)
        reached = Union.objects.below(self.top)
        sizes = reached.annotate(own=Count("memberships")).order_by("-own", "pk")
        self.largest = sizes.first()
        self.below = reached.exclude(pk=self.top.pk).order_by("path").first() or self.top
        self.rows = Membership.objects.open().filter(union__in=reached).order_by("union__path", "-pk")

    def member_at(self, part):
        """The key of the member who stands so far down the list, 0 to 1."""
        return self.rows.values_list("pk", flat=True)[int(self.rows.count() * part)]

    def saved_view(self):
        """The list by a view that opens by itself."""
        SavedView.objects.create(
            user=self.account, page="member_list", name="农民工", query="migrant_worker=on", is_default=True
        )
        return "/members/"


def _account(user):
    """Return (account, the union it stands at)."""
    if user == "keeper":
        keeper = User.objects.create_superuser("keeper", "keeper@example.test", "a-password")
        return keeper, Union.objects.get(parent__isnull=True)
    account = User.objects.filter(username={"leaf": "grassroots"}.get(user, user)).first()
    if account is None:
        union = Union.objects.annotate(own=Count("memberships")).order_by("-own", "pk").first()
        account = User.objects.create(username="bench")
        Appointment.objects.create(user=account, union=union, role="cadre", valid_from=date(2020, 1, 1))
    return account, account.appointments.order_by("union__path").first().union


def _signed_in(account):
    client = Client(SERVER_NAME=HERE)
    client.force_login(account)
    return client


def _visit(client, address):
    """Return ([seconds of each visit], queries of one). Raises RuntimeError when the page does not open."""
    for _warming in range(2):
        answer = client.get(address, follow=True)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")
    with CaptureQueriesContext(connection) as asked:
        client.get(address, follow=True)
    queries, seconds = len(asked), []  # counted now: the next request empties the list
    while len(seconds) < 5 or (len(seconds) < VISITS and sum(seconds) < ENOUGH):
        began = time.perf_counter()
        client.get(address, follow=True)
        seconds.append(time.perf_counter() - began)
    return seconds, queries

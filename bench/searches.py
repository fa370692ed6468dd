"""What `bench.search` asks for, and the measuring itself: run in a process of its own, with Django set up."""

import random
import time
from contextlib import contextmanager
from datetime import date

from django.db import transaction
from django.db.models import Count
from django.test import Client
from django.urls import reverse

from core.models import User
from core.scope import after
from members import search
from members.models import Membership, NameSuffix, Person
from members.pinyin import name_keys
from unions.models import Appointment, Union, UnionKind

TEXTS = 60  # different ones of each kind
LIMIT = 11  # hits that the box asks the members' search for
HERE = "127.0.0.1"  # a host that every portal answers to


def measure(user):
    """Return {"kinds": {kind: ([seconds of a page], [seconds of its query])}} for one user of `bench.search`."""
    with _account(user) as (account, path):
        texts = {kind: _different(ask(_Draw(path))) for kind, ask in KINDS.items()}
        client, address = Client(SERVER_NAME=HERE), reverse("search")
        client.force_login(account)
        for text in ("王", "王力宏一", "zhang", "0017"):  # templates, statements, the session
            client.post(address, {"q": text})
        timed = {}
        for kind, asked in texts.items():
            if not asked:  # nobody of a small union has such a name
                continue
            pages = [_seconds(client.post, address, {"q": text}) for text in asked]
            timed[kind] = pages, [_seconds(search.find, account, text, LIMIT) for text in asked]
    return {"kinds": timed}


def usual(name):
    """Return {"kinds": {kind: [seconds of a page]}} of one admin of `bench.peers_pages`, for a superuser."""
    with transaction.atomic():
        draw, client = _Draw(""), Client(SERVER_NAME=HERE)
        client.force_login(User.objects.create_superuser("peer", "peer@example.test", "a-password"))
        timed = {
            kind: [
                _seconds(client.get, f"/{name}/members/membership/", {"q": text})
                for text in _different(KINDS[kind](draw))[:15]
            ]
            for kind in ("name, whole", "two characters of a name")
        }
        transaction.set_rollback(True)
    return {"kinds": timed}


def _seconds(act, *arguments):
    began = time.perf_counter()
    answer = act(*arguments)
    spent = time.perf_counter() - began
    if getattr(answer, "status_code", 200) not in (200, 302):
        raise RuntimeError(f"The page answered {answer.status_code}.")
    return spent


@contextmanager
def _account(user):
    """Yield (account, path of the union it reaches); whatever is written meanwhile is taken back."""
    named = {"leaf": "grassroots"}.get(user, user)
    with transaction.atomic():
        account = User.objects.filter(username=named).first()
        if account is None:
            account = User.objects.create(username="bench")
            Appointment.objects.create(user=account, union=_union(user), role="cadre", valid_from=date(2020, 1, 1))
        yield account, account.appointments.select_related("union").first().union.path
        transaction.set_rollback(True)


def _union(user):
    """The hardest to serve: with just too many members to look through them, and too few to be met with soon."""
    if user == "large union":
        return Union.objects.annotate(own=Count("memberships")).order_by("-own").first()
    streets = Union.objects.filter(kind__in=(UnionKind.STREET, UnionKind.TOWNSHIP, UnionKind.PARK))
    return min(streets, key=lambda street: abs(street.members_below(10**6) - 3000))


def _different(texts):
    return list(dict.fromkeys(texts))[:TEXTS]


class _Draw:
    """Draws people from those below a path, everybody for the empty one, the same ones every time."""

    def __init__(self, path):
        self.random = random.Random(path)
        rows = Membership.objects.open().order_by()
        if path:
            rows = rows.filter(union__path__gte=path, union__path__lt=after(path))
        self.keys = list(rows.values_list("person", flat=True))

    def people(self, number=TEXTS):
        """So many people, or all there are."""
        return list(Person.objects.filter(pk__in=self.random.sample(self.keys, min(len(self.keys), number))))

    def names(self):
        return [person.name for person in self.people(20 * TEXTS)]

    def spelled(self):
        """[(keys of `name_keys`, name)]"""
        return [(name_keys(name), name) for name in self.names()]


def _common(model, column):
    """What most people bear."""
    return model.objects.values_list(column, flat=True).annotate(n=Count("pk")).order_by("-n", column)[:TEXTS]


def _at_unions(draw):
    """[(a part of the union's name, the first two characters of a member's)]"""
    rows = Membership.objects.filter(person__in=draw.people()).select_related("union", "person")
    return [(row.union.name.removeprefix("云河")[:2], row.person.name[:2]) for row in rows]


def _nobodys(draw):
    """A common surname, and a character that nobody bears."""
    return [draw.random.choice("王李张") + chr(draw.random.randrange(0x5B00, 0x7000)) for _time in range(2 * TEXTS)]


KINDS = {
    "name, whole": lambda draw: draw.names(),
    "name from its beginning": lambda draw: [name[:2] for name in draw.names()],
    "name of anybody in the city": lambda draw: _Draw("").names(),
    "one of the commonest names": lambda draw: _common(Person, "name"),
    "two characters of a name": lambda draw: [name[1:3] for name in draw.names() if len(name) > 2],
    "two of the commonest characters": lambda draw: _common(NameSuffix, "text"),
    "three characters of a longer name": lambda draw: [name[1:4] for name in draw.names() if len(name) > 3],
    "pinyin": lambda draw: [keys["name_pinyin"] for keys, _name in draw.spelled()],
    "pinyin from its beginning": lambda draw: [keys["name_pinyin"][:6] for keys, _name in draw.spelled()],
    "initials": lambda draw: [keys["name_initials"] for keys, _name in draw.spelled()],
    "surname in full and initials": lambda draw: [
        name_keys(name[0])["name_pinyin"] + keys["name_initials"][1:] for keys, name in draw.spelled()
    ],
    "identity number": lambda draw: [person.id_number for person in draw.people()],
    "identity number of anybody": lambda draw: [person.id_number for person in _Draw("").people()],
    "last four of the number": lambda draw: [person.id_tail for person in draw.people()],
    "phone": lambda draw: [person.phone for person in draw.people() if person.phone],
    "union and name": lambda draw: [f"{union} {name}" for union, name in _at_unions(draw)],
    "union": lambda draw: [union for union, _name in _at_unions(draw)],
    "nobody's name": _nobodys,
}

"""Finding in the database who may be one person entered twice: the pairs that `matching` then weighs.

Nobody is compared with everybody. Who could be alike is looked up in an index, by ways that bring few people however
large the register is and however common a name (R19): the phone; a name written alike with nearly the same birth date;
and where too many have such a name, the numbers that one slip of the hand makes, and the name with the same birth
date. A decided pair is never opened again (R18).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Max, Q
from django.utils import timezone

from core import audit, settings_table
from core.deadlocks import again_on_deadlock
from core.secrets import blind, blind_all
from members import matching
from members.models import DuplicatePair, Membership, PairState, Person
from members.pinyin import name_keys

CHUNK = 500  # people looked for in one round
ASKED = 2000  # values in one query
CROWD = 20  # more people with one phone: an office's, which says nothing
# More people of one name: they are not looked through. Two of them with numbers further than a slip apart and other
# birth dates are never alike enough by the weights of `matching`; more of one day are not told apart by anything.
NAMESAKES = 200
RECENT = timedelta(days=3)  # what the nightly look covers, should a look on the way in have failed


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is looked for, stored already or not; `key` tells them apart."""

    key: int
    name: str
    number: str
    born_on: date
    phone_index: str
    name_pinyin: str


def find_for(people, *, by):
    """Look whether `people` (keys) are entered twice and return the open pairs newly written.

    An open pair of theirs that is no longer alike, because a fact was corrected, is taken out of the queue.
    """
    keys = sorted({int(key) for key in people})
    new = []
    for start in range(0, len(keys), CHUNK):
        new += _find(keys[start : start + CHUNK], by)
    return new


def find_after_commit(people, *, by):
    """The same once the caller's transaction is over: it holds people whom a look may not wait for.

    Should the look fail, the nightly one makes up for it.
    """
    keys = list(people)

    def find_duplicates():  # a function: Django names what failed by its name, which a partial has not
        find_for(keys, by=by)

    transaction.on_commit(find_duplicates, robust=True)


def find_for_batch(batch, *, by):
    """The same for everybody whom an import enrolled."""
    people = Membership.objects.filter(batch=batch).order_by().values_list("person", flat=True)
    return find_for(people.iterator(chunk_size=10_000), by=by)


def find_for_recent(*, by=None):
    """The same for everybody entered lately: what a look on the way in missed, if any."""
    since = timezone.now() - RECENT
    return find_for(Person.objects.filter(created_at__gte=since).values_list("pk", flat=True).iterator(), by=by)


def likely(asked, *, limit=3):
    """Say who may be each of `asked` ({key: `matching.Record`}), not stored yet, in as many queries however many.

    Returns {key: [(person, codes of the reasons)]} of those for whom there is somebody, the likeliest first.
    """
    keys, wanted = list(asked), []
    for place, record in enumerate(asked.values(), start=1):
        phone_index = blind("phone", record.phone) if record.phone else ""
        pinyin = name_keys(record.name)["name_pinyin"]
        wanted.append(
            Wanted(-place, record.name, record.number, record.born_on, phone_index, pinyin)
        )  # no person's key
    pairs = _alike(wanted) if wanted else ()
    people = Person.objects.in_bulk({other for _key, other in pairs})
    if not people:
        return {}
    scale = _Scale(
        [*(one.name for one in wanted), *(person.name for person in people.values())],
        {one.phone_index for one in wanted},
    )
    found, least = defaultdict(list), threshold()
    for place, other in pairs:
        one, person = wanted[-place - 1], people[other]
        if not _worth(one, person) or person.id_number == one.number:
            continue
        likeness = scale(asked[keys[-place - 1]], _record(person), one.phone_index)
        if likeness.score >= least:
            found[keys[-place - 1]].append((likeness.score, person.pk, likeness.reasons))
    return {
        key: [(people[pk], reasons) for _score, pk, reasons in sorted(each, reverse=True)[:limit]]
        for key, each in found.items()
    }


def looking_like(asked, *, by):
    """The same as {key: [(membership, sentences why)]} of the members whom `by` sees."""
    found = likely(asked)
    people = {person.pk for each in found.values() for person, _reasons in each}
    rows = Membership.objects.filter(person__in=people).visible_to(by, "members.view_membership")
    latest = {row.person_id: row for row in rows.select_related("person", "union").order_by("pk")}
    seen = {
        key: [
            (latest[person.pk], [matching.SENTENCES[reason] for reason in reasons])
            for person, reasons in each
            if person.pk in latest
        ]
        for key, each in found.items()
    }
    return {key: each for key, each in seen.items() if each}


def weigh(one, other):
    """Return the `Likeness` of two people as they are stored."""
    scale = _Scale([one.name, other.name], [one.phone_index])
    return scale(_record(one), _record(other), one.phone_index)


def threshold():
    """From which chance on two records are shown as a possible duplicate."""
    return float(settings_table.value("duplicate_threshold"))


# --- Who could be alike ---------------------------------------------------------------------------------------------


def _wanted(people):
    people = people.only("uuid", "name", "id_number", "born_on", "phone_index", "name_pinyin")
    return [Wanted(one.pk, one.name, one.id_number, one.born_on, one.phone_index, one.name_pinyin) for one in people]


def _alike(wanted):
    """Return {(key of who is looked for, key of the person)} of everybody who could be alike."""
    found, common = _by_name(wanted)
    found |= _by_phone(wanted) | _by_first_part(wanted) | _by_number(common) | _by_day(common)
    return {(key, other) for key, other in found if key != other}


def _by_name(wanted):
    """Who has nearly the same birth date and a name that sounds or looks alike; and for whom too many have one."""
    asked = {"name_pinyin": defaultdict(list), "name": defaultdict(list)}
    for each in wanted:
        asked["name_pinyin"][each.name_pinyin].append(each)
        for name in {*matching.look_alikes(each.name), each.name.partition("·")[0]} - {each.name}:
            asked["name"][name].append(each)
    found, common = set(), set()
    for column, values in asked.items():
        counts = _counted(column, values)
        few = [value for value, number in counts.items() if number <= NAMESAKES]
        for key, value, born_on in _people(column, few, column, "born_on"):
            found.update((each.key, key) for each in values[value] if _nearly(each.born_on, born_on))
        common.update(each for value in counts.keys() - set(few) for each in values[value])
    return found, common


def _by_first_part(wanted):
    """Who has a name of several parts of which the first is the whole name looked for, and the same birth date."""
    asked = defaultdict(set)
    for each in wanted:
        asked[each.name, each.born_on].add(each.key)
    rows = _standing().filter(born_on__in={day for _name, day in asked}, name__contains="·")
    return {
        (wanted, key)
        for key, name, day in rows.values_list("pk", "name", "born_on")
        for wanted in asked.get((name.partition("·")[0], day), ())
    }


def _by_number(wanted):
    """Who has a number one slip away, found by its blind index: no sealed number is opened."""
    asked = defaultdict(set)
    for each in wanted:
        for number in matching.slips(each.number):
            for index in blind_all("id_number", number):
                asked[index].add(each.key)
    return _holders("id_index", asked)


def _by_phone(wanted):
    """Who has the same phone, unless it is a crowd's."""
    asked = defaultdict(set)
    for each in wanted:
        if each.phone_index:
            asked[each.phone_index].add(each.key)
    for phone in _crowds(asked):
        del asked[phone]
    return _holders("phone_index", asked)


def _by_day(wanted):
    """Who has the same name and the same birth date, unless it is a crowd."""
    asked = defaultdict(set)
    for each in wanted:
        asked[each.name, each.born_on].add(each.key)
    rows = _standing().filter(name__in={name for name, _day in asked}, born_on__in={day for _name, day in asked})
    together = rows.values("name", "born_on").annotate(n=Count("pk")).filter(n__lte=NAMESAKES).order_by()
    few = set(together.values_list("name", "born_on")) & asked.keys()
    rows = _standing().filter(name__in={name for name, _day in few}, born_on__in={day for _name, day in few})
    return {
        (wanted, key)
        for key, name, day in rows.values_list("pk", "name", "born_on").iterator()
        if (name, day) in few
        for wanted in asked[name, day]
    }


def _nearly(one, other):
    """Whether two of year, month and day agree, or day and month changed places; `matching` looks closer."""
    if one.year != other.year:
        return (one.month, one.day) == (other.month, other.day)
    return one.day == other.day or other.month in (one.month, one.day)


def _holders(column, asked):
    """{value: keys} → {(key, person)} of the people who have one of these values."""
    return {(wanted, key) for key, value in _people(column, asked, column) for wanted in asked[value]}


def _people(column, values, *fields):
    """Yield the keys and `fields` of the people who have one of these values."""
    values = list(values)
    for start in range(0, len(values), ASKED):
        rows = _standing().filter(**{f"{column}__in": values[start : start + ASKED]})
        yield from rows.values_list("pk", *fields).iterator()


def _counted(column, values):
    """Return {value: how many people have it}."""
    values, counts = list(values), {}
    for start in range(0, len(values), ASKED):
        rows = Person.objects.filter(**{f"{column}__in": values[start : start + ASKED]}).order_by()
        counts |= dict(rows.values_list(column).annotate(Count("pk")))
    return counts


def _standing():
    """The records that were not merged into another."""
    return Person.objects.filter(merged_into=None, erased_on=None)


def _crowds(indexes):
    """Return which of the phones (blind indexes) too many people have for it to say anything."""
    return {phone for phone, number in _counted("phone_index", indexes).items() if number > CROWD}


# --- How alike they are ---------------------------------------------------------------------------------------------


class _Scale:
    """Weighs records of the people at hand, knowing how common their names and phones are in the register."""

    def __init__(self, names, phones):
        self.people = Person.objects.aggregate(last=Max("pk"))["last"] or 0  # about; counting them takes longer
        self.namesakes = Counter(_counted("name", set(names)))
        self.holders = Counter(_counted("phone_index", set(phones) - {""}))

    def __call__(self, one, other, phone_index):
        others = 2 if one.name == other.name else 1  # of that name, these two themselves
        share = max(
            matching.share_of(name, max(0, self.namesakes[name] - others), self.people)
            for name in (one.name, other.name)
        )
        return matching.likeness(one, other, share=share, holders=self.holders[phone_index])


def _record(person):
    return matching.Record(person.name, person.id_number, person.born_on, person.phone)


@again_on_deadlock
@transaction.atomic
def _find(keys, by):
    wanted = _wanted(_standing().filter(pk__in=keys))
    pairs = {tuple(sorted(pair)) for pair in (_alike(wanted) if wanted else ())}
    alike = _weighed(pairs)
    concerned = DuplicatePair.objects.filter(Q(first__in=keys) | Q(second__in=keys)).values_list("first", "second")
    _hold({key for pair in (*alike, *concerned) for key in pair})
    stored = {
        (pair.first_id, pair.second_id): pair
        for pair in DuplicatePair.objects.filter(Q(first__in=keys) | Q(second__in=keys))
    }
    _refresh(stored, alike)
    new = [
        DuplicatePair(first_id=first, second_id=second, score=_rounded(likeness), reasons=list(likeness.reasons))
        for (first, second), likeness in sorted(alike.items())
        if (first, second) not in stored
    ]
    DuplicatePair.objects.bulk_create(new, ignore_conflicts=True)  # another look may have found them just now
    written = _written(new)
    audit.record_many(
        {"verb": "members.find_duplicatepair", "target": pair, "by": by, "changes": {"reasons": ["", pair.reasons]}}
        for pair in written
    )
    return written


def _hold(people):
    """Lock people in the order that everybody keeps, before their pairs: a new pair refers to both."""
    rows = Person.objects.filter(pk__in=people).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def _weighed(pairs):
    """Return {pair: Likeness} of those that reach the threshold."""
    plain = _rows({key for pair in pairs for key in pair}, "name", "phone_index")
    worth = [(first, second) for first, second in pairs if _worth(plain[first], plain[second])]
    people = _rows(
        {key for pair in worth for key in pair}, "uuid", "name", "born_on", "id_number", "phone", "phone_index"
    )
    scale = _Scale((person.name for person in people.values()), (person.phone_index for person in people.values()))
    records = {key: _record(person) for key, person in people.items()}
    least, alike = threshold(), {}
    for first, second in worth:
        likeness = scale(records[first], records[second], people[first].phone_index)
        if likeness.score >= least:
            alike[first, second] = likeness
    return alike


def _worth(one, other):
    """Whether to open the sealed numbers at all: unlike names without a common phone are never alike enough."""
    same_phone = one.phone_index and one.phone_index == other.phone_index
    return same_phone or matching.name_relation(one.name, other.name)[0]


def _rows(keys, *fields):
    keys, rows = sorted(keys), {}
    for start in range(0, len(keys), 10 * CHUNK):
        rows |= Person.objects.only(*fields).in_bulk(keys[start : start + 10 * CHUNK])
    return rows


def _refresh(stored, alike):
    """Bring the open pairs up to date: what is no longer alike leaves the queue, what a person noticed stays."""
    for key, pair in stored.items():
        if pair.state != PairState.OPEN or matching.NOTICED in pair.reasons:
            continue
        if key not in alike:
            pair.delete()
        elif (pair.score, pair.reasons) != (_rounded(alike[key]), list(alike[key].reasons)):
            pair.score, pair.reasons = _rounded(alike[key]), list(alike[key].reasons)
            pair.save(update_fields=["score", "reasons"])


def _written(pairs):
    """Return the open pairs as they lie in the database."""
    if not pairs:
        return []
    meant = {(pair.first_id, pair.second_id) for pair in pairs}
    rows = DuplicatePair.objects.open().filter(first__in={key for key, _other in meant})
    rows = rows.select_related("first", "second")
    return [pair for pair in rows if (pair.first_id, pair.second_id) in meant]


def _rounded(likeness):
    return Decimal(f"{likeness.score:.3f}")

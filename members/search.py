"""Members in the search box: by any part of the name, pinyin, initials, numbers; a union's name may stand before it.

Every way of asking is the beginning of something stored (docs/adr/0010-finding-people.md). Who reaches many members is
answered from the index of what was asked for, in its order, as far as the limit; who reaches few from those few: each
look-up then ends early, be the name rare or common. In an index those of one name lie scattered (members.models), so
that whoever reaches a hundredth of them meets with the first before long.

Written in SQL, the same on both databases: the box answers while somebody types, and the ORM takes longer to write
these few statements down than the databases take to answer them.
"""

import re
from dataclasses import dataclass

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from core.lookups import LAST as LAST_CHARACTER
from core.lookups import holding
from core.names import HAN, is_mobile, normalise_name, normalise_phone
from core.scope import after, reach
from core.search import CannotSearch, Hit
from core.secrets import blind_all
from members.identity import Refused, check_number, normalise_number
from members.models import Membership, MembershipState, NameSuffix, Person
from members.pinyin import name_keys, readings, shortened
from unions.models import Union

PERM = "members.view_membership"
NARROW = 1000  # memberships in reach that are looked through one by one faster than an index is
GATHERED = 10_000  # memberships in reach that are gathered before an index is looked through; of more each is looked up
LISTED = 500  # unions in reach that are named by their keys
LAST = "z" * 7  # no pinyin and no sort key goes on like this
LIKE_A_NUMBER = re.compile(r"[0-9]{14}")  # whoever types so many digits means an identity number
TAIL = re.compile(r"[0-9]{3}[0-9X]")
A_HAN = re.compile(f"[{HAN}]")
NAME, MIDDLE, PINYIN, INITIALS, NOWHERE = range(5)  # the order of hits, an exact name before all of them

P, M, U, N = (model._meta.db_table for model in (Person, Membership, Union, NameSuffix))
OF_ITS_OWN = f"m.state <> '{MembershipState.DUPLICATE.value}'"  # entered twice: no membership of its own


@dataclass(frozen=True)
class Match:
    """The record of a person that was found, by its key, and how."""

    pk: int
    how: str  # in words, where the name does not show it
    rank: int = NAME
    exact: bool = False


def find(user, text, limit):
    """Return at most `limit` hits among the people that `user` sees as members. Raises CannotSearch for a wrong number.

    A person is one hit, with the open membership or the last one; a record that was merged leads to the one kept.
    """
    held = reach(user, PERM)
    if not held:
        return []
    scope = Scope(held)
    matches = _numbered(scope, text, limit)
    if matches is None:
        ways = [lambda: _worded(scope, text, limit), lambda: _at_a_union(held, text, limit)]
        if min(map(len, text.split())) > 1:  # «张 伟» is a name first, «恒达 张伟» a union and a person
            ways.reverse()
        matches = ways[0]() or ways[1]()
    return _hits(scope, matches, normalise_name(text), limit)


class Scope:
    """The memberships `m` that a user reaches, perhaps only those at unions with a part of the name.

    `condition` with its `parameters` holds for them, whatever else a statement joins.
    """

    def __init__(self, held, union=""):
        self.held, self.condition, self.parameters = held, OF_ITS_OWN, []
        self.everywhere, self.empty = held.whole and not union, False
        if self.everywhere:
            return
        ranges = ["u.path >= %s AND u.path < %s"] * len(held.paths)
        reached = "TRUE" if held.whole else f"({' OR '.join(ranges)})"
        parameters = [] if held.whole else [bound for top in held.paths for bound in (top, after(top))]
        if union:
            reached, parameters = f"{reached} AND {holding('u.name')}", [*parameters, union]
        unions = f"SELECT u.id FROM {U} u WHERE {reached}"  # noqa: S608
        keys = [key for (key,) in _rows(f"{unions} LIMIT {LISTED + 1}", parameters)]
        self.empty = not keys
        if len(keys) > LISTED:
            self.condition, self.parameters = f"{OF_ITS_OWN} AND m.union_id IN ({unions})", parameters
        else:  # written out: for each member looked up, the database then looks up no union
            self.condition += f" AND m.union_id IN ({', '.join(map(str, keys)) or 'NULL'})"

    def size(self):
        """How many memberships there are, counted as far as GATHERED; so many unions have more."""
        if self.everywhere or self.parameters:
            return GATHERED + 1
        some = f"SELECT 1 FROM {M} m WHERE {self.condition} LIMIT {GATHERED + 1}"  # noqa: S608
        return _rows(f"SELECT COUNT(*) FROM ({some}) t", self.parameters)[0][0]  # noqa: S608

    def holds(self, person, *, gathered=False):
        """Return (condition, parameters): the record with the key `person` is of a member here, or merged into one.

        IS TRUE and the LIMIT keep PostgreSQL from joining: it would rather sort all that was asked for first.
        """
        if gathered:
            here = f"SELECT m.person_id FROM {M} m WHERE {self.condition}"  # noqa: S608
            merged = f"SELECT r.id FROM {M} m JOIN {P} r ON r.merged_into_id = m.person_id"  # noqa: S608
            merged += f" WHERE r.merged_into_id IS NOT NULL AND {self.condition}"
            return f"({person} IN ({here} UNION ALL {merged})) IS TRUE", [*self.parameters, *self.parameters]
        return (
            f"(SELECT m.id FROM {P} r JOIN {M} m ON m.person_id = COALESCE(r.merged_into_id, r.id)"  # noqa: S608
            f" WHERE r.id = {person} AND {self.condition} LIMIT 1) IS NOT NULL"
        ), self.parameters


@dataclass(frozen=True)
class Meaning:
    """What a text may mean: a column of a person that begins with something, perhaps `others` that do, too."""

    column: str
    beginning: str
    rank: int = NAME
    how: str = ""
    others: tuple = ()  # ((column, beginning), …)

    def by_index(self):
        """Return (condition, parameters): the index of the column is begun. A surname is not spelled in letters."""
        columns = ((self.column, self.beginning), *self.others)
        ranges = [each for each in columns if each[0] != "name"]
        compared, parameters = _beginnings([each for each in columns if each[0] == "name"])
        bounds = [bound for _column, beginning in ranges for bound in (beginning, beginning + LAST)]
        ranged = [f"p.{column} >= %s AND p.{column} < %s" for column, _beginning in ranges]
        return " AND ".join([*ranged, *compared]), [*bounds, *parameters]

    def one_by_one(self):
        """Return (condition, parameters): an expression only, so that no index is begun."""
        compared, parameters = _beginnings(((self.column, self.beginning), *self.others))
        return " AND ".join(compared), parameters


def _beginnings(columns):
    compared = [f"substr(p.{column}, 1, {len(beginning)}) = %s" for column, beginning in columns]
    return compared, [beginning for _column, beginning in columns]


# --- By number ----------------------------------------------------------------------------------------------------


def _numbered(scope, text, limit):
    """Return the matches of a text that is an identity number, its last four, or a phone; None when it is none."""
    number, phone = normalise_number(text), normalise_phone(text)
    if TAIL.fullmatch(number):
        return _among(scope, "p.id_tail = %s", [number], limit, _("last four of the number"))
    if is_mobile(phone):
        column, indexes, how = "phone_index", blind_all("phone", phone), _("phone")
    elif LIKE_A_NUMBER.match(number):
        try:
            number = check_number(text).number
        except Refused as refusal:
            raise CannotSearch(str(refusal)) from None
        column, indexes, how = "id_index", blind_all("id_number", number), _("identity number")
    else:
        return None
    return _among(scope, f"p.{column} IN ({_marks(indexes)})", indexes, limit, how, exact=True)


# --- By name, pinyin, initials ------------------------------------------------------------------------------------


def _worded(scope, text, limit):
    name = normalise_name(text)
    if scope.empty or not name_keys(name)["name_sort"]:
        return []
    size, meanings = scope.size(), _meanings(name)
    if size <= NARROW:
        return _one_by_one(scope, name, meanings, limit)
    return _by_indexes(scope, name, meanings, limit, gathered=size <= GATHERED)


def _meanings(name):
    """Return the `Meaning`s of a normalised name, or pinyin or initials, the best first."""
    spelled = [] if A_HAN.search(name) else [each for each in readings(name) if each[0]]
    if not spelled:
        return [Meaning("name_sort", name_keys(name)["name_sort"])]
    meant = [
        Meaning("name_pinyin", letters, PINYIN, _("pinyin"), (("name", surname),) if surname else ())
        for letters, surname in spelled
    ]
    meant.append(Meaning("name_initials", spelled[0][0], INITIALS, _("initials")))
    for letters, _surname in spelled:
        for initials, syllable, surname in shortened(letters):
            others = (("name_sort", f"{syllable:0<6}"), ("name_pinyin", surname))[: 1 + (syllable != surname)]
            meant.append(Meaning("name_initials", initials, INITIALS, _("initials"), others))
    return meant


def _by_indexes(scope, name, meanings, limit, *, gathered):
    """One index after the other, the best kind of match first, until there are enough."""
    found = {}
    for meaning in meanings:
        order = f"p.{meaning.column}, p.id_tail"
        matches = _among(
            scope, *meaning.by_index(), limit, meaning.how, rank=meaning.rank, order=order, gathered=gathered
        )
        found |= {match.pk: match for match in matches if match.pk not in found}
        if len(found) >= limit:
            return list(found.values())
    sign, order = ("~", "s.text USING ~<~") if connection.vendor == "postgresql" else ("", "s.text")  # by codes
    within, bounds = f"s.text {sign}>={sign} %s AND s.text {sign}<{sign} %s", [name, name + LAST_CHARACTER]
    matches = _among(
        scope, within, bounds, limit, rank=MIDDLE, rows=f"{N} s", person="s.person_id", order=f"{order}, s.place",
        gathered=gathered,
    )  # fmt: skip
    return list(found.values()) + [match for match in matches if match.pk not in found]


def _one_by_one(scope, name, meanings, limit):
    """The few in reach, and the records merged into theirs, each compared with all that was asked."""
    sort_key = Meaning("name_sort", name_keys(name)["name_sort"])
    ways = [(NAME, "", *sort_key.one_by_one()), (MIDDLE, "", holding("p.name"), [name])]
    ways += [(each.rank, each.how, *each.one_by_one()) for each in meanings if each.rank != NAME]
    ranked = " ".join(f"WHEN {condition} THEN {place}" for place, (_rank, _how, condition, _) in enumerate(ways))
    compared = [value for *_way, parameters in ways for value in parameters]
    record = "SELECT p.id, p.merged_into_id, p.name_sort"
    rows = _rows(
        f"""
        WITH r AS (SELECT DISTINCT m.person_id AS id FROM {M} m WHERE {scope.condition}), found AS (
            {record}, CASE {ranked} END AS way FROM r JOIN {P} p ON p.id = r.id UNION ALL
            {record}, CASE {ranked} END FROM r JOIN {P} p ON p.merged_into_id = r.id)
        SELECT id, way FROM found WHERE way IS NOT NULL AND name_sort <> ''
        ORDER BY merged_into_id IS NOT NULL, way, name_sort LIMIT %s""",  # noqa: S608
        [*scope.parameters, *compared, *compared, limit],
    )
    return [Match(pk, ways[way][1], ways[way][0]) for pk, way in rows]


def _at_a_union(held, text, limit):
    """«恒达 张伟»: the first word, or the last, is a part of the union's name."""
    words = text.split()
    if len(words) < 2 or not A_HAN.search(text):
        return []
    for union, person in ((words[0], words[1:]), (words[-1], words[:-1])):
        if matches := _worded(Scope(held, union), " ".join(person), limit):
            return matches
    return []


def _among(
    scope, condition, parameters, limit, how="", *,
    rank=NAME, exact=False, rows=f"{P} p", person="p.id", order="", gathered=False,
):  # fmt: skip
    """Return the first matches of the `rows`, with the key of a person in the column `person`, that are in `scope`."""
    here, keys = scope.holds(person, gathered=gathered)
    sort = f" ORDER BY {order}" if order else ""
    found = _rows(
        f"SELECT {person} FROM {rows} WHERE {condition} AND {here}{sort} LIMIT %s",  # noqa: S608
        [*parameters, *keys, limit],
    )
    return [Match(pk, how, rank, exact) for (pk,) in found]


# --- What is shown ------------------------------------------------------------------------------------------------


def _hits(scope, matches, name, limit):
    """Open memberships before ended ones, and those of one's own union first, within each kind of match."""
    found = {match.pk: match for match in reversed(matches)}
    shown = {}
    for record, kept, membership, state, is_open, label, sort_key, masked, union, path in _memberships(scope, found):
        match = found[record]
        exact = match.exact or label == name
        hit = Hit(
            kind=_("Members"),
            label=label,
            detail=f"{union} · {masked} · {MembershipState(state).label}",
            url=reverse("member_page", args=[membership]),
            exact=exact,
            part=name,
            matched=_("a record merged into this one") if record != kept else match.how,
        )
        # Of several memberships the last one read stays: an open one, or else the latest.
        shown[kept] = (not exact, match.rank, not is_open, path not in scope.held.paths, sort_key, kept), hit
    return [hit for _order, hit in sorted(shown.values(), key=lambda each: each[0])][:limit]


def _memberships(scope, records):
    """The memberships in scope of people by their `records` (keys), also those merged; ended ones before open ones.

    Of a person found by several records the one that was kept comes last.
    """
    if not records:
        return []
    return _rows(
        f"""
        SELECT r.id, p.id, m.id, m.state, m.ended_on IS NULL, p.name, p.name_sort, p.id_masked, u.name, u.path
        FROM {P} r JOIN {P} p ON p.id = COALESCE(r.merged_into_id, r.id)
        JOIN {M} m ON m.person_id = p.id JOIN {U} u ON u.id = m.union_id
        WHERE r.id IN ({_marks(records)}) AND {scope.condition}
        ORDER BY r.merged_into_id IS NULL, m.ended_on IS NULL, m.id""",  # noqa: S608
        [*records, *scope.parameters],
    )


# --- SQL ------------------------------------------------------------------------------------------------------------


def _marks(values):
    return ", ".join(["%s"] * len(values))


def _rows(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()

"""The enrol grid: rows typed or pasted for one union, read and judged as the member import reads a sheet.

Every column is one list of texts (`name=…&name=…`), so that row n is the n-th text of each.
"""

from dataclasses import dataclass, field
from itertools import zip_longest

from django.core.cache import cache
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.forms import PortalForm
from core.models.imports import Outcome
from members import actions, candidates, identity, matching
from members.forms import KeptUnion
from members.imports import EMPLOYMENTS, SENTENCES, TELLING, MemberImport, meet, people
from unions.models import Sex

ROWS = 10  # empty rows to begin with
MOST = 200  # rows at once: more come in as a file
AN_HOUR = 3600

LABELS = {
    "name": gettext_lazy("name"),
    "number": gettext_lazy("identity number"),
    "phone": gettext_lazy("mobile phone"),
    "joined_on": gettext_lazy("joined on"),
    "employment": gettext_lazy("form of employment"),
    "migrant_worker": gettext_lazy("migrant worker"),
    "department": gettext_lazy("department or group"),
    "post": gettext_lazy("post or trade"),
}
NEEDED = ("name", "number")
KINDS_OF_WORK = tuple(EMPLOYMENTS)

# Whoever sits before the grid can mend what an import lets pass or changes.
HELD = {"PHONE_INVALID", "EMPLOYMENT_UNKNOWN", "UPDATED"}
HERE = gettext_lazy("A member of this union already: nothing to enrol.")
SAID = SENTENCES | {
    "PHONE_INVALID": identity.SENTENCES["PHONE_INVALID"],
    "EMPLOYMENT_UNKNOWN": gettext_lazy("This form of employment is not known: choose one of the list."),
    "DUPLICATE_IN_FILE": gettext_lazy("The same person as in a row above: delete this row."),
    "ALREADY_MEMBER": HERE,
    "UPDATED": HERE,
}


class GridForm(KeptUnion, PortalForm):
    """The union that all rows of a grid are enrolled into."""


class GridReader(MemberImport):
    """Reads rows that all belong to one union."""

    permission = "members.add_membership"

    def __init__(self, by, union):
        super().__init__(by)
        self.union = union
        self.unions = {union.code: (union.pk, True)}
        self.may_ask = by.has_perm("members.ask_transfer", union)

    def read_texts(self, place, texts):
        return self.read(place, [self.union.code if name == "union" else texts.get(name, "") for name in self.columns])


@dataclass
class GridRow:
    """One row as it was typed, and what became of it: ok, warning or held; empty for an empty row."""

    texts: dict
    outcome: str = ""
    says: list = field(default_factory=list)  # sentences
    about: str = ""  # sex and birth date, as the number says
    may_ask: bool = False  # for a transfer: a member of another union
    membership_id: int | None = None  # of a member here already
    likely: list = field(default_factory=list)  # [(membership, sentences)] of who may be this person
    read: object = None  # the import's Row

    @property
    def ready(self):
        return self.outcome in ("ok", "warning")

    def cells(self):
        return [(name, label, self.texts.get(name, ""), name in NEEDED) for name, label in LABELS.items()]

    @property
    def seen(self):
        """What the form sends along once `likely` was shown: enrolling then is a decision."""
        if not self.likely:
            return ""
        return f"{self.read.id_index}:{','.join(str(row.person_id) for row, _sentences in self.likely)}"

    def hold(self, *sentences):
        self.outcome = "held"
        self.says = [*self.says, *sentences]

    def facts(self):
        """The keyword arguments for `actions.enrol`, but the union."""
        row = self.read
        names = ("phone", "joined_on", "employment", "occupation_group", "migrant_worker", "department", "post")
        return {"name": row.name, "id_number": row.number} | {name: getattr(row, name) for name in names}


def typed(data):
    """Return the GridRows that form data (a QueryDict, or a draft's {field: [texts]}) holds, not yet judged."""
    lists = [data.getlist(name) if hasattr(data, "getlist") else data.get(name, []) for name in LABELS]
    return [
        GridRow({name: text.strip() for name, text in zip(LABELS, texts, strict=True)})
        for texts in zip_longest(*lists, fillvalue="")
    ]


def filled(rows):
    return [row for row in rows if any(row.texts.values())]


def judge(rows, *, by, union, seen=None):
    """Say of each filled row whether it can be enrolled into `union`; as many queries however many rows.

    Who may be entered already is shown beside the row. `seen` holds what was shown so far (`GridRow.seen`): rows of
    whom it was not are held back; None: the rows are only looked at.
    """
    reader = GridReader(by, union)
    for place, row in enumerate(rows, start=1):
        if any(row.texts.values()):
            row.read = reader.read_texts(place, row.texts)
    known = people([row.read.id_index for row in rows if row.read and row.read.id_index])
    said, told = {}, set()
    for row in rows:
        if row.read:
            person = known.get(row.read.id_index)
            meet(row.read, person, said)
            _conclude(row, reader)
            if person and not TELLING.isdisjoint(row.read.codes):
                told.add(person.pk)
    if told:
        _note(told, by, union)
    _look_for_likely(rows, by, seen)


def _look_for_likely(rows, by, seen):
    """Show beside the rows that can be enrolled who may be the same person, as the form for one does."""
    records = {
        place: matching.Record(row.read.name, row.read.number, row.read.born_on, row.read.phone)
        for place, row in enumerate(rows)
        if row.ready
    }
    for place, likely in candidates.looking_like(records, by=by).items():
        row = rows[place]
        row.likely = likely
        row.outcome = "warning" if seen is None or row.seen in seen else "held"


def _note(told, by, union):
    """Write down who of the people `told` of is out of sight, once an hour: the grid is judged while it is typed."""
    hidden = actions.out_of_sight(told, by)
    new = [person for person in hidden if cache.add(f"met-{by.pk}-{union.pk}-{person}", True, AN_HOUR)]
    if new:
        actions.meet_elsewhere(by=by, union=union, people=len(new))


def _conclude(row, reader):
    codes = reader.in_order(row.read.codes)
    held = [code for code in codes if code in HELD or reader.outcomes[code] in (Outcome.ERROR, Outcome.DUPLICATE)]
    row.outcome = "held" if held else str(reader.grave(codes))
    row.says = list(dict.fromkeys(str(SAID[code]) for code in held or codes))
    row.may_ask = reader.may_ask and "ACTIVE_ELSEWHERE" in codes
    row.membership_id = row.read.membership_id
    born_on, joined_on = row.read.born_on, row.read.joined_on
    if born_on is None:
        return
    row.about = f"{Sex(row.read.sex).label} {born_on.isoformat()}"
    if joined_on and joined_on < born_on:
        row.hold(_("The joining date lies before the birth date that the number gives."))
    elif not held and (sentence := identity.too_young(born_on, joined_on or reader.today, reader.working_age)):
        row.outcome = "warning"
        row.says.append(sentence)


def in_short(rows):
    """Say how many of the rows can be enrolled."""
    ready = sum(row.ready for row in rows)
    held = sum(row.outcome == "held" for row in rows)
    if held:
        return _("%(ready)d can be enrolled, %(held)d to be looked at again") % {"ready": ready, "held": held}
    return _("%(ready)d can be enrolled") % {"ready": ready} if ready else ""


def headers():
    """Return {header as registers write it: column} for pasting with a row of headers."""
    return {spelling: name for name in LABELS for spelling in MemberImport.columns[name][1]}

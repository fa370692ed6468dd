"""体检 (the checkup): what may be wrong or missing in the records, as checks that the apps above declare.

A check names the records that it looks at, which of them are at fault, and what mends them (settings.CHECKUPS). What
the checks find is brought into the tables by `core.examination`, and handled by `core.findings`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache, reduce

from django.conf import settings
from django.db import models
from django.db.models import F
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import jobs, settings_table
from core.counting import add_months
from core.models import Finding, Job
from core.models.job import JobState

RUN = "core.tasks.run_checkup"
ALL = ""  # the code of all checks together
CHUNK = 500  # keys a query asks for at once


class Kind(models.TextChoices):
    WRONG = "wrong", gettext_lazy("wrong")
    MISSING = "missing", gettext_lazy("missing")


class Gravity(models.IntegerChoices):
    GRAVE = 1, gettext_lazy("grave")
    ORDINARY = 2, gettext_lazy("ordinary")
    LIGHT = 3, gettext_lazy("light")

    @property
    def badge(self):
        """The class of its badge."""
        return {self.GRAVE: "late", self.ORDINARY: "soon", self.LIGHT: "rest"}[self]


# --- What a check is -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """The day of a checkup and the settings in force on it."""

    today: date
    settings: dict = field(repr=False)

    @classmethod
    def of(cls, today):
        return cls(today, settings_table.in_force(today))

    def number(self, key):
        """The whole number that the setting `key` holds."""
        return int(self.settings[key])

    def years_ago(self, key):
        """The day so many years before today as the setting `key` says: who was born later is younger."""
        return add_months(self.today, -12 * self.number(key))


@dataclass(frozen=True)
class Population:
    """Records that checks look at: rows of one model, each at a union."""

    code: str
    label: str  # what they are called in a count: «members»
    rows: Callable[[], models.QuerySet]
    union: str = "union_id"  # the lookup of the union's key
    related: tuple = ()  # what `str` of a row needs
    page: str = ""  # the URL name of a row's own page, which takes the key that `page_key` leads to
    page_key: str = "pk"
    perm: str = ""  # who may open it

    @cached_property
    def label_of_model(self):
        return self.rows().model._meta.label

    def placed(self, rows):
        """The rows with `at_union`, the key of the union of each."""
        return rows.order_by().annotate(at_union=F(self.union))

    def url(self, row):
        return reverse(self.page, args=[_get(row, self.page_key)]) if self.page else ""


@dataclass(frozen=True)
class Mend:
    """One way to mend a finding: a page, with the field to fill in, or an act done by one click.

    `act(subject, by=…)` raises ValidationError with the reason when it cannot be done.
    """

    label: str
    perm: str
    page: str = ""
    key: str = "pk"  # from the subject to what the page takes; "": it takes nothing
    focus: str = ""  # the field, which the browser puts the cursor into
    query: tuple = ()  # a parameter, and from the subject to what it holds
    act: Callable | None = None

    def url(self, subject):
        args = [_get(subject, self.key)] if self.key else []
        query = f"?{self.query[0]}={_get(subject, self.query[1])}" if self.query else ""
        return reverse(self.page, args=args) + query + (f"#id_{self.focus}" if self.focus else "")


def _get(row, lookup):
    return reduce(getattr, lookup.split("__"), row)


@dataclass(frozen=True)
class Check:
    """One thing that may be wrong or missing.

    `fault(rows, day)` narrows the population to the rows at fault. Where SQL cannot tell, `pick(rows, day)` reads the
    rows and yields the keys of those at fault, or (key, union's key) where the union is found that way too.
    `unclear(rows, day)` are the rows that could not be checked, and `why_unclear` says why.
    """

    code: str
    kind: str
    gravity: int
    label: str
    advice: str  # what to do, in one sentence
    of: Population
    fault: Callable | None = None
    pick: Callable | None = None
    unclear: Callable | None = None
    why_unclear: str = ""
    mends: tuple = ()
    # Of a check that looks at unions: what is written at a union and may change what it finds there, beside the union.
    follows: tuple = ()

    def picked(self, rows, day):
        """[(key, key of the union)] of what a check with `pick` finds among the placed `rows`."""
        found = list(self.pick(rows, day))
        if not found or isinstance(found[0], tuple):
            return found
        placed = []
        for begin in range(0, len(found), CHUNK):
            rows = self.of.placed(self.of.rows()).filter(pk__in=found[begin : begin + CHUNK])
            placed += rows.values_list("pk", "at_union")
        return placed


@lru_cache(maxsize=1)
def checks():
    """{code: Check} of every check, the gravest first."""
    declared = [check for place in settings.CHECKUPS for check in import_string(place)]
    return {
        check.code: check for check in sorted(declared, key=lambda check: (check.gravity, check.kind != Kind.WRONG))
    }


@lru_cache(maxsize=1)
def populations():
    """{code: Population} of what the checks look at."""
    return {check.of.code: check.of for check in checks().values()}


# --- Asking for a checkup --------------------------------------------------------------------------------------------


def unions():
    """The manager of the unions, which stand a floor above."""
    return Finding._meta.get_field("union").related_model._default_manager


def start(union=None, *, by):
    """Ask for a checkup of `union` and all below it, None: of the whole city; return its Job, None without a union.

    While one is asked for and not finished, that one is returned.
    """
    union = union or unions().order_by("path").first()
    if union is None:
        return None
    waiting = Job.objects.unfinished().filter(task=RUN, union=union).first()
    title = _("Checkup: %(union)s and below") % {"union": union}
    return waiting or jobs.start(RUN, title=title, by=by, union=union, total=len(checks()))


def last_run(union):
    """The latest finished checkup that covered `union`, as its Job, or None."""
    line = [*union.ancestor_ids, union.pk]
    done = Job.objects.filter(union__in=line, task=RUN, state=JobState.DONE)
    return done.order_by("-finished_at").first()

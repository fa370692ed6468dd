"""Tables of deadlines: rules and days in, dates and reasons out. A bad row says what is wrong and holds up no other."""

import csv
import io
import re
from datetime import date
from pathlib import Path

from django.utils.translation import gettext as _

from core.calendar import Calendar
from core.deadlines import CannotCount, compute
from core.models import DeadlineRule

ADDED = ["natural_date", "due_date", "derivation"]
DATE = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[ T]00:00(?::00)?)?")


class Unreadable(ValueError):
    """What was typed or sent cannot be read; carries the sentence that says why."""


def read_date(text):
    """Return the date in `text`: 2026-11-03, 2026/11/3, 2026年11月3日 or 20261103. Raises Unreadable."""
    found = DATE.fullmatch(text.strip())
    try:
        year, *rest = (int(part) for part in found.groups() if part)
        return date(year, *rest)
    except (AttributeError, ValueError):
        raise Unreadable(
            _("«%(text)s» is not a date; write it like 2026-11-03.") % {"text": text.strip()[:40]}
        ) from None


def find_rule(code, rules):
    """Return the rule with `code` out of {code: rule}. Raises Unreadable."""
    rule = rules.get(code.strip().upper())
    if rule is None:
        raise Unreadable(_("There is no deadline rule «%(code)s».") % {"code": code.strip()[:60]})
    return rule


def read_table(path):
    """Return the rows of a CSV file (UTF-8, with or without a byte order mark) as lists. Raises Unreadable."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        return [row for row in csv.reader(io.StringIO(text, newline="")) if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise Unreadable(_("%(path)s is not in UTF-8; save it as «CSV UTF-8».") % {"path": path}) from None
    except csv.Error:
        raise Unreadable(_("%(path)s is not a CSV file.") % {"path": path}) from None
    except OSError as error:
        raise Unreadable(_("%(path)s cannot be read: %(why)s.") % {"path": path, "why": error.strerror}) from None


def write_table(path, table):
    """Write `table` (lists of cells) as CSV in UTF-8. Raises Unreadable."""
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    except OSError as error:
        raise Unreadable(_("%(path)s cannot be written: %(why)s.") % {"path": path, "why": error.strerror}) from None


def compute_table(table):
    """Return `table` with the columns of ADDED after its own; every other cell stays as it is.

    The first row names the columns, `rule` and `trigger_date` among them. Raises Unreadable if it does not.
    """
    head = [cell.strip() for cell in table[0]] if table else []
    if not {"rule", "trigger_date"} <= set(head):
        raise Unreadable(_("The first row must name the columns rule and trigger_date."))
    rules = {rule.code: rule for rule in DeadlineRule.objects.all()}
    calendar = Calendar.load()
    kept = [place for place, name in enumerate(head) if name not in ADDED]  # a table that has been through here before
    rows = [[head[place] for place in kept] + ADDED]
    for row in table[1:]:
        cells = row + [""] * (len(head) - len(row))
        code, day = cells[head.index("rule")], cells[head.index("trigger_date")]
        rows.append([cells[place] for place in kept] + answer(code, day, rules, calendar) + cells[len(head) :])
    return rows


def answer(code, day, rules, calendar):
    """The cells of ADDED for one row: dates and derivation, or no dates and what is wrong."""
    try:
        computed = compute(find_rule(code, rules), read_date(day), calendar)
    except (Unreadable, CannotCount) as refusal:
        return ["", "", str(refusal)]
    return [computed.natural.isoformat(), computed.due.isoformat(), computed.derivation]

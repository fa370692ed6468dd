"""`check_numbers --csv IN --out OUT`: check a table of identity numbers (ID) and credit codes (USCC)."""

import csv
from pathlib import Path

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from core import uscc
from core.sheets import BROKEN_CSV, SheetRefused, open_csv
from members import identity

ADDED = ("valid", "normalised", "sex", "birth_date", "reason")


class Command(BaseCommand):
    help = "Check each row of a CSV (columns kind,value) and write it again with what was found."

    def add_arguments(self, parser):
        parser.add_argument("--csv", required=True, metavar="IN")
        parser.add_argument("--out", required=True, metavar="OUT")

    def handle(self, **options):
        try:
            self._check(Path(options["csv"]), Path(options["out"]))
        except SheetRefused as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(2) from None

    def _check(self, given, out):
        with open_csv(given) as text:
            rows = csv.DictReader(text)
            columns = list(rows.fieldnames or ())
            if not {"kind", "value"} <= set(columns):
                raise SheetRefused(_("The table needs the columns kind and value."))
            try:
                checked = [{**row, **check(row["kind"] or "", row["value"] or "")} for row in rows]
            except csv.Error:
                raise SheetRefused(BROKEN_CSV) from None
        columns += [column for column in ADDED if column not in columns]
        try:
            with out.open("w", encoding="utf-8", newline="") as table:
                writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
                writer.writeheader()
                writer.writerows(checked)
        except OSError:
            raise SheetRefused(_("%(name)s cannot be written.") % {"name": out.name}) from None


def check(kind, value):
    """Return the added columns for one row, all text; the three in the middle are empty where it is not valid."""
    kind = kind.strip().upper()
    sex = birth_date = ""
    if kind == "ID":
        number, reason = identity.verdict(value)
        normalised = number.number if number else ""
        if number:
            sex, birth_date = number.sex, number.born_on.isoformat()
    elif kind == "USCC":
        code = uscc.normalise(value)
        reason = uscc.fault_of(code)
        normalised = "" if reason else code
        reason = reason or _("Valid: the form and the check character agree.")
    else:
        normalised, reason = "", _("The kind is neither ID nor USCC.")
    valid = "Y" if normalised else "N"
    return dict(zip(ADDED, (valid, normalised, sex, birth_date, reason), strict=True))

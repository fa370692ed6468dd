"""What the commands import_unions and import_members share: read a file here and now, tell counts, write the JSON."""

import time
from pathlib import Path

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from core import imports
from core.models import User
from core.sheets import SheetRefused


class ImportCommand(BaseCommand):
    """`FILE --as USERNAME [--commit] [--json OUT]`; exit status 2 with one sentence when the file cannot be read."""

    kind = ""

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", required=True, dest="username", help="The user whose scope applies.")
        parser.add_argument("--commit", action="store_true", help="Store the rows; without it nothing is written.")
        parser.add_argument("--json", type=Path, metavar="OUT", help="Write the outcome of every row to this file.")

    def handle(self, *, file, username, commit, json, **options):
        try:
            counts = self._import(file, username, commit, json)
        except SheetRefused as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(2) from None
        outcomes = counts["outcomes"]
        self.stdout.write("  ".join(f"{outcome} {number}" for outcome, number in outcomes.items()))
        for code, number in counts["codes"].items():
            self.stdout.write(f"{number:>8}  {code}  {imports.kinds()[self.kind].sentences[code]}")

    def _import(self, file, username, commit, json):
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise SheetRefused(_("There is no user %(name)s.") % {"name": username})
        if not user.has_perm(imports.kinds()[self.kind].permission):
            raise SheetRefused(_("The role of %(name)s does not include this import.") % {"name": username})
        if json and not json.absolute().parent.is_dir():
            raise SheetRefused(_("%(name)s cannot be written.") % {"name": json})
        found, counts = imports.run_file(self.kind, file, by=user, commit_it=commit, progress=Progress(self.stderr))
        if json:
            try:
                json.write_text(imports.as_json(found, counts), encoding="utf-8")
            except OSError:
                raise SheetRefused(_("%(name)s cannot be written.") % {"name": json}) from None
        return counts


class Progress:
    """Tell every five seconds how far the reading is."""

    def __init__(self, out):
        self.out, self.told = out, time.monotonic()

    def __call__(self, done, total):
        if time.monotonic() - self.told > 5:
            self.told = time.monotonic()
            self.out.write(f"{done} / {total}")

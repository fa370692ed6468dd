"""Check that the audit trail is whole: exit 0 and one sentence, or exit 1 and the first broken things."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import audit, triggers


class Command(BaseCommand):
    help = "Check the audit trail: MACs, seals, their chain, and the seals that papers name."

    def add_arguments(self, parser):
        parser.add_argument(
            "--witness", metavar="'NUMBER DIGEST'", help="a seal as a log kept elsewhere names it: it must still stand"
        )

    def handle(self, *, witness, **options):
        for name in triggers.missing():
            self.stderr.write(_("The trigger %(name)s is missing: run manage.py migrate.") % {"name": name})
        report = audit.verify(self.read(witness) if witness else None)
        if report.faults:
            raise CommandError("\n".join([_("The audit trail is broken."), *report.faults]))
        whole = _(
            "The audit trail is whole: %(sealed)s events under %(seals)s seals, %(open)s unsealed; %(papers)s papers."
        )
        self.stdout.write(whole % {**vars(report), "open": report.events - report.sealed})

    def read(self, witness):
        number, _blank, digest = witness.partition(" ")
        if not (number.isascii() and number.isdigit() and digest.strip()):
            raise CommandError(_("Write the witness as in the log: the number of the seal, a blank, its digest."))
        return int(number), digest.strip()

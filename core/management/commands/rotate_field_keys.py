"""Seal everything again under the first keys of the rings: exit 0 when older keys may go, exit 1 with what is left."""

import time

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import rotation


class Command(BaseCommand):
    help = "Renew all sealed fields, files and blind indexes with the first keys of FIELD_KEYS and INDEX_KEYS."

    def add_arguments(self, parser):
        parser.add_argument(
            "--index-lost", action="store_true", help="the index key in use until now is gone for good: reckon anew"
        )

    def handle(self, *, index_lost, **options):
        self.told = time.monotonic()
        try:
            report = rotation.rotate(self.tell, index_lost=index_lost)
        except rotation.RotationRefused as refusal:
            raise CommandError(str(refusal)) from None
        for fault in report.faults:
            self.stderr.write(fault)
        counts = {"seen": report.seen, "renewed": report.renewed, "faults": len(report.faults)}
        if report.faults:
            raise CommandError(
                _("%(renewed)d renewed; %(faults)d could not be: keep the older keys in the rings.") % counts
            )
        self.stdout.write(
            _("%(seen)d looked at, %(renewed)d renewed. All is under the first keys: older ones may leave the rings.")
            % counts
        )

    def tell(self, what, seen, renewed):
        """A line every two seconds."""
        if time.monotonic() - self.told > 2:
            self.told = time.monotonic()
            self.stdout.write(f"{what}  {seen} / {renewed}")

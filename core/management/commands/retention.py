"""`manage.py retention [--dry-run]`: delete what is over its period, as every night, or only say what would go."""

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.translation import gettext as _

from core import retention


class Command(BaseCommand):
    help = "Delete what is kept longer than its retention period. The audit trail and issued papers always stay."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only count, delete nothing")

    def handle(self, *, dry_run, **options):
        if dry_run:
            for each in retention.preview(timezone.now()):
                line = f"{each.rule.kind}  {each.number}  {each.rule.name}"
                if each.held:
                    line += _(" (%(number)d held)") % {"number": each.held}
                self.stdout.write(line)
            return
        for kind, number in retention.run(timezone.now()).items():
            self.stdout.write(f"{kind}  {number}")

"""`manage.py replay_decisions`: judge every stored decision again; each difference is a line, and exit 1."""

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from assistance import decisions
from assistance.models import Decision


class Command(BaseCommand):
    help = (
        "Judge every stored decision on hardship again with its figures and its policy, and compare the figures with "
        "the rows. Exit 1 when anything differs."
    )

    def add_arguments(self, parser):
        parser.add_argument("--case", type=int, help="only the decisions of this case, by its key")

    def handle(self, *, case, **options):
        rows = Decision.objects.all() if case is None else Decision.objects.filter(case=case)
        faults = 0
        for fault in decisions.replay(rows):
            faults += 1
            self.stdout.write(f"#{fault.decision} {fault.what}: {fault.kept} ≠ {fault.found}")
        said = _("%(decisions)d decisions replayed, %(faults)d differences.")
        self.stdout.write(said % {"decisions": rows.count(), "faults": faults})
        if faults:
            raise SystemExit(1)

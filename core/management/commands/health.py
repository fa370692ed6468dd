"""`manage.py health`: how the portal is, one line a check; exit 1 when something does not work."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import health
from core.models.health import HealthState


class Command(BaseCommand):
    help = "Print every check with its state and what to do. Ends with 1 when something does not work."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--strict", action="store_true", help="end with 1 also when something needs attention")

    def handle(self, *, strict, **options):
        findings = health.look()
        for each in findings:
            figures = "  ".join(f"{name}={figure}" for name, figure in each.measure.items())
            label = health.CHECKS[each.check].label
            line = f"{each.state.upper():<8}{each.check:<11} {label}  {each.key}  {figures}".rstrip()
            self.stdout.write("\n".join(filter(None, [line, each.sentence and f"        {each.sentence}"])))
        state = health.overall(findings)
        if state == HealthState.FAIL or (strict and state != HealthState.OK):
            raise CommandError(_("Not everything works: docs/operate.md says what to do."))

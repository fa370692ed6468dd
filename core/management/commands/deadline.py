"""`manage.py deadline RULE DATE`: the dates of one rule from one day, and why."""

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from core.calendar import Calendar
from core.deadline_table import Unreadable, find_rule, read_date
from core.deadlines import CannotCount, compute
from core.models import DeadlineRule


class Command(BaseCommand):
    help = "Print the natural date, the due date, the second reading if there is one, and the derivation."

    def add_arguments(self, parser):
        parser.add_argument("rule", help="code of a deadline rule, for example MEDIATION_END_15D")
        parser.add_argument("date", help="the day the period starts from, for example 2026-11-03")

    def handle(self, **options):
        try:
            rule = find_rule(options["rule"], {rule.code: rule for rule in DeadlineRule.objects.all()})
            computed = compute(rule, read_date(options["date"]), Calendar.load())
        except (Unreadable, CannotCount) as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(2) from None
        lines = [
            f"{rule.code} {rule.name}",
            f"{_('natural date')}: {computed.natural}",
            f"{_('due date')}: {computed.due}",
        ]
        if computed.other_due:
            lines.append(f"{_('due date, second reading')}: {computed.other_due}")
        self.stdout.write("\n".join([*lines, computed.derivation]))

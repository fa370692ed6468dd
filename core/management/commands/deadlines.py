"""`manage.py deadlines --csv IN --out OUT`: the dates of many rules and days, from table to table."""

from django.core.management.base import BaseCommand

from core.deadline_table import Unreadable, compute_table, read_table, write_table


class Command(BaseCommand):
    help = "Read rule and trigger_date from a CSV file; add natural_date, due_date and derivation to every row."

    def add_arguments(self, parser):
        parser.add_argument("--csv", required=True, help="the table to read (UTF-8), with columns rule,trigger_date")
        parser.add_argument("--out", required=True, help="the table to write (UTF-8)")

    def handle(self, **options):
        try:
            table = compute_table(read_table(options["csv"]))
            write_table(options["out"], table)
        except Unreadable as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(2) from None
        self.stdout.write(f"{len(table) - 1} → {options['out']}")

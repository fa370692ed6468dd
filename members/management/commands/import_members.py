"""`import_members FILE --as USERNAME [--commit] [--json OUT]`: read a member register from a workbook or CSV file."""

from core.import_command import ImportCommand


class Command(ImportCommand):
    help = "Read a member register from a workbook or CSV file; with --commit, store it."
    kind = "members"

"""`import_unions FILE --as USERNAME [--commit] [--json OUT]`: read the union tree from a workbook or CSV file."""

from core.import_command import ImportCommand


class Command(ImportCommand):
    help = "Read the union tree from a workbook or CSV file; with --commit, store it."
    kind = "unions"

"""Write everything the portal keeps into one archive, while it runs."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import backup


class Command(BaseCommand):
    help = "Write every row and every kept file into one zip archive. The keys in .env are kept elsewhere."

    def add_arguments(self, parser):
        parser.add_argument("target", help="the archive to write; it must not exist yet")

    def handle(self, *, target, verbosity, **options):
        progress = self.stdout.write if verbosity > 1 else None
        try:
            manifest = backup.make(target, progress)
        except backup.BackupRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("%(rows)d rows and %(files)d files. It opens with the keys %(keys)s of .env: keep a copy of that apart.")
            % {
                "rows": sum(table["rows"] for table in manifest["tables"].values()),
                "files": len(manifest["files"]),
                "keys": "、".join(manifest["keys"]["FIELD_KEYS"]),
            }
        )

"""Put a backup in the place of what is in the database and in the folder of files, and prove that it is whole."""

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import backup


class Command(BaseCommand):
    help = (
        "Restore an archive written by `backup` into a migrated database, then prove papers, numbers and audit trail."
    )

    def add_arguments(self, parser):
        parser.add_argument("source", help="the archive")
        parser.add_argument("--replace", action="store_true", help="also when the database is in use already")

        parser.add_argument("--unsigned", action="store_true", help="also an archive of a release that signed none")

    def handle(self, *, source, replace, unsigned, verbosity, **options):
        progress = self.stdout.write if verbosity > 1 else None
        try:
            manifest = backup.restore(source, replace=replace, unsigned=unsigned, progress=progress)
        except backup.BackupRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("Restored as it was at %(made_at)s: %(rows)d rows and %(files)d files. Everybody signs in again.")
            % {
                "made_at": manifest["made_at"],
                "rows": sum(table["rows"] for table in manifest["tables"].values()),
                "files": len(manifest["files"]),
            }
        )
        proof = backup.prove()
        if proof.faults:
            raise CommandError("\n".join(proof.faults))
        whole = _("%(papers)d papers are as they were issued, and all %(values)d sealed values open.")
        self.stdout.write(whole % vars(proof))
        call_command("verify_audit", stdout=self.stdout)

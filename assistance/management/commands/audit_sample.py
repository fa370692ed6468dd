"""`manage.py audit_sample --seed S (--commit | --size N)`: commit to a seed, then draw the same sample at any time."""

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance import sample


class Command(BaseCommand):
    help = (
        "Draw decisions on hardship for an audit. First --commit: the seed's SHA-256 goes into the audit trail. Then "
        "--size N draws; the same seed draws the same decisions ever after."
    )

    def add_arguments(self, parser):
        parser.add_argument("--seed", required=True, help="any text; keep it to yourself until the sample is drawn")
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--commit", action="store_true", help="commit to the seed")
        act.add_argument("--size", type=int, help="how many decisions to draw")

    def handle(self, *, seed, commit, size, **options):
        try:
            if commit:
                event = sample.commit(seed, by=None)
                self.stdout.write(f"SHA-256 {sample.digest_of(seed)}  #{event.pk}")
                return
            if size < 1:
                raise CommandError(_("The size is a whole number from 1."))
            event, number, drawn = sample.draw(seed, size)
        except ValidationError as refusal:
            raise CommandError(refusal.messages[0]) from None
        said = _("Seed %(seed)s, committed to on %(day)s (event #%(event)d): %(drawn)d of %(number)d decisions.")
        day = f"{timezone.localtime(event.at):%Y-%m-%d %H:%M}"
        facts = {"seed": seed, "day": day, "event": event.pk, "drawn": len(drawn), "number": number}
        self.stdout.write(said % facts)
        for each in drawn:
            words = each.case.file.number, each.get_category_display(), each.shown, each.on
            self.stdout.write(f"#{each.pk}  " + "  ".join(map(str, words)))

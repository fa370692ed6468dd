"""Write the demo's fictional city into an empty database, with accounts to sign in with; small, or at a real size."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from core import audit
from core.progress import Progress
from members import city, demo, identity, seeding, suffixes
from members.models import Membership, MembershipState, NameSuffix, Person
from unions.models import Union

ACCOUNTS_FILE = "demo-accounts.txt"


class Command(BaseCommand):
    help = (
        "Write the demo city 云河市 (about 400 unions, 6,000 members, 150 hardship cases, thirteen accounts) into an "
        "empty database, or the same city, without cases, in another size: --scale town (100 unions, 10,000 members), "
        "city (10,000 unions, 1,000,000 members)."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--scale", choices=["demo", *city.SCALES], default="demo", help="How large; demo if not given."
        )
        parser.add_argument("--accounts", type=Path, metavar="FILE", help="Where to tell of the accounts.")

    def handle(self, *, scale, accounts, **options):
        if Union.objects.exists():
            raise CommandError("There are unions already: the demo is written into an empty database only.")
        accounts, today = accounts or settings.VAR_DIR / ACCOUNTS_FILE, timezone.localdate()
        with transaction.atomic():  # all or nothing: what is killed half-way leaves the database as it was
            size = city.SCALES.get(scale)
            plan = city.unions(size, today) if size else demo.demo_unions(today)
            unions = seeding.plant(plan, today)
            password, lines = seeding.invite(plan, unions)
            if size:
                seeding.populate(plan, unions, size, today, progress=Progress(self.stdout, size.members))
            else:
                self.enrol(plan, unions, today)
                for place in settings.DEMOS:
                    import_string(place)(today)
            members = Membership.objects.open().count()
            audit.record("core.seed_demo", None, by=None, changes={"unions": [0, len(unions)], "members": [0, members]})
        audit.seal(timezone.now())
        self.keep(accounts, lines)
        self.stdout.write(f"{len(unions)} unions, {members} members. Accounts: {accounts} (password {password})")

    def enrol(self, plan, unions, today):
        """Write people and memberships."""
        people, memberships, seen = [], [], set()
        for index, (union, facts) in enumerate(zip(unions, plan, strict=True)):
            for one in demo.demo_people(index, facts, today):
                if one["id_number"] in seen:
                    continue
                seen.add(one["id_number"])
                person = Person(
                    uuid=one["uuid"],
                    name=one["name"],
                    id_number=one["id_number"],
                    sex=one["sex"],
                    born_on=one["born_on"],
                    phone=one["phone"],
                    ethnicity=one["ethnicity"],
                    id_masked=identity.mask_number(one["id_number"]),
                    phone_masked=identity.mask_phone(one["phone"]),
                )
                person.derive()
                people.append(person)
                memberships.append(
                    Membership(
                        person=person,
                        union=union,
                        joined_on=one["joined_on"],
                        employment=one["employment"],
                        occupation_group=one["occupation_group"],
                        migrant_worker=one["migrant_worker"],
                        post=one["post"],
                        state=MembershipState.RETAINED if one["retained"] else MembershipState.ACTIVE,
                    )
                )
        Person.objects.bulk_create(people, batch_size=500)
        suffixes.keep(NameSuffix, [(person.pk, person.name) for person in people])
        Membership.objects.bulk_create(memberships, batch_size=500)

    def keep(self, file, lines):
        """Write what tells of the accounts into a file that only its owner reads."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

"""Write the demo's fictional city into an empty database, with accounts to sign in with."""

import secrets
from datetime import date

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from core import audit, ids
from core.calendar import Calendar
from core.deadlines import Opening, compute, open_many
from core.models import DeadlineRule, User
from members import demo, identity
from members.models import Membership, MembershipState, Person
from unions.models import Appointment, Committee, Officer, Union, UnionPlacement
from unions.tree import path_of

ACCOUNTS_FILE = "demo-accounts.txt"


class Command(BaseCommand):
    help = "Write the demo city 云河市 (about 400 unions, 6,000 members, ten accounts) into an empty database."

    def handle(self, *args, **options):
        if Union.objects.exists():
            raise CommandError("There are unions already: the demo is written into an empty database only.")
        today = timezone.localdate()
        with transaction.atomic():
            plan = demo.demo_unions(today)
            unions = self.plant(plan, today)
            members = self.enrol(plan, unions, today)
            password = self.invite(plan, unions)
            audit.record("core.seed_demo", None, by=None, changes={"unions": [0, len(unions)], "members": [0, members]})
        self.stdout.write(
            f"{len(unions)} unions, {members} members. Accounts: var/{ACCOUNTS_FILE} (password {password})"
        )

    def plant(self, plan, today):
        """Write unions, placements, committees, officers and their deadlines."""
        keys = ids.allocate(Union, len(plan))
        unions = []
        for key, union in zip(keys, plan, strict=True):
            above = unions[union.above] if union.above is not None else None
            unions.append(
                Union(
                    id=key,
                    code=union.code,
                    name=union.name,
                    kind=union.kind,
                    parent=above,
                    path=path_of(key, above.path if above else ""),
                    term_years=union.term_years,
                    **union.facts,
                )
            )
        Union.objects.bulk_create(unions)
        UnionPlacement.objects.bulk_create(
            UnionPlacement(union=union, parent=union.parent, valid_from=union.founded_on) for union in unions
        )
        self.elect(plan, unions, today)
        return unions

    def elect(self, plan, unions, today):
        rules = {rule.code: rule for rule in DeadlineRule.objects.filter(code__startswith="UNION_TERM_")}
        calendar = Calendar.load()
        committees, officers, openings = [], [], []
        for index, (union, facts) in enumerate(zip(unions, plan, strict=True)):
            if facts.elected_on is None:
                continue
            rule = rules[f"UNION_TERM_{facts.term_years}Y"]
            ends_on = compute(rule, facts.elected_on, calendar).natural
            committee = Committee(
                union=union,
                number=1 + (facts.elected_on.year - union.founded_on.year) // facts.term_years,
                elected_on=facts.elected_on,
                term_years=facts.term_years,
                term_ends_on=ends_on,
            )
            committees.append(committee)
            for position, name, sex, full_time in demo.demo_officers(index, facts):
                officers.append(
                    Officer(
                        committee=committee,
                        position=position,
                        name=name,
                        sex=sex,
                        full_time=full_time,
                        started_on=facts.elected_on,
                    )
                )
            openings.append((rule, committee))
        Committee.objects.bulk_create(committees)
        Officer.objects.bulk_create(officers)
        open_many(
            [
                Opening(rule.code, committee.elected_on, committee, committee.union, f"{committee.union.name}换届")
                for rule, committee in openings
            ],
            by=None,
        )

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
        Membership.objects.bulk_create(memberships, batch_size=500)
        return len(memberships)

    def invite(self, plan, unions):
        """Write the demo's accounts, and their password into a file only its owner reads."""
        password = f"Yunhe-{secrets.token_hex(3)}"
        places = {"city": 0, "district": 1, "street": 2}
        places["enterprise"] = next(index for index, union in enumerate(plan) if union.above == 2)
        last_district = max(index for index, union in enumerate(plan) if union.above == 0)
        street = next(index for index, union in enumerate(plan) if union.above == last_district)
        places["neighbour"] = next(index for index, union in enumerate(plan) if union.above == street)
        lines = []
        for username, name, staff, roles in demo.ACCOUNTS:
            user = User(username=username, name=name, is_staff=staff)
            user.set_password(password)
            user.save()
            for role, where in roles:
                Appointment.objects.create(
                    user=user, union=unions[places[where]], role=role, valid_from=date(2020, 1, 1)
                )
            where = unions[places[roles[0][1]]].name if roles else "—"
            lines.append(
                f"{username:<12}{password:<16}{name:<6}{'、'.join(role for role, _where in roles) or '—':<28}{where}"
            )
        settings.VAR_DIR.mkdir(exist_ok=True)
        file = settings.VAR_DIR / ACCOUNTS_FILE
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return password

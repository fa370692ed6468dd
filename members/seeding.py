"""Writes an invented city (`members.demo`, `members.city`) into an empty database, everything derived included.

A million people are written as sets, in chunks; what happened to some of them is told by steps, transfers and events
as the acts would have left them: the moves are those of the case tables, played by the cases' own hooks. Rare fates
(deaths, transfers that nobody answered, merges) happen by the acts themselves.
"""

import secrets
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count

from django.core.management.color import no_style
from django.db import connection
from django.utils import timezone

from core import audit, bulk, deadlines, ids
from core.calendar import Calendar
from core.deadlines import Opening, compute, open_many
from core.models import Deadline, DeadlineRule, ImportBatch, User
from core.models.imports import BatchState, Outcome
from core.secrets import blind, seal
from members import candidates, city, demo, identity, merging
from members.city import Fate
from members.models import (
    Membership,
    MembershipStep,
    NameSuffix,
    Person,
    Transfer,
    TransferSide,
    TransferState,
    TransferStep,
)
from members.pinyin import name_keys, suffixes
from members.states import RetainedFor
from unions.models import Appointment, Committee, Officer, Union, UnionPlacement
from unions.tree import path_of

CHUNK = 10_000  # people a round

# --- Unions and accounts --------------------------------------------------------------------------------------------


def plant(plan, today):
    """Write the `DemoUnion`s of `plan` with placements, committees, officers and deadlines; return the Unions."""
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
    _elect(plan, unions)
    return unions


def _elect(plan, unions):
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


def invite(plan, unions):
    """Write the demo's accounts; return their password and the lines that tell of them."""
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
            Appointment.objects.create(user=user, union=unions[places[where]], role=role, valid_from=date(2020, 1, 1))
        where = unions[places[roles[0][1]]].name if roles else "—"
        lines.append(
            f"{username:<12}{password:<16}{name:<6}{'、'.join(role for role, _where in roles) or '—':<28}{where}"
        )
    return password, lines


# --- People ---------------------------------------------------------------------------------------------------------


def populate(plan, unions, scale, today, *, progress):
    """Write the people of `plan` at `unions`, their memberships and histories; call `progress` with how many are done.

    Call it in a transaction, into a register without people.
    """
    with bulk.roomy():
        _Register(plan, unions, scale, today).write(progress)


class _Table:
    """Rows of one model on their way into the database; what they do not say is the model's default."""

    def __init__(self, model, *names):
        self.model, self.given = model, names
        fields = {field.name: field for field in model._meta.concrete_fields}
        others = [field for name, field in fields.items() if name not in (*names, "id") and not field.generated]
        self.names = (*names, *(field.name for field in others))
        self.attributes = [fields[name].attname for name in self.names]
        self.tail = tuple(field.get_default() for field in others)
        self.rows = []

    def add(self, *values):
        self.rows.append((*values, *self.tail))

    def add_row(self, row):
        """Add a model instance; its columns hold no sealed text."""
        self.rows.append(tuple(getattr(row, name) for name in self.attributes))

    def write(self):
        bulk.insert(self.model, self.names, self.rows)
        self.rows = []


class _Register:
    """The people of a city on their way into the database."""

    def __init__(self, plan, unions, scale, today):
        self.plan, self.unions, self.scale, self.today = plan, unions, scale, today
        self.registered_on = today - city.REGISTERED
        self.batches = {}  # {key of a district: its register}
        self.people = _Table(
            Person,
            "id", "uuid", "name", "name_pinyin", "name_initials", "name_sort", "id_number", "id_index", "id_masked",
            "id_tail", "sex", "born_on", "phone", "phone_index", "phone_masked", "ethnicity", "politics", "education",
            "hukou_kind", "created_at",
        )  # fmt: skip
        self.memberships = _Table(
            Membership,
            "id", "person", "union", "path", "joined_on", "employment", "occupation_group", "migrant_worker", "post",
            "batch", "created_at",
        )  # fmt: skip
        self.suffixes = _Table(NameSuffix, "person", "text")
        self.person_keys, self.membership_keys = count(1), count(1)
        self.history = _History(unions, self.membership_keys)
        self.doubles = []  # [(key of a person, key of the same one entered again)]

    def write(self, progress):
        first = 0
        for index, union in enumerate(self.plan):
            if union.above == 0:
                self.batches[self.unions[index].pk] = self._take_over(index)
            for facts in city.people(union, first, index, self.today):
                self._enter(facts, index)
                if len(self.people.rows) >= CHUNK:
                    self._flush()
                    progress(facts.serial + 1)
            first += union.size
        self._flush()
        progress(first)
        for batch in self.batches.values():
            batch.save(update_fields=["counts"])
        _settle_keys()
        self.history.close()
        self._merge()

    def _take_over(self, index):
        """The register of a district, stored long ago: its file and its staged rows are gone by now."""
        at, keeper = _at(self.registered_on), User.objects.get(username="city")
        batch = ImportBatch.objects.create(
            kind="members",
            file_name=f"{self.plan[index].name}会员花名册.xlsx",
            union=self.unions[index],
            state=BatchState.COMMITTED,
            counts={"outcomes": dict.fromkeys(Outcome.values, 0), "codes": {}},
            created_by=keeper,
            committed_by=keeper,
            committed_at=at,
        )
        ImportBatch.objects.filter(pk=batch.pk).update(created_at=at)
        return batch

    def _enter(self, facts, index):
        story = city.story_of(facts.serial, index, self.scale, self.today)
        if story and facts.joined_on and facts.joined_on > self.registered_on:
            facts = facts._replace(joined_on=self.registered_on)  # histories are those of registered members
        person = self._write_down(facts, index, story)
        if facts.serial % (self.scale.members // self.scale.doubles) == 1:
            where = index if len(self.doubles) % 4 < 2 else max(index - 1, self.scale.places)
            self.doubles.append((person, self._write_down(city.double_of(facts), where, None)))

    def _write_down(self, facts, index, story):
        """Write a person with the membership that they came with and what happened to it; return the person's key."""
        key, keys, place, union = next(self.person_keys), name_keys(facts.name), facts.uuid, self.unions[index]
        enrolled = facts.joined_on is not None and facts.joined_on > self.registered_on
        at = _at(facts.joined_on if enrolled else self.registered_on)
        self.people.add(
            key, place, facts.name, keys["name_pinyin"], keys["name_initials"], keys["name_sort"],
            seal(facts.id_number, f"members.Person.id_number:{place}"), blind("id_number", facts.id_number),
            identity.mask_number(facts.id_number), facts.id_number[-4:], facts.sex, facts.born_on,
            seal(facts.phone, f"members.Person.phone:{place}") if facts.phone else "",
            blind("phone", facts.phone) if facts.phone else "",
            identity.mask_phone(facts.phone) if facts.phone else "",
            facts.ethnicity, facts.politics, facts.education, facts.hukou_kind, at,
        )  # fmt: skip
        for text in suffixes(facts.name):
            self.suffixes.add(key, text)
        batch = None if enrolled else self.batches[union.ancestor_ids[1]]
        membership = next(self.membership_keys)
        columns = (
            membership, key, union.pk, union.path, facts.joined_on, facts.employment, facts.occupation_group,
            facts.migrant_worker, facts.post, batch and batch.pk, at,
        )  # fmt: skip
        if batch:
            batch.counts["outcomes"]["ok"] += 1
        else:
            self.history.enrol(membership, facts.name, union)
        if story:
            person = Person(id=key, name=facts.name)
            named = dict(zip(self.memberships.given, columns, strict=True))
            row = Membership(**named | {"person": person, "union": union, "batch": batch})
            self.history.tell(row, story)
        else:
            self.memberships.add(*columns)
        return key

    def _flush(self):
        self.history.flush(self.memberships)
        for table in (self.people, self.memberships, self.suffixes, *self.history.tables):
            table.write()

    def _merge(self):
        """Of those entered twice one half waits in the queue, the other was merged; of these some were taken apart."""
        waiting = []
        for place, pair in enumerate(self.doubles):
            if place % 2:
                waiting += pair
                continue
            kept, again = (Person.objects.get(pk=key) for key in pair)
            merged = merging.merge(by=None, kept=kept, absorbed=again, choices={}, reason="同一人重复登记")
            if place % 8 == 0:
                merging.undo_merge(by=None, merge=merged)
        candidates.find_for(waiting, by=None)


def _settle_keys():
    """Lead the keys past those given here, and let the database measure its tables for the acts that follow."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Person, Membership, Transfer]):
            cursor.execute(statement)
        cursor.execute("ANALYZE")


# --- Histories ------------------------------------------------------------------------------------------------------


class _History:
    """What happened to some members, as the acts would have left it: steps, transfers, arrivals, deadlines, events."""

    TELLERS = {
        Fate.RETAINED: "_retain",
        Fate.RESTORED: "_restore",
        Fate.WITHDRAWN: "_withdraw",
        Fate.DEEMED: "_deem",
        Fate.EXPELLED: "_expel",
        Fate.REOPENED: "_reopen",
        Fate.DIED: "_die",
        Fate.MOVED: "_transfer",
        Fate.MOVED_TWICE: "_transfer_twice",
        Fate.MOVED_AWAY: "_transfer_away",
        Fate.REFUSED: "_refuse",
        Fate.CALLED_OFF: "_call_off",
        Fate.ASKED: "_ask",
        Fate.OVERDUE: "_leave_unanswered",
    }

    def __init__(self, unions, membership_keys):
        self.unions, self.membership_keys, self.transfer_keys = unions, membership_keys, count(1)
        columns = ("case", "at", "move", "source", "target", "reason", "facts")
        self.steps = {Membership: _Table(MembershipStep, *columns), Transfer: _Table(TransferStep, *columns)}
        self.transfer_rows = _Table(Transfer, "id")
        self.tables = (self.transfer_rows, *self.steps.values())
        self.memberships, self.new_transfers, self.events = [], [], []  # of this round
        self.transfers, self.deaths, self.unanswered = [], [], []  # of all

    def enrol(self, key, name, union):
        """Note that a member came not by a register but by themselves."""
        target = (Membership._meta.label, str(key), name)
        self.events.append({"verb": "members.enrol_membership", "target": target, "by": None, "union": union})

    def tell(self, membership, story):
        """Let the story happen to a `membership`, not written yet."""
        self.memberships.append(membership)
        getattr(self, self.TELLERS[story.fate])(membership, story)

    def flush(self, memberships):
        """Hand the rows of this round over to their tables, and write the events."""
        for row in self.memberships:
            memberships.add_row(row)
        for row in self.new_transfers:
            self.transfer_rows.add_row(row)
        audit.record_many(self.events)
        self.transfers += self.new_transfers
        self.memberships, self.new_transfers, self.events = [], [], []

    def close(self):
        """Open and close the deadlines of the transfers, and let happen by the acts what few members meet with."""
        open_many(
            [
                Opening(Transfer.RULE, each.asked_on, each, each.answering_union, each.answering_union.name)
                for each in self.transfers
            ],
            by=None,
        )
        answered = defaultdict(list)
        for each in self.transfers:
            if not each.is_open:
                state = "void" if each.state == TransferState.CANCELLED else "met"
                answered[each.answered_on, state].append(each.pk)
        of_transfers = Deadline.objects.filter(subject_type=Transfer._meta.label_lower)
        for (day, state), keys in answered.items():
            deadlines.close(of_transfers.filter(subject_id__in=keys), state, on=day, by=None)
        for transfer in self.unanswered:
            Transfer.objects.get(pk=transfer.pk).make_move("escalate", by=None)
        for key, day in self.deaths:
            Membership.objects.get(pk=key).make_move("record_death", by=None, on=day)

    # --- One fate each ---

    def _retain(self, membership, story):
        kind = story.draw.choice(RetainedFor.values)
        self._move(membership, "retain", story.days[0], kind=kind, since=story.days[0])

    def _restore(self, membership, story):
        self._retain(membership, story)
        self._move(membership, "restore", story.days[2], on=story.days[2])

    def _withdraw(self, membership, story):
        self._move(membership, "withdraw", story.days[1], requested_on=story.days[0], on=story.days[1])

    def _reopen(self, membership, story):
        self._withdraw(membership, story)
        self._move(membership, "reopen", story.days[2], reason="本人书面撤回申请")

    def _deem(self, membership, story):
        on = story.days[0]
        since = on - timedelta(days=300)
        self._move(
            membership, "deem", on, reason="无正当理由不交会费、不参加组织生活", on=on,
            dues_since=since, idle_since=since, admonished_on=on - timedelta(days=30),
        )  # fmt: skip

    def _expel(self, membership, story):
        on, number = story.days[0], story.draw.randint(1, 60)
        self._move(
            membership,
            "expel",
            on,
            reason="严重违反工会章程",
            decided_on=on,
            decision_no=f"云工处〔{on.year}〕{number}号",
        )

    def _die(self, membership, story):
        self.deaths.append((membership.pk, story.days[0]))

    def _ask(self, membership, story, place=0):
        """Ask on the first of two days for the member to go to the first or the second union."""
        side = TransferSide.TO if story.draw.random() < 0.5 else TransferSide.FROM
        return self._pend(membership, story.days[2 * place], side=side, to_union=self.unions[story.unions[place]])

    def _pend(self, membership, on, **goes):
        transfer = Transfer(
            id=next(self.transfer_keys),
            membership=membership,
            from_union=membership.union,
            asked_on=on,
            reason="工作调动",
            **goes,
        )
        self._move(membership, "pend", on)
        self.new_transfers.append(transfer)
        self.events.append(
            {
                "verb": "members.ask_transfer",
                "target": transfer,
                "by": None,
                "union": transfer.asking_union,
                "changes": {"side": ["", transfer.side], "to_union": [None, transfer.to_union_id],
                            "to_name": ["", transfer.to_name]},
                "reason": transfer.reason,
            }
        )  # fmt: skip
        return transfer

    def _transfer(self, membership, story, place=0):
        return self._accept(self._ask(membership, story, place), story.days[2 * place + 1])

    def _transfer_twice(self, membership, story):
        self._transfer(self._transfer(membership, story), story, place=1)

    def _transfer_away(self, membership, story):
        away = self._pend(membership, story.days[0], side=TransferSide.FROM, to_name="邻江市总工会")
        self._accept(away, story.days[1])

    def _accept(self, transfer, on):
        """Answer a transfer; return the membership in the union joined, None outside the register."""
        old = transfer.membership
        self._move(old, "transfer", on, on=on)
        self._answer(transfer, "accept", on)
        if transfer.to_union is None:
            return None
        taken = {name: getattr(old, name) for name in Transfer.TAKEN_ALONG}
        new = Membership(
            id=next(self.membership_keys), person=old.person, union=transfer.to_union, created_at=_at(on), **taken
        )
        transfer.result = new
        self.memberships.append(new)
        facts = {name: ["", value] for name, value in taken.items() if value}
        self.events.append(
            {"verb": "members.arrive_membership", "target": new, "by": None, "union": new.union, "changes": facts}
        )
        return new

    def _refuse(self, membership, story):
        transfer = self._ask(membership, story)
        self._move(membership, "stay", story.days[1])
        self._answer(transfer, "reject", story.days[1], reason="岗位有变，暂不接收")

    def _call_off(self, membership, story):
        transfer = self._ask(membership, story)
        self._move(membership, "stay", story.days[1])
        self._answer(transfer, "cancel", story.days[1])

    def _leave_unanswered(self, membership, story):
        self.unanswered.append(self._ask(membership, story))

    # --- Moves ---

    def _move(self, membership, name, day, /, *, reason="", **facts):
        """Make a move of a membership by its own hook, with what its form asks for."""
        hook = getattr(membership, f"on_{name}")
        self._step(membership, name, day, reason, lambda: hook(by=None, reason=reason, **facts))

    def _answer(self, transfer, name, on, *, reason=""):
        def answer():
            transfer.answered_on = on

        self._step(transfer, name, on, reason, answer)

    def _step(self, case, name, on, reason, effect):
        """What `Case.make_move` does, its rows left to be written with many others. Raises ValueError: no such move."""
        move = case.move(name)
        if case.state not in move.sources:
            raise ValueError(f"«{name}» is no move from {case.state}.")
        fields = case._meta.concrete_fields
        before = {field.attname: getattr(case, field.attname) for field in fields}
        told = effect() or {}
        if move.target:
            case.state = move.target
        case.version += 1
        self.steps[type(case)].add(case.pk, _at(on), name, before["state"], case.state, reason, told)
        changes = {field.name: [before[field.attname], getattr(case, field.attname)] for field in fields}
        self.events.append(
            {
                "verb": f"members.{name}_{case._meta.model_name}",
                "target": case,
                "by": None,
                "union": case.union,
                "changes": {key: [was, now] for key, (was, now) in changes.items() if was != now and key != "version"},
                "reason": reason,
            }
        )


@lru_cache(maxsize=1000)
def _at(day):
    """Ten o'clock on `day`, when offices work."""
    return timezone.make_aware(datetime.combine(day, time(10)))

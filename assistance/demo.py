"""The demo's hardship cases: about 150 in every state, as the moves would have left them, with standards to judge by.

Everything is invented and drawn alike on every machine; days are counted back from today. Decisions are made by
`assistance.decisions`, so that a replay reproduces each of them.
"""

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

from django.utils import timezone

from assistance import decisions
from assistance.models import (
    Consent,
    Decision,
    Expense,
    HardshipCase,
    HardshipFile,
    HardshipStep,
    HouseholdPerson,
    Income,
    LivingStandard,
    Visit,
    Visitor,
)
from assistance.moves import CLOCKS, IN_FORCE, MONITOR_RULE, MOVES, OPEN_STATES, OWN, PUBLICITY_RULE, REVIEW_RULE
from assistance.moves import HardshipState as S
from assistance.policy import standard_for
from core.deadlines import Opening, open_many
from core.models import User
from members import demo, identity
from members.models import Membership, MembershipState
from unions.models import Union, UnionKind

SEED = 20260315
AREA = "210400"  # nobody of the demo's register was born there: numbers of dependants meet no member's
SERIAL = 499

ONWARD = ("submit", "review", "visit", "appraise", "end_publicity", "check", "match", "approve")
# state → how many cases, the moves that lead there
WAYS = {
    S.DRAFT: (14, ()),
    S.UNION_REVIEW: (10, ONWARD[:1]),
    S.HOME_VISIT: (10, ONWARD[:2]),
    S.APPRAISAL: (8, ONWARD[:3]),
    S.PUBLICITY: (12, ONWARD[:4]),
    S.OBJECTION: (3, (*ONWARD[:4], "object")),
    S.DISTRICT_REVIEW: (10, ONWARD[:5]),
    S.DATA_MATCH: (8, ONWARD[:6]),
    S.CITY_APPROVAL: (8, ONWARD[:7]),
    S.FILED: (45, ONWARD),
    S.REVIEW: (6, (*ONWARD, "start_review")),
    S.MONITORED: (6, (*ONWARD, "exit")),
    S.CLOSED: (4, (*ONWARD, "close")),
    S.REJECTED: (4, (*ONWARD[:5], "reject_check")),
    S.WITHDRAWN: (2, (*ONWARD[:2], "withdraw")),
}
AFTER = {move.name: move.target for move in MOVES} | {
    "appraise": S.PUBLICITY, "check": S.DATA_MATCH, "match": S.CITY_APPROVAL
}  # fmt: skip
DAYS = {"end_publicity": 9, "match": 18, "start_review": 300, "exit": 200, "close": 150}  # before each; others 4
PERMISSIONS = {move.name: move.permission for move in MOVES}
REASONS = {
    "object": "群众反映有经营收入", "exit": "就业后收入稳定", "close": "调离本市", "reject_check": "家庭收入高于标准",
    "withdraw": "申请人自愿撤回",
}  # fmt: skip
STORIES = {
    "ILLNESS": "本人患慢性病，长期用药，自付费用较高。",
    "DISABILITY": "家庭成员肢体残疾，需要护理。",
    "EDUCATION": "子女就读大学，学费负担较重。",
    "LOW_INCOME": "家庭收入来源单一，收入偏低。",
    "JOBLESS": "配偶失业，正在求职。",
}
SPENT_ON = {"ILLNESS": "MEDICAL", "DISABILITY": "DISABILITY", "EDUCATION": "EDUCATION"}
VISITED = ("家庭情况与申报一致，住房简陋。", "家中一人长期卧床，收入单据齐全。", "住房一套，无机动车，邻里反映属实。")
BANKS = ("工商银行云河支行", "建设银行滨河支行", "农业银行东山支行")


def plant(today):
    """Write standards and cases as of the date `today`; return the cases."""
    return _Cases(today).write()


class _Cases:
    """Draws the cases and writes them as sets."""

    def __init__(self, today):
        self.today, self.draw, self.serials = today, random.Random(SEED), count(1)
        names = ("grassroots", "street", "neighbour", "chair", "visitor", "district", "approver")
        self.users = list(User.objects.filter(username__in=names))
        self.users.sort(key=lambda user: names.index(user.username))
        self.people, self.incomes, self.expenses, self.consents = [], [], [], []
        self.steps, self.openings, self.visits, self.visitors, self.acting = [], [], [], [], {}

    def write(self):
        self._write_standards()
        keys = [self._case(state, member).pk for state, member in self._who()]
        for rows in (self.people, self.incomes, self.expenses, self.consents, self.visits, self.visitors, self.steps):
            type(rows[0]).objects.bulk_create(rows, batch_size=500)
        moments = {id(step): step.told_at for step in self.steps}
        for step in self.steps:
            step.at = moments[id(step)]
        HardshipStep.objects.bulk_update(self.steps, ["at"], batch_size=500)
        rows = HardshipCase.objects.filter(pk__in=keys).select_related("union", "file").order_by("pk")
        cases = list(rows.prefetch_related("people", "incomes", "expenses"))
        self._decide(cases)
        due = {row.subject_id: row.due for row in open_many(self.openings, by=None)}
        for case in cases:
            if case.state in IN_FORCE:
                case.review_on = due[case.pk]
        HardshipCase.objects.bulk_update(cases, ["category", "per_capita", "applied_on", "review_on"], batch_size=500)
        closed = next(case for case in cases if case.state == S.CLOSED)
        closed.make_move("reenter", by=None, applied_on=self.today)
        return cases

    def _write_standards(self):
        """The city's standard of each of three years, and a lower one of the county."""
        city = Union.objects.get(parent=None)
        county = Union.objects.filter(kind=UnionKind.DISTRICT_FED, name__contains="县").first()
        for years, amount in ((2, 760), (1, 800), (0, 830)):
            first = date(self.today.year - years, 1, 1)
            last = date(first.year, 12, 31) if years else None
            facts = {"valid_from": first, "valid_to": last, "status": "LOCAL", "source": "演示数据"}
            for area, yuan in ((city, amount), (county, amount - 90)):
                basis = f"云政发〔{first.year}〕6号"
                LivingStandard.objects.create(area=area, amount=Decimal(yuan), legal_basis=basis, **facts)

    def _who(self):
        """(state, membership) of each case: in the accounts' own unions first, then all over the city."""
        members = Membership.objects.filter(state=MembershipState.ACTIVE).select_related("person", "union")
        rows = list(members.order_by("pk"))
        theirs = {each.union_id for user in self.users[:3] for each in user.appointments.all()}
        near = [row for row in rows if row.union_id in theirs]
        far = [row for row in rows if row.union_id not in theirs]
        self.draw.shuffle(near)
        states = [state for state, (number, _way) in WAYS.items() for _each in range(number)]
        self.draw.shuffle(states)
        chosen = near[:20] + far[:: max(1, len(far) // len(states))]
        return list(zip(states, chosen, strict=False))

    # --- One case ---

    def _case(self, state, member):
        way = WAYS[state][1]
        days = self._days(way)
        applied_on = days[0]
        cause = self.draw.choice(list(STORIES))
        file = HardshipFile.objects.create(union=member.union, person=member.person, opened_on=applied_on)
        case = HardshipCase(
            file=file, union=member.union, membership=member, state=state, applied_on=applied_on, cause=cause,
            statement=STORIES[cause], phone=member.person.phone, bank_name=self.draw.choice(BANKS),
            bank_account=f"62220200{self.draw.randint(10**10, 10**11 - 1)}", migrant=member.migrant_worker,
            labour_months=self.draw.randint(14, 200), housing_area=Decimal(self.draw.randint(35, 85)),
        )  # fmt: skip
        case.bank_last4 = case.bank_account[-4:]
        live = state in OPEN_STATES
        if "approve" in way:
            case.filed_on = days[1 + way.index("approve")]
            file.number = f"困〔{case.filed_on.year}〕{file.pk:06d}号"
            file.save(update_fields=["number"])
        if not live:
            case.ended_on = days[-1]
            case.exit_code = {S.MONITORED: "GUARANTEED", S.CLOSED: "TRANSFERRED"}.get(state, "")
        case.save()
        people = self._household(case, live)
        self._figures(case, people)
        if way:
            self._agree(case, people)
        self._tell(case, way, days)
        return case

    def _days(self, way):
        """The days of the application and of each move, the last of them lately."""
        back = self.draw.choice((0, 1, 2, 3, 6, 12))
        if way and way[-1] == "approve":
            back = self.draw.randint(5, 340)
        day = self.today - timedelta(days=back)
        days = [_worked(day)]
        for name in reversed(way):
            day = _worked(day - timedelta(days=DAYS.get(name, 4)))
            days.append(day)
        return days[::-1]

    def _household(self, case, live):
        person = case.membership.person
        own = self._person(case, "SELF", person.name, person.id_number, live, person=person)
        found, year = [own], person.born_on.year
        if self.draw.random() < 0.8:
            found.append(self._dependant(case, "SPOUSE", year, live, "FM"[person.sex == "F"]))
        for _child in range(self.draw.choice((0, 1, 1, 2))):
            born = min(year + 26 + self.draw.randint(0, 6), self.today.year - 1)
            found.append(self._dependant(case, "CHILD", born, live))
        if self.draw.random() < 0.25:
            found.append(self._dependant(case, "PARENT", max(year - 27, 1935), live))
        self.people += found
        return found

    def _dependant(self, case, kin, year, live, sex=""):
        born_on = date(year, self.draw.randint(1, 12), self.draw.randint(1, 28))
        sex = sex or self.draw.choice("MF")
        serial = next(self.serials)
        born_on += timedelta(days=serial // SERIAL)
        name = demo.person_name(self.draw, sex)
        return self._person(case, kin, name, demo.numbered(AREA, born_on, serial % SERIAL, sex), live)

    def _person(self, case, kin, name, number, live, person=None):
        checked = identity.check_number(number)
        age = self.today.year - checked.born_on.year
        work = "MINOR" if age < 6 else "STUDENT" if age < 22 else "RETIRED" if age > 60 else "WORKING"
        return HouseholdPerson(
            case=case, person=person, kin=kin, name=name, id_number=number, id_masked=identity.mask_number(number),
            sex=checked.sex, born_on=checked.born_on, situation=work, live=live,
        )  # fmt: skip

    def _figures(self, case, people):
        """Incomes and expenses that lead to a category: two in three deep, or relative, or by an illness."""
        line = standard_for(case.union, case.applied_on).amount
        roll = self.draw.random()
        share = Decimal(self.draw.randint(30, 95) if roll < 0.6 else self.draw.randint(105, 190)) / 100
        if roll > 0.92:
            share, case.event, case.event_on = Decimal("2.3"), "CRITICAL_ILLNESS", case.applied_on
        spent = Decimal(self.draw.randint(20, 160) * 100)
        income = int(line * share) * 12 * len(people) + spent
        if case.event:
            case.event_loss = income * Decimal("0.9")
            case.save(update_fields=["event", "event_on", "event_loss"])
        own, *others = people
        second = income // 4 if others and others[0].kin == "SPOUSE" else Decimal(0)
        self.incomes.append(Income(case=case, of=own, kind="WAGE", amount=income - second))
        if second:
            self.incomes.append(Income(case=case, of=others[0], kind="TRANSFER", amount=second))
        self.expenses.append(Expense(case=case, of=own, kind=SPENT_ON.get(case.cause, "HOUSING"), amount=spent))

    def _agree(self, case, people):
        """Both consents of every adult, on the day of application."""
        for each in people:
            if self.today.year - each.born_on.year >= 18:
                for kind in ("CHECK", "PUBLICITY"):
                    facts = {"text_version": "2026-1", "text": "本人同意。", "given_at": _at(case.applied_on)}
                    self.consents.append(Consent(case=case, of=each, kind=kind, **facts))

    def _tell(self, case, way, days):
        """The steps of the way, the visit, and the clock of the last step."""
        source = S.DRAFT
        for name, day in zip(way, days[1:], strict=True):
            by = self._actor(name, case.union)
            target = AFTER[name]
            step = HardshipStep(
                case=case, by=by, by_name=str(by or ""), move=name, source=source, target=target,
                reason=REASONS.get(name, ""), facts=self._facts(case, name, day, by),
            )  # fmt: skip
            step.told_at = _at(day)
            self.steps.append(step)
            source = target
        day = case.filed_on if case.state in IN_FORCE else days[-1]
        rules = {S.PUBLICITY: PUBLICITY_RULE, S.MONITORED: f"{MONITOR_RULE}12M"}
        rules |= dict.fromkeys(IN_FORCE, f"{REVIEW_RULE}12M")
        rule, place = CLOCKS.get(case.state, (rules.get(case.state), OWN))
        if rule:
            self.openings.append(Opening(rule, day, case, case.place(place), case.union.name))

    def _facts(self, case, name, day, by):
        if name == "visit":
            visit = Visit(case=case, on=day, found=self.draw.choice(VISITED), opinion="AS_DECLARED")
            self.visits.append(visit)
            self.visitors.append(Visitor(visit=visit, user=by, name=str(by or "街道帮扶专干")))
            self.visitors.append(Visitor(visit=visit, name=demo.person_name(self.draw, "F")))
            return {"on": day.isoformat(), "visitors": 2, "opinion": "AS_DECLARED"}
        if name == "appraise":
            present = self.draw.randint(7, 15)
            return {"on": day.isoformat(), "present": present, "favour": present - 1, "against": 1}
        if name == "start_review":
            return {"on": day.isoformat(), "figures_before": case.applied_on.isoformat()}
        return {"code": case.exit_code} if name in ("exit", "close") else {}

    def _actor(self, name, union):
        """The demo's account that makes this move there, if there is one."""
        key = PERMISSIONS[name], union.pk
        if key not in self.acting:
            self.acting[key] = next((user for user in self.users if user.has_perm(key[0], union)), None)
        return self.acting[key]

    def _decide(self, cases):
        """Let every filed case be decided on the figures it was filed with; then a review moves its day."""
        approved = {step.case_id: step for step in self.steps if step.move == "approve"}
        reviewed = {step.case_id: step for step in self.steps if step.move == "start_review"}
        for case in cases:
            if step := approved.get(case.pk):
                decision = decisions.decide(case, move="approve", by=step.by)
                Decision.objects.filter(pk=decision.pk).update(at=step.at)
                step.facts = {"category": decision.category}
            if step := reviewed.get(case.pk):
                case.applied_on = timezone.localdate(step.at)
        HardshipStep.objects.bulk_update(approved.values(), ["facts"], batch_size=500)


def _worked(day):
    """`day`, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _at(day):
    """Ten o'clock on `day`, when offices work."""
    return timezone.make_aware(datetime.combine(day, time(10)))

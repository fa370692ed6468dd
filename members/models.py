"""People known to the unions by their real name, and their memberships."""

import uuid

from django.db import models
from django.db.models import Case as Case_
from django.db.models import F, OuterRef, Q, Subquery, Value, When
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core import audit, deadlines
from core.cases import GONE, Case, CaseStep, Move, MoveRefused
from core.conflicts import Conflict
from core.fields import BlindIndex, EncryptedText, SealedCopy
from core.models import Deadline
from core.models.imports import StagedRow
from core.scope import ScopedQuerySet, after, reach
from members import suffixes
from members.pinyin import name_keys
from members.states import MOVES as MEMBERSHIP_MOVES
from members.states import OPEN_STATES, MembershipMoves, MembershipState
from unions.models import Sex, Union


class DocumentKind(models.TextChoices):
    RESIDENT_ID = "RESIDENT_ID", _("resident identity card")
    HMT_RESIDENCE = "HMT_RESIDENCE", _("residence permit for Hong Kong, Macao and Taiwan residents")


class HukouKind(models.TextChoices):
    URBAN = "URBAN", _("urban")
    RURAL = "RURAL", _("rural")


class Education(models.TextChoices):
    PRIMARY = "PRIMARY", _("primary school or below")
    MIDDLE = "MIDDLE", _("middle school")
    HIGH = "HIGH", _("high or vocational school")
    COLLEGE = "COLLEGE", _("college")
    BACHELOR = "BACHELOR", _("bachelor")
    MASTER = "MASTER", _("master or above")


class Politics(models.TextChoices):
    PARTY = "PARTY", _("Party member")
    LEAGUE = "LEAGUE", _("League member")
    DEMOCRATIC = "DEMOCRATIC", _("member of a democratic party")
    MASSES = "MASSES", _("no party")


class Employment(models.TextChoices):
    """用工形式 (import contract, synonym table)."""

    CONTRACT = "CONTRACT", _("labour contract")
    DISPATCH = "DISPATCH", _("labour dispatch")
    PLATFORM = "PLATFORM", _("new form of employment")
    OTHER = "OTHER", _("other")


class OccupationGroup(models.TextChoices):
    """八大群体 (rulebook §1.9)."""

    TRUCK_DRIVER = "TRUCK_DRIVER", _("truck driver")
    COURIER = "COURIER", _("courier")
    CARE_WORKER = "CARE_WORKER", _("care worker")
    DOMESTIC_WORKER = "DOMESTIC_WORKER", _("domestic worker")
    SHOP_CLERK = "SHOP_CLERK", _("shop information clerk")
    FOOD_RIDER = "FOOD_RIDER", _("food-delivery rider")
    ESTATE_AGENT = "ESTATE_AGENT", _("estate agent")
    SECURITY_GUARD = "SECURITY_GUARD", _("security guard")
    OTHER_NEW = "OTHER_NEW", _("other new form (ride-hailing driver and the like)")


class EmploymentState(models.TextChoices):
    AT_WORK = "AT_WORK", _("at work")
    WAITING = "WAITING", _("waiting for work")
    UNEMPLOYED = "UNEMPLOYED", _("unemployed")
    RETIRED = "RETIRED", _("retired")


class SkillLevel(models.TextChoices):
    NONE = "NONE", _("no level")
    JUNIOR = "JUNIOR", _("junior worker")
    MIDDLE = "MIDDLE", _("intermediate worker")
    SENIOR = "SENIOR", _("senior worker")
    TECHNICIAN = "TECHNICIAN", _("technician")
    SENIOR_TECHNICIAN = "SENIOR_TECHNICIAN", _("senior technician")


class Person(models.Model):
    """A person by identity number: sealed, found through a blind index; sex and birth date come from the number."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50, db_index=True)
    # What the name is found and sorted by (`members.pinyin.name_keys`); `save` derives them, an import stages them.
    name_pinyin = models.CharField(max_length=250, default="", editable=False)  # zengxiaoming
    name_initials = models.CharField(max_length=50, default="", editable=False)  # zxm
    name_sort = models.CharField(max_length=400, default="", editable=False)  # as a Chinese roll sorts
    document_kind = models.CharField(
        _("document"), max_length=14, choices=DocumentKind, default=DocumentKind.RESIDENT_ID
    )
    id_number = EncryptedText(_("identity number"))
    id_index = BlindIndex("id_number")
    id_masked = models.CharField(_("identity number"), max_length=18)  # 2104**********0017: what lists show
    id_tail = models.CharField(max_length=4, default="", editable=False)  # the mask's last four
    sex = models.CharField(_("sex"), max_length=1, choices=Sex)
    born_on = models.DateField(_("born on"))
    phone = EncryptedText(_("mobile phone"), blank=True)
    phone_index = BlindIndex("phone")
    phone_masked = models.CharField(_("mobile phone"), max_length=11, blank=True)  # 138****1234
    ethnicity = models.CharField(_("ethnicity"), max_length=20, blank=True)
    politics = models.CharField(_("political status"), max_length=12, choices=Politics, blank=True)
    education = models.CharField(_("education"), max_length=10, choices=Education, blank=True)
    hukou_kind = models.CharField(_("household registration"), max_length=6, choices=HukouKind, blank=True)
    hukou_place = models.CharField(_("registered at"), max_length=100, blank=True)
    residence = EncryptedText(_("residence"), blank=True)
    deceased_on = models.DateField(_("died on"), null=True, blank=True)
    verified_on = models.DateField(_("verified on"), null=True, blank=True)  # somebody held the card in hand
    # Another record of the same person that this one was merged into: whoever finds this one is led there.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="absorbed"
    )
    # From that day on nothing here tells who it was (members.erasure); the row stays for the counts of past years.
    erased_on = models.DateField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="person_has_a_name"),
            models.UniqueConstraint(fields=["id_index"], name="person_once"),
        ]
        # Here and not at the fields: there each would bring a second index, for LIKE, that nothing asks for.
        indexes = [
            # Of one key by the number's last four, which scatter namesakes whom an import wrote in a row: whoever
            # reaches a part of them then meets with somebody soon (members.search). With the key the index tells all.
            models.Index(fields=["name_sort", "id_tail", "id"]),
            models.Index(fields=["name_pinyin", "id_tail", "id"]),
            models.Index(fields=["name_initials", "id_tail", "id"]),
            models.Index(fields=["id_tail"]),
            models.Index(fields=["phone_index"]),
            models.Index(fields=["born_on"]),  # among those born on one day duplicates are looked for
        ]

    def __str__(self):
        return self.name

    def save(self, *args, update_fields=None, **kwargs):
        derived = self.derive()
        named = update_fields is None or "name" in update_fields
        if update_fields is not None:
            update_fields = {*update_fields, *derived}
        super().save(*args, update_fields=update_fields, **kwargs)
        if named:
            suffixes.keep(NameSuffix, [(self.pk, self.name)])

    def derive(self):
        """Set what follows from name and mask, and return the names of these fields."""
        derived = name_keys(self.name) | {"id_tail": self.id_masked[-4:]}
        for field, value in derived.items():
            setattr(self, field, value)
        return derived.keys()

    def die(self, on):
        """Note the day of death, None to take it back."""
        self.deceased_on = on
        self.version += 1
        self.save(update_fields=["deceased_on", "version"])

    def age_on(self, day):
        """Full years on `day`."""
        return day.year - self.born_on.year - ((day.month, day.day) < (self.born_on.month, self.born_on.day))


class NameSuffix(models.Model):
    """A name from its second, third … character on, two characters at least: what is within a name, by its beginning.

    With `Person.name` itself these are all the places where two or three characters of a name can stand, so that an
    index finds them on both databases.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, db_index=False, related_name="suffixes")
    text = models.CharField(max_length=49)
    # Scatters those of one text whom an import wrote in a row, as the last four of the number do for whole names.
    place = models.GeneratedField(
        expression=F("person_id") * 40_503 % 32_749, output_field=models.SmallIntegerField(), db_persist=True
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "text"], name="name_suffix_once")]
        indexes = [
            # PostgreSQL serves LIKE from an index in the order of the characters' codes, which SQLite keeps anyway.
            models.Index(
                fields=["text", "place", "person"],
                opclasses=["varchar_pattern_ops", "int2_ops", "int8_ops"],
                name="name_suffix_within",
            )
        ]


class MembershipQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """Every membership is somewhere in the tree: who reaches all of it needs no look at each one's path."""
        held = reach(user, perm)
        return self.all() if held.whole else self.filter(held.condition("path"))

    def below(self, union):
        """Of the union and of all below it."""
        return self.filter(path__gte=union.path, path__lt=after(union.path))

    def named(self, text):
        """Of people whose name begins with `text`. A subquery, so that SQLite begins at the index of names too."""
        return self.filter(person__in=Person.objects.filter(name__prefix=text))

    def open(self):
        return self.filter(state__in=OPEN_STATES)

    def active(self):
        """On the roll with full rights: retained members do not count (rulebook §2.2)."""
        pending = Q(state=MembershipState.TRANSFER_PENDING) & ~Q(state_before=MembershipState.RETAINED)
        return self.filter(Q(state=MembershipState.ACTIVE) | pending)


class Membership(MembershipMoves, Case):
    """A person's membership in one union from joining to leaving; at most one is open a person (rulebook §2.2)."""

    MOVES = MEMBERSHIP_MOVES

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    union = models.ForeignKey(  # found by the index below that begins with it
        "unions.Union", on_delete=models.PROTECT, db_index=False, related_name="memberships", verbose_name=_("union")
    )
    path = models.CharField(max_length=60, default="", editable=False)  # the union's: kept by `members.paths`
    state = models.CharField(_("state"), max_length=16, choices=MembershipState, default=MembershipState.ACTIVE)
    # The open state that a pending transfer or an ending can be taken back to.
    state_before = models.CharField(max_length=16, choices=MembershipState, blank=True, editable=False)
    joined_on = models.DateField(_("joined on"), null=True, blank=True)
    ended_on = models.DateField(_("ended on"), null=True, blank=True)
    department = models.CharField(_("department or group"), max_length=50, blank=True)
    post = models.CharField(_("post or trade"), max_length=50, blank=True)
    skill_level = models.CharField(_("skill level"), max_length=18, choices=SkillLevel, blank=True)
    employment = models.CharField(_("form of employment"), max_length=10, choices=Employment, blank=True)
    occupation_group = models.CharField(_("occupational group"), max_length=16, choices=OccupationGroup, blank=True)
    employment_state = models.CharField(_("employment state"), max_length=10, choices=EmploymentState, blank=True)
    migrant_worker = models.BooleanField(_("migrant worker"), default=False)
    card_no = models.CharField(_("member card"), max_length=30, blank=True)
    dues_standard = models.CharField(_("dues"), max_length=30, blank=True)
    model_worker = models.BooleanField(_("model worker or May 1 medal"), default=False)
    notes = models.CharField(_("remarks"), max_length=200, blank=True)
    batch = models.ForeignKey("core.ImportBatch", on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["person"], condition=Q(state__in=OPEN_STATES), name="membership_one_open"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, ended_on__isnull=True)
                | (~Q(state__in=OPEN_STATES) & Q(ended_on__isnull=False)),
                name="membership_ended_on",
            ),
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(joined_on__isnull=True) | Q(ended_on__gte=F("joined_on")),
                name="membership_dates_in_order",
            ),
        ]
        indexes = [models.Index(fields=["path", "-id", "state"]), models.Index(fields=["union", "state"])]

    def __str__(self):
        return str(self.person)

    def why_not_hold(self):
        """The sentence why there is nothing left to hold, or an empty one."""
        return gettext("The data of this person was erased already.") if self.person.erased_on else ""

    @property
    def open_transfer(self):
        """The transfer under way, or None."""
        if self.state != MembershipState.TRANSFER_PENDING:
            return None
        return self.transfers.open().select_related("to_union").first()

    def lock_before(self):
        """Unions before people before memberships before transfers, each by their keys: nobody waits in a circle.

        Raises Conflict when a merge or the end of a union gave the membership to another meanwhile.
        """
        joined = self._joined()
        self.lock_with(joined)
        if self._joined() != joined:  # asked for while we waited
            raise Conflict(type(self).objects.select_related("person", "union").get(pk=self.pk))

    def _joined(self):
        """The keys of the unions that the member is asked for."""
        return set(self.transfers.open().filter(to_union__isnull=False).values_list("to_union_id", flat=True))

    def lock_with(self, unions):
        """The same with these `unions` (keys) too: whoever will join them to this membership."""
        mine = type(self).objects.filter(pk=self.pk).values_list("union_id", "person_id")
        if not (found := mine.first()):
            raise MoveRefused(GONE)
        union, person = found
        _lock(Union.objects.filter(pk__in={union, *unions}))
        _lock(Person.objects.filter(pk=person))
        if mine.first() != (union, person):
            current = type(self).objects.select_related("person", "union").filter(pk=self.pk).first()
            raise Conflict(current) if current else MoveRefused(GONE)


def _lock(rows):
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


class MembershipStep(CaseStep):
    """会籍变化: one change of a membership's state."""

    case = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="steps")

    class Meta(CaseStep.Meta):
        abstract = False
        verbose_name = _("change of a membership")
        verbose_name_plural = _("changes of memberships")


class TransferState(models.TextChoices):
    REQUESTED = "REQUESTED", _("waiting for the answer")
    ESCALATED = "ESCALATED", _("passed to the union above")
    ACCEPTED = "ACCEPTED", _("accepted")
    REJECTED = "REJECTED", _("refused")
    CANCELLED = "CANCELLED", _("called off")


TRANSFER_OPEN = (TransferState.REQUESTED, TransferState.ESCALATED)
TRANSFER_ANSWERED = (TransferState.ACCEPTED, TransferState.REJECTED)


class TransferSide(models.TextChoices):
    """Who asked: the union the member leaves, or the one the member comes to."""

    FROM = "FROM", _("the union left")
    TO = "TO", _("the union joined")


class TransferQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """Both unions see a transfer."""
        held = reach(user, perm)
        return self.filter(held.condition("from_union__path") | held.condition("to_union__path"))

    def open(self):
        return self.filter(state__in=TRANSFER_OPEN)

    def asked_by(self, held):
        """Those that a union within the `Reach` asked for."""
        left, joined = Q(side=TransferSide.FROM), Q(side=TransferSide.TO)
        return self.filter(left & held.condition("from_union__path") | joined & held.condition("to_union__path"))

    def answered_by(self, held):
        """Those that a union within the `Reach` answers (see `Transfer.answering_union`)."""
        to_other = Q(side=TransferSide.FROM, to_union__isnull=False)
        to_own = Q(side=TransferSide.TO) | Q(side=TransferSide.FROM, to_union__isnull=True)
        return self.filter(to_other & held.condition("to_union__path") | to_own & held.condition("from_union__path"))

    def with_names(self, held):
        """Each with `from_name`, empty while it is not told: see `Transfer.names_from`; `held`: the unions seen."""
        told = Q(side=TransferSide.FROM) | Q(state__in=TRANSFER_ANSWERED)
        name = F("from_union__name")
        if not held.everything:
            name = Case_(When(told | held.condition("from_union__path"), then=name), default=Value(""))
        return self.annotate(from_name=name)

    def with_due(self):
        """Each with `due`, the day by which somebody must answer, None when that is over."""
        open_ones = Deadline.objects.open().filter(
            subject_type=self.model._meta.label_lower, subject_id=OuterRef("pk")
        ).order_by("earliest")  # fmt: skip
        return self.annotate(due=Subquery(open_ones.values("earliest")[:1]))


class Transfer(Case):
    """会籍接转: a member goes from one union to another, asked for by either, accepted by the other (§2.2).

    A union outside the register has only a name (`to_name`); the union left then records its receipt.
    """

    ANSWER, ASK = "members.answer_transfer", "members.ask_transfer"
    State = TransferState
    MOVES = (
        Move("accept", _("accept"), TRANSFER_OPEN, State.ACCEPTED, ANSWER, at="answering_union"),
        Move("reject", _("refuse"), TRANSFER_OPEN, State.REJECTED, ANSWER, at="answering_union", reason_required=True),
        Move("cancel", _("call off"), TRANSFER_OPEN, State.CANCELLED, ASK, at="asking_union"),
        Move("escalate", _("pass to the union above"), (State.REQUESTED,), State.ESCALATED, ""),
        Move("lapse", _("fall away"), TRANSFER_OPEN, State.CANCELLED, ""),  # the member died, a union ended
    )
    RULE = "MEMBER_TRANSFER_REPLY_10WD"
    # What a member takes along; department, post and dues belong to the union left.
    TAKEN_ALONG = (
        "joined_on", "skill_level", "employment", "occupation_group", "employment_state", "migrant_worker", "card_no",
        "model_worker",
    )  # fmt: skip

    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="transfers")
    from_union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="transfers_out")
    to_union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, related_name="transfers_in")
    to_name = models.CharField(_("union outside the register"), max_length=100, blank=True)
    side = models.CharField(_("asked for by"), max_length=4, choices=TransferSide)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    asked_on = models.DateField(_("asked on"))
    state = models.CharField(_("state"), max_length=10, choices=TransferState, default=TransferState.REQUESTED)
    answered_on = models.DateField(_("answered on"), null=True, blank=True)
    result = models.ForeignKey(Membership, on_delete=models.PROTECT, null=True, related_name="arrived_by")
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TransferQuerySet.as_manager()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(state__in=TRANSFER_OPEN), name="transfer_one_open"
            ),
            models.CheckConstraint(
                condition=Q(to_union__isnull=False, to_name="") | (Q(to_union__isnull=True) & ~Q(to_name="")),
                name="transfer_goes_somewhere",
            ),
            models.CheckConstraint(condition=~Q(from_union=F("to_union")), name="transfer_to_another_union"),
        ]
        indexes = [models.Index(fields=["from_union", "state"]), models.Index(fields=["to_union", "state"])]

    def __str__(self):
        return str(self.membership)

    @property
    def union(self):
        """Where its events belong: the union that asked."""
        return self.asking_union

    @property
    def is_open(self):
        return self.state in TRANSFER_OPEN

    @property
    def asking_union(self):
        return self.from_union if self.side == TransferSide.FROM else self.to_union

    @property
    def answering_union(self):
        """The other side; of a union outside the register the union left records what it answered."""
        return self.to_union or self.from_union if self.side == TransferSide.FROM else self.from_union

    @property
    def goes_to(self):
        """The name of the union that the member goes to."""
        return self.to_union.name if self.to_union else self.to_name

    @property
    def deadlines(self):
        """Its deadlines, those that were closed too."""
        return Deadline.objects.of(self)

    def within(self, held):
        """Whether a `Reach` covers either side: what `has_perm` asks."""
        return held.covers(self.from_union.path) or bool(self.to_union and held.covers(self.to_union.path))

    def names_from(self, user):
        """Whether `user` may read where the member is: a union out of sight is named by its own answer only."""
        told = self.side == TransferSide.FROM or self.state in TRANSFER_ANSWERED
        return told or user.has_perm("unions.view_union", self.from_union)

    def lock_before(self):
        self.membership.lock_before()
        _lock(Membership.objects.filter(pk=self.membership_id))

    def open_deadline(self, union, day, *, by):
        """Somebody at `union` must answer: the title names no person, for not everybody there sees members."""
        title = self.answering_union.name
        return deadlines.open_deadline(self.RULE, day, subject=self, union=union, title=title, by=by)

    # --- What its moves do ---

    def why_not_accept(self, user):
        if self.membership.person.deceased_on:
            return gettext("The person is recorded as deceased: this transfer cannot be accepted.")
        if self.membership.state != MembershipState.TRANSFER_PENDING:
            return gettext("The membership changed meanwhile: call this transfer off and ask again.")
        if self.to_union and self.to_union.dissolved_on:
            return gettext("The union that the member would come to was dissolved: refuse or call off this transfer.")
        return ""

    def on_accept(self, *, by, reason):
        """The old membership ends, the new one begins, in one transaction."""
        old = self.membership.make_move("transfer", by=by, reason=reason)
        if self.to_union:
            taken = {name: getattr(old, name) for name in self.TAKEN_ALONG}
            if old.state_before == MembershipState.RETAINED:
                taken["employment_state"] = ""  # retired or unemployed no more
            self.result = Membership.objects.create(person_id=old.person_id, union=self.to_union, **taken)
            facts = {name: ["", value] for name, value in taken.items() if value}
            audit.record("members.arrive_membership", self.result, by=by, union=self.to_union, changes=facts)
        self._close("met", by)

    def on_reject(self, *, by, reason):
        self.membership.make_move("stay", by=by, reason=reason)
        self._close("met", by)

    def on_cancel(self, *, by, reason):
        self.membership.make_move("stay", by=by, reason=reason)
        self._close("void", by)

    def on_lapse(self, *, by, reason):
        """Only the transfer: what becomes of the membership is decided by whoever lets the transfer fall away."""
        self._close("void", by)

    def why_not_escalate(self, user):
        if not self.to_union:
            return gettext("A union outside the register has no union above here.")
        return "" if self.answering_union.parent else gettext("There is no union above.")

    def on_escalate(self, *, by, reason):
        today, above = timezone.localdate(), self.answering_union.parent
        words = gettext("Not answered in time: passed to %(union)s.") % {"union": above.name}
        deadlines.close(self.deadlines, "void", on=today, by=by, reason=words)
        self.open_deadline(above, today, by=by)
        return {"union": above.pk}

    def _close(self, state, by):
        self.answered_on = timezone.localdate()
        deadlines.close(self.deadlines, state, on=self.answered_on, by=by)


class TransferStep(CaseStep):
    """One move of a transfer."""

    case = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="steps")


class PairState(models.TextChoices):
    OPEN = "open", _("to be looked at")
    NOT_SAME = "not_same", _("two different people")
    MERGED = "merged", _("merged")


class PairQuerySet(ScopedQuerySet):
    def visible_to(self, user, perm):
        """Only to whoever reaches both people, by any of their memberships."""
        held = reach(user, perm)
        if held.everything:
            return self
        seen = Membership.objects.filter(held.condition("path")).order_by()
        return self.filter(
            models.Exists(seen.filter(person=models.OuterRef("first"))),
            models.Exists(seen.filter(person=models.OuterRef("second"))),
        )

    def open(self):
        return self.filter(state=PairState.OPEN)


class DuplicatePair(models.Model):
    """Two records that may be one person: found by `members.matching`, decided by a person, remembered (R18)."""

    first = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="pairs_first")  # the lower key
    second = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="pairs_second")
    score = models.DecimalField(_("likeness"), max_digits=4, decimal_places=3)  # 0 to 1
    reasons = models.JSONField(_("reasons"), default=list)  # codes of members.matching
    state = models.CharField(_("state"), max_length=8, choices=PairState, default=PairState.OPEN)
    found_at = models.DateTimeField(_("found"), auto_now_add=True)
    decided_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True)

    objects = PairQuerySet.as_manager()

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        ordering = ["-score", "id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="pair_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="pair_lower_key_first"),
        ]
        indexes = [models.Index(fields=["state", "-score", "id"])]

    def __str__(self):
        return f"{self.first} · {self.second}"


class PersonMerge(models.Model):
    """Two records of one person became one; all that is needed to take it back is kept, sealed."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    kept = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="merges")
    absorbed = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+")  # of the open membership kept
    before = EncryptedText()  # JSON: every changed row as it was
    after = models.JSONField(default=dict)  # {"members.Person": {pk: version}, …}: what must still hold to undo
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    made_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(_("merged"), auto_now_add=True)
    undone_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(_("taken back"), null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]

    def __str__(self):
        return str(self.kept)


class StagedMember(StagedRow):
    """One row of a member register between reading and commit: identity sealed, ready for a set-based insert."""

    SEALED_COPIES = (
        SealedCopy("id_number", Person._meta.get_field("id_number"), "person_uuid", "id_index"),
        SealedCopy("phone", Person._meta.get_field("phone"), "person_uuid", "phone_index"),
    )

    person_uuid = models.UUIDField(null=True)  # the stored person's, or the one a new person will have
    name = models.CharField(max_length=50, blank=True)
    document_kind = models.CharField(max_length=14, blank=True)
    id_number = models.TextField(blank=True)  # ciphertext, sealed for person_uuid
    id_index = models.CharField(max_length=64, blank=True)
    id_masked = models.CharField(max_length=18, blank=True)
    id_tail = models.CharField(max_length=4, blank=True)
    name_pinyin = models.CharField(max_length=250, blank=True)
    name_initials = models.CharField(max_length=50, blank=True)
    name_sort = models.CharField(max_length=400, blank=True)
    sex = models.CharField(max_length=1, blank=True)
    born_on = models.DateField(null=True)
    phone = models.TextField(blank=True)  # ciphertext
    phone_index = models.CharField(max_length=64, blank=True)
    phone_masked = models.CharField(max_length=11, blank=True)
    ethnicity = models.CharField(max_length=20, blank=True)
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    joined_on = models.DateField(null=True)
    employment = models.CharField(max_length=10, blank=True)
    occupation_group = models.CharField(max_length=16, blank=True)
    migrant_worker = models.BooleanField(null=True)  # null: the sheet says nothing
    department = models.CharField(max_length=50, blank=True)
    post = models.CharField(max_length=50, blank=True)
    card_no = models.CharField(max_length=30, blank=True)
    notes = models.CharField(max_length=200, blank=True)
    # What stood there when the row was read. The database does not hold them: a batch taken back deletes people, and
    # asking this table about each of them would read it whole.
    person = models.ForeignKey(
        Person, on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    membership = models.ForeignKey(
        Membership, on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False, related_name="+"
    )

    class Meta(StagedRow.Meta):
        abstract = False
        indexes = [*StagedRow.Meta.indexes, models.Index(fields=["batch", "id_index"])]


class BeforeImport(models.Model):
    """A stored person and membership as they were before an import changed them, for its undo."""

    SEALED_COPIES = (SealedCopy("phone", Person._meta.get_field("phone"), "person__uuid", "phone_index"),)

    batch = models.ForeignKey("core.ImportBatch", on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(
        Person, on_delete=models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+"
    )
    membership = models.ForeignKey(
        Membership, on_delete=models.DO_NOTHING, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    phone = models.TextField(blank=True)  # ciphertext, as it lay in the person's row
    phone_index = models.CharField(max_length=43, blank=True)
    phone_masked = models.CharField(max_length=11, blank=True)
    ethnicity = models.CharField(max_length=20, blank=True)
    person_version = models.PositiveIntegerField()
    state = models.CharField(max_length=16, blank=True)
    state_before = models.CharField(max_length=16, blank=True)
    joined_on = models.DateField(null=True)
    employment = models.CharField(max_length=10, blank=True)
    occupation_group = models.CharField(max_length=16, blank=True)
    migrant_worker = models.BooleanField(default=False)
    department = models.CharField(max_length=50, blank=True)
    post = models.CharField(max_length=50, blank=True)
    card_no = models.CharField(max_length=30, blank=True)
    notes = models.CharField(max_length=200, blank=True)
    employment_state = models.CharField(max_length=10, blank=True)
    membership_version = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "person"], name="before_import_once")]


class ErasureState(models.TextChoices):
    ASKED = "ASKED", _("waiting for the decision")
    ERASED = "ERASED", _("erased")
    REFUSED = "REFUSED", _("refused")
    CANCELLED = "CANCELLED", _("called off")


class ErasureGround(models.TextChoices):
    """Why personal data must go (个人信息保护法 47)."""

    REQUEST = "REQUEST", _("the person asked for it")
    PERIOD = "PERIOD", _("the retention period is over")


class Erasure(Case):
    """删除个人信息: asked for by one officer, decided by another; what it does is `members.erasure`."""

    ASK, DECIDE = "members.ask_erasure", "members.decide_erasure"
    RULE = "PERSON_ERASURE_DECIDE_15WD"  # from the request, or from the day it was asked (rulebook §6, art. 50)
    State = ErasureState
    MOVES = (
        Move("erase", _("erase"), (State.ASKED,), State.ERASED, DECIDE),
        Move("refuse", _("refuse"), (State.ASKED,), State.REFUSED, DECIDE, reason_required=True),
        Move("cancel", _("call off"), (State.ASKED,), State.CANCELLED, ASK),
    )

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="erasures")
    union = models.ForeignKey("unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union"))
    ground = models.CharField(_("ground"), max_length=7, choices=ErasureGround)
    requested_on = models.DateField(_("request received on"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=500)
    asked_by = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="+")
    asked_on = models.DateField(_("asked on"))
    state = models.CharField(_("state"), max_length=9, choices=ErasureState, default=ErasureState.ASKED)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure of personal data")
        verbose_name_plural = _("erasures of personal data")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["person"], condition=Q(state=ErasureState.ASKED), name="erasure_one_open")
        ]
        indexes = [models.Index(fields=["union", "state"])]

    def __str__(self):
        return f"#{self.pk}"  # never the name: the trail keeps it

    def lock_before(self):
        from members import erasure

        erasure.lock(self.person)

    def why_not_erase(self, user):
        from members import erasure

        if user is not None and user.pk == self.asked_by_id:
            return gettext("You asked for this yourself: somebody else must decide.")
        return " ".join(erasure.why_not(self.person, self.ground, by=user))

    def why_not_refuse(self, user):
        if user is not None and user.pk == self.asked_by_id:
            return gettext("You asked for this yourself: somebody else must decide.")
        return ""

    def on_erase(self, *, by, reason):
        from members import erasure

        erasure.check_nameless(self.person, reason)
        self._close("met", by)
        return erasure.erase(self.person)

    def on_refuse(self, *, by, reason):
        from members import erasure

        erasure.check_nameless(self.person, reason)
        self._close("met", by)

    def on_cancel(self, *, by, reason):
        from members import erasure

        erasure.check_nameless(self.person, reason)
        self._close("void", by)

    def _close(self, state, by):
        deadlines.close(Deadline.objects.of(self), state, on=timezone.localdate(), by=by)


class ErasureStep(CaseStep):
    """One move of an erasure."""

    case = models.ForeignKey(Erasure, on_delete=models.PROTECT, related_name="steps")


class AccountHolder(models.Model):
    """Which person of the register an account belongs to: what conflicts of interest are found from."""

    user = models.OneToOneField("core.User", on_delete=models.PROTECT, related_name="holder")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="accounts", verbose_name=_("person"))
    declared_on = models.DateField(_("declared on"))

    class Meta:
        verbose_name = _("account holder")
        verbose_name_plural = _("account holders")

    def __str__(self):
        return f"#{self.pk}"


class KinKind(models.TextChoices):
    SPOUSE = "SPOUSE", _("spouse")
    PARENT = "PARENT", _("parent")
    CHILD = "CHILD", _("child")
    SIBLING = "SIBLING", _("brother or sister")
    IN_LAW = "IN_LAW", _("relative by marriage")
    OTHER = "OTHER", _("other interest")


class Kinship(models.Model):
    """A relative whom an officer declared, in the register or not: found by the number, shown masked."""

    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="kin")
    kind = models.CharField(_("relation"), max_length=8, choices=KinKind)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50)
    id_number = EncryptedText(_("identity number"))
    id_index = BlindIndex("id_number")
    id_masked = models.CharField(_("identity number"), max_length=18)
    declared_on = models.DateField(_("declared on"))
    ended_on = models.DateField(_("ended on"), null=True, blank=True)

    class Meta:
        verbose_name = _("declared relation")
        verbose_name_plural = _("declared relations")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "id_index"], condition=Q(ended_on=None), name="kinship_once")
        ]
        indexes = [models.Index(fields=["id_index"])]

    def __str__(self):
        return f"#{self.pk}"


class EmployerSpell(models.Model):
    """An employer whom an officer declared, beside those that the memberships tell of."""

    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="employers")
    union = models.ForeignKey(
        "unions.Union", on_delete=models.PROTECT, related_name="+", verbose_name=_("union of the employer")
    )
    began_on = models.DateField(_("from"))
    ended_on = models.DateField(_("until"), null=True, blank=True)
    declared_on = models.DateField(_("declared on"))

    class Meta:
        verbose_name = _("declared employer")
        verbose_name_plural = _("declared employers")
        ordering = ["-began_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(ended_on__gte=F("began_on")), name="employer_dates_in_order"
            )
        ]

    def __str__(self):
        return f"#{self.pk}"

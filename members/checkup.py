"""What a checkup looks for in people, memberships, transfers and registers (rulebook §2). Nobody is left out silently:

whoever belongs to no union stands at the city, and what could not be checked is counted beside what was.
"""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat, Substr
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.checkup import Check, Gravity, Kind, Mend, Population
from core.models import Deadline, ImportBatch
from core.models.imports import BatchState
from core.scope import WIDTH
from core.secrets import CannotOpen, unseal
from members import actions, identity
from members.models import DuplicatePair, Employment, Membership, MembershipStep, Person, Transfer, TransferSide
from members.states import OPEN_STATES, MembershipState
from unions.models import Sex, Union

# --- What is looked at -----------------------------------------------------------------------------------------------


def at_the_root():
    """The key of the city federation: where what belongs to no union stands."""
    return Subquery(Union.objects.filter(parent__isnull=True).values("pk")[:1])


def ended():
    return Membership.objects.exclude(state__in=OPEN_STATES)


def people():
    return Person.objects.filter(merged_into__isnull=True, erased_on__isnull=True).annotate(root=at_the_root())


def transfers():
    """Each at the union that has to answer (`Transfer.answering_union`)."""
    to_other = Q(side=TransferSide.FROM, to_union__isnull=False)
    answers = Case(When(to_other, then=F("to_union_id")), default=F("from_union_id"), output_field=BigIntegerField())
    return Transfer.objects.open().annotate(answers=answers)


def pairs():
    """Each at the union of the first person; `pick` places it at the lowest union above both."""
    return DuplicatePair.objects.open().annotate(first_union=latest_union("first"))


def latest_union(person):
    """The key of the union where a person is a member, or was last; the city for a person without any membership."""
    rows = Membership.objects.filter(person=OuterRef(person)).order_by(F("ended_on").desc(nulls_first=True), "-pk")
    return Coalesce(Subquery(rows.values("union")[:1]), at_the_root(), output_field=BigIntegerField())


def stored_imports():
    return placed(ImportBatch.objects.filter(state=BatchState.COMMITTED))


def previewed_imports():
    return placed(ImportBatch.objects.filter(state=BatchState.PREVIEW))


def placed(batches):
    return batches.annotate(at=Coalesce("union_id", at_the_root(), output_field=BigIntegerField()))


SEE = "members.view_membership"
ROLL = Population(
    "ROLL",
    gettext_lazy("members on the roll"),
    Membership.objects.open,
    related=("person",),
    page="member_page",
    perm=SEE,
)
ENDED = Population(
    "ENDED", gettext_lazy("memberships that have ended"), ended, related=("person",), page="member_page", perm=SEE
)
PEOPLE = Population("PEOPLE", gettext_lazy("people"), people, union="root")
TRANSFERS = Population(
    "TRANSFERS", gettext_lazy("open transfers"), transfers, union="answers", related=("membership__person",),
    page="transfer_page", perm="members.view_transfer",
)  # fmt: skip
PAIRS = Population(
    "PAIRS", gettext_lazy("possible duplicates to decide"), pairs, union="first_union", related=("first", "second"),
    page="pair_page", perm="members.merge_person",
)  # fmt: skip
STORED = Population(
    "STORED_IMPORTS", gettext_lazy("imports that were stored"), stored_imports, union="at", page="import_page",
    perm="core.view_importbatch",
)  # fmt: skip
PREVIEWED = Population(
    "PREVIEWED_IMPORTS", gettext_lazy("imports that wait to be stored"), previewed_imports, union="at",
    page="import_page", perm="core.view_importbatch",
)  # fmt: skip

# --- What mends it ---------------------------------------------------------------------------------------------------

CHANGE = "members.change_membership"
LOOK = Mend(gettext_lazy("Look at the member"), SEE, "member_page")
ASK_TRANSFER = Mend(
    gettext_lazy("Ask for a transfer"), "members.ask_transfer", "transfer_ask", key="", query=("membership", "pk")
)


def fill_in(field):
    """The member's form, the cursor in `field`."""
    return Mend(gettext_lazy("Fill it in"), CHANGE, "member_edit", focus=field)


def correct(field):
    return Mend(gettext_lazy("Correct it"), CHANGE, "member_edit", focus=field)


def end_as_deceased(membership, *, by):
    """End the membership on the day of death that is recorded of the person."""
    died_on = membership.person.deceased_on
    if died_on is None:
        raise ValidationError(_("No day of death is recorded of this person any more."))
    membership.make_move("record_death", by=by, on=died_on)


def follow_number(membership, *, by):
    """Take sex, birth date and mask from the identity number again."""
    actions.follow_number(membership, by=by)


# --- Who is at fault -------------------------------------------------------------------------------------------------


def disagreeing(rows, day):
    """Yield whose sex, birth date or mask is not what the number says, or whose number cannot be opened or is none.

    The numbers are opened one by one in the worker's memory and kept nowhere.
    """
    place = Person._meta.get_field("id_number").place
    names = ("uuid", "id_number", "sex", "born_on", "id_masked", "id_tail")
    facts = rows.values_list("pk", "at_union", *(f"person__{name}" for name in names))
    for key, union, uuid, sealed, sex, born_on, masked, tail in facts.iterator(chunk_size=5000):
        try:
            number = unseal(sealed, place(uuid))
        except CannotOpen:
            yield key, union
            continue
        said = (identity.sex_of(number), _born(number), identity.mask_number(number), number[-4:])
        if said != (sex, born_on, masked, tail):
            yield key, union


def _born(number):
    try:
        return identity.born_of(number)
    except ValueError:
        return None


def underage(rows, day):
    return rows.filter(person__born_on__gt=day.years_ago("working_age"))


def past_retirement(rows, day):
    """Active members older than the highest age at which the law has anybody retire."""
    men = Q(person__sex=Sex.MALE, person__born_on__lte=day.years_ago("retirement_age_men"))
    women = Q(person__sex=Sex.FEMALE, person__born_on__lte=day.years_ago("retirement_age_women"))
    return rows.filter(men | women, state=MembershipState.ACTIVE)


def joined_young(rows, day):
    """Joined before the working age; who has not reached it yet is found by age."""
    born = Cast("person__born_on", CharField())  # 1985-03-07: as text, both databases reckon and compare alike
    year = Cast(Cast(Substr(born, 1, 4), IntegerField()) + day.number("working_age"), CharField())
    grown = rows.filter(joined_on__isnull=False, person__born_on__lte=day.years_ago("working_age"))
    return grown.alias(
        joined=Cast("joined_on", CharField()), old_enough=Concat(year, Substr(born, 5), output_field=CharField())
    ).filter(joined__lt=F("old_enough"))


def joined_before_union(rows, day):
    """Whoever came by a transfer keeps the day of first joining, which may well be earlier."""
    came = Transfer.objects.filter(result=OuterRef("pk"))
    return rows.filter(joined_on__lt=F("union__founded_on")).filter(~Exists(came))


def joining_unknown(rows, day):
    return rows.filter(joined_on__isnull=True)


def same_phone(rows, day):
    """Another person on the same union's roll has the same phone.

    Not on any roll: whoever types a phone would learn whether somebody elsewhere has it. Across unions people with one
    phone are found as possible duplicates, and shown to who may see both.
    """
    others = Membership.objects.open().filter(
        union=OuterRef("union"), person__phone_index=OuterRef("person__phone_index")
    )
    return rows.exclude(person__phone_index="").filter(Exists(others.exclude(person=OuterRef("person"))))


def places_of_pairs(rows, day):
    """Each pair at the lowest union above both people: who looks after that one may decide."""
    rows = rows.annotate(second_union=latest_union("second"))
    unions = dict(Union.objects.values_list("pk", "path"))
    for key, first, second in rows.values_list("pk", "first_union", "second_union"):
        yield key, _lowest_above(unions[first], unions[second])


def _lowest_above(one, other):
    """The key of the lowest union that lies above the paths `one` and `other`, or is one of them."""
    shared = [
        begin for begin in range(0, min(len(one), len(other)), WIDTH) if one[: begin + WIDTH] == other[: begin + WIDTH]
    ]
    return int(one[shared[-1] : shared[-1] + WIDTH], 36)


def unanswered(rows, day):
    """Past the last day to answer, also at the union above that it was passed to; or nobody was given a day."""
    days = Deadline.objects.open().filter(subject_type=Transfer._meta.label_lower, subject_id=OuterRef("pk"))
    return rows.filter(~Exists(days) | Exists(days.filter(earliest__lt=day.today)))


def with_errors(rows, day):
    """Rows were not stored, and nobody took the sheet back to correct them."""
    return rows.filter(counts__outcomes__error__gt=0, returned="")


def forgotten(rows, day):
    return rows.filter(created_at__date__lt=day.today - timedelta(days=day.number("import_waiting_days")))


def without_steps(rows, day):
    return rows.filter(~Exists(MembershipStep.objects.filter(case=OuterRef("pk"))))


def nowhere(rows, day):
    return rows.filter(~Exists(Membership.objects.filter(person=OuterRef("pk"))))


CHECKS = [
    Check(
        "DECEASED_ON_ROLL", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Deceased, and still on the roll"),
        gettext_lazy("A day of death is recorded: end the membership on that day."),
        ROLL,
        fault=lambda rows, day: rows.filter(person__deceased_on__isnull=False),
        mends=(Mend(gettext_lazy("End the membership"), "members.move_membership", act=end_as_deceased), LOOK),
    ),
    Check(
        "IN_DISSOLVED_UNION", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("On the roll of a union that has ended"),
        gettext_lazy("Transfer the member to the union where the person works now, or end the membership."),
        ROLL,
        fault=lambda rows, day: rows.filter(union__dissolved_on__isnull=False),
        mends=(ASK_TRANSFER, LOOK),
    ),
    Check(
        "NUMBER_DISAGREES", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Sex or birth date not as the identity number says"),
        gettext_lazy("Take both from the number; if the number itself is wrong, correct it from the card."),
        ROLL,
        pick=disagreeing,
        mends=(Mend(gettext_lazy("Take it from the number"), CHANGE, act=follow_number), correct("id_number")),
    ),
    Check(
        "NO_UNION_AT_ALL", Kind.WRONG, Gravity.GRAVE,
        gettext_lazy("Person without any membership"),
        gettext_lazy("This person is in no union's roll: enrol the person where they work, with the same number."),
        PEOPLE,
        fault=nowhere,
        mends=(Mend(gettext_lazy("Enrol a member"), "members.add_membership", "member_add", key=""),),
    ),
    Check(
        "ENDED_WITHOUT_STEP", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Membership ended, and nobody knows how"),
        gettext_lazy("No change is recorded that ended it: find out, and tell the administrator."),
        ENDED,
        fault=without_steps,
        mends=(LOOK,),
    ),
    Check(
        "UNDERAGE", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Younger than the working age"),
        gettext_lazy("Compare number and name with the card; nobody works before this age."),
        ROLL,
        fault=underage,
        mends=(correct("id_number"), LOOK),
    ),
    Check(
        "PAST_RETIREMENT", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Past the age of retirement, and active"),
        gettext_lazy("Whoever has retired keeps the membership without dues: retain it on the member's page."),
        ROLL,
        fault=past_retirement,
        mends=(LOOK,),
    ),
    Check(
        "JOINED_TOO_YOUNG", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Joined before the working age"),
        gettext_lazy("One of joining date and identity number is wrong: correct it."),
        ROLL,
        fault=joined_young,
        unclear=joining_unknown,
        why_unclear=gettext_lazy("the joining date is not recorded"),
        mends=(correct("joined_on"),),
    ),
    Check(
        "TRANSFER_UNANSWERED", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Transfer not answered in time"),
        gettext_lazy("Accept the member or refuse with the reason."),
        TRANSFERS,
        fault=unanswered,
        mends=(Mend(gettext_lazy("Answer"), "members.answer_transfer", "transfer_page"),),
    ),
    Check(
        "DUPLICATE_WAITING", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Possibly entered twice, not decided"),
        gettext_lazy("Compare the two records and decide: one person, or two."),
        PAIRS,
        pick=places_of_pairs,
        mends=(Mend(gettext_lazy("Compare and decide"), "members.merge_person", "pair_page"),),
    ),
    Check(
        "SAME_PHONE", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Same phone as another member of the union"),
        gettext_lazy("Ask whose phone it is; where a family shares one, set the finding aside."),
        ROLL,
        fault=same_phone,
        unclear=lambda rows, day: rows.filter(person__phone_index=""),
        why_unclear=gettext_lazy("no phone is recorded"),
        mends=(correct("phone"),),
    ),
    Check(
        "IMPORT_ROWS_LEFT", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Import with rows that were not stored"),
        gettext_lazy("Take the sheet back, correct the rows that were marked and import them again."),
        STORED,
        fault=with_errors,
        mends=(Mend(gettext_lazy("Look at the import"), "core.view_importbatch", "import_page"),),
    ),
    Check(
        "IMPORT_FORGOTTEN", Kind.WRONG, Gravity.ORDINARY,
        gettext_lazy("Import looked at, and neither stored nor discarded"),
        gettext_lazy("Nothing of this sheet is in the register yet: store it or discard it."),
        PREVIEWED,
        fault=forgotten,
        mends=(Mend(gettext_lazy("Look at the import"), "core.view_importbatch", "import_page"),),
    ),
    Check(
        "NO_JOINING_DAY", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("Joining date not recorded"),
        gettext_lazy("Take it from the application or the member card and fill it in."),
        ROLL,
        fault=joining_unknown,
        mends=(fill_in("joined_on"),),
    ),
    Check(
        "NO_PHONE", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("Phone not recorded"),
        gettext_lazy("Ask for the mobile number and fill it in; who has none can be set aside."),
        ROLL,
        fault=lambda rows, day: rows.filter(person__phone_index=""),
        mends=(fill_in("phone"),),
    ),
    Check(
        "NO_GROUP", Kind.MISSING, Gravity.ORDINARY,
        gettext_lazy("New form of employment without an occupational group"),
        gettext_lazy("Choose the group: the eight groups are counted by it."),
        ROLL,
        fault=lambda rows, day: rows.filter(employment=Employment.PLATFORM, occupation_group=""),
        mends=(fill_in("occupation_group"),),
    ),
    Check(
        "JOINED_BEFORE_UNION", Kind.WRONG, Gravity.LIGHT,
        gettext_lazy("Joined before the union was founded"),
        gettext_lazy("One of joining date and founding date is wrong, or the member came from another union."),
        ROLL,
        fault=joined_before_union,
        unclear=lambda rows, day: rows.filter(Q(joined_on__isnull=True) | Q(union__founded_on__isnull=True)),
        why_unclear=gettext_lazy("joining or founding date is not recorded"),
        mends=(correct("joined_on"), Mend(gettext_lazy("Correct the union"), "unions.change_union", "union_edit",
                                          key="union_id", focus="founded_on")),
    ),
    Check(
        "NOT_VERIFIED", Kind.MISSING, Gravity.LIGHT,
        gettext_lazy("Identity number never compared with the card"),
        gettext_lazy("Have the card shown at the next occasion, and note it on the member's page."),
        ROLL,
        fault=lambda rows, day: rows.filter(person__verified_on__isnull=True),
        mends=(LOOK,),
    ),
]  # fmt: skip

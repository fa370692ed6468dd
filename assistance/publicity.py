"""Publicity of a hardship case: what is shown of the household, for how long, and what an objection does."""

from enum import StrEnum

from django.apps import apps
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from assistance.decisions import judge
from core import deadlines, publicity
from core.cases import MoveRefused
from core.models import Objection, Publicity
from unions.models import Union

RULE = "HARDSHIP_PUBLICITY_5WD"
TITLE = "困难职工建档公示"
LONG = 8  # characters: a residence or a statement so short may be a part of any union's name


class CategoryWord(StrEnum):
    """The categories as they are published."""

    DEEP = "深度困难"
    RELATIVE = "相对困难"
    ACCIDENTAL = "意外致困"


class CauseWord(StrEnum):
    """The causes as they are published: no illness is ever named."""

    ILLNESS = "因病"
    DISABILITY = "因残"
    EDUCATION = "因学"
    DISASTER = "因灾因意外"
    LOW_INCOME = "收入低"
    JOBLESS = "失业"
    OTHER = "其他"


def notice_of(case):
    """Return what may be shown of a case, with the category that its figures give today.

    Raises MoveRefused when that is none, CannotClassify when a value of the policy is missing.
    """
    category = judge(case)[0].category
    if category not in CategoryWord.__members__:
        raise MoveRefused(_("The household has no category of hardship: there is nothing to publish."))
    people = list(case.people.all())
    return publicity.Notice(
        name=next(each.name for each in people if each.kin == "SELF"),
        unit=case.union.name,
        category=CategoryWord[category],
        cause=CauseWord[case.cause],
        people=len(people),
        contacts=tuple(Union.objects.filter(pk__in=[case.union_id, case.union.parent_id]).order_by("-path")
                       .values_list("name", flat=True)),
    )  # fmt: skip


def private_of(case):
    """Return the texts about the household that must not stand in what is published, whoever typed them where."""
    texts = [case.phone, case.bank_account, case.bank_last4]
    texts += [text for text in (case.residence, case.statement) if len(text) >= LONG]
    for each in case.people.all():
        texts += [each.name, each.id_number, each.health]
    return [text for text in texts if text]


@transaction.atomic
def begin(case, by):
    """Publish the case from today on and return the Publicity. Raises ValidationError, CannotClassify."""
    row = publicity.begin(
        notice_of(case), subject=case, union=case.union, title=TITLE, rule_code=RULE, by=by, private=private_of(case)
    )
    deadlines.open_deadline(RULE, row.shown_from, subject=case, union=case.union, title=case.union.name, by=by)
    return row


def may_end(case):
    """Return the sentence why the publicity of a case cannot be ended yet, or an empty one."""
    row = Publicity.objects.of(case).standing().first()
    if row is None:
        return _("The case is not in publicity: publish it first.")
    if refusal := unanswered(case):
        return refusal
    last = publicity.shown_until(row)
    if timezone.localdate() <= last:
        return _("It is in publicity until %(day)s and can be ended from the day after.") % {"day": last}
    return ""


def unanswered(case):
    """Return the sentence that an objection to a case waits for its answer, or an empty one."""
    waiting = Objection.objects.waiting().filter(publicity__in=Publicity.objects.of(case))
    return _("An objection waits for its answer.") if waiting.exists() else ""


def standing():
    """The cases that may be shown now, whatever dates their notices have."""
    model = apps.get_model("assistance.HardshipCase")
    return model.objects.filter(state__in=model.move("end_publicity").sources)


def stop(case, why):
    """Take down what is shown of the case."""
    publicity.take_down(case, why, by=None)


@transaction.atomic
def objected(objection):
    """An objection came from the public page: the case is looked into, and nothing more is shown of it."""
    case = apps.get_model(objection.publicity.subject_type).objects.get(pk=objection.publicity.subject_id)
    if case.state in case.move("object").sources:
        reason = _("Objection from the public page, receipt %(receipt)s.") % {"receipt": objection.receipt}
        case.make_move("object", by=None, reason=reason)
        stop(case, reason)

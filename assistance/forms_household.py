"""The application typed on one long sheet: facts, the people, incomes and expenses of a household; papers, consents.

What is sealed shows as a mask; a mask left as it is changes nothing.
"""

from decimal import Decimal, InvalidOperation

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assistance.eligibility import EXCLUSIONS
from assistance.households import FACTS, AmountRow, PersonRow
from assistance.models import ExpenseKind, HardshipCase, IncomeKind, Kin, Situation, UploadKind
from core.fields import FEN, MoneyField, holds
from core.forms import DateField, PortalForm, PortalModelForm, VersionedForm, half_width, portal_field
from core.rows import RowColumn, Rows, RowsField
from members import identity

HIDDEN = "******"  # stands for a text that is recorded
MOST_ROWS = 60

PEOPLE = (
    RowColumn("pk", hidden=True),
    RowColumn("kin", gettext_lazy("relation to the applicant"), tuple(Kin.choices), needed=True),
    RowColumn("name", gettext_lazy("name"), maxlength=50, needed=True),
    RowColumn("number", gettext_lazy("identity number"), maxlength=40, needed=True),
    RowColumn("situation", gettext_lazy("situation"), tuple(Situation.choices), needed=True),
    RowColumn("workplace", gettext_lazy("unit or school")),
    RowColumn("health", gettext_lazy("illness or disability"), maxlength=200),
)


def amounts(choices):
    return (
        RowColumn("of", gettext_lazy("whose: name, or number of the row"), maxlength=50),
        RowColumn("kind", gettext_lazy("kind"), tuple(choices), needed=True),
        RowColumn("amount", gettext_lazy("yuan in twelve months"), maxlength=20, figure=True, needed=True),
        RowColumn("notes", gettext_lazy("how it was reckoned"), maxlength=200),
    )


INCOMES, EXPENSES = amounts(IncomeKind.choices), amounts(ExpenseKind.choices)


class HouseholdForm(PortalModelForm):
    """Everything that is known of a household for one application."""

    people = RowsField(PEOPLE, empty=3, most=MOST_ROWS, required=False, label=gettext_lazy("People of the household"))
    incomes = RowsField(
        INCOMES, empty=3, most=MOST_ROWS, required=False, label=gettext_lazy("Incomes of the last twelve months")
    )
    expenses = RowsField(
        EXPENSES, empty=3, most=MOST_ROWS, required=False,
        label=gettext_lazy("Unavoidable expenses of the last twelve months"),
    )  # fmt: skip
    statement = forms.CharField(
        label=gettext_lazy("how it came about"), max_length=2000, required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )  # fmt: skip
    phone = forms.CharField(label=gettext_lazy("contact phone"), max_length=30, required=False)
    residence = forms.CharField(label=gettext_lazy("residence"), max_length=200, required=False)
    bank_account = forms.CharField(label=gettext_lazy("account number"), max_length=40, required=False)
    event_loss = MoneyField().formfield(
        label=HardshipCase._meta.get_field("event_loss").verbose_name, required=False, min_value=0
    )
    flags = forms.MultipleChoiceField(
        label=gettext_lazy("what excludes"), required=False, choices=EXCLUSIONS.items(),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    GROUPS = (
        (gettext_lazy("Application"), ("applied_on", "cause", "phone", "residence", "statement")),
        (gettext_lazy("Household"), ("people", "incomes", "expenses")),
        (
            gettext_lazy("Work, home and what happened"),
            ("migrant", "resident", "labour_months", "houses", "housing_area", "event", "event_on", "event_loss",
             "flags"),
        ),
        (gettext_lazy("Where aid is paid"), ("bank_name", "bank_account")),
    )  # fmt: skip

    class Meta:
        model = HardshipCase
        fields = FACTS
        formfield_callback = portal_field

    def groups(self):
        """[(title, bound fields)] in the order of the sheet."""
        return [(title, [self[name] for name in names]) for title, names in self.GROUPS]

    def has_field_errors(self):
        return any(bound.errors for bound in self.visible_fields())

    # --- What was typed, for the action ---

    def taken(self):
        """The keyword arguments of `households.apply` and `households.change`."""
        return {"facts": self.facts(), "people": self.of_people, "incomes": self.of_incomes, "expenses": self.of_costs}

    def facts(self):
        """The facts without those whose mask was left as it is."""
        return {name: self.cleaned_data[name] for name in FACTS if not self.is_mask(name)}

    def is_mask(self, name):
        """Whether a sealed text shows its mask still."""
        mask = self.masks.get(name)
        return bool(mask) and self.cleaned_data[name] == mask

    def clean_event_loss(self):
        return self.cleaned_data["event_loss"] or Decimal(0)

    def clean(self):
        cleaned = super().clean()
        self.of_people = self._read("people", self._person)
        names = [row["name"] for row in cleaned.get("people", ())]
        self.of_incomes = self._read("incomes", lambda row: self._amount(row, names))
        self.of_costs = self._read("expenses", lambda row: self._amount(row, names))
        return cleaned

    def _read(self, field, read):
        """Return what `read` makes of each row; its refusals stand under the field with the number of the row."""
        found, faults = [], []
        for place, row in enumerate(self.cleaned_data.get(field, ()), start=1):
            try:
                found.append(read(row))
            except (forms.ValidationError, identity.Refused) as refusal:
                said = refusal.messages[0] if isinstance(refusal, forms.ValidationError) else str(refusal)
                faults.append(_("Row %(place)d: %(sentence)s") % {"place": place, "sentence": said})
        if faults:
            self.add_error(field, faults)
        return found

    def _person(self, row):
        if row["kin"] not in Kin.values:
            raise forms.ValidationError(_("choose the relation to the applicant."))
        if row["situation"] not in Situation.values:
            raise forms.ValidationError(_("choose the situation."))
        pk, masked, hidden = self.shown(row)
        kept = bool(masked) and row["number"] == masked
        return PersonRow(
            kin=row["kin"],
            name=identity.clean_name(row["name"]),
            situation=row["situation"],
            number=None if kept else identity.check_number(row["number"]),
            workplace=row["workplace"],
            health=None if hidden and row["health"] == HIDDEN else row["health"],
            pk=pk,
        )

    def _amount(self, row, names):
        if not row["kind"]:
            raise forms.ValidationError(_("choose the kind."))
        return AmountRow(_whose(row["of"], names), row["kind"], _yuan(row["amount"]), row["notes"])


def _whose(text, names):
    """The place among the people that a name, or the number of a row, stands for; nothing: the first row's."""
    text = half_width(text)
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return int(text[:9]) - 1
    name = identity.normalise_name(text)
    found = [place for place, each in enumerate(names) if identity.normalise_name(each) == name]
    if len(found) > 1:
        raise forms.ValidationError(_("two people of the household have this name: write the number of the row."))
    if not found:
        raise forms.ValidationError(_("nobody of the household has this name."))
    return found[0]


def _yuan(text):
    text = half_width(text).replace(",", "").removeprefix("¥").removeprefix("￥")
    try:
        amount = Decimal(text)
        if amount.is_finite() and amount == amount.quantize(FEN):
            return amount.quantize(FEN)
    except InvalidOperation:
        pass
    raise forms.ValidationError(_("write the amount in yuan, with two decimals at most."))


class ApplyForm(HouseholdForm):
    """A new application; `membership` is the applicant's, from whom the sheet is filled in."""

    def __init__(self, *args, membership, draft=None, initial=None, **kwargs):
        self.person = membership.person
        self.masks = {
            "phone": self.person.phone_masked,
            "residence": HIDDEN if holds(self.person, "residence") else "",
        }
        initial = {**(initial or {}), **self.masks, "people": self._own_row(), "houses": 1}
        if draft:
            for name, columns in (("people", PEOPLE), ("incomes", INCOMES), ("expenses", EXPENSES)):
                initial[name] = self.base_fields[name].widget.typed(draft.fields, name) or Rows((), columns)
        super().__init__(*args, initial=initial, **kwargs)

    def shown(self, row):
        """(key of the row, mask of the number, whether the health is hidden) as the page drew it."""
        return None, self.person.id_masked if row["kin"] == Kin.SELF else "", False

    def _own_row(self):
        row = {
            "kin": Kin.SELF,
            "name": self.person.name,
            "number": self.person.id_masked,
            "situation": Situation.WORKING,
        }
        return Rows([row], PEOPLE)


class ChangeHouseholdForm(HouseholdForm, VersionedForm):
    """The sheet of a case as it stands."""

    def __init__(self, *args, draft=None, **kwargs):
        self.stored = {str(person.pk): person for person in kwargs["instance"].people.all()}
        self.masks = _masks(kwargs["instance"])
        super().__init__(*args, **kwargs)
        self.initial |= self.values_of(kwargs["instance"])
        if draft:
            for name in ("people", "incomes", "expenses"):
                self.initial[name] = self.fields[name].widget.typed(draft.fields, name)

    def shown(self, row):
        if person := self.stored.get(row["pk"]):
            return person.pk, person.id_masked, holds(person, "health")
        if "*" in row["number"] and row["pk"].isascii() and row["pk"].isdigit():
            return int(row["pk"][:18]), row["number"], True  # deleted meanwhile: the action says so
        return None, "", bool(row["pk"])

    def values_of(self, record):
        people = list(record.people.all())
        names = {person.pk: str(place) for place, person in enumerate(people, start=1)}
        unique = [person.name for person in people]
        names |= {person.pk: person.name for person in people if unique.count(person.name) == 1}
        values = {name: getattr(record, name) for name in FACTS if name not in MASKED} | _masks(record)
        return values | {
            "people": Rows([_row_of(person) for person in people], PEOPLE),
            "incomes": Rows([_amount_of(row, names) for row in record.incomes.all()], INCOMES),
            "expenses": Rows([_amount_of(row, names) for row in record.expenses.all()], EXPENSES),
        }


MASKED = ("phone", "residence", "statement", "bank_account")


def _masks(case):
    return {
        "phone": identity.mask_phone(case.phone) if case.phone else "",
        "residence": HIDDEN if holds(case, "residence") else "",
        "statement": HIDDEN if holds(case, "statement") else "",
        "bank_account": f"**** {case.bank_last4}" if case.bank_last4 else "",
    }


def _row_of(person):
    shown = {"pk": str(person.pk), "number": person.id_masked, "health": HIDDEN if holds(person, "health") else ""}
    return shown | {name: getattr(person, name) for name in ("kin", "name", "situation", "workplace")}


def _amount_of(row, names):
    return {"of": names[row.of_id], "kind": row.kind, "amount": str(row.amount), "notes": row.notes}


class ConsentForm(PortalForm):
    """What was signed on one day."""

    on = DateField(label=gettext_lazy("signed on"), initial=timezone.localdate)
    given = forms.MultipleChoiceField(label=gettext_lazy("what was signed"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args, open_to, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["given"].choices = [
            (f"{person.pk}:{kind}", f"{person.name}：{kind.label}") for person, kind in open_to
        ]

    def pairs(self):
        """[(key of the person, kind)] for the action."""
        return [(int(key), kind) for key, _colon, kind in (each.partition(":") for each in self.cleaned_data["given"])]


class UploadForm(PortalForm):
    """One paper of the household, as a photo, a scan or a PDF."""

    kind = forms.ChoiceField(label=gettext_lazy("which paper"), choices=UploadKind.choices)
    file = forms.FileField(
        label=gettext_lazy("photo, scan or PDF"),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,application/pdf"}),
    )


class ReasonForm(PortalForm):
    """Why somebody looks, or takes away."""

    reason = forms.CharField(label=gettext_lazy("reason"), max_length=200)

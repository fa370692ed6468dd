"""Model fields of our own: sealed text for personal data, the blind index that finds it, and money."""

from dataclasses import dataclass
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import DecimalValidator
from django.db import models
from django.db.models import Value
from django.db.models.expressions import Combinable, register_combinable_fields
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext_lazy as _

from core import secrets

YUAN_DIGITS = 15  # 9,999,999,999,999.99 yuan and its sums lie within a big integer of fen
FEN = Decimal("0.01")


class Sealed(str):
    """Ciphertext as it lies in the database."""

    __slots__ = ()


def holds(instance, name):
    """Whether the sealed field `name` of `instance`, as it was loaded, holds anything; nothing is opened."""
    return bool(instance.__dict__[name])


class SealedAttribute(DeferredAttribute):
    """Opens sealed text when it is read from an instance."""

    def __get__(self, instance, cls=None):
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed):
            return secrets.unseal(value, self.field.place(instance.uuid))
        return value

    def __set__(self, instance, value):
        # With this the descriptor goes before the instance's own dictionary, where the sealed text lies.
        instance.__dict__[self.field.attname] = value


class EncryptedText(models.TextField):
    """Text kept sealed (AES-GCM), bound to model, field and the row's `uuid`. It cannot be filtered or ordered by."""

    descriptor_class = SealedAttribute

    def place(self, row_uuid):
        """The place the text is bound to."""
        return f"{self.model._meta.label}.{self.name}:{row_uuid}"

    def from_db_value(self, value, expression, connection):
        return Sealed(value) if value else value

    def pre_save(self, instance, add):
        value = instance.__dict__.get(self.attname)
        if value and not isinstance(value, Sealed):
            value = Sealed(secrets.seal(value, self.place(instance.uuid)))
        return value

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        if value and not isinstance(value, Sealed):
            raise TypeError(f"{self.name} is sealed: save it through an instance, and find it by its blind index.")
        return value

    def to_python(self, value):
        return value

    def get_lookup(self, lookup_name):
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


@dataclass(frozen=True)
class SealedCopy:
    """A plain text column that holds ciphertext of another model's field, as staging tables do (`SEALED_COPIES`).

    `field` is the EncryptedText it is sealed for, `uuid` the look-up of that row's uuid, `index` the column of its
    blind index.
    """

    column: str
    field: EncryptedText
    uuid: str
    index: str = ""


class BlindIndex(models.CharField):
    """HMAC of a normalised sealed field of the same row, for equality look-ups: `filter(id_index=blind_of(...))`."""

    def __init__(self, source, **kwargs):
        self.source = source
        kwargs.update(max_length=43, blank=True, editable=False)
        super().__init__(**kwargs)

    def deconstruct(self):
        name, path, _args, kwargs = super().deconstruct()
        for key in ("max_length", "blank", "editable"):
            kwargs.pop(key, None)
        return name, path, [self.source], kwargs

    def pre_save(self, instance, add):
        value = getattr(instance, self.source)
        index = secrets.blind(self.source, value) if value else ""
        setattr(instance, self.attname, index)
        return index


def yuan(amount):
    """Return `amount` (Decimal, int or text, in yuan) for arithmetic in the database: `F("left") - yuan(5)`."""
    return Value(amount, output_field=MoneyField())


class MoneyField(models.Field):
    """Yuan as an exact `Decimal` of two places; the database holds whole fen, so that sums and filters are exact too.

    Anything finer than a fen is refused, never rounded.
    """

    description = _("Money (yuan)")
    default_error_messages = {"invalid": _("Enter an amount in yuan, with two decimals at most.")}

    def get_internal_type(self):
        return "BigIntegerField"

    def from_db_value(self, value, expression, connection):
        return None if value is None else Decimal(value).scaleb(-2)

    def to_python(self, value):
        if value is None or value == "":
            return None
        if isinstance(value, float):
            raise TypeError("Money is never a float: give a Decimal, an int or text.")
        try:
            amount = Decimal(value)
        except (ArithmeticError, ValueError, TypeError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        DecimalValidator(YUAN_DIGITS, 2)(amount)
        return amount.quantize(FEN)

    def get_prep_value(self, value):
        amount = self.to_python(super().get_prep_value(value))
        return None if amount is None else int(amount.scaleb(2))

    def get_placeholder(self, value, compiler, connection):
        """Refuse a bare number in an expression that is stored: the database would take it for fen (see `yuan`)."""
        if hasattr(value, "resolve_expression"):
            for part in value.flatten():
                if (
                    isinstance(part, Value)
                    and part.value is not None
                    and not isinstance(part._output_field_or_none, MoneyField)
                ):
                    raise TypeError("A number in the arithmetic of money must say that it is yuan: yuan(…).")
        return "%s"

    def value_to_string(self, instance):
        value = self.value_from_object(instance)
        return "" if value is None else str(value)

    def formfield(self, **kwargs):
        facts = {"form_class": forms.DecimalField, "max_digits": YUAN_DIGITS, "decimal_places": 2}
        return super().formfield(**(facts | kwargs))


for sign in (Combinable.ADD, Combinable.SUB):
    register_combinable_fields(MoneyField, sign, MoneyField, MoneyField)

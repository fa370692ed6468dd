"""Model fields for personal data: sealed text, and the blind index that finds it."""

from dataclasses import dataclass

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from core import secrets


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

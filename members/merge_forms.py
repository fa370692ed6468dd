"""Forms about two records that may be one person: what holds after a merge, and naming the other record."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import PortalForm
from members import merging
from members.merging import ABSORBED, KEPT
from members.models import Person

MASKED = {"id_number": "id_masked", "phone": "phone_masked"}


class ReasonForm(PortalForm):
    """Why two records are merged."""

    reason = forms.CharField(label=_("reason"), max_length=200)


class MergeForm(ReasonForm):
    """Field by field, which of two `Side`s holds where they differ; and which of two open memberships stays."""

    def __init__(self, *args, one, other, **kwargs):
        super().__init__(*args, **kwargs)
        self.one, self.other = one, other
        for name in merging.FIELDS:
            mine, theirs = getattr(one.person, name), getattr(other.person, name)
            if mine != theirs:
                self.fields[name] = forms.ChoiceField(
                    label=Person._meta.get_field(name).verbose_name,
                    choices=[(KEPT, told(one.person, name)), (ABSORBED, told(other.person, name))],
                    initial=KEPT if mine else ABSORBED,
                    widget=forms.RadioSelect,
                )
        if one.open and other.open:
            self.fields["open_membership"] = forms.TypedChoiceField(
                label=_("membership that stays"),
                choices=[(each.open.pk, each.open.union.name) for each in (one, other)],
                initial=one.open.pk,
                coerce=int,
                widget=forms.RadioSelect,
                help_text=_("The other one ends today; it can be seen and taken back."),
            )

    def rows(self):
        """One row for each known fact: its label, and of each record (radio button or None, [(piece, differs)])."""
        for name in merging.FIELDS:
            mine, theirs = told(self.one.person, name), told(self.other.person, name)
            if name in self.fields:
                yield {"label": self[name].label, "cells": zip(self[name], differing(mine, theirs), strict=True)}
            elif mine != "—":
                label = Person._meta.get_field(name).verbose_name
                yield {"label": label, "cells": [(None, [(mine, False)]), (None, [(theirs, False)])]}

    def choices(self):
        return {name: self.cleaned_data[name] for name in merging.FIELDS if name in self.fields}


class SuspectForm(PortalForm):
    """The other record, by its number: one that is on the card or was found in the list."""

    id_number = forms.CharField(label=_("identity number of the other record"), max_length=40)


def told(person, name):
    """A fact as the page shows it: numbers masked, a residence only as recorded."""
    value = getattr(person, MASKED.get(name, name))
    if name == "residence":
        return str(_("recorded")) if value else "—"
    display = getattr(person, f"get_{name}_display", None)
    return str((display() if display else value) or "—")


def differing(mine, theirs):
    """Return both texts as [(piece, whether it differs)], character by character where they are of one length."""
    if len(mine) != len(theirs):
        return [(mine, False)], [(theirs, False)]
    marks = [one != other for one, other in zip(mine, theirs, strict=True)]
    return list(zip(mine, marks, strict=True)), list(zip(theirs, marks, strict=True))

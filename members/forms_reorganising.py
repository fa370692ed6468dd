"""Forms by which a union moves, merges into another or is dissolved."""

from django import forms
from django.utils.translation import gettext_lazy as _

from members.reorganising import Fate
from unions import reorganising as tree
from unions.forms_accounts import NamedField
from unions.forms_events import DayForm, approval, because
from unions.models import Union


class PlaceForm(DayForm):
    """Another union of those that the user keeps, by its code or full name."""

    to = NamedField(
        label=_("to the union"),
        help_text=_("Code or full name"),
        key="code",
        name_of_list="unions",
        unknown=_("No union that you keep has this code or name."),
    )
    reason = because()
    field_order = ("to", "on", "approval_no", "reason")

    def __init__(self, *args, union, by, **kwargs):
        super().__init__(*args, **kwargs)
        self.union = union
        standing = Union.objects.standing().exclude(pk=union.pk).order_by("path")
        self.fields["to"].offer(self.fitting(standing.visible_to(by, tree.PERM)))
        self.fields["to"].widget.attrs["autofocus"] = True

    def fitting(self, unions):
        return unions


class MoveForm(PlaceForm):
    """The union to stand below."""

    to = NamedField(
        label=_("below the union"),
        help_text=_("Code or full name"),
        key="code",
        name_of_list="unions",
        unknown=_("No union that you keep has this code or name."),
    )

    def fitting(self, unions):
        """Offer those of a level at which it can stand."""
        higher = [kind for kind in Union._meta.get_field("kind").choices if tree.rank(kind[0]) < tree.GRASSROOTS]
        return unions.filter(kind__in=[kind for kind, _label in higher])

    def clean_to(self):
        to = self.cleaned_data["to"]
        if refusal := tree.why_not_below(self.union, to):
            raise forms.ValidationError(refusal)
        if to.pk == self.union.parent_id:
            raise forms.ValidationError(_("It stands below this union already."))
        return to


class MergeForm(PlaceForm):
    """The union that takes the members."""

    approval_no = approval()

    def clean_to(self):
        to = self.cleaned_data["to"]
        if to.path.startswith(self.union.path):
            raise forms.ValidationError(
                _("A union cannot merge into itself or into a union below it: move that one away first.")
            )
        return to


class DissolveForm(DayForm):
    """A union whose employer ended."""

    fate = forms.ChoiceField(label=_("the memberships"), choices=Fate, widget=forms.RadioSelect, initial=Fate.RETAIN)
    approval_no = approval()
    reason = because()
    field_order = ("on", "fate", "approval_no", "reason")

    def __init__(self, *args, union, by, **kwargs):
        super().__init__(*args, **kwargs)

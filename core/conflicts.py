"""Lost updates: two people open one record, both save; the second one sees both versions and decides (R25)."""

from django.shortcuts import render
from django.utils.formats import localize
from django.utils.translation import gettext as _


class Conflict(Exception):
    """The record was changed since it was opened. `current` is the record as it is now."""

    def __init__(self, current):
        super().__init__(_("Somebody changed this record while you were editing it."))
        self.current = current


def check_version(record, version):
    """Raise Conflict unless `record`, just read under its lock, still has the `version` the edit started from."""
    if record.version != version:
        raise Conflict(record)


def conflict_page(request, form, conflict, *, back_url):
    """Answer a bound `core.forms.VersionedForm` that came too late: what it was, what it is, what I typed.

    The form on the page is mine laid over theirs: fields I did not touch hold the present values. It carries the
    present version, so that saving it again is a decision, and `back_url` (the record's page) drops mine.
    """
    present = form.values_of(conflict.current)
    changed = set(form.changed_data)
    rows = []
    for bound in form.visible_fields():
        values = form.value_before(bound), present[bound.name], form.cleaned_data.get(bound.name)
        before, theirs, mine = (words(bound, value) for value in values)  # None and "" read the same
        if theirs != before or bound.name in changed:
            rows.append(
                {
                    "label": bound.label,
                    "before": before,
                    "theirs": theirs,
                    "mine": mine if bound.name in changed else "",
                    "clash": bound.name in changed and theirs not in (before, mine),
                }
            )
    form.lay_over(conflict.current)
    context = {"form": form, "rows": rows, "record": conflict.current, "back_url": back_url}
    return render(request, "parts/conflict.html", context, status=409)


def words(bound, value):
    """Return a field's value as people read it."""
    if value in (None, "", [], ()):
        return "—"
    if value is True or value is False:
        return _("yes") if value else _("no")
    labels = {str(key): str(label) for key, label in getattr(bound.field, "choices", ())}
    key = str(getattr(value, "pk", value))
    return labels.get(key) or str(localize(value))

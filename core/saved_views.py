"""Saved views of lists: filters, order and columns under a name, each user's own.

A view keeps no typed text and is its user's own convenience: it is no event of the trail.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import QueryDict
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext as _

from core.models import SavedView
from core.names import A_NUMBER
from core.pages import ListPage

MOST = 20  # views a user may have of one list: they stand side by side


def list_at(url_name, user):
    """Return the ListPage at a URL name that `user` may see, or None."""
    try:
        view = getattr(resolve(reverse(url_name)).func, "view_class", None)
    except NoReverseMatch:
        return None
    if view is None or not issubclass(view, ListPage):
        return None
    return view() if not view.permission or user.has_perm(view.permission) else None


def save(*, by, page, name, query, default=False):
    """Keep `query` (str) of the list with the URL name `page` under `name`; the same name again replaces it.

    Returns (the SavedView, whether typed text was left out). Raises ValidationError.
    """
    shown = list_at(page, by)
    if shown is None:
        raise ValidationError(_("There is no such list."))
    name = " ".join("".join(letter for letter in name if letter.isprintable() or letter.isspace()).split())
    if not name:
        raise ValidationError(_("Give the view a name."))
    if len(name) > SavedView._meta.get_field("name").max_length:
        raise ValidationError(_("The name of a view has at most 50 characters: shorten it."))
    if A_NUMBER.search(name):
        raise ValidationError(_("A number of somebody does not belong into the name of a view."))
    params = QueryDict(query)
    filterset = shown.filters(by, params, shown.get_queryset().none())
    kept = shown.kept_query(filterset, params)
    if len(kept) > SavedView._meta.get_field("query").max_length:
        raise ValidationError(_("These filters are too long to keep: take some away."))
    if not kept:
        raise ValidationError(_("There is nothing to keep: set a filter, an order or columns first."))
    left_out = filterset and any(filterset.is_typed(bound.name) for bound, _value in filterset.in_force())
    with transaction.atomic():
        mine = SavedView.objects.select_for_update().filter(user=by, page=page)
        if mine.exclude(name=name).count() >= MOST:
            raise ValidationError(
                _("There are %(most)d views of this list already: delete one first.") % {"most": MOST}
            )
        if default:
            mine.filter(is_default=True).update(is_default=False)
        view, _created = SavedView.objects.update_or_create(
            user=by, page=page, name=name, defaults={"query": kept, "is_default": default}
        )
    return view, left_out


def set_default(view, *, default):
    """Let `view` open in place of the bare list, or no longer."""
    with transaction.atomic():
        SavedView.objects.select_for_update().filter(user=view.user_id, page=view.page, is_default=True).update(
            is_default=False
        )
        if default:
            SavedView.objects.filter(pk=view.pk).update(is_default=True)


def forget(view):
    view.delete()

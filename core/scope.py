"""Scope: which part of the union tree a user reaches with a permission, and rows and objects seen through it.

`core` knows no union. The reach is answered by the authentication backend, as `has_perm` is; a reach is a set of
tree paths, and a row is in scope when its union's path lies below one of them (a range, never LIKE).
"""

from dataclasses import dataclass
from functools import wraps

from django.contrib import auth
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WIDTH = 4  # base-36 digits a level
SUPERUSER = "superuser"


def after(path):
    """Return p⁺, the first path that is not `path` and not below it."""
    head, tail = path[:-WIDTH], path[-WIDTH:]
    number = int(tail, 36) + 1
    digits = ""
    for _place in range(WIDTH):
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return head + digits


@dataclass(frozen=True)
class Reach:
    """What a user reaches with one permission: the subtrees at `paths`, or everything."""

    paths: tuple[str, ...] = ()
    everything: bool = False

    def __bool__(self):
        return self.everything or bool(self.paths)

    @property
    def whole(self):
        """Whether the whole tree is reached: what belongs to no union is reached from its root only."""
        return self.everything or any(len(top) == WIDTH for top in self.paths)

    def covers(self, path):
        """Whether a union at `path` is reached."""
        return self.everything or any(path.startswith(top) for top in self.paths)

    def condition(self, prefix):
        """Return the Q that holds for rows whose path, at lookup `prefix`, is reached."""
        if self.everything:
            return Q()
        condition = Q(pk__in=())
        for top in self.paths:
            condition |= Q(**{f"{prefix}__gte": top, f"{prefix}__lt": after(top)})
        return condition


def reach(user, perm):
    """Return the `Reach` of `user` with `perm`: the one source for rows, objects, pages and menus."""
    for backend in auth.get_backends():
        if hasattr(backend, "reach"):
            return backend.reach(user, perm)
    return Reach()


def roles_of(user):
    """Return the keys of the roles that `user` holds today; «superuser» stands for break-glass."""
    held = {key for backend in auth.get_backends() if hasattr(backend, "roles") for key in backend.roles(user)}
    return held | ({SUPERUSER} if user.is_superuser else set())


def known_roles():
    """Return the keys of every role there is."""
    return {SUPERUSER}.union(*(getattr(backend, "known_roles", ()) for backend in auth.get_backends()))


class ScopedQuerySet(models.QuerySet):
    """Rows that belong to a union; `scope_path` is the lookup of that union's path."""

    scope_path = "union__path"

    def visible_to(self, user, perm):
        """Only the rows that `user` reaches with `perm`."""
        return self.filter(reach(user, perm).condition(self.scope_path))


def needs(perm):
    """Close a page to users who hold `perm` nowhere: 403 with the reason."""

    def decorate(view):
        @wraps(view)
        def wrapped(request, *args, **kwargs):
            if not request.user.has_perm(perm):
                raise PermissionDenied(_("Your role does not include this. Ask your federation for the role you need."))
            return view(request, *args, **kwargs)

        wrapped.perm = perm
        return wrapped

    return decorate


def visible_or_404(queryset, user, perm, **lookup):
    """Return the one row of `queryset` that `user` reaches with `perm`.

    Raises Http404 when there is none in scope. When the row is in the user's scope but `perm` does not reach it
    (the role holds elsewhere), raises PermissionDenied.
    """
    try:
        return queryset.visible_to(user, perm).get(**lookup)
    except queryset.model.DoesNotExist:
        pass
    view_perm = f"{queryset.model._meta.app_label}.view_{queryset.model._meta.model_name}"
    if perm != view_perm and queryset.visible_to(user, view_perm).filter(**lookup).exists():
        raise PermissionDenied(_("You may see this, but your role here does not include this act."))
    raise Http404

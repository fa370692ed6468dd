"""Drafts: what a user has typed into a long form and not yet sent, so that nothing typed is lost (R26).

A view marked `@drafted` and a template that includes `parts/draft.html` before its `<form data-draft>` are all a form
needs: the page keeps what is typed (static/js/drafts.js), opens on it again, and a form that was taken drops it. A
draft is its user's own scratch paper: sealed, shown to nobody else, and no event of the trail.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import wraps

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.translation import gettext as _

from core.models import Draft
from core.secrets import CannotOpen

logger = logging.getLogger(__name__)

MOST = 30  # drafts a user: the oldest gives way
MOST_BYTES = 256 * 1024  # of one draft
LONGEST_PATH = Draft._meta.get_field("form").max_length
NOT_KEPT = {"csrfmiddlewaretoken"}


@dataclass(frozen=True)
class Restored:
    """A draft as its form opens on it: {field: [values]} and when it was kept."""

    fields: dict
    saved_at: datetime


def drafted(view):
    """Give `request.draft` (Restored or None) to the page when it is opened; drop the draft when the form is taken."""

    @wraps(view)
    def opened(request, *args, **kwargs):
        request.draft = None if request.method == "POST" else find(request.user, request.path)
        response = view(request, *args, **kwargs)
        if request.method == "POST" and response.status_code == 302:
            drop(request.user, request.path)
        return response

    opened.drafted = True
    return opened


def has_form(user, path):
    """Whether `path` is a page with a drafted form, and one for this user."""
    if len(path) > LONGEST_PATH:
        return False
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    return getattr(view, "drafted", False) and user.has_perm(view.perm)


def find(user, path):
    """Return what `user` has typed into the form at `path`, or None; one whose key is missing keeps no form closed."""
    draft = Draft.objects.filter(user=user, form=path).first()
    try:
        return draft and Restored(json.loads(draft.content), timezone.localtime(draft.saved_at))
    except CannotOpen as error:
        logger.warning("A draft stays closed: %s", error)
        return None


def keep(user, path, fields):
    """Keep {field: [values]} of the form at `path` and return the Draft. Raises ValidationError with the sentence."""
    if not has_form(user, path):
        raise ValidationError(_("There is no form of yours here to keep a draft of."))
    well_formed = isinstance(fields, dict) and all(
        isinstance(values, list) and all(isinstance(value, str) for value in values) for values in fields.values()
    )
    if not well_formed:
        raise ValidationError(_("This draft cannot be read: it is not kept."))
    content = json.dumps({name: fields[name] for name in fields if name not in NOT_KEPT}, ensure_ascii=False)
    if len(content.encode()) > MOST_BYTES:
        raise ValidationError(_("This is too much for a draft: it is not kept. Save the form, in parts if need be."))
    with transaction.atomic():
        draft, _new = Draft.objects.update_or_create(user=user, form=path, defaults={"content": content})
        surplus = Draft.objects.filter(user=user).order_by("-saved_at", "-pk").values_list("pk", flat=True)[MOST:]
        Draft.objects.filter(pk__in=list(surplus)).delete()
    return draft


def drop(user, path):
    """Forget what `user` has typed into the form at `path`."""
    Draft.objects.filter(user=user, form=path).delete()

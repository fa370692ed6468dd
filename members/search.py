"""Members in the search box: by name from its beginning, or by the full identity number."""

import re

from django.urls import reverse
from django.utils.translation import gettext as _

from core.search import CannotSearch, Hit
from core.secrets import blind
from members.identity import Refused, check_number, normalise_name, normalise_number
from members.models import Membership

LIKE_A_NUMBER = re.compile(r"[0-9]{14}")  # whoever types so many digits means an identity number


def find(user, text, limit):
    """Return at most `limit` hits among the memberships that `user` sees. Raises CannotSearch for a wrong number."""
    memberships = Membership.objects.visible_to(user, "members.view_membership").select_related("person", "union")
    by_number = LIKE_A_NUMBER.match(normalise_number(text))
    if by_number:
        try:
            number = check_number(text).number
        except Refused as refusal:
            raise CannotSearch(str(refusal)) from None
        memberships = memberships.filter(person__id_index=blind("id_number", number)).order_by("-id")
    else:
        name = normalise_name(text)
        memberships = memberships.named(name).order_by("person__name", "id")
    return [
        Hit(
            kind=_("Members"),
            label=membership.person.name,
            detail=f"{membership.union.name} · {membership.person.id_masked} · {membership.get_state_display()}",
            url=reverse("member_page", args=[membership.pk]),
            exact=bool(by_number) or membership.person.name == name,
        )
        for membership in memberships[:limit]
    ]

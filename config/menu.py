"""The side menu and what every page's frame shows: entries appear for those who hold the permission."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from unions.roles import GRANTS, appointments_of


@dataclass(frozen=True)
class Entry:
    label: str
    url_name: str
    perm: str = ""
    icon: str = ""


MENU = [
    ("", [Entry(_("Today"), "desk", icon="desk")]),
    (
        _("Organisation"),
        [
            Entry(_("Union tree"), "union_tree", "unions.view_union", "tree"),
            Entry(_("Unions"), "union_list", "unions.view_union", "union"),
            Entry(_("Re-elections"), "term_list", "unions.view_committee", "term"),
            Entry(_("Members"), "member_list", "members.view_membership", "member"),
            Entry(_("Imports"), "import_list", "core.view_importbatch", "import"),
        ],
    ),
    (
        _("Papers and reports"),
        [
            Entry(_("Papers"), "paper_list", "core.view_paper", "paper"),
            Entry(_("Jobs"), "job_list", "core.view_job", "job"),
        ],
    ),
]


def frame(request):
    """Context processor: the menu by permission, the federation's name, and who I am where."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"federation_name": settings.FEDERATION_NAME, "menu": [], "my_roles": []}
    menu = []
    here = request.resolver_match.url_name if request.resolver_match else ""
    for title, entries in MENU:
        open_entries = [
            {"label": entry.label, "url": reverse(entry.url_name), "icon": entry.icon, "here": entry.url_name == here}
            for entry in entries
            if not entry.perm or user.has_perm(entry.perm)
        ]
        if open_entries:
            menu.append({"title": title, "entries": open_entries})
    my_roles = list(dict.fromkeys(GRANTS[role].label for role, _path in appointments_of(user)))
    return {"federation_name": settings.FEDERATION_NAME, "menu": menu, "my_roles": my_roles, "in_admin": user.is_staff}

"""The side menu and what every page's frame shows: entries appear for those who hold the permission."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models import Deadline
from unions.roles import places_of

LATE_CAP = 99  # the red figure counts no further


@dataclass(frozen=True)
class Entry:
    label: str
    url_name: str
    perm: str = ""


MENU = [
    ("", [Entry(_("To do today"), "desk")]),
    (
        _("Organisation"),
        [
            Entry(_("Union tree"), "union_tree", "unions.view_union"),
            Entry(_("Unions"), "union_list", "unions.view_union"),
            Entry(_("Re-elections"), "term_list", "unions.view_committee"),
            Entry(_("Members"), "member_list", "members.view_membership"),
            Entry(_("Imports"), "import_list", "core.view_importbatch"),
            Entry(_("Roles"), "role_list", "unions.view_appointment"),
        ],
    ),
    (
        _("Papers and reports"),
        [
            Entry(_("Papers"), "paper_list", "core.view_paper"),
            Entry(_("Jobs"), "job_list", "core.view_job"),
        ],
    ),
]


def frame(request):
    """Context processor: the menu by permission, what is late, the federation's name, and who I am where."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"federation_name": settings.FEDERATION_NAME, "menu": [], "here": "", "my_place": "", "in_admin": False}
    menu = []
    for title, entries in MENU:
        open_entries = [
            {
                "label": entry.label,
                "url": reverse(entry.url_name),
                "late": _late(user) if entry.url_name == "desk" else "",
            }
            for entry in entries
            if not entry.perm or user.has_perm(entry.perm)
        ]
        if open_entries:
            menu.append({"title": title, "entries": open_entries})
    return {
        "here": _here(request.path, [entry["url"] for group in menu for entry in group["entries"]]),
        "federation_name": settings.FEDERATION_NAME,
        "menu": menu,
        "my_place": _place(user),
        "in_admin": user.is_staff,
    }


def _here(path, urls):
    """Return the entry a page belongs to: the longest address that the page's begins with; the desk is only itself."""
    return max((url for url in urls if path == url or (url != "/" and path.startswith(url))), key=len, default="")


def _late(user):
    """Return how many duties are overdue, as text: «», «3» or «99+»."""
    late = Deadline.objects.desk_of(user).overdue(timezone.localdate())[: LATE_CAP + 1].count()
    return f"{LATE_CAP}+" if late > LATE_CAP else str(late or "")


def _place(user):
    """Return where the user stands: the highest union and the roles there."""
    for union, roles in places_of(user).items():
        return f"{union} · {'、'.join(str(role) for role in roles)}"
    return ""

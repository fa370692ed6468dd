"""The side menu and what every page's frame shows: entries appear for those who hold the permission."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core import deadlines
from unions.roles import places_of

LATE_CAP = 99  # the red figure counts no further


@dataclass(eq=False)
class Entry:
    label: str
    url_name: str
    perm: str = ""

    @cached_property
    def url(self):
        return reverse(self.url_name)


MENU = [
    ("", [Entry(_("To do today"), "desk")]),
    (
        _("Organisation"),
        [
            Entry(_("Union tree"), "union_tree", "unions.view_union"),
            Entry(_("Unions"), "union_list", "unions.view_union"),
            Entry(_("Re-elections"), "term_list", "unions.view_committee"),
            Entry(_("Members"), "member_list", "members.view_membership"),
            Entry(_("Transfers"), "transfer_list", "members.view_transfer"),
            Entry(_("Possible duplicates"), "pair_list", "members.merge_person"),
            Entry(_("Checkup"), "checkup", "core.view_finding"),
            Entry(_("Imports"), "import_list", "core.view_importbatch"),
            Entry(_("Roles"), "role_list", "unions.view_appointment"),
            Entry(_("Accounts"), "account_list", "core.view_user"),
        ],
    ),
    (
        _("Assistance"),
        [
            Entry(_("Hardship cases"), "hardship_list", "assistance.view_hardshipcase"),
            Entry(_("Publicity"), "publicity_list", "assistance.view_hardshipcase"),
            Entry(_("Objections"), "objection_list", "assistance.check_hardshipcase"),
            Entry(_("Data match"), "match_list", "assistance.view_hardshipcase"),
            Entry(_("Grants"), "grant_list", "assistance.view_grant"),
            Entry(_("Payment batches"), "batch_list", "assistance.view_paymentbatch"),
            Entry(_("Sources of money"), "fundsource_list", "assistance.view_fundsource"),
            Entry(_("Campaigns"), "campaign_list", "assistance.view_campaign"),
        ],
    ),
    (
        _("Papers and reports"),
        [
            Entry(_("Papers"), "paper_list", "core.view_paper"),
            Entry(_("Jobs"), "job_list", "core.view_job"),
        ],
    ),
    (
        _("Operation"),
        [
            Entry(_("How the portal runs"), "health_page", "core.view_healthperiod"),
            Entry(_("Retention periods"), "retention_page", "core.view_retentionrule"),
            Entry(_("Holds"), "hold_list", "core.view_hold"),
            Entry(_("Erasures"), "erasure_list", "members.view_erasure"),
        ],
    ),
]


def frame(request):
    """Context processor: the menu by permission, what is late, the federation's name, and who I am where."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"federation_name": settings.FEDERATION_NAME, "menu": "", "my_place": "", "in_admin": False}
    held = tuple(entry for _title, entries in MENU for entry in entries if not entry.perm or user.has_perm(entry.perm))
    here = _here(request.path, [entry.url for entry in held])
    return {
        "federation_name": settings.FEDERATION_NAME,
        "menu": _drawn(held, here, request.path == here, _late(request), get_language()),
        "my_place": _place(user),
        "in_admin": user.is_staff,
    }


@lru_cache(maxsize=1000)
def _drawn(held, here, exact, late, language):
    """Return the menu of the entries `held` as HTML; few roles and pages make few menus."""
    groups = [(title, [entry for entry in entries if entry in held]) for title, entries in MENU]
    facts = {"groups": groups, "here": here, "exact": exact, "late": late, "desk": reverse("desk")}
    return render_to_string("parts/menu.html", facts)


def _here(path, urls):
    """Return the entry a page belongs to: the longest address that the page's begins with; the desk is only itself."""
    return max((url for url in urls if path == url or (url != "/" and path.startswith(url))), key=len, default="")


def _late(request):
    """Return how many duties are overdue, as text: «», «3» or «99+»; on the desk itself counted anew."""
    match = request.resolver_match
    afresh = match is not None and match.view_name == "desk"
    late = deadlines.late(request.user, timezone.localdate(), LATE_CAP + 1, afresh=afresh)
    return f"{LATE_CAP}+" if late > LATE_CAP else str(late or "")


def _place(user):
    """Return where the user stands: the highest union and the roles there."""
    for union, roles in places_of(user).items():
        return f"{union} · {'、'.join(str(role) for role in roles)}"
    return ""

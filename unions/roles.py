"""Who may do what: every role with its permissions and the sentence an officer understands.

An appointment gives a user a role at a union, and so at everything below it. Permission strings are Django's
(`app.verb_model`). A permission on something that belongs to no union (a rule, the calendar) counts only from the root.
"""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.scope import Reach
from unions.models import Appointment

SEE_UNIONS = {
    "unions.view_union",
    "unions.view_committee",
    "unions.view_officer",
    "core.view_deadline",
    "core.view_reminder",
    "core.view_job",
}
SEE_MEMBERS = {"members.view_membership", "members.view_transfer"}
SEE_PAPERS = {"core.view_paper", "core.download_paper"}
SEE_FINDINGS = {"core.view_finding"}  # only with SEE_MEMBERS: a finding names the member
KEEP_FINDINGS = {"core.aside_finding", "core.run_checkup", "core.export_finding"}
KEEP_IMPORTS = {"core.view_importbatch", "core.add_importbatch", "core.change_importbatch"}
KEEP_UNIONS = {
    "unions.add_union",
    "unions.change_union",
    "unions.elect_union",
    "unions.add_officer",
    "unions.change_officer",
    "unions.import_union",
    "unions.reorganise_union",
    "unions.export_union",
    *KEEP_IMPORTS,
}
KEEP_MEMBERS = {
    "members.add_membership",
    "members.change_membership",
    "members.import_membership",
    "members.reveal_membership",
    "members.move_membership",
    "members.ask_transfer",
    "members.answer_transfer",
    "members.merge_person",
    "members.export_membership",
    "members.view_erasure",
    "members.ask_erasure",
    *KEEP_IMPORTS,
}
KEEP_POLICY = {
    f"assistance.{verb}_{model}" for verb in ("view", "add", "change") for model in ("livingstandard", "fundrule")
}
SEE_HARDSHIP = {"assistance.view_hardshipcase"}
ENTER_HARDSHIP = {f"assistance.{verb}_hardshipcase" for verb in ("add", "change", "import", "reveal", "export")}
SEE_MONEY = {f"assistance.view_{model}" for model in ("fundsource", "grant", "paymentbatch", "campaign")}
HOLD = {"core.view_hold", "core.add_hold", "core.release_hold"}
KEEP_STANDARDS = {
    f"core.{verb}_{model}"
    for verb in ("view", "add", "change")
    for model in ("deadlinerule", "calendarday", "calendaryear", "setting")
} | {"core.view_retentionrule", "core.change_retentionrule"}  # a new kind needs code that deletes it


@dataclass(frozen=True)
class Role:
    label: str
    sentence: str
    permissions: frozenset


@dataclass(frozen=True)
class Place:
    """A union that somebody has an appointment at."""

    name: str
    kind: str


def _role(label, sentence, *permissions):
    return Role(label, sentence, frozenset().union(*permissions))


GRANTS = {
    "cadre": _role(
        _("union cadre"),
        _("Keeps unions, officers and members, imports registers and prints papers."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
        KEEP_UNIONS,
        KEEP_MEMBERS,
        SEE_FINDINGS,
        KEEP_FINDINGS,
        SEE_HARDSHIP,
        ENTER_HARDSHIP,
        {"assistance.view_campaign", "assistance.view_grant", "assistance.add_grant", "assistance.enter_campaign"},
        {"core.issue_paper", "core.waive_deadline"},
    ),
    "union_chair": _role(
        _("union chair"),
        _("Sees the union's members and papers, decides on members and reviews at union level."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
        SEE_FINDINGS,
        {
            "members.change_membership",
            "members.move_membership",
            "members.decide_membership",
            "members.answer_transfer",
            "core.issue_paper",
        },
        SEE_HARDSHIP,
        {"assistance.review_hardshipcase", "assistance.view_campaign", "assistance.view_grant"},
    ),
    "visitor": _role(
        _("home visitor"),
        _("Visits households and records what was seen; sees their hardship cases and unions."),
        SEE_UNIONS,
        SEE_HARDSHIP,
        {"assistance.visit_hardshipcase"},
    ),
    "district_reviewer": _role(
        _("district reviewer"),
        _("Reviews what unions below submit; sees members and papers, prints papers."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
        SEE_FINDINGS,
        SEE_HARDSHIP,
        SEE_MONEY,
        {"assistance.check_hardshipcase", "assistance.match_hardshipcase", "assistance.reveal_hardshipcase"},
        {"core.issue_paper"},
    ),
    "city_approver": _role(
        _("city approver"),
        _("Approves for the federation; sees members and papers, prints papers, decides what is kept or erased."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
        SEE_FINDINGS,
        HOLD,
        {"members.view_erasure", "members.decide_erasure"},
        SEE_HARDSHIP,
        SEE_MONEY,
        {
            "assistance.approve_hardshipcase",
            "assistance.approve_grant",
            "assistance.keep_fundsource",
            "assistance.keep_campaign",
        },
        {"core.issue_paper", "core.view_importbatch"},
    ),
    "cashier": _role(
        _("cashier"),
        _("Pays what others have approved; sees unions, papers and grants."),
        SEE_UNIONS,
        SEE_PAPERS,
        SEE_MONEY,
        {"assistance.pay_grant", "core.issue_paper"},
    ),
    "mediator": _role(_("mediator"), _("Mediates disputes; sees unions and papers."), SEE_UNIONS, SEE_PAPERS),
    "competition_office": _role(
        _("competition office"),
        _("Runs competitions; sees unions, members and papers."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
    ),
    "judge": _role(_("judge"), _("Scores in competitions; sees unions only."), SEE_UNIONS),
    "auditor": _role(
        _("auditor"),
        _("Reads and downloads, changes nothing."),
        SEE_UNIONS,
        SEE_MEMBERS,
        SEE_PAPERS,
        SEE_FINDINGS,
        SEE_HARDSHIP,
        SEE_MONEY,
        {"assistance.export_hardshipcase"},
        {"core.view_hold", "core.view_retentionrule", "members.view_erasure"},
        {"core.view_importbatch", "core.export_finding", "members.export_membership", "unions.export_union"},
    ),
    "standards_keeper": _role(
        _("keeper of standards"),
        _("Keeps the calendar, the deadline rules, the retention periods, the settings and the hardship policy."),
        SEE_UNIONS,
        KEEP_STANDARDS,
        KEEP_POLICY,
    ),
    "sysadmin": _role(
        _("system administrator"),
        _("Sees accounts, switches them off, watches jobs and how the portal runs; sees no members."),
        {"core.view_healthperiod", "core.view_retentionrule"},
        {"core.view_user", "core.change_user", "core.view_job", "unions.view_union", "unions.view_appointment"},
    ),
    "secadmin": _role(
        _("security administrator"),
        _("Makes accounts, gives and ends roles and reviews them; sees no members."),
        {
            "core.view_user",
            "core.add_user",
            "core.change_user",
            "unions.view_union",
            "unions.view_appointment",
            "unions.add_appointment",
            "unions.change_appointment",
        },
    ),
    "auditadmin": _role(
        _("audit administrator"),
        _("Reads the audit trail."),
        {"core.view_auditevent", "core.view_auditseal", "unions.view_union"},
    ),
}

ROLE_CHOICES = [(key, role.label) for key, role in GRANTS.items()]
EVERY_PERMISSION = frozenset().union(*(role.permissions for role in GRANTS.values()))


def appointments_of(user):
    """Return [(role, path)] of the appointments in force today, read once a request (kept on the user object)."""
    if not hasattr(user, "_appointments"):
        rows = (
            Appointment.objects.in_force(timezone.localdate())
            .filter(user_id=user.pk)
            .order_by("union__path", "role")
            .values_list("role", "union__path", "union__name", "union__kind")
        )
        user._appointments, user._places, user._tops = [], {}, {}
        for role, path, name, kind in rows:
            user._appointments.append((role, path))
            user._places.setdefault(name, []).append(GRANTS[role].label)
            user._tops[path] = Place(name, kind)
    return user._appointments


def tops_of(user, perm):
    """Return the highest unions that `user` reaches with `perm`, as `Place`s; none for a superuser, who needs none."""
    return [user._tops[path] for path in paths_for(user, perm).paths]


def places_of(user):
    """Return {union name: [role label]} of the appointments in force today, the highest union first."""
    appointments_of(user)
    return user._places


def paths_for(user, perm):
    """Return the `Reach` of `user` with `perm`: rows, objects, pages and menus all ask here.

    A superuser reaches everything, also an empty tree; an inactive or anonymous user nothing.
    """
    if not user.is_active or user.is_anonymous:
        return Reach()
    if user.is_superuser:
        return Reach(everything=True)
    paths = []
    for role, path in appointments_of(user):  # ordered by path: a subtree below one already held adds nothing
        if perm in GRANTS[role].permissions and not any(path.startswith(held) for held in paths):
            paths.append(path)
    return Reach(tuple(paths))

"""The permission walk: every route × GET and POST × every cast member × own, neighbouring and foreign objects.

What is expected comes from `GRANTS` and the cast's appointments, reckoned here once more and not by the code under
test. A route of ours without a permission, or with a parameter no builder knows, fails; routes of libraries stand in
one table.
"""

import inspect
from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import transaction
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from assistance.models import FundRule, LivingStandard
from core.models import (
    AuditSeal,
    CalendarDay,
    CalendarYear,
    DeadlineRule,
    Digest,
    RetentionRule,
    Setting,
)
from tests import cast
from tests.builders import (
    BUILDERS,
    account_at,
    batch_at,
    committee_at,
    deadline_at,
    event_at,
    job_at,
    membership_at,
    merge_at,
    officer_at,
    pair_at,
    paper_at,
    person_at,
    reminder_at,
    step_at,
    transfer_at,
    union_event_at,
)
from unions.models import Union
from unions.roles import GRANTS

pytestmark = pytest.mark.once

OURS = ("core.", "unions.", "members.", "assistance.", "config.")

# Pages of ours for whoever is signed in, and pages for everybody.
SIGNED_IN = {
    "desk", "draft_discard", "draft_save", "export_ask", "export_list", "my_digest", "my_relations", "saved_view_save",
    "search",
}  # fmt: skip
PUBLIC = {"paper_public", "publicity_public"}
# Seen by whoever asked for it too, which no cast member did here; the permission is that of the row's union.
KINDS = {
    "export_ask": ["unions", "members", "findings", "hardship"],
    "import_new": ["unions", "members", "hardship"],
    "import_template": ["unions", "members", "hardship"],
    "paper_ask": ["roll", "terms", "payment_roll", "fund_ledger", "campaign_result"],
}
OWN = {"export_pk", "savedview_pk", "kinship_pk", "employerspell_pk"}  # seen by nobody but whose they are
# A kind of import or paper asks for its own permission beside the route's.
KIND_PERMS = {
    ("export_ask", "unions"): {"unions.export_union"},
    ("export_ask", "members"): {"members.export_membership"},
    ("export_ask", "findings"): {"core.export_finding"},
    ("export_ask", "hardship"): {"assistance.export_hardshipcase"},
    ("import_new", "unions"): {"unions.import_union"},
    ("import_new", "members"): {"members.import_membership"},
    ("import_new", "hardship"): {"assistance.import_hardshipcase"},
    ("import_template", "hardship"): {"assistance.import_hardshipcase"},
    ("import_template", "unions"): {"unions.import_union"},
    ("import_template", "members"): {"members.import_membership"},
    ("paper_ask", "roll"): {"core.issue_paper", "members.view_membership"},
    ("paper_ask", "terms"): {"core.issue_paper", "unions.view_committee"},
    ("paper_ask", "payment_roll"): {"core.issue_paper", "assistance.view_paymentbatch"},
    ("paper_ask", "fund_ledger"): {"core.issue_paper", "assistance.view_fundsource"},
    ("paper_ask", "campaign_result"): {"core.issue_paper", "assistance.view_campaign"},
}

# Routes of libraries: name → status of (anonymous GET, signed-in GET, signed-in POST without data).
THIRD_PARTY = {
    "set_language": (302, 302, 302),
    "account_login": (200, 302, 302),
    "account_logout": (302, 200, 302),
    "account_inactive": (200, 200, 405),
    "account_reauthenticate": (302, 200, 200),
    "account_change_password": (302, 200, 200),
    "mfa_index": (302, 200, 405),
    "mfa_authenticate": (302, 302, 302),
    "mfa_reauthenticate": (302, 302, 302),
    "mfa_activate_totp": (302, 302, 302),
    "mfa_deactivate_totp": (302, 404, 404),
    "mfa_view_recovery_codes": (302, 404, 405),
    "mfa_generate_recovery_codes": (302, 302, 302),
    "mfa_download_recovery_codes": (302, 404, 404),
}

CAST = [*cast.PEOPLE]
PLACES = ("enterprise", "sibling", "neighbour_enterprise", "city")


def routes(patterns=None, prefix="", namespace=""):
    """Yield (name, route text, callback, parameter names) of every route."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        text = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield (
                f"{namespace}:{entry.name}" if namespace else entry.name,
                text,
                entry.callback,
                [*entry.pattern.converters],
            )
        else:
            yield from routes(entry.url_patterns, text, entry.namespace or namespace)


def is_ours(callback):
    view = getattr(callback, "view_class", callback)
    return inspect.unwrap(view).__module__.startswith(OURS)


ALL = [route for route in routes() if not (route[0] or "").startswith("admin:") and not route[1].startswith("admin/")]
OUR_ROUTES = [route for route in ALL if is_ours(route[2])]
OBJECT_ROUTES = [route for route in OUR_ROUTES if any(name.endswith("_pk") for name in route[3])]
OWN_ROUTES = [route for route in OBJECT_ROUTES if OWN.intersection(route[3])]
OBJECT_ROUTES = [route for route in OBJECT_ROUTES if route not in OWN_ROUTES]
PLAIN_ROUTES = [route for route in OUR_ROUTES if route not in OBJECT_ROUTES + OWN_ROUTES and route[0] not in PUBLIC]


# --- What is expected ------------------------------------------------------------------------------------------


def holds(person, perm, path=None):
    """Whether GRANTS and the cast's appointments give `person` the permission, at `path` or anywhere."""
    for role, where in cast.PEOPLE[person][1]:
        if perm in GRANTS[role].permissions and (path is None or path.startswith(PATHS[where])):
            return True
    return False


PATHS = {}


def allowed_statuses(method):
    """What a page answers to somebody who may: a page, a form with its errors, a redirect after a write."""
    return {200, 302} if method == "get" else {200, 302, 409}


@pytest.fixture
def stage(tree, client_of):
    """The tree with a committee everywhere, and a signed-in client for each of the cast."""
    for union in vars(tree).values():
        committee_at(union)
    PATHS.update({where: union.path for where, union in vars(tree).items()})
    return {person: client_of(cast.invite(person, tree)) for person in CAST}


def ask(client, method, url):
    """Send the request and undo what it wrote, so that the next one meets the same world."""
    with transaction.atomic():
        response = getattr(client, method)(url)
        transaction.set_rollback(True)
    return response


# --- The walk ----------------------------------------------------------------------------------------------------


def names(routes_):
    return [route[0] for route in routes_]


def test_every_route_of_ours_names_its_permission_and_known_parameters():
    known = {*BUILDERS, "kind", "token"}
    faults = [
        f"{name}: {'no permission' if not perm else ''} {sorted(set(parameters) - known) or ''}"
        for name, _text, callback, parameters in OUR_ROUTES
        if not ((perm := getattr(callback, "perm", "")) or name in SIGNED_IN | PUBLIC or OWN & {*parameters})
        or set(parameters) - known
    ]
    assert faults == []


@pytest.mark.parametrize("route", OBJECT_ROUTES, ids=names(OBJECT_ROUTES))
def test_an_object_page_answers_by_role_and_place(route, stage, tree, client):
    name, _text, callback, parameters = route
    (parameter,) = parameters
    build, view_perm = BUILDERS[parameter]
    perm = callback.perm
    wrong = []
    for where in PLACES:
        union = getattr(tree, where)
        url = reverse(name, kwargs={parameter: build(union).pk})
        methods = methods_of(callback)
        for method in ("get", "post"):
            assert ask(client, method, url).status_code == 302, "nobody is asked to sign in"
            for person, theirs in stage.items():
                if method not in methods:
                    expected = {405}
                elif not holds(person, perm):
                    expected = {403}
                elif holds(person, perm, union.path):
                    expected = allowed_statuses(method)
                elif holds(person, view_perm, union.path):
                    expected = {403}
                else:
                    expected = {404}
                status = ask(theirs, method, url).status_code
                if status not in expected:
                    wrong.append(f"{method} {name} at {where} as {person}: {status}, expected {expected}")
    assert wrong == []


@pytest.mark.parametrize("route", OWN_ROUTES, ids=names(OWN_ROUTES))
def test_what_is_ones_own_is_nobody_elses(route, stage, tree, client, client_of):
    name, _text, callback, parameters = route
    (parameter,) = parameters
    own = BUILDERS[parameter][0](tree.city)
    url = reverse(name, kwargs={parameter: own.pk})
    owner = client_of(getattr(own, "asked_by", None) or own.user)
    methods = methods_of(callback)
    for method in ("get", "post"):
        assert ask(client, method, url).status_code == 302, "nobody is asked to sign in"
        assert {person for person, theirs in stage.items() if ask(theirs, method, url).status_code < 404} == set()
        assert ask(owner, method, url).status_code in ({200, 302, 403} if method in methods else {405})


@pytest.mark.parametrize("route", PLAIN_ROUTES, ids=names(PLAIN_ROUTES))
def test_a_page_without_an_object_answers_by_role(route, stage, client):
    name, _text, callback, parameters = route
    wrong = []
    for kind in KINDS[name] if parameters else [None]:
        url = reverse(name, kwargs={"kind": kind} if kind else {})
        perms = KIND_PERMS.get((name, kind), {getattr(callback, "perm", "")} - {""})
        for method in ("get", "post"):
            assert ask(client, method, url).status_code == 302, "nobody is asked to sign in"
            for person, theirs in stage.items():
                if method not in methods_of(callback):
                    expected = {405}
                elif all(holds(person, perm) for perm in perms):
                    expected = allowed_statuses(method)
                else:
                    expected = {403}
                status = ask(theirs, method, url).status_code
                if status not in expected:
                    wrong.append(f"{method} {name} {kind or ''} as {person}: {status}, expected {expected}")
    assert wrong == []


def test_every_route_of_a_library_stands_in_the_table():
    assert {name for name, _text, callback, _parameters in ALL if not is_ours(callback)} == set(THIRD_PARTY)


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_a_route_of_a_library_answers_as_the_table_says(name, stage, client):
    url = reverse(name)
    theirs = stage["nobody"]
    answers = (
        ask(client, "get", url).status_code, ask(theirs, "get", url).status_code, ask(theirs, "post", url).status_code
    )  # fmt: skip
    assert answers == THIRD_PARTY[name]


def methods_of(callback):
    """The methods a view declares with Django's decorators, read from the decorator itself."""
    view = callback
    while view is not None:
        if "request_method_list" in view.__code__.co_freevars:
            place = view.__code__.co_freevars.index("request_method_list")
            return {method.lower() for method in view.__closure__[place].cell_contents}
        view = getattr(view, "__wrapped__", None)
    return {"get", "post"}


# --- The admin ---------------------------------------------------------------------------------------------------


# Models with an object at a union, and models that belong to no union (reached from the root only).
ADMIN_OBJECTS = {
    "unions.Union": lambda union: union,
    "unions.Committee": lambda union: union.committee,
    "unions.Appointment": lambda union: account_at(union).appointments.get(),
    "core.User": account_at,
    "core.AuditEvent": event_at,
    "members.Membership": membership_at,
    "members.Person": person_at,
    "core.Deadline": deadline_at,
    "core.ImportBatch": batch_at,
    "core.Job": job_at,
    "core.Paper": paper_at,
    "core.Reminder": reminder_at,
    "members.DuplicatePair": pair_at,
    "members.MembershipStep": step_at,
    "members.PersonMerge": merge_at,
    "members.Transfer": transfer_at,
    "unions.Officer": officer_at,
    "unions.UnionEvent": union_event_at,
}
ADMIN_REFERENCE = {
    "assistance.FundRule": lambda: FundRule.objects.create(fund_kind="CITY", aid_kind="LIVING"),
    "assistance.LivingStandard": lambda: LivingStandard.objects.create(area=Union.objects.first(), amount=Decimal(800)),
    "core.AuditSeal": lambda: AuditSeal.objects.create(
        id=1, at=timezone.now(), from_id=1, to_id=1, count=1, digest="0" * 64, mac="0" * 64
    ),
    "core.DeadlineRule": lambda: DeadlineRule.objects.first(),
    "core.CalendarDay": lambda: CalendarDay.objects.first(),
    "core.CalendarYear": lambda: CalendarYear.objects.first(),
    "core.Setting": lambda: Setting.objects.first(),
    "core.RetentionRule": lambda: RetentionRule.objects.first(),
    "core.Digest": lambda: Digest.objects.create(user=account_at(Union.objects.first()), day=date(2026, 11, 20)),
}
ADMIN_SEEN_WITH = {  # whoever sees a membership sees its person
    "members.DuplicatePair": "members.merge_person",
    "members.MembershipStep": "members.view_membership",
    "members.Person": "members.view_membership",
    "members.PersonMerge": "members.merge_person",
    "unions.UnionEvent": "unions.view_officer",
}
# Entered and changed by what the pages do.
ADMIN_READ_ONLY = {
    *("core.Deadline", "core.Digest", "core.ImportBatch", "core.Job", "core.Paper", "core.Reminder"),
    *("members.DuplicatePair", "members.MembershipStep", "members.Person", "members.PersonMerge", "members.Transfer"),
    *("unions.Committee", "unions.Officer", "unions.UnionEvent"),
}
ADMIN_NOT_REWRITTEN = {"unions.Appointment"}  # given and ended, never rewritten
STAFF = {person for person, (_name, _roles, staff) in cast.PEOPLE.items() if staff}


def test_every_model_in_the_admin_is_walked():
    assert {model._meta.label for model in admin.site._registry} == {*ADMIN_OBJECTS, *ADMIN_REFERENCE}


def admin_expected(person, model, verb, path):
    """The statuses of a page of the admin for `verb` (view, add, change) on an object at `path` (None: no object)."""
    if person not in STAFF:
        return {302}
    app, name = model._meta.label_lower.split(".")
    view, act = ADMIN_SEEN_WITH.get(model._meta.label, f"{app}.view_{name}"), f"{app}.{verb}_{name}"
    if verb == "add":
        may = holds(person, act, path) and model._meta.label not in ADMIN_READ_ONLY
        return {200, 302} if may else {403}
    if not holds(person, view):
        return {403}
    if not holds(person, view, path):
        return {403} if model._meta.label in ADMIN_REFERENCE else {404}
    rewritten = model._meta.label not in ADMIN_READ_ONLY | ADMIN_NOT_REWRITTEN
    may = verb == "view" or (holds(person, act, path) and rewritten)
    return {200, 302} if may else {403}


def admin_walk(stage, model, build, path):
    opts = model._meta
    change_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[build().pk])
    list_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    add_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_add")
    top = path if opts.label in ADMIN_REFERENCE else None
    for person, theirs in stage.items():
        for method, url, verb, place in (
            ("get", list_url, "view", top),
            ("get", add_url, "add", top),
            ("post", add_url, "add", top),
            ("get", change_url, "view", path),
            ("post", change_url, "change", path),
        ):
            expected = admin_expected(person, model, verb, place)
            status = ask(theirs, method, url).status_code
            if status not in expected:
                yield f"{method} {url} as {person}: {status}, expected {expected}"


@pytest.mark.parametrize("label", ADMIN_OBJECTS)
@pytest.mark.parametrize("where", ["enterprise", "neighbour_enterprise"])
def test_the_admin_of_a_scoped_model_answers_by_role_and_place(label, where, stage, tree):
    union = getattr(tree, where)
    made = ADMIN_OBJECTS[label](union)
    assert list(admin_walk(stage, apps.get_model(label), lambda: made, union.path)) == []


@pytest.mark.parametrize("label", ADMIN_REFERENCE)
def test_the_admin_of_reference_data_answers_from_the_root_only(label, stage, tree):
    made = ADMIN_REFERENCE[label]()
    assert list(admin_walk(stage, apps.get_model(label), lambda: made, tree.city.path)) == []


def test_the_admin_leads_nobody_in(client):
    open_pages = [
        text
        for name, text, _callback, parameters in routes()
        if (name or "").startswith("admin:") and not parameters and "(?P" not in text and "<" not in text
        if client.get(f"/{text}").status_code != 302
    ]
    assert open_pages == []

"""Pages of unions: who sees and does what, two officers at one union, forms sent twice, costs of the lists."""

from datetime import date

import pytest
from django.urls import reverse

from core.models import AuditEvent, Deadline
from unions import actions
from unions.models import Appointment, Committee, Officer, Union
from unions.roles import GRANTS
from unions.terms import TermState

TODAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(f"{TODAY}T10:00:00+08:00", tick=False)


@pytest.fixture
def elected(tree):
    """Terms: enterprise overdue, neighbour's running, sibling's ends within six months; the others unknown."""
    for union, day in (
        (tree.enterprise, date(2023, 11, 19)),
        (tree.neighbour_enterprise, date(2026, 1, 10)),
        (tree.sibling, date(2024, 3, 1)),
    ):
        actions.record_election(
            union, by=None, elected_on=day, term_years=3, officers=[{"position": "CHAIR", "name": f"{union.code}主席"}]
        )


def facts_of(union, **changes):
    """What a browser sends from the edit form: every field, and what each said when the form was opened."""
    data = {"version": union.version}
    for name in actions.FACTS:
        value = getattr(union, name)
        value = "" if value is None or value is False else str(value)
        data |= {name: value, f"initial-{name}": value}
    return {name: value for name, value in (data | changes).items() if value != ""}


def seats(*names):
    """Rows of an election form: the first is the chair."""
    data = {"seat-TOTAL_FORMS": len(names), "seat-INITIAL_FORMS": len(names)}
    for number, name in enumerate(names):
        data |= {f"seat-{number}-position": "MEMBER" if number else "CHAIR", f"seat-{number}-name": name}
    return data


def election(day="2026-11-18", years=3, number=1, *names):
    return {"elected_on": day, "term_years": years, "number": number, **seats(*names)}


PAGES = ("union_page", "union_edit", "union_add", "union_election", "election_correct", "officer_add")


# --- Who sees what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_pages_owner_sees_neighbour_404_nobody_403_stranger_signs_in(
    tree, elected, enterprise, nobody, client_of, client, page
):
    own, foreign = (reverse(page, args=[union.pk]) for union in (tree.enterprise, tree.neighbour_enterprise))
    assert client_of(enterprise).get(own).status_code == 200
    assert client_of(enterprise).get(foreign).status_code == 404
    assert client_of(enterprise).post(foreign).status_code == (405 if page == "union_page" else 404)
    assert client_of(nobody).get(own).status_code == 403
    response = client.get(own)
    assert (response.status_code, response.url.partition("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize("page", PAGES[1:])
def test_pages_auditor_reads_and_changes_nothing(tree, elected, auditor, client_of, page):
    client = client_of(auditor)
    assert client.get(reverse("union_page", args=[tree.enterprise.pk])).status_code == 200
    url = reverse(page, args=[tree.enterprise.pk])
    assert client.get(url).status_code == 403
    assert client.post(url, {}).status_code == 403


@pytest.mark.parametrize("page", PAGES[1:])
def test_pages_role_elsewhere_403_where_only_visible(tree, elected, enterprise, client_of, page):
    """A cadre of one enterprise who may look at another has a reason there, not a missing page."""
    Appointment.objects.create(user=enterprise, union=tree.sibling, role="visitor", valid_from=date(2020, 1, 1))
    assert client_of(enterprise).get(reverse(page, args=[tree.sibling.pk])).status_code == 403


def test_union_page_auditor_is_offered_no_change(tree, elected, auditor, client_of):
    text = client_of(auditor).get(reverse("union_page", args=[tree.enterprise.pk])).content.decode()
    for page in PAGES[1:]:
        assert reverse(page, args=[tree.enterprise.pk]) not in text


def test_union_page_shows_the_term_the_reason_and_the_officers_masked(tree, street, client_of):
    actions.record_election(
        tree.enterprise,
        by=street,
        elected_on=date(2020, 5, 1),
        term_years=3,
        officers=[{"position": "CHAIR", "name": "旧主席"}],
    )
    actions.record_election(
        tree.enterprise, by=street, elected_on=date(2023, 5, 1), term_years=3,
        officers=[{"position": "CHAIR", "name": "新主席", "phone": "13812345678"}],
    )  # fmt: skip
    response = client_of(street).get(reverse("union_page", args=[tree.enterprise.pk]))
    text = response.content.decode()
    assert response.context["term"].state == TermState.OVERDUE
    assert Deadline.objects.open().get().derivation in text
    for shown in ("旧主席", "新主席", "138****5678", "2026-05-01"):
        assert shown in text
    assert "13812345678" not in text


def test_union_page_of_an_administrator_shows_no_committee(tree, elected, secadmin, client_of):
    actions.record_election(
        tree.enterprise, by=None, elected_on=TODAY, term_years=3
    )  # the chair is of an earlier one now
    text = client_of(secadmin).get(reverse("union_page", args=[tree.enterprise.pk])).content.decode()
    assert tree.enterprise.name in text
    for hidden in ("T0101001主席", "2029-11-20", str(TermState.RUNNING.label)):
        assert hidden not in text


def test_union_page_without_a_committee_says_why_no_officer_can_be_added(tree, street, client_of):
    response = client_of(street).get(reverse("union_page", args=[tree.enterprise.pk]))
    reason = actions.why_no_officer(tree.enterprise)
    assert reason
    assert reason in response.content.decode()
    refused = client_of(street).post(
        reverse("officer_add", args=[tree.enterprise.pk]),
        {"position": "MEMBER", "name": "甲", "started_on": "2026-11-01"},
    )
    assert refused.context["form"].non_field_errors() == [reason]


def test_union_page_higher_unions_out_of_reach_are_names_without_links(tree, street, client_of):
    text = client_of(street).get(reverse("union_page", args=[tree.enterprise.pk])).content.decode()
    assert tree.district.name in text
    assert f'href="{reverse("union_page", args=[tree.district.pk])}"' not in text
    assert f'href="{reverse("union_page", args=[tree.street.pk])}"' in text


# --- The tree ---------------------------------------------------------------------------------------------


def test_tree_begins_at_the_roots_of_my_scope(tree, street, city, client_of):
    def names(user, query=""):
        branch = client_of(user).get(reverse("union_tree") + query).context["branch"]
        return [union.name for union in branch["unions"]]

    assert names(street) == [tree.street.name]
    assert names(city) == [tree.city.name]
    Appointment.objects.create(user=street, union=tree.other_district, role="auditor", valid_from=date(2020, 1, 1))
    assert names(street) == [tree.street.name, tree.other_district.name]


def test_tree_open_shows_the_way_down_without_scripts(tree, city, client_of):
    response = client_of(city).get(reverse("union_tree"), {"open": tree.street.pk})
    text = response.content.decode()
    assert tree.enterprise.name in text
    assert tree.other_district.name in text
    assert tree.neighbour_enterprise.name not in text


def test_tree_htmx_gets_one_union_alone_opened_or_closed(tree, city, client_of):
    client = client_of(city)
    opened = client.get(reverse("union_tree"), {"open": tree.street.pk}, headers={"HX-Request": "true"})
    closed = client.get(reverse("union_tree"), {"close": tree.street.pk}, headers={"HX-Request": "true"})
    for response, below in ((opened, True), (closed, False)):
        text = response.content.decode()
        assert response.context["union"] == tree.street
        assert text.count("<li>") == (3 if below else 1)
        assert (tree.enterprise.name in text) is below
        assert "<html" not in text


@pytest.mark.parametrize(
    ("given", "status"), [("abc", 200), ("-1", 200), ("9" * 40, 200), ("999", 404), ("²", 200), ("", 200)]
)
def test_tree_open_nonsense_is_the_plain_tree(tree, street, client_of, given, status):
    assert client_of(street).get(reverse("union_tree"), {"open": given}).status_code == status


def test_tree_open_a_foreign_union_404(tree, street, client_of):
    for headers in ({}, {"HX-Request": "true"}):
        for name in ("open", "close"):
            response = client_of(street).get(reverse("union_tree"), {name: tree.other_street.pk}, headers=headers)
            assert response.status_code == 404


def test_tree_on_an_empty_database_says_what_to_do(root, client_of):
    assert client_of(root).get(reverse("union_tree")).context["branch"]["unions"] == []


# --- Lists ------------------------------------------------------------------------------------------------


def listed(client, url, **query):
    return [row.record.name for row in client.get(reverse(url), query).context["table"].rows]


def test_union_list_only_my_unions_in_the_order_of_codes(tree, street, client_of):
    assert listed(client_of(street), "union_list") == [tree.street.name, tree.enterprise.name, tree.sibling.name]


def test_union_list_filters(tree, elected, city, client_of):
    client = client_of(city)
    assert listed(client, "union_list", kind="STREET") == [tree.street.name, tree.other_street.name]
    assert listed(client, "union_list", union=tree.other_district.pk) == [
        tree.other_district.name, tree.other_street.name, tree.neighbour_enterprise.name,
    ]  # fmt: skip
    assert listed(client, "union_list", text="恒达") == [tree.enterprise.name]
    assert listed(client, "union_list", text="T0201") == [tree.other_street.name, tree.neighbour_enterprise.name]
    assert listed(client, "union_list", state="overdue") == [tree.enterprise.name]
    assert listed(client, "union_list", state="soon") == [tree.sibling.name]
    assert listed(client, "union_list", state="running") == [tree.neighbour_enterprise.name]
    assert len(listed(client, "union_list", state="unknown")) == 5
    assert listed(client, "union_list", text="恒", state="soon") == [tree.sibling.name]


def test_lists_a_foreign_union_in_the_filter_is_no_choice(tree, elected, street, client_of):
    """R23: a parameter narrows the scope, it never replaces it."""
    for url in ("union_list", "term_list"):
        assert listed(client_of(street), url, union=tree.other_district.pk) == []
        assert listed(client_of(street), url, union=tree.city.pk) == []


def test_term_list_overdue_first_unknown_last_each_with_its_reason(tree, elected, city, client_of):
    client = client_of(city)
    response = client.get(reverse("term_list"))
    names = [row.record.name for row in response.context["table"].rows]
    assert names[:3] == [tree.enterprise.name, tree.sibling.name, tree.neighbour_enterprise.name]
    assert len(names) == 8
    for deadline in Deadline.objects.open():
        assert deadline.derivation in response.content.decode()
    assert listed(client, "term_list", state="overdue") == [tree.enterprise.name]
    assert listed(client, "term_list", state="soon") == [tree.sibling.name]


@pytest.mark.parametrize(("url", "queries"), [("union_list", 7), ("term_list", 8), ("union_tree", 4)])
def test_lists_ask_as_often_for_three_rows_as_for_one(
    tree, elected, city, client_of, django_assert_num_queries, url, queries
):
    client = client_of(city)
    client.get(reverse(url))  # the first page of a session notes when it began
    for query in ({"union": tree.enterprise.pk}, {"union": tree.street.pk}):
        with django_assert_num_queries(queries):
            client.get(reverse(url), query)


def test_union_page_cost(tree, elected, city, client_of, django_assert_num_queries):
    client = client_of(city)
    url = reverse("union_page", args=[tree.enterprise.pk])
    client.get(url)
    with django_assert_num_queries(15):
        client.get(url)


# --- Founding and changing --------------------------------------------------------------------------------


def test_union_add_enters_it_and_a_second_click_says_it_is_there(tree, street, client_of):
    client = client_of(street)
    url = reverse("union_add", args=[tree.street.pk])
    sent = {
        "name": "云河新工厂工会",
        "code": "T0101009",
        "kind": "ENTERPRISE",
        "founded_on": "2026年3月5日",
        "employees": "1,200",
    }
    assert client.post(url, sent).status_code == 302
    union = Union.objects.get(code="T0101009")
    assert (union.parent, union.founded_on, union.employees) == (tree.street, date(2026, 3, 5), 1200)
    again = client.post(url, sent)
    assert list(again.context["form"].errors) == ["code"]
    assert Union.objects.filter(name="云河新工厂工会").count() == 1


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"csrfmiddlewaretoken": "x"}, {"name", "code", "kind"}),
        ({"name": "工会", "code": "N", "kind": "CITY_FED"}, {"kind"}),
        ({"name": "工会", "code": "N", "kind": "DISTRICT_FED", "term_years": "3"}, {"term_years"}),
        ({"name": "工会", "code": "N", "kind": "JOINT", "term_years": "4"}, {"term_years"}),
        ({"name": "工会", "code": "N", "kind": "JOINT", "employees": "5", "women_employees": "6"}, {"women_employees"}),
        ({"name": "工会", "code": "N", "kind": "JOINT", "founded_on": "2026-02-30"}, {"founded_on"}),
        ({"name": "工" * 101, "code": "N" * 41, "kind": "JOINT"}, {"name", "code"}),
    ],
)
def test_union_add_impossible_facts_stand_beside_their_fields(tree, street, client_of, sent, fields):
    response = client_of(street).post(reverse("union_add", args=[tree.street.pk]), sent)
    assert response.status_code == 200
    assert set(response.context["form"].errors) == fields
    assert Union.objects.count() == 8


def test_union_edit_two_officers_the_second_sees_both_and_decides(tree, street, district, client_of):
    """Street and district open the same form; the district saves first (R25)."""
    url = reverse("union_edit", args=[tree.enterprise.pk])
    first = facts_of(tree.enterprise, employees="100", contact_name="区里")
    second = facts_of(tree.enterprise, employees="120", industry="制造")
    assert client_of(district).post(url, first).status_code == 302
    conflict = client_of(street).post(url, second)
    assert conflict.status_code == 409
    text = conflict.content.decode()
    for shown in ("100", "120", "区里", "制造"):
        assert shown in text
    tree.enterprise.refresh_from_db()
    assert (tree.enterprise.employees, tree.enterprise.industry, tree.enterprise.version) == (100, "", 2)
    form = conflict.context["form"]
    decided = {form.add_prefix(name): form[name].value() or "" for name in form.fields}
    assert decided["contact_name"] == "区里"  # what I left alone stays theirs
    assert client_of(street).post(url, facts_of(tree.enterprise, **decided)).status_code == 302
    tree.enterprise.refresh_from_db()
    assert (tree.enterprise.employees, tree.enterprise.industry, tree.enterprise.contact_name) == (120, "制造", "区里")
    assert list(AuditEvent.objects.order_by("id").values_list("actor_name", flat=True)) == [district.name, street.name]


def test_union_edit_sent_twice_changes_once(tree, street, client_of):
    url = reverse("union_edit", args=[tree.enterprise.pk])
    sent = facts_of(tree.enterprise, employees="100")
    assert client_of(street).post(url, sent).status_code == 302
    assert client_of(street).post(url, sent).status_code == 409
    assert AuditEvent.objects.count() == 1


def test_union_edit_foreign_key_in_the_form_changes_nothing(tree, street, client_of):
    sent = facts_of(tree.enterprise, parent=tree.other_street.pk, path="0001", id=1)
    client_of(street).post(reverse("union_edit", args=[tree.enterprise.pk]), sent)
    stored = Union.objects.get(pk=tree.enterprise.pk)
    assert (stored.parent, stored.path) == (tree.street, tree.enterprise.path)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "==="),
        ("uscc", "91410102MC0000044D"),
        ("uscc", "123"),
        ("employer_uscc", "123"),
        ("founded_on", "2999-01-01"),
        ("contact_phone", "abc"),
    ],
)
def test_union_edit_refuses_what_cannot_be(tree, street, client_of, field, typed):
    sent = facts_of(tree.enterprise, **{field: typed})
    response = client_of(street).post(reverse("union_edit", args=[tree.enterprise.pk]), sent)
    assert list(response.context["form"].errors) == [field]


def test_union_edit_brings_a_credit_code_into_its_form(tree, street, client_of):
    sent = facts_of(tree.enterprise, uscc="８1210400mc00000129 ", contact_phone="0414-12345678")
    response = client_of(street).post(reverse("union_edit", args=[tree.enterprise.pk]), sent)
    assert response.status_code == 302
    assert Union.objects.get(pk=tree.enterprise.pk).uscc == "81210400MC00000129"


@pytest.mark.parametrize("version", ["", "x", "-1", "99"])
def test_union_edit_without_its_version_writes_nothing(tree, street, client_of, version):
    sent = facts_of(tree.enterprise, employees="7") | {"version": version}
    response = client_of(street).post(reverse("union_edit", args=[tree.enterprise.pk]), sent)
    assert response.status_code in (200, 409)
    assert Union.objects.get(pk=tree.enterprise.pk).employees is None


# --- Elections and officers -------------------------------------------------------------------------------


def test_election_starts_a_term_and_a_second_click_is_refused(tree, street, client_of):
    client = client_of(street)
    url = reverse("union_election", args=[tree.enterprise.pk])
    sent = election("2026-11-18", 3, 1, "张三", "", "李四")
    assert client.post(url, sent).status_code == 302
    committee = tree.enterprise.committees.get()
    assert committee.term_ends_on == date(2029, 11, 18)
    assert sorted(committee.officers.values_list("position", "name")) == [("CHAIR", "张三"), ("MEMBER", "李四")]
    again = client.post(url, sent)
    assert list(again.context["form"].errors) == ["elected_on"]
    assert Committee.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        (election("2026-11-21"), ["elected_on"]),
        (election("昨天"), ["elected_on"]),
        (election(years=4), ["term_years"]),
        (election(number=0), ["number"]),
        ({"csrfmiddlewaretoken": "x"}, ["elected_on", "term_years", "number"]),
    ],
)
def test_election_impossible_facts_stand_beside_their_fields(tree, street, client_of, sent, fields):
    response = client_of(street).post(reverse("union_election", args=[tree.enterprise.pk]), sent)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == fields
    assert not Committee.objects.exists()


def test_election_two_chairs_are_refused_above_the_rows(tree, street, client_of):
    sent = election("2026-11-18", 3, 1, "张三", "李四") | {"seat-1-position": "CHAIR"}
    response = client_of(street).post(reverse("union_election", args=[tree.enterprise.pk]), sent)
    assert len(response.context["rows"].non_form_errors()) == 1
    assert not Committee.objects.exists()


def test_election_of_a_federation_offers_five_years_only(tree, district, client_of):
    form = client_of(district).get(reverse("union_election", args=[tree.district.pk])).context["form"]
    assert [years for years, _label in form.fields["term_years"].choices] == [5]
    sent = election("2026-11-18", 3, 1, "张三")
    refused = client_of(district).post(reverse("union_election", args=[tree.district.pk]), sent)
    assert list(refused.context["form"].errors) == ["term_years"]


def test_election_correct_needs_a_reason_and_moves_the_term(tree, elected, street, client_of):
    url = reverse("election_correct", args=[tree.enterprise.pk])
    sent = {"elected_on": "2023-11-29", "term_years": 3, "number": 2, "reason": ""}
    assert list(client_of(street).post(url, sent).context["form"].errors) == ["reason"]
    assert client_of(street).post(url, sent | {"reason": "日期写错"}).status_code == 302
    assert tree.enterprise.committees.get().term_ends_on == date(2026, 11, 29)


def test_election_correct_without_a_committee_leads_back(tree, street, client_of):
    response = client_of(street).get(reverse("election_correct", args=[tree.enterprise.pk]))
    assert (response.status_code, response.url) == (302, reverse("union_page", args=[tree.enterprise.pk]))


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [({"name": "123"}, "name"), ({"name": "=1+1"}, "name"), ({"phone": "12"}, "phone"), ({"phone": "abc"}, "phone")],
)
def test_officer_without_a_real_name_or_mobile_number_is_refused(tree, elected, street, client_of, typed, wrong):
    sent = {"position": "MEMBER", "name": "李四", "started_on": "2024-01-01"} | typed
    response = client_of(street).post(reverse("officer_add", args=[tree.enterprise.pk]), sent)
    assert list(response.context["form"].errors) == [wrong]
    rows = {f"seat-0-{name}": sent[name] for name in ("position", "name")} | {"seat-0-phone": sent.get("phone", "")}
    election = {
        "elected_on": "2026-01-05",
        "term_years": 3,
        "number": 3,
        "seat-TOTAL_FORMS": 1,
        "seat-INITIAL_FORMS": 0,
    }
    response = client_of(street).post(reverse("union_election", args=[tree.enterprise.pk]), election | rows)
    assert [list(form.errors) for form in response.context["rows"]] == [[wrong]]


def test_officer_is_written_like_a_member(tree, elected, street, client_of):
    sent = {"position": "MEMBER", "name": "欧阳　喆", "started_on": "2024-01-01", "phone": "+86 138-1234-5678"}
    client_of(street).post(reverse("officer_add", args=[tree.enterprise.pk]), sent)
    officer = Officer.objects.get(name="欧阳喆")
    assert (officer.phone, officer.phone_masked) == ("13812345678", "138****5678")


def test_officer_comes_and_goes(tree, elected, street, client_of):
    client = client_of(street)
    sent = {"position": "MEMBER", "name": "李四", "started_on": "2024-01-01", "phone": "13812345678"}
    assert client.post(reverse("officer_add", args=[tree.enterprise.pk]), sent).status_code == 302
    again = client.post(reverse("officer_add", args=[tree.enterprise.pk]), sent)
    assert list(again.context["form"].errors) == ["name"]
    officer = Officer.objects.get(name="李四")
    assert officer.phone == "13812345678"
    url = reverse("officer_end", args=[officer.pk])
    refused = client.post(url, {"on": "2026-11-21"})
    assert refused.status_code == 200
    assert "2026-11-21" in refused.content.decode()
    assert client.post(url, {"on": "2026-11-19"}).status_code == 302
    officer.refresh_from_db()
    assert officer.ended_on == date(2026, 11, 19)


def test_officer_end_is_a_post_in_scope(tree, elected, street, neighbour, auditor, client_of):
    officer = Officer.objects.get(committee__union=tree.enterprise)
    url = reverse("officer_end", args=[officer.pk])
    assert client_of(street).get(url).status_code == 405
    assert client_of(neighbour).post(url, {"on": "2026-11-01"}).status_code == 404
    assert client_of(auditor).post(url, {"on": "2026-11-01"}).status_code == 403
    officer.refresh_from_db()
    assert officer.ended_on is None


def test_get_never_writes(tree, elected, street, client_of):
    client = client_of(street)
    before = AuditEvent.objects.count()
    for page in PAGES:
        client.get(reverse(page, args=[tree.enterprise.pk]))
    for page in ("union_list", "union_tree", "term_list"):
        client.get(reverse(page))
    assert AuditEvent.objects.count() == before


# --- Roles ------------------------------------------------------------------------------------------------


def test_role_list_shows_who_has_what_in_my_scope_today(tree, secadmin, street, neighbour, nobody, root, client_of):
    actions.end_appointment(neighbour.appointments.get(), by=secadmin)
    response = client_of(secadmin).get(reverse("role_list"))
    found = {
        str(role.label): (number, [each.user for each in holders])
        for role, number, holders in response.context["roles"]
    }
    assert len(found) == len(GRANTS)
    assert found[str(GRANTS["cadre"].label)] == (1, [street])
    assert list(response.context["superusers"]) == [root]
    Appointment.objects.create(user=nobody, union=tree.other_district, role="secadmin", valid_from=date(2020, 1, 1))
    response = client_of(nobody).get(reverse("role_list"))
    assert [number for _role, number, _holders in response.context["roles"] if number] == [1]
    assert response.context["superusers"] == []


def test_role_list_is_for_those_who_review_roles(tree, city, client_of):
    assert client_of(city).get(reverse("role_list")).status_code == 403


@pytest.mark.parametrize("page", ["union_add", "union_edit", "union_election", "officer_add"])
def test_forms_of_a_dissolved_union_lead_to_its_page_which_says_so_once(tree, street, client_of, page):
    Union.objects.filter(pk=tree.enterprise.pk).update(dissolved_on=date(2026, 3, 5))
    response = client_of(street).get(reverse(page, args=[tree.enterprise.pk]), follow=True)
    assert response.redirect_chain == [(reverse("union_page", args=[tree.enterprise.pk]), 302)]
    assert response.content.decode().count(str(response.context["not_standing"])) == 1

"""Relations: who must recuse and why, what an officer declares on the own page, and that nobody else sees it."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation

from core.models import AuditEvent
from core.secrets import blind
from members import identity, relations
from members.models import AccountHolder, EmployerSpell, Kinship, Membership
from tests.members.people import QIAN, ZHAO, member, number

URL = reverse("my_relations")
SUN = number(8, born="19700101")


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def index(text):
    return blind("id_number", text)


def kinds(user, *numbers, on=None):
    return [tie.kind for tie in relations.ties(user, [index(each) for each in numbers], on)]


def kin(user, id_number=QIAN, name="钱芳", kind="SPOUSE"):
    return relations.declare_kin(user, by=user, kind=kind, name=name, number=identity.check_number(id_number))


# --- Ties ------------------------------------------------------------------------------------------------------------


def test_without_a_declaration_nobody_is_barred(tree, street):
    member(tree.enterprise)
    assert kinds(street, ZHAO, QIAN) == []
    assert relations.ties(None, [index(ZHAO)]) == relations.ties(street, []) == relations.ties(street, [""]) == []
    assert relations.bars(street, [index(ZHAO)]) == ""


def test_the_own_household_bars(tree, street):
    relations.hold_account(street, member(tree.enterprise).person, by=street)
    assert kinds(street, ZHAO)[0] == relations.SELF
    assert "your own household" in relations.bars(street, [index(QIAN), index(ZHAO)])


def test_a_declared_relative_bars_whoever_declared_it(tree, street, district):
    kin(street)
    assert kinds(street, QIAN) == [relations.KIN]
    assert kinds(street, ZHAO) == kinds(district, QIAN) == []
    said = relations.bars(street, [index(QIAN)])
    assert "You are related to somebody of this household (spouse)" in said
    assert "钱芳" not in said

    zhao = member(tree.enterprise).person
    relations.hold_account(street, zhao, by=street)
    relations.hold_account(district, member(tree.sibling, "钱芳", QIAN).person, by=district)
    assert kinds(district, ZHAO)[0] == relations.KIN  # declared by the other of the two


def test_an_ended_relation_counts_on_its_last_day_and_no_more(street):
    row = kin(street)
    relations.end_kin(row, by=street)
    today = timezone.localdate()
    assert kinds(street, QIAN) == [relations.KIN]
    assert kinds(street, QIAN, on=today + timedelta(days=1)) == []
    with pytest.raises(ValidationError, match="ended already"):
        relations.end_kin(row, by=street)
    kin(street)  # declared anew
    assert kinds(street, QIAN, on=today + timedelta(days=1)) == [relations.KIN]


def test_colleagues_are_told_of_and_bar_nobody(tree, street):
    member(tree.enterprise, "孙一", SUN)
    relations.declare_employer(street, by=street, union=tree.enterprise, began_on=date(2015, 1, 1))
    assert kinds(street, SUN) == [relations.COLLEAGUE]
    assert relations.bars(street, [index(SUN)]) == ""


def test_colleagues_are_forgotten_after_the_years_of_the_setting(tree, street):
    member(tree.enterprise, "孙一", SUN)
    row = relations.declare_employer(
        street, by=street, union=tree.enterprise, began_on=date(2015, 1, 1), ended_on=date(2024, 6, 30)
    )
    assert kinds(street, SUN, on=date(2027, 6, 30)) == [relations.COLLEAGUE]
    assert kinds(street, SUN, on=date(2027, 7, 1)) == []
    Membership.objects.update(joined_on=None, ended_on=date(2020, 1, 1), state="WITHDRAWN")
    assert kinds(street, SUN, on=date(2024, 7, 1)) == []
    with pytest.raises(ValidationError, match="ended already"):
        relations.end_employer(row, by=street)


def test_the_own_membership_makes_colleagues_too(tree, street):
    relations.hold_account(street, member(tree.enterprise).person, by=street)
    member(tree.enterprise, "孙一", SUN)
    assert kinds(street, SUN) == [relations.COLLEAGUE]


# --- Declaring -------------------------------------------------------------------------------------------------------


def test_nobody_declares_for_another(tree, street, district, secadmin):
    person = member(tree.enterprise).person
    row = kin(street)
    spell = relations.declare_employer(street, by=street, union=tree.enterprise, began_on=date(2020, 1, 1))
    acts = (
        lambda by: relations.hold_account(street, person, by=by),
        lambda by: relations.end_kin(row, by=by),
        lambda by: relations.end_employer(spell, by=by),
        lambda by: relations.declare_employer(street, by=by, union=tree.sibling, began_on=date(2020, 1, 1)),
    )
    for act in acts:
        with pytest.raises(PermissionDenied):
            act(district)
    acts[0](secadmin)  # who keeps the accounts
    assert AccountHolder.objects.get().person == person


def test_what_is_declared_on_the_page_is_kept_sealed(tree, street, client_of):
    person, client = member(tree.enterprise).person, client_of(street)
    client.post(URL, {"act": "person", "person-name": "赵建国", "person-id_number": ZHAO})
    client.post(URL, {"act": "kin", "kin-kind": "SPOUSE", "kin-name": "钱 芳", "kin-id_number": QIAN})
    client.post(URL, {"act": "employer", "employer-union": "T0101002", "employer-began_on": "2019年3月5日"})
    assert AccountHolder.objects.get().person == person
    row, spell = Kinship.objects.get(), EmployerSpell.objects.get()
    assert (row.user, row.name, row.id_number, row.kind) == (street, "钱芳", QIAN, "SPOUSE")
    assert (spell.union, spell.began_on, spell.ended_on) == (tree.sibling, date(2019, 3, 5), None)
    page = client.get(URL).content.decode()
    for shown in ("2104**********0017", "2104**********0029", "钱芳", tree.sibling.name):
        assert shown in page
    assert ZHAO not in page
    assert QIAN not in page
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM members_kinship")
        assert QIAN not in str(cursor.fetchall())
    assert not AuditEvent.objects.filter(changes__icontains=QIAN).exists()
    client.post(reverse("kin_end", args=[row.pk]))
    client.post(reverse("employer_end", args=[spell.pk]))
    row.refresh_from_db()
    spell.refresh_from_db()
    assert row.ended_on == spell.ended_on == timezone.localdate()
    assert "ended already" in client.post(reverse("kin_end", args=[row.pk]), follow=True).content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"act": "person", "person-name": "赵国建", "person-id_number": ZHAO}, "nobody with this name and this number"),
        ({"act": "person", "person-name": "钱芳", "person-id_number": QIAN}, "nobody with this name and this number"),
        ({"act": "person", "person-name": "赵建国", "person-id_number": ZHAO[:-1] + "8"}, "The check digit is wrong"),
        ({"act": "kin", "kin-kind": "SPOUSE", "kin-name": "钱芳", "kin-id_number": "1"}, "has 18 characters"),
        ({"act": "kin", "kin-kind": "FRIEND", "kin-name": "钱芳", "kin-id_number": QIAN}, "Select a valid choice"),
        ({"act": "kin", "kin-kind": "SPOUSE", "kin-name": "赵建国", "kin-id_number": ZHAO}, "This is your own number"),
        ({"act": "kin", "kin-kind": "PARENT", "kin-name": "孙一", "kin-id_number": SUN}, "declared already"),
        ({"act": "employer", "employer-union": "无此", "employer-began_on": "2020-01-01"}, "No union has this code"),
        ({"act": "employer", "employer-union": "T00", "employer-began_on": "9999-01-01"}, "lies in the future"),
        (
            {"act": "employer", "employer-union": "T00", "employer-began_on": "2020-01-01",
             "employer-ended_on": "2019-01-01"},
            "The end lies before the beginning",
        ),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_told(tree, street, client_of, data, sentence):
    zhao = member(tree.enterprise).person
    if data["act"] == "kin":
        relations.hold_account(street, zhao, by=street)
        kin(street, SUN, "孙一", "PARENT")
    before = Kinship.objects.count()
    assert sentence in client_of(street).post(URL, data).content.decode()
    assert (Kinship.objects.count(), EmployerSpell.objects.count()) == (before, 0)


def test_each_sees_only_the_own(street, district, client_of):
    row = kin(street)
    assert "钱芳" not in client_of(district).get(URL).content.decode()
    assert client_of(district).post(reverse("kin_end", args=[row.pk])).status_code == 404
    row.refresh_from_db()
    assert row.ended_on is None
    assert URL in client_of(street).get("/").content.decode()

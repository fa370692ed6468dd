"""The search box: what it finds and how fast, that it stays in scope, and that no input breaks it or leaks a number."""

from datetime import date
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import bulk
from members import actions, search
from members.identity import SENTENCES
from members.models import Membership, MembershipState, NameSuffix, Person
from members.pinyin import name_keys, suffixes
from tests.members.people import PHONE, QIAN, ZHAO, member, number


@pytest.fixture(autouse=True)
def _english(settings):
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def zhao(tree):
    return member(tree.enterprise)


def ask(client, text):
    return client.post(reverse("search"), {"q": text})


def labels(response):
    return [hit.label for kind in response.context["found"] for hit in kind.hits]


def matched(response):
    return [(hit.label, hit.matched) for kind in response.context["found"] for hit in kind.hits]


def test_search_finds_a_name_from_its_beginning(tree, client_of, street, zhao):
    member(tree.sibling, name="赵建邦", id_number=QIAN)
    member(tree.sibling, name="李建国", id_number=number(1))
    assert labels(ask(client_of(street), "赵建")) == ["赵建邦", "赵建国"]


NAMES = [
    "曾小明", "小明", "曾小", "欧阳小明", "王小", "单雪梅", "吕布", "卢布", "仇亮", "阿依古丽·买买提", "刘〇", "周𬭎一",
    "Anna Smith",
]  # fmt: skip


@pytest.fixture
def people(tree):
    for sequence, name in enumerate(NAMES):
        member(tree.enterprise, name=name, id_number=number(sequence))


@pytest.fixture(params=["one by one", "gathered", "looked up"])
def way(request, monkeypatch):
    """All ways of looking: among the few in reach, or from an index with the reach gathered, or each looked up."""
    if request.param != "one by one":
        monkeypatch.setattr(search, "NARROW", 0)
    if request.param == "looked up":
        monkeypatch.setattr(search, "GATHERED", 0)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("小明", ["小明", "欧阳小明", "曾小明"]),  # exact, then within a name
        ("曾小", ["曾小", "曾小明"]),
        ("阳小明", ["欧阳小明"]),
        ("曾 小 明", ["曾小明"]),
        ("买买提", ["阿依古丽·买买提"]),
        ("阿依古丽买买", ["阿依古丽·买买提"]),
        ("古丽·买", ["阿依古丽·买买提"]),
        ("刘〇", ["刘〇"]),
        ("𬭎一", ["周𬭎一"]),
        ("zengxiao", ["曾小", "曾小明"]),
        ("Zeng Xiao Ming", ["曾小明"]),
        ("zxm", ["曾小明"]),
        ("oysi", []),
        ("ouyang", ["欧阳小明"]),
        ("oyx", ["欧阳小明"]),
        ("zengxm", ["曾小明"]),
        ("ouyangxm", ["欧阳小明"]),
        ("shanxm", ["单雪梅"]),
        ("danxm", ["单雪梅"]),
        ("wangxm", []),
        ("lvbu", ["吕布"]),
        ("lubu", ["卢布", "吕布"]),
        ("danxue", ["单雪梅"]),  # read by its usual sound
        ("shanxue", ["单雪梅"]),
        ("chou", ["仇亮"]),
        ("anna s", ["Anna Smith"]),
        ("as", ["Anna Smith"]),
        ("明小", []),
        ("··", []),
    ],
)
def test_search_finds_a_name_by_any_part_its_pinyin_and_its_initials(client_of, street, people, way, typed, found):
    shown = [hit.label for hit in search.find(street, typed, 11)]
    assert shown[:1] + sorted(shown[1:]) == found[:1] + sorted(found[1:])


def test_search_says_what_matched(tree, client_of, street, people):
    member(tree.enterprise, name="赵建国", phone=PHONE)
    client = client_of(street)
    assert matched(ask(client, "zeng")) == [("曾小", "pinyin"), ("曾小明", "pinyin")]
    assert matched(ask(client, "sxm")) == [("单雪梅", "initials")]
    assert matched(ask(client, "0017")) == [("赵建国", "last four of the number")]
    response = ask(client, "阳小")
    assert response.context["found"][0].hits[0].pieces == ("欧", "阳小", "明")
    assert "欧<mark>阳小</mark>明" in response.content.decode()


@pytest.mark.parametrize("typed", [PHONE, "138 0013 1234", "+86 138-0013-1234"])
def test_search_of_a_phone_goes_to_the_member(tree, client_of, street, typed):
    mine = member(tree.enterprise, phone=PHONE)
    assert ask(client_of(street), typed).url == reverse("member_page", args=[mine.pk])


def test_search_finds_the_last_four_with_a_small_x(tree, client_of, street):
    with_x = next(each for each in map(number, range(100)) if each.endswith("X"))
    member(tree.enterprise, name="钱小", id_number=with_x)
    assert labels(ask(client_of(street), with_x[-4:].lower())) == ["钱小"]


@pytest.mark.parametrize("typed", ["恒达 赵建国", "恒达 建国", "恒达　赵", "赵建 恒达", "机械 zjg", "恒达 zhao jian"])
def test_search_of_a_union_and_a_person_narrows_by_the_union(tree, client_of, street, way, typed):
    mine = member(tree.enterprise)
    member(tree.sibling, id_number=QIAN)
    response = ask(client_of(street), typed)
    urls = [hit.url for kind in response.context["found"] for hit in kind.hits]
    assert urls == [reverse("member_page", args=[mine.pk])]


def test_search_puts_open_memberships_and_ones_own_union_first(tree, client_of, street, way):
    ended = member(tree.enterprise, id_number=number(1))
    Membership.objects.filter(pk=ended.pk).update(state=MembershipState.WITHDRAWN, ended_on=date(2024, 1, 1))
    below = member(tree.enterprise, id_number=number(2))
    own = member(tree.street, id_number=number(3))
    hits = search.find(street, "赵建国", 11)
    assert [hit.url for hit in hits] == [reverse("member_page", args=[each.pk]) for each in (own, below, ended)]


def test_search_shows_a_person_once_with_the_open_membership(tree, client_of, street):
    left = member(tree.sibling)
    Membership.objects.filter(pk=left.pk).update(state=MembershipState.WITHDRAWN, ended_on=date(2024, 1, 1))
    now = member(tree.enterprise)
    assert ask(client_of(street), "赵建国").url == reverse("member_page", args=[now.pk])


@pytest.mark.parametrize("typed", [ZHAO, "赵建", "zhaojian", "zjg", "0017"])
def test_search_leads_from_a_merged_record_to_the_kept_one(tree, client_of, street, way, typed):
    kept = member(tree.enterprise, name="孙一", id_number=QIAN)
    absorbed = member(tree.sibling)
    Membership.objects.filter(pk=absorbed.pk).update(state=MembershipState.DUPLICATE, ended_on=date(2024, 1, 1))
    assert search.find(street, typed, 11) == []  # entered twice: no membership of its own
    Person.objects.filter(pk=absorbed.person_id).update(merged_into=kept.person)
    (hit,) = search.find(street, typed, 11)
    assert (hit.label, hit.url) == ("孙一", reverse("member_page", args=[kept.pk]))
    assert hit.matched == "a record merged into this one"


def test_search_shows_ten_and_says_that_there_are_more(tree, client_of, street, way):
    for sequence in range(11):
        member(tree.enterprise, id_number=number(sequence))
    response = ask(client_of(street), "赵建")
    assert len(labels(response)) == 10
    assert "More than 10: type more to find the right one." in response.content.decode()


def test_search_answers_htmx_with_a_list_to_choose_from(client_of, street, zhao):
    client = client_of(street)
    response = client.post(reverse("search"), {"q": "赵建国"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert 'role="option"' in html
    assert reverse("member_page", args=[zhao.pk]) in html
    assert "<html" not in html
    nothing = client.post(reverse("search"), {"q": "钱二"}, headers={"HX-Request": "true"}).content.decode()
    assert "Nothing found within your reach" in nothing


def test_search_of_the_whole_name_goes_to_the_member(client_of, street, zhao):
    response = ask(client_of(street), " 赵建国 ")
    assert (response.status_code, response.url) == (302, reverse("member_page", args=[zhao.pk]))


def test_search_of_namesakes_shows_both(tree, client_of, street, zhao):
    member(tree.sibling, id_number=QIAN)
    response = ask(client_of(street), "赵建国")
    assert {(hit.label, hit.detail) for hit in response.context["found"][0].hits} == {
        ("赵建国", "云河恒达机械有限公司工会 · 2104**********0017 · active"),
        ("赵建国", "云河恒通电子有限公司工会 · 2104**********0029 · active"),
    }


@pytest.mark.parametrize("typed", [ZHAO, f" {ZHAO[:6]} {ZHAO[6:]}", "".join(chr(ord(c) + 0xFEE0) for c in ZHAO)])
def test_search_of_a_full_number_goes_to_the_member_and_stands_in_no_address(client_of, street, zhao, typed):
    response = ask(client_of(street), typed)
    assert response.url == reverse("member_page", args=[zhao.pk])


def test_search_of_a_wrong_number_says_what_is_wrong(client_of, street, zhao):
    response = ask(client_of(street), "210400198503070018")
    assert (labels(response), response.context["message"]) == ([], SENTENCES["ID_CHECKSUM"])


def test_search_keeps_a_name_in_its_box(client_of, street, tree):
    assert 'value="赵&lt;"' in ask(client_of(street), "赵<").content.decode()


def test_search_does_not_repeat_the_number(client_of, street, tree):
    assert ZHAO not in ask(client_of(street), ZHAO).content.decode()


@pytest.mark.parametrize("typed", ["恒达", "恒达 机械", "T0101001", "t0101001", "云河恒达机械有限公司工会"])
def test_search_finds_a_union_by_a_part_of_its_name_or_its_code(tree, client_of, street, typed):
    response = ask(client_of(street), typed)
    found = response.url if response.status_code == 302 else response.context["found"][0].hits[0].url
    assert found == reverse("union_page", args=[tree.enterprise.pk])


@pytest.mark.parametrize(
    "typed",
    [
        "赵建国",
        "赵建",
        "建国",
        "zhao",
        "zjg",
        ZHAO,
        "0017",
        PHONE,
        "恒达 赵",
        "恒达",
        "T0101001",
        "云河恒达机械有限公司工会",
    ],
)
def test_search_stays_in_scope(tree, client_of, neighbour, way, typed):
    member(tree.enterprise, phone=PHONE)
    response = ask(client_of(neighbour), typed)
    assert (response.status_code, labels(response)) == (200, [])
    assert "恒达" not in response.content.decode().replace(f'value="{typed}"', "")  # the box keeps what was typed


def test_search_of_members_needs_the_right_to_see_them(tree, client_of, sysadmin, nobody, zhao):
    assert labels(ask(client_of(sysadmin), "赵建")) == []
    assert labels(ask(client_of(sysadmin), "恒")) == []
    assert labels(ask(client_of(nobody), "恒达")) == []


def test_search_by_get_shows_the_box_and_takes_nothing_from_the_address(client_of, street, zhao):
    response = client_of(street).get(reverse("search"), {"q": "赵建"})
    assert (response.status_code, labels(response)) == (200, [])


def test_search_is_closed_to_those_who_are_not_signed_in(client, tree):
    assert ask(client, "赵建").url.startswith(reverse("account_login"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Type at least two characters: of a name, its pinyin or initials, a number, or a union."),
        ("  赵 ", "Type at least two characters: of a name, its pinyin or initials, a number, or a union."),
        ("赵" * 101, "This is too long to search for: type at most 100 characters."),
        ("赵\0建", "This holds characters that no name has: type it again by hand."),
        ("赵\u202e建", "This holds characters that no name has: type it again by hand."),
    ],
)
def test_search_says_why_it_cannot_search(client_of, street, zhao, typed, sentence):
    response = ask(client_of(street), typed)
    assert (response.status_code, response.context["message"]) == (200, sentence)


@pytest.mark.parametrize("typed", ["%建", "__", "赵_", "\\\\", "'; --", "赵建%"])
def test_search_takes_signs_of_the_database_as_they_are(client_of, street, zhao, typed):
    assert labels(ask(client_of(street), typed)) == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120))
def test_search_survives_any_text(client_of, street, zhao, text):
    assert ask(client_of(street), text).status_code in (200, 302)


def test_search_answer_is_kept_nowhere(client_of, street, zhao):
    assert ask(client_of(street), "赵建")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("rows", [1, 3])
def test_search_takes_seven_queries(tree, client_of, street, django_assert_num_queries, rows):
    """The user, the roles, the unions, those in reach, how many are in reach, who was found, their memberships."""
    for sequence in range(rows):
        member(tree.enterprise, name=f"赵建{sequence * '国'}", id_number=number(sequence))
    client = client_of(street)
    ask(client, "赵建")
    with django_assert_num_queries(7):
        ask(client, "赵建")


# --- What is stored to be found by ---------------------------------------------------------------------------------


def all_found():
    """Assert that every stored person has its own keys and suffixes, and return how many there are."""
    stored = set(NameSuffix.objects.values_list("person", "text"))
    people = list(Person.objects.all())
    for person in people:
        keys = {field: getattr(person, field) for field in ("name_pinyin", "name_initials", "name_sort", "id_tail")}
        assert keys == name_keys(person.name) | {"id_tail": person.id_masked[-4:]}
    assert stored == {(person.pk, text) for person in people for text in suffixes(person.name)}
    return len(people)


def test_keys_follow_the_name_from_enrolment_through_changes(tree, street):
    mine = member(tree.enterprise, name="阿依古丽买买提")
    assert all_found() == 1
    for name in ("阿依古丽·买买提", "欧阳小明", "欧阳", "小小小小"):
        mine.refresh_from_db()
        actions.change_membership(mine, by=None, version=mine.version, changes={"name": name})
        assert all_found() == 1
    actions.change_membership(
        Membership.objects.get(), by=street, version=5, changes={"id_number": QIAN}, reason="typed wrongly"
    )
    assert Person.objects.get().id_tail == "0029"


def test_the_demo_is_found(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    call_command("seed_demo", verbosity=0)
    assert all_found() > 5000


def test_people_stored_before_this_release_are_found_after_it(people):
    before = sorted(NameSuffix.objects.values_list("person", "text"))
    NameSuffix.objects.all().delete()
    Person.objects.update(name_pinyin="", name_initials="", name_sort="", id_tail="")
    migration = import_module("members.migrations.0004_names_found")
    migration.fill(apps, None)
    assert all_found() == len(NAMES)
    migration.fill(apps, None)  # again: nothing doubles
    assert sorted(NameSuffix.objects.values_list("person", "text")) == before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="its collations")
def test_the_database_sorts_keys_as_python_does(people):
    with connection.cursor() as cursor:
        for collation in ("C", "zh-x-icu", "en-x-icu"):
            cursor.execute(f'SELECT name_sort FROM members_person ORDER BY name_sort COLLATE "{collation}"')
            keys = [key for (key,) in cursor.fetchall()]
            assert keys == sorted(keys)


# --- How it is found -----------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(tree):
    """5,000 members of one union, named alike by the dozen."""
    draw = [(first, second) for first in "王李张刘陈杨赵黄周吴" for second in "伟芳娜敏静丽强磊军洋"]
    rows = []
    for key in range(1, 5001):
        name = "".join(draw[key % 100]) + "一二三四五六七八九十"[key % 7]
        rows.append((key, name, *name_keys(name).values(), f"{key:043d}", f"{key % 10000:04d}", f"p{key:042d}"))
    names = ("id", "name", "name_pinyin", "name_initials", "name_sort", "id_index", "id_tail", "phone_index")
    _insert(Person, names, rows)
    _insert(Membership, ("person", "union"), [(key, tree.enterprise.pk) for key in range(1, 5001)])
    bulk.insert(NameSuffix, ("person", "text"), [(row[0], text) for row in rows for text in suffixes(row[1])])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")


def _insert(model, names, rows):
    """Bulk rows, each other column as the model's default has it."""
    filled = {"born_on": date(1980, 1, 1), "created_at": timezone.now(), "sex": "M"}
    others = [field for field in model._meta.concrete_fields if not field.primary_key and field.name not in names]
    values = [filled.get(field.name, field.get_default()) for field in others]
    unique = [place for place, field in enumerate(others) if field.name == "uuid"]
    columns = (*names, *(field.name for field in others))

    def full():
        for row in rows:
            for place in unique:
                values[place] = others[place].get_default()
            yield (*row, *values)

    bulk.insert(model, columns, full())


LOOK_UPS = [
    "王芳", "王芳二", "芳二", "wangfang", "li", "wfe", "wf", "0017", PHONE, ZHAO, "恒达 王芳", "恒达 王",
]  # fmt: skip


@pytest.mark.parametrize("reach", ["city", "street"])
def test_no_look_up_reads_the_whole_table(request, crowd, reach):
    user = request.getfixturevalue(reach)
    for typed in LOOK_UPS:
        with CaptureQueriesContext(connection) as captured:
            hits = search.find(user, typed, 11)
        assert bool(hits) == (typed not in (PHONE, ZHAO)), typed
        looked = [each["sql"] for each in captured if "members_person" in each["sql"]]
        assert looked
        for sql in looked:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
                plan = "\n".join(str(row) for row in cursor.fetchall())
            assert "Seq Scan on members_person" not in plan, (sql, plan)
            assert "SCAN members_person" not in plan, (sql, plan)

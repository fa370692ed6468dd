"""The list of members: every filter, orders and their limits, columns, and nothing foreign by any parameter (R23)."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from members.models import Membership, MembershipState
from members.views import MemberList
from tests.members.people import QIAN, ZHAO, member, number
from tests.members.test_views import names_in

URL = reverse("member_list")


@pytest.fixture
def four(tree):
    """赵 and 单 in one union, 钱 in its sibling; 旧 has left, 双 was entered twice."""
    zhao = member(tree.enterprise, phone="13800131234", joined_on=date(2020, 5, 1), department="一车间")
    shan = member(
        tree.enterprise, name="单小芳", id_number=number(4, born="20000229"), joined_on=date(2022, 1, 1),
        skill_level="SENIOR", occupation_group="COURIER", employment="PLATFORM", migrant_worker=True,
    )  # fmt: skip
    qian = member(tree.sibling, name="钱芳", id_number=QIAN, joined_on=None)
    for name, sequence, state in (("旧人", 6, "WITHDRAWN"), ("双人", 7, "DUPLICATE")):
        left = member(tree.enterprise, name=name, id_number=number(sequence))
        Membership.objects.filter(pk=left.pk).update(state=state, ended_on=date(2024, 1, 1))
    qian.person.verified_on = date(2025, 1, 1)
    qian.person.save()
    return zhao, shan, qian


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"赵建国", "单小芳", "钱芳"}),
        ("state=WITHDRAWN", {"旧人"}),
        ("state=DUPLICATE", {"双人"}),
        ("state=ended", {"旧人", "双人"}),
        ("state=every", {"赵建国", "单小芳", "钱芳", "旧人", "双人"}),
        ("state=RETAINED", set()),
        ("union=4", {"赵建国", "单小芳"}),
        ("union=3", {"赵建国", "单小芳", "钱芳"}),
        ("sex=F", {"单小芳", "钱芳"}),
        ("employment=PLATFORM", {"单小芳"}),
        ("occupation_group=COURIER", {"单小芳"}),
        ("migrant_worker=on", {"单小芳"}),
        ("skill_level=SENIOR", {"单小芳"}),
        ("department=车间", {"赵建国"}),
        ("joined_on_from=2021-01-01", {"单小芳"}),
        ("joined_on_to=2020年5月1日", {"赵建国"}),
        ("joined_on_from=2020-05-01&joined_on_to=2022-01-01", {"赵建国", "单小芳"}),
        ("no_phone=on", {"单小芳", "钱芳"}),
        ("never_verified=on", {"赵建国", "单小芳"}),
        ("sex=F&migrant_worker=on&union=4", {"单小芳"}),
    ],
)
def test_each_filter(tree, four, street, client_of, query, names):
    assert set(names_in(client_of(street).get(f"{URL}?{query}"))) == names


def test_age_counts_full_years_to_the_day(tree, city, client_of):
    today = timezone.localdate()
    for sequence, (years, days) in enumerate([(30, 0), (30, 1), (40, 0), (41, 0), (41, -1)]):
        born = today.replace(year=today.year - years) - timedelta(days)
        member(tree.enterprise, name=f"岁{'甲乙丙丁戊'[sequence]}", id_number=number(sequence, born=f"{born:%Y%m%d}"))
    client = client_of(city)
    assert set(names_in(client.get(f"{URL}?age_from=30&age_to=40"))) == {"岁甲", "岁乙", "岁丙", "岁戊"}
    assert set(names_in(client.get(f"{URL}?age_from=41"))) == {"岁丁"}
    assert set(names_in(client.get(f"{URL}?age_to=30"))) == {"岁甲", "岁乙"}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("age_from=40&age_to=30", "The end lies before the beginning: exchange them."),
        ("joined_on_from=2022-01-01&joined_on_to=2021-01-01", "The end lies before the beginning: exchange them."),
        ("joined_on_from=昨天", "Enter a date like 2019-03-05."),
        ("age_from=-1", "0"),
        ("age_from=很老", "whole number"),
    ],
)
def test_a_range_that_cannot_be_is_one_sentence(four, street, client_of, query, sentence):
    response = client_of(street).get(f"{URL}?{query}", headers={"Accept-Language": "en"})
    assert names_in(response) == []
    [fault] = response.context["filter_errors"]
    assert sentence in fault


def test_a_range_in_force_is_one_chip_and_is_carried_on(four, street, client_of):
    response = client_of(street).get(f"{URL}?age_from=20&sex=F")
    assert len(response.context["chips"]) == 2
    text = response.content.decode()
    assert '<input type="hidden" name="age_from" value="20"' in text
    assert '<input type="hidden" name="sex" value="F"' in text


def test_every_order_and_its_reverse(tree, four, street, client_of):
    client = client_of(street)
    assert names_in(client.get(f"{URL}?sort=name")) == ["钱芳", "单小芳", "赵建国"]  # qián, shàn, zhào
    assert names_in(client.get(f"{URL}?sort=-name")) == ["赵建国", "单小芳", "钱芳"]
    assert names_in(client.get(f"{URL}?sort=joined_on")) == ["赵建国", "单小芳", "钱芳"]  # without a date last
    assert names_in(client.get(f"{URL}?sort=age")) == ["单小芳", "钱芳", "赵建国"]  # the youngest first
    assert names_in(client.get(f"{URL}?sort=-age")) == ["赵建国", "钱芳", "单小芳"]
    assert names_in(client.get(f"{URL}?sort=union")) == ["单小芳", "赵建国", "钱芳"]


def test_one_union_alone_stands_in_the_order_of_pinyin(tree, four, enterprise, street, client_of):
    assert names_in(client_of(enterprise).get(URL)) == ["单小芳", "赵建国"]
    response = client_of(street).get(f"{URL}?union={tree.enterprise.pk}")
    assert names_in(response) == ["单小芳", "赵建国"]
    assert response.context["table"].sorts["name"]["direction"] == "ascending"
    assert client_of(street).get(URL).context["table"].sorts["union"]["direction"] == "ascending"


def test_an_order_no_index_serves_ends_at_the_cap_and_says_so(four, street, client_of, monkeypatch):
    monkeypatch.setattr(MemberList, "sort_cap", 2)
    client = client_of(street)
    response = client.get(f"{URL}?sort=age")
    assert response.context["too_many"]
    assert names_in(response) == ["单小芳", "赵建国", "钱芳"]  # union by union
    assert set(response.context["table"].sorts) == {"union"}
    narrowed = client.get(f"{URL}?sort=age&sex=F")
    assert not narrowed.context["too_many"]
    assert names_in(narrowed) == ["单小芳", "钱芳"]


@pytest.mark.parametrize("sort", ["union", "name", "-name", "joined_on", "-joined_on", "age"])
def test_pages_lose_no_row_in_any_order(tree, street, client_of, monkeypatch, sort):
    monkeypatch.setattr(MemberList, "page_size", 2)
    for sequence in range(7):
        union = tree.sibling if sequence % 3 else tree.enterprise
        joined_on = None if sequence % 2 else date(2020, 1, 1)
        member(union, name="李喆" if sequence < 4 else "李哲", id_number=number(sequence), joined_on=joined_on)
    client = client_of(street)
    seen, url = [], f"{URL}?sort={sort}"
    while url:
        response = client.get(url)
        seen += [row.record.pk for row in response.context["table"].rows]
        url = response.context["following"]
    assert sorted(seen) == sorted(Membership.objects.values_list("pk", flat=True))


def test_columns_are_those_chosen_and_the_name_always(four, street, client_of):
    client = client_of(street)

    def columns(query):
        return [column.name for column in client.get(f"{URL}?{query}").context["table"].columns]

    assert columns("") == [*MemberList.default_columns]
    assert columns("columns=department&columns=age") == ["name", "age", "department"]
    assert columns("columns=id_number&columns=password") == [*MemberList.default_columns]
    response = client.get(f"{URL}?columns=age&sex=F")
    assert "columns=age" in response.context["chips"][0]["without"]
    assert "columns=age" in response.context["table"].sorts["name"]["url"]


def test_no_column_shows_a_number_in_clear(four, street, client_of):
    text = client_of(street).get(f"{URL}?columns=*").content.decode()
    assert ZHAO not in text
    assert "13800131234" not in text
    assert "2104**********0017" in text


PARAMETERS = [
    "union", "union_from", "union_text", "state", "sex", "employment", "occupation_group", "department", "age_from",
    "age_to", "joined_on_from", "joined_on_to", "skill_level", "migrant_worker", "no_phone", "never_verified", "after",
    "before", "sort", "columns", "plain", "id", "pk", "person", "membership", "union__path",
]  # fmt: skip


def test_a_foreign_value_in_any_parameter_shows_nothing_foreign(tree, four, street, client_of):
    """R23: whatever stands in the address, the rows are of my scope, and no name of a foreign union appears."""
    foreign = member(tree.neighbour_enterprise, name="孙立", id_number=number(9), department="二车间")
    client = client_of(street)
    union = tree.neighbour_enterprise
    for name in PARAMETERS:
        for value in (foreign.pk, union.pk, union.path, "孙立"):
            response = client.get(URL, {"state": "every", name: value})
            assert response.status_code == 200, (name, value)
            shown = [row.record.union.path for row in response.context["table"].rows]
            assert all(path.startswith(tree.street.path) for path in shown), (name, value)
            assert union.name not in response.content.decode(), (name, value)


def test_states_offered_are_those_of_the_model(four, street, client_of):
    drawn = client_of(street).get(URL).context["filters"]["first"][1]["drawn"]
    assert all(f'<option value="{state}">' in drawn for state in MembershipState.values)


def test_a_union_too_large_to_be_sorted_opens_by_the_latest_enrolled(tree, four, enterprise, client_of, monkeypatch):
    monkeypatch.setattr(MemberList, "sort_cap", 1)
    response = client_of(enterprise).get(URL)
    assert not response.context["too_many"]  # nobody asked for an order
    assert response.context["table"].sorts["union"]["direction"] == "ascending"


def test_rows_beyond_the_cap_are_counted_when_asked_for(four, street, client_of, monkeypatch):
    monkeypatch.setattr(MemberList, "count_cap", 2)
    client = client_of(street)
    first = client.get(f"{URL}?sort=union")
    assert (first.context["count"], first.context["count_capped"]) == (2, True)
    whole = client.get(first.context["count_url"])
    assert (whole.context["count"], whole.context["count_capped"]) == (3, False)
    assert names_in(whole) == names_in(first)
    assert "count=" not in whole.context["request_query"]  # a saved view counts no million


def test_few_hits_stand_in_every_order_on_every_page(four, street, client_of, monkeypatch):
    """Filtered rows are found by their keys when they are few: the same rows in the same order as without."""
    client = client_of(street)
    for sort in MemberList.orders:
        found = names_in(client.get(f"{URL}?sort={sort}&sex=F"))
        with monkeypatch.context() as patch:
            patch.setattr(MemberList, "count_cap", 0)
            patch.setattr(MemberList, "heavy_orders", ())
            assert names_in(client.get(f"{URL}?sort={sort}&sex=F")) == found

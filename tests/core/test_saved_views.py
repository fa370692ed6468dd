"""Saved views: what is kept of a list's address and what is not, the default one, and that each user's are his own."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from core import saved_views
from core.models import SavedView
from core.pages import PLAIN
from tests.members.people import QIAN, member

URL = reverse("member_list")


def keep(user, query, name="女会员", **facts):
    return saved_views.save(by=user, page="member_list", name=name, query=query, **facts)[0]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("sex=F&state=&after=7&plain=1", "sex=F"),
        ("state=RETAINED&sex=F&sort=-age", "state=RETAINED&sex=F&sort=-age"),
        ("columns=state&columns=age&sex=F", "sex=F&columns=name&columns=age&columns=state"),
        ("sex=F&sort=password&columns=password&csrf=1", "sex=F"),
        ("age_from=20&age_to=30", "age_from=20&age_to=30"),
        ("age_from=30&age_to=20&sex=F", "sex=F"),  # a filter that cannot be applied
        ("union=8&sex=F", "sex=F"),  # a union of others
        ("union=4&sex=F", "union=4&sex=F"),
        ("union_text=赵建国&department=赵建国&sex=F", "sex=F"),  # whatever is typed may be a name
    ],
)
def test_what_is_kept_of_an_address(tree, street, query, kept):
    assert keep(street, query).query == kept


@pytest.mark.parametrize(
    ("name", "query", "sentence"),
    [
        ("", "sex=F", "请给视图起个名称。"),
        ("　 ", "sex=F", "请给视图起个名称。"),
        ("好" * 51, "sex=F", "视图名称最多 50 个字，请缩短。"),
        ("13800131234的", "sex=F", "视图名称中不能写任何人的证件号码或手机号。"),
        ("空", "", "没有可保存的内容：请先设置筛选、排序或列。"),
        ("空", "union_text=赵", "没有可保存的内容：请先设置筛选、排序或列。"),
    ],
)
def test_a_refusal_is_one_sentence(tree, street, name, query, sentence):
    with pytest.raises(ValidationError) as refusal:
        keep(street, query, name=name)
    assert refusal.value.messages == [sentence]
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("page", ["desk", "search", "no_such", "", "member_page", "account_login", "import_list"])
def test_only_lists_that_i_may_see_have_views(tree, nobody, page):
    with pytest.raises(ValidationError):
        saved_views.save(by=nobody, page=page, name="甲", query="sex=F")
    with pytest.raises(ValidationError):
        saved_views.save(by=nobody, page="member_list", name="甲", query="sex=F")


def test_the_same_name_again_replaces_and_there_are_only_so_many(tree, street, monkeypatch):
    monkeypatch.setattr(saved_views, "MOST", 2)
    keep(street, "sex=F"), keep(street, "sex=M"), keep(street, "sex=M", name="乙")
    assert [*SavedView.objects.values_list("name", "query")] == [("乙", "sex=M"), ("女会员", "sex=M")]
    with pytest.raises(ValidationError):
        keep(street, "sex=M", name="丙")
    keep(street, "sex=F", name="乙")


def test_from_the_list_to_a_chip_and_back(tree, street, client_of):
    member(tree.enterprise)
    qian = member(tree.enterprise, name="钱芳", id_number=QIAN)
    client = client_of(street)
    assert client.get(URL).context["views"] == []
    answer = client.post(
        reverse("saved_view_save"), {"page": "member_list", "query": "sex=F&columns=age", "name": " 女 会员 "}
    )
    assert answer.url == f"{URL}?sex=F&columns=name&columns=age"
    shown = client.get(answer.url)
    assert [(str(each["label"]), each["on"]) for each in shown.context["views"]][1:] == [("女 会员", True)]
    assert [row.record for row in shown.context["table"].rows] == [qian]
    assert [each["on"] for each in client.get(f"{URL}?sex=M").context["views"]] == [False, False]
    view = SavedView.objects.get()
    assert client.post(reverse("saved_view_delete", args=[view.pk])).url == answer.url
    assert client.get(URL).context["views"] == []


def test_the_default_view_opens_in_place_of_the_bare_list(tree, street, client_of):
    client = client_of(street)
    first = keep(street, "sex=F", default=True)
    second = keep(street, "sex=M", name="男会员")
    assert client.get(URL).url == f"{URL}?sex=F"
    page = client.get(f"{URL}?sex=F")
    assert page.context["chips"][0]["without"] == f"{URL}?{PLAIN}=1"  # and not the bare address, which leads back here
    assert client.get(f"{URL}?{PLAIN}=1").status_code == 200
    client.post(reverse("saved_view_default", args=[second.pk]))
    assert client.get(URL).url == f"{URL}?sex=M"
    client.post(reverse("saved_view_default", args=[second.pk]))
    assert client.get(URL).status_code == 200
    assert SavedView.objects.filter(is_default=True).count() == 0
    assert SavedView.objects.get(pk=first.pk).query == "sex=F"


def test_a_refused_view_leads_back_to_the_list_with_the_sentence(tree, street, client_of):
    client = client_of(street)
    answer = client.post(reverse("saved_view_save"), {"page": "union_list", "query": "kind=STREET", "name": ""})
    assert answer.url == "/unions/?kind=STREET"
    answer = client.post(reverse("saved_view_save"), {"page": "//evil.example", "query": "kind=STREET", "name": "甲"})
    assert answer.url == reverse("desk")


def test_views_are_their_users_own(tree, street, neighbour, client_of):
    view = keep(street, "sex=F", default=True)
    theirs = client_of(neighbour)
    assert theirs.get(URL).context["views"] == []
    for name in ("saved_view_delete", "saved_view_default"):
        assert theirs.post(reverse(name, args=[view.pk])).status_code == 404
    assert SavedView.objects.get().is_default


def test_every_list_of_the_portal_can_keep_views(tree, city, client_of):
    """Wherever a list has filters, columns or orders to keep."""
    client = client_of(city)
    for page, query in (
        ("union_list", "kind=STREET"),
        ("term_list", "state=overdue"),
        ("paper_list", "state=valid"),
        ("job_list", "state=done"),
    ):
        view, left_out = saved_views.save(by=city, page=page, name="甲", query=query)
        assert (view.query, left_out) == (query, False)
        assert client.get(f"{reverse(page)}?{query}").context["views"][1]["on"]

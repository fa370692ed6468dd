"""Forms: how people type dates and numbers, what an edit changed, and the page when somebody else was faster."""

from datetime import date

import pytest
from django import forms
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from core.conflicts import Conflict, check_version, conflict_page
from core.forms import DateField, IntegerField, PortalModelForm, VersionedForm, portal_field
from unions.models import Union


class EditForm(VersionedForm, PortalModelForm):
    class Meta:
        model = Union
        fields = ["name", "kind", "founded_on", "employees", "legal_person"]
        formfield_callback = portal_field


@pytest.mark.parametrize(
    "typed",
    [
        "2019-03-05",
        "2019/3/5",
        "2019.3.5",
        "20190305",
        "2019年3月5日",
        "2019 年 3 月 5 日",
        "２０１９－０３－０５",
        " 2019-3-05\n",
    ],
)
def test_date_is_read_however_it_is_typed(typed):
    assert DateField().clean(typed) == date(2019, 3, 5)


@pytest.mark.parametrize(
    "typed", ["2019-02-30", "2019", "201935", "05/03/2019", "43529", "2019-3-5-1", "明天", "0000-01-01"]
)
def test_damaged_date_is_refused_with_an_example(typed):
    with pytest.raises(forms.ValidationError, match="2019-03-05"):
        DateField().clean(typed)


@given(st.dates())
def test_every_date_is_read_back_as_it_is_shown(day):
    field = DateField()
    assert field.clean(field.prepare_value(day)) == day


@pytest.mark.parametrize(("typed", "number"), [("１２３", 123), ("1,204", 1204), (" 7 ", 7), ("", None)])
def test_number_is_read_in_full_width_and_with_separators(typed, number):
    assert IntegerField(required=False).clean(typed) == number


def sent(form, **changes):
    """Return what a browser would post for a form drawn unbound: its fields with their initial values, changed."""
    data = QueryDict(mutable=True)
    data["version"] = form["version"].value()
    for bound in form.visible_fields():
        for name in (bound.html_initial_name, bound.html_name):
            value = bound.field.prepare_value(bound.value())
            if value not in (None, False):
                data[name] = "on" if value is True else value
    for name, value in changes.items():
        data.pop(name, None) if value is None else data.__setitem__(name, value)
    return data


def test_drawn_form_carries_version_and_what_it_showed(tree):
    html = str(EditForm(instance=tree.enterprise))
    assert '<input type="hidden" name="version" value="1" id="id_version">' in html
    assert f'<input type="hidden" name="initial-name" value="{tree.enterprise.name}"' in html
    assert 'autocomplete="off"' in html


def test_edit_hands_over_only_what_was_changed(tree):
    form = EditForm(instance=tree.enterprise)
    bound = EditForm(sent(form, employees="1,200", founded_on="2001年2月3日"), instance=tree.enterprise)
    assert bound.is_valid()
    assert bound.changes() == {"employees": 1200, "founded_on": date(2001, 2, 3)}


def test_error_stands_at_its_field_and_in_the_summary(tree):
    form = EditForm(sent(EditForm(instance=tree.enterprise), name="", founded_on="x"), instance=tree.enterprise)
    html = str(form)
    assert '<a href="#id_name">' in html
    assert '<a href="#id_founded_on">' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_founded_on_error"' in html


def test_check_version_lets_the_version_of_the_edit_pass_and_no_other(tree):
    check_version(tree.enterprise, 1)
    with pytest.raises(Conflict) as conflict:
        check_version(tree.enterprise, 0)
    assert conflict.value.current == tree.enterprise


@pytest.fixture
def late_edit(tree, rf, street):
    """A form opened before somebody else set the employees and the name, sent after; I set the name and the date."""
    opened = EditForm(instance=tree.enterprise)
    data = sent(opened, name="恒达重工工会", founded_on="2001-02-03")
    theirs = Union.objects.get(pk=tree.enterprise.pk)
    theirs.employees, theirs.name, theirs.legal_person, theirs.version = 88, "恒达机器工会", True, 2
    theirs.save()
    form = EditForm(data, instance=Union.objects.get(pk=tree.enterprise.pk))
    assert form.is_valid()
    request = rf.post("/unions/4/edit/", data)
    request.user = street
    return form, theirs, conflict_page(request, form, Conflict(theirs), back_url="/unions/4/")


def test_conflict_page_shows_before_theirs_and_mine(tree, late_edit):
    _form, _theirs, response = late_edit
    html = response.content.decode()
    assert response.status_code == 409
    for text in (tree.enterprise.name, "恒达机器工会", "恒达重工工会", "88", 'href="/unions/4/"'):
        assert text in html
    assert html.count('<span class="badge soon">') == 1  # the name alone was changed by both


def test_saving_again_from_the_conflict_page_lays_mine_over_theirs(late_edit):
    form, theirs, _response = late_edit
    again = EditForm(form.data, instance=theirs)
    assert again.is_valid()
    assert again.cleaned_data["version"] == 2
    assert again.changes() == {"name": "恒达重工工会", "founded_on": date(2001, 2, 3)}
    assert again.cleaned_data["employees"] == 88
    assert again.cleaned_data["legal_person"] is True

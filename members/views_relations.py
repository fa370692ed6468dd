"""Pages on which an officer declares what recusal is found from: the own person, relatives and employers."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from core.forms import add_refusal
from members import relations
from members.models import AccountHolder, EmployerSpell, Kinship
from members.relations_forms import EmployerForm, KinForm, OwnPersonForm

FORMS = (OwnPersonForm, KinForm, EmployerForm)


def _declare(user, form):
    """Store what one form declares."""
    facts = form.cleaned_data
    if form.act == "person":
        relations.hold_by_number(user, by=user, name=facts["name"], number=facts["id_number"])
    elif form.act == "kin":
        relations.declare_kin(user, by=user, kind=facts["kind"], name=facts["name"], number=facts["id_number"])
    else:
        relations.declare_employer(user, by=user, **facts)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def my_relations(request):
    """What I declared, and the forms to declare more; `act` says which form was sent."""
    user, sent = request.user, request.POST.get("act", "") if request.method == "POST" else ""
    forms = {form.act: form(request.POST if form.act == sent else None, prefix=form.act) for form in FORMS}
    form = forms.get(sent)
    if form and form.is_valid():
        try:
            _declare(user, form)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Declared. It counts from now on."))
            return redirect("my_relations")
    context = {
        "forms": forms,
        "holder": AccountHolder.objects.select_related("person").filter(user=user).first(),
        "kin": Kinship.objects.filter(user=user),
        "employers": EmployerSpell.objects.filter(user=user).select_related("union"),
    }
    return render(request, "members/my_relations.html", context)


@require_POST
def kin_end(request, kinship_pk):
    """End a declared relation."""
    return _end(request, get_object_or_404(Kinship, pk=kinship_pk, user=request.user), relations.end_kin)


@require_POST
def employer_end(request, employerspell_pk):
    """End a declared employment today."""
    row = get_object_or_404(EmployerSpell, pk=employerspell_pk, user=request.user)
    return _end(request, row, relations.end_employer)


def _end(request, row, end):
    try:
        end(row, by=request.user)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
    else:
        messages.success(request, _("Ended. What was declared is kept."))
    return redirect("my_relations")

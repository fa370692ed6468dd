"""Pages on which what happens to a union between two elections is recorded: each one form, one act, one event."""

from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.forms import add_refusal
from core.scope import needs, visible_or_404
from unions import actions, offices
from unions.forms_events import (
    ByElectionForm,
    CertificateForm,
    ExtensionForm,
    RemovalForm,
    RenameForm,
    ReplacementForm,
)
from unions.models import Officer
from unions.views import the_union


@dataclass(frozen=True)
class Act:
    """What the page of an act says: its title, the button, the rule in one sentence, and that it is done."""

    title: str
    button: str
    sentence: str
    done: str


def record(request, union, form, do, act, *, refusal="", about=""):
    """Show the form of an act, or do it: `do(**facts)`. With a `refusal` there is only its sentence."""
    if not refusal and form.is_valid():
        try:
            do(by=request.user, **form.cleaned_data)
        except ValidationError as fault:
            add_refusal(form, fault)
        else:
            messages.success(request, act.done)
            return redirect("union_page", union.pk)
    context = {"union": union, "form": form, "act": act, "refusal": refusal, "about": about or union.name}
    return render(request, "unions/act.html", context)


def the_officer(request, pk):
    officers = Officer.objects.select_related("committee__union__parent")
    return visible_or_404(officers, request.user, "unions.change_officer", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.change_union")
def union_rename(request, union_pk):
    """Give a union a new name."""
    union = the_union(request, union_pk, "unions.change_union")
    act = Act(
        title=_("Rename the union"),
        button=_("Rename"),
        sentence=_("The old name stays in the timeline and is still found by the search. A slip of the pen too."),
        done=_("The new name is stored."),
    )
    form = RenameForm(request.POST or None, initial={"name": union.name})
    do = partial(actions.rename_union, union)
    return record(request, union, form, do, act, refusal=actions.why_not_standing(union))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.change_union")
def union_certificate(request, union_pk):
    """Record the legal-person certificate that was issued."""
    union = the_union(request, union_pk, "unions.change_union")
    act = Act(
        title=_("Record the legal-person certificate"),
        button=_("Record the certificate"),
        sentence=_("It runs with the term: after an election, and when name, address or chair change, it is renewed."),
        done=_("The certificate is recorded."),
    )
    form = CertificateForm(request.POST or None, union=union)
    do = partial(actions.record_certificate, union)
    return record(request, union, form, do, act, refusal=actions.why_not_standing(union))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.elect_union")
def committee_extend(request, union_pk):
    """Record that the term was extended."""
    union = the_union(request, union_pk, "unions.elect_union")
    act = Act(
        title=_("Extend the term"),
        button=_("Record the extension"),
        sentence=_("Only with the approval of the higher union, and once. Reminders go by the extended end."),
        done=_("The extension is recorded."),
    )
    form = ExtensionForm(request.POST or None, union=union)
    do = partial(offices.extend_term, union)
    return record(request, union, form, do, act, refusal=offices.why_no_extension(union))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.add_officer")
def by_election(request, union_pk):
    """Record a by-election into a vacant office."""
    union = the_union(request, union_pk, "unions.add_officer")
    act = Act(
        title=_("Record a by-election"),
        button=_("Record the by-election"),
        sentence=_("A vacant office of the committee in office is filled by a vote; the term stays as it is."),
        done=_("The by-election is recorded."),
    )
    form = ByElectionForm(request.POST or None, union=union)
    do = partial(offices.by_elect, union)
    return record(request, union, form, do, act, refusal=offices.why_no_by_election(union))


def _about(officer):
    return f"{officer.name} · {officer.get_position_display()} · {officer.committee.union.name}"


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.change_officer")
def officer_replace(request, officer_pk):
    """Record that the next candidate moved up into an office."""
    officer = the_officer(request, officer_pk)
    act = Act(
        title=_("The next candidate moves up"),
        button=_("Record the replacement"),
        sentence=_("Whoever had the next number of votes takes the office; whoever holds it leaves it on that day."),
        done=_("The replacement is recorded."),
    )
    form = ReplacementForm(request.POST or None)
    do = partial(offices.replace_officer, officer)
    refusal = offices.why_no_replacement(officer)
    return record(request, officer.committee.union, form, do, act, refusal=refusal, about=_about(officer))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unions.change_officer")
def officer_remove(request, officer_pk):
    """Record that a meeting removed an officer."""
    officer = the_officer(request, officer_pk)
    act = Act(
        title=_("Removal from office"),
        button=_("Record the removal"),
        sentence=_("More than half of all members or delegates must be in favour, not of those present (article 18)."),
        done=_("The removal is recorded."),
    )
    form = RemovalForm(request.POST or None)
    do = partial(offices.remove_officer, officer)
    refusal = offices.why_no_removal(officer)
    return record(request, officer.committee.union, form, do, act, refusal=refusal, about=_about(officer))

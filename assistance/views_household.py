"""The household on a case's page, the list of cases, and the pages on which a household is entered."""

from decimal import Decimal

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from assistance import consents, households
from assistance.eligibility import EXCLUSIONS
from assistance.filters import HardshipFilter
from assistance.forms_household import (
    MASKED,
    ApplyForm,
    ChangeHouseholdForm,
    ConsentForm,
    ReasonForm,
    UploadForm,
)
from assistance.models import HardshipCase, UploadKind
from assistance.moves import OPEN_STATES
from assistance.tables import HardshipTable
from core import uploads
from core.conflicts import Conflict, conflict_page
from core.drafts import drafted
from core.fields import holds
from core.forms import add_refusal
from core.models import Upload
from core.pages import ListPage
from core.scope import needs, visible_or_404
from members.models import Membership
from unions.views import my_unions

ROWS = HardshipCase.objects.select_related("file__person", "union", "membership__person").prefetch_related("people")
MEMBERSHIPS = Membership.objects.select_related("person", "union")
PAPERS = Upload.objects.filter(subject_type=HardshipCase._meta.label_lower).select_related("union")


class HardshipList(ListPage):
    """The cases in scope, the latest first."""

    queryset = HardshipCase.objects.select_related("file__person", "union")
    permission = "assistance.view_hardshipcase"
    table_class = HardshipTable
    filterset_class = HardshipFilter
    orders = {
        "latest": ("-pk",),
        "applied_on": ("applied_on",),
        "review_on": ("review_on",),
        "per_capita": ("per_capita",),
    }
    heavy_orders = ("applied_on", "review_on", "per_capita")
    default_columns = ("name", "number", "union", "applied_on", "category", "per_capita", "cause", "review_on", "state")
    export_kind = "hardship"
    title = gettext_lazy("Hardship cases")
    template_name = "assistance/hardship_list.html"
    empty = gettext_lazy("No hardship case yet. It begins on the page of a member: «apply for hardship help».")

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


hardship_list = HardshipList.as_view()


# --- On the case's page ----------------------------------------------------------------------------------------------


def part(request, case):
    """Return what the case page shows of the household."""
    people = list(case.people.prefetch_related("incomes", "expenses"))
    given = list(case.consents.select_related("of").order_by("withdrawn_at", "id"))
    may_change = request.user.has_perm(households.CHANGE, case)
    open_to = consents.not_given(case) if may_change and case.state in OPEN_STATES else []
    return {
        "household": [
            {
                "person": person,
                "ill": holds(person, "health"),
                "incomes": person.incomes.all(),
                "expenses": person.expenses.all(),
            }
            for person in people
        ],
        "incomes_total": sum((row.amount for each in people for row in each.incomes.all()), Decimal(0)),
        "expenses_total": sum((row.amount for each in people for row in each.expenses.all()), Decimal(0)),
        "sealed": {name: holds(case, name) for name in MASKED},
        "exclusions": [EXCLUSIONS[flag] for flag in case.flags if flag in EXCLUSIONS],
        "consents": given,
        "documents": [(row, _label(row.kind)) for row in Upload.objects.of(case).select_related("uploaded_by")],
        "why_not_change": households.why_not_change(case),
        "may_change": may_change,
        "may_reveal": request.user.has_perm(households.REVEAL, case),
        "reveal_form": ReasonForm(),
        "consent_form": ConsentForm(open_to=open_to) if open_to else None,
        "upload_form": UploadForm() if may_change and case.state in OPEN_STATES else None,
    }


def _label(kind):
    return UploadKind(kind).label if kind in UploadKind.values else kind


def back(case):
    return redirect("hardship_page", hardshipcase_pk=case.pk)


def _tell(request, refusal):
    for sentence in refusal.messages:
        messages.error(request, sentence)


# --- Entering --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("assistance.add_hardshipcase")
@drafted
def hardship_apply(request, membership_pk):
    """Open a hardship case for a member: one sheet, filled in with what the register knows."""
    membership = visible_or_404(MEMBERSHIPS, request.user, households.ADD, pk=membership_pk)
    form = ApplyForm(
        request.POST or None, membership=membership, draft=request.draft, initial=households.prefill(membership)
    )
    if form.is_valid():
        try:
            case = households.apply(by=request.user, membership=membership, **form.taken())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The application is entered as a draft. Add papers and consents, then submit."))
            return back(case)
    refusal = households.why_not_apply(membership, by=request.user)
    context = {
        "form": form, "refusal": refusal, "title": _("Apply for hardship help"), "who": membership.person,
        "union": membership.union, "back_url": reverse("member_page", args=[membership.pk]),
    }  # fmt: skip
    return render(request, "assistance/household_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("assistance.change_hardshipcase")
@drafted
def hardship_edit(request, hardshipcase_pk):
    """Change what is known of the household."""
    case = visible_or_404(ROWS, request.user, households.CHANGE, pk=hardshipcase_pk)
    form = ChangeHouseholdForm(request.POST or None, instance=case, draft=request.draft)
    back_url = reverse("hardship_page", args=[case.pk])
    if form.is_valid():
        try:
            households.change(case, by=request.user, version=form.cleaned_data["version"], **form.taken())
        except Conflict as conflict:
            return conflict_page(request, form, conflict, back_url=back_url)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The changes are stored."))
            return back(case)
    context = {
        "form": form, "refusal": households.why_not_change(case), "title": _("Change the household"),
        "who": case.file.person, "union": case.union, "back_url": back_url,
    }  # fmt: skip
    return render(request, "assistance/household_form.html", context)


@require_POST
@never_cache
@needs("assistance.reveal_hardshipcase")
def hardship_reveal(request, hardshipcase_pk):
    """Show what is sealed in clear on this one answer: logged, kept nowhere, gone when the page is left."""
    case = visible_or_404(ROWS, request.user, households.REVEAL, pk=hardshipcase_pk)
    form = ReasonForm(request.POST)
    clear = None
    if form.is_valid():
        try:
            clear = households.reveal(case, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            add_refusal(form, refusal)
    return render(request, "assistance/household_clear.html", {"case": case, "form": form, "clear": clear})


@require_POST
@needs("assistance.change_hardshipcase")
def hardship_consent(request, hardshipcase_pk):
    """Record what was signed, or a withdrawal."""
    case = visible_or_404(ROWS, request.user, households.CHANGE, pk=hardshipcase_pk)
    try:
        if withdrawn := request.POST.get("withdraw", ""):
            if not (withdrawn.isascii() and withdrawn.isdigit() and len(withdrawn) < 19):
                return back(case)
            consents.withdraw(case, by=request.user, consent_pk=int(withdrawn))
            messages.success(request, _("The consent is withdrawn."))
            return back(case)
        form = ConsentForm(request.POST, open_to=consents.not_given(case))
        if form.is_valid():
            consents.give(case, by=request.user, given=form.pairs(), on=form.cleaned_data["on"])
            messages.success(request, _("The consents are recorded with their text."))
        else:
            messages.error(request, " ".join(said for errors in form.errors.values() for said in errors))
    except ValidationError as refusal:
        _tell(request, refusal)
    return back(case)


# --- Papers ----------------------------------------------------------------------------------------------------------


@require_POST
@needs("assistance.change_hardshipcase")
def hardship_upload(request, hardshipcase_pk):
    """Keep one paper with the case."""
    case = visible_or_404(ROWS, request.user, households.CHANGE, pk=hardshipcase_pk)
    form = UploadForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            messages.error(request, " ".join(said for errors in form.errors.values() for said in errors))
        elif case.state not in OPEN_STATES:
            messages.error(request, _("This case is closed: nothing is added to it."))
        else:
            kind = form.cleaned_data["kind"]
            uploads.keep(form.cleaned_data["file"], subject=case, union=case.union, kind=kind, by=request.user)
            messages.success(request, _("The paper is kept with the case."))
    except ValidationError as refusal:
        _tell(request, refusal)
    return back(case)


@require_safe
@never_cache
@needs("assistance.view_hardshipcase")
def hardship_document(request, upload_pk):
    """One kept paper, always as a download, never inside our page; looking is an event."""
    row = visible_or_404(PAPERS, request.user, "assistance.view_hardshipcase", pk=upload_pk)
    try:
        file = uploads.open_file(row, by=request.user)
    except ValidationError as refusal:
        _tell(request, refusal)
        return redirect("hardship_page", hardshipcase_pk=row.subject_id)
    name = f"{row.subject_id}-{row.pk}.{row.suffix}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=row.content_type)


@require_POST
@needs("assistance.change_hardshipcase")
def hardship_document_remove(request, upload_pk):
    """Take a paper away that was handed in by mistake, while the household may be changed."""
    row = visible_or_404(PAPERS, request.user, "assistance.view_hardshipcase", pk=upload_pk)
    case = visible_or_404(ROWS, request.user, "assistance.view_hardshipcase", pk=row.subject_id)
    if not request.user.has_perm(households.CHANGE, case):
        raise PermissionDenied(_("You may see this, but your role here does not include this act."))
    form = ReasonForm(request.POST)
    if refusal := households.why_not_change(case):
        messages.error(request, refusal)
    elif not form.is_valid():
        messages.error(request, " ".join(said for errors in form.errors.values() for said in errors))
    else:
        try:
            uploads.remove(row, by=request.user, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            _tell(request, refusal)
        else:
            messages.success(request, _("The paper is taken away."))
    return back(case)

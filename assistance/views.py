"""The page of a hardship case, put together from its parts: household, flow, publicity, money."""

from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assistance import views_flow, views_household, views_money, views_publicity
from assistance.models import HardshipCase
from core.scope import needs, visible_or_404

ROWS = HardshipCase.objects.select_related("file__person", "union", "membership__person", "previous").prefetch_related(
    "people"
)
PARTS = (views_household.part, views_flow.part, views_publicity.part, views_money.part)


def the_case(request, pk, perm):
    """The case in scope, or 404; 403 where the role does not reach."""
    return visible_or_404(ROWS, request.user, perm, pk=pk)


def show(request, case, **bound):
    """Answer with the page of a case; `bound`: the form of the flow that was refused."""
    applicant = next((each for each in case.people.all() if each.kin == "SELF"), case.file.person)
    context = {"case": case, "file": case.file, "applicant": applicant}
    for part in PARTS:
        context |= part(request, case, **(bound if part is views_flow.part else {}))
    return render(request, "assistance/case_page.html", context)


@require_safe
@never_cache
@needs("assistance.view_hardshipcase")
def hardship_page(request, hardshipcase_pk):
    """One case: the household, what was decided and why, what can be done next, what was published and paid."""
    return show(request, the_case(request, hardshipcase_pk, "assistance.view_hardshipcase"))

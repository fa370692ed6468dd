"""Pages of jobs: what is being done, how far it is, and what came of it."""

from django.db.models import Q
from django.http import Http404
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.filters import JobFilter
from core.models import Job
from core.pages import ListPage
from core.scope import needs, reach
from core.tables import JobTable, job_badge


class JobList(ListPage):
    """The jobs in scope, the latest first; the slices of a paper are part of its job."""

    queryset = Job.objects.filter(paper_slice__isnull=True).select_related("union", "created_by")
    permission = "core.view_job"
    table_class = JobTable
    filterset_class = JobFilter
    orders = {"latest": ("-pk",)}
    title = _("Jobs")
    empty = _("No job yet. Imports and papers are made here.")


job_list = JobList.as_view()


@require_safe
@never_cache
@needs("core.view_job")
def job_page(request, job_pk):
    """One job, for those in scope and for whoever asked for it; the sheet renews itself until it is finished."""
    in_scope = reach(request.user, "core.view_job").condition("union__path")
    own = Q(created_by=request.user)
    job = Job.objects.select_related("union", "created_by").filter(in_scope | own, pk=job_pk).first()
    if job is None:
        raise Http404
    context = {"job": job, "badge": job_badge(job)}
    return render(request, "jobs/job_page.html#job" if request.htmx else "jobs/job_page.html", context)

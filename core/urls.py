"""Addresses of the floor: desk, search, jobs, papers, imports."""

from django.urls import path

from core.views import desk, imports, jobs, papers, public, search

urlpatterns = [
    path("", desk.desk, name="desk"),
    path("search/", search.search, name="search"),
    path("reminders/<int:reminder_pk>/read/", desk.reminder_read, name="reminder_read"),
    path("jobs/", jobs.job_list, name="job_list"),
    path("jobs/<int:job_pk>/", jobs.job_page, name="job_page"),
    path("papers/", papers.paper_list, name="paper_list"),
    path("papers/ask/<slug:kind>/", papers.paper_ask, name="paper_ask"),
    path("papers/<int:paper_pk>/", papers.paper_page, name="paper_page"),
    path("papers/<int:paper_pk>/download/", papers.paper_download, name="paper_download"),
    path("papers/<int:paper_pk>/replace/", papers.paper_replace, name="paper_replace"),
    path("papers/<int:paper_pk>/revoke/", papers.paper_revoke, name="paper_revoke"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/<slug:kind>/", imports.import_new, name="import_new"),
    path("imports/new/<slug:kind>/template/", imports.import_template, name="import_template"),
    path("imports/<int:importbatch_pk>/", imports.import_page, name="import_page"),
    path("imports/<int:importbatch_pk>/commit/", imports.import_commit, name="import_commit"),
    path("imports/<int:importbatch_pk>/discard/", imports.import_discard, name="import_discard"),
    path("p/<slug:token>/", public.paper_public, name="paper_public"),
]

"""Addresses of the floor: desk, search, jobs, papers, imports."""

from django.urls import path

from core.views import desk, search

urlpatterns = [
    path("", desk.desk, name="desk"),
    path("search/", search.search, name="search"),
    path("reminders/<int:reminder_pk>/read/", desk.reminder_read, name="reminder_read"),
]

"""Addresses of the floor: desk, search, jobs, papers, imports."""

from django.urls import path

urlpatterns = []

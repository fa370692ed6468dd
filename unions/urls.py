"""Addresses of unions, terms and officers."""

from django.urls import path

urlpatterns = []

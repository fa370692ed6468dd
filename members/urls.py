"""Addresses of members."""

from django.urls import path

urlpatterns = []

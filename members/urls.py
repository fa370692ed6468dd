"""Addresses of members."""

from django.urls import path

from members import views

urlpatterns = [
    path("members/", views.member_list, name="member_list"),
    path("members/add/", views.member_add, name="member_add"),
    path("members/<int:membership_pk>/", views.member_page, name="member_page"),
    path("members/<int:membership_pk>/edit/", views.member_edit, name="member_edit"),
    path("members/<int:membership_pk>/reveal/", views.member_reveal, name="member_reveal"),
]

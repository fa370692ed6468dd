"""Addresses of unions, terms and officers."""

from django.urls import path

from unions import views

urlpatterns = [
    path("unions/", views.union_list, name="union_list"),
    path("unions/tree/", views.union_tree, name="union_tree"),
    path("unions/<int:union_pk>/", views.union_page, name="union_page"),
    path("unions/<int:union_pk>/add/", views.union_add, name="union_add"),
    path("unions/<int:union_pk>/edit/", views.union_edit, name="union_edit"),
    path("unions/<int:union_pk>/election/", views.union_election, name="union_election"),
    path("unions/<int:union_pk>/election/correct/", views.election_correct, name="election_correct"),
    path("unions/<int:union_pk>/officers/add/", views.officer_add, name="officer_add"),
    path("officers/<int:officer_pk>/end/", views.officer_end, name="officer_end"),
    path("terms/", views.term_list, name="term_list"),
    path("roles/", views.role_list, name="role_list"),
]

"""Addresses of unions, terms and officers."""

from django.urls import path

from unions import views, views_accounts, views_checkup, views_events

urlpatterns = [
    path("unions/", views.union_list, name="union_list"),
    path("unions/tree/", views.union_tree, name="union_tree"),
    path("unions/<int:union_pk>/", views.union_page, name="union_page"),
    path("unions/<int:union_pk>/add/", views.union_add, name="union_add"),
    path("unions/<int:union_pk>/edit/", views.union_edit, name="union_edit"),
    path("unions/<int:union_pk>/election/", views.union_election, name="union_election"),
    path("unions/<int:union_pk>/election/correct/", views.election_correct, name="election_correct"),
    path("unions/<int:union_pk>/officers/add/", views.officer_add, name="officer_add"),
    path("unions/<int:union_pk>/by-election/", views_events.by_election, name="by_election"),
    path("unions/<int:union_pk>/certificate/", views_events.union_certificate, name="union_certificate"),
    path("unions/<int:union_pk>/extend/", views_events.committee_extend, name="committee_extend"),
    path("unions/<int:union_pk>/rename/", views_events.union_rename, name="union_rename"),
    path("officers/<int:officer_pk>/end/", views.officer_end, name="officer_end"),
    path("officers/<int:officer_pk>/remove/", views_events.officer_remove, name="officer_remove"),
    path("officers/<int:officer_pk>/replace/", views_events.officer_replace, name="officer_replace"),
    path("unions/<int:union_pk>/checkup/", views_checkup.union_checkup, name="union_checkup"),
    path("checkup/", views_checkup.checkup, name="checkup"),
    path("checkup/unions/", views_checkup.checkup_unions, name="checkup_unions"),
    path("checkup/findings/", views_checkup.finding_list, name="finding_list"),
    path("checkup/findings/<int:finding_pk>/mend/", views_checkup.finding_mend, name="finding_mend"),
    path("checkup/findings/<int:finding_pk>/again/", views_checkup.finding_again, name="finding_again"),
    path("checkup/findings/<int:finding_pk>/aside/", views_checkup.finding_aside, name="finding_aside"),
    path("terms/", views.term_list, name="term_list"),
    path("roles/", views.role_list, name="role_list"),
    path("roles/<int:appointment_pk>/end/", views_accounts.appointment_end, name="appointment_end"),
    path("users/", views_accounts.account_list, name="account_list"),
    path("users/invite/", views_accounts.account_invite, name="account_invite"),
    path("users/<int:user_pk>/", views_accounts.account_page, name="account_page"),
    path("users/<int:user_pk>/reset/", views_accounts.account_reset, name="account_reset"),
    path("users/<int:user_pk>/roles/", views_accounts.account_appoint, name="account_appoint"),
    path("users/<int:user_pk>/leave/", views_accounts.account_leave, name="account_leave"),
    path("users/<int:user_pk>/handover/", views_accounts.account_handover, name="account_handover"),
    path("users/<int:user_pk>/return/", views_accounts.account_return, name="account_return"),
]

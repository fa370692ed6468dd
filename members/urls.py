"""Addresses of members."""

from django.urls import path

from members import views, views_erasure, views_grid, views_merging, views_reorganising, views_states, views_transfers

urlpatterns = [
    path("members/", views.member_list, name="member_list"),
    path("members/add/", views.member_add, name="member_add"),
    path("members/grid/", views_grid.member_grid, name="member_grid"),
    path("members/grid/check/", views_grid.member_grid_check, name="member_grid_check"),
    path("members/<int:membership_pk>/", views.member_page, name="member_page"),
    path("members/<int:membership_pk>/edit/", views.member_edit, name="member_edit"),
    path("members/<int:membership_pk>/reveal/", views.member_reveal, name="member_reveal"),
    path("members/<int:membership_pk>/move/", views_states.membership_move, name="membership_move"),
    path("members/<int:membership_pk>/verify/", views_states.member_verify, name="member_verify"),
    path("members/<int:membership_pk>/suspect/", views_merging.pair_suspect, name="pair_suspect"),
    path("duplicates/", views_merging.pair_list, name="pair_list"),
    path("duplicates/<int:duplicatepair_pk>/", views_merging.pair_page, name="pair_page"),
    path("duplicates/<int:duplicatepair_pk>/merge/", views_merging.pair_merge, name="pair_merge"),
    path("duplicates/<int:duplicatepair_pk>/differ/", views_merging.pair_differ, name="pair_differ"),
    path("duplicates/merges/<int:personmerge_pk>/", views_merging.merge_page, name="merge_page"),
    path("duplicates/merges/<int:personmerge_pk>/undo/", views_merging.merge_undo, name="merge_undo"),
    path("unions/<int:union_pk>/move/", views_reorganising.union_move, name="union_move"),
    path("unions/<int:union_pk>/merge/", views_reorganising.union_merge, name="union_merge"),
    path("unions/<int:union_pk>/dissolve/", views_reorganising.union_dissolve, name="union_dissolve"),
    path("transfers/", views_transfers.transfer_list, name="transfer_list"),
    path("transfers/ask/", views_transfers.transfer_ask, name="transfer_ask"),
    path("transfers/<int:transfer_pk>/", views_transfers.transfer_page, name="transfer_page"),
    path("transfers/<int:transfer_pk>/move/", views_transfers.transfer_move, name="transfer_move"),
    path("members/<int:membership_pk>/erase/", views_erasure.member_erase, name="member_erase"),
    path("members/<int:membership_pk>/hold/", views_erasure.member_hold, name="member_hold"),
    path("erasures/", views_erasure.erasure_list, name="erasure_list"),
    path("erasures/<int:erasure_pk>/", views_erasure.erasure_page, name="erasure_page"),
    path("erasures/<int:erasure_pk>/move/", views_erasure.erasure_move, name="erasure_move"),
    path("imports/<int:importbatch_pk>/transfer/", views_transfers.transfer_from_row, name="transfer_from_row"),
    path("imports/<int:importbatch_pk>/transfers/", views_transfers.transfers_from_batch, name="transfers_from_batch"),
]

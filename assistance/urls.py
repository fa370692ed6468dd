"""Addresses of hardship assistance."""

from django.urls import path

from assistance import views, views_campaigns, views_flow, views_household, views_matching, views_money, views_publicity

urlpatterns = [
    path("hardship/<int:hardshipcase_pk>/", views.hardship_page, name="hardship_page"),
    # --- Household and application ---
    path("hardship/", views_household.hardship_list, name="hardship_list"),
    path("members/<int:membership_pk>/hardship/", views_household.hardship_apply, name="hardship_apply"),
    path("hardship/<int:hardshipcase_pk>/edit/", views_household.hardship_edit, name="hardship_edit"),
    path("hardship/<int:hardshipcase_pk>/reveal/", views_household.hardship_reveal, name="hardship_reveal"),
    path("hardship/<int:hardshipcase_pk>/consents/", views_household.hardship_consent, name="hardship_consent"),
    path("hardship/<int:hardshipcase_pk>/papers/", views_household.hardship_upload, name="hardship_upload"),
    path("hardship/papers/<int:upload_pk>/", views_household.hardship_document, name="hardship_document"),
    path(
        "hardship/papers/<int:upload_pk>/remove/",
        views_household.hardship_document_remove,
        name="hardship_document_remove",
    ),
    # --- Flow ---
    path("hardship/<int:hardshipcase_pk>/move/", views_flow.hardship_move, name="hardship_move"),
    path("hardship/<int:hardshipcase_pk>/paper/", views_flow.hardship_paper, name="hardship_paper"),
    # --- Publicity and match ---
    path("publicity/", views_publicity.publicity_list, name="publicity_list"),
    path("publicity/<int:publicity_pk>/proof/", views_publicity.publicity_proof, name="publicity_proof"),
    path("objections/", views_publicity.objection_list, name="objection_list"),
    path("objections/<int:objection_pk>/", views_publicity.objection_page, name="objection_page"),
    path("objections/<int:objection_pk>/reveal/", views_publicity.objection_reveal, name="objection_reveal"),
    path("match/", views_matching.match_list, name="match_list"),
    path("match/new/", views_matching.match_new, name="match_new"),
    path("match/<int:matchrequest_pk>/", views_matching.match_page, name="match_page"),
    path("match/<int:matchrequest_pk>/download/", views_matching.match_download, name="match_download"),
    path("match/<int:matchrequest_pk>/answer/", views_matching.match_answer, name="match_answer"),
    path("match/results/<int:matchanswer_pk>/", views_matching.match_explain, name="match_explain"),
    # --- Money and campaigns ---
    path("hardship/<int:hardshipcase_pk>/grant/", views_money.grant_ask, name="grant_ask"),
    path("grants/", views_money.grant_list, name="grant_list"),
    path("grants/<int:grant_pk>/", views_money.grant_page, name="grant_page"),
    path("grants/<int:grant_pk>/move/", views_money.grant_move, name="grant_move"),
    path("grants/<int:grant_pk>/sign/", views_money.grant_sign, name="grant_sign"),
    path("funds/", views_money.fundsource_list, name="fundsource_list"),
    path("funds/add/", views_money.fundsource_add, name="fundsource_add"),
    path("funds/<int:fundsource_pk>/", views_money.fundsource_page, name="fundsource_page"),
    path("funds/<int:fundsource_pk>/more/", views_money.fundsource_appropriate, name="fundsource_appropriate"),
    path("funds/<int:fundsource_pk>/allot/", views_money.fundsource_allot, name="fundsource_allot"),
    path("funds/<int:fundsource_pk>/batch/", views_money.batch_make, name="batch_make"),
    path("batches/", views_money.batch_list, name="batch_list"),
    path("batches/<int:paymentbatch_pk>/", views_money.batch_page, name="batch_page"),
    path("batches/<int:paymentbatch_pk>/send/", views_money.batch_send, name="batch_send"),
    path("batches/<int:paymentbatch_pk>/file/", views_money.batch_file, name="batch_file"),
    path("batches/<int:paymentbatch_pk>/return/", views_money.batch_return, name="batch_return"),
    path("batches/<int:paymentbatch_pk>/settle/", views_money.batch_settle, name="batch_settle"),
    path("campaigns/", views_campaigns.campaign_list, name="campaign_list"),
    path("campaigns/add/", views_campaigns.campaign_add, name="campaign_add"),
    path("campaigns/<int:campaign_pk>/", views_campaigns.campaign_page, name="campaign_page"),
    path("campaigns/<int:campaign_pk>/places/", views_campaigns.campaign_places, name="campaign_places"),
    path("campaigns/<int:campaign_pk>/enter/", views_campaigns.campaign_enter, name="campaign_enter"),
    path("campaigns/<int:campaign_pk>/close/", views_campaigns.campaign_close, name="campaign_close"),
]

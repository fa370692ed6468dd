"""Every address of the portal. Each app lists its own; public pages are opened one by one in their views."""

from allauth.account import views as account
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

# Of allauth only this: no sign-up, no e-mail pages, no password reset by mail (secadmin sets a new one).
account_urls = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]

urlpatterns = [
    path("", include("core.urls")),
    path("", include("unions.urls")),
    path("", include("members.urls")),
    path("", include("assistance.urls")),
    path("language/", login_not_required(set_language), name="set_language"),
    path("accounts/", include(account_urls)),
    path("admin/", admin.site.urls),
]

handler400 = "core.views.errors.bad_request"
handler403 = "core.views.errors.forbidden"
handler404 = "core.views.errors.not_found"
handler429 = "core.views.errors.too_many"  # allauth's name for its rate limits
handler500 = "core.views.errors.server_error"

"""The admin site: our name on it, and the portal's sign-in and passwords instead of Django's own."""

from allauth.account import views as account
from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache

# Django's own messages that its Chinese catalogue leaves untranslated: ours translates them.
LEFT_IN_ENGLISH = (
    gettext_noop("Model name"),
    gettext_noop("Add link"),
    gettext_noop("Change or view list link"),
    gettext_noop("After you’ve created a user, you’ll be able to edit more user options."),
)


class PortalAdminSite(admin.AdminSite):
    """Django's site without its own door: its sign-in form would count no failures and know no second factor."""

    site_header = _("Portal administration")
    site_title = _("Portal administration")
    index_title = _("Reference data and accounts")

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    @method_decorator(secure_admin_login)
    def login(self, request, extra_context=None):
        """Lead to the portal's sign-in; who is signed in and staff goes on, who is not staff is refused (403)."""
        return redirect("admin:index")

    def logout(self, request, extra_context=None):
        return account.logout(request)

    def password_change(self, request, extra_context=None):
        return redirect("account_change_password")

    def password_change_done(self, request, extra_context=None):
        return redirect("account_change_password")

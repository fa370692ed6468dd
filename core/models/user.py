"""The sign-in identity: a name and a password; what a user may do comes from appointments."""

from django.contrib.auth import models as auth_models
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet, reach


class UserQuerySet(ScopedQuerySet):
    """Accounts: in reach when every appointment lies in it; an account without one is in everybody's reach."""

    scope_path = None

    def visible_to(self, user, perm):
        held = reach(user, perm)
        if held.everything:
            return self
        if not held:
            return self.none()
        outside = self.model.appointments.rel.related_model.objects.exclude(held.condition("union__path"))
        return self.filter(is_superuser=False).exclude(pk__in=outside.values("user_id"))


class UserManager(auth_models.UserManager.from_queryset(UserQuerySet)):
    use_in_migrations = False


class User(AbstractUser):
    """Who signs in. A superuser (made by `createsuperuser`) is break-glass and reaches the whole tree."""

    first_name = None
    last_name = None
    name = models.CharField(_("name"), max_length=50, blank=True)

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]
        constraints = [
            # Sign-in takes a name in any case; two that differ in case only would lock both out.
            models.UniqueConstraint(
                Lower("username"),
                name="user_name_once_in_any_case",
                violation_error_message=_("There is an account with this name already."),
            )
        ]

    def __str__(self):
        return self.name or self.username

    def within(self, held):
        """Whether the account may be handled with the reach `held`: never one that reaches further."""
        if held.everything:
            return True
        if not held or self.is_superuser:
            return False
        return all(held.covers(path) for path in self.appointments.values_list("union__path", flat=True))

    def get_full_name(self):
        return str(self)

    def get_short_name(self):
        return str(self)

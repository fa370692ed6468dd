"""The sign-in identity: a name and a password; what a user may do comes from appointments."""

from datetime import timedelta

from django.contrib.auth import models as auth_models
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Coalesce, Lower
from django.utils.translation import gettext_lazy as _

from core.scope import ScopedQuerySet, reach


class AccountState(models.TextChoices):
    """How an account stands today; `UserQuerySet.with_state` reckons it."""

    ACTIVE = "active", _("in regular use")
    INVITED = "invited", _("invited")
    EXPIRED = "expired", _("invitation run out")
    DORMANT = "dormant", _("dormant")
    OFF = "off", _("switched off")
    LEFT = "left", _("left")


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

    def with_state(self, now, dormant_days):
        """Each with `state`, an `AccountState`: dormant is who did not sign in for so many days."""
        return self.annotate(last_seen=Coalesce("last_login", "date_joined")).annotate(
            state=Case(
                When(left_on__isnull=False, then=Value(AccountState.LEFT)),
                When(is_active=False, then=Value(AccountState.OFF)),
                When(must_change_password=True, password_expires_at__lt=now, then=Value(AccountState.EXPIRED)),
                When(must_change_password=True, then=Value(AccountState.INVITED)),
                When(last_seen__lt=now - timedelta(days=dormant_days), then=Value(AccountState.DORMANT)),
                default=Value(AccountState.ACTIVE),
                output_field=models.CharField(),
            )
        )


class UserManager(auth_models.UserManager.from_queryset(UserQuerySet)):
    use_in_migrations = False


class User(AbstractUser):
    """Who signs in. A superuser (made by `createsuperuser`) is break-glass and reaches the whole tree."""

    first_name = None
    last_name = None
    name = models.CharField(_("name"), max_length=50, blank=True)
    # A password that somebody else knows: it opens nothing but the page that changes it, and only until then.
    must_change_password = models.BooleanField(default=False, editable=False)
    password_expires_at = models.DateTimeField(null=True, editable=False)
    email_changed_at = models.DateTimeField(null=True, editable=False)  # no password goes to a new address for a while
    left_on = models.DateField(_("left on"), null=True, editable=False)
    wants_digest = models.BooleanField(_("daily e-mail of my duties"), default=True)

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
            ),
            models.CheckConstraint(condition=Q(left_on__isnull=True) | Q(is_active=False), name="user_left_is_out"),
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

    def ran_out(self, now):
        """Whether the user holds a one-time password whose hours are over."""
        return self.must_change_password and now > self.password_expires_at

    def get_full_name(self):
        return str(self)

    def get_short_name(self):
        return str(self)

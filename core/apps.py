"""App configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Foundation")

    def ready(self):
        from django.db.models import CharField

        from core import ids, loader, rotation, signin, triggers  # noqa: F401 — rotation registers its check
        from core.lookups import Prefix

        CharField.register_lookup(Prefix)
        post_migrate.connect(ids.prepare, sender=self)  # first: the receivers after it may write events
        post_migrate.connect(triggers.create, sender=self)
        post_migrate.connect(signin.create_limits_table, sender=self)
        post_migrate.connect(loader.load_after_migrate, sender=self)

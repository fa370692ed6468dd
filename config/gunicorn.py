"""Gunicorn's own lines in the form of all others: `--logger-class config.gunicorn.Logger`."""

import logging.config
import os

from gunicorn import glogging


class Logger(glogging.Logger):
    """Hands what Gunicorn says to the portal's logging: its own would print addresses and what exceptions say."""

    def setup(self, cfg):
        super().setup(cfg)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        from django.conf import settings

        logging.config.dictConfig(settings.LOGGING)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def exception(self, msg, *args, **kwargs):
        """An error in the middle of a request: where it was, without the address that Gunicorn would name."""
        self.error_log.error("Error while a request was read or answered", exc_info=True)

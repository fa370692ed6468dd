"""How often one address may do something on a public page, counted in windows of time."""

import hashlib
import time

from allauth.core.internal.ratelimit import truncate_ip
from django.core.cache import caches

from core.middleware import client_address


def exceeded(request, name, *, most, seconds, cache="default"):
    """Count one `name` of the request's address and return whether that is more than `most` in these `seconds`.

    `cache`: «default» forgets while Redis is away; «limits» lies in the database and holds.
    """
    place = hashlib.sha256(truncate_ip(client_address(request)).encode()).hexdigest()[:32]
    key, kept = f"{name}:{place}:{int(time.time() // seconds)}", caches[cache]
    if kept.add(key, 1, seconds):
        return most < 1
    try:
        return kept.incr(key) > most
    except ValueError:  # gone in between, or nobody counts while Redis is away
        return False

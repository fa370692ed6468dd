"""Sealing personal data: AES-GCM under a key ring, blind indexes for finding, and MACs for the audit trail.

Keys come from the environment. A ring is «id:base64,id:base64»: the first key seals, all of them open. Sealed text is
«id:base64(nonce ‖ ciphertext ‖ tag)» and bound to its place (model, field, row uuid): moved elsewhere it does not open.
"""

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class CannotOpen(ValueError):
    """Sealed text cannot be opened: a key is missing from the ring, or the text was altered or moved."""


@lru_cache(maxsize=8)
def ring(text):
    """Return {key id: 32 bytes} for a ring as written in the environment, the key in use first."""
    keys = {}
    for part in text.split(","):
        key_id, _, encoded = part.strip().partition(":")
        key = base64.b64decode(encoded)
        if len(key) != 32 or not key_id:
            raise ImproperlyConfigured("A key ring is «id:base64 of 32 bytes», several separated by commas.")
        keys[key_id] = key
    return keys


@lru_cache(maxsize=8)
def _ciphers(text):
    return {key_id: AESGCM(key) for key_id, key in ring(text).items()}


def seal(plain, place):
    """Return `plain` sealed for `place` (str, «app.Model.field:uuid»)."""
    key_id, raw = _encrypt(plain.encode(), place)
    return f"{key_id}:{base64.b64encode(raw).decode()}"


def unseal(sealed, place):
    """Return the plain text of `sealed`. Raises CannotOpen."""
    key_id, _, encoded = sealed.partition(":")
    return _decrypt(key_id, base64.b64decode(encoded), place).decode()


def seal_bytes(plain, place):
    """Return bytes sealed for `place`: «id:», then nonce, ciphertext and tag as they are."""
    key_id, raw = _encrypt(plain, place)
    return key_id.encode() + b":" + raw


def unseal_bytes(sealed, place):
    """Return the plain bytes of `sealed`. Raises CannotOpen."""
    key_id, _, raw = sealed.partition(b":")
    return _decrypt(key_id.decode(errors="replace"), raw, place)


def _encrypt(plain, place):
    key_id, cipher = next(iter(_ciphers(settings.FIELD_KEYS).items()))
    nonce = os.urandom(12)
    return key_id, nonce + cipher.encrypt(nonce, plain, place.encode())


def _decrypt(key_id, raw, place):
    cipher = _ciphers(settings.FIELD_KEYS).get(key_id)
    if cipher is None:
        raise CannotOpen(f"Key «{key_id}» is missing from FIELD_KEYS: put it back into the ring.")
    try:
        return cipher.decrypt(raw[:12], raw[12:], place.encode())
    except InvalidTag:
        raise CannotOpen(f"Sealed content at {place.partition(':')[0]} was altered or moved.") from None


def blind(purpose, value):
    """Return the blind index (43 characters) of a normalised `value`; `purpose` keeps columns apart."""
    key = next(iter(ring(settings.INDEX_KEYS).values()))
    digest = hmac.digest(key, f"{purpose}\0{value}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def audit_mac(message):
    """Return the HMAC-SHA-256 (hex) of `message` (bytes) under the audit key."""
    return hmac.new(base64.b64decode(settings.AUDIT_KEY), message, hashlib.sha256).hexdigest()

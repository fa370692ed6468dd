"""Sealing personal data: AES-GCM under a key ring, blind indexes for finding, and MACs for the audit trail.

Keys come from the environment. A ring is «id:base64,id:base64»: the first key seals, all of them open. Sealed text is
«id:base64(nonce ‖ ciphertext ‖ tag)» and bound to its place (model, field, row uuid): moved elsewhere it does not open.
"""

import base64
import hashlib
import hmac
import os
from functools import lru_cache, partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class CannotOpen(ValueError):
    """Sealed text cannot be opened: a key is missing from the ring, or the text was altered or moved.

    `key_id` is the missing key's, "" when it is not the key's fault; `place` the model and field, without the row.
    """

    def __init__(self, message, *, key_id="", place=""):
        super().__init__(message)
        self.key_id, self.place = key_id, place


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


def first_key():
    """The id of the key that seals."""
    return next(iter(ring(settings.FIELD_KEYS)))


def seal(plain, place):
    """Return `plain` sealed for `place` (str, «app.Model.field:uuid»)."""
    return sealer()(plain, place)


def sealer():
    """Return the function `seal` for many texts: the key is looked up once."""
    key_id, cipher = next(iter(_ciphers(settings.FIELD_KEYS).items()))

    def seal(plain, place):
        nonce = os.urandom(12)
        return f"{key_id}:{base64.b64encode(nonce + cipher.encrypt(nonce, plain.encode(), place.encode())).decode()}"

    return seal


def unseal(sealed, place):
    """Return the plain text of `sealed`. Raises CannotOpen."""
    key_id, _, encoded = sealed.partition(":")
    return _decrypt(key_id, base64.b64decode(encoded), place).decode()


def seal_bytes(plain, place):
    """Return bytes sealed for `place`: «id:», then nonce, ciphertext and tag as they are."""
    key_id, cipher = next(iter(_ciphers(settings.FIELD_KEYS).items()))
    nonce = os.urandom(12)
    return key_id.encode() + b":" + nonce + cipher.encrypt(nonce, plain, place.encode())


def unseal_bytes(sealed, place):
    """Return the plain bytes of `sealed`. Raises CannotOpen."""
    key_id, _, raw = sealed.partition(b":")
    return _decrypt(key_id.decode(errors="replace"), raw, place)


def _decrypt(key_id, raw, place):
    cipher = _ciphers(settings.FIELD_KEYS).get(key_id)
    if cipher is None:
        raise CannotOpen(f"Key «{key_id}» is missing from FIELD_KEYS: put it back into the ring.", key_id=key_id)
    try:
        return cipher.decrypt(raw[:12], raw[12:], place.encode())
    except InvalidTag:
        where = place.partition(":")[0]
        raise CannotOpen(f"Sealed content at {where} was altered or moved.", place=where) from None


def blind(purpose, value):
    """Return the blind index (43 characters) of a normalised `value`; `purpose` keeps columns apart."""
    return blinder(purpose)(value)


def blinder(purpose):
    """Return the function that `blind` is for many values of one `purpose`: the key is looked up once."""
    return partial(_blind, next(iter(ring(settings.INDEX_KEYS).values())), purpose)


def blind_all(purpose, value):
    """Return the blind indexes of `value` under every key of the ring: `filter(id_index__in=blind_all(…))`.

    While `rotate_field_keys` renews the indexes, a row may still lie under an older key.
    """
    return [_blind(key, purpose, value) for key in ring(settings.INDEX_KEYS).values()]


def index_rotating():
    """Whether an older index key is still in the ring: rows may lie under either, and sets cannot be compared."""
    return len(ring(settings.INDEX_KEYS)) > 1


def _blind(key, purpose, value):
    digest = hmac.digest(key, f"{purpose}\0{value}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def audit_mac(message):
    """Return the HMAC-SHA-256 (hex) of `message` (bytes) under the audit key."""
    return hmac.new(base64.b64decode(settings.AUDIT_KEY), message, hashlib.sha256).hexdigest()

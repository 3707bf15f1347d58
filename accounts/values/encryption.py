"""Encryption at rest, for secrets that must stay readable for the service but not in a copy of the database.

Fernet (AES-128-CBC with HMAC-SHA256) under ``KEY_ENCRYPTION_KEYS``: the first key encrypts, all decrypt, so a key is
replaced by putting a new one in front.
"""

from __future__ import annotations

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypt(plain: bytes) -> bytes:
    return _fernet(tuple(settings.KEY_ENCRYPTION_KEYS)).encrypt(plain)


def decrypt(encrypted: bytes | memoryview) -> bytes:
    """The plain bytes; raises ``ImproperlyConfigured`` if no key of the setting fits."""
    try:
        return _fernet(tuple(settings.KEY_ENCRYPTION_KEYS)).decrypt(bytes(encrypted))
    except InvalidToken as error:
        raise ImproperlyConfigured("KEY_ENCRYPTION_KEYS lacks the key that the database was encrypted with") from error


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])

"""Encryption at rest: what must be readable again, but not by who holds a copy of the database.

Fernet (AES-128-CBC with HMAC-SHA256) under ``KEY_ENCRYPTION_KEYS``: the first key encrypts, all decrypt, so a key is
replaced by putting a new one in front.
"""

from __future__ import annotations

from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def encrypt(plain: bytes) -> bytes:
    return _fernet(tuple(settings.KEY_ENCRYPTION_KEYS)).encrypt(plain)


def decrypt(encrypted: bytes | memoryview) -> bytes:
    """The plain bytes; raises ``cryptography.fernet.InvalidToken`` if no key of the setting fits."""
    return _fernet(tuple(settings.KEY_ENCRYPTION_KEYS)).decrypt(bytes(encrypted))


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])

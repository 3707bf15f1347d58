"""Signing keys: making, reading, rotating and revoking them, and publishing their public halves (RFC 7517)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from jwt.algorithms import ECAlgorithm

from accounts.models import Deployment, SigningKey
from accounts.values import encryption

ALGORITHM = "ES256"
"""Of a deployment's own keys; outside issuers have others, too."""
PublicKey = ec.EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

KID = re.compile(r"[A-Za-z0-9_.:=+/-]{1,64}", re.ASCII)
"""The pattern of the key ids (kid) that a deployment's own keys have."""
_ROUNDING = timedelta(hours=1)
_LATEST = datetime.max.replace(tzinfo=UTC) - _ROUNDING


def create_signing_key(*, deployment: Deployment) -> SigningKey:
    """A new ES256 key pair, saved; it signs from now on, being the newest."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey.objects.create(
        deployment=deployment,
        kid=secrets.token_hex(16),  # one of base64url may begin with "-", as options of commands do
        public_key=public_pem(private_key.public_key()),
        private_key=encryption.encrypt(
            private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
    )


def signing_key(deployment: Deployment) -> SigningKey:
    """The key that signs now; made if the deployment has none yet. Of requests that find none at once, one makes it."""
    return deployment.cached_signing_key or _newest_key(deployment) or _first_key(deployment)


def newest(keys: Iterable[SigningKey]) -> SigningKey | None:
    """The one of a deployment's own usable ``keys`` that signs, None if none does."""
    signing = [key for key in keys if key.retired_at is None]
    return max(signing, key=lambda key: (key.created_at, key.pk), default=None)


def is_ready(deployment: Deployment, expires_at: datetime) -> bool:
    """Whether a token that lives until ``expires_at`` can be signed without asking the database."""
    key = deployment.cached_signing_key
    return key is not None and key.tokens_until is not None and key.tokens_until >= expires_at


def make_ready(deployment: Deployment, expires_at: datetime) -> None:
    """Have ``is_ready`` be true."""
    key = signing_key(deployment)
    will_sign_until(key, expires_at)
    deployment.cached_signing_key = key


def _newest_key(deployment: Deployment) -> SigningKey | None:
    return (
        SigningKey.objects.filter(deployment=deployment, issuer="", retired_at__isnull=True, revoked_at__isnull=True)
        .order_by("-created_at", "-id")
        .first()
    )


@transaction.atomic
def _first_key(deployment: Deployment) -> SigningKey:
    _lock_keys(deployment)
    return _newest_key(deployment) or create_signing_key(deployment=deployment)


def _lock_keys(deployment: Deployment) -> None:
    """Let nobody else make a first key or rotate the keys of ``deployment`` until the transaction's end."""
    Deployment.objects.select_for_update(no_key=True).get(pk=deployment.pk)


def will_sign_until(key: SigningKey, expires_at: datetime) -> None:
    """Keep ``key`` published until ``expires_at``, the end of a token that it signs.

    The time is rounded up to the hour, so that most tokens cost no write.
    """
    if key.tokens_until is None or key.tokens_until < expires_at:
        rounded = min(expires_at, _LATEST) + _ROUNDING
        SigningKey.objects.filter(Q(tokens_until__lt=rounded) | Q(tokens_until__isnull=True), pk=key.pk).update(
            tokens_until=rounded
        )
        key.tokens_until = rounded


@transaction.atomic
def rotate_keys(deployment: Deployment) -> SigningKey:
    """Make a new key sign. Earlier keys verify until their last token has expired, and then leave the JWKS."""
    _lock_keys(deployment)
    new = create_signing_key(deployment=deployment)
    SigningKey.objects.filter(deployment=deployment, issuer="", retired_at__isnull=True).exclude(pk=new.pk).update(
        retired_at=timezone.now()
    )
    return new


def revoke_key(key: SigningKey) -> None:
    """Refuse every token that ``key`` signed, from the next request on."""
    now = timezone.now()
    SigningKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)


def is_usable(key: SigningKey) -> bool:
    """Whether tokens of ``key``, an own key that is not revoked, may still be in use; if not, it verifies none.

    A token that a retired key signs after its last one was made by somebody who should not have the key.
    """
    return key.retired_at is None or (key.tokens_until is not None and key.tokens_until > timezone.now())


def published_keys(deployment: Deployment) -> QuerySet[SigningKey]:
    """The own keys that verify, newest first: those that ``is_usable`` lets pass."""
    may_verify = Q(retired_at__isnull=True) | Q(tokens_until__gt=timezone.now())
    own = SigningKey.objects.filter(may_verify, deployment=deployment, issuer="", revoked_at__isnull=True)
    return own.order_by("-created_at", "-id")


def with_successors(keys: QuerySet[SigningKey]) -> QuerySet[SigningKey]:
    """``keys`` with the annotation for ``state_of``: whether a newer key signs in place of each."""
    newer = SigningKey.objects.filter(
        deployment=OuterRef("deployment"), issuer="", retired_at__isnull=True, revoked_at__isnull=True
    ).filter(Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk")))
    return keys.annotate(has_successor=Exists(newer))


def state_of(key: Any) -> str:
    """The state of ``key``, one of ``with_successors``, in words for staff."""
    if key.revoked_at is not None:
        return "revoked: its tokens are refused"
    if key.issuer:
        return f"trusted: verifies tokens of {key.issuer}" if key.retired_at is None else "retired: trusted no longer"
    if not is_usable(key):
        return "retired: its last token has expired"
    if key.retired_at is not None:
        return f"retired: verifies until {key.tokens_until:%Y-%m-%d %H:%M}"
    return "replaced: verifies, a newer key signs" if key.has_successor else "active: signs and verifies"


def jwk(key: SigningKey) -> dict[str, Any]:
    """The public half as a JWK (RFC 7517, 4; RFC 7518, 6.2.1)."""
    numbers: dict[str, Any] = ECAlgorithm.to_jwk(cast(Any, load_public_key(key.public_key)), as_dict=True)
    return {name: numbers[name] for name in ("kty", "crv", "x", "y")} | {"kid": key.kid, "use": "sig", "alg": ALGORITHM}


def private_key_of(key: SigningKey) -> ec.EllipticCurvePrivateKey:
    """The private half of an own key."""
    return _load_private_key(bytes(cast(bytes, key.private_key)))


@lru_cache(maxsize=256)
def _load_private_key(encrypted: bytes) -> ec.EllipticCurvePrivateKey:
    return cast(
        ec.EllipticCurvePrivateKey,
        serialization.load_pem_private_key(encryption.decrypt(encrypted), password=None),
    )


@lru_cache(maxsize=1024)
def load_public_key(pem: str) -> PublicKey:
    """The parsed key. Parsing costs more than verifying; a PEM text is immutable, so the key may be cached."""
    return cast(PublicKey, serialization.load_pem_public_key(pem.encode()))


def public_pem(key: PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

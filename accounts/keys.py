"""Making signing keys and reading them back."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts import encryption
from accounts.models import Deployment, SigningKey


def create_signing_key(*, deployment: Deployment) -> SigningKey:
    """A new ES256 key pair, saved; it signs from now on, being the newest."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey.objects.create(
        deployment=deployment,
        kid=secrets.token_urlsafe(16),
        public_key=private_key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        private_key=encryption.encrypt(
            private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
    )


def signing_key(deployment: Deployment) -> SigningKey:
    """The key that signs now; made if the deployment has none yet."""
    key = (
        SigningKey.objects.filter(deployment=deployment, retired_at__isnull=True, revoked_at__isnull=True)
        .order_by("-created_at", "-id")
        .first()
    )
    return key or create_signing_key(deployment=deployment)


def private_key_of(key: SigningKey) -> ec.EllipticCurvePrivateKey:
    return cast(
        ec.EllipticCurvePrivateKey,
        serialization.load_pem_private_key(encryption.decrypt(key.private_key), password=None),
    )


@lru_cache(maxsize=1024)
def load_public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """The parsed key. Parsing costs more than verifying; a PEM text is immutable, so it may be remembered."""
    return cast(ec.EllipticCurvePublicKey, serialization.load_pem_public_key(pem.encode()))

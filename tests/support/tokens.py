"""Session tokens made by hand, good or wrong in one way, and the answers to them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from accounts.models import Deployment, Session
from accounts.tokens.keys import private_key_of
from tests.support.api import ApiClient, error_code


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def der_signature(signing_input: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))


def es256(signing_input: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The signature as RFC 7518, 3.4 wants it: r and s, 32 bytes each."""
    r, s = decode_dss_signature(der_signature(signing_input, key))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Mint:
    """Makes tokens of one session without the help of a JWT library, which would refuse to make most of these.

    Headers and claims are JSON texts, for Python cannot write all that JSON (or Python's parser of it) can say.
    """

    def __init__(self, session: Session) -> None:
        self.deployment = session.deployment
        self.session = session
        self.key = self.deployment.signing_keys.get()
        self.private_key = private_key_of(self.key)
        self.now = int(time.time())

    def header(self, members: str = "", *, without: str = "") -> str:
        """A good header; ``members`` are added as they stand, and win over those of the same name."""
        return self._object({"alg": "ES256", "typ": "JWT", "kid": self.key.kid}, members, without)

    def claims(self, members: str = "", *, without: str = "") -> str:
        """Good claims; ``members`` are added as they stand, and win over those of the same name."""
        good = {
            "iss": self.deployment.issuer,
            "sess": str(self.session.pk),
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + 600,
        }
        return self._object(good, members, without)

    def signing_input(self, header: str | None = None, claims: str | None = None) -> str:
        header = self.header() if header is None else header
        claims = self.claims() if claims is None else claims
        return f"{base64url(header.encode())}.{base64url(claims.encode())}"

    def token(
        self,
        header: str | None = None,
        claims: str | None = None,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        """A token with a signature that is good for ``key``, the deployment's own unless told otherwise."""
        signing_input = self.signing_input(header, claims)
        return f"{signing_input}.{base64url(es256(signing_input, key or self.private_key))}"

    def signed_with(self, signature: bytes) -> str:
        """A token that is good but for its ``signature``."""
        return f"{self.signing_input()}.{base64url(signature)}"

    @staticmethod
    def _object(good: dict[str, Any], members: str, without: str) -> str:
        kept = json.dumps({name: value for name, value in good.items() if name != without})
        return f"{kept[:-1]}, {members}}}" if members else kept


def answer(deployment: Deployment, token: str) -> Any:
    return ApiClient(deployment, token=token).get()


def refusal(mint: Mint, token: str) -> int:
    """The code with which ``token`` is refused at its deployment."""
    response = answer(mint.deployment, token)
    assert response.status_code == 401
    return error_code(response)

"""An outside issuer that a deployment trusts, and its tokens."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from accounts.models import Deployment
from accounts.tokens.outside_issuers import trust_outside_keys
from tests.support.api import ApiClient
from tests.support.sign_in import SIGN_IN

ISSUER = "https://login.example.net"
OTHER_ISSUER = "https://other.example.net"


def trusted_key(deployment: Deployment, kid: str = "outside-1", issuer: str = ISSUER) -> ec.EllipticCurvePrivateKey:
    """The key of an outside issuer whom the deployment trusts from now on."""
    key = ec.generate_private_key(ec.SECP256R1())
    public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwks = json.dumps({"keys": [public | {"kid": kid, "use": "sig", "alg": "ES256"}]})
    trust_outside_keys(deployment=deployment, issuer=issuer, jwks=jwks)
    return key


def outside_token(
    key: Any, deployment: Deployment, *, kid: str | None = "outside-1", algorithm: str = "ES256", **claims: Any
) -> str:
    """A good token for the fixture ``sso_user``; ``claims`` replace its own, None removes one."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": deployment.issuer, "sub": "idp|42", "iat": now, "nbf": now, "exp": now + 60}
    all_claims = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode(all_claims, key, algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


def with_token(client: ApiClient, token: object) -> Any:
    return client.post(SIGN_IN, {"strategy": "outside_token", "token": token})

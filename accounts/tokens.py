"""Session tokens: JWTs (RFC 7519) signed with ES256 by the deployment that they are for.

The rules are those of RFC 8725: one algorithm that the token has no say in, every claim required and checked, and a key
that is looked up among the deployment's own, never taken or fetched from the token.
"""

from __future__ import annotations

import re
import time
from datetime import datetime

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from accounts import keys
from accounts.models import Deployment, Session, SigningKey
from config.api.errors import ApiError, Problem

ALGORITHM = "ES256"
LEEWAY = 5
"""Seconds by which the clocks of two machines may differ."""
MAX_LENGTH = 4096
"""Characters; browsers keep no longer cookie (RFC 6265bis, 5.5). A real token has about 300."""
MAX_ID = 2**63 - 1

_KID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def sign_session_token(session: Session, *, expires_at: datetime) -> str:
    """The JWT that proves ``session`` until ``expires_at``."""
    key = keys.signing_key(session.deployment)
    now = int(time.time())
    claims = {
        "iss": session.deployment.issuer,
        "sess": str(session.pk),
        "iat": now,
        "nbf": now,
        "exp": int(expires_at.timestamp()),
    }
    return jwt.encode(claims, keys.private_key_of(key), algorithm=ALGORITHM, headers={"kid": key.kid})


def verify_session_token(token: str, deployment: Deployment) -> int:
    """The id of the session that ``token`` names.

    That the token is good does not mean that the session is. Raises ``ApiError`` (401): 40103 if the token has expired,
    40102 if anything else is wrong with it; what exactly, an attacker need not know.
    """
    if len(token) > MAX_LENGTH:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    try:
        public_key = _public_key(jwt.get_unverified_header(token).get("kid"), deployment)
        claims = jwt.decode(
            token,
            public_key,
            algorithms=[ALGORITHM],
            issuer=deployment.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sess", "iat", "nbf", "exp"], "strict_aud": True},
        )
    except jwt.ExpiredSignatureError as error:
        raise ApiError(Problem.SESSION_EXPIRED) from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ApiError(Problem.INVALID_SESSION_TOKEN) from error
    if not all(_is_numeric_date(claims[name]) for name in ("iat", "nbf", "exp")):
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return _session_id(claims["sess"])


def _public_key(kid: object, deployment: Deployment) -> ec.EllipticCurvePublicKey:
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    try:
        key = SigningKey.objects.get(kid=kid, deployment=deployment, revoked_at__isnull=True)
    except SigningKey.DoesNotExist as error:
        raise ApiError(Problem.INVALID_SESSION_TOKEN) from error
    return keys.load_public_key(key.public_key)


def _is_numeric_date(value: object) -> bool:
    """RFC 7519, 2: a JSON number, of seconds since 1970. PyJWT would take the text "1" and the value true as well."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _session_id(value: object) -> int:
    if not isinstance(value, str) or not _ID.fullmatch(value) or int(value) > MAX_ID:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return int(value)

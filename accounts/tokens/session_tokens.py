"""Tokens: JWTs (RFC 7519) signed with ES256 by the deployment that they are for.

The rules are those of RFC 8725: one algorithm that the token has no say in, every claim required and checked, and a key
that is looked up among the deployment's own, never taken or fetched from the token. There are three kinds:

- a session token names a session (``sess``); browsers keep it in a cookie. ``ser`` counts its renewals, and is missing
from a token that is not renewed, such as those of ``manage.py issue_session``;
- a visitor's token is one with ``anon``: its session exists nowhere but in the token, so visitors cost no row;
- an access token (RFC 9068) names to the product's own back-ends, for some seconds, the user (``sub``) and with which
  permissions. Its ``typ`` and its ``aud`` keep it and the others apart: none is taken for another.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.utils import timezone

from accounts.models import Deployment, Session, SigningKey
from accounts.tokens import keys
from api.errors import ApiError, Problem

LEEWAY = 5
"""Seconds by which the clocks of two machines may differ."""
MAX_LENGTH = 4096
"""Characters; browsers keep no longer cookie (RFC 6265bis, 5.5). A real token has about 300."""
MAX_ID = 2**63 - 1

SESSION_TYPE = "JWT"
ACCESS_TYPE = "at+jwt"
"""The values of the header's ``typ`` (RFC 8725, 3.11; RFC 9068, 2.1)."""

FindKey = Callable[[str], SigningKey | None]

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionToken:
    """The content of a good session token; whether the session is good is checked elsewhere."""

    session_id: int
    serial: int | None
    is_anonymous: bool
    issued_at: datetime
    expires_at: datetime


class PassingError(ApiError):
    """A refusal that passes: the client may have a good token already, or this one will become good.

    So the client keeps its token: no answer replaces it, and no session ends for it.
    """


def sign_session_token(
    session: Session, *, expires_at: datetime, serial: int | None = None, anonymous: bool = False
) -> str:
    """The JWT that proves ``session`` until ``expires_at``."""
    claims: dict[str, Any] = {"sess": str(session.pk)}
    if serial is not None:
        claims["ser"] = serial
    if anonymous:
        claims["anon"] = True
    return sign(session.deployment, claims, expires_at=expires_at)


def sign_access_token(deployment: Deployment, claims: Mapping[str, Any], *, expires_at: datetime) -> str:
    """An access token (RFC 9068, 2) with ``claims`` for the back-ends of ``deployment``, good until ``expires_at``.

    Its audience is the deployment's issuer, and so is its client: all front-ends of the deployment are one.
    """
    own = {"aud": deployment.issuer, "client_id": deployment.issuer, "jti": secrets.token_hex(16)}
    return sign(deployment, own | dict(claims), expires_at=expires_at, typ=ACCESS_TYPE)


def sign(deployment: Deployment, claims: Mapping[str, Any], *, expires_at: datetime, typ: str = SESSION_TYPE) -> str:
    """The JWT with ``claims`` and those that every token has: iss, iat, nbf, exp."""
    key = keys.signing_key(deployment)
    keys.will_sign_until(key, expires_at)
    now = int(time.time())
    times = {"iss": deployment.issuer, "iat": now, "nbf": now, "exp": int(expires_at.timestamp())}
    return jwt.encode(
        times | dict(claims),
        keys.private_key_of(key),
        algorithm=keys.ALGORITHM,
        headers={"kid": key.kid, "typ": typ},
    )


def verify_session_token(token: str, deployment: Deployment, *, find_key: FindKey) -> SessionToken:
    """The content of ``token``; ``find_key`` gives the deployment's usable key of a kid, if it has one.

    Raises ``ApiError`` (401): 40103 if it has expired, 40112 if it is not valid yet, 40102 if anything else is wrong
    with it; an attacker need not learn the exact fault.
    """
    claims = _verify(token, deployment, find_key)
    serial = claims.get("ser")
    if serial is not None and (not isinstance(serial, int) or isinstance(serial, bool)):
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return SessionToken(
        session_id=_session_id(claims["sess"]),
        serial=serial,
        is_anonymous=claims.get("anon") is True,
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _verify(token: str, deployment: Deployment, find_key: FindKey) -> dict[str, Any]:
    """The claims of ``token``, a session's, of which iss, iat, nbf, exp are checked and sess is there.

    Raises ``ApiError`` (401).
    """
    if len(token) > MAX_LENGTH:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    try:
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", SESSION_TYPE)).upper() != SESSION_TYPE:
            raise ApiError(Problem.INVALID_SESSION_TOKEN)
        key = _key(header.get("kid"), find_key)
        claims: dict[str, Any] = jwt.decode(
            token,
            keys.load_public_key(key.public_key),
            algorithms=[keys.ALGORITHM],
            issuer=deployment.issuer,
            leeway=LEEWAY,
            options={
                "require": ["iss", "iat", "nbf", "exp", "sess"],
                "strict_aud": True,
                "verify_iat": False,  # _require_begun does
                "verify_nbf": False,
            },
        )
        _require_begun(claims)
    except jwt.ExpiredSignatureError as error:
        raise ApiError(Problem.SESSION_EXPIRED) from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise ApiError(Problem.INVALID_SESSION_TOKEN) from error
    return claims


def _require_begun(claims: Mapping[str, Any]) -> None:
    """Raise ``ApiError`` (401) if the token is valid only after ``LEEWAY``; ``ValueError`` if a claim is no time."""
    begins_at = max(moment(claims["iat"]), moment(claims["nbf"]))
    ends_at = moment(claims["exp"])
    if begins_at > timezone.now() + timedelta(seconds=LEEWAY):
        if begins_at >= ends_at:  # it never will be
            raise ApiError(Problem.INVALID_SESSION_TOKEN)
        raise PassingError(Problem.TOKEN_NOT_YET_VALID)


def moment(seconds: object) -> datetime:
    """The time in a claim: a JSON number of seconds since 1970 (RFC 7519, 2).

    PyJWT would take the text "1" and the value true as well.
    """
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise ValueError("no time")
    return datetime.fromtimestamp(seconds, UTC)


def _key(kid: object, find_key: FindKey) -> SigningKey:
    key = find_key(kid) if isinstance(kid, str) and keys.KID.fullmatch(kid) else None
    if key is None:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return key


def _session_id(value: object) -> int:
    if not isinstance(value, str) or not _ID.fullmatch(value) or int(value) > MAX_ID:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return int(value)

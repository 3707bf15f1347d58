"""Outside issuers, whom a deployment trusts to sign its users in: their keys, and the checks of their tokens.

The rules are those of RFC 8725: a key is used with the one algorithm that it was trusted for, whatever a token says; it
is looked up among the keys of the token's issuer; every claim that counts is required and checked. Beyond that a token
must be short-lived, and is good once. A subject means a user only together with its issuer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import Deployment, SigningKey, SpentToken, User
from accounts.tokens.keys import PublicKey, load_public_key, public_pem
from accounts.tokens.session_tokens import LEEWAY, moment
from api.errors import ApiError, Problem
from api.requests import is_storable

MAX_LIFETIME = timedelta(minutes=65)
"""From ``iat`` to ``exp``: an hour, and the five minutes by which Entra ID dates its tokens back."""
MIN_RSA_BITS = 2048
MAX_ISSUER = 500
MAX_KID = 255

_ALGORITHMS = {"EC": ("ES256",), "RSA": ("RS256", "PS256"), "OKP": ("EdDSA",)}
"""Algorithms by kind of key (RFC 7518, 6.1; RFC 8037); the first is meant where a JWK names none."""
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth")


@dataclass(frozen=True, slots=True)
class Trusted:
    """The keys that are trusted from now on, and a sentence for each other key of the document that says why not."""

    keys: list[SigningKey]
    passed_over: list[str]


@dataclass(frozen=True, slots=True)
class OutsideToken:
    """The content of a good token. ``digest`` stands for the token among those that were used."""

    issuer: str
    subject: str
    digest: str
    expires_at: datetime


@transaction.atomic
def trust_outside_keys(*, deployment: Deployment, issuer: str, jwks: str) -> Trusted:
    """Replace the keys by which ``deployment`` trusts ``issuer`` with those of the JWKS document ``jwks``.

    Raises ``ValidationError`` if the document is none, or holds no usable key: for signatures, by ES256, RS256, PS256
    or EdDSA (Ed25519). Other keys are passed over, as RFC 7517, 5 has it. A key that the document lacks is trusted no
    longer.
    """
    if issuer in ("", deployment.issuer) or len(issuer) > MAX_ISSUER or not is_storable(issuer):
        raise ValidationError(f"An outside issuer has a name of its own, of at most {MAX_ISSUER} characters.")
    found: list[SigningKey] = []
    passed_over: list[str] = []
    try:
        for number, item in enumerate(json.loads(jwks)["keys"], start=1):
            name = f"Key {number}" if item.get("kid") is None else f"The key {item['kid']!r}"
            if any(member in item for member in _PRIVATE_MEMBERS):
                raise ValidationError("There is a private key in the document; ask the issuer for the public ones.")
            try:
                found.append(_read(item))
            except _UnusableError as reason:
                passed_over.append(f"{name} is passed over: {reason}.")
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ValidationError("This is no JWKS document (RFC 7517, 5).") from error
    if not found:
        raise ValidationError([*passed_over, "There is no key in the document that can be trusted."])
    Deployment.objects.select_for_update(no_key=True).get(pk=deployment.pk)  # one command at a time
    _name_the_only_issuer(deployment, unless=issuer)
    known = SigningKey.objects.filter(deployment=deployment, issuer=issuer)
    known.exclude(kid__in=[key.kid for key in found]).filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
    return Trusted([_trust(deployment, issuer, key) for key in found], passed_over)


class _UnusableError(Exception):
    """Why a key of a document cannot be trusted."""


def _read(item: dict[str, Any]) -> SigningKey:
    """The key of a JWK, for no deployment yet; raises ``_UnusableError``, or as PyJWT does if it is malformed.

    Whatever else the JWK holds (``x5c``, ``x5t``, ``issuer``) is not looked at: the operator trusts the document.
    """
    kind = item["kty"]
    algorithms = _ALGORITHMS.get(kind)
    if kind == "oct":
        raise _UnusableError("it is a secret that issuer and deployment would share")
    if algorithms is None:
        raise _UnusableError(f"keys of the kind {kind!r} are unknown here")
    if item.get("use", "sig") != "sig":
        raise _UnusableError(f"its use is {item['use']!r}, not 'sig'")
    operations = item.get("key_ops", ["verify"])
    if "verify" not in operations or not set(operations) <= {"verify", "sign"}:
        raise _UnusableError(f"its key_ops are {operations!r}, not ['verify']")
    algorithm = item.get("alg", algorithms[0])
    if algorithm not in algorithms:
        raise _UnusableError(f"its alg is {algorithm!r}, not {' or '.join(algorithms)}")
    if kind in _CURVES and item["crv"] != _CURVES[kind]:
        raise _UnusableError(f"its curve is {item['crv']!r}, not {_CURVES[kind]}")
    kid = item.get("kid", _thumbprint(item))
    if not _is_kid(kid):
        raise _UnusableError(f"a kid is a text of at most {MAX_KID} visible characters")
    key = cast(PublicKey, jwt.PyJWK.from_dict(item, algorithm=algorithm).key)
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise _UnusableError(f"it has {key.key_size} bits, and RSA needs {MIN_RSA_BITS}")
    return SigningKey(kid=kid, algorithm=algorithm, public_key=public_pem(key))


def _is_kid(kid: object) -> bool:
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID and kid.isprintable() and " " not in kid


def _thumbprint(item: dict[str, Any]) -> str:
    """The name of a key that has none (RFC 7638)."""
    members = {name: item[name] for name in _THUMBPRINT_MEMBERS[item["kty"]]}
    return hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def _trust(deployment: Deployment, issuer: str, new: SigningKey) -> SigningKey:
    key, _ = SigningKey.objects.get_or_create(
        deployment=deployment,
        issuer=issuer,
        kid=new.kid,
        defaults={"algorithm": new.algorithm, "public_key": new.public_key},
    )
    if (key.algorithm, key.public_key) != (new.algorithm, new.public_key):
        raise ValidationError(f"The key {key.kid!r} is known with other numbers; a new key needs a new kid.")
    if key.revoked_at is not None:
        raise ValidationError(f"The key {key.kid!r} was revoked.")
    return key


def _name_the_only_issuer(deployment: Deployment, *, unless: str) -> None:
    """Write the issuer into external ids that have none, before there is a second issuer."""
    issuers = deployment.outside_issuers()
    if len(issuers) != 1 or unless in issuers:
        return
    named = User.objects.filter(deployment=deployment, external_issuer=issuers[0], external_id=OuterRef("external_id"))
    User.objects.filter(~Exists(named), deployment=deployment, external_issuer="").exclude(external_id="").update(
        external_issuer=issuers[0]
    )


def verify_outside_token(token: str, deployment: Deployment) -> OutsideToken:
    """The content of ``token``, which a key of the issuer that it names must have signed for ``deployment`` lately.

    Raises ``ApiError`` (401): 40103 if it has expired, 40102 if anything else is wrong with it.
    """
    try:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        issuer = unverified["payload"].get("iss")
        key = _key(deployment, issuer, unverified["header"].get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            load_public_key(key.public_key),
            algorithms=[key.algorithm],
            issuer=key.issuer,
            audience=deployment.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "iat", "exp"]},
        )
        times = {name: moment(claims[name]) for name in ("iat", "exp", "nbf") if name in claims}
        if not timedelta(0) < times["exp"] - times["iat"] <= MAX_LIFETIME:
            raise ApiError(Problem.INVALID_SESSION_TOKEN)
    except jwt.ExpiredSignatureError as error:
        raise ApiError(Problem.SESSION_EXPIRED) from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError, RecursionError, AttributeError) as error:
        raise ApiError(Problem.INVALID_SESSION_TOKEN) from error
    return OutsideToken(key.issuer, claims["sub"], _digest(token, claims, deployment), times["exp"])


def _key(deployment: Deployment, issuer: object, kid: object) -> SigningKey:
    """The key of ``issuer`` with the name ``kid``; its only one, if the token names none. Raises ``ApiError`` (401)."""
    found: list[SigningKey] = []
    if isinstance(issuer, str) and issuer and is_storable(issuer) and (kid is None or _is_kid(kid)):
        keys = SigningKey.objects.filter(
            deployment=deployment, issuer=issuer, revoked_at__isnull=True, retired_at__isnull=True
        )
        found = list(keys[:2] if kid is None else keys.filter(kid=kid))
    if len(found) != 1:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    return found[0]


def _digest(token: str, claims: dict[str, Any], deployment: Deployment) -> str:
    """One text for one token. Without ``jti`` it is made of the signed part: a signature can be written in two ways."""
    name = ["jti", claims["jti"]] if claims.get("jti") else ["token", token.rpartition(".")[0]]
    return hashlib.sha256(json.dumps([deployment.pk, claims["iss"], *name]).encode()).hexdigest()


def spend(token: OutsideToken) -> None:
    """Use ``token`` up; raises ``ApiError`` (401) if it was used before. Of two requests at once, one waits and fails.

    To be called in the transaction that signs the user in: if that fails, the token is as good as before.
    """
    _, is_new = SpentToken.objects.get_or_create(
        digest=token.digest, defaults={"expires_at": token.expires_at + timedelta(seconds=LEEWAY)}
    )
    if not is_new:
        raise ApiError(Problem.OUTSIDE_TOKEN_USED)


def sweep() -> int:
    """Delete the used tokens that have expired, which are refused for that; gives their number."""
    return SpentToken.objects.filter(expires_at__lt=timezone.now() - timedelta(seconds=LEEWAY)).delete()[0]


def user_of(token: OutsideToken, deployment: Deployment) -> User | None:
    """The user whose external id the token's subject is.

    An external id without an issuer counts for the issuer of a deployment that has only ever trusted one.
    """
    if not token.subject or not is_storable(token.subject):
        return None
    of_issuer = Q(external_issuer=token.issuer)
    if deployment.outside_issuers() == [token.issuer]:
        of_issuer |= Q(external_issuer="")
    users = User.objects.filter(of_issuer, deployment=deployment, external_id=token.subject)
    return users.order_by("-external_issuer").first()

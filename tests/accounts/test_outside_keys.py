"""The keys that outside issuers use, each good for its one algorithm and for no session token of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.management import CommandError, call_command
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from accounts.models import Deployment, User
from accounts.tokens import outside_issuers
from accounts.tokens.outside_issuers import trust_outside_keys
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import session_of
from tests.support.outside_issuers import ISSUER, outside_token, trusted_key, with_token
from tests.support.sign_in import user_with_password

INVALID_SESSION_TOKEN = 40102


# Session tokens


def test_an_issuers_key_never_verifies_a_session_token(sso_user: User, outside_key: Any) -> None:
    session, now = session_of(sso_user), int(time.time())
    for issuer in (sso_user.deployment.issuer, ISSUER):
        claims = {"iss": issuer, "sess": str(session.pk), "iat": now, "nbf": now, "exp": now + 60}
        token = jwt.encode(claims, outside_key, algorithm="ES256", headers={"kid": "outside-1"})
        for path in ("/me/workspace-memberships", "/me"):
            assert error_code(ApiClient(sso_user.deployment, token=token).get(path)) == INVALID_SESSION_TOKEN


def test_an_issuers_key_with_the_kid_of_an_own_one_stands_in_nobodys_way(sso_user: User) -> None:
    own = sso_user.deployment.signing_keys.get()
    key = trusted_key(sso_user.deployment, own.kid)
    assert ApiClient(sso_user.deployment, sso_user).get().status_code == 200
    token = outside_token(key, sso_user.deployment, kid=own.kid)
    assert with_token(ApiClient(sso_user.deployment), token).status_code == 200


# What the usual providers issue


EC_KEY = ec.generate_private_key(ec.SECP256R1())


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


ED_KEY = ed25519.Ed25519PrivateKey.generate()


def members_of(key: Any) -> dict[str, Any]:
    """The public half of ``key`` as a JWK."""
    algorithm: Any = {
        ec.EllipticCurvePrivateKey: ECAlgorithm,
        rsa.RSAPrivateKey: RSAAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm,
    }
    (kind,) = [kind for kind in algorithm if isinstance(key, kind)]
    members: dict[str, Any] = algorithm[kind].to_jwk(key.public_key(), as_dict=True)
    members.pop("key_ops", None)
    return members


CERTIFICATE = {"x5c": ["MIIC/zCCAeegAwIBAgIJQ=="], "x5t": "fJf1JnHkKjkpDs1XgGRvyTGaVjU"}


PROVIDERS: dict[str, tuple[Any, dict[str, Any], dict[str, Any], str]] = {
    "Auth0": (
        RSA_KEY,
        {"kid": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg", "use": "sig", "alg": "RS256"} | CERTIFICATE,
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": ["{ours}", "https://tenant.auth0.com/userinfo"], "nbf": None},
        "RS256",
    ),
    "Auth0 with PS256": (RSA_KEY, {"kid": "ps", "use": "sig", "alg": "PS256"}, {"nbf": None}, "PS256"),
    "Okta": (
        RSA_KEY,
        {"kid": "FHRWXpZ9kxNdJ5xVqEYlVXvBoGYOp3lkqBZ0y0sLoNg", "use": "sig", "alg": "RS256"},
        {"sub": "00uid4BxXw6I6TV4m0g3", "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "nbf": None},
        "RS256",
    ),
    "Entra ID": (  # names no alg, and dates iat and nbf back by five minutes
        RSA_KEY,
        {"kid": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "use": "sig", "issuer": "https://login.microsoftonline.com/x/v2.0"}
        | CERTIFICATE,
        {"sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "iat": "-300", "nbf": "-300", "exp": "3600"},
        "RS256",
    ),
    "Google": (
        RSA_KEY,
        {"kid": "c8ab7153972bba20b49f78a09c9852c43ff9118b", "use": "sig", "alg": "RS256"},
        {"sub": "110169484474386276334", "exp": "3600", "nbf": None, "azp": "1234.apps.googleusercontent.com"},
        "RS256",
    ),
    "Cognito": (
        RSA_KEY,
        {"kid": "1234example=", "use": "sig", "alg": "RS256"},
        {"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "token_use": "id", "exp": "3600", "nbf": None},
        "RS256",
    ),
    "Keycloak with EdDSA": (ED_KEY, {"kid": "ed", "use": "sig", "alg": "EdDSA"}, {}, "EdDSA"),
    "an elliptic curve with key_ops": (EC_KEY, {"kid": "ops", "key_ops": ["verify"]}, {}, "ES256"),
}


@each("provider", PROVIDERS)
def test_the_tokens_of_the_usual_providers_sign_in(browser: ApiClient, provider: str) -> None:
    key, members, claims, algorithm = PROVIDERS[provider]
    trust(browser.deployment, members_of(key) | members)
    user = user_with_password(browser.deployment, external_id=claims.get("sub", "idp|42"))
    now = int(time.time())
    times = {name: now + int(value) for name, value in claims.items() if name in ("iat", "nbf", "exp") and value}
    claims = claims | times
    if "aud" in claims:
        claims["aud"] = [audience.format(ours=browser.deployment.issuer) for audience in claims["aud"]]
    token = outside_token(key, browser.deployment, kid=members["kid"], algorithm=algorithm, **claims)
    assert data_of(with_token(browser, token))["active_signin"]["user_id"] == str(user.pk)


def trust(deployment: Deployment, *members: dict[str, Any], issuer: str = ISSUER) -> outside_issuers.Trusted:
    return trust_outside_keys(deployment=deployment, issuer=issuer, jwks=json.dumps({"keys": members}))


@each("key", [EC_KEY, RSA_KEY, ED_KEY], ids=["EC", "RSA", "OKP"])
def test_a_key_without_a_name_verifies_tokens_without_one(browser: ApiClient, sso_user: User, key: Any) -> None:
    trust(browser.deployment, members_of(key))
    algorithm = {id(EC_KEY): "ES256", id(RSA_KEY): "RS256", id(ED_KEY): "EdDSA"}[id(key)]
    token = outside_token(key, browser.deployment, kid=None, algorithm=algorithm)
    assert with_token(browser, token).status_code == 200


def test_of_several_keys_a_token_names_one(browser: ApiClient, sso_user: User) -> None:
    trust(browser.deployment, members_of(EC_KEY), members_of(RSA_KEY))
    token = outside_token(EC_KEY, browser.deployment, kid=None)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


@each(("trusted", "used"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS384"), ("RS256", "RS512")])
def test_a_key_is_good_for_its_one_algorithm(browser: ApiClient, sso_user: User, trusted: str, used: str) -> None:
    trust(browser.deployment, members_of(RSA_KEY) | {"kid": "rsa", "alg": trusted})
    token = outside_token(RSA_KEY, browser.deployment, kid="rsa", algorithm=used)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_the_public_key_is_no_shared_secret(browser: ApiClient, sso_user: User, algorithm: str) -> None:
    """RFC 8725, 2.1."""
    trust(browser.deployment, members_of(RSA_KEY) | {"kid": "rsa"})
    good = outside_token(RSA_KEY, browser.deployment, kid="rsa", algorithm="RS256")
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "rsa"}).encode()).decode().rstrip("=")
    signed = f"{header}.{good.split('.')[1]}"
    secret = browser.deployment.signing_keys.get(kid="rsa").public_key.encode()
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256) if algorithm == "HS256" else b""
    token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


SMALL_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (members_of(EC_KEY) | {"use": "enc"}, "its use is 'enc', not 'sig'"),
        (members_of(EC_KEY) | {"key_ops": ["encrypt"]}, r"its key_ops are \['encrypt'\], not \['verify'\]"),
        (members_of(EC_KEY) | {"key_ops": ["verify", "encrypt"]}, "its key_ops are"),
        (members_of(EC_KEY) | {"key_ops": []}, "its key_ops are"),
        (members_of(RSA_KEY) | {"alg": "RSA-OAEP"}, "its alg is 'RSA-OAEP', not RS256 or PS256"),
        (members_of(RSA_KEY) | {"alg": "ES256"}, "its alg is 'ES256'"),
        (members_of(SMALL_RSA_KEY), "it has 1024 bits, and RSA needs 2048"),
        (members_of(EC_KEY) | {"crv": "P-384"}, "its curve is 'P-384', not P-256"),
        (members_of(ED_KEY) | {"crv": "X25519"}, "its curve is 'X25519', not Ed25519"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "it is a secret that issuer and deployment would share"),
        ({"kty": "AKP"}, "keys of the kind 'AKP' are unknown here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # keys differ from process to process
)
def test_a_key_for_anything_else_is_refused_with_the_reason(
    deployment: Deployment, tmp_path: Any, members: dict[str, Any], reason: str
) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [members | {"kid": "odd"}]}))
    with pytest.raises(CommandError, match=f"The key 'odd' is passed over: {reason}.*no key in the document"):
        call_command("trust_issuer", deployment.host, ISSUER, str(file))
    assert deployment.outside_issuers() == []


def test_a_key_for_encryption_beside_a_good_one_is_passed_over(deployment: Deployment) -> None:
    """As Keycloak publishes them."""
    trusted = trust(
        deployment,
        members_of(RSA_KEY) | {"kid": "enc", "use": "enc", "alg": "RSA-OAEP"},
        members_of(RSA_KEY) | {"kid": "sig", "use": "sig", "alg": "RS256"},
    )
    assert [key.kid for key in trusted.keys] == ["sig"]
    assert trusted.passed_over == ["The key 'enc' is passed over: its use is 'enc', not 'sig'."]


@each("key", [EC_KEY, RSA_KEY, ED_KEY], ids=["EC", "RSA", "OKP"])
def test_own_tokens_are_es256_beside_outside_keys_of_other_algorithms(sso_user: User, key: Any) -> None:
    trust(sso_user.deployment, members_of(key) | {"kid": "outside"})
    session, now = session_of(sso_user), int(time.time())
    claims = {"iss": sso_user.deployment.issuer, "sess": str(session.pk), "iat": now, "nbf": now, "exp": now + 60}
    algorithm = {id(EC_KEY): "ES256", id(RSA_KEY): "RS256", id(ED_KEY): "EdDSA"}[id(key)]
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "outside"})
    assert error_code(ApiClient(sso_user.deployment, token=token).get()) == INVALID_SESSION_TOKEN

"""Signing in by the token of an outside issuer: which tokens are good, for whom, and how often."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from accounts.models import Deployment, Session, SignIn, SpentToken, User
from accounts.tokens import outside_issuers
from accounts.tokens.outside_issuers import trust_outside_keys
from accounts.tokens.session_tokens import LEEWAY, sign
from tests.support.admin import errors, saved, send, url
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.database import refused
from tests.support.factories import DeploymentFactory, UserFactory, confirmed_authenticator, session_of
from tests.support.sign_in import SIGN_IN, session_data, user_with_password

INVALID_FIELD = 40004
INVALID_SESSION_TOKEN = 40102
SESSION_EXPIRED = 40103
USER_DISABLED = 40106
WRONG_CREDENTIALS = 40108
OUTSIDE_TOKEN_USED = 40115

ISSUER = "https://login.example.net"
OTHER_ISSUER = "https://other.example.net"
YEAR = 365 * 24 * 3600


@pytest.fixture
def browser(deployment: Deployment) -> ApiClient:
    return ApiClient(deployment)


@pytest.fixture
def outside_key(deployment: Deployment) -> ec.EllipticCurvePrivateKey:
    return trusted_key(deployment)


def trusted_key(deployment: Deployment, kid: str = "outside-1", issuer: str = ISSUER) -> ec.EllipticCurvePrivateKey:
    """The key of an outside issuer whom the deployment trusts from now on."""
    key = ec.generate_private_key(ec.SECP256R1())
    public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwks = json.dumps({"keys": [public | {"kid": kid, "use": "sig", "alg": "ES256"}]})
    trust_outside_keys(deployment=deployment, issuer=issuer, jwks=jwks)
    return key


@pytest.fixture
def sso_user(deployment: Deployment) -> User:
    return user_with_password(deployment, external_id="idp|42")


def outside_token(
    key: Any, deployment: Deployment, *, kid: str | None = "outside-1", algorithm: str = "ES256", **claims: Any
) -> str:
    """A good token for ``sso_user``; ``claims`` replace its own, None removes one."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": deployment.issuer, "sub": "idp|42", "iat": now, "nbf": now, "exp": now + 60}
    all_claims = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode(all_claims, key, algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


def with_token(client: ApiClient, token: object) -> Any:
    return client.post(SIGN_IN, {"strategy": "outside_token", "token": token})


def test_a_trusted_issuer_signs_its_user_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    visitor = session_data(browser)["id"]
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)
    assert data["id"] != visitor
    assert data_of(browser.get("/me"))["id"] == str(sso_user.pk)


def test_mfa_is_up_to_the_issuer(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    confirmed_authenticator(sso_user)
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)


@each(
    ("claims", "code"),
    [
        ({"aud": "https://elsewhere.example.com"}, INVALID_SESSION_TOKEN),
        ({"aud": ["https://elsewhere.example.com"]}, INVALID_SESSION_TOKEN),
        ({"aud": None}, INVALID_SESSION_TOKEN),
        ({"iss": "https://evil.example.com"}, INVALID_SESSION_TOKEN),
        ({"iss": None}, INVALID_SESSION_TOKEN),
        ({"sub": None}, INVALID_SESSION_TOKEN),
        ({"exp": None}, INVALID_SESSION_TOKEN),
        ({"iat": None}, INVALID_SESSION_TOKEN),
        ({"iat": 1, "nbf": 1, "exp": 61}, SESSION_EXPIRED),
        ({"nbf": 2**40}, INVALID_SESSION_TOKEN),
        ({"sub": "idp|43"}, WRONG_CREDENTIALS),
        ({"sub": "IDP|42"}, WRONG_CREDENTIALS),
        ({"sub": ""}, WRONG_CREDENTIALS),
        ({"sub": "idp|42\0"}, WRONG_CREDENTIALS),
        ({"sub": "\ud800"}, WRONG_CREDENTIALS),
    ],
)
def test_a_claim_that_does_not_fit_is_refused(
    browser: ApiClient, sso_user: User, outside_key: Any, claims: dict[str, Any], code: int
) -> None:
    assert error_code(with_token(browser, outside_token(outside_key, browser.deployment, **claims))) == code
    assert not Session.objects.exists()


def test_the_issuer_cannot_speak_in_the_deployments_own_name(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    token = outside_token(outside_key, browser.deployment, iss=browser.deployment.issuer)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_another_key_under_a_trusted_name_is_refused(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(ec.generate_private_key(ec.SECP256R1()), browser.deployment)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_one_issuer_cannot_speak_for_another(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1")
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_a_revoked_key_signs_nobody_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    browser.deployment.signing_keys.filter(kid="outside-1").update(revoked_at=timezone.now())
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_an_issuer_is_trusted_by_its_deployment_only(browser: ApiClient, sso_user: User) -> None:
    elsewhere = trusted_key(DeploymentFactory.create())
    assert error_code(with_token(browser, outside_token(elsewhere, browser.deployment))) == INVALID_SESSION_TOKEN


def test_an_own_token_is_no_outside_token(browser: ApiClient, sso_user: User) -> None:
    """Not even one of the very claims that an outside issuer would put there."""
    claims = {"aud": browser.deployment.issuer, "sub": "idp|42", "sess": "1"}
    token = sign(browser.deployment, claims, expires_at=timezone.now() + timedelta(minutes=1))
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN
    assert error_code(with_token(browser, ApiClient(browser.deployment, sso_user).token)) == INVALID_SESSION_TOKEN


def test_a_disabled_user_is_kept_out_of_their_issuers_sign_in(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    User.objects.update(disabled=True)
    assert error_code(with_token(browser, outside_token(outside_key, browser.deployment))) == USER_DISABLED


def test_an_external_id_of_another_deployment_is_nobody_here(browser: ApiClient, outside_key: Any) -> None:
    user_with_password(DeploymentFactory.create(), external_id="idp|42")
    token = outside_token(outside_key, browser.deployment)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


@each("token", [None, "", 7, ["x"], "x" * 4097, "\0"])
def test_an_outside_token_is_a_text(browser: ApiClient, token: Any) -> None:
    assert error_code(with_token(browser, token)) == INVALID_FIELD


@each("token", ["x", "a.b.c", "\ud83d\ude00", "..", "e30.e30."])
def test_a_text_that_is_no_token_is_refused(browser: ApiClient, token: str) -> None:
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


# One subject of several issuers


def test_a_subject_of_another_issuer_is_somebody_else(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1", iss=OTHER_ISSUER)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)


def test_an_issuer_that_comes_after_another_signs_in_no_users_of_that_one(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    """Though not one key of the first is trusted any more."""
    browser.deployment.signing_keys.exclude(issuer="").update(revoked_at=timezone.now())
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1", iss=OTHER_ISSUER)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


def test_two_users_may_have_one_subject_of_two_issuers(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "outside-1", OTHER_ISSUER)
    twin = user_with_password(browser.deployment, external_id="idp|42", external_issuer=OTHER_ISSUER)
    for key, issuer, user in ((outside_key, ISSUER, sso_user), (other, OTHER_ISSUER, twin)):
        client = ApiClient(browser.deployment)
        data = data_of(with_token(client, outside_token(key, browser.deployment, iss=issuer)))
        assert data["active_signin"]["user_id"] == str(user.pk)


def test_two_users_of_one_subject_and_issuer_are_refused(sso_user: User) -> None:
    with refused("accounts_user_external_id_is_unique"):
        UserFactory.create(deployment=sso_user.deployment, external_id="idp|42")


def test_an_id_without_issuer_among_several_signs_nobody_in(browser: ApiClient, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    user_with_password(browser.deployment, external_id="idp|42")
    for key, kid, issuer in ((outside_key, "outside-1", ISSUER), (other, "other-1", OTHER_ISSUER)):
        token = outside_token(key, browser.deployment, kid=kid, iss=issuer)
        assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


def test_one_issuers_key_of_the_same_name_does_not_verify_for_the_other(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    other = trusted_key(browser.deployment, "outside-1", OTHER_ISSUER)
    assert error_code(with_token(browser, outside_token(other, browser.deployment))) == INVALID_SESSION_TOKEN


def test_staff_choose_the_issuer_of_an_external_id_among_several(
    admin_client: Client, sso_user: User, outside_key: Any
) -> None:
    change = url(sso_user, "change")
    assert saved(send(admin_client, change, external_id="idp|43"))
    trusted_key(sso_user.deployment, "other-1", OTHER_ISSUER)
    sso_user.refresh_from_db()
    assert (sso_user.external_id, sso_user.external_issuer) == ("idp|43", ISSUER)
    refusal = errors(send(admin_client, change, external_id="idp|44", external_issuer=""))
    assert f"The deployment trusts {ISSUER}, {OTHER_ISSUER}." in refusal
    assert "does not trust this issuer" in errors(send(admin_client, change, external_issuer="https://typo.example"))
    assert saved(send(admin_client, change, external_id="idp|44", external_issuer=OTHER_ISSUER))


# Once, and not for long


def test_a_token_is_good_for_one_sign_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    assert with_token(browser, token).status_code == 200
    for client in (browser, ApiClient(browser.deployment)):
        assert error_code(with_token(client, token)) == OUTSIDE_TOKEN_USED
    assert SignIn.objects.count() == 1


def test_the_same_signature_written_otherwise_makes_no_new_token(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    """(r, -s) is as good a signature as (r, s)."""
    token = outside_token(outside_key, browser.deployment)
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    negated = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{signed}.{base64.urlsafe_b64encode(negated).decode().rstrip('=')}"
    assert with_token(browser, token).status_code == 200
    assert error_code(with_token(browser, twin)) == OUTSIDE_TOKEN_USED


@pytest.mark.parametrize(("first", "second", "code"), [("a", "a", OUTSIDE_TOKEN_USED), ("a", "b", None)])
def test_the_claim_jti_names_a_token(
    browser: ApiClient, sso_user: User, outside_key: Any, first: str, second: str, code: int | None
) -> None:
    now = int(time.time())
    answers = [
        with_token(browser, outside_token(outside_key, browser.deployment, jti=jti, iat=now - number))
        for number, jti in enumerate((first, second))
    ]
    assert answers[0].status_code == 200
    assert answers[1].status_code == 200 if code is None else error_code(answers[1]) == code


def test_two_issuers_may_use_one_jti(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    user_with_password(browser.deployment, external_id="idp|42", external_issuer=OTHER_ISSUER)
    for key, kid, issuer in ((outside_key, "outside-1", ISSUER), (other, "other-1", OTHER_ISSUER)):
        token = outside_token(key, browser.deployment, kid=kid, iss=issuer, jti="1")
        assert with_token(browser, token).status_code == 200


def test_a_refused_sign_in_does_not_use_the_token_up(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    User.objects.update(disabled=True)
    assert error_code(with_token(browser, token)) == USER_DISABLED
    User.objects.update(disabled=False)
    assert with_token(browser, token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_signs_in(deployment: Deployment) -> None:
    user_with_password(deployment, external_id="idp|42")
    token = outside_token(trusted_key(deployment), deployment)

    def use(_: int) -> int:
        try:
            status: int = with_token(ApiClient(deployment), token).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(use, range(8)))
    assert sorted(statuses) == [200] + [401] * 7
    assert SignIn.objects.count() == 1


@each(
    ("age", "lifetime", "is_good"),
    [
        (0, 3600, True),
        (0, 3900, True),
        (300, 3900, True),
        (0, 3901, False),
        (0, 24 * 3600, False),
        (0, 10 * YEAR, False),
        (10, 0, False),
        (10, -5, False),
    ],
)
def test_a_token_lives_for_65_minutes_at_most(
    browser: ApiClient, sso_user: User, outside_key: Any, age: int, lifetime: int, is_good: bool
) -> None:
    begun = int(time.time()) - age
    token = outside_token(outside_key, browser.deployment, iat=begun, nbf=begun, exp=begun + lifetime)
    assert (with_token(browser, token).status_code == 200) is is_good


@each("claim", ["iat", "exp", "nbf"])
@each("value", [True, "1", [1], {}, 1e400, float("nan"), 253402300795, -1e300])
def test_a_time_that_is_none_is_refused(
    browser: ApiClient, sso_user: User, outside_key: Any, claim: str, value: Any
) -> None:
    assert with_token(browser, outside_token(outside_key, browser.deployment, **{claim: value})).status_code == 401


def test_used_tokens_are_swept_once_they_have_expired(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    assert with_token(browser, outside_token(outside_key, browser.deployment)).status_code == 200
    call_command("sweep_sessions")
    assert SpentToken.objects.count() == 1
    SpentToken.objects.update(expires_at=timezone.now() - timedelta(seconds=2 * LEEWAY))
    call_command("sweep_sessions")
    assert not SpentToken.objects.exists()


def test_the_database_holds_nothing_by_which_a_used_token_could_be_made(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    token = outside_token(outside_key, browser.deployment)
    with_token(browser, token)
    assert SpentToken.objects.get().digest not in token


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


@each("audience", [[], ["https://elsewhere.example"], [1], {"{ours}": 1}, 7, ""])
def test_another_audience_is_refused(browser: ApiClient, sso_user: User, outside_key: Any, audience: Any) -> None:
    token = outside_token(outside_key, browser.deployment, aud=audience)
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

"""The session token as ``Authorization: Bearer``, for clients that are no browsers and keep the token themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from accounts.authentication import sessions
from accounts.models import Deployment, Session, User
from accounts.tokens.session_tokens import sign, sign_session_token
from tests.support.api import MEMBERSHIPS, ApiClient, data_of, error_code, warm_up
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, session_of, token_of
from tests.support.sign_in import attempt_of, by_email, signed_in, totp, user_with_mfa, user_with_password

NO_SESSION = 40101
INVALID = 40102
EXPIRED = 40103
TOKEN_REUSED = 40107
FOREIGN_ORIGIN = 40302

READING = [MEMBERSHIPS, "/me", "/me/organization-memberships", "/session", "/session/token", "/deployment"]
WRITING = [
    ("/session/switch-organization", "organization_id="),
    ("/session/switch-workspace", "workspace_id="),
    ("/session/switch-sign-in", ""),
    ("/session/sign-out", ""),
]
NO_ORIGIN: dict[str, Any] = {"HTTP_ORIGIN": ""}


def bearer(token: str | None, scheme: str = "Bearer") -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"{scheme} {token}"}


@pytest.fixture(params=Deployment.Mode.values)
def anybody(request: pytest.FixtureRequest, db: None) -> ApiClient:
    """A client without a token, at a deployment of each mode."""
    return ApiClient(DeploymentFactory.create(mode=request.param))


def member_of(client: ApiClient) -> User:
    return UserFactory.create(deployment=client.deployment)


@each("path", READING)
def test_a_token_may_come_in_the_header(anybody: ApiClient, path: str) -> None:
    session = session_of(member_of(anybody))
    response = anybody.get(path, **bearer(sessions.session_token(session)))
    assert response.status_code == 200
    assert response.json()["session"]["id"] == str(session.pk)
    assert response.headers["Vary"] == "Cookie, Authorization, Origin"
    assert not response.cookies
    assert anybody.request("HEAD", path, **bearer(sessions.session_token(session))).status_code == 200


@each("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_schemes_spelling_does_not_matter(user: User, scheme: str) -> None:
    """RFC 9110, 11.1."""
    assert ApiClient(user.deployment).get(**bearer(token_of(user), scheme)).status_code == 200


def test_it_takes_the_fast_path_too(anybody: ApiClient) -> None:
    user = member_of(anybody)
    warm_up(ApiClient(anybody.deployment, user))
    response = anybody.get(**bearer(token_of(user)))
    assert hasattr(response, "took_the_fast_path")
    assert response.status_code == 200


def test_a_short_answer_belongs_to_its_bearer(user: User) -> None:
    other = UserFactory.create(deployment=user.deployment)
    warm_up(ApiClient(user.deployment, user))
    asked = [
        ApiClient(user.deployment, user).get(**bearer(token_of(one))).json()["session"]["id"] for one in (user, other)
    ]
    assert asked[0] != asked[1]


@each(("path", "query"), WRITING)
@each("origin", ["", "null", "https://evil.example"])
def test_a_change_needs_no_origin(anybody: ApiClient, path: str, query: str, origin: str) -> None:
    """No page of another site can set the header without asking first, which is allowed to known origins alone."""
    header = bearer(token_of(member_of(anybody)))
    assert anybody.post(path, None, query, HTTP_ORIGIN=origin, **header).status_code == 200


@each("value", ["forged", "a.b.c", "another product's", ""])
def test_a_foreign_bearer_token_lets_no_cookie_act_without_an_origin(user: User, value: str) -> None:
    client = ApiClient(user.deployment, user)
    if value.startswith("another"):
        value = jwt.encode({"sub": "1"}, "a secret of another product, long enough", headers={"kid": "1"})
    for path, query in WRITING:
        assert error_code(client.post(path, None, query, **NO_ORIGIN, **bearer(value))) == FOREIGN_ORIGIN
    assert client.get(**bearer(value)).status_code == 200, "it does not harm the cookie either"
    assert client.get("/session", **bearer(value)).json()["data"]["active_signin"] is not None


def test_it_takes_precedence_over_the_cookie_and_the_parameter(anybody: ApiClient) -> None:
    sent, others = session_of(member_of(anybody)), token_of(member_of(anybody))
    client = ApiClient(anybody.deployment, token=others)
    for path in READING:
        response = client.get(path, f"__dev_session__={others}", **bearer(sessions.session_token(sent)))
        assert response.json()["session"]["id"] == str(sent.pk)


@pytest.mark.parametrize("path", [MEMBERSHIPS, "/me"])
def test_an_ended_token_of_ours_is_refused_despite_a_good_cookie(user: User, path: str) -> None:
    client = ApiClient(user.deployment, user)
    over = sign_session_token(session_of(user), expires_at=timezone.now() - timedelta(hours=1))
    assert error_code(client.get(path, **bearer(over))) == EXPIRED


@pytest.mark.parametrize("path", ["/session", "/deployment"])
def test_an_ended_token_takes_no_cookie_away(user: User, path: str) -> None:
    client = ApiClient(user.deployment, user)
    over = sign_session_token(session_of(user), expires_at=timezone.now() - timedelta(hours=1))
    assert not client.get(path, **bearer(over)).cookies


@each("value", ["forged", "a.b.c", "x y"])
def test_a_bad_token_alone_is_another_error_than_no_token(user: User, value: str) -> None:
    visitor = ApiClient(user.deployment)
    assert error_code(visitor.get(**bearer(value))) == (NO_SESSION if " " in value else INVALID)
    assert "__session" in visitor.get("/session", **bearer(value)).cookies, "it may be another product's"


def test_an_access_token_is_no_session_token(user: User) -> None:
    token = data_of(ApiClient(user.deployment, user).get("/session/token"))["token"]
    visitor = ApiClient(user.deployment)
    assert error_code(visitor.get(**bearer(token))) == INVALID
    assert error_code(ApiClient(user.deployment, token=token).get("/me")) == INVALID


def aged(session: Session) -> str:
    """Its current token, which is so old that one in a cookie would be renewed."""
    issued = int((timezone.now() - timedelta(hours=1)).timestamp())
    claims = {"sess": str(session.pk), "ser": session.token_serial, "iat": issued}
    return sign(session.deployment, claims, expires_at=session.expires_at)


@each("path", READING)
def test_a_token_is_not_renewed_where_only_a_cookie_could_bring_it(user: User, path: str) -> None:
    session = session_of(user)
    for _ in range(2):
        response = ApiClient(user.deployment).get(path, **bearer(aged(session)))
        assert response.status_code == 200
        assert not response.cookies
    session.refresh_from_db()
    assert session.token_serial == 1


def test_an_aged_token_still_takes_the_fast_path(user: User) -> None:
    session = session_of(user)
    for _ in range(3):
        response = ApiClient(user.deployment).get(**bearer(aged(session)))
    assert hasattr(response, "took_the_fast_path")


@each("path", READING)
def test_in_staging_it_is_renewed_in_the_header_alone(db: None, path: str) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(mode=Deployment.Mode.STAGING))
    response = ApiClient(user.deployment).get(path, **bearer(aged(session_of(user))))
    assert not response.cookies
    claims = jwt.decode(response.headers["X-Development-Session"], options={"verify_signature": False})
    assert claims["ser"] == 2


def test_a_copied_token_is_noticed_in_the_header_too(deployment: Deployment, settings: Any) -> None:
    """A thief of a cookie must not keep it by sending it in another way."""
    client = signed_in(user_with_password(deployment))
    stolen = client.token
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    client.get("/me")
    settings.USER_SESSION_RENEW_AFTER = timedelta(minutes=15)
    client.get("/me")
    assert ApiClient(deployment).get("/me", **bearer(stolen)).status_code == 200, "within the grace"
    Session.objects.update(token_seen_at=timezone.now() - timedelta(hours=1))
    response = ApiClient(deployment).get("/me", **bearer(stolen))
    assert error_code(response) == TOKEN_REUSED
    assert Session.objects.get().ended_at is not None


def test_signing_out_takes_no_cookie_away(user: User) -> None:
    """The browser's cookie, if there is one, is of another session."""
    response = ApiClient(user.deployment, user).post("/session/sign-out", **NO_ORIGIN, **bearer(token_of(user)))
    assert data_of(response)["active_signin"] is None
    assert not response.cookies
    assert Session.objects.filter(ended_at__isnull=True).count() == 1


def test_a_client_without_cookies_can_sign_in(anybody: ApiClient) -> None:
    """It reads each new token out of the answer that signs in, or in staging out of the header."""
    user = user_with_mfa(anybody.deployment)
    response = ApiClient(anybody.deployment).post("/auth/signin", by_email(user))
    token, attempt = response.cookies["__session"].value, attempt_of(response)
    client = ApiClient(anybody.deployment)
    query = f"attempt_identifier={attempt}&identifier_type=signin"
    body = {"verification_code": totp()}
    done = client.post("/auth/attempt-verification", body, query, **NO_ORIGIN, **bearer(token))
    assert data_of(done)["active_signin"]["user_id"] == str(user.pk)
    new = done.headers.get("X-Development-Session") or done.cookies["__session"].value
    assert ApiClient(anybody.deployment).get("/me", **bearer(new)).status_code == 200


def test_pages_of_allowed_origins_may_send_the_header(db: None) -> None:
    deployment = DeploymentFactory.create(allowed_origins=["https://app.example.com"])
    for path in READING:
        response = ApiClient(deployment).client.options(
            path,
            HTTP_HOST=deployment.host,
            HTTP_ORIGIN="https://app.example.com",
            HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET",
            HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization",
        )
        assert "authorization" in response.headers["Access-Control-Allow-Headers"]
        refused = ApiClient(deployment).client.options(
            path,
            HTTP_HOST=deployment.host,
            HTTP_ORIGIN="https://evil.example",
            HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET",
            HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization",
        )
        assert "Access-Control-Allow-Origin" not in refused.headers

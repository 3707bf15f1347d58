"""The session token is renewed while in use; an old one that turns up late ends the session."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import jwt
import pytest
from django.conf import settings as project_settings
from django.utils import timezone

from accounts.models import Deployment, Session, SignIn
from accounts.tokens import keys
from accounts.tokens.session_tokens import sign_session_token
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory
from tests.support.sign_in import session_data, sign_in, signed_in, user_with_password

INVALID_SESSION_TOKEN = 40102
SESSION_EXPIRED = 40103
SESSION_ENDED = 40104
NO_ACTIVE_SIGN_IN = 40105
TOKEN_REUSED = 40107

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def shared_client(shared_deployment: Deployment) -> ApiClient:
    """A browser in which a user has just signed in."""
    return signed_in(user_with_password(shared_deployment))


@pytest.fixture
def client(shared_client: ApiClient, db: None) -> ApiClient:
    return deepcopy(shared_client)


@pytest.fixture
def due(settings: Any) -> Callable[[bool], None]:
    """Whether tokens are due for renewal from now on."""

    def set_due(is_due: bool) -> None:
        settings.USER_SESSION_RENEW_AFTER = timedelta(0) if is_due else timedelta(minutes=15)

    return set_due


def claims(token: str | None) -> dict[str, Any]:
    assert token is not None
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def serial(token: str | None) -> int:
    value: int = claims(token)["ser"]
    return value


def with_token(client: ApiClient, token: str | None) -> ApiClient:
    """Another client of the deployment, which has ``token``."""
    return ApiClient(client.deployment, token=token)


def renewed(client: ApiClient, due: Callable[[bool], None]) -> ApiClient:
    """A client that has the token that ``client``'s is renewed by; ``client`` does not have it."""
    due(True)
    other = with_token(client, client.token)
    assert other.get("/me").status_code == 200
    due(False)
    assert serial(other.token) == serial(client.token) + 1
    return other


def seen(ago: timedelta) -> None:
    """Let the newest token have been seen first so long ago."""
    assert Session.objects.filter(token_seen_at__isnull=False).update(token_seen_at=timezone.now() - ago) == 1


def test_a_young_token_is_kept(client: ApiClient) -> None:
    for path in ("/me", "/session", "/me/workspace-memberships"):
        assert "__session" not in client.get(path).cookies


def test_a_token_is_renewed_once_it_is_old_enough(client: ApiClient, settings: Any) -> None:
    session = Session.objects.get()
    for age, is_renewed in [(98, False), (102, True)]:
        settings.USER_SESSION_RENEW_AFTER = timedelta(seconds=100)
        aged = dict(claims(client.token)) | {"iat": int(timezone.now().timestamp()) - age}
        token = resigned(session, aged)
        assert ("__session" in with_token(client, token).get("/me").cookies) == is_renewed


def resigned(session: Session, new_claims: dict[str, Any]) -> str:
    """A token with these claims, signed by the deployment."""
    key = keys.signing_key(session.deployment)
    return jwt.encode(new_claims, keys.private_key_of(key), algorithm="ES256", headers={"kid": key.kid})


@each(
    ("method", "path", "query"),
    [
        ("GET", "/me", ""),
        ("HEAD", "/me", ""),
        ("GET", "/session", ""),
        ("GET", "/session/token", ""),
        ("GET", "/deployment", ""),
        ("GET", "/me/organization-memberships", ""),
        ("POST", "/session/switch-organization", "organization_id="),
        ("GET", "/me/workspace-memberships", "org_id=1"),
        ("GET", "/me/workspace-memberships", "org_id=x"),
        ("POST", "/session/switch-sign-in", "sign_in_id=1"),
    ],
)
def test_an_old_token_is_replaced_by_any_answer(
    client: ApiClient, due: Callable[[bool], None], method: str, path: str, query: str
) -> None:
    """An error is an answer, too."""
    before = client.token
    due(True)
    client.request(method, path, query)
    assert serial(client.token) == serial(before) + 1
    assert claims(client.token)["sess"] == claims(before)["sess"]


@each("same_site", ["Strict", "Lax", "None"])
def test_the_cookie_is_out_of_reach(db: None, due: Callable[[bool], None], same_site: str) -> None:
    """RFC 6265bis, 4.1.2: of scripts, of plain http, and, without Domain, of other hosts."""
    client = signed_in(user_with_password(DeploymentFactory.create(cookie_same_site=same_site)))
    due(True)
    cookie = client.get("/me").cookies["__session"]
    set_attributes = {name: value for name, value in cookie.items() if value}
    expires = parsedate_to_datetime(set_attributes.pop("expires"))
    del set_attributes["max-age"]
    assert set_attributes == {"path": "/", "secure": True, "httponly": True, "samesite": same_site}
    session = Session.objects.get(deployment=client.deployment)
    assert abs(expires - session.expires_at) <= SECOND
    assert claims(cookie.value)["exp"] == int(session.expires_at.timestamp())


def test_the_header_brings_the_token_in_staging(db: None, due: Callable[[bool], None]) -> None:
    deployment = DeploymentFactory.create(mode=Deployment.Mode.STAGING)
    client = ApiClient(deployment)
    response = client.get("/session")
    assert response.headers["X-Development-Session"] == client.token  # a visitor's
    response = sign_in(client, user_with_password(deployment))
    assert response.headers["X-Development-Session"] == client.token
    due(True)
    response = ApiClient(deployment).get("/me", f"__dev_session__={client.token}")
    assert serial(response.headers["X-Development-Session"]) == serial(client.token) + 1


def test_no_header_brings_the_token_in_production(client: ApiClient, due: Callable[[bool], None]) -> None:
    due(True)
    assert "X-Development-Session" not in client.get("/me").headers


def test_a_visitors_token_is_not_renewed(deployment: Deployment, due: Callable[[bool], None]) -> None:
    visitor = ApiClient(deployment)
    visitor.get("/session")
    due(True)
    assert "__session" not in visitor.get("/session").cookies


def test_a_script_token_is_never_renewed(client: ApiClient, due: Callable[[bool], None]) -> None:
    """The token of ``manage.py issue_session``: nobody would keep the new one."""
    token = sign_session_token(Session.objects.get(), expires_at=timezone.now() + timedelta(hours=1))
    script = with_token(client, token)
    for _ in range(3):
        renewed(client, due)
        assert "__session" not in script.get("/me").cookies
    due(True)
    assert "__session" not in script.get("/me").cookies


# The token before


def test_the_token_before_brings_the_same_new_one(client: ApiClient, due: Callable[[bool], None]) -> None:
    other = renewed(client, due)
    assert other.get("/me").status_code == 200
    seen(59 * SECOND)
    assert client.get("/me").status_code == 200
    assert serial(client.token) == serial(other.token)
    assert other.get("/me").status_code == 200


def test_a_lost_answer_signs_nobody_out_however_late(client: ApiClient, due: Callable[[bool], None]) -> None:
    lost = renewed(client, due)
    Session.objects.update(updated_at=timezone.now() - timedelta(days=2))
    for _ in range(3):
        again = with_token(client, client.token)
        assert again.get("/me").status_code == 200
        assert serial(again.token) == serial(lost.token)
    assert Session.objects.get().token_seen_at is None


def test_a_token_before_that_comes_late_ends_the_session(client: ApiClient, due: Callable[[bool], None]) -> None:
    other = renewed(client, due)
    assert other.get("/me").status_code == 200
    seen(61 * SECOND)
    assert error_code(client.get("/me")) == TOKEN_REUSED
    assert error_code(other.get("/me")) == SESSION_ENDED
    assert error_code(client.get("/me")) == SESSION_ENDED
    assert SignIn.objects.get().ended_at is not None


def test_the_grace_begins_when_the_new_token_is_first_seen(client: ApiClient, due: Callable[[bool], None]) -> None:
    other = renewed(client, due)
    other.get("/me")
    seen(50 * SECOND)
    first = Session.objects.get().token_seen_at
    other.get("/me")
    assert Session.objects.get().token_seen_at == first


def test_a_token_before_the_one_before_ends_the_session_at_once(client: ApiClient, due: Callable[[bool], None]) -> None:
    newest = renewed(renewed(client, due), due)
    assert error_code(client.get("/me")) == TOKEN_REUSED
    assert error_code(newest.get("/me")) == SESSION_ENDED


def test_a_page_with_a_reused_token_starts_afresh(client: ApiClient, due: Callable[[bool], None]) -> None:
    renewed(renewed(client, due), due)
    before = claims(client.token)["sess"]
    data = session_data(client)
    assert data["active_signin"] is None
    assert data["id"] != before
    assert session_data(client)["id"] == data["id"]


def test_a_serial_that_was_never_given_out_is_refused(client: ApiClient) -> None:
    session = Session.objects.get()
    token = sign_session_token(session, expires_at=session.expires_at, serial=session.token_serial + 1)
    assert error_code(with_token(client, token).get("/me")) == INVALID_SESSION_TOKEN
    assert client.get("/me").status_code == 200


@each("value", ["1", 1.5, True, [1], {}])
def test_a_serial_that_is_no_integer_is_refused(client: ApiClient, value: Any) -> None:
    token = resigned(Session.objects.get(), claims(client.token) | {"ser": value})
    assert error_code(with_token(client, token).get("/me")) == INVALID_SESSION_TOKEN


def test_a_token_of_an_ended_session_is_not_renewed(client: ApiClient, due: Callable[[bool], None]) -> None:
    due(True)
    Session.objects.update(ended_at=timezone.now())
    response = client.get("/me")
    assert error_code(response) == SESSION_ENDED
    assert "__session" not in response.cookies


# The end


def test_the_end_slides_with_use(client: ApiClient, due: Callable[[bool], None]) -> None:
    Session.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    due(True)
    client.get("/me")
    assert_about(Session.objects.get().expires_at, timezone.now() + project_settings.USER_SESSION_LIFETIME)


def test_the_end_does_not_slide_beyond_the_longest_life(client: ApiClient, due: Callable[[bool], None]) -> None:
    created_at = timezone.now() - project_settings.USER_SESSION_MAX_LIFETIME + timedelta(hours=2)
    Session.objects.update(created_at=created_at, expires_at=timezone.now() + timedelta(hours=1))
    due(True)
    response = client.get("/me")
    assert_about(Session.objects.get().expires_at, timezone.now() + timedelta(hours=2))
    assert_about(
        datetime.fromtimestamp(claims(response.cookies["__session"].value)["exp"], timezone.get_current_timezone()),
        timezone.now() + timedelta(hours=2),
    )


def test_renewal_never_brings_the_end_nearer(client: ApiClient, due: Callable[[bool], None]) -> None:
    far = timezone.now() + timedelta(days=300)
    Session.objects.update(expires_at=far)
    due(True)
    client.get("/me")
    assert Session.objects.get().expires_at == far


def test_a_session_that_nobody_uses_expires(client: ApiClient) -> None:
    Session.objects.update(expires_at=timezone.now() - SECOND)
    assert error_code(client.get("/me")) == SESSION_EXPIRED


def test_a_sign_in_ends_by_itself(client: ApiClient, due: Callable[[bool], None]) -> None:
    """Renewing the session does not prolong it: after so long the password is asked for again."""
    (sign_in_row,) = SignIn.objects.all()
    assert_about(sign_in_row.expires_at, timezone.now() + project_settings.USER_SESSION_MAX_LIFETIME)
    due(True)
    client.get("/me")
    assert SignIn.objects.get().expires_at == sign_in_row.expires_at
    SignIn.objects.update(expires_at=timezone.now() - SECOND)
    assert error_code(client.get("/me")) == NO_ACTIVE_SIGN_IN
    data = session_data(client)
    assert data["active_signin"] is None
    assert data["signins"] == []


def assert_about(moment: datetime, expected: datetime) -> None:
    assert abs(moment - expected) < timedelta(seconds=30)


def test_a_renewal_shows_when_the_user_was_last_active(client: ApiClient, due: Callable[[bool], None]) -> None:
    before = session_data(client)["active_signin"]
    began = timezone.now()
    due(True)
    client.get("/me")
    due(False)
    after = session_data(client)["active_signin"]
    assert datetime.fromisoformat(before["lastActiveAt"]) < began
    assert began <= datetime.fromisoformat(after["lastActiveAt"]) <= timezone.now()


def test_a_sign_in_that_is_not_active_is_not_shown_as_used(
    client: ApiClient, deployment: Deployment, due: Callable[[bool], None]
) -> None:
    first = session_data(client)["active_signin"]
    sign_in(client, user_with_password(deployment))
    due(True)
    client.get("/me")
    due(False)
    assert session_data(client)["signins"][0]["lastActiveAt"] == first["lastActiveAt"]

"""A token that may be good in a moment is refused, but takes nothing away: no cookie, no session, no sign-in."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.authentication import sessions
from accounts.deployments import cached_deployments
from accounts.models import Deployment, Session, SignIn, User
from accounts.tokens.keys import rotate_keys
from accounts.tokens.session_tokens import sign
from tests.support.api import MEMBERSHIPS, ApiClient, data_of, error_code, warm_up
from tests.support.cases import each
from tests.support.factories import UserFactory, session_of
from tests.support.server import SOON, wait_until
from tests.support.sign_in import PASSWORD, by_email, read_token, session_data, signed_in, user_with_password

INVALID = 40102
TOKEN_NOT_YET_VALID = 40112

NEEDING_SOMEBODY = [MEMBERSHIPS, "/me", "/me/organization-memberships", "/session/token"]
FOR_EVERYBODY = ["/session", "/deployment"]


def token(session: Session, **claims: Any) -> str:
    own = {"sess": str(session.pk), "ser": session.token_serial}
    return sign(session.deployment, own | claims, expires_at=session.expires_at)


def ahead(seconds: float) -> dict[str, float]:
    """The token of a server whose clock is so many seconds ahead."""
    return {"iat": int(time.time() + seconds), "nbf": int(time.time() + seconds)}


def assert_nothing_is_taken(response: Any) -> None:
    assert not response.cookies
    assert "X-Development-Session" not in response.headers
    assert Session.objects.get().ended_at is None
    assert not SignIn.objects.filter(ended_at__isnull=False).exists()


@pytest.fixture(params=Deployment.Mode.values)
def session(request: pytest.FixtureRequest, user: User) -> Session:
    Deployment.objects.filter(pk=user.deployment_id).update(mode=request.param)
    user.deployment.refresh_from_db()
    return session_of(user)


@each("seconds", [8, 60, 1800])
@each("method", ["GET", "HEAD"])
def test_a_token_of_a_clock_ahead_is_refused_and_kept(session: Session, seconds: int, method: str) -> None:
    client = ApiClient(session.deployment, token=token(session, **ahead(seconds)))
    warm_up(ApiClient(session.deployment, session.sign_ins.get().user))
    Session.objects.exclude(pk=session.pk).delete()
    for path in NEEDING_SOMEBODY:
        response = client.request(method, path)
        assert response.status_code == 401
        if method == "GET":
            assert error_code(response) == TOKEN_NOT_YET_VALID
        assert_nothing_is_taken(response)
    for path in FOR_EVERYBODY:
        response = client.request(method, path)
        assert response.status_code == 200
        assert_nothing_is_taken(response)


@pytest.mark.django_db
def test_the_token_is_good_once_the_clock_has_come_up_to_it() -> None:
    sessions_ = [session_of(UserFactory.create(deployment__mode=mode)) for mode in Deployment.Mode.values]
    clients = [ApiClient(session.deployment, token=token(session, **ahead(8))) for session in sessions_]
    assert [error_code(client.get()) for client in clients] == [TOKEN_NOT_YET_VALID] * 2
    for client in clients:  # in two to three seconds
        wait_until(partial(is_taken, client), "it is good", seconds=SOON)


def is_taken(client: ApiClient) -> bool:
    return bool(client.get().status_code == 200)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_that_will_never_be_good_is_replaced(session: Session, claim: str) -> None:
    """It ends before it begins."""
    client = ApiClient(session.deployment, token=token(session, **{claim: session.expires_at.timestamp() + 1}))
    assert error_code(client.get()) == INVALID
    assert "__session" in client.get("/session").cookies


@each(
    ("path", "query"),
    [
        ("/session/sign-out", ""),
        ("/session/switch-sign-in", ""),
        ("/session/switch-organization", "organization_id="),
        ("/session/switch-workspace", "workspace_id="),
        ("/auth/attempt-verification", "attempt_identifier=1"),
        ("/me/authenticator", ""),
    ],
)
def test_nothing_is_done_in_a_visitors_name_meanwhile(session: Session, path: str, query: str) -> None:
    """Signing out would say that it worked, and leave the session alive."""
    client = ApiClient(session.deployment, token=token(session, **ahead(8)))
    response = client.post(path, {"verification_code": "1"}, query)
    assert error_code(response) == TOKEN_NOT_YET_VALID
    assert_nothing_is_taken(response)


def test_signing_in_works_meanwhile_and_ends_nothing(deployment: Deployment) -> None:
    """A server whose clock is wrong for long must not keep people out."""
    user = user_with_password(deployment)
    before = Session.objects.get(pk=session_data(signed_in(user))["id"])
    client = ApiClient(deployment, token=token(before, **ahead(8)))
    assert error_code(client.post("/auth/signin", by_email(user, "wrong"))) == 40108
    assert "__session" not in client.post("/auth/signin", by_email(user, "wrong")).cookies
    assert data_of(client.post("/auth/signin", by_email(user, PASSWORD)))["active_signin"] is not None
    before.refresh_from_db()
    assert before.ended_at is None


def test_a_disabled_user_keeps_their_session(session: Session) -> None:
    User.objects.update(disabled=True)
    client = ApiClient(session.deployment, token=sessions.session_token(session))
    for path in [*NEEDING_SOMEBODY, *FOR_EVERYBODY]:
        response = client.get(path)
        assert response.status_code == (401 if path in NEEDING_SOMEBODY else 200)
        assert_nothing_is_taken(response)
    User.objects.update(disabled=False)
    assert client.get("/me").status_code == 200


def test_an_unknown_host_takes_nothing(session: Session) -> None:
    client = ApiClient(session.deployment, token=sessions.session_token(session))
    for path in [*NEEDING_SOMEBODY, *FOR_EVERYBODY]:
        response = client.get(path, HTTP_HOST="nobody.example.com")
        assert response.status_code == 404
        assert_nothing_is_taken(response)


def test_a_database_that_is_down_takes_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("down")

    client = ApiClient(session.deployment, token=sessions.session_token(session))
    monkeypatch.setattr(cached_deployments, "verify_session_token", fail)
    for path in FOR_EVERYBODY:
        response = client.get(path)
        assert response.status_code == 503
        assert_nothing_is_taken(response)


def test_a_key_that_a_process_does_not_know_yet_takes_nothing(session: Session) -> None:
    client = ApiClient(session.deployment, token=sessions.session_token(session))
    warm_up(client)
    rotate_keys(session.deployment)
    client.token = sessions.session_token(session)
    for path in [*NEEDING_SOMEBODY, *FOR_EVERYBODY]:
        response = client.get(path)
        assert response.status_code == 200
        assert_nothing_is_taken(response)


def test_a_throttled_sign_in_takes_nothing(deployment: Deployment, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 1
    user = user_with_password(deployment)
    client = signed_in(user)
    for _ in range(2):
        response = client.post("/auth/signin", by_email(user, "wrong"))
    assert response.status_code == 429
    assert_nothing_is_taken(response)
    assert client.get("/me").status_code == 200


def test_two_servers_clocks_make_no_thief_of_a_tab(
    deployment: Deployment, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's clock measures the grace: the server that stored the new token's use is minutes behind."""
    client = signed_in(user_with_password(deployment))
    old = client.token
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    other = ApiClient(deployment, token=old)
    other.get("/me")
    settings.USER_SESSION_RENEW_AFTER = timedelta(minutes=15)
    new = read_token(str(other.token), deployment)
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: now - timedelta(minutes=2))
        sessions.renew(Session.objects.get(), new)
    assert client.get("/me").status_code == 200
    assert Session.objects.get().ended_at is None

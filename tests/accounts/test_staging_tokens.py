"""In staging tokens travel in addresses and headers: each tab may keep its own, and a link brings no cookie."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from itertools import product
from typing import Any

import jwt
import pytest
from django.utils import timezone

from accounts.authentication import sessions
from accounts.models import Deployment, Session, User
from accounts.tokens.session_tokens import sign_session_token
from tests.support.api import MEMBERSHIPS, ApiClient, data_of, error_code
from tests.support.cases import undone
from tests.support.factories import DeploymentFactory, session_of, token_of
from tests.support.sign_in import attempt_of, by_email, sign_in, totp, user_with_mfa, user_with_password

TOKEN_REPLACED = 40111
HEADER = "X-Development-Session"
PATHS = [MEMBERSHIPS, "/me", "/me/organization-memberships", "/session", "/session/token", "/deployment"]


@pytest.fixture(scope="module")
def shared_deployment(shared_rows: None) -> Deployment:
    return DeploymentFactory.create(mode=Deployment.Mode.STAGING)


@pytest.fixture(scope="module")
def shared_user(shared_deployment: Deployment) -> User:
    return user_with_password(shared_deployment)


@pytest.fixture
def user(shared_user: User, deployment: Deployment) -> User:
    user = deepcopy(shared_user)
    user.deployment = deployment
    return user


class Tab:
    """A page that keeps its token itself, as a client with a key for tests does."""

    def __init__(self, deployment: Deployment, token: str = "") -> None:
        self.deployment = deployment
        self.token = token

    def request(self, method: str, path: str, query: str = "", body: Any = None) -> Any:
        """The answer, which must set no cookie once there is a token."""
        client = ApiClient(self.deployment)
        query = f"{query}&__dev_session__={self.token}"
        response = client.post(path, body, query) if method == "POST" else client.request(method, path, query)
        assert not (self.token and response.cookies)
        self.token = response.headers.get(HEADER, self.token)
        return response

    def get(self, path: str) -> Any:
        return self.request("GET", path)


def signed_in_tab(user: User) -> Tab:
    tab = Tab(user.deployment)
    tab.get("/session")
    assert data_of(tab.request("POST", "/auth/signin", body=by_email(user)))["active_signin"] is not None
    return tab


def renew(tab: Tab, settings: Any) -> None:
    before = tab.token
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    assert tab.get("/me").status_code == 200
    settings.USER_SESSION_RENEW_AFTER = timedelta(minutes=15)
    assert serial(tab.token) == serial(before) + 1
    assert tab.get("/me").status_code == 200


def serial(token: str) -> int:
    return int(jwt.decode(token, options={"verify_signature": False})["ser"])


def let_the_grace_pass() -> None:
    Session.objects.filter(token_seen_at__isnull=False).update(token_seen_at=timezone.now() - timedelta(hours=1))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("renewals", [1, 3])
def test_a_tab_that_comes_late_gets_the_new_token(user: User, settings: Any, path: str, renewals: int) -> None:
    here = signed_in_tab(user)
    there = Tab(user.deployment, here.token)
    for _ in range(renewals):
        renew(here, settings)
    let_the_grace_pass()
    response = there.get(path)
    assert response.status_code == 200
    assert response.json()["session"]["id"] == str(Session.objects.get().pk)
    assert serial(there.token) == serial(here.token)
    assert here.get("/me").status_code == there.get("/me").status_code == 200
    assert Session.objects.get().ended_at is None


def test_two_tabs_take_turns_for_long(user: User, settings: Any) -> None:
    here = signed_in_tab(user)
    there = Tab(user.deployment, here.token)
    for _ in range(4):
        for tab in (here, there):
            assert tab.get("/me").status_code == 200
            renew(tab, settings)
            let_the_grace_pass()


def test_a_cookie_that_a_tab_left_behind_ends_nothing(user: User, settings: Any) -> None:
    """The tab's first answers set it; what came in the query is renewed in the header alone."""
    browser = ApiClient(user.deployment)
    sign_in(browser, user)
    tab = Tab(user.deployment, str(browser.token))
    renew(tab, settings)
    renew(tab, settings)
    let_the_grace_pass()
    for _ in range(2):
        assert browser.get("/me").status_code == 200
    assert serial(str(browser.token)) == serial(tab.token)
    assert tab.get("/me").status_code == 200


def test_a_token_from_before_a_sign_in_is_good_for_nothing_there_too(user: User) -> None:
    here = signed_in_tab(user)
    there = Tab(user.deployment, here.token)
    here.request("POST", "/auth/signin", body=by_email(user_with_password(user.deployment)))
    assert error_code(there.get("/me")) == TOKEN_REPLACED
    before = there.token
    assert data_of(there.get("/session"))["active_signin"] is None
    assert there.token == before, "where both tabs share a store, it has the better one"
    assert here.get("/me").status_code == 200


@pytest.mark.parametrize("kind", ["good", "due", "expired", "junk", "visitor", "ended"])
def test_a_link_with_a_token_sets_no_cookie(user: User, settings: Any, kind: str) -> None:
    if kind == "due":
        settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    session = session_of(user, ended_at=timezone.now() if kind == "ended" else None)
    token = {
        "expired": sign_session_token(session, expires_at=timezone.now() - timedelta(hours=1)),
        "junk": "junk",
        "visitor": sessions.visitor_token(sessions.visitor(user.deployment)),
    }.get(kind, sessions.session_token(session))
    for method, path, mode in product(["GET", "HEAD"], PATHS, ["navigate", "cors", None]):
        headers = {} if mode is None else {"HTTP_SEC_FETCH_MODE": mode}
        with undone(method, path, mode):
            response = ApiClient(user.deployment).request(method, path, f"__dev_session__={token}", **headers)
            assert not response.cookies
            assert (HEADER in response.headers) or kind != "due" or path == "/.well-known/jwks.json"


def test_a_victim_of_a_link_keeps_their_own_cookie(user: User, settings: Any) -> None:
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    victim = ApiClient(user.deployment, user)
    before = victim.token
    sender = sessions.session_token(session_of(user_with_password(user.deployment)))
    for path in PATHS:
        victim.get(path, f"__dev_session__={sender}", HTTP_SEC_FETCH_MODE="navigate")
    assert victim.token == before
    assert victim.get("/me").json()["data"]["id"] == str(user.pk)


def test_signing_in_and_out_by_the_query_sets_no_cookie(deployment: Deployment) -> None:
    user = user_with_mfa(deployment)
    tab = Tab(deployment)
    tab.get("/session")
    attempt = attempt_of(tab.request("POST", "/auth/signin", body=by_email(user)))
    query = f"attempt_identifier={attempt}&identifier_type=signin"
    done = tab.request("POST", "/auth/attempt-verification", query, {"verification_code": totp()})
    assert data_of(done)["active_signin"]["user_id"] == str(user.pk)
    assert tab.get("/me").status_code == 200
    signed_in = tab.token
    assert data_of(tab.request("POST", "/session/sign-out"))["active_signin"] is None
    assert tab.token != signed_in
    assert data_of(tab.get("/session"))["active_signin"] is None
    assert Session.objects.get(pk=done.json()["data"]["id"]).ended_at is not None


def test_a_script_in_staging_is_left_alone(user: User, settings: Any) -> None:
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    response = Tab(user.deployment, token_of(user)).get("/me")
    assert response.status_code == 200
    assert HEADER not in response.headers

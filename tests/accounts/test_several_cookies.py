"""Other products use the cookie's name too: the first token that is good counts, and no answer replaces it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from accounts.authentication import sessions
from accounts.authentication.sent_tokens import MAX_COOKIES
from accounts.models import Deployment, Session, User
from accounts.tokens.session_tokens import MAX_LENGTH, sign, sign_session_token
from tests.support.api import MEMBERSHIPS, ApiClient, error_code, warm_up
from tests.support.cases import each, undone
from tests.support.factories import DeploymentFactory, UserFactory, session_of, token_of
from tests.support.sign_in import session_data, signed_in, user_with_password

INVALID = 40102
EXPIRED = 40103
ENDED = 40104
NO_ACTIVE_SIGN_IN = 40105
REUSED = 40107


def foreign_token() -> str:
    """A session token of another product, well-formed and of a key that is not ours."""
    claims = {"iss": "https://another.example", "sub": "7", "exp": int(time.time()) + 3600}
    return jwt.encode(claims, "a secret of another product, long enough", headers={"kid": "key-1"})


def another_deployments_token() -> str:
    return token_of(UserFactory.create(deployment=DeploymentFactory.create()))


BAD: dict[str, Callable[[], str]] = {
    "junk": lambda: "junk",
    "empty": lambda: "",
    "another product's": foreign_token,
    "another deployment's": another_deployments_token,
    "overlong": lambda: "a" * (MAX_LENGTH + 1),
    "no UTF-8": lambda: "\xff\xfe",
    "JSON": lambda: '{"a":1}',
    "of a dead session": lambda: "dead",
    "expired": lambda: "expired",
}


def bad_cookie(kind: str, user: User) -> str:
    if kind == "of a dead session":
        session = session_of(user, ended_at=timezone.now())
        return sign_session_token(session, expires_at=timezone.now() + timedelta(hours=1))
    if kind == "expired":
        return sign_session_token(session_of(user), expires_at=timezone.now() - timedelta(hours=1))
    return BAD[kind]()


def cookies(*values: str, between: str = "; ") -> str:
    return between.join(f"__session={value}" for value in values)


def ask(user: User, *values: str, path: str = MEMBERSHIPS, **headers: Any) -> Any:
    return ApiClient(user.deployment).get(path, HTTP_COOKIE=cookies(*values), **headers)


@each("kind", BAD)
def test_a_bad_cookie_of_the_same_name_harms_no_good_one(user: User, kind: str) -> None:
    session = session_of(user)
    good, bad = sessions.session_token(session), bad_cookie(kind, user)
    for path in (MEMBERSHIPS, "/me", "/me/organization-memberships", "/session", "/deployment"):
        for order, values in {"before": [bad, good], "after": [good, bad], "around": [bad, good, bad]}.items():
            with undone(path, order):
                response = ask(user, *values, path=path)
                assert response.status_code == 200
                assert response.json()["session"]["id"] == str(session.pk)
                assert not response.cookies


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_fast_path_takes_the_good_one_of_several(user: User, method: str) -> None:
    client = ApiClient(user.deployment, user)
    warm_up(client)
    response = client.get(HTTP_COOKIE=cookies("junk", foreign_token(), str(client.token), "junk"))
    assert hasattr(response, "took_the_fast_path")
    assert response.json() == client.get().json()


@each("form", ['"{}"', " {} ", "{}\t", '"{}" '])
def test_quotes_and_space_around_a_cookie_do_not_matter(user: User, form: str) -> None:
    """RFC 6265, 4.1.1 lets a value stand in quotes."""
    assert ask(user, "junk", form.format(token_of(user))).status_code == 200
    assert ask(user, form.format(token_of(user))).status_code == 200


@each("between", [";", "; ", " ;  ", ";;", ", ", ","])
def test_cookies_may_be_joined_in_any_way(user: User, between: str) -> None:
    """Servers join several Cookie headers by commas, which no cookie contains (RFC 6265, 4.1.1)."""
    header = cookies("junk", token_of(user), "junk", between=between)
    assert ApiClient(user.deployment).get(HTTP_COOKIE=header).status_code == 200


def test_the_first_of_two_good_ones_counts(user: User) -> None:
    first, second = session_of(user), session_of(UserFactory.create(deployment=user.deployment))
    values = [sessions.session_token(first), sessions.session_token(second)]
    for path in (MEMBERSHIPS, "/me", "/session"):
        assert ask(user, *values, path=path).json()["session"]["id"] == str(first.pk)
        assert ask(user, *reversed(values), path=path).json()["session"]["id"] == str(second.pk)


@each("path", [MEMBERSHIPS, "/me", "/session"])
@each("why", ["a visitor's", "no active sign-in", "disabled user"])
def test_one_in_which_nobody_is_signed_in_gives_way(user: User, path: str, why: str) -> None:
    """Decision 7: a token is good if its session has an active sign-in whose user is enabled."""
    if why == "a visitor's":
        idle = sessions.visitor_token(sessions.visitor(user.deployment))
    else:
        other = session_of(UserFactory.create(deployment=user.deployment, disabled=why == "disabled user"))
        if why == "no active sign-in":
            sessions.switch_sign_in(other, None)
        idle = sessions.session_token(other)
    session = session_of(user)
    for values in ([idle, sessions.session_token(session)], [sessions.session_token(session), idle]):
        response = ask(user, *values, path=path)
        assert response.json()["session"]["id"] == str(session.pk)
        assert not response.cookies


def test_a_session_goes_before_a_visitor_at_the_page_too(deployment: Deployment) -> None:
    pending = Session.objects.create(deployment=deployment, expires_at=timezone.now() + timedelta(minutes=5))
    visitor = sessions.visitor_token(sessions.visitor(deployment))
    header = cookies(visitor, sessions.session_token(pending))
    assert ApiClient(deployment).get("/session", HTTP_COOKIE=header).json()["data"]["id"] == str(pending.pk)


@each(("kind", "code"), [("of a dead session", ENDED), ("expired", EXPIRED), ("junk", INVALID)])
def test_if_none_is_good_the_most_specific_error_is_given(user: User, kind: str, code: int) -> None:
    bad = bad_cookie(kind, user)
    assert error_code(ask(user, "junk", bad, foreign_token())) == code
    assert error_code(ask(user, bad, "junk")) == code


def test_if_none_is_good_the_page_gets_a_visitors_cookie(user: User) -> None:
    response = ask(user, "junk", foreign_token(), path="/session")
    assert response.json()["data"]["active_signin"] is None
    cookie = response.cookies["__session"]
    assert (cookie["domain"], cookie["path"]) == ("", "/"), "host-only: another product's cookie stays as it is"
    assert ask(user, "junk", foreign_token(), cookie.value, path="/session").json()["data"] == response.json()["data"]


def test_an_old_token_beside_the_new_one_ends_no_session(deployment: Deployment, settings: Any) -> None:
    """As a proxy leaves it behind that once set cookies for the parent domain."""
    client = signed_in(user_with_password(deployment))
    old = str(client.token)
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    client.get("/me")
    settings.USER_SESSION_RENEW_AFTER = timedelta(minutes=15)
    client.get("/me")
    Session.objects.update(token_seen_at=timezone.now() - timedelta(hours=1))
    for path in (MEMBERSHIPS, "/me", "/session"):
        for values in ([old, str(client.token)], [str(client.token), old]):
            response = ApiClient(deployment).get(path, HTTP_COOKIE=cookies(*values))
            assert response.status_code == 200
            assert not response.cookies
    assert error_code(ApiClient(deployment, token=old).get("/me")) == REUSED


def test_signing_out_signs_out_of_the_one_that_counts(deployment: Deployment) -> None:
    client = signed_in(user_with_password(deployment))
    header = cookies("junk", str(client.token), foreign_token())
    response = client.post("/session/sign-out", HTTP_COOKIE=header)
    assert response.json()["data"]["active_signin"] is None
    assert Session.objects.get().ended_at is not None
    assert response.cookies["__session"].value == client.token
    after = ApiClient(deployment).get("/session", HTTP_COOKIE=cookies("junk", str(client.token)))
    assert after.json()["data"]["id"] == response.json()["data"]["id"]


def test_signing_out_leaves_no_other_session_of_the_browser(user: User) -> None:
    """Its cookie is replaced, and would be a session that nobody can end."""
    header = cookies(token_of(user), token_of(user))
    ApiClient(user.deployment).post("/session/sign-out", HTTP_COOKIE=header)
    assert not Session.objects.filter(ended_at__isnull=True).exists()


def test_signing_in_beside_a_foreign_cookie_keeps_the_session(deployment: Deployment) -> None:
    client = signed_in(user_with_password(deployment))
    first = session_data(client)["id"]
    other = user_with_password(deployment)
    body = {"strategy": "plain_email", "email": other.email, "password": "seven lazy foxes jump"}
    data = client.post("/auth/signin", body, HTTP_COOKIE=cookies("junk", str(client.token))).json()["data"]
    assert data["id"] == first
    assert len(data["signins"]) == 2


def test_a_renewal_renews_the_one_that_counts(deployment: Deployment, settings: Any) -> None:
    client = signed_in(user_with_password(deployment))
    before = Session.objects.get().token_serial
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    header = cookies(foreign_token(), str(client.token), "junk")
    for path in ("/me", MEMBERSHIPS, "/session"):
        response = ApiClient(deployment).get(path, HTTP_COOKIE=header)
        renewed = jwt.decode(response.cookies["__session"].value, options={"verify_signature": False})
        session = Session.objects.get()
        assert (renewed["sess"], renewed["ser"]) == (str(session.pk), session.token_serial)
        assert renewed["ser"] > before


def test_the_number_of_tokens_that_are_looked_at_is_bounded(
    user: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    claims = {"sess": "1"}
    signed = [sign(user.deployment, claims | {"x": number}, expires_at=timezone.now()) for number in range(100)]
    good = token_of(user)
    with django_assert_max_num_queries(2 * MAX_COOKIES + 5):
        assert ask(user, *signed, good, path="/me").status_code == 401


def test_cookies_that_are_no_tokens_do_not_count_towards_the_bound(user: User) -> None:
    assert ask(user, *(f"junk{number}" for number in range(10_000)), token_of(user)).status_code == 200


def test_a_token_that_comes_twice_is_looked_at_once(user: User) -> None:
    assert ask(user, *[foreign_token()] * 100, token_of(user)).status_code == 200

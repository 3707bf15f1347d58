"""The fast path gives every caller what Django gives, or leaves them to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.authentication import sessions
from accounts.models import User
from accounts.tokens.session_tokens import sign_session_token
from database import cache
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, session_of, token_of
from tests.support.two_ways import FOR_VISITORS, TOKEN, Ways, seen, took_the_fast_path, without_new_session

# Who calls


def visitor(user: User) -> str:
    return str(ApiClient(user.deployment).get("/session").cookies["__session"].value)


def two_sign_ins(user: User) -> str:
    session = session_of(user)
    sessions.sign_in(session, user=UserFactory.create(deployment=user.deployment), expires_at=session.expires_at)
    return sessions.session_token(session)


def nobody_active(user: User) -> str:
    session = session_of(user)
    sessions.switch_sign_in(session, None)
    return sign_session_token(session, expires_at=session.expires_at)


def disabled(user: User) -> str:
    token = token_of(user)
    User.objects.filter(pk=user.pk).update(disabled=True)
    return token


def ended_session(user: User) -> str:
    session = session_of(user, ended_at=timezone.now())
    return sign_session_token(session, expires_at=session.expires_at)


def ended_sign_in(user: User) -> str:
    session = session_of(user)
    session.sign_ins.update(ended_at=timezone.now())
    return sign_session_token(session, expires_at=session.expires_at)


def of_another_deployment(user: User) -> str:
    return token_of(UserFactory.create(deployment=DeploymentFactory.create()))


def visitors_for_a_real_session(user: User) -> str:
    session = session_of(user)
    return sign_session_token(session, expires_at=session.expires_at, anonymous=True)


def awaiting_a_code(user: User) -> str:
    session = session_of(user)
    session.sign_in_attempts.create(
        deployment=user.deployment, user=user, method="plain_email", expires_at=session.expires_at
    )
    return sign_session_token(session, expires_at=session.expires_at)


CALLERS = [
    visitor,
    token_of,
    two_sign_ins,
    nobody_active,
    disabled,
    ended_session,
    ended_sign_in,
    of_another_deployment,
    visitors_for_a_real_session,
    awaiting_a_code,
]


@each("token_for", CALLERS)
def test_the_fast_path_and_django_answer_any_caller_alike(
    user: User, path: str, token_for: Callable[[User], str]
) -> None:
    token = token_for(user)
    for query, headers in (
        ("", {"HTTP_COOKIE": f"__session={token}"}),
        ("", {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_COOKIE": ""}),
        (f"__dev_session__={token}", {"HTTP_COOKIE": ""}),
        ("", {"HTTP_COOKIE": f"__session={token}; __session={token_of(user)}"}),
    ):
        cache.clear()
        ways = Ways(user, path, token)
        for _ in range(2):
            short, long = ways.ask(query, **headers)
            assert without_new_session(short) == without_new_session(long), headers
            if (
                path != TOKEN
                and short.status_code == 200
                and not (short.cookies or "X-Development-Session" in short.headers)
            ):
                etag = short.headers["ETag"]
                short, long = ways.ask(query, **headers, HTTP_IF_NONE_MATCH=etag)
                assert (short.status_code, seen(short)) == (304, seen(long)), headers


@each("path", FOR_VISITORS)
@each("token_for", [visitor, nobody_active, two_sign_ins, disabled, awaiting_a_code])
def test_a_session_in_which_nobody_is_active_takes_the_fast_path(
    user: User, path: str, token_for: Callable[[User], str]
) -> None:
    short, long = Ways(user, path, token_for(user)).ask()
    assert took_the_fast_path(short)
    assert seen(short) == seen(long)


def test_a_token_that_is_due_for_renewal_is_left_to_django(user: User, path: str, settings: Any) -> None:
    ways = Ways(user, path, sessions.session_token(session_of(user)))
    assert took_the_fast_path(ways.ask()[0])
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    short, _ = ways.ask()
    assert not took_the_fast_path(short)
    assert short.headers["X-Development-Session"] != ways.token
    if path == "/session":  # the sign-in was active at the renewal
        assert short.json()["data"] == ApiClient(user.deployment, token=ways.token).get(path).json()["data"]


@pytest.mark.parametrize("values", [{"ended_at": "2026-01-01T00:00Z"}, {"expires_at": "2026-01-01T00:00Z"}])
def test_a_session_that_is_over_is_over_on_the_fast_path(
    user: User, ways: Ways, path: str, values: dict[str, Any]
) -> None:
    ways.ask()
    user.deployment.sessions.update(**values)
    short, long = ways.ask()
    assert not took_the_fast_path(short)
    assert short.status_code == (200 if path in FOR_VISITORS else 401)
    assert without_new_session(short) == without_new_session(long)


def test_no_token_of_before_stands_for_a_new_one(user: User) -> None:
    client = ApiClient(user.deployment, user)
    first = [client.get(TOKEN) for _ in range(3)][-1]
    second = client.get(TOKEN, HTTP_IF_NONE_MATCH=first.headers["ETag"])
    assert took_the_fast_path(second)
    assert second.status_code == 200
    assert second.json()["data"]["token"] != first.json()["data"]["token"]


def test_a_token_that_outlives_its_keys_publication_is_left_to_django(user: User, settings: Any) -> None:
    ways = Ways(user, TOKEN)
    settings.ACCESS_TOKEN_LIFETIME = timedelta(days=2)
    for is_fast in (False, True):  # the view keeps the key published for longer
        short, _ = ways.ask()
        assert took_the_fast_path(short) is is_fast
        (until,) = user.deployment.signing_keys.values_list("tokens_until", flat=True)
        assert until is not None
        assert short.json()["data"]["expires"] <= until.timestamp() * 1000


def test_another_deployments_session_is_refused_on_the_fast_path(user: User) -> None:
    other = UserFactory.create(deployment=DeploymentFactory.create())
    client = ApiClient(user.deployment, token=token_of(other))
    assert client.get().status_code == 401
    assert session_of(other).deployment == other.deployment

"""The short way to the answer gives what the long way gives, to the last header (``memberships.express``)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment, User
from memberships import express
from tests.api import MEMBERSHIPS, ApiClient
from tests.factories import DeploymentFactory, UserFactory, member_of_new_workspace, session_of, token_of

ORIGIN = "https://app.example.com"


@pytest.fixture
def user(deployment: Deployment) -> User:
    Deployment.objects.filter(pk=deployment.pk).update(allowed_origins=[ORIGIN], mode="staging")
    deployment.refresh_from_db()
    user = UserFactory.create(deployment=deployment)
    member_of_new_workspace(user, enforce_2fa=True, enable_ip_restriction=True, whitelisted_ips=["192.0.2.0/24"])
    return user


def short_and_long(user: User, monkeypatch: pytest.MonkeyPatch, query: str = "", **headers: Any) -> list[Any]:
    """The answers of both ways."""
    headers = {"HTTP_HOST": user.deployment.host, **headers}
    answers = []
    for is_plain in (express._is_plain, lambda _: False):
        monkeypatch.setattr(express, "_is_plain", is_plain)
        answers.append(Client(raise_request_exception=False).get(MEMBERSHIPS, QUERY_STRING=query, **headers))
    return answers


def seen(response: Any) -> Any:
    if response.status_code == 304:  # which has no content: Django calls that one of length 0
        del response.headers["Content-Length"]
    cookies = {name: (morsel["samesite"], morsel["path"]) for name, morsel in response.cookies.items()}
    return response.status_code, response.content, dict(response.headers), cookies


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("", {"HTTP_ORIGIN": ORIGIN}),
        ("", {"HTTP_ORIGIN": "https://evil.example.com"}),
        ("", {"REMOTE_ADDR": "192.0.2.7"}),
        ("", {"HTTP_IF_NONE_MATCH": "*"}),
        ("", {"HTTP_IF_NONE_MATCH": '"other"'}),
        ("", {"HTTP_IF_MATCH": '"other"'}),
        ("", {"HTTP_ACCEPT": "application/json"}),
        ("org_id=", {}),
        ("org_id=x", {}),
        ("org_id=1&org_id=2", {}),
        (f"org_id={2**62}", {}),
        ("", {"HTTP_COOKIE": ""}),
        ("", {"HTTP_COOKIE": "__session=nonsense"}),
        ("", {"HTTP_HOST": "nowhere.example.com"}),
        ("__dev_session__=nonsense", {}),
    ],
)
def test_both_ways_give_the_same(
    user: User, monkeypatch: pytest.MonkeyPatch, query: str, headers: dict[str, str]
) -> None:
    cookie = {"HTTP_COOKIE": f"__session={token_of(user)}"}
    short, long = short_and_long(user, monkeypatch, query, **{**cookie, **headers})
    assert seen(short) == seen(long)


@pytest.mark.parametrize("values", [{"ended_at": "2026-01-01T00:00Z"}, {"expires_at": "2026-01-01T00:00Z"}])
def test_both_ways_refuse_the_same_sessions(
    user: User, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    token = token_of(user)
    user.deployment.sessions.update(**values)
    short, long = short_and_long(user, monkeypatch, HTTP_COOKIE=f"__session={token}")
    assert short.status_code == 401
    assert seen(short) == seen(long)


def test_an_unforeseen_error_is_told_on_both_ways(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("memberships.lookup.read_listing", fail)
    short, long = short_and_long(user, monkeypatch, HTTP_COOKIE=f"__session={token_of(user)}")
    assert short.status_code == 500
    assert seen(short) == seen(long)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"HTTP_ACCEPT": "text/html"}, 406), ({"CONTENT_LENGTH": "70000"}, 413), ({"CONTENT_LENGTH": "x"}, 413)],
)
def test_what_is_not_plain_goes_the_long_way(user: User, headers: dict[str, str], status: int) -> None:
    assert ApiClient(user.deployment, user).get(**headers).status_code == status


def test_it_counts_as_the_endpoint_it_is(user: User) -> None:
    ApiClient(user.deployment, user).get()
    metrics = Client().get("/metrics").content.decode()
    assert 'method="GET",route="me/workspace-memberships",status="200"' in metrics


def test_if_match_goes_before_if_none_match(user: User) -> None:
    client = ApiClient(user.deployment, user)
    etag = client.get().headers["ETag"]
    assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert client.get(HTTP_IF_NONE_MATCH=etag, HTTP_IF_MATCH='"other"').status_code == 412


def test_another_deployments_session_is_refused_on_the_short_way(user: User) -> None:
    other = UserFactory.create(deployment=DeploymentFactory.create())
    client = ApiClient(user.deployment, token=token_of(other))
    assert client.get().status_code == 401
    assert session_of(other).deployment == other.deployment

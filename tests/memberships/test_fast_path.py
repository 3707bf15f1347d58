"""The fast path to the answer gives what the long way gives, to the last header (``accounts.polled.fast_path``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from accounts.authentication import sessions
from accounts.models import Deployment, User
from accounts.polled import poll
from accounts.tokens.session_tokens import sign_session_token
from database import cache
from tests.support.api import MEMBERSHIPS, ApiClient
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, member_of_new_workspace, session_of, token_of

ORIGIN = "https://app.example.com"
TOKEN = "/session/token"
POLLED = [MEMBERSHIPS, "/session", "/me/organization-memberships", "/me", "/deployment", TOKEN]
FOR_VISITORS = ["/session", "/deployment"]


@pytest.fixture(scope="module")
def shared_user(shared_rows: None) -> User:
    deployment = DeploymentFactory.create(allowed_origins=[ORIGIN], mode="staging")
    user = UserFactory.create(deployment=deployment)
    member_of_new_workspace(user, enforce_2fa=True, enable_ip_restriction=True, whitelisted_ips=["192.0.2.0/24"])
    return user


@pytest.fixture
def user(shared_user: User, db: None) -> User:
    return deepcopy(shared_user)


class Ways:
    """Asks both ways with the same headers, in one session."""

    def __init__(self, user: User, path: str, token: str | None = None) -> None:
        self.token = token or token_of(user)
        self.path = path
        self.deployment = user.deployment
        self._django = Client(raise_request_exception=False)
        self._application = ApiClient(user.deployment, token=self.token)
        for _ in range(2):
            self._application.get(path)

    def ask(self, query: str = "", **headers: Any) -> tuple[Any, Any]:
        """The answer of the application, which went the fast path if it could, and that of the long way."""
        headers = {"HTTP_HOST": self.deployment.host, "HTTP_COOKIE": f"__session={self.token}", **headers}
        fast = self._application.get(self.path, query, **headers)
        long = self._django.get(self.path, QUERY_STRING=query, **headers)
        if self.path == TOKEN:  # each is another
            for response in (fast, long):
                response.headers.pop("ETag", None)
        return fast, long


@pytest.fixture(params=POLLED)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ways(user: User, path: str) -> Ways:
    return Ways(user, path)


@pytest.fixture
def of_workspaces(user: User) -> Ways:
    return Ways(user, MEMBERSHIPS)


def took_the_fast_path(response: Any) -> bool:
    return hasattr(response, "took_the_fast_path")


def seen(response: Any) -> Any:
    headers = dict(response.headers)
    if response.status_code == 304:  # which has no content: Django calls that one of length 0
        headers.pop("Content-Length", None)
    cookies = {name: (morsel["samesite"], morsel["path"]) for name, morsel in response.cookies.items()}
    content = response.content
    if b'"token":' in content:  # each is another, and its time may be the next second
        claims = jwt.decode(response.json()["data"]["token"], options={"verify_signature": False})
        content = {name: claims[name] for name in claims.keys() - {"jti", "iat", "nbf", "exp"}}, sorted(response.json())
    return response.status_code, content, headers, cookies


PLAIN: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("", {"HTTP_ORIGIN": ORIGIN}),
    ("", {"HTTP_ORIGIN": "https://evil.example.com"}),
    ("", {"REMOTE_ADDR": "192.0.2.7"}),
    ("", {"HTTP_IF_NONE_MATCH": '"other"'}),
    ("", {"HTTP_ACCEPT": "application/json"}),
    ("", {"HTTP_ACCEPT": "text/html, */*;q=0.1"}),
    ("", {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}),
    ("", {"CONTENT_LENGTH": "0"}),
    ("org_id=", {}),
    ("unknown=1", {}),
]
OTHERS: list[tuple[str, dict[str, str]]] = [
    ("", {"HTTP_IF_NONE_MATCH": "*"}),
    ("", {"HTTP_IF_NONE_MATCH": '"one", "another"'}),
    ("", {"HTTP_IF_MATCH": '"other"'}),
    ("", {"HTTP_ACCEPT": "text/html"}),
    ("", {"CONTENT_LENGTH": "70000"}),
    ("", {"CONTENT_LENGTH": "x"}),
    ("", {"CONTENT_TYPE": "text/plain"}),
    ("&".join(f"a{number}" for number in range(2000)), {}),
    ("", {"HTTP_HOST": "nowhere.example.com"}),
    ("", {"HTTP_HOST": "no host"}),
]


def test_a_plain_request_takes_the_fast_path_to_the_same_answer(ways: Ways) -> None:
    for query, headers in PLAIN:
        short, long = ways.ask(query, **headers)
        assert took_the_fast_path(short), (query, headers)
        assert seen(short) == seen(long), (query, headers)


@pytest.mark.parametrize("form", ["{0}", "W/{0}", " {0} "])
@pytest.mark.parametrize("path", [path for path in POLLED if path != TOKEN])
def test_an_unchanged_answer_takes_the_fast_path(ways: Ways, form: str) -> None:
    etag = ways.ask()[0].headers["ETag"]
    short, long = ways.ask(HTTP_IF_NONE_MATCH=form.format(etag))
    assert (short.status_code, took_the_fast_path(short)) == (304, True)
    assert seen(short) == seen(long)


def test_one_organizations_list_takes_the_fast_path(user: User, of_workspaces: Ways) -> None:
    membership = member_of_new_workspace(user)
    short, long = of_workspaces.ask(f"org_id={membership.organization_id}")
    assert took_the_fast_path(short)
    assert len(short.json()["data"]) == 1
    assert seen(short) == seen(long)


def test_every_other_request_is_left_to_django(ways: Ways) -> None:
    for query, headers in OTHERS:
        other, long = ways.ask(query, **headers)
        assert not took_the_fast_path(other), (query[:20], headers)
        assert seen(other) == seen(long), (query[:20], headers)


@pytest.mark.parametrize("query", ["org_id=x", "org_id=1&org_id=2", f"org_id={2**62}"])
def test_an_organization_that_is_refused_is_left_to_django(of_workspaces: Ways, query: str) -> None:
    other, long = of_workspaces.ask(query)
    assert not took_the_fast_path(other)
    assert seen(other) == seen(long)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"HTTP_COOKIE": ""}),
        ("", {"HTTP_COOKIE": "__session=nonsense"}),
        ("__dev_session__=nonsense", {}),
    ],
)
def test_a_client_without_a_good_token_is_left_to_django(
    ways: Ways, path: str, query: str, headers: dict[str, str]
) -> None:
    other, long = ways.ask(query, **headers)
    assert not took_the_fast_path(other)
    if path not in FOR_VISITORS:
        assert seen(other) == seen(long)
    else:  # a new session each time
        assert [sorted(response.json()["data"]) for response in (other, long)]
        assert [bool(response.cookies) for response in (other, long)] == [not query] * 2


HEADERS = {
    "HTTP_ACCEPT": st.sampled_from(["*/*", "application/json", "text/html", "", "application/*"]),
    "HTTP_IF_NONE_MATCH": st.sampled_from(
        [
            *[
                "*",
                " * ",
                '""',
                '"other"',
                'W/"other"',
                "other",
                ",",
                "",
                '"\xe9"',
                "{0}",
                "W/{0}",
                "w/{0}",
                "\t{0}\xa0",
            ],
            *['"other", {0}', '{0},"other"', "{0},", ", {0}", '*, "other"', "{0} {0}", "W/W/{0}", '"a,{0}', "{0}x"],
        ]
    ),
    "HTTP_IF_MODIFIED_SINCE": st.just("Tue, 24 Nov 2026 00:00:00 GMT"),
    "HTTP_IF_UNMODIFIED_SINCE": st.just("Tue, 24 Nov 2020 00:00:00 GMT"),
    "HTTP_RANGE": st.just("bytes=0-1"),
    "HTTP_ORIGIN": st.sampled_from([ORIGIN, "null", "", "https://evil.example.com", ORIGIN.upper()]),
    "HTTP_X_FORWARDED_FOR": st.sampled_from(["192.0.2.7", "nonsense", "::1, 192.0.2.7", ""]),
    "HTTP_X_FORWARDED_PROTO": st.sampled_from(["https", "http", ""]),
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD": st.just("GET"),
    "REMOTE_ADDR": st.sampled_from(["192.0.2.7", "198.51.100.7", "::ffff:192.0.2.7", "10.0.0.1", "", "nonsense"]),
    "CONTENT_TYPE": st.sampled_from(["application/json", "text/plain; charset=utf-8", ""]),
}
TOKENS = {
    "HTTP_COOKIE": st.sampled_from(
        [
            *["__session={0}; __session=junk", "__session=junk; __session={0}", "__session={0}; __session={0}"],
            *['__session="{0}"', " __session = {0} ", "a=b;;=;__session={0};", "a=1, __session={0}", "__SESSION={0}"],
            *["\xff\xfe=\x80; __session={0}", "__session={0}\xff", "__session=" + "x" * 5000, "__session", "=", ""],
            *[
                "__session={0}x",
                "__session=a.b.c; __session={0}",
                "; ".join(["__session=a.b.c"] * 12) + ";__session={0}",
            ],
            "; ".join(f"__session=a.b.c{number}" for number in range(12)) + "; __session={0}",
        ]
    ),
    "HTTP_AUTHORIZATION": st.sampled_from(
        ["Bearer {0}", "bearer  {0}", "Bearer junk", "Bearer", "Bearer {0} {0}", "Basic e30=", "Bearer a.b.c", "\xff"]
    ),
}
QUERIES = [
    *["", "org_id=", "org_id=0", "org_id=00", "org_id=%31", "org_id=1&x=2", "a=b&org_id", "&&", "org_id=%D9%A1"],
    *["template=default", "template=x", "template=default&template=default", "x=%00&y=%ff", "__dev_session__={0}"],
    *["__dev_session__=junk", "__dev_session__=", "__dev_session__={0}&__dev_session__={0}", "__dev_session__={0}%00"],
]


@pytest.fixture
def behind_proxies(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "::1"]


@pytest.fixture(params=["staging", "production"])
def ways_in_a_mode(request: pytest.FixtureRequest, user: User, path: str) -> Ways:
    Deployment.objects.filter(pk=user.deployment_id).update(mode=request.param)
    return Ways(user, path)


@pytest.mark.usefixtures("behind_proxies")  # for all examples: settings that each one sets lie upon one another
@settings(max_examples=25)
@given(headers=st.fixed_dictionaries({}, optional=HEADERS | TOKENS), query=st.sampled_from(QUERIES))
@example(headers={"HTTP_COOKIE": "__SESSION={0}", "HTTP_IF_NONE_MATCH": "*"}, query="")
def test_the_fast_path_and_django_answer_any_request_alike(
    ways_in_a_mode: Ways, headers: dict[str, str], query: str
) -> None:
    query = query.format(ways_in_a_mode.token)
    headers |= {name: headers[name].format(ways_in_a_mode.token) for name in headers.keys() & TOKENS}
    condition = headers.pop("HTTP_IF_NONE_MATCH", None)
    short, long = ways_in_a_mode.ask(query, **headers)
    assert without_new_session(short) == without_new_session(long)
    if condition is None:
        return
    etag = short.headers.get("ETag", '"none"')
    short, long = ways_in_a_mode.ask(query, **headers, HTTP_IF_NONE_MATCH=condition.format(etag))
    assert without_new_session(short) == without_new_session(long)
    if short.status_code == 304 and "*" not in condition:
        assert short.headers["ETag"] == etag


@pytest.mark.parametrize("headers", [{}, {"HTTP_ORIGIN": ORIGIN}])
def test_head_has_the_headers_of_the_fast_path(ways: Ways, path: str, headers: dict[str, str]) -> None:
    client = ApiClient(ways.deployment, token=ways.token)
    found, only_head = client.get(path, **headers), client.request("HEAD", path, **headers)
    assert took_the_fast_path(found)
    assert (only_head.status_code, only_head.content) == (200, b"")
    for response in (found, only_head):
        if path == TOKEN:  # each is another
            response.headers.pop("ETag")
    assert dict(only_head.headers) == dict(found.headers)
    if path != TOKEN:
        etag = found.headers["ETag"]
        assert client.request("HEAD", path, **headers, HTTP_IF_NONE_MATCH=etag).status_code == 304


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


def without_new_session(response: Any) -> Any:
    """The visible parts of an answer, without the new session that a visitor gets if theirs is no good."""
    status, content, headers, cookies = seen(response)
    if cookies or "X-Development-Session" in headers:
        if status != 304:  # which "*" gets, whatever the answer is
            new_id = response.json()["session"]["id"].encode()
            content = re.sub(rb'"session":.*', b"", content.replace(new_id, b"new"))
        headers = {name: value for name, value in headers.items() if name not in ("ETag", "X-Development-Session")}
    return status, content, headers, cookies


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


def test_a_failure_of_the_fast_path_is_logged_and_django_answers(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(poll, "_viewer", fail)
    with caplog.at_level("WARNING", logger="rollcall"):
        short, long = ways.ask()
    assert short.status_code == 200
    assert seen(short) == seen(long)
    assert "unforeseen" in caplog.text


def test_it_counts_as_the_endpoint_it_is(user: User) -> None:
    client = ApiClient(user.deployment, user)
    before, after = [_counted(client, client.get()) for _ in range(2)]
    assert after == before + 1


def _counted(client: ApiClient, _: Any) -> float:
    metrics = client.client.get("/metrics").content.decode()
    label = 'method="GET",route="me/workspace-memberships",status="200"'
    return float(next(line for line in metrics.splitlines() if label in line).rpartition(" ")[2])


def test_if_match_takes_precedence_over_if_none_match(user: User) -> None:
    client = ApiClient(user.deployment, user)
    etag = client.get().headers["ETag"]
    assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert client.get(HTTP_IF_NONE_MATCH=etag, HTTP_IF_MATCH='"other"').status_code == 412


def test_another_deployments_session_is_refused_on_the_fast_path(user: User) -> None:
    other = UserFactory.create(deployment=DeploymentFactory.create())
    client = ApiClient(user.deployment, token=token_of(other))
    assert client.get().status_code == 401
    assert session_of(other).deployment == other.deployment


def test_a_deployment_is_cached_under_all_of_its_hosts(user: User) -> None:
    hosts = [user.deployment.host, "alias.example.com"]
    user.deployment.aliases.create(host=hosts[1])
    client = ApiClient(user.deployment, user)
    answers = [client.get(HTTP_HOST=host) for _ in range(4) for host in hosts]
    assert all(took_the_fast_path(answer) for answer in answers[-2:])

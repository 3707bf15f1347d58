"""The fast path gives every request what Django gives, to the last header (``accounts.polled.fast_path``)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from accounts.models import Deployment, User
from accounts.polled import poll
from tests.support.api import ApiClient
from tests.support.factories import member_of_new_workspace
from tests.support.two_ways import (
    FOR_VISITORS,
    ORIGIN,
    POLLED,
    TOKEN,
    Ways,
    seen,
    took_the_fast_path,
    without_new_session,
)

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


def test_a_deployment_is_cached_under_all_of_its_hosts(user: User) -> None:
    hosts = [user.deployment.host, "alias.example.com"]
    user.deployment.aliases.create(host=hosts[1])
    client = ApiClient(user.deployment, user)
    answers = [client.get(HTTP_HOST=host) for _ in range(4) for host in hosts]
    assert all(took_the_fast_path(answer) for answer in answers[-2:])

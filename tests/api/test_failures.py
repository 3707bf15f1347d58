"""Failures reach clients in the error envelope, and never reveal their cause."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError, connection

from accounts.deployments import cached_deployments
from accounts.models import User
from api import networks
from memberships.listing import statement
from tests.support.api import MEMBERSHIPS, ApiClient, error_code
from tests.support.cases import each
from tests.support.demo import CHIOMA, THREADS
from tests.support.factories import UserFactory
from tests.support.server import (
    Connection,
    OwnPostgres,
    Reply,
    request,
    wait_until,
)

SECRET = "postgresql://rollcall:hunter2@10.1.2.3/rollcall"
INTERNAL_ERROR = 50001
UNAVAILABLE = 50301


def fail_with(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, exception: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> NoReturn:
        raise exception

    monkeypatch.setattr(owner, name, fail)


def assert_tells_nothing(response: Any) -> None:
    everything = response.content.decode() + str(dict(response.headers))
    for telling in (SECRET, "hunter2", "Traceback", "Error:", ".py"):
        assert telling not in everything


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (statement, "read_with_fragments"),
        (cached_deployments, "verify_session_token"),
        (cached_deployments, "load_deployment"),
    ],
    ids=["reading", "verifying", "finding the deployment"],
)
@pytest.mark.parametrize(
    "exception", [RuntimeError(SECRET), ProgrammingError(SECRET), DataError(SECRET), KeyError(SECRET)]
)
def test_the_cause_of_an_unforeseen_exception_is_logged_but_not_answered(
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: Any,
    name: str,
    exception: Exception,
) -> None:
    client = ApiClient(user.deployment, user)
    fail_with(monkeypatch, owner, name, exception)
    with caplog.at_level("ERROR", logger="rollcall"):
        response = client.get()
    assert error_code(response) == INTERNAL_ERROR
    assert_tells_nothing(response)
    assert SECRET in caplog.text


def test_an_exception_outside_of_the_api_gets_the_same_answer(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, networks, "matches", RuntimeError(SECRET))
    response = ApiClient(user.deployment).get("/metrics")
    assert error_code(response) == INTERNAL_ERROR
    assert_tells_nothing(response)


@pytest.mark.parametrize("exception", [OperationalError(SECRET), InterfaceError(SECRET)])
def test_an_unreachable_database_is_a_temporary_error(
    user: User, monkeypatch: pytest.MonkeyPatch, exception: Exception
) -> None:
    client = ApiClient(user.deployment, user)
    fail_with(monkeypatch, statement, "read_with_fragments", exception)
    response = client.get()
    assert error_code(response) == UNAVAILABLE
    assert int(response.headers["Retry-After"]) > 0
    assert_tells_nothing(response)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/session/sign-out", None),
        ("/auth/signin", {"strategy": "plain_email", "email": "nobody@example.com", "password": "wrong"}),
        ("/session/switch-organization?organization_id=", None),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_write_on_a_read_only_server_is_a_temporary_error(path: str, body: Any) -> None:
    user = UserFactory.create()
    client = ApiClient(user.deployment, user)
    path, _, query = path.partition("?")
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        response = client.post(path, body, query)
    finally:
        connection.close()
    assert error_code(response) == UNAVAILABLE
    assert int(response.headers["Retry-After"]) > 0


def test_a_query_that_takes_too_long_is_given_up(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_slowly(*args: object, **kwargs: object) -> NoReturn:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10ms'")
            cursor.execute("SELECT pg_sleep(60)")
        raise AssertionError("the database was to give up")

    client = ApiClient(user.deployment, user)
    monkeypatch.setattr(statement, "read_with_fragments", read_slowly)
    assert error_code(client.get()) == UNAVAILABLE


@dataclass(frozen=True)
class Demo:
    """The demo; ``cookie`` is that of a user with one membership."""

    postgres: OwnPostgres
    base_url: str
    cookie: str

    def get(self, target: str = MEMBERSHIPS, **headers: str) -> Reply:
        return request(self.base_url, target, **{"Cookie": self.cookie, **headers})


@pytest.fixture(scope="module")
def demo(demo_postgres: OwnPostgres, demo_server: str, demo_cookies: dict[str, str]) -> Demo:
    return Demo(demo_postgres, demo_server, demo_cookies[CHIOMA])


def code_of(answer: Reply) -> int:
    """The code in the error envelope, which must be all there is and fit the status."""
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.body)
    ((error),) = body["errors"]
    assert set(body) == {"errors"}
    assert set(error) == {"message", "code"}
    assert error["code"] // 100 == answer.status
    return int(error["code"])


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_service_says_so_while_its_database_is_down_and_recovers_by_itself(demo: Demo, mode: str) -> None:
    assert demo.get().status == 200
    demo.postgres.stop(mode)
    try:
        began = time.monotonic()
        for _ in range(8):  # more than there are threads, each of which holds a connection that has died
            answer = demo.get()
            assert code_of(answer) == UNAVAILABLE
            assert int(answer.headers["Retry-After"]) > 0
            assert b"postgres" not in answer.body.lower()
        assert demo.get("/healthz").status == 200
        assert code_of(demo.get("/readyz")) == UNAVAILABLE
        assert time.monotonic() - began < 30
    finally:
        demo.postgres.start()
    wait_until(lambda: demo.get().status == 200, "the service has recovered")
    assert all(demo.get().status == 200 for _ in range(8))
    assert demo.get("/readyz").status == 200


def test_a_kept_connection_outlives_the_database(demo: Demo) -> None:
    with Connection(demo.base_url) as connection:

        def poll() -> Reply:
            return connection.request(MEMBERSHIPS, Cookie=demo.cookie)

        assert [poll().status for _ in range(3)] == [200] * 3
        demo.postgres.stop("immediate")
        try:
            assert [code_of(poll()) for _ in range(8)] == [UNAVAILABLE] * 8
        finally:
            demo.postgres.start()
        wait_until(lambda: poll().status == 200, "the service has recovered")


def test_a_restart_of_the_database_between_two_requests_goes_unnoticed(demo: Demo) -> None:
    assert all(demo.get().status == 200 for _ in range(8))
    demo.postgres.stop("fast")
    demo.postgres.start()
    assert [demo.get().status for _ in range(8)] == [200] * 8


@each(
    ("table", "column", "new_type"),
    [
        ("organizations_workspace", "name", "varchar(301)"),
        ("organizations_workspacerole", "permissions", "varchar(101)[]"),
        ("accounts_session", "token_serial", "bigint"),
        ("accounts_deployment", "name", "varchar(301)"),
    ],
)
def test_a_table_that_is_changed_under_the_service_fails_no_request(
    demo: Demo, table: str, column: str, new_type: str
) -> None:
    assert [demo.get().status for _ in range(8)] == [200] * 8  # every thread has prepared its statements
    with psycopg.connect(demo.postgres.url, autocommit=True) as database:
        names = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgqual IS NOT NULL"
        for (name,) in database.execute(names, [table]).fetchall():  # they compare the column, as a migration knows
            database.execute(f"DROP TRIGGER {name} ON {table}")
        database.execute(f"ALTER TABLE {table} ALTER {column} TYPE {new_type}")
        assert demo.get("/readyz").status == 200
        assert [demo.get().status for _ in range(8)] == [200] * 8
        database.execute("INSERT INTO database_invalidation (kind, key) VALUES ('everything', 0)")
        assert [demo.get().status for _ in range(8)] == [200] * 8
    assert demo.get("/readyz").status == 200


def test_it_is_not_ready_while_a_table_that_it_answers_from_is_missing(demo: Demo) -> None:
    with psycopg.connect(demo.postgres.url, autocommit=True) as database:
        database.execute("ALTER TABLE memberships_workspacemembership RENAME TO elsewhere")
        try:
            assert code_of(demo.get("/readyz")) == UNAVAILABLE
        finally:
            database.execute("ALTER TABLE elsewhere RENAME TO memberships_workspacemembership")
    assert demo.get("/readyz").status == 200


def test_connections_that_say_nothing_keep_nobody_waiting(demo: Demo) -> None:
    url = urlsplit(demo.base_url)
    with ExitStack() as idle:
        for _ in range(10 * THREADS):
            idle.enter_context(socket.create_connection((str(url.hostname), int(url.port or 0))))
        began = time.monotonic()
        assert demo.get().status == 200
        assert time.monotonic() - began < 30  # with five seconds for each, it would be fifty


def test_the_answer_is_the_same_as_in_process(demo: Demo) -> None:
    answer = demo.get()
    assert answer.status == 200
    assert [item["workspace"]["name"] for item in json.loads(answer.body)["data"]] == ["Havn · Harbour"]
    unchanged = demo.get(If_None_Match=str(answer.headers["ETag"]))
    assert (unchanged.status, unchanged.body) == (304, b"")


def test_a_charset_that_is_none_does_no_harm(demo: Demo) -> None:
    for name in ("zlib", "hex", "punycode", "undefined", "rot13", "nonsense"):
        assert demo.get(Content_Type=f"text/plain; charset={name}").status == 200


@each("other", ["a", "=", "a=b=c", 'a="b;c"', "__session2=x", "theme=é", "theme=日本", "a=\x80"])
def test_the_cookies_of_others_do_not_hide_the_session(demo: Demo, other: str) -> None:
    assert demo.get(Cookie=f"{other}; {demo.cookie}").status == 200
    assert demo.get(Cookie=f"{demo.cookie}; {other}").status == 200


@each("is_kept", [False, True], ids=["a new connection", "a kept connection"])
@each(
    ("method", "target", "headers", "code"),
    [
        ("GET", MEMBERSHIPS, {"Cookie": ""}, 40101),
        ("GET", MEMBERSHIPS, {"Cookie": f"__session={'x' * 60_000}"}, 40102),
        ("GET", MEMBERSHIPS, {"Cookie": f"__session={'x' * 2**20}"}, 43101),
        ("GET", f"{MEMBERSHIPS}?org_id=%00", {}, 40001),
        ("GET", f"{MEMBERSHIPS}?org_id=%ff", {}, 40001),
        ("GET", f"{MEMBERSHIPS}?org_id=１", {}, 40000),
        ("GET", f"{MEMBERSHIPS}?org_id=1&org_id=1", {}, 40002),
        ("GET", f"{MEMBERSHIPS}?org_id={'9' * 5000}", {}, 40001),
        ("GET", f"{MEMBERSHIPS}/", {}, 40401),
        ("GET", "/me/workspace-membership%00s", {}, 40401),
        ("GET", "/me/%ff", {}, 40401),
        ("GET", "/me/日本", {}, 40000),
        ("GET", "/nowhere", {}, 40401),
        ("GET", MEMBERSHIPS, {"Host": "nowhere.example.com"}, 40402),
        ("GET", MEMBERSHIPS, {"Host": "a b"}, 40402),
        ("GET", MEMBERSHIPS, {"Accept": "text/html"}, 40601),
        ("GET", MEMBERSHIPS, {"If_Match": '"other"'}, 41201),
        *(("POST", path, {}, 40501) for path in ("/", "/healthz", "/readyz", "/metrics")),
        *((method, MEMBERSHIPS, {}, 40501) for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND")),
    ],
)
def test_the_real_server_gives_every_error_in_the_envelope(
    demo: Demo, method: str, target: str, headers: dict[str, str], code: int, is_kept: bool
) -> None:
    with Connection(demo.base_url) as connection:
        if is_kept:
            assert connection.request(MEMBERSHIPS, Cookie=demo.cookie).status == 200
        assert code_of(connection.request(target, method=method, **{"Cookie": demo.cookie, **headers})) == code

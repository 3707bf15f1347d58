"""Answers at once, beside the server's threads: none is lost or confused, in whatever pieces the bytes come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA, DMITRI, THREADS
from tests.support.server import Connection, OwnPostgres, request, wait_until

MANY = 100


@pytest.fixture(scope="module")
def server(demo_server: str, cookie: str) -> str:
    with Connection(demo_server) as first:
        for _ in range(4):  # the first ones may be slow, after which the main thread answers nothing for a while
            first.request(MEMBERSHIPS, Cookie=cookie)
    return demo_server


@pytest.fixture(scope="module")
def cookie(demo_cookies: dict[str, str]) -> str:
    """Of a user with one membership."""
    return demo_cookies[CHIOMA]


@pytest.fixture(scope="module")
def busy_cookie(demo_cookies: dict[str, str]) -> str:
    """Of the user with the most memberships."""
    return demo_cookies[DMITRI]


@pytest.fixture
def connection(server: str, cookie: str) -> Iterator[Connection]:
    """One that is kept; the server has cached all that it answers from."""
    with Connection(server) as connection:
        assert [connection.request(MEMBERSHIPS, Cookie=cookie).status for _ in range(3)] == [200] * 3
        yield connection


def names(body: bytes) -> list[str]:
    return [item["workspace"]["name"] for item in json.loads(body)["data"]]


def test_it_answers_while_all_threads_are_occupied(server: str, connection: Connection, cookie: str) -> None:
    with ExitStack() as stack:
        occupying = [stack.enter_context(Connection(server)) for _ in range(THREADS)]
        for slow in occupying:
            slow.send(b"GET /healthz HTTP/1.1\r\nHost: ")  # a thread waits for the rest
        time.sleep(0.2)
        assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200
        for slow in occupying:
            slow.send(b"127.0.0.1\r\n\r\n")
            assert slow.receive().status == 200


def test_a_locked_table_delays_only_requests_that_read_it(
    server: str, demo_postgres: OwnPostgres, connection: Connection, cookie: str
) -> None:
    with psycopg.connect(demo_postgres.url) as migration:
        migration.execute("LOCK accounts_session IN ACCESS EXCLUSIVE MODE")
        connection.send(connection.head(MEMBERSHIPS, Cookie=cookie))
        wait_until(lambda: somebody_waits(demo_postgres.url), "it waits for the table")
        began = time.monotonic()
        assert request(server, "/healthz").status == 200
        assert time.monotonic() - began < 25  # a statement may take thirty seconds
        migration.rollback()
        assert connection.receive().status == 200


def somebody_waits(database_url: str) -> bool:
    with psycopg.connect(database_url) as observer:
        query = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
        return bool((observer.execute(query).fetchone() or [False])[0])


def test_the_same_bytes_get_the_same_answer_as_over_a_new_connection(
    server: str, connection: Connection, cookie: str
) -> None:
    with Connection(server) as new:
        first, second = (one.request(MEMBERSHIPS, Cookie=cookie) for one in (new, connection))
    for answer in (first, second):
        del answer.headers["Date"]
    assert (first.status, sorted(first.headers.items()), first.body) == (
        second.status,
        sorted(second.headers.items()),
        second.body,
    )


@pytest.mark.parametrize("size", [1, 20, 60, -2, -1])
def test_a_request_may_come_in_parts(connection: Connection, cookie: str, size: int) -> None:
    head = connection.head(MEMBERSHIPS, Cookie=cookie)
    connection.send(head[:size])
    time.sleep(0.1)
    connection.send(head[size:])
    assert connection.receive().status == 200
    assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200


def test_several_requests_may_come_at_once(connection: Connection, cookie: str) -> None:
    poll = connection.head(MEMBERSHIPS, Cookie=cookie)
    signed_out = connection.head(MEMBERSHIPS)
    other = connection.head("/healthz")
    connection.send(poll + signed_out + other + poll)
    assert [connection.receive().status for _ in range(4)] == [200, 401, 200, 200]
    connection.send(poll + poll[:30])
    time.sleep(0.1)
    connection.send(poll[30:])
    assert [connection.receive().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content_Length": "2"}, b"{}"),
        ({"Transfer_Encoding": "chunked"}, b"2\r\n{}\r\n0\r\n\r\n"),
        ({"Content_Length": "0"}, b""),
    ],
)
def test_a_body_is_no_part_of_the_next_request(
    connection: Connection, cookie: str, headers: dict[str, str], body: bytes
) -> None:
    connection.send(connection.head(MEMBERSHIPS, Cookie=cookie, **headers) + body)
    assert connection.receive().status == 200
    assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200


def test_a_client_that_expects_100_continue_gets_it_once(connection: Connection, cookie: str) -> None:
    connection.send(connection.head(MEMBERSHIPS, Cookie=cookie, Expect="100-continue", Content_Length="2"))
    assert connection.receive().status == 100
    connection.send(b"{}")
    assert connection.receive().status == 200


def test_a_client_that_asks_to_close_the_connection_gets_it_closed(connection: Connection, cookie: str) -> None:
    answer = connection.request(MEMBERSHIPS, Cookie=cookie, Connection="close")
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert connection.is_closed()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_are_left_to_django(connection: Connection, cookie: str, method: str) -> None:
    answer = connection.request(MEMBERSHIPS, method=method, Cookie=cookie)
    assert answer.status == (200 if method == "HEAD" else 204)
    assert answer.body == b""
    assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /me/workspace-memberships\r\n\r\n",
        b"GET /me/workspace-memberships HTTP/1.1\r\nno colon\r\n\r\n",
        b"\0\r\n\r\n",
    ],
)
def test_nonsense_is_refused_in_the_envelope_and_ends_the_connection(connection: Connection, raw: bytes) -> None:
    connection.send(raw)
    answer = connection.receive()
    assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (400, 40000)
    assert connection.is_closed()


def test_another_users_answer_is_never_given(
    server: str, connection: Connection, cookie: str, busy_cookie: str
) -> None:
    for _ in range(3):
        one, other = (connection.request(MEMBERSHIPS, Cookie=each) for each in (cookie, busy_cookie))
        assert (len(names(one.body)), len(names(other.body))) == (1, 60)


def test_a_slow_reader_gets_the_whole_answer_and_delays_no_other(
    server: str, connection: Connection, cookie: str, busy_cookie: str
) -> None:
    with Connection(server) as slow:
        expected = slow.request(MEMBERSHIPS, Cookie=busy_cookie).body
        slow.send(slow.head(MEMBERSHIPS, Cookie=busy_cookie) * MANY)  # which is more than any buffer holds
        for _ in range(5):
            assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200
        assert all(slow.receive().body == expected for _ in range(MANY))
        assert slow.request(MEMBERSHIPS, Cookie=busy_cookie).body == expected


def test_a_slow_reader_that_closes_its_half_gets_every_answer(server: str, busy_cookie: str) -> None:
    with Connection(server) as slow:
        expected = slow.request(MEMBERSHIPS, Cookie=busy_cookie).body
        slow.send(slow.head(MEMBERSHIPS, Cookie=busy_cookie) * MANY)
        time.sleep(0.5)  # until the server waits for it to read
        slow.close_writing()
        time.sleep(0.5)
        assert all(slow.receive().body == expected for _ in range(MANY))
        assert slow.is_closed()


def test_a_client_that_does_not_wait_for_the_answer_harms_no_other(
    server: str, connection: Connection, cookie: str, busy_cookie: str
) -> None:
    for number in (1, MANY):
        with Connection(server) as gone:
            assert gone.request(MEMBERSHIPS, Cookie=busy_cookie).status == 200
            gone.send(gone.head(MEMBERSHIPS, Cookie=busy_cookie) * number)
    assert connection.request(MEMBERSHIPS, Cookie=cookie).status == 200
    with Connection(server) as new:
        assert new.request(MEMBERSHIPS, Cookie=cookie).status == 200

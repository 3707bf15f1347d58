"""Heads of requests: bounded, read in one way alone, and refused in the error envelope."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA
from tests.support.server import Connection, request

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /auth/signin HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module")
def base_url(demo_server: str) -> str:
    return demo_server


@pytest.fixture(scope="module")
def cookie(demo_cookies: dict[str, str]) -> str:
    return demo_cookies[CHIOMA]


@pytest.fixture(params=[False, True], ids=["a new connection", "a kept connection"])
def connection(base_url: str, request: pytest.FixtureRequest) -> Iterator[Connection]:
    with Connection(base_url) as connection:
        if request.param:
            assert connection.request("/healthz").status == 200
        yield connection


def refusal(connection: Connection, raw: bytes) -> int:
    """The code of the refusal of ``raw``, after which the connection must end."""
    connection.send(raw)
    answer = connection.receive()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Connection"] == "close"
    assert connection.is_closed()
    code = int(json.loads(answer.body)["errors"][0]["code"])
    assert code // 100 == answer.status
    return code


def test_a_head_of_64_kilobytes_is_the_longest(connection: Connection, cookie: str) -> None:
    lines = f"GET {MEMBERSHIPS} HTTP/1.1\r\n".encode() + HOST + f"Cookie: {cookie}\r\n".encode()
    fits = 64 * 1024 - len(lines) - len(b"X: \r\n\r\n")
    connection.send(lines + b"X: " + b"x" * fits + b"\r\n\r\n")
    assert connection.receive().status == 200
    assert refusal(connection, lines + b"X: " + b"x" * (fits + 1) + b"\r\n\r\n") == 43101


@pytest.mark.parametrize(
    "fields",
    [[b"x" * 2**20] * 8, [b"x" * 1000] * 70, [b""] * 20_000, [b"x" * 70_000]],
    ids=["8 of 1 MiB", "70 of 1 kB", "20,000 of nothing", "1 of 70 kB"],
)
@pytest.mark.parametrize("ends", [True, False], ids=["whole", "without an end"])
def test_a_longer_head_is_refused_at_once(connection: Connection, fields: list[bytes], ends: bool) -> None:
    began = time.monotonic()
    raw = GET + b"".join(b"X-%d: %b\r\n" % field for field in enumerate(fields))
    assert refusal(connection, raw + (b"\r\n" if ends else b"X: x")) == 43101
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("end", [b" HTTP/1.1\r\n" + HOST + b"\r\n", b""], ids=["whole", "without an end"])
def test_an_overlong_request_line_is_refused(connection: Connection, end: bytes) -> None:
    assert refusal(connection, b"GET /" + b"x" * 8200 + end) == 41401


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Content-Length: 5, 5\r\n\r\nhello",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        POST + b"Content-Length : 5\r\n\r\nhello",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /auth/signin HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"A: b\r\n c\r\n\r\n",
        GET + b"A: b\nContent-Length: 5\r\n\r\n",
        GET + b"A: b\rContent-Length: 5\r\n\r\n",
        GET + b"A: \0\r\n\r\n",
        GET + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: a\n\n\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\n\r\n",
        b"GET healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"DESCRIBE /healthz RTSP/1.0\r\n" + HOST + b"\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
    ],
    ids=lambda raw: str(raw.partition(b"\r\n")[2].removeprefix(HOST))[2:50],
)
def test_what_others_may_read_otherwise_is_refused(connection: Connection, raw: bytes) -> None:
    assert refusal(connection, raw + GET + b"\r\n") == 40000


def test_no_field_with_an_underscore_passes_for_one_that_a_proxy_sets(base_url: str) -> None:
    with Connection(base_url) as connection:
        connection.send(b"GET /metrics HTTP/1.1\r\n" + HOST + b"X_Forwarded_For: 192.0.2.1\r\n\r\n")
        assert connection.receive().status == 200
        connection.send(b"GET /metrics HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: 192.0.2.1\r\n\r\n")
        assert connection.receive().status == 404


def test_the_absolute_form_of_a_target_is_taken(connection: Connection) -> None:
    connection.send(b"GET http://127.0.0.1/healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert connection.receive().status == 200


def test_the_host_of_an_absolute_target_goes_before_the_field(connection: Connection) -> None:
    for host, status in ((b"127.0.0.1", 200), (b"elsewhere.example.com", 404), (b"me@127.0.0.1", 404)):
        for field in (HOST, b"Host: elsewhere.example.com\r\n"):
            connection.send(b"GET http://" + host + b"/deployment HTTP/1.1\r\n" + field + b"\r\n")
            assert connection.receive().status == status


def test_white_space_around_a_value_is_no_part_of_it(connection: Connection) -> None:
    connection.send(b"GET /deployment HTTP/1.1\r\nHost: \t 127.0.0.1 \t \r\n\r\n")
    assert connection.receive().status == 200


@pytest.mark.parametrize("before", [b"Cookie: a=b\r\n", b"Cookie: __session=other\r\nCookie: a=b\r\n"])
def test_cookies_may_come_in_several_fields(connection: Connection, cookie: str, before: bytes) -> None:
    """As HTTP/2 has them, which some proxies pass on (RFC 9113, 8.2.3)."""
    for _ in range(2):
        connection.send(
            f"GET {MEMBERSHIPS} HTTP/1.1\r\n".encode() + HOST + before + f"Cookie: {cookie}\r\n\r\n".encode()
        )
        assert connection.receive().status == 200


def test_an_upgrade_is_ignored(connection: Connection) -> None:
    connection.send(GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n")
    assert [connection.receive().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("more", [b"", b"Connection: upgrade\r\nUpgrade: h2c\r\n"], ids=["plain", "an upgrade"])
def test_a_request_right_behind_chunks_is_left_unread(connection: Connection, more: bytes) -> None:
    fields = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.send(POST + fields + b"2\r\n{}\r\n0\r\n\r\n" + GET + more + b"\r\n")
    answer = connection.receive()
    assert (answer.status // 100, answer.headers["Connection"]) == (4, "close")
    assert connection.is_closed()


@pytest.mark.parametrize("start", [b"0\r\nX: ", b"5;x="], ids=["a field behind chunks", "a chunk's extension"])
def test_bytes_between_and_behind_chunks_are_bounded(connection: Connection, start: bytes) -> None:
    began = time.monotonic()
    assert refusal(connection, POST + b"Transfer-Encoding: chunked\r\n\r\n" + start + b"x" * 2**20) == 43101
    assert time.monotonic() - began < 2


def test_a_client_of_http_1_0_is_never_told_to_continue(base_url: str) -> None:
    with Connection(base_url) as connection:
        fields = b"Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        connection.send(b"POST /auth/signin HTTP/1.0\r\n" + HOST + fields)
        assert connection.receive().status // 100 == 4


def test_a_client_that_closes_its_half_is_answered(connection: Connection) -> None:
    connection.send(GET + b"\r\n" + GET + b"\r\n")
    connection.close_writing()
    assert [connection.receive().status for _ in range(2)] == [200, 200]
    assert connection.is_closed()


def test_a_client_of_http_1_0_is_answered(base_url: str) -> None:
    with Connection(base_url) as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = connection.receive()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert connection.is_closed()


@pytest.mark.parametrize("path", ["/healthz", MEMBERSHIPS, "/docs/", "/static/staff/refused.css"])
def test_a_head_request_gets_the_length_of_the_body_without_it(base_url: str, cookie: str, path: str) -> None:
    with Connection(base_url) as connection:
        whole = connection.request(path, Cookie=cookie)
        for _ in range(2):
            head = connection.request(path, method="HEAD", Cookie=cookie)
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(whole.body)))
        assert connection.request("/healthz").status == 200


def test_100_continue_is_sent_only_where_the_body_is_wanted(base_url: str) -> None:
    fields = {"Expect": "100-continue", "Content_Type": "application/json", "Origin": "https://evil.example"}
    with Connection(base_url) as connection:
        connection.send(connection.head("/auth/signin", method="POST", Content_Length="2", **fields))
        assert connection.receive().status == 100
        connection.send(b"{}")
        assert connection.receive().status == 403
    answer = request(base_url, "/auth/signin", method="POST", Content_Length="70000", **fields)
    assert answer.status == 413

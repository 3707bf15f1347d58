"""Slow clients: nobody else waits for them, and each is closed at its deadline."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from server import connection as limits
from server.service import MAX_CONNECTIONS
from tests.support.api import MEMBERSHIPS
from tests.support.demo import DMITRI
from tests.support.server import PATIENCE, SOON, Connection, request, wait_until

BUNDLE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
"""More than a megabyte."""
EACH = 20


@pytest.fixture(scope="module")
def server(demo_server: str) -> str:
    return demo_server


@pytest.fixture(scope="module")
def cookie(demo_cookies: dict[str, str]) -> str:
    """The session of the user with the most memberships."""
    return demo_cookies[DMITRI]


class NeverReads:
    """A client that asks for more than any buffer holds, and reads nothing of it."""

    def __init__(self, base_url: str, request: bytes) -> None:
        url = urlsplit(base_url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((str(url.hostname), url.port or 80))
        self._socket.sendall(request * 200)

    def __enter__(self) -> NeverReads:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def sip(self, size: int) -> None:
        """Read a little of it after all."""
        with suppress(OSError):
            self._socket.recv(size, socket.MSG_DONTWAIT)

    def is_closed(self) -> bool:
        """Whether the server has given it up, which shows without reading."""
        poll = select.poll()
        poll.register(self._socket, 0)
        return bool(poll.poll(0))


def drip_a_head(server: str) -> float:
    """The seconds until the server ends the connection."""
    with Connection(server) as client:
        began = time.monotonic()
        client.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
        with suppress(OSError):
            while time.monotonic() - began < limits.HEAD + PATIENCE:
                client.send(b"x")
                time.sleep(0.2)
        return time.monotonic() - began


def read_late(server: str) -> bytes:
    """All that comes of the last answer of a connection to a client that reads nothing at first."""
    url = urlsplit(server)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        slow.connect((str(url.hostname), url.port or 80))
        slow.sendall(f"GET {BUNDLE} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode())
        time.sleep(2 * limits.LINGER)
        with slow.makefile("rb") as file:
            return file.read()


class Meanwhile(NamedTuple):
    head_took: Future[float]
    last_answer: Future[bytes]


@pytest.fixture(scope="module")
def meanwhile(server: str) -> Iterator[Meanwhile]:
    """Slow clients beside those of the first test that asks for them, so that all deadlines are waited for at once."""
    with ThreadPoolExecutor() as clients:
        yield Meanwhile(clients.submit(drip_a_head, server), clients.submit(read_late, server))


@pytest.mark.usefixtures("meanwhile")
def test_slow_clients_keep_nobody_waiting_and_are_closed(server: str, cookie: str) -> None:
    with ExitStack() as stack:
        heads = [stack.enter_context(Connection(server)) for _ in range(EACH)]
        bodies = [stack.enter_context(Connection(server)) for _ in range(EACH)]
        whole = heads[0].head(MEMBERSHIPS, Cookie=cookie)
        began = time.monotonic()
        silent = [stack.enter_context(NeverReads(server, whole)) for _ in range(EACH)]
        sipping, steady = ([stack.enter_context(NeverReads(server, whole)) for _ in range(5)] for _ in range(2))
        for client in heads:
            client.send(whole[:100])
        for client in bodies:
            client.send(client.head("/auth/signin", method="POST", Content_Length="10") + b"12345")
        for path in (MEMBERSHIPS, "/healthz", "/session") * 5:
            asked_at = time.monotonic()
            assert request(server, path, Cookie=cookie).status == 200
            assert time.monotonic() - asked_at < limits.HEAD / 2
        for client in (*heads, *bodies):
            answer = client.receive()
            assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (408, 40801)
            assert client.is_closed()
        assert limits.HEAD - 1 < time.monotonic() - began < limits.HEAD + SOON
        poll_until = began + limits.SEND + PATIENCE
        while not all(client.is_closed() for client in (*silent, *sipping)):
            assert time.monotonic() < poll_until
            for number in range(8):
                time.sleep(0.5)
                for reader in steady:
                    reader.sip(4000)
                for reader in sipping if number == 0 else ():
                    reader.sip(2000)
        assert not any(client.is_closed() for client in steady)
        assert time.monotonic() - began > limits.SEND - 1
        assert request(server, MEMBERSHIPS, Cookie=cookie).status == 200


def test_a_head_that_drips_in_is_closed_at_its_deadline(meanwhile: Meanwhile) -> None:
    assert limits.HEAD < meanwhile.head_took.result() < limits.HEAD + limits.LINGER + SOON


def test_the_last_answer_of_a_connection_comes_whole_however_slowly(server: str, meanwhile: Meanwhile) -> None:
    assert meanwhile.last_answer.result().endswith(request(server, BUNDLE).body)


def test_clients_that_read_nothing_of_much_are_given_up_at_once(server: str, cookie: str) -> None:
    with Connection(server) as connection:
        whole = connection.head(BUNDLE)
    began = time.monotonic()
    with ExitStack() as stack:
        silent: list[NeverReads] = []  # until there are too many
        while not any(client.is_closed() for client in silent):
            assert time.monotonic() - began < limits.SEND / 2
            silent.append(stack.enter_context(NeverReads(server, whole)))
            time.sleep(0.01)
        assert request(server, MEMBERSHIPS, Cookie=cookie).status == 200


def test_large_bodies_that_do_not_come_take_no_room(server: str) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            client = stack.enter_context(Connection(server))
            client.send(client.head("/admin/login/", method="POST", Content_Length=str(2 * 2**20)))
        time.sleep(0.3)
        for _ in range(10):
            with Connection(server) as client:
                client.send(client.head("/auth/signin", method="POST", Content_Length="2") + b"{}")
                assert client.receive().status // 100 == 4


def test_more_connections_than_a_process_holds_are_refused(server: str) -> None:
    with ExitStack() as stack:
        url = urlsplit(server)
        first = stack.enter_context(Connection(server))
        assert first.request("/healthz").status == 200
        for _ in range(MAX_CONNECTIONS - 1):
            stack.enter_context(socket.create_connection((str(url.hostname), url.port or 80)))
        answer = request(server, "/healthz")
        assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (503, 50301)
        assert int(answer.headers["Retry-After"]) > 0
        assert first.request("/healthz").status == 200
        stack.pop_all().close()
        wait_until(lambda: request(server, "/healthz").status == 200, "there is room again")

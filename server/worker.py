"""gunicorn's threaded worker, which answers requests of the fast path at once and puts all errors into the envelope."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.urls import get_resolver
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from api.answers import Reply
from api.errors import Problem, error_body
from database.prepared import run
from server.metrics import count

# A thread takes a new connection for so many seconds before it leaves it to the poller until something is sent. With
# gunicorn's own five, a few silent connections, such as browsers open in advance, would occupy all threads.
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.05

MAX_HEAD = 4 * 1024
"""Bytes of a request that may be answered at once. A browser's has one or two thousand."""
MAX_CACHED_HEADS = 5_000
SLOW = 0.05
"""Seconds that an answer at once should not take; after a slower one all is left to the threads for a while."""
PAUSE = 10
"""How many times as long as the slow answer took."""
MOST_WAITING = 1000
"""Milliseconds that the main thread waits for a statement at most, for instance while its table is locked."""


class RollcallWorker(ThreadWorker):
    """Answers a request on a kept connection at once where it can: the threads would take longer to wake each other.

    All else is gunicorn's: the first request of a connection, requests for Django, and the rest of an answer that
    the client is slow to take.
    """

    poller: Any
    tpool: Any

    def init_process(self) -> None:
        self._parsed: dict[tuple[bytes, str], Any] = {}
        self._paused_until = 0.0
        super().init_process()

    def load_wsgi(self) -> None:
        """gunicorn's, in the process that will answer: connects to the database before the first request."""
        super().load_wsgi()
        from accounts import polled  # not before Django is set up

        self._polled, self._endpoints = polled, get_resolver().urlconf_module.FAST_PATHS
        connection_created.connect(_wait_less_in_the_main_thread)
        with suppress(DatabaseError):  # it may be down, and come back
            connections[DEFAULT_DB_ALIAS].ensure_connection()

    def is_parent_alive(self) -> bool:
        """gunicorn's; without a parent, the address is given up before the last requests are answered."""
        is_alive = bool(super().is_parent_alive())
        if not is_alive:
            self.set_accept_enabled(False)
            for listener in self.sockets:
                listener.close()
        return is_alive

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """gunicorn's: a kept connection has something to read."""
        rest = self._answer_at_once(conn)
        if rest is None:
            super().on_client_socket_readable(conn, client)
            return
        self.keepalived_conns.remove(conn)
        if rest:
            self.poller.unregister(client)
            sending = self.tpool.submit(_send, client, rest)
            sending.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
        else:
            conn.set_timeout()
            self.keepalived_conns.append(conn)

    def _answer_at_once(self, conn: Any) -> memoryview | None:
        """The rest of the answer that is still to be sent; None, with nothing lost, if there is no answer at once."""
        began = time.monotonic()
        if not self.alive or began < self._paused_until or conn.is_http2 or self.cfg.is_ssl:
            return None
        try:
            head = conn.sock.recv(MAX_HEAD)
        except OSError:
            return None
        try:
            parsed = self._parse(head, conn)
            answer = None if parsed is None else run(self._polled.answer(parsed))
        except Exception:
            self.log.exception("A request could not be answered at once")
            answer = None
        now = time.monotonic()
        if now - began > SLOW:
            self._paused_until = now + PAUSE * (now - began)
        if answer is None:
            self._parsed.pop((head, conn.client[0]), None)
            conn.parser.unreader.unread(head)
            return None
        count("GET", parsed.endpoint.route, answer.status, now - began)
        head = _head(answer)
        sent = 0
        with suppress(OSError):  # the client is slow, or gone
            sent = conn.sock.sendmsg([head, answer.body])
        if sent < len(head):
            return memoryview(head + answer.body)[sent:]
        return memoryview(answer.body)[sent - len(head) :]

    def _parse(self, head: bytes, conn: Any) -> Any:
        """The request in ``head``, parsed; None if it is longer, or for Django."""
        key = head, conn.client[0]
        parsed = self._parsed.get(key)
        if parsed is None and head.startswith(b"GET ") and head.find(b"\r\n\r\n") == len(head) - 4:
            try:
                request = next(RequestParser(self.cfg, iter([head]), conn.client))
            except (ParseException, NoMoreData):
                return None
            if request.should_close() or any(name == "EXPECT" for name, _ in request.headers):
                return None
            _, environ = wsgi.create(request, conn.sock, conn.client, conn.server, self.cfg)
            parsed = self._polled.parse(environ, self._endpoints)
            if parsed is not None:
                if len(self._parsed) >= MAX_CACHED_HEADS:
                    del self._parsed[next(iter(self._parsed))]
                self._parsed[key] = parsed
        return parsed

    def handle_request(self, req: Any, conn: Any) -> bool:
        """gunicorn's, but the answer says that the connection ends if the request's body has not come by then."""
        should_close = req.should_close

        def closes() -> bool:
            if not should_close():
                deadline = time.monotonic() + gthread.DEFAULT_WORKER_DATA_TIMEOUT
                if not conn.parser.finish_body(deadline=deadline):
                    req.force_close()
            return bool(should_close())

        req.should_close = (
            closes  # gunicorn calls it when it writes the head of the answer, and once more after the body
        )
        return bool(super().handle_request(req, conn))

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be read, and close."""
        problem = problem_of(exc)
        if problem is Problem.INTERNAL_ERROR:
            self.log.error("A request failed outside of the application", exc_info=exc)
        body = orjson.dumps(error_body(problem))
        head = (
            f"HTTP/1.1 {_STATUS_LINES[problem.status]}\r\n"
            "Connection: close\r\nContent-Type: application/json\r\n"
            f"Cache-Control: private, no-cache\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with suppress(OSError):  # the client may be gone
            util.write_nonblock(client, head.encode() + body)


def _wait_less_in_the_main_thread(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', least(setting::bigint, %s)::text, false) FROM pg_settings "
                "WHERE name = 'statement_timeout'",
                [MOST_WAITING],
            )


def _head(answer: Reply) -> bytes:
    """The answer but for its body as it goes over the wire, with the headers that gunicorn gives any."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in answer.headers])
    return (
        f"HTTP/1.1 {_STATUS_LINES[answer.status]}\r\nServer: gunicorn\r\nDate: {_date(int(time.time()))}\r\n"
        f"Connection: keep-alive\r\n{fields}\r\n"
    ).encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return str(util.http_date(second))


_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def _send(client: socket.socket, rest: memoryview) -> bool:
    """Send ``rest``, however long the client takes; true, as the connection may be kept."""
    client.setblocking(True)
    client.sendall(rest)
    return True


def problem_of(exception: BaseException) -> Problem:
    """The catalogue's entry for an exception of gunicorn's parser, without its text, which quotes the request."""
    if isinstance(exception, LimitRequestLine):
        return Problem.URI_TOO_LONG
    if isinstance(exception, LimitRequestHeaders):
        return Problem.HEADERS_TOO_LARGE
    if isinstance(exception, ParseException):
        return Problem.MALFORMED_REQUEST
    return Problem.INTERNAL_ERROR

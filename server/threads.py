"""Django in threads, for all that the event loop does not answer itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.answers import Reply
from api.errors import Problem
from server.at_once import refusal
from server.connection import Connection

MAX_WAITING = 100
"""Requests for Django, of a process, that wait for a thread or have one; further ones get a 503."""
WHOLE = 4 * 2**20
"""Bytes of the body of an answer up to which it is sent in one piece, if Django has it in parts of a known length."""

logger = logging.getLogger("rollcall")


class Exchange:
    """A request for Django and its answer."""

    def __init__(self, connection: Connection, environ: dict[str, Any], asked_at: float) -> None:
        self.connection, self.environ, self.asked_at = connection, environ, asked_at
        self.has_thread = False
        self.is_begun = False
        """Whether a part of the answer has been sent."""
        self.is_over = False
        self.may_send = threading.Event()
        """That the client has taken what was sent so far, or is gone."""


class Threads:
    """A pool of threads that run the WSGI ``application``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, application: Any, number: int) -> None:
        self._loop, self._application = loop, application
        self._pool = ThreadPoolExecutor(number, "django")
        self._room = threading.Semaphore(MAX_WAITING)
        self.exchanges: dict[Connection, Exchange] = {}
        self.refused_at = 0.0
        """When Django last answered 503."""

    def answer(self, connection: Connection, environ: dict[str, Any]) -> None:
        """Have Django answer the request, once a thread is free."""
        # One whose client is gone keeps its place until a thread has come to it, or clients might add any number.
        if not self._room.acquire(blocking=False):
            connection.reply(refusal(Problem.UNAVAILABLE, environ))
            return
        self.exchanges[connection] = exchange = Exchange(connection, environ, self._loop.time())
        connection.resumed = exchange.may_send.set
        self._pool.submit(self._run, exchange)

    def finish(self, exchange: Exchange, reply: Reply | None) -> None:
        """Send ``reply`` in Django's stead, or, with None, the end of an answer in parts."""
        if exchange.is_over:
            return
        self.leave(exchange.connection)
        if reply is not None:
            if exchange.has_thread and reply.status == Problem.UNAVAILABLE.status:
                self.refused_at = self._loop.time()
            exchange.connection.reply(reply)
        else:
            exchange.connection.end()

    def leave(self, connection: Connection) -> None:
        """The connection is lost, or answered; what Django may still have to say is not sent."""
        exchange = self.exchanges.pop(connection, None)
        if exchange is not None:
            exchange.is_over = True
            exchange.may_send.set()

    # In a thread

    def _run(self, exchange: Exchange) -> None:
        started: list[Any] = []
        try:
            if exchange.is_over:
                return
            exchange.has_thread = True
            response = self._application(exchange.environ, lambda *line: started.append(line))
            try:
                (status, headers, *_) = started[-1]
                self._send(exchange, int(status[:3]), headers, response)
            finally:
                if hasattr(response, "close"):
                    response.close()
        except Exception:
            logger.exception("A request failed outside of the application")
            self._call(self._fail, exchange)
        finally:
            self._room.release()

    def _send(self, exchange: Exchange, status: int, headers: list[tuple[str, str]], response: Any) -> None:
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
        if status in (204, 304):  # the length would be that of the answer that the client has (RFC 9110, 8.6)
            headers = [field for field in headers if field[0].lower() != "content-length"]
            self._call(self.finish, exchange, Reply(status, headers, b""))
        elif exchange.environ["REQUEST_METHOD"] == "HEAD":
            self._call(self.finish, exchange, Reply(status, headers, b""))
        elif not getattr(response, "streaming", False) or (length is not None and length <= WHOLE):
            body = b"".join(response)
            if length is None:
                headers = [*headers, ("Content-Length", str(len(body)))]
            self._call(self.finish, exchange, Reply(status, headers, body))
        else:
            self._call(self._begin, exchange, status, headers)
            for part in response:
                exchange.may_send.clear()
                self._call(self._write, exchange, part)
                exchange.may_send.wait()
                if exchange.is_over:
                    return
            self._call(self.finish, exchange, None)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    # In the loop

    def _begin(self, exchange: Exchange, status: int, headers: list[tuple[str, str]]) -> None:
        if not exchange.is_over:
            exchange.is_begun = True
            exchange.connection.begin(status, headers)

    def _write(self, exchange: Exchange, part: bytes) -> None:
        if not exchange.is_over:
            exchange.connection.write(part)
        if exchange.is_over or not exchange.connection.is_paused:
            exchange.may_send.set()

    def _fail(self, exchange: Exchange) -> None:
        if exchange.is_begun:
            exchange.connection.abort()
        else:
            self.finish(exchange, refusal(Problem.INTERNAL_ERROR, exchange.environ))

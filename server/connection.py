"""A connection of a client: HTTP/1.1 between the socket and ``Service``, in the event loop.

One request is answered at a time; what a client sends meanwhile waits, in a bounded buffer. Whatever a client does
slowly has a deadline, at which the connection ends: nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import fcntl
import io
import socket
import struct
import tempfile
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, TextIO
from wsgiref.handlers import format_date_time

from django.conf import settings

from api.answers import Reply
from api.bounds import MAX_BODY, limit_at
from api.errors import Problem
from server.at_once import refusal
from server.heads import MAX_HEAD, Head, RefusedError

MAX_LINE = 8190
"""Bytes of the request line."""
IDLE = 75.0
"""Seconds that a connection may be silent; longer than proxies keep one, so that it is they who close it."""
HEAD = 10.0
"""Seconds from a head's first byte to its last."""
BODY = 10.0
"""Seconds for a body, and one more for each ``BODY_RATE`` bytes of it."""
BODY_RATE = 50_000
SEND = 20.0
"""Seconds in which a client must take ``SEND_LEAST`` bytes of its answers, if so many wait for it."""
SEND_LEAST = 20_000
LAST = 1.0
"""Seconds for the last request to a process that ends."""
LINGER = 2.0
"""Seconds that a connection stays open for what the client still sends once it has taken the last answer."""
NEVER = float("inf")

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


class Service(Protocol):
    """The service that answers the requests of connections."""

    is_open: bool
    """Whether connections are kept."""
    errors: TextIO

    def now(self) -> float: ...
    def add(self, connection: Connection) -> None: ...
    def remove(self, connection: Connection) -> None: ...
    def hold(self, size: int) -> bool:
        """Whether there is room for ``size`` more bytes of large bodies; takes it, or gives it back if negative."""

    def answers_again(self, connection: Connection, raw: bytes) -> bool:
        """Whether ``raw`` is a request that has come before; then it is being answered."""

    def answer(self, connection: Connection, head: Head, raw: bytes | None = None) -> None:
        """Answer the request, whose whole head is ``raw`` if it has no body."""


class Connection(asyncio.Protocol):
    """The methods that asyncio calls are its own; ``reply``, or ``begin``, ``write`` and ``end``, answer a request."""

    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = bytearray()
        self._searched = 0
        """How far the buffer has been searched for the end of a head."""
        self._head: Head | None = None
        """The head of the request being read or answered; None if the same bytes were answered before."""
        self._body: Any = None
        """A file, while the body is being read."""
        self._is_busy = self._is_advancing = self._is_reading_paused = False
        self._is_over = False
        """Whether no request is taken any more."""
        self._has_eof = False
        self._held = 0
        """Bytes of the body for which the service has made room."""
        self._written = 0
        self._taken: int | None = None
        """Of the bytes written, those that the client had taken at ``taken_at``; None if it has to take none."""
        self.taken_at = 0.0
        self.is_paused = self.is_lost = False
        self.resumed: Callable[[], object] = lambda: None
        """Called once the client has taken what was sent to it."""
        self._deadline = NEVER

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.peer: str = (transport.get_extra_info("peername") or ("",))[0]
        host, port, *_ = transport.get_extra_info("sockname") or ("", 0)
        self._environ = {
            "REMOTE_ADDR": self.peer,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.errors": self._service.errors,
            "wsgi.input": io.BytesIO(),
        }
        self._deadline = self._service.now() + IDLE
        self._service.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._let_go()
        self._service.remove(self)

    def eof_received(self) -> bool:
        """Whether the connection stays open to be answered."""
        self._has_eof = True
        return (self._is_busy or self.is_paused) and self._body is None and not self._is_over

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.resumed()
        self._advance()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if not (self._buffer or self._is_busy or self.is_paused) and self._service.answers_again(self, data):
            return
        self._buffer += data
        if self._body is not None:
            self._read_body()
        self._advance()
        if len(self._buffer) > MAX_HEAD and not self._is_over:
            self._is_reading_paused = True
            self.transport.pause_reading()

    # Reading

    def _advance(self) -> None:
        """Read requests from the buffer and have them answered, one by one, as far as that goes."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while not (self._is_busy or self._is_over or self.is_paused) and self._read_head():
                pass
        finally:
            self._is_advancing = False
        if self._is_reading_paused and len(self._buffer) <= MAX_HEAD:
            self._resume_reading()
        if self._has_eof and not self._is_busy and not self.is_paused:
            self.close()

    def _resume_reading(self) -> None:
        self._is_reading_paused = False
        self.transport.resume_reading()

    def _read_head(self) -> bool:
        """Whether there was a head in the buffer."""
        if self._buffer[:2] == b"\r\n":
            self._buffer, self._searched = self._buffer.lstrip(b"\r\n"), 0  # RFC 9112, 2.2
        if not self._buffer:
            return False
        end = self._buffer.find(b"\r\n\r\n", self._searched) + 4
        self._searched = 0 if end > 3 else max(0, len(self._buffer) - 3)
        line_end = self._buffer.find(b"\r\n", 0, MAX_LINE + 2)
        if line_end < 0 and len(self._buffer) > MAX_LINE:
            self.refuse(Problem.URI_TOO_LONG)
        elif max(end, 0 if end > 3 else len(self._buffer)) > MAX_HEAD:
            self.refuse(Problem.HEADERS_TOO_LARGE)
        elif end > 3:
            raw = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._begin(raw)
            return True
        elif self._deadline > (latest := self._service.now() + HEAD):
            self._deadline = latest
        return False

    def _begin(self, raw: bytes) -> None:
        try:
            self._head = head = Head(raw, self._environ)
        except RefusedError as refusal:
            self.refuse(refusal.problem)
            return
        self._is_busy = True
        self._limit = limit_at(head.environ["PATH_INFO"])
        if settings.SESSION_COOKIE_NAME in head.environ.get("HTTP_COOKIE", ""):
            self._limit = settings.STAFF_UPLOADS.get(head.environ["PATH_INFO"], self._limit)
        if head.length > self._limit:  # Django says so
            head.is_kept = False
        elif head.length or head.is_chunked:
            if head.expects_continue:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._body = tempfile.SpooledTemporaryFile(MAX_BODY)  # noqa: SIM115 (Django closes it)
            self._received = 0
            self._began_body = self._service.now()
            self._read_body()
            return
        self.wait()
        self._service.answer(self, head, raw)

    def _take(self, data: bytes) -> None:
        """Add ``data`` to the body; raises ``RefusedError`` if there is no room for it."""
        self._received += len(data)
        if self._received > MAX_BODY:  # smaller ones are bounded by the number of connections
            if not self._service.hold(more := self._received - self._held):
                raise RefusedError(Problem.UNAVAILABLE)
            self._held += more
        self._body.write(data)

    def _read_body(self) -> None:
        """Take what the buffer has of the body, and have the request answered once all is there."""
        head = self._head
        assert head is not None
        end = len(self._buffer) if head.is_chunked else head.length - self._received
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        try:
            self._take(head.read_chunks(data) if head.is_chunked else data)
        except RefusedError as refusal:
            self.refuse(refusal.problem)
            return
        is_over = head.is_over if head.is_chunked else self._received == head.length
        if self._received > self._limit:  # Django says so
            head.is_kept, is_over = False, True
        self._deadline = self._began_body + BODY + self._received / BODY_RATE
        if is_over:
            body, self._body = self._body, None
            body.seek(0)
            head.environ.pop("HTTP_TRANSFER_ENCODING", None)
            head.environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(self._received)}
            self.wait()
            self._service.answer(self, head)

    def wait(self) -> None:
        """An answer is on its way."""
        self._is_busy = True
        self._deadline = NEVER

    def parse_again(self, raw: bytes) -> Head:
        """The head of the request that is being answered."""
        if self._head is None:
            self._head = Head(raw, self._environ)
        return self._head

    # Answering

    def reply(self, reply: Reply) -> None:
        """Send a whole answer, and go on to the next request."""
        head = self._head
        if self.is_lost:
            return
        is_kept = (head is None or head.is_kept) and not self._is_over and self._service.is_open
        start = _start(reply.status, reply.headers, is_kept=is_kept)
        self._send(start if head is not None and head.environ["REQUEST_METHOD"] == "HEAD" else start + reply.body)
        self._done(is_kept)

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send the head of an answer whose body comes in parts."""
        head = self._head
        assert head is not None
        is_sized = any(name.lower() == "content-length" for name, _ in headers)
        self._is_chunked = not is_sized and not head.is_old
        head.is_kept = head.is_kept and self._service.is_open and (is_sized or self._is_chunked)
        own = [("Transfer-Encoding", "chunked")] if self._is_chunked else []
        self._send(_start(status, [*own, *headers], is_kept=head.is_kept))

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self) -> None:
        """The body has been sent."""
        assert self._head is not None
        if self._is_chunked:
            self._send(b"0\r\n\r\n")
        self._done(self._head.is_kept)

    def _send(self, data: bytes) -> None:
        self._written += len(data)
        self.transport.write(data)

    def _let_go(self) -> None:
        if self._held:
            self._service.hold(-self._held)
            self._held = 0

    def _done(self, is_kept: bool) -> None:
        self._let_go()
        self._head, self._is_busy = None, False
        if is_kept:
            self._deadline = self._service.now() + IDLE
            if self._buffer or self._has_eof:
                self._advance()
        else:
            self.close()

    # Ending

    def refuse(self, problem: Problem) -> None:
        """Answer what cannot be read, or has not come in time, and end the connection."""
        self._is_over = True
        head, self._head, self._body = self._head, None, None
        self.reply(refusal(problem, None if head is None else head.environ))

    def close(self) -> None:
        """End the connection once all is sent. What the client still sends is taken, or it might lose the answer."""
        self._is_over = True
        self._buffer.clear()
        if self.is_lost or self.transport.is_closing():
            return
        if self._has_eof:
            self.transport.close()
            return
        self._deadline = self._service.now() + LINGER
        self._resume_reading()
        self.transport.write_eof()

    def stop(self) -> None:
        """The process ends: no request is taken any more but one that is under way, or about to be sent."""
        if not (self._is_busy or self._buffer or self._is_over):
            self._deadline = self._service.now() + LAST

    def abort(self) -> None:
        """End the connection at once; what is still to be sent takes no memory of the kernel's from then on."""
        if not self.is_lost:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def check(self, now: float) -> int:
        """End the connection if it is over its deadline; returns the bytes that are kept for it."""
        unsent = self._unsent()
        if unsent:
            taken = self._written - unsent
            if self._taken is None or taken - self._taken >= SEND_LEAST:
                self._taken, self.taken_at = taken, now
            elif now - self.taken_at > SEND:
                self.abort()
            if self._is_over:
                self._deadline = now + LINGER
        else:
            self._taken, self.taken_at = None, now
            if now > self._deadline:
                if self._is_over:
                    self.transport.close()
                elif self._body is not None or self._buffer:
                    self.refuse(Problem.REQUEST_TIMEOUT)
                else:
                    self.close()
        return unsent + len(self._buffer)

    def _unsent(self) -> int:
        """Bytes that the client has still to take; 0 if only the kernel keeps some, unless they are the last ones."""
        unsent = self.transport.get_write_buffer_size()
        if unsent or self._is_over:
            with suppress(OSError, ValueError):  # it is closed
                raw = self.transport.get_extra_info("socket").fileno()
                unsent += struct.unpack("i", fcntl.ioctl(raw, termios.TIOCOUTQ, bytes(4)))[0]
        return unsent


def _start(status: int, headers: list[tuple[str, str]], *, is_kept: bool) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return (
        f"{_STATUS_LINES[status]}\r\nDate: {_date(int(time.time()))}\r\n"
        f"Connection: {'keep-alive' if is_kept else 'close'}\r\n{fields}\r\n"
    ).encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return format_date_time(second)

"""The service of a worker: it answers a request in the event loop if it can, else by Django in a thread."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from django.db import DatabaseError

from api.answers import Reply
from api.bounds import tidy
from api.errors import Problem
from database.pipelines import Pipelines
from database.prepared import Query, Result, Statement
from server.at_once import Asked, asked, refusal
from server.connection import Connection
from server.heads import Head
from server.metrics import count
from server.threads import Threads

MAX_CONNECTIONS = 1000
"""Of a process; further ones get a 503 and are closed."""
MAX_REFUSED = 100
"""Of those, which are closed once they have got it; further ones get nothing."""
MAX_BODIES = 256 * 2**20
"""Bytes of all bodies of more than 64 KiB that are being read or answered. They are in files."""
MAX_KEPT = 128 * 2**20
"""Bytes of all answers that clients have still to take, and of what they have sent meanwhile: then the slowest go."""
MAX_HEAD = 4 * 1024
"""Bytes of a head that is kept in case it comes again. A browser's has one or two thousand."""
MAX_HEADS = 5_000
EVERY = 0.2
"""Seconds between two looks at all deadlines."""
SLOW = 0.4
"""Seconds that Django may take before the database is asked whether it answers at all."""
FROZEN = 0.8
"""Seconds without a sign of it after which it does not."""
REFUSING = 1.5
"""Seconds after a 503 of Django's in which requests do not wait longer than ``FROZEN`` for a thread."""
LONG = 5.0
"""Seconds after which Django is taken to do something long, such as an import: it is waited for whatever comes."""
HANGS = 30
"""Seconds without a turn of the loop after which the process is killed, and replaced."""

_PING = Statement("SELECT 1")


class LoopService:
    """All connections of a process, and what answers them: a ``connection.Service``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, application: Any, *, threads: int) -> None:
        self._loop = loop
        self.now = loop.time
        self.errors = sys.stderr
        self.is_open = True
        self.is_over = loop.create_future()
        self._connections: dict[Connection, None] = {}
        self._asked: dict[tuple[bytes, str], Asked] = {}
        self.pipelines = Pipelines(loop)
        self._threads = Threads(loop, application, threads)
        self._held = 0
        self._pinged_at: float | None = None
        self._frozen_at: float | None = None
        self.pipelines.connect()
        self._look()

    # Connections

    def add(self, connection: Connection) -> None:
        self._connections[connection] = None
        if not self.is_open:
            connection.stop()
        if len(self._connections) > MAX_CONNECTIONS + MAX_REFUSED:
            connection.abort()
        elif len(self._connections) > MAX_CONNECTIONS:
            connection.refuse(Problem.UNAVAILABLE)

    def remove(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._threads.leave(connection)

    def hold(self, size: int) -> bool:
        if self._held + size > MAX_BODIES:
            return False
        self._held += size
        return True

    def stop(self) -> None:
        """Answer what has been asked, and nothing else."""
        self.is_open = False
        for connection in list(self._connections):
            connection.stop()

    # Requests

    def answers_again(self, connection: Connection, raw: bytes) -> bool:
        known = self._asked.get((raw, connection.peer))
        if known is None:
            return False
        connection.wait()
        self._ask(connection, known, raw)
        return True

    def answer(self, connection: Connection, head: Head, raw: bytes | None = None) -> None:
        new = asked(_tidied(head).environ)
        if new is None:
            self._leave_to_django(connection, head)
            return
        if raw is not None and len(raw) <= MAX_HEAD and head.is_simple:
            if len(self._asked) >= MAX_HEADS:
                del self._asked[next(iter(self._asked))]
            self._asked[raw, connection.peer] = new
        self._ask(connection, new, raw, head)

    def _ask(self, connection: Connection, what: Asked, raw: bytes | None, head: Head | None = None) -> None:
        began = time.perf_counter()

        def done(reply: Reply | Exception | None) -> None:
            if isinstance(reply, Reply):
                count(what.method, what.route, reply.status, time.perf_counter() - began)
                connection.reply(reply)
                return
            if raw is not None:
                self._asked.pop((raw, connection.peer), None)
            if not connection.is_lost:
                self._leave_to_django(connection, head or _tidied(connection.parse_again(raw or b"")))

        self.pipelines.read(what.read(), done)

    def _leave_to_django(self, connection: Connection, head: Head) -> None:
        if self._frozen_at is not None:
            connection.reply(refusal(Problem.UNAVAILABLE, head.environ))
        else:
            self._threads.answer(connection, head.environ)

    # Deadlines

    def _look(self) -> None:
        """Look at all deadlines, now and again."""
        self._loop.call_later(EVERY, self._look)
        signal.alarm(HANGS)
        now = self.now()
        kept = {connection: connection.check(now) for connection in list(self._connections)}
        self._give_up_the_slowest(kept)
        late = [exchange for exchange in self._threads.exchanges.values() if now - exchange.asked_at > SLOW]
        answered_at = self.pipelines.answered_at
        if self._frozen_at is not None and answered_at > self._frozen_at:
            self._frozen_at = None
        if (late or self._frozen_at is not None) and self._pinged_at is None:
            self._pinged_at = now
            self.pipelines.read(_ping(), self._ponged)
        if self._pinged_at is not None and now - max(self._pinged_at, answered_at) > FROZEN:
            self._frozen_at = now
        for exchange in late:
            is_hopeless = self._frozen_at is not None and self._frozen_at - exchange.asked_at < LONG
            # Others wait for a lock in vain: whoever comes to a thread late cannot wait as well.
            if not exchange.has_thread and now - self._threads.refused_at < REFUSING:
                is_hopeless |= now - exchange.asked_at > FROZEN
            if is_hopeless and not exchange.is_begun:
                self._threads.finish(exchange, refusal(Problem.UNAVAILABLE, exchange.environ))
        if not self.is_open and not self._connections and not self.is_over.done():
            self.is_over.set_result(None)

    def _give_up_the_slowest(self, kept: dict[Connection, int]) -> None:
        """End connections until no more is kept than may be, by the number of bytes for each."""
        total = sum(kept.values())
        for connection in sorted(kept, key=lambda connection: connection.taken_at) if total > MAX_KEPT else ():
            if kept[connection] and total > MAX_KEPT:
                connection.abort()
                total -= kept[connection]

    def _ponged(self, _: Any) -> None:
        self._pinged_at = None


def _tidied(head: Head) -> Head:
    tidy(head.environ)
    return head


def _ping() -> Generator[Query, list[Result], None]:
    """Learn whether the database gives a sign (``Pipelines.answered_at``)."""
    with suppress(DatabaseError):
        yield [(_PING, {})]

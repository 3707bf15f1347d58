"""Loads a server with requests, on a fixed number of keep-alive connections, each with one request at a time.

A unit of load is one request, or several that a client sends one after the other: its time is from the first byte that
is sent to the last that is received.

Debian's load generators (wrk, for one) are not on every machine and send no such units, and PyPI has none that is both
fast and kept up. So this is one: a hundred lines on uvloop that parse no more of an answer than its status and its
length, and take a small part of the processor time that the servers under test take.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

NAME = "benchmarks.load"
BUFFER = 2**20
PATIENCE = 60
"""Seconds after its end that a load waits for the last answers, or for all of a given number."""
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """The bytes of a request, and what the answer must be like."""

    raw: bytes
    status: int


@dataclass(frozen=True)
class Load:
    """The answers within ``seconds``: the time that each unit took, in seconds, and the bytes of all bodies."""

    seconds: float
    latencies: list[float]
    body_bytes: int

    @property
    def units(self) -> int:
        return len(self.latencies)

    @property
    def rps(self) -> float:
        """Units a second."""
        return self.units / self.seconds

    def percentile_ms(self, percent: int) -> float:
        return percentile(self.latencies, percent) * 1e3


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


class UnexpectedAnswerError(Exception):
    """A server did not do the work that is measured."""


def get(path: str, *, host: str, status: int = 200, **headers: str) -> Request:
    """GET of ``path``; underscores in the names of ``headers`` become hyphens."""
    fields = {"Host": host, "Accept": "application/json"} | headers
    lines = [f"GET {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return Request("\r\n".join([*lines, "", ""]).encode(), status)


Unit = tuple[Request, ...]


def run(port: int, units: Sequence[Unit], *, connections: int, seconds: float = 0, number: int = 0) -> Load:
    """Send ``units`` in turn for ``seconds``, or ``number`` of them, to 127.0.0.1:``port``.

    Raises ``UnexpectedAnswerError`` if an answer has another status, or a connection ends.
    """
    load: Load = uvloop.run(_run(port, itertools.cycle(units), connections, seconds, number))
    return load


async def _run(port: int, units: Iterator[Unit], connections: int, seconds: float, number: int) -> Load:
    if number:
        units = itertools.islice(units, number)
    loop = asyncio.get_running_loop()
    clients = [_Client(units, loop.create_future()) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]  # mypy infers no lambda with a default
    begin = time.perf_counter()
    for client in clients:
        client.start(until=begin + seconds if seconds else float("inf"))
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            await asyncio.gather(*(client.done for client in clients))
    except TimeoutError as error:
        raise UnexpectedAnswerError("The server leaves requests unanswered.") from error
    return Load(
        time.perf_counter() - begin,
        [latency for client in clients for latency in client.latencies],
        sum(client.body_bytes for client in clients),
    )


class _Client(asyncio.BufferedProtocol):
    """One connection. What comes is read into one buffer over and over: to allocate megabytes takes time."""

    def __init__(self, units: Iterator[Unit], done: asyncio.Future[None]) -> None:
        self.latencies: list[float] = []
        self.body_bytes = 0
        self.done = done
        self._units = units
        self._unit: Iterator[Request] = iter(())
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self, *, until: float) -> None:
        """Send the first unit; after the time ``until`` no further one begins."""
        self._deadline = until
        self._begin()

    def _begin(self) -> None:
        self._began_at = time.perf_counter()
        unit = next(self._units, None) if self._began_at < self._deadline else None
        if unit is None:
            self._finish()
            return
        self._unit = iter(unit)
        self._send(next(self._unit))

    def _send(self, request: Request) -> None:
        self._expected = b"HTTP/1.1 %d " % request.status
        self._filled = 0
        self._missing: int | None = None
        self._transport.write(request.raw)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._missing is None:
            self._filled += nbytes
            end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
            if end < 0:
                return
            if not self._buffer.startswith(self._expected):
                seen = bytes(self._view[: min(self._filled, 500)])
                self._finish(UnexpectedAnswerError(f"{self._expected!r} was expected: {seen!r}"))
                return
            length = _LENGTH.search(self._buffer, 0, end + 2)
            size = int(length[1]) if length else 0
            self.body_bytes += size
            self._missing = size - (self._filled - end - 4)
            self._filled = 0
        else:
            self._missing -= nbytes
        if self._missing > 0:
            return
        following = next(self._unit, None)
        if following is None:
            self.latencies.append(time.perf_counter() - self._began_at)
            self._begin()
        else:
            self._send(following)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(UnexpectedAnswerError(f"The server closed a connection: {error}"))

    def _finish(self, error: Exception | None = None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
        self._transport.close()

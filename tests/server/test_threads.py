"""Answers in parts from Django's threads: whenever the client goes, the thread is free again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

from server.connection import Connection
from server.threads import Threads


class Client:
    """A connection that takes all at once."""

    is_paused = False

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None: ...
    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...


class Answer:
    """Two parts, of which the second one takes its time."""

    streaming = True

    def __init__(self) -> None:
        self.is_at_second, self.may_go_on, self.is_closed = (threading.Event() for _ in range(3))

    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        self.is_at_second.set()
        self.may_go_on.wait(10)
        yield b"second"

    def close(self) -> None:
        self.is_closed.set()


def test_a_client_that_goes_while_a_part_is_made_occupies_no_thread() -> None:
    answer = Answer()

    def application(environ: dict[str, Any], start_response: Any) -> Answer:
        start_response("200 OK", [])
        return answer

    async def check() -> bool:
        threads = Threads(asyncio.get_running_loop(), application, 1)
        client = cast(Connection, Client())
        threads.answer(client, {"REQUEST_METHOD": "GET"})
        await asyncio.to_thread(answer.is_at_second.wait, 10)
        threads.leave(client)
        answer.may_go_on.set()
        return await asyncio.to_thread(answer.is_closed.wait, 5)

    assert asyncio.run(check())

"""Single requests, sent again and again beside what is measured: what others notice of it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

TIMEOUT = 15.0
"""Seconds after which a request counts as unanswered."""


@dataclass(frozen=True)
class Question:
    path: str
    headers: Mapping[str, str]
    keeps_connection: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that was sent: when (``time.monotonic``), and the seconds that its answer took."""

    path: str
    sent_at: float
    took: float
    status: int
    """0 if no answer came."""


@contextmanager
def asking(port: int, questions: Sequence[Question], *, pause: float) -> Iterator[list[Asked]]:
    """The answers so far; in the block, each question is asked again ``pause`` seconds after each answer."""
    answers: list[Asked] = []
    stop = threading.Event()
    with ThreadPoolExecutor(len(questions)) as threads:
        running = [threads.submit(_ask, port, question, pause, stop, answers) for question in questions]
        try:
            yield answers
        finally:
            stop.set()
        for done in running:
            done.result()


def _ask(port: int, question: Question, pause: float, stop: threading.Event, answers: list[Asked]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    while not stop.is_set():
        sent_at = time.monotonic()
        try:
            connection.request("GET", question.path, headers=dict(question.headers))
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            status = 0
        answers.append(Asked(question.path, sent_at, time.monotonic() - sent_at, status))
        if status == 0 or not question.keeps_connection:
            connection.close()
        stop.wait(pause)
    connection.close()

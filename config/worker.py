"""gunicorn's threaded worker, with the error envelope for what is refused before the application sees it."""

from __future__ import annotations

import http
import socket
from contextlib import suppress
from typing import Any

import orjson
from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from config.api.errors import Problem, error_body

# A thread takes a new connection for so many seconds before it leaves it to the poller until something is sent. With
# gunicorn's own five, a few connections that say nothing, such as browsers open in advance, would occupy all threads.
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.05


class EnvelopeWorker(ThreadWorker):
    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be read, and close."""
        problem = problem_of(exc)
        if problem is Problem.INTERNAL_ERROR:
            self.log.error("A request failed outside of the application", exc_info=exc)
        body = orjson.dumps(error_body(problem))
        head = (
            f"HTTP/1.1 {problem.status} {http.HTTPStatus(problem.status).phrase}\r\n"
            "Connection: close\r\nContent-Type: application/json\r\n"
            f"Cache-Control: private, no-cache\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with suppress(OSError):  # the client may be gone
            util.write_nonblock(client, head.encode() + body)


def problem_of(exception: BaseException) -> Problem:
    """The catalogue's entry for an exception of gunicorn's parser; its text, which quotes the request, is not told."""
    if isinstance(exception, LimitRequestLine):
        return Problem.URI_TOO_LONG
    if isinstance(exception, LimitRequestHeaders):
        return Problem.HEADERS_TOO_LARGE
    if isinstance(exception, ParseException):
        return Problem.MALFORMED_REQUEST
    return Problem.INTERNAL_ERROR

"""The WSGI application that the server runs."""

from __future__ import annotations

import os
import time
from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.wsgi import get_wsgi_application

from api.bounds import read_chunks, tidy

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

from accounts import polled  # noqa: E402 (the models are there from here on)
from api.answers import Reply  # noqa: E402
from config.urls import FAST_PATHS  # noqa: E402
from database.prepared import run  # noqa: E402
from server import health  # noqa: E402
from server.metrics import count  # noqa: E402


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """A probe's answer, the fast path, or else Django."""
    tidy(environ)
    answer = health.answer(environ) or fast_answer(environ)
    if answer is None:
        read_chunks(environ)
        return _django(environ, partial(_start, start_response))
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
    return [answer.body]


def _start(start_response: Any, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
    """WSGI's start_response, without the length of 0 that Django gives a 304: it would be that of the answer that the
    client has (RFC 9110, 8.6).
    """
    if status.startswith("304"):
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return start_response(status, headers, *exc_info)


def fast_answer(environ: dict[str, Any]) -> Reply | None:
    """The answer of the fast path, counted; None if the request is for Django."""
    began = time.perf_counter()
    parsed = polled.parse(environ, FAST_PATHS)
    if parsed is None:
        return None
    answer = run(polled.answer(parsed))
    if answer is not None:
        count("GET", parsed.endpoint.route, answer.status, time.perf_counter() - began)
    return answer

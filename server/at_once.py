"""Answers without Django: to the probes, and to plain requests for polled endpoints (``accounts.polled.fast_path``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from django.core.handlers.wsgi import WSGIRequest
from django.http.response import HttpResponseBase
from django.urls import get_resolver

from accounts.deployments.cached_deployments import without_database
from accounts.polled import fast_path
from api.answers import Reply
from api.bounds import tidy
from api.errors import Problem, error_response
from database.prepared import Reading, run
from server import health
from server.metrics import METHODS, count


class Asked(NamedTuple):
    """A request that can be answered without Django; it may be ``read`` any number of times."""

    method: str
    route: str
    read: Callable[[], Reading[Reply | None]]
    """Gives the answer, or None: it is for Django after all."""


def prepare() -> None:
    """Load what the first requests would otherwise wait for: all addresses, and the names of all migrations."""
    _ = get_resolver().url_patterns
    health.newest_migrations()


def asked(environ: dict[str, Any]) -> Asked | None:
    """The answer to a WSGI request; None if it is for Django."""
    probe = health.PROBES.get(environ["PATH_INFO"])
    if probe is not None:
        method = environ["REQUEST_METHOD"]
        route = environ["PATH_INFO"].removeprefix("/")
        return Asked(method if method in METHODS else "other", route, partial(health.answer, probe, environ))
    parsed = fast_path.parse(environ, get_resolver().urlconf_module.FAST_PATHS)  # type: ignore[union-attr]  # the module of addresses, never a list
    return None if parsed is None else Asked("GET", parsed.endpoint.route, partial(fast_path.answer, parsed))


def refusal(problem: Problem, environ: dict[str, Any] | None = None) -> Reply:
    """The error envelope, with the headers of any answer to the WSGI request ``environ``; nothing is waited for."""
    response: HttpResponseBase = error_response(problem)
    if environ is not None:
        tidy(copied := environ.copy())
        request = WSGIRequest(copied)
        without_database(request)
        request.problem = problem  # type: ignore[attr-defined]  # for the middleware
        response = fast_path.in_middleware(_refuse)(request)
    body = b"".join(response)
    return Reply(response.status_code, [*response.headers.items(), ("Content-Length", str(len(body)))], body)


def _refuse(request: Any) -> HttpResponseBase:
    return error_response(request.problem)


def answer(environ: dict[str, Any]) -> Reply | None:
    """The answer to a WSGI request, for which this waits; None if it is for Django."""
    began = time.perf_counter()
    what = asked(environ)
    reply = None if what is None else run(what.read())
    if what is not None and reply is not None:
        count(what.method, what.route, reply.status, time.perf_counter() - began)
    return reply

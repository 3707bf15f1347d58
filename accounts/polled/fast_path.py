"""Polled endpoints: their fast path to the answer that every open tab polls for, past the framework.

A server and a framework take many times as long for a request as these answers do. So the most frequent requests have a
path of their own: a plain GET with a good token, in a live session. A tab that polls sends the same bytes again, so the
server parses them once (``parse``) and only calls ``answer`` from then on. Every other request, and every refusal, goes
through Django to the view; tests compare the two.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.request import Request

from accounts.authentication.sent_tokens import Sent, sent_tokens
from accounts.deployments.cached_deployments import CachedDeployment, cached_deployment, session_token
from api.answers import Reply, with_caching
from api.errors import ApiError, Problem, error_response
from api.exceptions import problem_of
from api.viewsets import accepts_json
from database.prepared import Reading

_ONE_ETAG = re.compile(r'\s*(?:W/)?("[^"]*")\s*')

logger = logging.getLogger("rollcall")
P = TypeVar("P")


class Found(NamedTuple):
    """The response to a poll."""

    etag: str
    write: Callable[[], bytes] | None = None
    """Gives the body, JSON text; None if it is the one that the client has."""


class Endpoint(NamedTuple, Generic[P]):
    """An endpoint whose plain GETs are answered past Django."""

    route: str
    """The address without the slash in front."""
    parse: Callable[[Request, str], P]
    """The parsed poll of a request and the ETag of the answer that its client has ("" for none).

    Raises ``ApiError``. The result may be used again for the same request.
    """
    answer: Callable[[P, CachedDeployment, Sent], Reading[Found | None]]
    """The answer to a parsed poll; None, or an ``ApiError``, leaves it to the view.

    The deployment may be outdated until a statement has applied the invalidation log (``database.cache``).
    """
    allowed: str = "GET, HEAD, OPTIONS"
    """The methods that the address has."""


class ParsedPoll(NamedTuple):
    """A plain request, parsed."""

    endpoint: Endpoint[Any]
    poll: Any
    cached: CachedDeployment
    tokens: Sent
    headers: list[tuple[str, str]]
    """The headers of any answer."""


class _NotPlainError(Exception):
    """The request is for Django."""


def parse(environ: dict[str, Any], endpoints: Mapping[str, Endpoint[Any]]) -> ParsedPoll | None:
    """The parsed request for one of ``endpoints``, which are given by path.

    None if the request is for another address, is not plain, or its deployment is not cached yet.
    """
    endpoint = endpoints.get(environ["PATH_INFO"])
    if endpoint is None or not _is_plain(environ):
        return None
    request: Any = WSGIRequest(environ)
    request.polled_endpoint = endpoint
    try:
        response = in_middleware(_parse)(request)
        parsed: ParsedPoll = request.parsed_poll
    except Exception:  # the view says what is wrong with the request
        return None
    return parsed._replace(headers=list(response.headers.items()))


def _is_plain(environ: dict[str, Any]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("CONTENT_LENGTH", "") in ("", "0")
        and environ.get("CONTENT_TYPE", "") in ("", "application/json")
        and "HTTP_TRANSFER_ENCODING" not in environ
        and "HTTP_IF_MATCH" not in environ
    )


@cache
def in_middleware(handler: Callable[[Any], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """``handler`` within the middleware that has a part in answers past Django."""
    for name in reversed(settings.FAST_PATH_MIDDLEWARE):
        handler = import_string(name)(handler)
    return handler


def _parse(http: Any) -> HttpResponse:
    """Set ``http.parsed_poll`` and give the headers that any answer has; raises ``ApiError`` and ``_NotPlainError``."""
    request = Request(http)
    endpoint: Endpoint[Any] = http.polled_endpoint
    cached = cached_deployment(request)
    etag = _ONE_ETAG.fullmatch(http.META.get("HTTP_IF_NONE_MATCH", '""'))
    if cached is None or etag is None or not accepts_json(http):
        raise _NotPlainError
    http.parsed_poll = ParsedPoll(
        endpoint,
        endpoint.parse(request, etag[1]),
        cached,
        sent_tokens(request, cached.deployment, partial(session_token, cached=cached)),
        headers=[],
    )
    response = with_caching(HttpResponse())
    response.headers["Allow"] = endpoint.allowed
    del response.headers["Content-Type"]
    return response


def answer(parsed: ParsedPoll) -> Reading[Reply | None]:
    """The endpoint's answer, or 304 if it is the one that the client has; None if Django is to answer."""
    try:
        found = yield from parsed.endpoint.answer(parsed.poll, parsed.cached, parsed.tokens)
    except ApiError:
        return None  # the view says what is wrong
    except DatabaseError as error:
        return _unavailable(parsed) if problem_of(error) is Problem.UNAVAILABLE else None
    except Exception:
        logger.warning("The fast path failed; Django answers the request", exc_info=True)
        return None
    if found is None:
        return None
    headers = [*parsed.headers, ("ETag", found.etag)]
    if found.write is None:
        return Reply(304, headers, b"")
    body = found.write()
    return Reply(200, [*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)


def _unavailable(parsed: ParsedPoll) -> Reply:
    """503, in the error envelope."""
    response = error_response(Problem.UNAVAILABLE)
    headers = dict(parsed.headers) | dict(response.headers) | {"Content-Length": str(len(response.content))}
    return Reply(response.status_code, list(headers.items()), response.content)

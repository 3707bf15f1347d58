"""The fast path to the answer that every open tab polls for, past the framework.

A server and a framework take many times as long for a request as this answer does. So the most frequent request has a
path of its own: a plain GET with a good token, in a live session. A tab that polls sends the same bytes again, so the
server parses them once (``parse``) and only calls ``answer`` from then on. Every other request, and every refusal, goes
through Django to the view; tests compare the two.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.request import Request

from accounts.cached_deployments import CachedDeployment, cached_deployment, session_token
from accounts.sent_tokens import Sent, sent_tokens
from api.answers import Reply, with_caching
from api.client_address import client_address_of
from api.errors import ApiError
from api.requests import id_parameter
from api.viewsets import accepts_json
from memberships.listing import poll
from memberships.listing.composing import Listing
from memberships.listing.poll import Poll

PATH = "/me/workspace-memberships"
START = b"GET %b" % PATH.encode()
ROUTE = PATH.removeprefix("/")
_ALLOWED = "GET, HEAD, OPTIONS"
_ONE_ETAG = re.compile(r'\s*(?:W/)?("[^"]*")\s*')

logger = logging.getLogger("rollcall")


class ParsedPoll(NamedTuple):
    """A plain request, parsed."""

    poll: Poll
    cached: CachedDeployment
    tokens: Sent
    headers: list[tuple[str, str]]
    """Those of any answer."""


class _NotPlainError(Exception):
    """The request is for Django."""


def parse(environ: dict[str, Any]) -> ParsedPoll | None:
    """The parsed request; None if it is not plain, or its deployment is not cached yet."""
    if environ["PATH_INFO"] != PATH or not _is_plain(environ):
        return None
    request: Any = WSGIRequest(environ)
    try:
        response = _middleware()(request)
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
def _middleware() -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware that has a part in this answer, around ``_parse``."""
    handler: Callable[[HttpRequest], HttpResponseBase] = _parse
    for name in reversed(settings.FAST_PATH_MIDDLEWARE):
        handler = import_string(name)(handler)
    return handler


def _parse(http: Any) -> HttpResponse:
    """Set ``http.parsed_poll`` and give the headers that any answer has; raises ``ApiError`` and ``_NotPlainError``."""
    request = Request(http)
    cached = cached_deployment(request)
    etag = _ONE_ETAG.fullmatch(http.META.get("HTTP_IF_NONE_MATCH", '""'))
    if cached is None or etag is None or not accepts_json(http):
        raise _NotPlainError
    http.parsed_poll = ParsedPoll(
        poll=Poll(id_parameter(request, "org_id"), client_address_of(http), etag[1]),
        cached=cached,
        tokens=sent_tokens(request, cached.deployment, partial(session_token, cached=cached)),
        headers=[],
    )
    response = with_caching(HttpResponse())
    response.headers["Allow"] = _ALLOWED
    del response.headers["Content-Type"]
    return response


def answer(parsed: ParsedPoll) -> Reply | None:
    """The list of memberships, or 304 if it is unchanged; None if Django is to answer."""
    try:
        found = poll.answer_from_cache(parsed.poll, parsed.cached, parsed.tokens)
    except (ApiError, DatabaseError):
        return None  # the view says what is wrong
    except Exception:
        logger.warning("The fast path failed; Django answers the request", exc_info=True)
        return None
    if found is None:
        return None
    headers = [*parsed.headers, ("ETag", found.etag)]
    if not isinstance(found, Listing) or found.etag == parsed.poll.etag:
        return Reply(304, headers, b"")
    body = found.body()
    return Reply(200, [*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)

"""The success envelope, and answers to conditional requests (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

import orjson
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.request import Request

from api.errors import ApiError, Problem


class Reply(NamedTuple):
    """A response made without Django, as WSGI takes it; ``headers`` includes Content-Length if it has a body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class SessionSummary(TypedDict):
    """The value of ``session`` in the envelope."""

    id: str
    created_at: str
    updated_at: str


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, to the microsecond: 2019-08-24T14:15:22.123456Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def json_text(value: Any) -> bytes:
    """``value`` as JSON text to be cached: a copy, because orjson's own keeps the kilobytes it was written in."""
    return bytes(memoryview(orjson.dumps(value)))


def etag_of(body: bytes) -> str:
    """The ETag of an answer with ``body``: another body has another."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def envelope(*, message: str, data: Any, session: Any) -> bytes:
    """``{"status", "message", "data", "session"}`` as JSON text.

    ``data`` and ``session`` are whatever orjson serialises, its ``Fragment`` included.
    """
    return orjson.dumps({"status": 200, "message": message, "data": data, "session": session})


def answer(request: Request, *, message: str, data: Any, session: SessionSummary | None) -> HttpResponse:
    """200 with the ``envelope``; for GET also 304 if the client has these very bytes.

    Raises ``ApiError`` (412) where If-Match says so.
    """
    return _answer(request, envelope(message=message, data=data, session=session))


def json_answer(request: Request, value: Any) -> HttpResponse:
    """200 with ``value`` as the whole body, with the headers and conditions of an ``answer``."""
    return _answer(request, orjson.dumps(value))


def _answer(request: Request, body: bytes) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return with_caching(HttpResponse(body, content_type="application/json"))
    return conditional_answer(request, etag=etag_of(body), write=lambda: body)


def conditional_answer(request: Request, *, etag: str, write: Callable[[], bytes]) -> HttpResponse:
    """200 with the JSON text that ``write`` gives, or 304 if the client has the one whose ``etag`` it is.

    Raises ``ApiError`` (412) where If-Match says so.
    """
    http = request._request
    # An answer without a modification date ignores this condition (RFC 9110, 13.1.4); Django would answer 412.
    http.META.pop("HTTP_IF_UNMODIFIED_SINCE", None)
    response: HttpResponse | None = None
    if "HTTP_IF_NONE_MATCH" in http.META or "HTTP_IF_MATCH" in http.META:
        response = get_conditional_response(http, etag=etag)
        if response is not None and response.status_code == 412:
            raise ApiError(Problem.PRECONDITION_FAILED)
    if response is None:
        response = HttpResponse(write(), content_type="application/json")
    response.headers["ETag"] = etag
    return with_caching(response)


def with_caching(response: HttpResponse) -> HttpResponse:
    """``response``, which may be kept but must be checked, and belongs to the token and the origin."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Cookie, Authorization, Origin"
    return response

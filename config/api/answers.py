"""The success envelope, and how an answer meets conditional requests (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, TypedDict

import orjson
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.request import Request

from config.api.errors import ApiError, Problem


class SessionSummary(TypedDict):
    """``session`` in the envelope."""

    id: str
    created_at: str
    updated_at: str


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, to the microsecond: 2019-08-24T14:15:22.123456Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def answer(request: Request, *, message: str, data: Any, session: SessionSummary | None) -> HttpResponse:
    """200 with ``{"status", "message", "data", "session"}``; for GET also 304 if the client has these very bytes.

    ``data`` is whatever orjson serialises, its ``Fragment`` included. Raises ``ApiError`` (412) where If-Match says so.
    """
    return json_answer(request, {"status": 200, "message": message, "data": data, "session": session})


def json_answer(request: Request, value: Any) -> HttpResponse:
    """200 with ``value`` as it is, with the same headers and conditions as an ``answer``."""
    body = orjson.dumps(value)
    response: HttpResponse = HttpResponse(body, content_type="application/json")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Cookie, Origin"
    if request.method not in ("GET", "HEAD"):
        return response
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    response.headers["ETag"] = etag
    # An answer without a modification date ignores this condition (RFC 9110, 13.1.4); Django would answer 412.
    request._request.META.pop("HTTP_IF_UNMODIFIED_SINCE", None)
    conditional = get_conditional_response(request._request, etag=etag, response=response)
    if conditional is None or conditional.status_code == 412:
        raise ApiError(Problem.PRECONDITION_FAILED)
    return conditional

"""The limit on a request's body: a longer one is refused before it is read and before the caller is authenticated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from api.bounds import limit_at
from api.exceptions import body_too_large


class BodyLimitMiddleware:
    """Answers 413 to a body that is longer than its address takes. It runs before any reader of bodies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Django calls it once the address is known to exist and the cookie of staff has been read."""
        limit = limit_at(request.path_info)
        upload = settings.STAFF_UPLOADS.get(request.path_info)
        if upload is not None and admin.site.has_permission(request):
            limit = upload
        return None if _length(request) <= limit else body_too_large(request, limit)


def _length(request: HttpRequest) -> float:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return float("inf")

"""The base of every endpoint of the API."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed, NotAcceptable
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

MAX_ACCEPT = 8 * 1024
"""Characters of the header Accept that are looked at."""

_RANGES = ("application/json", "application/*", "*/*")
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0*)?")


class ApiViewSet(ViewSet):
    """A view set that answers OPTIONS, and refuses other methods with 405, before it authenticates the caller."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a method that the endpoint lacks before the caller is authenticated."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Select JSON, the only format. Raises ``NotAcceptable`` (406), unless the answer is an error."""
        if not force and not accepts_json(request._request):
            raise NotAcceptable
        return self.renderer_classes[0](), "application/json"

    def options(  # type: ignore[override]  # an answer of Django's, not of the framework's
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """204 with the header Allow (RFC 9110, 9.3.7)."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


def accepts_json(request: HttpRequest) -> bool:
    """Whether the header Accept allows for JSON (RFC 9110, 12.5.1): the most specific range that fits decides."""
    header: str = request.META.get("HTTP_ACCEPT", "")
    if not header.strip():
        return True
    weights: dict[int, bool] = {}
    for item in header[:MAX_ACCEPT].split(","):
        media_range, *parameters = [part.strip().lower() for part in item.split(";")]
        if media_range in _RANGES:
            is_wanted = not any(_NO_WEIGHT.fullmatch(parameter) for parameter in parameters)
            if is_wanted or len(parameters) == 1:  # else it is a variant of JSON that is unwanted
                weights[_RANGES.index(media_range)] = is_wanted
    return bool(weights) and weights[min(weights)]

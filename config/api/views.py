"""What every endpoint of the API has in common."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet


class ApiViewSet(ViewSet):
    """A view set whose answers, 405 and OPTIONS included, do not depend on who asks for them too early."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a method that the endpoint lacks before asking for a session."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """There is JSON only; what surely accepts that need not be looked at closer."""
        if surely_accepts_json(request._request):
            return self.renderer_classes[0](), "application/json"
        return super().perform_content_negotiation(request, force)

    def options(  # type: ignore[override]
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """204 with the header Allow (RFC 9110, 9.3.7)."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


def surely_accepts_json(request: HttpRequest) -> bool:
    """Whether the header Accept names JSON, names everything, or is missing (RFC 9110, 12.5.1)."""
    accepted = request.META.get("HTTP_ACCEPT", "*/*")
    return "*/*" in accepted or "application/json" in accepted

"""What the endpoints that deal in sessions have in common."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.authentication import VisitorAuthentication, carries_bearer
from accounts.cached_deployments import deployment_of
from accounts.origins import require_known_origin
from accounts.sent_tokens import write_token
from api.viewsets import ApiViewSet


class SessionViewSet(ApiViewSet):
    """For signed-in users: checks where a change comes from, and sends a renewed token along."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nothing is here for a host that no deployment has: raise ``ApiError`` (404)."""
        if request.method not in ("GET", "HEAD") or request.method not in self.allowed_methods:
            deployment_of(request)  # to read, authentication finds it
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        if request.method not in ("GET", "HEAD") and not carries_bearer(request):
            require_known_origin(request)
        super().perform_authentication(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        write_token(request, final)
        return final


class VisitorViewSet(SessionViewSet):
    """For anybody: who brings no session gets one."""

    authentication_classes = [VisitorAuthentication]

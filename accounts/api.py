"""What the endpoints that deal in sessions have in common."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.authentication import VisitorAuthentication, carries_bearer, write_token
from accounts.deployments import deployment_of
from accounts.origins import require_known_origin
from config.api.views import ApiViewSet


class SessionViewSet(ApiViewSet):
    """For signed-in users: checks where a change comes from, and sends a renewed token along."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.require_deployment(request)
        super().initial(request, *args, **kwargs)

    def require_deployment(self, request: Request) -> None:
        """Nothing is here for a host that no deployment has: raise ``ApiError`` (404)."""
        deployment_of(request)

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

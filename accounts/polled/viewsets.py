"""The bases of the endpoints that use sessions."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.authentication.classes import SessionAuthentication, VisitorAuthentication, carries_bearer
from accounts.authentication.sent_tokens import write_token
from accounts.authentication.session_rows import VISITORS_ROW
from accounts.authentication.sessions import Caller
from accounts.deployments.cached_deployments import deployment_of
from accounts.deployments.origins import require_known_origin
from accounts.models import Deployment
from accounts.polled import poll
from accounts.polled.poll import Poll, Source
from api.answers import conditional_answer
from api.errors import ApiError
from api.viewsets import ApiViewSet
from database.prepared import run


class SessionViewSet(ApiViewSet):
    """For signed-in users: checks the origin of a change, and sends a renewed token along."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise ``ApiError`` (404) for a host that no deployment has."""
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


class PolledViewSet(SessionViewSet):
    """An endpoint that is polled: answers the requests that the fast path leaves to Django, and refuses bad ones."""

    source: ClassVar[Source[Any]]

    def get_authenticators(self) -> list[BaseAuthentication]:
        authenticate = VisitorAuthentication if self.source.admits_visitors else SessionAuthentication
        self.authentication = authenticate(self._read)
        return [self.authentication]

    def _read(self, deployment: Deployment, session_id: int, *, is_loaded: bool) -> Any:
        try:
            query = self.source.parse(self.request, "")
        except ApiError:
            query = Poll(None, about=0)  # which nothing has: a missing sign-in is reported first
        return run(self.source.read(deployment, session_id, query, is_loaded=is_loaded, wants_all=True))

    def polled(self, request: Request) -> HttpResponse:
        """200 with the answer, or 304; raises ``ApiError``."""
        query = self.source.parse(request, "")
        found = poll.compose(self.source, query, cast(Caller, request.auth), self.authentication.row or VISITORS_ROW)
        return conditional_answer(request, etag=found.etag, write=found.body)


class VisitorViewSet(SessionViewSet):
    """For anybody: a caller without a session gets one."""

    authentication_classes = [VisitorAuthentication]

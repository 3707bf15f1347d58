"""The authentication classes of the API: they find the caller of a request."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.authentication import sessions
from accounts.authentication.callers import Read, find_caller_with
from accounts.authentication.sent_tokens import Carrier, bearer_token, send_visitors_token, sent_tokens
from accounts.authentication.session_rows import read_session, session_of
from accounts.authentication.sessions import Caller, SignedIn, TokenReusedError
from accounts.deployments.cached_deployments import deployment_of, load_deployment, session_token
from accounts.models import User
from accounts.tokens.session_tokens import PassingError
from api.errors import ApiError
from api.requests import django_request


class VisitorAuthentication(BaseAuthentication):
    """Sets ``request.auth`` to a ``Caller``: the session of the token, or, if that is no good, a new visitor.

    It never fails for want of a session: a page reads the session before anybody has signed in. An endpoint that reads
    more together with the session gives its own ``read``, and finds the row in ``row`` here, None for a visitor.
    """

    row: Any = None

    def __init__(self, read: Read[Any] = read_session) -> None:
        self._read = read

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        try:
            found = find_caller_with(request, self._read)
            self.row = found.row
            return None, found.caller
        except ApiError as error:
            if error.problem.status != 401:
                raise
            _end_what_was_copied(error)
            refusal = error
        caller = sessions.visitor(deployment_of(request))
        if isinstance(refusal, PassingError):
            django_request(request).passing_refusal = refusal
        # A navigation, which another site may have caused: the browser may just have withheld the cookie, and must not
        # lose it.
        elif request.headers.get("Sec-Fetch-Mode") != "navigate":
            send_visitors_token(request, caller)
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return "Session"


def require_settled(request: Request) -> None:
    """Raise the ``ApiError`` (401) for which the caller is taken for a visitor, if it is one that passes.

    For endpoints that change a session: in a visitor's session the change would only seem to work.
    """
    refusal: PassingError | None = getattr(request._request, "passing_refusal", None)
    if refusal is not None:
        raise refusal


class SessionAuthentication(BaseAuthentication):
    """Sets ``request.user`` to the ``User`` and ``request.auth`` to the ``SignedIn``; raises ``ApiError`` otherwise.

    An endpoint that reads more together with the session gives its own ``read``, and finds the row in ``row`` here.
    """

    row: Any

    def __init__(self, read: Read[Any] = read_session) -> None:
        self._read = read

    def authenticate(self, request: Request) -> tuple[User, SignedIn]:
        try:
            found = find_caller_with(request, self._read)
            caller = sessions.signed_in(found.caller)
        except ApiError as error:
            _end_what_was_copied(error)
            raise
        self.row = found.row
        return caller.user, caller


def _end_what_was_copied(error: ApiError) -> None:
    if isinstance(error, TokenReusedError):
        sessions.end_session(error.session)


def end_all_sessions(request: Request) -> None:
    """End the session of each good token that the request carries, so that none of them counts from now on."""
    cached = load_deployment(request)
    verify = partial(session_token, cached=cached)
    for raw in sent_tokens(request, cached.deployment, verify).tokens:
        with suppress(ApiError):
            row = read_session(cached.deployment, verify(raw).session_id, is_loaded=True)
            sessions.end_session(session_of(row.session_columns, cached.deployment))


def carries_bearer(request: Request) -> bool:
    """Whether the request's token is one that no browser adds unasked: no other site's page can be behind it."""
    if not bearer_token(request):
        return False
    cached = load_deployment(request)
    verify = partial(session_token, cached=cached)
    return sent_tokens(request, cached.deployment, verify).carrier is Carrier.BEARER

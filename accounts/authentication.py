"""The authentication classes of the API: from a request's token to who asks, and from there to the token to send
back.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import sessions
from accounts.deployments import deployment_of
from accounts.models import Deployment, Session, User
from accounts.sessions import Caller, SignedIn
from accounts.tokens import SessionToken, verify_session_token
from config.api.errors import ApiError, Problem

COOKIE = "__session"
STAGING_PARAMETER = "__dev_session__"
STAGING_HEADER = "X-Development-Session"


class VisitorAuthentication(BaseAuthentication):
    """Sets ``request.auth`` to a ``Caller``: the session of the token, or, if that is no good, a new visitor.

    It never fails for want of a session: a page asks who is signed in before anybody is.
    """

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        deployment = deployment_of(request)
        try:
            return None, caller_of(request, deployment)
        except ApiError as error:
            if error.problem.status != 401:
                raise
            caller = sessions.visitor(deployment)
            # A token from before a sign-in: the browser has a better one by now. A navigation, which another site may
            # have caused: the browser may just have withheld the cookie, and must not lose it.
            if error.problem is not Problem.TOKEN_REPLACED and request.headers.get("Sec-Fetch-Mode") != "navigate":
                send_token(request, caller.session, sessions.visitor_token(caller))
            return None, caller

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class SessionAuthentication(BaseAuthentication):
    """Sets ``request.user`` to the ``User`` and ``request.auth`` to the ``SignedIn``; raises ``ApiError`` otherwise.

    ``find`` finds who is signed in, for who has a quicker way to.
    """

    def __init__(self, find: Callable[[Request], SignedIn] | None = None) -> None:
        self._find = find or _signed_in

    def authenticate(self, request: Request) -> tuple[User, SignedIn]:
        caller = self._find(request)
        return caller.user, caller


def _signed_in(request: Request) -> SignedIn:
    return sessions.signed_in(caller_of(request, deployment_of(request)))


def caller_of(request: Request, deployment: Deployment) -> Caller:
    """Whose token the request carries, renewing it if it is due; raises ``ApiError`` (401) if it is no good."""
    token = verify_session_token(require_token(request, deployment), deployment)
    if token.is_anonymous:
        return sessions.visitor(deployment, token)
    return caller_in(request, sessions.find_session(deployment, token.session_id), token)


def caller_in(request: Request, session: Session, token: SessionToken) -> Caller:
    """The caller whose ``token`` names ``session``, renewing it if it is due; raises ``ApiError`` (401)."""
    renewed = sessions.renew(session, token)
    if renewed is not None:
        send_token(request, session, renewed)
    return Caller(session.deployment, session, token_serial=token.serial)


def require_token(request: Request, deployment: Deployment) -> str:
    """The token as it came; raises ``ApiError`` (401) if none did."""
    raw = raw_token(request, deployment)
    if not raw:
        raise ApiError(Problem.NO_SESSION)
    return raw


def raw_token(request: Request, deployment: Deployment) -> str:
    """The token as it came, "" if none did. A production deployment never looks at the query parameter.

    In staging the parameter goes before the cookie, which the browser adds unasked.
    """
    if deployment.mode == Deployment.Mode.STAGING:
        values = request.query_params.getlist(STAGING_PARAMETER)
        if len(values) > 1:
            raise ApiError(Problem.REPEATED_PARAMETER, f"Give {STAGING_PARAMETER} once only.")
        if values and values[0]:
            return values[0]
    return request.COOKIES.get(COOKIE, "")


def send_token(request: Request | HttpRequest, session: Session, token: str) -> None:
    """Have the answer to ``request`` carry ``token``."""
    _http(request).token_to_send = session, token  # type: ignore[attr-defined]


def write_token(request: Request | HttpRequest, response: HttpResponseBase) -> None:
    """Put the token of ``send_token`` into ``response``: as a cookie, in staging as a header besides.

    The cookie is host-only, and out of reach of scripts and of plain http (RFC 6265bis, 4.1.2).
    """
    if (pending := getattr(_http(request), "token_to_send", None)) is None:
        return
    session, token = pending
    if session.deployment.mode == Deployment.Mode.STAGING:
        response.headers[STAGING_HEADER] = token
    response.set_cookie(
        COOKIE,
        token,
        expires=session.expires_at,
        path="/",
        secure=True,
        httponly=True,
        samesite=session.deployment.cookie_same_site,
    )


def _http(request: Request | HttpRequest) -> HttpRequest:
    return request._request if isinstance(request, Request) else request

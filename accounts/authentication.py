"""The authentication class of the API: the session token of a request, verified, and who is signed in with it."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.deployments import deployment_of
from accounts.models import Deployment, User
from accounts.sessions import SignedIn, signed_in
from accounts.tokens import verify_session_token
from config.api.errors import ApiError, Problem

COOKIE = "__session"
STAGING_PARAMETER = "__dev_session__"


class SessionAuthentication(BaseAuthentication):
    """Sets ``request.user`` to the ``User`` and ``request.auth`` to the ``SignedIn``; raises ``ApiError`` otherwise."""

    def authenticate(self, request: Request) -> tuple[User, SignedIn]:
        deployment = deployment_of(request)
        token = raw_token(request, deployment)
        if not token:
            raise ApiError(Problem.NO_SESSION)
        caller = signed_in(deployment, verify_session_token(token, deployment))
        return caller.user, caller


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

"""The transport of tokens: those that a request carries, and the new one that its answer brings.

A request may carry several values for a token, some of them other products'. The first that is good counts; the others
harm nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller
from accounts.models import Deployment, Session
from accounts.tokens.session_tokens import MAX_LENGTH, PassingError, SessionToken
from api.errors import ApiError, Problem
from api.requests import django_request, single_parameter

COOKIE = "__session"
STAGING_PARAMETER = "__dev_session__"
STAGING_HEADER = "X-Development-Session"
MAX_COOKIES = 10
"""Different tokens in cookies that are looked at."""

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Carrier(enum.Enum):
    """The part of a request that brought a token."""

    COOKIE = enum.auto()
    QUERY = enum.auto()
    BEARER = enum.auto()


class Sent(NamedTuple):
    """The tokens of a request, of which the first that is good counts."""

    tokens: tuple[str, ...]
    carrier: Carrier
    is_renewable: bool
    """Whether an answer can bring a new token. In production that goes by cookie, which no ``Bearer`` is to change."""


def sent_tokens(request: Request, deployment: Deployment, verify: Callable[[str], SessionToken]) -> Sent:
    """The tokens as they came. Raises ``ApiError`` (400) if the query parameter of a staging deployment is repeated.

    Tokens that a client sends on purpose go before cookies, which a browser adds unasked: a ``Bearer`` token, if it is
    ours and not one that proxies or libraries put there for another product, and in staging the query parameter.
    """
    is_staging = deployment.mode == Deployment.Mode.STAGING
    bearer = bearer_token(request)
    if bearer and _is_ours(bearer, verify):
        sent = Sent((bearer,), Carrier.BEARER, is_renewable=is_staging)
    elif is_staging and (parameter := single_parameter(request, STAGING_PARAMETER)):
        sent = Sent((parameter,), Carrier.QUERY, is_renewable=True)
    else:
        in_cookies = _cookies(request.META.get("HTTP_COOKIE", ""))
        sent = Sent(in_cookies or (bearer,) if in_cookies or bearer else (), Carrier.COOKIE, is_renewable=True)
    django_request(request).sent_tokens = sent
    return sent


def first_good(request: Request, sent: Sent, find: Callable[[str], Caller]) -> Caller:
    """The first signed-in caller that ``find`` finds for the tokens, else one with a session, else a visitor.

    Sends the new token, if there is one. Raises ``ApiError`` (401) if ``find`` does for every token: rather a refusal
    that passes than a lasting one, and rather that of a token of ours than that of another text.
    """
    refusals: list[ApiError] = []
    found: list[Caller] = []
    for raw in sent.tokens:
        try:
            caller = find(raw)
        except ApiError as error:
            if error.problem.status != 401:
                raise
            refusals.append(error)
            continue
        found.append(caller)
        if sessions.is_signed_in(caller):
            break
    if found:
        caller = min(found, key=lambda one: (not sessions.is_signed_in(one), one.is_visitor))
        if caller.new_token is not None:
            send_token(request, caller.session, caller.new_token)
        return caller
    if refusals:
        raise min(refusals, key=lambda one: (not isinstance(one, PassingError), one.problem is _NOT_OURS))
    raise ApiError(Problem.NO_SESSION)


_NOT_OURS = Problem.INVALID_SESSION_TOKEN


def bearer_token(request: Request) -> str:
    """The token after ``Bearer``, as it came; "" if there is none."""
    match = _BEARER.fullmatch(request.META.get("HTTP_AUTHORIZATION", ""))
    return match[1] if match else ""


def _is_ours(raw: str, verify: Callable[[str], SessionToken]) -> bool:
    """Whether ``raw`` is a session token of the deployment, be it expired."""
    try:
        verify(raw)
    except ApiError as error:
        return error.problem is not _NOT_OURS
    return True


def _cookies(header: str) -> tuple[str, ...]:
    """The values of our cookie, each once; at most ``MAX_COOKIES`` that may be tokens, or else one that may not.

    Quotes may stand around a value (RFC 6265, 4.1.1). Servers join several Cookie headers by commas.
    """
    values: dict[str, None] = {}
    other = ""
    for value in _values(header):
        if len(value) > MAX_LENGTH or not _JWT.fullmatch(value):
            other = other or value
        elif value not in values:
            values[value] = None
            if len(values) == MAX_COOKIES:
                break
    return tuple(values) or ((other,) if other else ())


def _values(header: str) -> Iterator[str]:
    for pair in re.split("[;,]", header):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE:
            value = value.strip()
            yield value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def send_token(request: Request | HttpRequest, session: Session, token: str) -> None:
    """Have the answer to ``request`` carry ``token``."""
    django_request(request).token_to_send = session, token


def send_visitors_token(request: Request, caller: Caller) -> None:
    """Have the answer carry the token of ``caller``, a visitor, unless it would need a cookie that must not change."""
    sent: Sent | None = getattr(request._request, "sent_tokens", None)
    if sent is None or sent.is_renewable:
        send_token(request, caller.session, sessions.visitor_token(caller))


def write_token(request: Request | HttpRequest, response: HttpResponseBase) -> None:
    """Put the token of ``send_token`` into ``response``: as a cookie, in staging as a header besides.

    Staging clients that do not send the token by cookie get it by the header alone: a link must plant no cookie. The
    cookie is host-only, and out of reach of scripts and of plain http (RFC 6265bis, 4.1.2).
    """
    http = django_request(request)
    if (pending := getattr(http, "token_to_send", None)) is None:
        return
    session, token = pending
    if session.deployment.mode == Deployment.Mode.STAGING:
        response.headers[STAGING_HEADER] = token
        sent: Sent | None = getattr(http, "sent_tokens", None)
        if sent is not None and sent.carrier is not Carrier.COOKIE:
            return
    response.set_cookie(
        COOKIE,
        token,
        expires=session.expires_at,
        path="/",
        secure=True,
        httponly=True,
        samesite=session.deployment.cookie_same_site,
    )

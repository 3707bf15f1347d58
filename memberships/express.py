"""The short way to the answer that every open tab polls for.

What a server and a framework do for any request takes many times as long as this answer. So what mostly happens, and
nothing else, has a way of its own (``config.express``): a plain GET with a good token, in a live session. A tab that
polls sends the same bytes again; what they ask is worked out once. Whatever is not plain, and every refusal, goes the
long way, through the view; tests hold both ways against each other.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.request import Request

from accounts import sessions, tenants
from accounts.authentication import Sent, sent_tokens
from accounts.sessions import Caller, keeps
from accounts.tenants import Tenant
from accounts.tokens import SessionToken
from config.api.answers import with_caching
from config.api.errors import ApiError
from config.api.requests import id_parameter
from config.api.views import accepts_json
from config.client_address import client_address_of
from config.express import Answer
from config.metrics import count
from config.networks import Address
from memberships import recent
from memberships.listing import Asker, Listing, Reading, asker_of, compose, read_listing
from memberships.recent import Given

PATH = "/me/workspace-memberships"
START = b"GET %b" % PATH.encode()
_ROUTE = PATH.removeprefix("/")
_ALLOWED = "GET, HEAD, OPTIONS"
_ONE_ETAG = re.compile(r'\s*(?:W/)?("[^"]*")\s*')

logger = logging.getLogger("rollcall")


class Question(NamedTuple):
    """What a plain request asks."""

    tenant: Tenant
    sent: Sent
    organization_id: int | None
    etag: str
    """That of the answer which the client has."""
    address: Address | None
    headers: list[tuple[str, str]]
    """Those of any answer."""


class _NotPlainError(Exception):
    """The request must go the long way."""


def ask(environ: dict[str, Any]) -> Question | None:
    """What the request asks; None if it is not plain, or nothing is remembered yet of its deployment."""
    if environ["PATH_INFO"] != PATH or not _is_plain(environ):
        return None
    request: Any = WSGIRequest(environ)
    try:
        response = _middleware()(request)
        question: Question = request.question
    except Exception:  # whatever is wrong with the request, the long way says
        return None
    return question._replace(headers=list(response.headers.items()))


def _is_plain(environ: dict[str, Any]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("CONTENT_LENGTH", "") in ("", "0")
        and environ.get("CONTENT_TYPE", "") in ("", "application/json")
        and "HTTP_TRANSFER_ENCODING" not in environ
        and "HTTP_IF_MATCH" not in environ
    )


@cache
def _middleware() -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware that has a part in this answer, around ``_ask``."""
    handler: Callable[[HttpRequest], HttpResponseBase] = _ask
    for name in reversed(settings.EXPRESS_MIDDLEWARE):
        handler = import_string(name)(handler)
    return handler


def _ask(http: Any) -> HttpResponse:
    """Set ``http.question`` and give the headers that any answer has; raises ``ApiError`` and ``_NotPlainError``."""
    request = Request(http)
    tenant = tenants.remembered_tenant(request)
    etag = _ONE_ETAG.fullmatch(http.META.get("HTTP_IF_NONE_MATCH", '""'))
    if tenant is None or etag is None or not accepts_json(http):
        raise _NotPlainError
    http.question = Question(
        tenant=tenant,
        sent=sent_tokens(request, tenant.deployment, partial(tenants.session_token, tenant=tenant)),
        organization_id=id_parameter(request, "org_id"),
        etag=etag[1],
        address=client_address_of(http),
        headers=[],
    )
    response = with_caching(HttpResponse())
    response.headers["Allow"] = _ALLOWED
    del response.headers["Content-Type"]
    return response


def answer(question: Question) -> Answer | None:
    """The list of memberships, or the word that it is unchanged; None if it is to be anything else."""
    began = time.perf_counter()
    try:
        found = _find(question)
    except (ApiError, DatabaseError):
        return None  # the long way says what is wrong
    except Exception:
        logger.warning("The short way failed", exc_info=True)
        return None
    if found is None:
        return None
    headers = [*question.headers, ("ETag", found.etag)]
    body = b""
    if isinstance(found, Listing) and found.etag != question.etag:
        body = found.body()
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    status = 200 if body else 304
    count("GET", _ROUTE, status, time.perf_counter() - began)
    return Answer(status, headers, body)


def _find(question: Question) -> Listing | Given | None:
    """The answer, or the one that the client has if it still stands; None where the long way has more to do.

    Raises ``ApiError`` as that does.
    """
    tenant = question.tenant
    token = tenants.first_verified(question.sent.tokens, tenant)
    if token is None or not tenant.is_current:
        return None
    given = recent.last_given(token.session_id, question.organization_id)
    if given and not (
        given.asker.deployment is tenant.deployment and given.address == question.address and given.is_intact()
    ):
        given = None
    may_stand = given is not None and given.etag == question.etag
    reading = _read(question, token, unless_news=may_stand)
    asker = _asker(question, token, reading, given)
    if asker is None:
        return None
    # No other thread has heard news since this one looked?
    stands = given is not None and given.asker is asker and given.is_intact()
    if may_stand and reading.rows is None:
        if stands:
            return given
        reading = _read(question, token)
        if reading.session_version != asker.version:
            return None
    if not (tenant.is_current and reading.is_organization_member):
        return None
    listing = compose(reading, asker, address=question.address)
    if not (given and stands and given.etag == listing.etag):
        recent.remember(
            listing,
            asker,
            session_id=token.session_id,
            address=question.address,
            organization_id=question.organization_id,
            as_of=reading.as_of,
        )
    return listing


def _read(question: Question, token: SessionToken, *, unless_news: bool = False) -> Reading:
    return read_listing(
        question.tenant.deployment,
        session_id=token.session_id,
        organization_id=question.organization_id,
        unless_news=unless_news,
    )


def _asker(question: Question, token: SessionToken, reading: Reading, given: Given | None) -> Asker | None:
    """Who asks, known from what was ``given`` before or from what was read; None if the token is due for renewal.

    Raises ``ApiError`` (401) if nobody is signed in.
    """
    deployment = question.tenant.deployment
    if not question.tenant.is_current:
        return None
    if given and given.asker.version == reading.session_version and given.asker.expires_at > timezone.now():
        asker = given.asker
    else:
        session = sessions.session_of(reading.session_columns, deployment)
        asker = asker_of(sessions.signed_in(Caller(deployment, session, token_serial=token.serial)), reading)
    return asker if keeps(token, asker.kept_serial, is_renewable=question.sent.is_renewable) else None

"""Deployments with their keys, as each process caches them, and the tokens that it has verified with them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from accounts.deployments.hosts import host_of
from accounts.models import Deployment, SigningKey
from accounts.tokens.keys import is_usable, newest
from accounts.tokens.session_tokens import LEEWAY, SessionToken, verify_session_token
from api.errors import ApiError, Problem
from api.requests import django_request
from database import cache
from database.cache import CHANGES, Cache, Changes
from database.prepared import Statement, columns_of, field_names, read

MAX_DEPLOYMENTS = 1000
MAX_TOKENS = 5_000

_DEPLOYMENT_FIELDS = field_names(Deployment)
_KEY_FIELDS = field_names(
    SigningKey,
    "id",
    "deployment_id",
    "kid",
    "algorithm",
    "public_key",
    "private_key",
    "issuer",
    "created_at",
    "retired_at",
    "tokens_until",
)
_BY_HOST = Statement(f"""
    SELECT
        {columns_of("log", Changes._fields)},
        {columns_of("deployment", _DEPLOYMENT_FIELDS)},
        {columns_of("signing_key", _KEY_FIELDS)}
    FROM ({CHANGES} OFFSET 0) log
    LEFT JOIN (
        accounts_deployment deployment
        LEFT JOIN accounts_signingkey signing_key ON signing_key.deployment_id = deployment.id
            AND signing_key.issuer = '' AND signing_key.revoked_at IS NULL
    ) ON deployment.id = coalesce(
        (SELECT named.id FROM accounts_deployment named WHERE named.host = %(host)s),
        (SELECT alias.deployment_id FROM accounts_deploymentalias alias WHERE alias.host = %(host)s)
    )
""")


@dataclass(eq=False, slots=True)
class CachedDeployment:
    """A deployment and its own keys that are not revoked, by kid."""

    deployment: Deployment
    keys: dict[str, SigningKey]
    is_current: bool = True

    @property
    def deployment_id(self) -> int:
        return self.deployment.pk


_deployments: Cache[CachedDeployment] = Cache("deployment", bound=MAX_DEPLOYMENTS)
_by_host: dict[str, CachedDeployment] = {}


def deployment_of(request: Request | HttpRequest) -> Deployment:
    """The deployment that the Host header names, read once a request; raises ``ApiError`` (404) if there is none."""
    http = django_request(request)
    if not hasattr(http, "deployment"):
        load_deployment(http)
    deployment: Deployment = http.deployment
    return deployment


def cached_deployment(request: Request) -> CachedDeployment | None:
    """The deployment that the Host header names, if it is cached.

    It may be outdated until a later statement has applied the log and ``is_current`` still holds.
    """
    cached = _by_host.get(host_of(request))
    if cached is None or not cached.is_current:
        return None
    django_request(request).deployment = cached.deployment
    return cached


def without_database(request: HttpRequest) -> None:
    """Let ``last_known_deployment`` of ``request`` not ask the database, which would be waited for in vain."""
    http: Any = request
    http.is_without_database = True


def last_known_deployment(request: HttpRequest) -> Deployment | None:
    """The deployment of ``deployment_of``, or while the database is away the one last found there; None for none."""
    try:
        if not hasattr(request, "is_without_database"):
            with suppress(DatabaseError):
                return deployment_of(request)
        cached = _by_host.get(host_of(request))
        return cached.deployment if cached else None
    except ApiError:
        return None


def load_deployment(request: Request | HttpRequest) -> CachedDeployment:
    """The deployment that the Host header names, from the database; raises ``ApiError`` (404) if there is none."""
    host = host_of(request)
    log = cache.begin()
    try:
        result = read(_BY_HOST, {**log.values, "host": host.encode()})
    except DatabaseError:
        without_database(django_request(request))
        raise
    as_of = cache.apply(log, Changes.of(result))
    rows = [row[len(Changes._fields) :] for row in result.rows()]
    if rows[0][0] is None:
        raise ApiError(Problem.UNKNOWN_DEPLOYMENT)
    key = b"%d" % rows[0][0]
    cached = _deployments.get(key)  # under another of its hosts
    if cached is None or not cache.holds(as_of):  # in this order: it is unchanged as of the statement then
        cached = _cached_deployment(rows)
        _deployments.put(key, cached, as_of=as_of)
    if cached.is_current:
        if len(_by_host) >= 2 * MAX_DEPLOYMENTS:
            _by_host.clear()
        _by_host[host] = cached
    django_request(request).deployment = cached.deployment
    return cached


def _cached_deployment(rows: list[tuple[Any, ...]]) -> CachedDeployment:
    """The deployment in ``rows``: one row for each key, or one without a key."""
    own = len(_DEPLOYMENT_FIELDS)
    deployment = Deployment.from_db("default", _DEPLOYMENT_FIELDS, rows[0][:own])
    keys = [SigningKey.from_db("default", _KEY_FIELDS, row[own:]) for row in rows if row[own] is not None]
    deployment.cached_signing_key = newest(keys)
    return CachedDeployment(deployment, {key.kid: key for key in keys})


def session_token(raw: str, cached: CachedDeployment) -> SessionToken:
    """The verified content of ``token``; each signature is verified once. Raises ``ApiError`` (401) for a bad token."""
    token, key = _verified(raw, cached)
    if not is_usable(key):
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    if token.expires_at <= timezone.now() - timedelta(seconds=LEEWAY):
        raise ApiError(Problem.SESSION_EXPIRED)
    return token


def first_verified(
    tokens: Iterable[str], cached: CachedDeployment, *, admits_visitors: bool = False
) -> SessionToken | None:
    """The first of ``tokens`` that is good as a ``session_token`` and names a session, None if none is.

    If it ``admits_visitors``, the first good one of a visitor counts where no other is.
    """
    visitors = None
    for raw in tokens:
        with suppress(ApiError):
            token = session_token(raw, cached)
            if not token.is_anonymous:
                return token
            visitors = visitors or token
    return visitors if admits_visitors else None


@lru_cache(maxsize=MAX_TOKENS)
def _verified(raw: str, cached: CachedDeployment) -> tuple[SessionToken, SigningKey]:
    used: list[SigningKey] = []

    def find_key(kid: str) -> SigningKey | None:
        key = cached.keys.get(kid)
        used[:] = [] if key is None else [key]
        return key

    token = verify_session_token(raw, cached.deployment, find_key=find_key)
    return token, used[0]

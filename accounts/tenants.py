"""Deployments with their keys, as a process remembers them (``config.database.memory``), for what is polled."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from rest_framework.request import Request

from accounts.deployments import find_deployment, host_of
from accounts.keys import is_usable, usable
from accounts.models import Deployment, SigningKey
from accounts.tokens import LEEWAY, SessionToken, verify_session_token
from config.api.errors import ApiError, Problem
from config.database import memory
from config.database.memory import Memory

MAX_TENANTS = 1000
MAX_TOKENS = 5_000


@dataclass(eq=False, slots=True)
class Tenant:
    """A deployment and its usable keys, by kid."""

    deployment: Deployment
    keys: dict[str, SigningKey]
    is_current: bool = True


_tenants: Memory[Tenant] = Memory("deployment", bound=MAX_TENANTS)
_by_host: dict[str, Tenant] = {}


def tenant_of(request: Request) -> Tenant:
    """The tenant whom the Host header names, as remembered, else from the database.

    Raises ``ApiError`` (404) if there is none.
    """
    return remembered_tenant(request) or load_tenant(request)


def remembered_tenant(request: Request) -> Tenant | None:
    """As ``tenant_of``, but None if it is not remembered."""
    http: Any = request._request
    if not hasattr(http, "tenant"):
        remembered = _by_host.get(host_of(request))
        if remembered is None or not remembered.is_current:
            return None
        http.tenant, http.deployment = remembered, remembered.deployment
    tenant: Tenant = http.tenant
    return tenant


def last_known(host: str) -> Deployment | None:
    """The deployment that was last found at ``host``, current or not, for when the database cannot say."""
    tenant = _by_host.get(host)
    return tenant.deployment if tenant else None


def is_loaded(request: Request) -> bool:
    """Whether the tenant of ``tenant_of`` was loaded for this very request, so that there is no later word on it."""
    return hasattr(request._request, "tenant_is_loaded")


def load_tenant(request: Request) -> Tenant:
    """The tenant whom the Host header names, from the database; raises ``ApiError`` (404) if there is none."""
    host = host_of(request)
    connection.ensure_connection()  # a new connection clears the memory
    as_of = memory.as_of_now()
    keys = list(
        SigningKey.objects.filter(
            usable(), Q(deployment__host=host) | Q(deployment__in=Deployment.objects.filter(aliases__host=host))
        ).select_related("deployment")
    )
    deployment = keys[0].deployment if keys else find_deployment(host)
    if deployment is None:
        raise ApiError(Problem.UNKNOWN_DEPLOYMENT)
    tenant = Tenant(deployment, {key.kid: key for key in keys})
    key = str(deployment.pk).encode()
    remembered = _tenants.get(key)  # under another of its hosts
    if remembered is None:
        remembered = tenant
        _tenants.remember(key, tenant, as_of=as_of)
    if remembered.is_current:
        if len(_by_host) >= 2 * MAX_TENANTS:
            _by_host.clear()
        _by_host[host] = remembered
    http: Any = request._request
    http.tenant, http.deployment, http.tenant_is_loaded = tenant, deployment, True
    return tenant


def session_token(raw: str, tenant: Tenant) -> SessionToken:
    """What the token says, if it is good; a signature is verified once. Raises ``ApiError`` (401)."""
    token, key = _verified(raw, tenant)
    if not is_usable(key):
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    if token.expires_at <= timezone.now() - timedelta(seconds=LEEWAY):
        raise ApiError(Problem.SESSION_EXPIRED)
    return token


def first_verified(tokens: Iterable[str], tenant: Tenant) -> SessionToken | None:
    """The first of ``tokens`` that is good as a ``session_token`` and names a session, None if none is."""
    for raw in tokens:
        with suppress(ApiError):
            token = session_token(raw, tenant)
            if not token.is_anonymous:
                return token
    return None


@lru_cache(maxsize=MAX_TOKENS)
def _verified(raw: str, tenant: Tenant) -> tuple[SessionToken, SigningKey]:
    used: list[SigningKey] = []

    def find_key(kid: str) -> SigningKey | None:
        key = tenant.keys.get(kid)
        used[:] = [] if key is None else [key]
        return key

    token = verify_session_token(raw, tenant.deployment, find_key=find_key)
    return token, used[0]

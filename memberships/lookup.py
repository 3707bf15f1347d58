"""Who asks, and what they are members of, in one statement."""

from __future__ import annotations

from functools import partial

from rest_framework.request import Request

from accounts import sessions, tenants
from accounts.authentication import caller_in, first_good, sent_tokens
from accounts.sessions import Caller, SignedIn
from accounts.tenants import Tenant
from config.api.errors import ApiError, Problem
from config.api.requests import id_parameter
from memberships.listing import Reading, read_listing


class _OutdatedError(Exception):
    """The remembered tenant has to be loaded to be sure."""


class Lookup:
    """Finds who is signed in, and reads their memberships on the way: ``reading``."""

    def __init__(self) -> None:
        self._readings: dict[int, Reading] = {}

    def find(self, request: Request) -> SignedIn:
        """Who is signed in; raises ``ApiError`` as other endpoints do."""
        tenant = tenants.tenant_of(request)
        try:
            caller = self._find(request, tenant)
        except _OutdatedError:
            caller = self._find(request, tenants.load_tenant(request))
        signed_in = sessions.signed_in(caller)
        self.reading = self._readings[caller.session.pk]
        return signed_in

    def _find(self, request: Request, tenant: Tenant) -> Caller:
        """Whose token the request carries; raises ``ApiError`` (401).

        Raises ``_OutdatedError`` instead if what is remembered of ``tenant`` has changed, or may have.
        """
        is_sure = tenants.is_loaded(request)
        verify = partial(tenants.session_token, tenant=tenant)

        def find(raw: str) -> Caller:
            token = verify(raw)
            if token.is_anonymous:
                return sessions.visitor(tenant.deployment, token)
            reading = read_listing(
                tenant.deployment,
                session_id=token.session_id,
                organization_id=_organization_id_of(request),
                with_pieces=is_sure,
            )
            if not (is_sure or tenant.is_current):
                raise _OutdatedError
            self._readings[token.session_id] = reading
            return caller_in(sessions.session_of(reading.session_columns, tenant.deployment), token, sent)

        try:
            sent = sent_tokens(request, tenant.deployment, verify)
            caller = first_good(request, sent, find)
        except ApiError as error:
            raise error if is_sure else _OutdatedError from error
        if caller.is_visitor and not is_sure:
            raise _OutdatedError
        return caller


def _organization_id_of(request: Request) -> int | None:
    """The organization that is asked for; 0, which none has, for a malformed id: that is told who is signed in."""
    try:
        return id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
    except ApiError:
        return 0

"""Who asks, and what they are members of, in one statement."""

from __future__ import annotations

from rest_framework.request import Request

from accounts import sessions, tenants
from accounts.authentication import caller_in, require_token
from accounts.models import Session
from accounts.sessions import SignedIn
from accounts.tenants import Tenant
from accounts.tokens import SessionToken
from config.api.errors import ApiError, Problem
from config.api.requests import id_parameter
from memberships.listing import Reading, read_listing


class _OutdatedError(Exception):
    """The remembered tenant has to be loaded to be sure."""


class Lookup:
    """Finds who is signed in, and reads their memberships on the way: ``reading``."""

    reading: Reading

    def find(self, request: Request) -> SignedIn:
        """Who is signed in; raises ``ApiError`` as other endpoints do."""
        tenant = tenants.tenant_of(request)
        try:
            session, token = self._find(request, tenant)
        except _OutdatedError:
            session, token = self._find(request, tenants.load_tenant(request))
        return sessions.signed_in(caller_in(request, session, token))

    def _find(self, request: Request, tenant: Tenant) -> tuple[Session, SessionToken]:
        """The session and the token that names it; raises ``ApiError`` (401).

        Raises ``_OutdatedError`` instead if what is remembered of ``tenant`` has changed, or may have.
        """
        is_loaded = tenants.is_loaded(request)
        try:
            token = tenants.session_token(require_token(request, tenant.deployment), tenant)
            if token.is_anonymous:
                raise ApiError(Problem.NO_ACTIVE_SIGN_IN)
        except ApiError as error:
            raise error if is_loaded else _OutdatedError from error
        self.reading = read_listing(
            tenant.deployment,
            session_id=token.session_id,
            organization_id=_organization_id_of(request),
            with_pieces=is_loaded,
        )
        if not (is_loaded or tenant.is_current):
            raise _OutdatedError
        return sessions.session_of(self.reading.session_columns, tenant.deployment), token


def _organization_id_of(request: Request) -> int | None:
    """The organization that is asked for; 0, which none has, for a malformed id: that is told who is signed in."""
    try:
        return id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
    except ApiError:
        return 0

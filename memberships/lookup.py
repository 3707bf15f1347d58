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
from config.client_address import client_address_of
from memberships import unchanged
from memberships.listing import Reading, read_listing
from memberships.unchanged import Given


class _OutdatedError(Exception):
    """The remembered tenant has to be loaded to be sure."""


class Lookup:
    """Finds who is signed in, and reads their memberships on the way: ``reading``.

    If ``given`` is set, the answer that the client has still stands, and the memberships have not been read.
    """

    reading: Reading
    given: Given | None = None

    def find(self, request: Request) -> SignedIn:
        """Who is signed in; raises ``ApiError`` as other endpoints do."""
        tenant = tenants.tenant_of(request)
        try:
            session, token = self._find(request, tenant)
        except _OutdatedError:
            session, token = self._find(request, tenants.load_tenant(request))
        caller = sessions.signed_in(caller_in(request, session, token))
        if self.reading.is_unchanged and not (self.given and self.given.stands_for(caller)):
            self.given = None
            self.reading = read_listing(
                caller.deployment, session_id=session.pk, organization_id=organization_id_of(request)
            )
        return caller

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
        self.reading = self._read(request, tenant, token)
        if not (is_loaded or tenant.is_current):
            raise _OutdatedError
        return sessions.session_of(self.reading.session_columns, tenant.deployment), token

    def _read(self, request: Request, tenant: Tenant, token: SessionToken) -> Reading:
        organization_id = organization_id_of(request)
        self.given = None
        given = unchanged.given_before(token.session_id, organization_id)
        headers = request._request.META
        if (
            given is not None
            and "HTTP_IF_MATCH" not in headers  # which goes before (RFC 9110, 13.2.2)
            and given.may_stand(etag=headers.get("HTTP_IF_NONE_MATCH", ""), address=client_address_of(request))
        ):
            self.given = given
        reading = read_listing(
            tenant.deployment,
            session_id=token.session_id,
            organization_id=organization_id,
            with_pieces=tenants.is_loaded(request),
            unless_news=self.given is not None,
        )
        if not reading.is_unchanged:
            self.given = None
        return reading


def organization_id_of(request: Request) -> int | None:
    """The organization that is asked for; 0, which none has, for a malformed id: that is told who is signed in."""
    try:
        return id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
    except ApiError:
        return 0

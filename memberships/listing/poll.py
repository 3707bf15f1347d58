"""One poll: from a parsed request to the list, or to the ETag that still stands. The view and the fast path call it.

The view (``memberships.views``) finds the caller as all endpoints do and answers every request. The fast path
(``accounts.polled``) answers the most frequent one, and knows viewers from the answers that were sent.
"""

from __future__ import annotations

from typing import NamedTuple

from django.utils import timezone
from rest_framework.request import Request

from accounts import sessions
from accounts.cached_deployments import CachedDeployment, first_verified
from accounts.polled import Endpoint, Found
from accounts.sent_tokens import Sent as SentTokens
from accounts.session_rows import session_of
from accounts.sessions import Caller, SignedIn, keeps
from accounts.tokens import SessionToken
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.networks import Address
from api.requests import id_parameter
from database.prepared import Reading
from memberships.listing import etags
from memberships.listing.composing import Listing, Viewer, compose, viewer_of
from memberships.listing.etags import Sent
from memberships.listing.statement import ListingRow, read_listing


class Poll(NamedTuple):
    """The parameters of a poll, the client's address, and the ETag of the answer that the client has."""

    organization_id: int | None
    address: Address | None
    etag: str = ""


def answer(poll: Poll, caller: SignedIn, row: ListingRow) -> Listing:
    """The list for ``caller``, whose session was read; raises ``ApiError`` (404) for an organization of others."""
    return _list(poll, viewer_of(caller, row), row, session_id=caller.session.pk)


def _list(poll: Poll, viewer: Viewer, row: ListingRow, *, session_id: int, sent: Sent | None = None) -> Listing:
    """The list as read, whose ETag is cached from now on, unless it is that of ``sent``."""
    if not row.is_organization_member:  # the same whether or not the organization exists
        raise ApiError(Problem.NOT_A_MEMBER)
    listing = compose(row, viewer, address=poll.address)
    if sent is None or sent.etag != listing.etag:
        etags.put(
            listing,
            viewer,
            session_id=session_id,
            address=poll.address,
            organization_id=poll.organization_id,
            as_of=row.as_of,
        )
    return listing


def _parse(request: Request, etag: str) -> Poll:
    return Poll(id_parameter(request, "org_id"), client_address_of(request._request), etag)


def _answer(poll: Poll, cached: CachedDeployment, tokens: SentTokens) -> Reading[Found | None]:
    """The list, or the ETag that the client has if it still stands; None where the view has more to do.

    The view has more to do if the deployment has changed or a token is due for renewal. Raises ``ApiError`` as it does.
    """
    token = first_verified(tokens.tokens, cached)
    if token is None:
        return None
    sent = etags.last_sent(token.session_id, poll.organization_id)
    if sent and not (sent.viewer.deployment is cached.deployment and sent.address == poll.address and sent.is_intact()):
        sent = None
    may_stand = sent is not None and sent.etag == poll.etag
    row = yield from _read(poll, cached, token, wants_rows=not may_stand)
    viewer = _viewer(cached, token, tokens, row, sent)
    if viewer is None:
        return None
    # No other request has applied a change since this one looked?
    stands = sent is not None and sent.viewer is viewer and sent.is_intact()
    if may_stand and row.rows is None:
        if stands:
            return Found(poll.etag)
        row = yield from _read(poll, cached, token)
        if row.session_version != viewer.version or not cached.is_current:
            return None
    listing = _list(poll, viewer, row, session_id=token.session_id, sent=sent if stands else None)
    return Found(listing.etag, None if listing.etag == poll.etag else listing.body)


ENDPOINT = Endpoint("me/workspace-memberships", _parse, _answer)


def _read(poll: Poll, cached: CachedDeployment, token: SessionToken, *, wants_rows: bool = True) -> Reading[ListingRow]:
    return read_listing(
        cached.deployment, token.session_id, organization_id=poll.organization_id, wants_rows=wants_rows
    )


def _viewer(
    cached: CachedDeployment, token: SessionToken, tokens: SentTokens, row: ListingRow, sent: Sent | None
) -> Viewer | None:
    """The viewer, known from what was ``sent`` before or from what was read; None where the view has more to do.

    Raises ``ApiError`` (401) if nobody is signed in.
    """
    if not cached.is_current:
        return None
    if sent and sent.viewer.version == row.session_version and sent.viewer.expires_at > timezone.now():
        viewer = sent.viewer
    else:
        session = session_of(row.session_columns, cached.deployment)
        caller = Caller(cached.deployment, session, token_serial=token.serial)
        viewer = viewer_of(sessions.signed_in(caller), row)
    return viewer if keeps(token, viewer.kept_serial, is_renewable=tokens.is_renewable) else None

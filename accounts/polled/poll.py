"""The core of every polled endpoint: from a parsed request to its answer, or to the ETag that still stands.

An endpoint declares what is its own, a ``Source``: how it is read together with the session, and how its answer is
composed. The fast path (``accounts.polled.fast_path``) answers the most frequent requests by ``answer``, and finds
viewers by the answers that were sent. The view (``accounts.polled.viewsets.PolledViewSet``) finds the caller as all
endpoints do, answers every request, and composes by ``compose``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import orjson
from django.db import transaction
from django.utils import timezone
from rest_framework.request import Request

from accounts import counting
from accounts.authentication import sessions
from accounts.authentication.sent_tokens import Sent as SentTokens
from accounts.authentication.session_rows import SessionRow, SessionStatement, read_with_session, session_of
from accounts.authentication.sessions import Caller, keeps
from accounts.deployments.cached_deployments import CachedDeployment, first_verified
from accounts.models import Deployment
from accounts.polled import sent_answers
from accounts.polled.fast_path import Endpoint, Found
from accounts.polled.sent_answers import Part, SentAnswer
from accounts.polled.viewers import Viewer, viewer_of
from accounts.tokens.session_tokens import SessionToken
from api.answers import envelope, etag_of
from api.client_address import client_address_of
from api.errors import ApiError
from api.networks import Address
from database.prepared import Reading


class Poll(NamedTuple):
    """A request, parsed: the client's address, the ETag of the answer that it has, and the id in its query, if any."""

    address: Address | None
    etag: str = ""
    about: int | None = None


def plain_poll(request: Request, etag: str) -> Poll:
    """The poll of an endpoint without parameters."""
    return Poll(client_address_of(request._request), etag)


class PolledRow(Protocol):
    """The data that an endpoint has read together with the session."""

    @property
    def session_columns(self) -> tuple[Any, ...] | None: ...

    @property
    def version(self) -> bytes:
        """Stands for all of the row that the answer depends on, but for changes in the invalidation log."""

    @property
    def as_of(self) -> int: ...

    @property
    def is_whole(self) -> bool:
        """Whether all was read that the answer is composed of, not only what says whether the last one still stands."""


class Composed(NamedTuple):
    """An answer that is ready to be written, and the cached parts that it is made of."""

    etag: str
    """The same answer has the same, in every process."""
    text: list[bytes]
    parts: list[Part]
    counts: Collection[str] = ()
    """The kinds of ``DailyCount`` that the viewer is among by this answer."""

    def body(self) -> bytes:
        """The whole success envelope."""
        return b"".join(self.text)


def composed(viewer: Viewer, message: str, data: Any, parts: Iterable[Part] = ()) -> Composed:
    """The answer with ``data``."""
    body = envelope(message=message, data=data, session=orjson.Fragment(viewer.session))
    return Composed(etag_of(body), [body], list(parts))


R = TypeVar("R", bound=PolledRow)
R_co = TypeVar("R_co", bound=PolledRow, covariant=True)


class Read(Protocol[R_co]):
    """Reads a session, 0 for a visitor's, and the rows for the answer to a poll.

    ``is_loaded`` says that little of that is likely cached. Unless it ``wants_all``, the row need not be whole.
    """

    def __call__(
        self, deployment: Deployment, session_id: int, poll: Poll, *, is_loaded: bool, wants_all: bool
    ) -> Reading[R_co]: ...


def read_row(
    whole: SessionStatement,
    standing: SessionStatement,
    deployment: Deployment,
    session_id: int,
    poll: Poll,
    *,
    is_loaded: bool,
    wants_all: bool,
) -> Reading[SessionRow]:
    """As ``Read``: one statement reads the ``whole`` row, or what says that the last answer is still ``standing``."""
    return read_with_session(whole if wants_all else standing, deployment, session_id)


class Source(NamedTuple, Generic[R]):
    """The part of a poll that is the endpoint's own."""

    route: str
    read: Read[R]
    compose: Callable[[Viewer, R, Poll], Composed]
    """Raises ``ApiError`` where there is no answer."""
    parse: Callable[[Request, str], Poll] = plain_poll
    admits_visitors: bool = False
    is_lasting: bool = True
    """Whether the answer is the same until something changes of which it is made."""

    @property
    def endpoint(self) -> Endpoint[Poll]:
        """The endpoint of the fast path."""
        return Endpoint(self.route, self.parse, partial(answer, self))

    def key(self, poll: Poll, session_id: int) -> bytes:
        """Of the answer that was last sent."""
        return f"{self.route} {session_id} {poll.about}".encode()


def answer(source: Source[R], poll: Poll, cached: CachedDeployment, tokens: SentTokens) -> Reading[Found | None]:
    """The answer, or the ETag that the client has if it still stands; None where the view has more to do.

    The view has more to do if the deployment has changed, a token is due for renewal, or another token may be better.
    Raises ``ApiError`` as it does.
    """
    token = first_verified(tokens.tokens, cached, admits_visitors=source.admits_visitors)
    if token is None:
        return None
    session_id = 0 if token.is_anonymous else token.session_id
    keeps_sent = session_id != 0 and source.is_lasting
    sent = sent_answers.last_sent(source.key(poll, session_id)) if keeps_sent else None
    if sent and not (sent.viewer.deployment is cached.deployment and sent.address == poll.address and sent.is_intact()):
        sent = None
    may_stand = sent is not None and sent.etag == poll.etag
    row = yield from source.read(cached.deployment, session_id, poll, is_loaded=False, wants_all=not may_stand)
    if not cached.is_current:
        return None
    viewer = _viewer(source, cached, token, row, sent)
    is_settled = viewer.user_id != 0 or len(tokens.tokens) == 1
    if not is_settled or not keeps(token, viewer.kept_serial, is_renewable=tokens.is_renewable):
        return None
    # No other request has applied a change since this one looked?
    if sent is not None and not (sent.viewer is viewer and sent.is_intact()):
        sent = None
    if sent is not None and may_stand:
        return Found(poll.etag)
    if not row.is_whole:
        row = yield from source.read(cached.deployment, session_id, poll, is_loaded=False, wants_all=True)
        if row.version != viewer.version or not cached.is_current:
            return None
    found = source.compose(viewer, row, poll)
    _count(viewer, found)
    if keeps_sent and (sent is None or sent.etag != found.etag):
        _put(source, poll, viewer, found, row)
    return Found(found.etag, None if found.etag == poll.etag else found.body)


def _viewer(
    source: Source[R], cached: CachedDeployment, token: SessionToken, row: R, sent: SentAnswer | None
) -> Viewer:
    """The viewer, known from what was ``sent`` before or from what was read; raises ``ApiError`` (401) for nobody."""
    if token.is_anonymous:
        return viewer_of(sessions.visitor(cached.deployment, token))
    version = row.version
    if sent and sent.viewer.version == version and sent.viewer.expires_at > timezone.now():
        return sent.viewer
    session = session_of(row.session_columns, cached.deployment)
    return viewer_of(_signed_in(source, Caller(cached.deployment, session)), version)


def _signed_in(source: Source[R], caller: Caller) -> Caller:
    try:
        return sessions.signed_in(caller)
    except ApiError:
        if not source.admits_visitors:
            raise
        return caller


def compose(source: Source[R], poll: Poll, caller: Caller, row: R) -> Composed:
    """The answer for ``caller``, whose session was read."""
    viewer = viewer_of(_signed_in(source, caller), row.version)
    found = source.compose(viewer, row, poll)
    transaction.on_commit(partial(_count, viewer, found))  # staff who look for a reason roll back
    if source.is_lasting and not caller.is_visitor:
        _put(source, poll, viewer, found, row)
    return found


def _count(viewer: Viewer, found: Composed) -> None:
    for kind in found.counts:
        counting.count_user(kind, viewer.user_id)


def _put(source: Source[R], poll: Poll, viewer: Viewer, found: Composed, row: R) -> None:
    sent_answers.put(
        source.key(poll, viewer.session_id),
        etag=found.etag,
        viewer=viewer,
        address=poll.address,
        parts=found.parts,
        as_of=row.as_of,
    )

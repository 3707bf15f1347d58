"""The caller of a request: one statement finds the session, its sign-in and user, and confirms the cached deployment.

The statement is that of ``session_rows``, or an endpoint's own, which reads more in the same round trip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from rest_framework.request import Request

from accounts.authentication import sessions
from accounts.authentication.sent_tokens import first_good, sent_tokens
from accounts.authentication.session_rows import read_session, session_of
from accounts.authentication.sessions import Caller
from accounts.deployments import cached_deployments
from accounts.deployments.cached_deployments import CachedDeployment, cached_deployment, session_token
from accounts.models import Deployment
from api.errors import ApiError
from database.prepared import one_snapshot

MAX_LOADS = 3
"""How often a deployment that keeps changing is loaded before everything is read from one snapshot."""


class CallerRow(Protocol):
    """The row of a statement that has applied the invalidation log."""

    @property
    def session_columns(self) -> tuple[Any, ...] | None:
        """The columns for ``session_of``; None if the deployment has no such session."""


R = TypeVar("R", bound=CallerRow)
R_co = TypeVar("R_co", bound=CallerRow, covariant=True)


class Read(Protocol[R_co]):
    """Reads a session and an endpoint's own data; ``is_loaded`` says that little of that is likely cached."""

    def __call__(self, deployment: Deployment, session_id: int, *, is_loaded: bool) -> R_co: ...


class Found(NamedTuple, Generic[R]):
    """The caller and the row read with their session, which is None for a visitor."""

    caller: Caller
    row: R | None


class _OutdatedError(Exception):
    """The deployment has changed since it was read, or may have changed."""


def find_caller_with(request: Request, read: Read[R]) -> Found[R]:
    """The caller whose token the request carries, with a new token if that is due; ``read`` finds the session.

    Raises ``ApiError`` (401, 404).
    """
    cached = cached_deployment(request)
    if cached is not None:
        with suppress(_OutdatedError):
            return _find(request, cached, read, is_loaded=False)
    for _ in range(MAX_LOADS):
        with suppress(_OutdatedError):
            return _find(request, cached_deployments.load_deployment(request), read, is_loaded=True)
    with one_snapshot():
        cached = cached_deployments.load_deployment(request)
        rows = {id_: read(cached.deployment, id_, is_loaded=True) for id_ in _session_ids(request, cached)}

    def read_already(deployment: Deployment, session_id: int, *, is_loaded: bool) -> R:
        return rows[session_id]

    return _find(request, cached, read_already, is_loaded=True, is_settled=True)


def _find(
    request: Request, cached: CachedDeployment, read: Read[R], *, is_loaded: bool, is_settled: bool = False
) -> Found[R]:
    """As ``find_caller_with``, in ``cached``, which was just loaded if it ``is_loaded``.

    Raises ``_OutdatedError`` if ``cached`` may be outdated, unless everything ``is_settled``. At most a renewal has
    come before that, and the same token brings the same new one again.
    """
    rows: dict[int, R] = {}

    def find(raw: str) -> Caller:
        token = session_token(raw, cached)
        if token.is_anonymous:
            return sessions.visitor(cached.deployment, token)
        row = read(cached.deployment, token.session_id, is_loaded=is_loaded)
        if not (cached.is_current or is_settled):
            raise _OutdatedError
        rows[token.session_id] = row
        session = session_of(row.session_columns, cached.deployment)
        renewed = sessions.renew(session, token, is_renewable=sent.is_renewable)
        return Caller(cached.deployment, session, token_serial=token.serial, new_token=renewed)

    try:
        sent = sent_tokens(request, cached.deployment, partial(session_token, cached=cached))
        caller = first_good(request, sent, find)
    except ApiError as error:
        if is_loaded or rows:
            raise
        raise _OutdatedError from error
    if not (is_loaded or rows):
        raise _OutdatedError
    row = rows.get(caller.session.pk)
    if caller.new_token is not None and not is_settled and read is not read_session:
        # The renewal has changed the session, and others may have changed more since: all is read again.
        row = read(cached.deployment, caller.session.pk, is_loaded=False)
        if not cached.is_current:
            raise _OutdatedError
        caller = replace(caller, session=session_of(row.session_columns, cached.deployment))
    return Found(caller, row)


def _session_ids(request: Request, cached: CachedDeployment) -> Iterator[int]:
    """The rows of the sessions that ``tokens`` name."""
    verify = partial(session_token, cached=cached)
    for raw in sent_tokens(request, cached.deployment, verify).tokens:
        with suppress(ApiError):
            yield verify(raw).session_id

"""The signed-in user: GET /me, and the answer to changes of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson

from accounts.answers import rendering as accounts_rendering
from accounts.answers import rows
from accounts.answers.rows import UserRow
from accounts.authentication.session_rows import SessionRow, read_with_session, session_of, with_session
from accounts.authentication.sessions import Caller
from accounts.models import Deployment
from accounts.polled.poll import Composed, Poll, Source, composed, read_row
from accounts.polled.viewers import Viewer
from api.errors import ApiError, Problem
from database.prepared import run
from memberships.listing.fragments import owner_of
from memberships.rows import segments

MESSAGE = "You."


def user_row(user: str) -> str:
    """The SQL of a ``UserRow``."""
    return rows.user(user, segments=segments("organizations_usersegment", "user_id", f"{user}.id"))


_STATEMENT = with_session("NULL::text", user_row("member"))
_STANDING = with_session("NULL::text", is_whole=False)


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    owner = owner_of(viewer.user_id, viewer.deployment.pk, as_of=row.as_of)
    return composed(viewer, MESSAGE, _data(row, viewer.deployment), [owner])


def current_user(caller: Caller) -> dict[str, Any]:
    """A ``CurrentUser`` as it is now, after what the caller has changed in it.

    Raises ``ApiError`` (401) if somebody deleted the session, the sign-in or the user meanwhile.
    """
    row = run(read_with_session(_STATEMENT, caller.deployment, caller.session.pk))
    if session_of(row.session_columns, caller.deployment).active_sign_in is None:
        raise ApiError(Problem.NO_ACTIVE_SIGN_IN)
    return _data(row, caller.deployment)


def _data(row: SessionRow, deployment: Deployment) -> dict[str, Any]:
    return accounts_rendering.current_user(UserRow(*orjson.loads(row.shown or b"")), deployment)


SOURCE = Source("me", partial(read_row, _STATEMENT, _STANDING), _compose)

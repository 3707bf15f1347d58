"""GET /me: the signed-in user."""

from __future__ import annotations

from functools import partial

import orjson

from accounts import rendering as accounts_rendering
from accounts import rows
from accounts.poll import Composed, Poll, Source, composed, read_row
from accounts.rows import UserRow
from accounts.session_rows import SessionRow, with_session
from accounts.viewers import Viewer
from api.answers import envelope
from memberships.rows import segments


def user_row(user: str) -> str:
    """The SQL of a ``UserRow``."""
    return rows.user(user, segments=segments("organizations_usersegment", "user_id", f"{user}.id"))


_STATEMENT = with_session(user_row("member"))


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    data = accounts_rendering.current_user(UserRow(*orjson.loads(row.data or b"")))
    return composed(envelope(message="You.", data=data, session=orjson.Fragment(viewer.session)))


SOURCE = Source("me", partial(read_row, _STATEMENT), _compose)

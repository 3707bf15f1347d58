"""GET /deployment: what a front-end must know before it draws anything."""

from __future__ import annotations

from functools import partial

from accounts.answers import rendering
from accounts.authentication.session_rows import SessionRow, with_session
from accounts.polled.poll import Composed, Poll, Source, composed, read_row
from accounts.polled.viewers import Viewer

_NOTHING = with_session("NULL::text")


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    return composed(viewer, "This deployment.", rendering.deployment(viewer.deployment))


SOURCE = Source("deployment", partial(read_row, _NOTHING, _NOTHING), _compose, admits_visitors=True)

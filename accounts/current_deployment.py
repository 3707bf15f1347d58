"""GET /deployment: what a front-end must know before it draws anything."""

from __future__ import annotations

from functools import partial

import orjson

from accounts import rendering
from accounts.poll import Composed, Poll, Source, composed, read_row
from accounts.session_rows import SessionRow, with_session
from accounts.viewers import Viewer
from api.answers import envelope


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    data = rendering.deployment(viewer.deployment)
    return composed(envelope(message="This deployment.", data=data, session=orjson.Fragment(viewer.session)))


SOURCE = Source("deployment", partial(read_row, with_session("NULL::text")), _compose, admits_visitors=True)

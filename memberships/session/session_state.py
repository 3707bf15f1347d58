"""GET /session: who is signed in to the session, where each of them acts, and the attempts under way."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson

from accounts.answers import rendering as accounts_rendering
from accounts.answers import rows
from accounts.answers.rows import SignInAttemptRow, SignInRow, SignUpAttemptRow, UserRow
from accounts.authentication import sessions
from accounts.authentication.session_rows import SessionRow, read_with_session, with_session
from accounts.authentication.sessions import Caller
from accounts.models import Deployment
from accounts.polled.poll import Composed, Poll, Source, composed, read_row
from accounts.polled.viewers import Viewer
from accounts.sign_in import signing_in, signing_up
from database.prepared import run
from memberships.session.current_user import user_row

MESSAGE = "Your session."

_STATEMENT = with_session(f"""
    json_build_array(
        (
            SELECT json_agg(
                json_build_array(
                    {rows.sign_in("live")}, {user_row("own")},
                    active.organization_membership_id::text, active.workspace_membership_id::text
                )
                ORDER BY live.created_at, live.id
            )
            FROM accounts_signin live
            JOIN accounts_user own ON own.id = live.user_id
            LEFT JOIN memberships_activemembership active ON active.sign_in_id = live.id
            WHERE live.session_id = session.id AND {sessions.is_live("live", "own")}
        ),
        (
            SELECT json_agg({rows.sign_in_attempt("attempt", "own")} ORDER BY attempt.id)
            FROM accounts_signinattempt attempt LEFT JOIN accounts_user own ON own.id = attempt.user_id
            WHERE attempt.session_id = session.id AND {signing_in.is_open("attempt", "own")}
        ),
        (
            SELECT json_agg({rows.sign_up_attempt("attempt")} ORDER BY attempt.id)
            FROM accounts_signupattempt attempt
            WHERE attempt.session_id = session.id AND {signing_up.is_open("attempt")}
        )
    )
""")


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    data = _data(viewer.deployment, row.data, session_id=viewer.session_id, active_id=viewer.sign_in_id)
    return composed(viewer, MESSAGE, data)


SOURCE = Source("session", partial(read_row, _STATEMENT), _compose, admits_visitors=True)


def session_data(caller: Caller) -> dict[str, Any]:
    """A ``Session`` as it is now, after what the caller has changed in it."""
    data = None
    if not caller.is_visitor:
        data = run(read_with_session(_STATEMENT, caller.deployment, caller.session.pk)).data
    return _data(caller.deployment, data, session_id=caller.session.pk, active_id=caller.session.active_sign_in_id)


def _data(deployment: Deployment, text: bytes | None, *, session_id: int, active_id: int | None) -> dict[str, Any]:
    """A ``Session``: its live sign-ins, the active one with what is active in it, and the attempts under way."""
    found, attempts, sign_ups = (None, None, None) if text is None else orjson.loads(text)
    sign_ins = {sign_in["id"]: sign_in for sign_in in (_sign_in(deployment, *one) for one in found or ())}
    return {
        "id": str(session_id),
        "active_signin": sign_ins.get(str(active_id)),
        "signins": list(sign_ins.values()),
        "signin_attempts": [accounts_rendering.sign_in_attempt(SignInAttemptRow(*one)) for one in attempts or ()],
        "signup_attempts": [accounts_rendering.sign_up_attempt(SignUpAttemptRow(*one)) for one in sign_ups or ()],
    }


def _sign_in(
    deployment: Deployment,
    sign_in: list[Any],
    user: list[Any],
    organization_membership_id: str | None,
    workspace_membership_id: str | None,
) -> dict[str, Any]:
    return accounts_rendering.sign_in(
        SignInRow(*sign_in),
        organization_membership_id=organization_membership_id,
        workspace_membership_id=workspace_membership_id,
        user=accounts_rendering.current_user(UserRow(*user), deployment),
    )

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
from memberships.listing.fragments import owner_of
from memberships.session.current_user import user_row

MESSAGE = "Your session."

_LIVE = f"""
    accounts_signin live JOIN accounts_user own
    ON own.id = live.user_id AND live.session_id = session.id AND {sessions.is_live("live", "own")}
"""
_STATE = f"""
    json_build_array(
        (
            SELECT json_agg(
                json_build_array(
                    {rows.sign_in("live")},
                    active.organization_membership_id::text, active.workspace_membership_id::text
                )
                ORDER BY live.created_at, live.id
            )
            FROM {_LIVE} LEFT JOIN memberships_activemembership active ON active.sign_in_id = live.id
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
"""
_STATEMENT = with_session(_STATE, f"(SELECT json_agg({user_row('own')}) FROM {_LIVE})")
_STANDING = with_session(_STATE, is_whole=False)


def _compose(viewer: Viewer, row: SessionRow, poll: Poll) -> Composed:
    deployment, users = viewer.deployment, _users(row.shown)
    data = _data(deployment, row.data, users, session_id=viewer.session_id, active_id=viewer.sign_in_id)
    return composed(viewer, MESSAGE, data, [owner_of(int(id_), deployment.pk, as_of=row.as_of) for id_ in users])


SOURCE = Source("session", partial(read_row, _STATEMENT, _STANDING), _compose, admits_visitors=True)


def session_data(caller: Caller) -> dict[str, Any]:
    """A ``Session`` as it is now, after what the caller has changed in it."""
    data = shown = None
    if not caller.is_visitor:
        row = run(read_with_session(_STATEMENT, caller.deployment, caller.session.pk))
        data, shown = row.data, row.shown
    active_id = caller.session.active_sign_in_id
    return _data(caller.deployment, data, _users(shown), session_id=caller.session.pk, active_id=active_id)


def _users(text: bytes | None) -> dict[str, UserRow]:
    """The users of the sign-ins by their ids."""
    return {user.id: user for user in (UserRow(*one) for one in orjson.loads(text or b"null") or ())}


def _data(
    deployment: Deployment, text: bytes | None, users: dict[str, UserRow], *, session_id: int, active_id: int | None
) -> dict[str, Any]:
    """A ``Session``: its live sign-ins, the active one with what is active in it, and the attempts under way."""
    found, attempts, sign_ups = (None, None, None) if text is None else orjson.loads(text)
    sign_ins = {sign_in["id"]: sign_in for sign_in in (_sign_in(deployment, users, *one) for one in found or ())}
    return {
        "id": str(session_id),
        "active_signin": sign_ins.get(str(active_id)),
        "signins": list(sign_ins.values()),
        "signin_attempts": [accounts_rendering.sign_in_attempt(SignInAttemptRow(*one)) for one in attempts or ()],
        "signup_attempts": [accounts_rendering.sign_up_attempt(SignUpAttemptRow(*one)) for one in sign_ups or ()],
    }


def _sign_in(
    deployment: Deployment,
    users: dict[str, UserRow],
    sign_in: list[Any],
    organization_membership_id: str | None,
    workspace_membership_id: str | None,
) -> dict[str, Any]:
    row = SignInRow(*sign_in)
    return accounts_rendering.sign_in(
        row,
        organization_membership_id=organization_membership_id,
        workspace_membership_id=workspace_membership_id,
        user=accounts_rendering.current_user(users[row.user_id], deployment),
    )

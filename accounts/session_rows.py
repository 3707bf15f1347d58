"""A session with its active sign-in and the user of that, as one row of a statement that applies the log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.utils import timezone

from accounts.models import Deployment, Session, SignIn, User
from api.errors import ApiError, Problem
from database import cache
from database.cache import CHANGES, Changes
from database.prepared import Statement, columns_of, field_names, read

_SESSION_FIELDS = field_names(Session)
_SIGN_IN_FIELDS = field_names(SignIn, "id", "user_id", "expires_at", "ended_at")
_USER_FIELDS = field_names(User)
_BRIEF_USER_FIELDS = field_names(User, "id", "deployment_id", "disabled")

SESSION_TABLES = """
    accounts_session session
    LEFT JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
    LEFT JOIN accounts_user member ON member.id = sign_in.user_id
"""


def _session_columns(user_fields: list[str]) -> str:
    return f"""
        {columns_of("session", _SESSION_FIELDS)},
        {columns_of("sign_in", _SIGN_IN_FIELDS)},
        EXISTS (
            SELECT 1 FROM accounts_authenticator factor
            WHERE factor.user_id = member.id AND factor.confirmed_at IS NOT NULL
        ),
        {columns_of("member", user_fields)}
    """


SESSION_COLUMNS = _session_columns(_BRIEF_USER_FIELDS)
"""Of ``SESSION_TABLES``, what ``session_of`` takes: the session, its active sign-in and the user of that. Each value is
null or of a fixed length.
"""
_CALLER = Statement(f"""
    SELECT {columns_of("log", Changes._fields)}, {_session_columns(_USER_FIELDS)}
    FROM ({CHANGES} OFFSET 0) log
    LEFT JOIN ({SESSION_TABLES}) ON session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
""")


class SessionRow(NamedTuple):
    session_columns: tuple[Any, ...] | None
    """For ``session_of``; None if the deployment has no such session."""


def read_session(deployment: Deployment, session_id: int, *, is_loaded: bool) -> SessionRow:
    """The session with its active sign-in and all of the user of that."""
    log = cache.begin()
    values = {**log.values, "session": b"%d" % session_id, "deployment": b"%d" % deployment.pk}
    result = read(_CALLER, values)
    cache.apply(log, Changes.of(result))
    columns = result.rows()[0][len(Changes._fields) :]
    return SessionRow(None if columns[0] is None else columns)


def session_of(columns: Sequence[Any] | None, deployment: Deployment) -> Session:
    """The live session of ``deployment`` with the columns of ``SESSION_COLUMNS`` or ``read_session``, None for none.

    ``session.has_mfa`` says whether its user has one. What the columns lack is loaded when it is asked for.
    Raises ``ApiError`` (401) if the session does not exist there, has ended, or has expired.
    """
    if columns is None:
        return _alive(None, deployment)
    values = iter(columns)
    session = Session.from_db("default", _SESSION_FIELDS, list(islice(values, len(_SESSION_FIELDS))))
    sign_in = SignIn.from_db("default", _SIGN_IN_FIELDS, list(islice(values, len(_SIGN_IN_FIELDS))))
    session.has_mfa = next(values)  # type: ignore[attr-defined]
    of_user = list(values)
    fields = _BRIEF_USER_FIELDS if len(of_user) == len(_BRIEF_USER_FIELDS) else _USER_FIELDS
    user = User.from_db("default", fields, of_user)
    if session.active_sign_in_id is not None:
        session.active_sign_in, sign_in.user, user.deployment = sign_in, user, deployment
    return _alive(session, deployment)


def _alive(session: Session | None, deployment: Deployment) -> Session:
    if session is None or session.ended_at is not None:
        raise ApiError(Problem.SESSION_ENDED)
    if session.expires_at <= timezone.now():
        raise ApiError(Problem.SESSION_EXPIRED)
    session.deployment = deployment
    return session

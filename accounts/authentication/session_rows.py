"""A session with its active sign-in and the user of that, as one row of a statement that applies the log."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils import timezone

from accounts.models import Deployment, Session, SignIn, User
from api.errors import ApiError, Problem
from database import cache
from database.cache import CHANGES, Changes
from database.prepared import Reading, Result, Statement, Values, columns_of, field_names, run

_SESSION_FIELDS = field_names(Session)
_SIGN_IN_FIELDS = field_names(SignIn, "id", "user_id", "expires_at", "ended_at")
_USER_FIELDS = field_names(User)
_BRIEF_USER_FIELDS = field_names(User, "id", "deployment_id", "disabled")

_SESSION_TABLES = """
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


class SessionStatement(Statement):
    """A statement ``with_session``; ``first`` is the number of the session's first column.

    Unless it ``is_whole`` it reads no more than says whether the last answer still stands.
    """

    def __init__(self, sql: str, *, first: int, is_whole: bool) -> None:
        super().__init__(sql)
        self.first, self.is_whole = first, is_whole


def with_session(*values: str, user_fields: list[str] = _BRIEF_USER_FIELDS, is_whole: bool = True) -> SessionStatement:
    """The statement that reads the invalidation log, the SQL ``values``, and a session's columns for ``session_of``.

    The values may refer to ``log``, and to ``session``, ``sign_in`` and ``member``, whose columns are null where the
    deployment has no such session. Gives one row.
    """
    sql = f"""
        SELECT {", ".join([columns_of("log", Changes._fields), *values, _session_columns(user_fields)])}
        FROM ({CHANGES} OFFSET 0) log
        LEFT JOIN ({_SESSION_TABLES})
            ON session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
    """
    return SessionStatement(sql, first=len(Changes._fields) + len(values), is_whole=is_whole)


def session_values(deployment: Deployment, session_id: int) -> Values:
    """The parameters of a statement ``with_session``, but for those of the log."""
    return {"session": b"%d" % session_id, "deployment": b"%d" % deployment.pk}


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The row of a statement ``with_session``, whose changes have been applied."""

    result: Result
    statement: SessionStatement
    as_of: int
    """See ``database.cache.apply``."""

    @property
    def data(self) -> bytes | None:
        """The first of the values."""
        return self.result[len(Changes._fields)]

    @property
    def shown(self) -> bytes | None:
        """The last of the values. If it is not the first, the invalidation log names each change of it."""
        return self.result[self.statement.first - 1]

    @property
    def session_columns(self) -> tuple[Any, ...] | None:
        """The columns for ``session_of``; None if the deployment has no such session."""
        first = self.statement.first
        return None if self.result[first] is None else self.result.rows()[0][first:]

    @property
    def session_version(self) -> bytes:
        """Stands for the session with its brief user: others have another."""
        # Each value is of a fixed length, or null; so with a mark before each they can't run into each other.
        values = [self.result[column] for column in range(self.statement.first, self.result.number_of_columns)]
        return b"".join([b"-" if value is None else b"+%b" % value for value in values])

    @property
    def version(self) -> bytes:
        """Stands for the data, which must be JSON text, and for the session: others have another."""
        text = (self.data or b"") + self.session_version  # JSON text says itself where it ends
        return hashlib.blake2b(text, digest_size=16).digest()

    @property
    def is_whole(self) -> bool:
        return self.statement.is_whole


@dataclass(frozen=True, slots=True)
class _VisitorsRow:
    """Takes the place of a ``SessionRow``: a visitor is in no table."""

    data: None = None
    shown: None = None
    session_columns: None = None
    version: bytes = b""
    as_of: int = cache.OVERTAKEN
    is_whole: bool = True


VISITORS_ROW = _VisitorsRow()


def read_with_session(statement: SessionStatement, deployment: Deployment, session_id: int) -> Reading[SessionRow]:
    """The row of ``statement``."""
    log = cache.begin()
    (result,) = yield [(statement, {**log.values, **session_values(deployment, session_id)})]
    return SessionRow(result, statement, cache.apply(log, Changes.of(result)))


_CALLER = with_session("NULL::text", user_fields=_USER_FIELDS)


def read_session(deployment: Deployment, session_id: int, *, is_loaded: bool) -> SessionRow:
    """The session with its active sign-in and all columns of that sign-in's user."""
    return run(read_with_session(_CALLER, deployment, session_id))


def session_of(columns: Sequence[Any] | None, deployment: Deployment) -> Session:
    """The live session of ``deployment`` with the columns of a ``SessionRow``, None for none.

    ``session.has_mfa`` says whether its user has one. Other columns are loaded when they are read.
    Raises ``ApiError`` (401) if the session does not exist there, has ended, or has expired.
    """
    if columns is None:
        return _alive(None, deployment)
    values = iter(columns)
    session = Session.from_db("default", _SESSION_FIELDS, list(islice(values, len(_SESSION_FIELDS))))
    sign_in = SignIn.from_db("default", _SIGN_IN_FIELDS, list(islice(values, len(_SIGN_IN_FIELDS))))
    session.has_mfa = next(values)
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

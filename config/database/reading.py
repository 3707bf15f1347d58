"""Reading with prepared statements, in one round trip, over a connection that may have died meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import psycopg
from django.db import InterfaceError, OperationalError, connection
from psycopg.pq import Format

Statement = tuple[str, Mapping[str, Any]]
Rows = list[tuple[Any, ...]]


def read(*statements: Statement) -> list[Rows]:
    """The rows of each of ``statements``, in one round trip to the database.

    PostgreSQL plans a statement once for a connection. If the connection turns out to be dead, outside of a
    transaction, another is opened and asked again: these are reads. Raises Django's database errors.
    """
    try:
        return _read(statements)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return _read(statements)


def _read(statements: tuple[Statement, ...]) -> list[Rows]:
    connection.ensure_connection()
    session = cast(Any, connection.connection)
    with connection.wrap_database_errors:
        if len(statements) == 1:
            return [_execute(session, *statements[0]).fetchall()]
        with session.pipeline():
            cursors = [_execute(session, *statement) for statement in statements]
        return [cursor.fetchall() for cursor in cursors]


def _execute(session: psycopg.Connection, sql: str, parameters: Mapping[str, Any]) -> Any:
    # Django's own cursors write the parameters into the statement, which can't be prepared then; and getting one may
    # first ask the server whether it is still there.
    plain = psycopg.Cursor(session)
    plain.format = Format.BINARY
    cursor = cast(Any, connection)._prepare_cursor(plain)  # counts and logs where Django is told to
    cursor.execute(sql, parameters)
    return cursor

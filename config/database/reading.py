"""Reading with prepared statements, in one round trip, over a connection that may have died meanwhile.

What is asked for each request of every open tab is asked of libpq itself: to convert parameters and rows would be most
of the work. Django's own cursors, beside these, prepare nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, TypeVar, cast
from weakref import WeakSet

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

Values = Mapping[str, bytes | None]
"""Of parameters by name, as text in PostgreSQL's notation; None is null."""
T = TypeVar("T")

_numbers = count()


class Statement:
    """A statement that PostgreSQL plans once for a connection; ``sql`` names its parameters as ``%(name)s``."""

    def __init__(self, sql: str) -> None:
        self.parameters = tuple(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
        self.sql = (sql % {name: f"${number}" for number, name in enumerate(self.parameters, start=1)}).encode()
        self.name = b"rollcall_%d" % next(_numbers)
        self.prepared_in: WeakSet[psycopg.Connection] = WeakSet()


class Result:
    """The rows that a statement gives."""

    def __init__(self, result: PGresult, session: psycopg.Connection) -> None:
        self._result = result
        self._session = session
        self.number_of_columns = result.nfields

    def __getitem__(self, column: int) -> bytes | None:
        """The value in the first row, in PostgreSQL's binary format; a text is UTF-8."""
        return self._result.get_value(0, column)

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows, as Python's values."""
        transformer = Transformer.from_context(self._session)
        transformer.set_pgresult(self._result)
        return transformer.load_rows(0, self._result.ntuples, tuple)


def number(value: int | None) -> bytes | None:
    """``value`` as a parameter."""
    return None if value is None else b"%d" % value


def read(statement: Statement, values: Values) -> Result:
    """What ``statement`` gives.

    If the connection turns out to be dead, outside of a transaction, another is opened and asked again: these are
    reads. Raises Django's database errors.
    """

    def ask(session: psycopg.Connection) -> Result:
        if session not in statement.prepared_in:
            return _pipeline(session, [(statement, values)])[0]
        # The stub does not say that a value may be null.
        parameters: Any = [values[name] for name in statement.parameters]
        return _result(session, session.pgconn.exec_prepared(statement.name, parameters, None, Format.BINARY))

    return _asking(ask, [statement])


def read_together(*asked: tuple[Statement, Values]) -> list[Result]:
    """As ``read``, for several statements in one round trip."""
    return _asking(lambda session: _pipeline(session, asked), [statement for statement, _ in asked])


def _asking(ask: Callable[[psycopg.Connection], T], statements: list[Statement]) -> T:
    connection = connections[DEFAULT_DB_ALIAS]
    was_open = connection.connection is not None
    if connection.queries_logged:
        connection.queries_log.extend({"sql": statement.sql.decode(), "time": ""} for statement in statements)
    try:
        return _ask(connection, ask)
    except (OperationalError, InterfaceError):
        if not was_open or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return _ask(connection, ask)


def _ask(connection: BaseDatabaseWrapper, ask: Callable[[psycopg.Connection], T]) -> T:
    if connection.connection is None:
        connection.ensure_connection()
    with connection.wrap_database_errors:
        return ask(cast(Any, connection.connection))


def _pipeline(session: psycopg.Connection, asked: Iterable[tuple[Statement, Values]]) -> list[Result]:
    """Ask all at once, preparing what the session has not prepared yet."""
    pgconn = session.pgconn
    prepared: list[Statement | None] = []
    pgconn.enter_pipeline_mode()
    try:
        for statement, values in asked:
            if session not in statement.prepared_in:
                pgconn.send_prepare(statement.name, statement.sql)
                prepared.append(statement)
            parameters = [values[name] for name in statement.parameters]
            pgconn.send_query_prepared(statement.name, parameters, None, Format.BINARY)
            prepared.append(None)
        pgconn.pipeline_sync()
        results = _results(session)
    finally:
        pgconn.exit_pipeline_mode()
    found = []
    for new, result in zip(prepared, results, strict=True):
        checked = _result(session, result)
        if new is None:
            found.append(checked)
        else:  # whatever becomes of its execution
            new.prepared_in.add(session)
    return found


def _results(session: psycopg.Connection) -> list[PGresult]:
    """Those of all commands up to the one that ends the pipeline; psycopg lets other threads go on meanwhile."""
    session.wait(generators.send(session.pgconn))
    results: list[PGresult] = []
    while (result := session.wait(generators.fetch(session.pgconn))) is None or (
        result.status != ExecStatus.PIPELINE_SYNC
    ):
        if result is not None:
            results.append(result)
        elif session.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
    return results


def _result(session: psycopg.Connection, result: PGresult) -> Result:
    """``result``, unless it is an error."""
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return Result(result, session)
    if session.pgconn.status == ConnStatus.BAD:
        raise psycopg.OperationalError(result.get_error_message())
    raise psycopg.errors.error_from_result(result)

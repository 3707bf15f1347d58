"""Reading with prepared statements, in one round trip, over a connection that may have died meanwhile.

The statements of polled requests go to libpq itself: to convert parameters and rows would be most of the work.
Django's own cursors, beside these, prepare nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from psycopg import BaseConnection, errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

Values = Mapping[str, bytes | None]
"""Values of parameters by name, as text in PostgreSQL's notation; None is null."""

_prepared: WeakKeyDictionary[psycopg.Connection, set[bytes]] = WeakKeyDictionary()
"""The names of the statements that each session has prepared."""
OUTDATED = (errors.FeatureNotSupported, errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)
"""A table has changed since a statement was planned; or a pooler has led to a session that has prepared others."""


class Statement:
    """A statement that PostgreSQL plans once for a session; ``sql`` names its parameters as ``%(name)s``.

    Its name is a digest of it, so it cannot be confused with a statement that somebody else prepared in the session.
    """

    def __init__(self, sql: str) -> None:
        self.parameters = tuple(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
        self.sql = (sql % {name: f"${number}" for number, name in enumerate(self.parameters, start=1)}).encode()
        self.name = b"rollcall_%b" % hashlib.blake2b(self.sql, digest_size=12).hexdigest().encode()

    def parameters_of(self, values: Values) -> Any:
        """``values`` in their order. (The stubs of psycopg do not say that one may be null.)"""
        return [values[name] for name in self.parameters]


BEGIN: tuple[Statement, Values] = (Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), {})
COMMIT: tuple[Statement, Values] = (Statement("COMMIT"), {})


class Result:
    """The rows of a statement's result."""

    def __init__(self, result: PGresult, session: BaseConnection[Any]) -> None:
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


Query: TypeAlias = Sequence[tuple[Statement, Values]]
"""Statements of one snapshot, to be read in one round trip."""
R = TypeVar("R")
Reading: TypeAlias = Generator[Query, list[Result], R]
"""Reads without waiting: yields each query, is sent its results (or thrown Django's ``DatabaseError``), returns an R.

So one and the same code reads for a thread that waits (``run``) and for an event loop that does not.
"""


def field_names(model: type[Model], *names: str) -> list[str]:
    """The model's columns, or those of ``names``, in the order in which ``from_db`` takes their values."""
    return [field.attname for field in model._meta.concrete_fields if not names or field.attname in names]


def columns_of(table: str, names: Iterable[str]) -> str:
    """SQL that selects the columns ``names`` of ``table``."""
    return ", ".join(f"{table}.{name}" for name in names)


def time_text(column: str) -> str:
    """SQL for ``column`` as RFC 3339 in UTC."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def number(value: int | None) -> bytes | None:
    """``value`` as a parameter."""
    return None if value is None else b"%d" % value


@contextmanager
def one_snapshot() -> Iterator[None]:
    """A transaction that reads from one snapshot; nothing can be written in it.

    Within a transaction of the caller's it changes nothing.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def run(reading: Reading[R]) -> R:
    """The result of ``reading``. Waits for each of its queries as ``read_together`` does."""
    try:
        query = next(reading)
        while True:
            try:
                results = read_together(query)
            except DatabaseError as error:
                query = reading.throw(error)
            else:
                query = reading.send(results)
    except StopIteration as end:
        value: R = end.value
        return value


def read(statement: Statement, values: Values) -> Result:
    """The result of ``statement``; as ``read_together``."""
    return read_together([(statement, values)])[0]


def read_together(queries: Query) -> list[Result]:
    """The results of the statements, in one round trip and of one snapshot.

    Within a transaction of the caller's, each statement has a snapshot of its own. If the connection turns out to be
    dead, outside of a transaction, they are repeated over another: these are reads. Raises Django's database errors.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    was_open = connection.connection is not None
    if connection.queries_logged:
        connection.queries_log.extend({"sql": statement.sql.decode(), "time": ""} for statement, _ in queries)
    try:
        return _run(connection, queries)
    except (OperationalError, InterfaceError):
        if not was_open or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return _run(connection, queries)


def _run(connection: BaseDatabaseWrapper, queries: Query) -> list[Result]:
    """As ``read_together``, over the present connection; statements that are outdated are prepared anew, once."""
    if connection.connection is None:
        connection.ensure_connection()
    session: psycopg.Connection = cast(Any, connection.connection)
    with connection.wrap_database_errors:
        try:
            return _execute(session, queries, in_transaction=connection.in_atomic_block)
        except OUTDATED:
            _prepared.pop(session, None)
            if connection.in_atomic_block:
                raise
            return _execute(session, queries, in_transaction=False)


def _execute(session: psycopg.Connection, queries: Query, *, in_transaction: bool) -> list[Result]:
    if len(queries) == 1:
        (statement, values), *_ = queries
        if statement.name not in _prepared.get(session, ()):
            return _pipeline(session, queries)
        parameters = statement.parameters_of(values)
        return [_result(session, session.pgconn.exec_prepared(statement.name, parameters, None, Format.BINARY))]
    if in_transaction:
        return _pipeline(session, queries)
    try:
        return _pipeline(session, [BEGIN, *queries, COMMIT])[1:-1]
    finally:
        if session.pgconn.transaction_status == TransactionStatus.INERROR:
            session.pgconn.exec_(b"ROLLBACK")


def _names(session: psycopg.Connection) -> set[bytes]:
    """``_prepared`` of ``session``. If that is not known, it prepares all anew: in a transaction it fails only once."""
    if session not in _prepared:
        session.pgconn.exec_(b"DEALLOCATE ALL")
        _prepared[session] = set()
    return _prepared[session]


def _pipeline(session: psycopg.Connection, queries: Query) -> list[Result]:
    """Send all at once, preparing those that the session has not prepared yet."""
    pgconn = session.pgconn
    names = _names(session)
    sent: list[bytes | None] = []
    """For each command the name of the statement that it prepares; None if it executes one."""
    pgconn.enter_pipeline_mode()
    try:
        for statement, values in queries:
            if statement.name not in names and statement.name not in sent:
                pgconn.send_prepare(statement.name, statement.sql)
                sent.append(statement.name)
            pgconn.send_query_prepared(statement.name, statement.parameters_of(values), None, Format.BINARY)
            sent.append(None)
        pgconn.pipeline_sync()
        results = _results(session)
        pgconn.exit_pipeline_mode()
    except BaseException:
        session.close()  # the results still to come would be taken for those of the next statement
        raise
    found = []
    for name, result in zip(sent, results, strict=True):
        checked = _result(session, result)
        if name is None:
            found.append(checked)
        else:  # whatever becomes of its execution
            names.add(name)
    return found


def _results(session: psycopg.Connection) -> list[PGresult]:
    """The results of all commands up to the one that ends the pipeline; psycopg lets other threads go on meanwhile."""
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
    raise error_of(result)


def error_of(result: PGresult) -> psycopg.Error:
    """The error that ``result`` stands for. One without an SQLSTATE is libpq's own: it cannot read what comes."""
    error = errors.error_from_result(result)
    return error if error.sqlstate is not None else psycopg.OperationalError(str(error))

"""Statements that PostgreSQL keeps: asked again after whatever has failed (``database.prepared``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any, cast

import psycopg
import pytest
from django.db import DataError, NotSupportedError, connection, transaction
from psycopg.pq import ExecStatus, TransactionStatus

from database import prepared
from database.prepared import Statement, Values, read, read_together

pytestmark = pytest.mark.django_db


def test_a_statement_whose_first_execution_fails_can_be_executed_again() -> None:
    statement = Statement("SELECT 6 / %(divisor)s::int")
    with pytest.raises(DataError), transaction.atomic():
        read(statement, {"divisor": b"0"})
    assert read(statement, {"divisor": b"3"}).rows() == [(2,)]


def test_one_that_fails_among_several_fails_them_all_and_spoils_none() -> None:
    statements = [Statement(f"SELECT {number} / %(divisor)s::int") for number in (6, 8, 10)]
    for _ in range(2):
        with pytest.raises(DataError), transaction.atomic():
            read_together(
                [
                    (statement, {"divisor": divisor})
                    for statement, divisor in zip(statements, (b"1", b"0", b"2"), strict=True)
                ]
            )
    results = read_together([(statement, {"divisor": b"2"}) for statement in statements])
    assert [result.rows() for result in results] == [[(3,)], [(4,)], [(5,)]]


def test_an_error_of_libpq_itself_is_that_of_a_lost_connection() -> None:
    connection.ensure_connection()
    session: psycopg.Connection = cast(Any, connection.connection)
    broken = session.pgconn.make_empty_result(ExecStatus.FATAL_ERROR)
    with pytest.raises(psycopg.OperationalError):
        prepared._result(session, broken)


def test_null_is_null() -> None:
    (row,) = read(Statement("SELECT %(given)s::bigint, 'ä'::text"), {"given": None}).rows()
    assert row == (None, "ä")


@pytest.mark.parametrize("number", [1, 2])
def test_other_threads_go_on_while_one_waits_for_the_database(number: int) -> None:
    def wait() -> None:
        try:
            read_together([(Statement("SELECT pg_sleep(1)::text"), {})] * number)
        finally:
            connection.close()

    thread = Thread(target=wait)
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.01)
        turns += 1
    assert turns > 5  # it would be one or two


@pytest.fixture
def changing() -> Iterator[Callable[[str], Any]]:
    """A table "changing" with one row; executes SQL on another connection."""
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("CREATE TABLE changing (value varchar(3))")
        other.execute("INSERT INTO changing VALUES ('one')")
        yield other.execute
        other.execute("DROP TABLE changing")


ALONE, TOGETHER = 1, 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [ALONE, TOGETHER])
@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("ALTER TABLE changing ALTER value TYPE varchar(4)", "one"),
        ("ALTER TABLE changing ALTER value TYPE int USING 1", 1),
    ],
)
def test_a_statement_is_prepared_anew_when_its_table_has_changed(
    changing: Callable[[str], Any], number: int, change: str, value: Any
) -> None:
    asked: list[tuple[Statement, Values]] = [
        (Statement(f"SELECT value FROM changing LIMIT {limit}"), {}) for limit in range(1, number + 1)
    ]
    read_together(asked)
    changing(change)
    assert [result.rows() for result in read_together(asked)] == [[(value,)]] * number


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [ALONE, TOGETHER])
def test_a_statement_that_the_session_has_lost_is_prepared_anew(number: int) -> None:
    asked: list[tuple[Statement, Values]] = [(Statement(f"SELECT {value}"), {}) for value in range(number)]
    read_together(asked)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert [result.rows() for result in read_together(asked)] == [[(value,)] for value in range(number)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [ALONE, TOGETHER])
def test_one_that_fails_in_a_transaction_is_prepared_anew_in_the_next(
    changing: Callable[[str], Any], number: int
) -> None:
    asked: list[tuple[Statement, Values]] = [
        (Statement(f"SELECT value FROM changing LIMIT {limit}"), {}) for limit in range(1, number + 1)
    ]
    read_together(asked)
    changing("ALTER TABLE changing ALTER value TYPE varchar(4)")
    with pytest.raises(NotSupportedError), transaction.atomic():
        read_together(asked)
    with transaction.atomic():
        assert [result.rows() for result in read_together(asked)] == [[("one",)]] * number


@pytest.mark.django_db(transaction=True)
def test_what_is_interrupted_leaves_no_session_that_answers_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Statement, Values]] = [(Statement(f"SELECT {value}"), {}) for value in range(2)]

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(prepared, "_results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read_together(asked)
    assert [result.rows() for result in read_together(asked)] == [[(0,)], [(1,)]]
    assert transaction_status() == TransactionStatus.IDLE


@pytest.mark.django_db(transaction=True)
def test_a_name_that_the_session_has_prepared_before_does_no_harm() -> None:
    statement = Statement("SELECT 'mine'")
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE {statement.name.decode()} AS SELECT 'not mine'")
    assert read(statement, {}).rows() == [("mine",)]


@pytest.mark.django_db(transaction=True)
def test_statements_read_together_see_one_snapshot_and_end_their_transaction() -> None:
    snapshot = "SELECT pg_current_snapshot()::text, pg_sleep(0.05)::text, {}"
    asked: list[tuple[Statement, Values]] = [(Statement(snapshot.format(number)), {}) for number in range(3)]
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            with psycopg.connect(**connection.get_connection_params()) as other:
                other.execute("SELECT pg_current_xact_id()")

    thread = Thread(target=write)
    thread.start()
    try:
        snapshots = {result.rows()[0][0] for result in read_together(asked)}
    finally:
        stop.set()
        thread.join()
    assert len(snapshots) == 1
    assert transaction_status() == TransactionStatus.IDLE


@pytest.mark.django_db(transaction=True)
def test_statements_that_fail_together_leave_no_transaction_open() -> None:
    with pytest.raises(DataError):
        read_together([(Statement("SELECT 1"), {}), (Statement("SELECT 1 / 0"), {})])
    assert transaction_status() == TransactionStatus.IDLE


def transaction_status() -> TransactionStatus:
    return TransactionStatus(cast(Any, connection.connection).pgconn.transaction_status)

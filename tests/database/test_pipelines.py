"""Reading in an event loop: many queries over few connections, each with a deadline, whatever becomes of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest
import uvloop
from django.db import DEFAULT_DB_ALIAS, DatabaseError, DataError, OperationalError, connection, connections
from psycopg.errors import LockNotAvailable
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from database import cache
from database.pipelines import DEADLINE, Pipelines, _Line
from database.prepared import Query, Reading, Result, Statement
from tests.support.server import SOON

NUMBER = Statement("SELECT %(number)s::int")
INVERSE = Statement("SELECT 1 / %(number)s::int")
SNAPSHOT = Statement("SELECT pg_current_snapshot()::text, pg_sleep(0.05)::text")
SLEEP = Statement("SELECT pg_sleep(%(number)s::float)::text")
SETTINGS = Statement("SELECT name, setting FROM pg_settings")
pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[[Reading[Any]], Awaitable[Any]]


def reading(query: Query) -> Reading[Any]:
    """The rows of ``query``, or the error that it ends in."""
    try:
        results: list[Result] = yield query
    except DatabaseError as error:
        return error
    return [result.rows() for result in results]


def of(statement: Statement, number: object = 0) -> Reading[Any]:
    return reading([(statement, {"number": str(number).encode()})])


def in_loop(what: Callable[[Ask, Pipelines], Awaitable[None]]) -> None:
    """Run ``what`` in a loop with connections to the tests' database."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipelines = Pipelines(loop)

        def ask(reading: Reading[Any]) -> asyncio.Future[Any]:
            future = loop.create_future()
            pipelines.read(reading, lambda value: None if future.done() else future.set_result(value))
            return future

        try:
            await what(ask, pipelines)
        finally:
            pipelines.close()

    uvloop.run(main())


def test_queries_that_come_together_get_each_their_own_rows() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        for _round in range(3):
            found = await asyncio.gather(*(ask(of(NUMBER, number)) for number in range(200)))
            assert found == [[[(number,)]] for number in range(200)]

    in_loop(check)


def test_an_error_is_that_of_its_query_alone() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        found = await asyncio.gather(*(ask(of(INVERSE, number)) for number in (1, 0, 1, 0, 1)))
        assert [type(value) for value in found] == [list, DataError, list, DataError, list]
        assert await ask(of(NUMBER, 1)) == [[(1,)]]

    in_loop(check)


def test_statements_of_one_query_see_one_snapshot_and_end_their_transaction() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        query: Query = [(SNAPSHOT, {})] * 3
        before, found, after = await asyncio.gather(ask(of(NUMBER, 1)), ask(reading(query)), ask(of(NUMBER, 2)))
        assert len({rows[0][0] for rows in found}) == 1
        assert (before, after) == ([[(1,)]], [[(2,)]])
        broken: Query = [(NUMBER, {"number": b"1"}), (INVERSE, {"number": b"0"}), (NUMBER, {"number": b"1"})]
        found, after = await asyncio.gather(ask(reading(broken)), ask(of(NUMBER, 3)))
        assert isinstance(found, DataError)
        assert after == [[(3,)]]
        assert await asyncio.to_thread(_states) == {"idle"}  # no transaction was left open

    in_loop(check)


def test_a_reading_may_go_on_after_an_error() -> None:
    def twice() -> Reading[Any]:
        try:
            yield [(INVERSE, {"number": b"0"})]
        except DataError:
            (result,) = yield [(NUMBER, {"number": b"7"})]
        return result[0]

    async def check(ask: Ask, _: Pipelines) -> None:
        assert await ask(twice()) == b"\0\0\0\7"

    in_loop(check)


def test_a_statement_that_hangs_delays_others_briefly_and_is_given_up() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(of(NUMBER, 1))
        await asyncio.sleep(0.2)  # until the second connection is there
        hanging = asyncio.ensure_future(ask(of(SLEEP, 60)))
        await asyncio.sleep(0.02)
        began = time.monotonic()
        assert await ask(of(NUMBER, 2)) == [[(2,)]]
        assert time.monotonic() - began < SOON
        assert isinstance(await hanging, OperationalError)
        assert time.monotonic() - began < SOON
        assert await ask(of(NUMBER, 3)) == [[(3,)]]

    in_loop(check)


def test_a_lock_is_waited_for_briefly_only() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(of(NUMBER, 1))
        began = time.monotonic()
        error = await ask(reading([(Statement("SELECT count(*) FROM accounts_session"), {})]))
        assert isinstance(error.__cause__, LockNotAvailable)
        assert time.monotonic() - began < 3  # the limit of all other statements

    with psycopg.connect(_url()) as other:
        other.execute("LOCK accounts_session IN ACCESS EXCLUSIVE MODE")
        in_loop(check)


def test_a_locked_table_is_waited_for_once_by_all_that_read_it() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(of(NUMBER, 1))
        began = time.monotonic()
        locked = Statement("SELECT count(*) FROM accounts_session")
        asked = [ask(reading([(locked, {})])) if number % 2 else ask(of(NUMBER, number)) for number in range(200)]
        found = await asyncio.gather(*asked)
        assert time.monotonic() - began < 2
        assert [value == [[(number,)]] for number, value in enumerate(found)] == [True, False] * 100
        assert all(isinstance(value.__cause__, LockNotAvailable) for value in found[1::2])

    with psycopg.connect(_url()) as other:
        other.execute("LOCK accounts_session IN ACCESS EXCLUSIVE MODE")
        in_loop(check)


def test_a_plan_that_was_made_while_the_log_was_small_uses_its_index() -> None:
    changes = Statement(f"SELECT log.entries FROM ({cache.CHANGES} OFFSET 0) log")
    plan = Statement(f"EXPLAIN EXECUTE {changes.name.decode()} (NULL, NULL, NULL)")

    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(reading([(changes, cache.begin().values)]))
        ((*lines,),) = await ask(reading([(plan, {})]))
        scans = [line for (line,) in lines if "Scan" in line and "database_invalidation" in line]
        assert len(scans) >= 3
        assert all("database_invalidation_by_xact" in line for line in scans)

    with psycopg.connect(_url(), autocommit=True) as other:
        other.execute("TRUNCATE database_invalidation")
        other.execute("INSERT INTO database_invalidation (kind, key) VALUES ('user', 1)")
        other.execute("ANALYZE database_invalidation")
    in_loop(check)


def test_a_connection_that_is_lost_goes_unnoticed() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(of(NUMBER, 1))
        asked = [asyncio.ensure_future(ask(of(SLEEP, 0.3))) for _ in range(3)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(_end_all_others)
        assert await asyncio.gather(*asked) == [[[("",)]]] * 3
        assert await ask(of(NUMBER, 2)) == [[(2,)]]

    in_loop(check)


def test_a_connection_that_is_lost_while_it_is_sent_to_goes_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = iter([False, False, True])
    execute = _Line._execute

    def fail_once(line: _Line, *what: Any) -> None:
        if next(failing, False):
            raise psycopg.OperationalError("no connection")
        execute(line, *what)

    async def check(ask: Ask, _: Pipelines) -> None:
        await ask(of(NUMBER, 0))
        found = await asyncio.gather(*(ask(of(NUMBER, number)) for number in range(5)))
        assert found == [[[(number,)]] for number in range(5)]

    monkeypatch.setattr(_Line, "_execute", fail_once)
    in_loop(check)


@pytest.mark.parametrize(("times", "kind"), [(1, list), (100, OperationalError)])
def test_an_error_of_libpq_itself_is_that_of_a_lost_connection(
    monkeypatch: pytest.MonkeyPatch, times: int, kind: type
) -> None:
    left = iter(range(times))
    take = _Line._take

    def fail_at_first(line: _Line, result: PGresult) -> None:
        if result.status == ExecStatus.TUPLES_OK and next(left, None) is not None:
            result = line.session.pgconn.make_empty_result(ExecStatus.FATAL_ERROR)
        take(line, result)

    async def check(ask: Ask, _: Pipelines) -> None:
        found = await asyncio.gather(*(ask(of(NUMBER, number)) for number in range(5)))
        assert [type(value) for value in found] == [kind] * 5

    monkeypatch.setattr(_Line, "_take", fail_at_first)
    in_loop(check)


def test_it_connects_again_whatever_failed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    failing = iter([True])

    def fail_once(_: object) -> dict[str, Any]:
        if next(failing, False):
            raise ValueError
        return dict(parameters)

    async def check(ask: Ask, _: Pipelines) -> None:
        assert isinstance(await ask(of(NUMBER, 1)), OperationalError)
        await asyncio.sleep(0.3)
        assert await ask(of(NUMBER, 1)) == [[(1,)]]

    monkeypatch.setattr(type(connections[DEFAULT_DB_ALIAS]), "get_connection_params", fail_once)
    in_loop(check)


def test_deadlines_are_looked_at_as_often_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    expire = Pipelines._expire

    def count(pipelines: Pipelines) -> None:
        looks.append(time.monotonic())
        expire(pipelines)

    async def check(ask: Ask, _: Pipelines) -> None:
        for number in range(100):
            await ask(of(NUMBER, number))
        began = time.monotonic()
        await ask(of(SLEEP, 0.5))
        assert len([at for at in looks if at > began]) <= 10

    monkeypatch.setattr(Pipelines, "_expire", count)
    in_loop(check)


def test_a_table_that_is_changed_fails_no_query(columns: Callable[[str], object]) -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        statement = Statement("SELECT * FROM changing WHERE 0 = %(number)s::int")
        assert await ask(of(statement)) == [[(1,)]]
        await asyncio.to_thread(columns, "ALTER TABLE changing ADD more int")
        found = await asyncio.gather(*(ask(of(statement)) for _ in range(5)), ask(of(NUMBER, 1)))
        assert found == [*[[[(1, None)]]] * 5, [[(1,)]]]

    in_loop(check)


@pytest.fixture
def columns() -> Iterator[Callable[[str], object]]:
    with psycopg.connect(_url(), autocommit=True) as other:
        other.execute("CREATE TABLE changing AS SELECT 1 AS one")
        try:
            yield lambda sql: other.execute(sql)
        finally:
            other.execute("DROP TABLE changing")


def test_a_server_that_cannot_be_reached_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {**connection.get_connection_params(), "host": "127.0.0.1", "port": "1"}
    kind = type(connections[DEFAULT_DB_ALIAS])
    monkeypatch.setattr(kind, "get_connection_params", lambda _: dict(parameters))

    async def check(ask: Ask, _: Pipelines) -> None:
        began = time.monotonic()
        for _round in range(3):
            assert isinstance(await ask(of(NUMBER, 1)), OperationalError)
        assert time.monotonic() - began < 3 * DEADLINE  # it would be three times that

    in_loop(check)


def test_sessions_have_the_settings_of_all_others_and_shorter_limits() -> None:
    async def check(ask: Ask, _: Pipelines) -> None:
        ((*rows,),) = await ask(reading([(SETTINGS, {})]))
        found = dict(rows)
        assert (found["plan_cache_mode"], found["jit"], found["TimeZone"]) == ("force_generic_plan", "off", "UTC")
        assert (found["statement_timeout"], found["lock_timeout"]) == ("1000", "200")

    in_loop(check)


def _url() -> str:
    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    return psycopg.conninfo.make_conninfo(**{name: parameters[name] for name in names if name in parameters})


def _states() -> set[str]:
    with psycopg.connect(_url()) as other:
        query = """
            SELECT state FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'rollcall' AND pid <> pg_backend_pid()
        """
        return {state for (state,) in other.execute(query)}


def _end_all_others() -> None:
    with psycopg.connect(_url()) as other:
        other.execute("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name = 'rollcall'
        """)

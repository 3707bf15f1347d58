"""Reading in an event loop, which goes on meanwhile: queries of many requests share a connection, each sent at once.

libpq's pipeline mode sends what has come together in one go, and PostgreSQL answers in that order. Nothing here waits:
whoever reads hands in a ``Reading`` and what is to be done with its outcome, and each query has a deadline, whatever
becomes of the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError, connections
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

from database import cache, session_settings
from database.prepared import BEGIN, COMMIT, OUTDATED, Query, Reading, Result, Statement, error_of

CONNECTIONS = 2
"""Of a process. The first takes all, in order, so that no cache sees an older snapshot after a newer one; the others
are for when it is held up, by a lock for instance."""
HELD_UP = 0.2
"""Seconds without an answer after which a connection is."""
DEADLINE = 1.5
"""Seconds that a reading may take in all while the server is silent."""
SILENCE = 1.0
"""Seconds without a sign of the server after which it is."""
LONGEST = 10.0
"""Seconds that a reading may take in all while the server answers others."""
MAX_LOCK_WAIT = 200
MAX_STATEMENT_TIME = 1000
"""Milliseconds after which PostgreSQL itself gives a statement up, so that others need not wait behind it."""
MAX_BATCH = 32
MAX_BATCHES = 2
"""Under way at once on a connection: what comes meanwhile goes together in the next."""
BACKOFF = 0.2
"""Seconds after a connection has failed until the next one is tried."""

_ENDS = (errors.AdminShutdown, errors.CrashShutdown, errors.IdleSessionTimeout)
"""The server's last words on a connection: its queries are asked over another."""

logger = logging.getLogger("rollcall")


class _Task:
    """A reading under way."""

    __slots__ = ("deadline", "done", "query", "reading", "repeats", "results")

    def __init__(self, reading: Reading[Any], done: Callable[[Any], None], deadline: float) -> None:
        self.reading, self.done, self.deadline = reading, done, deadline
        self.query: Query = ()
        self.results: list[Result] = []
        self.repeats = 0
        """How often it was sent in vain: over a connection that was lost, or to an outdated statement."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(statement for statement, _ in self.query)


class _Line:
    """A connection in pipeline mode. ``sent`` has an entry for each result that is to come:

    the task whose query it answers; the ``Statement`` that it has prepared; None for the end of a batch, or a command.
    """

    def __init__(self, pipelines: Pipelines, session: psycopg.AsyncConnection[Any]) -> None:
        self._pipelines = pipelines
        self.session = session
        self._pgconn = session.pgconn
        self._prepared: set[bytes] = set()
        self._sent: deque[tuple[_Task | None, Statement | None]] = deque()
        self._failed: dict[_Task, DatabaseError | None] = {}
        self.batches = 0
        self.answered_at = 0.0
        self._socket = self._pgconn.socket
        self._is_writing = False
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()
        pipelines.loop.add_reader(self._socket, self._readable)

    def is_held_up(self, now: float) -> bool:
        return bool(self.batches) and now - self.answered_at > HELD_UP

    def send(self, tasks: list[_Task]) -> None:
        """Send the queries of ``tasks``, in one batch."""
        if not self.batches:
            self.answered_at = self._pipelines.loop.time()
        try:
            for task in tasks:
                task.results = []
                if len(task.query) == 1:
                    self._execute(task, *task.query[0])
                else:
                    self._execute_in_one_snapshot(task)
            self._sync()
            self._flush()
        except psycopg.Error as error:
            self.close(error, tasks)

    def _execute_in_one_snapshot(self, task: _Task) -> None:
        """In a transaction, which must be the first of what is sent together; it ends even if a query fails."""
        self._sync()
        self._execute(None, *BEGIN)
        for statement, values in task.query:
            self._execute(task, statement, values)
        self._sync()
        self._execute(None, *COMMIT)
        self._sync()

    def _execute(self, task: _Task | None, statement: Statement, values: Any) -> None:
        if statement.name not in self._prepared:
            self._pgconn.send_prepare(statement.name, statement.sql)
            self._prepared.add(statement.name)
            self._sent.append((task, statement))
        self._pgconn.send_query_prepared(statement.name, statement.parameters_of(values), None, Format.BINARY)
        self._sent.append((task, None))

    def _sync(self) -> None:
        self._pgconn.pipeline_sync()
        self._sent.append((None, None))
        self.batches += 1

    def _flush(self) -> None:
        is_writing = bool(self._pgconn.flush())
        if is_writing != self._is_writing:
            self._is_writing = is_writing
            if is_writing:
                self._pipelines.loop.add_writer(self._socket, self._flush)
            else:
                self._pipelines.loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            self._pgconn.consume_input()
            self.answered_at = self._pipelines.answered_at = self._pipelines.loop.time()
            while self._sent and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is not None:
                    self._take(result)
                elif self._pgconn.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
        except psycopg.Error as error:
            self.close(error)

    def _take(self, result: PGresult) -> None:
        """``result`` is that of the oldest command whose result has not come yet."""
        if result.status == ExecStatus.PIPELINE_SYNC:
            self._sent.popleft()
            self.batches -= 1
            failed, self._failed = self._failed, {}
            if failed:
                self._pipelines.failed_together(failed)
            self._pipelines.send_soon()
            return
        owner, statement = self._sent.popleft()
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            if owner is not None and statement is None and owner not in self._failed:
                owner.results.append(Result(result, self.session))
                if len(owner.results) == len(owner.query):
                    self._pipelines.succeeded(owner)
            return
        if statement is not None:
            self._prepared.discard(statement.name)
        problem: DatabaseError | None = None  # the batch was given up because of another query
        if result.status != ExecStatus.PIPELINE_ABORTED:
            cause = error_of(result)
            if isinstance(cause, _ENDS) or cause.sqlstate is None:
                self._sent.appendleft((owner, statement))
                raise cause
            if isinstance(cause, OUTDATED):
                self._forget()
            if not isinstance(cause, OUTDATED) or (owner is not None and owner.repeats > CONNECTIONS):
                problem = _as_djangos(cause)
            elif owner is not None:
                owner.repeats += 1
        if owner is not None:
            self._failed.setdefault(owner, problem)

    def _forget(self) -> None:
        """Prepare all anew: a table has changed, or a pooler has led to another session."""
        if self._prepared:
            self._prepared.clear()
            self._pgconn.send_query_params(b"DEALLOCATE ALL", None)
            self._sent.append((None, None))
            self._sync()
            self._flush()

    def close(self, error: Exception, unsent: Iterable[_Task] = ()) -> None:
        """Give the connection up; what it has not answered, and the ``unsent``, is asked over another."""
        loop = self._pipelines.loop
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._pgconn.finish()
        tasks = (
            dict.fromkeys([task for task, _ in self._sent if task is not None]) | self._failed | dict.fromkeys(unsent)
        )
        self._sent.clear()
        self._pipelines.lost(self, list(tasks), _as_djangos(error))


def _own_settings() -> dict[str, str]:
    """The settings of Django's connections, with shorter limits.

    All that is read here is looked up. A plan made while a table was small must not read it all once it has grown.
    """
    limits = {"lock_timeout": MAX_LOCK_WAIT, "statement_timeout": MAX_STATEMENT_TIME}
    shorter = {name: min(most, int(settings.DATABASE_SESSION_SETTINGS[name])) for name, most in limits.items()}
    own = {"TimeZone": connections[DEFAULT_DB_ALIAS].timezone_name, "enable_seqscan": "off"}
    return own | {name: str(milliseconds) for name, milliseconds in shorter.items()}


class Pipelines:
    """The connections of a process that an event loop reads over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lines: list[_Line] = []
        self._waiting: deque[_Task] = deque()
        self._tasks: dict[_Task, None] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._next_attempt = 0.0
        self.answered_at = loop.time()
        """When the server last gave a sign."""
        self._is_sending_soon = self._is_expiring = False

    def read(self, reading: Reading[Any], done: Callable[[Any], None]) -> None:
        """Have ``done`` called with what ``reading`` returns, at once if it reads nothing."""
        self._go_on(_Task(reading, done, self.loop.time() + DEADLINE), lambda: next(reading))

    def _go_on(self, task: _Task, step: Callable[[], Query]) -> None:
        try:
            task.query = step()
        except StopIteration as end:
            self._finish(task, end.value)
        except Exception as error:
            logger.exception("A reading failed")
            self._finish(task, error)
        else:
            self._tasks[task] = None
            self._expire_later()
            self._waiting.append(task)
            self.send_soon()

    def _finish(self, task: _Task, value: Any) -> None:
        self._tasks.pop(task, None)
        try:
            task.done(value)
        except Exception:  # others' results are to be read on
            logger.exception("The outcome of a reading was not taken")

    def succeeded(self, task: _Task) -> None:
        if task in self._tasks:
            self._go_on(task, lambda: task.reading.send(task.results))

    def failed(self, task: _Task, error: DatabaseError | None) -> None:
        """The query failed with ``error``, or is to be sent anew."""
        if task not in self._tasks:
            return
        if error is None:
            self._waiting.append(task)
            self.send_soon()
        else:
            self._go_on(task, lambda: task.reading.throw(error))

    def failed_together(self, failed: dict[_Task, DatabaseError | None]) -> None:
        """As ``failed``; if one has waited for a lock in vain, all that read the same fail: they would wait in turn."""
        locked = {
            task.statements: error
            for task, error in failed.items()
            if error is not None and isinstance(error.__cause__, errors.LockNotAvailable)
        }
        waiting, self._waiting = self._waiting, deque()
        for task in [*failed, *waiting]:
            self.failed(task, failed.get(task) or locked.get(task.statements))

    def send_soon(self) -> None:
        """Send what is waiting, together with all that has come by the end of this turn of the loop."""
        if self._waiting and not self._is_sending_soon:
            self._is_sending_soon = True
            self.loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_sending_soon = False
        now = self.loop.time()
        self.connect()
        if not self._lines and self._connecting is None:
            self._fail_all(OperationalError("the database cannot be reached"))
        while self._waiting:
            free = [line for line in self._lines if line.batches < MAX_BATCHES and not line.is_held_up(now)]
            if not free:
                break
            batch: list[_Task] = []
            while self._waiting and len(batch) < MAX_BATCH:
                task = self._waiting.popleft()
                if task in self._tasks:  # it has not expired
                    batch.append(task)
            if batch:
                free[0].send(batch)

    def connect(self) -> None:
        """Open a connection if one is lacking, unless the last attempt has just failed."""
        if len(self._lines) < CONNECTIONS and self._connecting is None and self.loop.time() >= self._next_attempt:
            self._connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
            del parameters["cursor_factory"]  # Django's, which waits
            async with asyncio.timeout(DEADLINE):
                session = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
                await session_settings.require_in_loop(session, _own_settings())
                await session.execute("DEALLOCATE ALL")  # a pooler's session may have prepared others
        except Exception as error:
            if not isinstance(error, psycopg.Error | OSError):
                logger.exception("The database cannot be connected to")
            self._connecting = None
            self._next_attempt = self.loop.time() + BACKOFF
            if not isinstance(error, TimeoutError):
                self.answered_at = self.loop.time()
            if not self._lines:
                self._fail_all(_as_djangos(error))
            return
        self._connecting = None
        self.answered_at = self.loop.time()
        cache.clear()  # it may be another server
        self._lines.append(_Line(self, session))
        self.connect()
        self.send_soon()

    def lost(self, line: _Line, tasks: list[_Task], error: DatabaseError) -> None:
        """``line`` is closed; ``tasks`` have had no answer."""
        self._lines.remove(line)
        for task in tasks:
            task.repeats += 1
            self.failed(task, error if task.repeats > CONNECTIONS else None)

    def _fail_all(self, error: DatabaseError) -> None:
        tasks, self._waiting = self._waiting, deque()
        for task in tasks:
            self.failed(task, error)

    def _expire(self) -> None:
        """Fail what is over its deadline, and give up the connections that are silent."""
        now = self.loop.time()
        for line in list(self._lines):
            if line.batches and now - line.answered_at > DEADLINE:
                line.close(OperationalError("the database does not answer"))
        patience = 0 if now - self.answered_at > SILENCE else LONGEST - DEADLINE
        for task in [task for task in self._tasks if task.deadline + patience <= now]:
            self.failed(task, OperationalError("the database did not answer in time"))
        self._is_expiring = False
        if self._tasks:
            self._expire_later()
            self.send_soon()

    def _expire_later(self) -> None:
        if not self._is_expiring:
            self._is_expiring = True
            self.loop.call_later(0.1, self._expire)

    def close(self) -> None:
        """Close all connections; what is under way fails."""
        if self._connecting is not None:
            self._connecting.cancel()
        self._next_attempt = float("inf")
        for line in list(self._lines):
            line.close(InterfaceError("the connections were closed"))


def _as_djangos(error: Exception) -> DatabaseError:
    """``error`` of psycopg as Django's exception of the same name."""
    wrap = connections[DEFAULT_DB_ALIAS].wrap_database_errors
    try:
        with wrap:
            raise error
    except DatabaseError as wrapped:
        return wrapped
    except Exception as other:
        return OperationalError(str(other))

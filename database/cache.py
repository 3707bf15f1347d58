"""A process's cache of the database between requests, which never gives a stale answer.

Triggers log every change of data that may be cached (``database.triggers.invalidates``). A request that uses the cache
reads, in the very statement that it needs anyway, the changes that this process has not applied yet (``CHANGES``); the
values that they name are evicted (``apply``) before anything cached is used. A statement sees the log of just the
transactions whose changes it sees, so everything left in the cache is as the statement itself would have found it.

A later snapshot sees more than an earlier one: the work of the transactions that were running at the earlier one, and
of those from its xmax on. So the next statement reads the changes of just these transactions. The ids of log rows do
not help: a transaction may log a change long before it commits. A value is cached with the moment at which it was read
(``as_of``): if another thread has applied a change since, it is not cached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from database.prepared import Result
from database.triggers import Kind

MAX_CHANGES = 1000
CHANGES = f"""
    SELECT
        pg_current_snapshot()::text AS snapshot,
        own.transaction::text AS own_transaction,
        max(change.own_id)::text AS own_id,
        CASE
            WHEN count(*) < {MAX_CHANGES} THEN string_agg(change.kind || ':' || change.key, ',') ELSE 'everything:0'
        END AS entries
    FROM (SELECT pg_current_xact_id_if_assigned() AS transaction OFFSET 0) own
    LEFT JOIN LATERAL (
        (
            SELECT kind, key, NULL::bigint AS own_id FROM database_invalidation
            WHERE transaction >= %(since)s::xid8 AND transaction < pg_snapshot_xmax(pg_current_snapshot())
                AND transaction IS DISTINCT FROM own.transaction
            ORDER BY transaction LIMIT {MAX_CHANGES}
        )
        UNION ALL
        (
            SELECT kind, key, NULL FROM database_invalidation
            WHERE transaction = ANY (%(running)s::xid8[]) AND transaction IS DISTINCT FROM own.transaction
            LIMIT {MAX_CHANGES}
        )
        UNION ALL
        SELECT kind, key, id FROM database_invalidation
        WHERE transaction = own.transaction AND id + 0 > %(own_id)s::bigint
    ) change ON true
    GROUP BY own.transaction
"""
"""One row, to select from: its columns are the fields of ``Changes``.

The limits, and an expression in the place of ``id``, let PostgreSQL use the index by transaction. No transaction of
this server is as new as xmax or newer, but log rows that came with a dump of another server may be. A transaction that
reads the changes that it has made itself, as an admin page may, reads each of them once.
"""

LONGEST_GAP = 600
"""Seconds without a request after which a process evicts everything, rather than read the whole log since."""


class Cacheable(Protocol):
    """A value that can be in a cache."""

    is_current: bool
    """False once it has been evicted, or could not be cached: later changes would not reach it."""

    @property
    def deployment_id(self) -> int:
        """Whose contents it is part of."""


Value = TypeVar("Value", bound=Cacheable)


class Cache(Generic[Value]):
    """Values of one kind by their ids (decimal digits, in ASCII), of a bounded weight; first in, first out."""

    def __init__(
        self, kind: Kind | Literal["answer"], *, bound: int, weigh: Callable[[Value], int] = lambda _: 1
    ) -> None:
        self._values: dict[bytes, Value] = {}
        self._bound = bound
        self._weigh = weigh
        self._weight = 0
        self.get = self._values.get
        _caches.setdefault(kind, []).append(self)

    def put(self, key: bytes, value: Value, *, as_of: int) -> None:
        """Cache ``value``, unless a change has been applied since it was read."""
        with _lock:
            if as_of != _state.generation:
                value.is_current = False
                return
            self._evict(key)
            self._values[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._bound:
                self._evict(next(iter(self._values)))

    def _evict(self, key: bytes) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            value.is_current = False
            _state.evictions += 1  # last: a thread that sees it checks ``is_current``
            self._weight -= self._weigh(value)

    def _clear(self, deployment_id: int | None = None) -> None:
        """Evict all values, or those of a deployment."""
        for key, value in list(self._values.items()):
            if deployment_id is None or value.deployment_id == deployment_id:
                self._evict(key)


class Changes(NamedTuple):
    """The row of ``CHANGES``, as text."""

    snapshot: bytes
    """In PostgreSQL's notation: xmin, xmax and the running transactions between them."""
    own_transaction: bytes | None
    """The id of the transaction that reads, if it has one. It may log more changes, but its snapshot leaves it out."""
    own_id: bytes | None
    """The id of its own newest log row."""
    entries: bytes | None
    """The changes, as kind:key with commas between; None if there are none."""

    @classmethod
    def of(cls, row: Result) -> Changes:
        """The changes in a row that begins with the columns of ``CHANGES``."""
        return cls(row[0] or b"", *(row[column] for column in range(1, len(cls._fields))))


class LogPosition(NamedTuple):
    """The transactions whose changes are still to be read from the log of one database server."""

    server_epoch: int
    """Counts the servers: each new connection may lead to another."""
    since: bytes
    """The first transaction id of those whose changes are all to be read."""
    running: bytes
    """Older ones besides, with commas between them, in braces: an array in PostgreSQL's notation."""
    own_id: bytes
    """The newest log row that a transaction has read of its own."""


_BEGINNING = b"%d" % (2**64 - 1)
"""No transaction is that new: nothing is read, and so everything is evicted."""
OVERTAKEN = -1
"""The ``as_of`` of a statement that may have seen less than another thread's, or more: uncommitted changes."""


class _State:
    """The state that all caches of the process share. ``generation`` counts the changes that were applied."""

    position = LogPosition(0, _BEGINNING, b"{}", b"0")
    horizon = (0, 0, 0)
    generation = 0
    evictions = 0
    applied_at = time.monotonic()


_lock = Lock()
_state = _State()
_caches: dict[str, list[Cache]] = {}


class LogRead(NamedTuple):
    """A statement that is about to read the log from ``position`` on."""

    position: LogPosition
    generation: int

    @property
    def values(self) -> dict[str, bytes]:
        """The parameters of ``CHANGES``."""
        return {"since": self.position.since, "running": self.position.running, "own_id": self.position.own_id}


def begin() -> LogRead:
    """To be called before a statement that includes ``CHANGES``."""
    with _lock:
        return LogRead(_state.position, _state.generation)


def as_of_now() -> int:
    """The ``as_of`` for ``Cache.put`` of values that a statement without ``CHANGES`` reads after this call."""
    return _state.generation


def evictions() -> int:
    """The number of evictions: as long as it is the same, values that were current still are."""
    return _state.evictions


def apply(log: LogRead, changes: Changes) -> int:
    """Evict the values that ``changes`` name.

    Returns the ``as_of`` of the statement's other results: see ``holds`` and ``Cache.put``.
    """
    xmin, xmax, running = changes.snapshot.split(b":")
    horizon = (int(xmax), int(xmin), -len(running))
    position = log.position
    with _lock:
        now = time.monotonic()
        generation = _state.generation
        # Nothing is read of the log from the beginning: cached values may have changed since.
        if position.since == _BEGINNING or now - _state.applied_at > LONGEST_GAP:
            _evict_everything()
        elif changes.entries:
            _evict_changed(changes.entries)
        # A transaction that has written may roll back, which the log does not show.
        if changes.own_transaction:
            return OVERTAKEN
        # A hot standby lists no running transactions, though there may be some from xmin on; elsewhere the two are the
        # same if there are none.
        is_vague = not running and xmin != xmax
        # Of two threads, the one whose statement saw less may come last; and a statement from the beginning has
        # not seen the changes that another thread has applied.
        if (
            horizon < _state.horizon
            or (is_vague and log.generation != generation)
            or (position.since == _BEGINNING and position != _state.position)
            or position.server_epoch != _state.position.server_epoch
        ):
            return OVERTAKEN
        _state.applied_at = now
        _state.horizon = horizon
        since = xmax if running else xmin
        _state.position = LogPosition(
            position.server_epoch, since, b"{%b}" % running, changes.own_id or position.own_id
        )
        return _state.generation


def holds(as_of: int) -> bool:
    """Whether the cache is as it was then: no thread has applied a change since."""
    return as_of == _state.generation


def clear(**signal: Any) -> None:
    """Evict everything: a new connection may lead to another server, or to the same one with less on it."""
    with _lock:
        _evict_everything()
        _state.position = LogPosition(_state.position.server_epoch + 1, _BEGINNING, b"{}", b"0")
        _state.horizon = (0, 0, 0)


def _evict_changed(entries: bytes) -> None:
    _state.generation += 1
    for entry in entries.split(b","):
        kind, _, key = entry.partition(b":")
        if kind == b"everything":
            _evict_everything()
        elif kind == b"contents":
            _evict_contents(int(key))
        for cache in _caches.get(kind.decode(), ()):
            cache._evict(key)


def _evict_contents(deployment_id: int) -> None:
    for kind, caches in _caches.items():
        for cache in caches:
            if kind != "deployment":
                cache._clear(deployment_id)


def _evict_everything() -> None:
    _state.generation += 1
    for caches in _caches.values():
        for cache in caches:
            cache._clear()

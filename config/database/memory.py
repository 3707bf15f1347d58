"""What a process remembers of the database between requests, without ever giving a stale answer.

Triggers note every change of what may be remembered (``config.database.triggers.noted``). A request that uses the
memory reads, in the very statement that it needs anyway, the notes that this process has not heard of (``NEWS``); what
they name is forgotten (``hear``) before anything remembered is used. A statement sees the notes of just the
transactions whose changes it sees, so what remains in the memory is what the statement itself would have found.

What a later snapshot can see and an earlier one could not is the work of the transactions that were running at the
earlier one, and of those from its xmax on. So these are the transactions whose notes the next statement reads. The ids
of notes say nothing about it: a transaction may write a note long before it commits. Whoever remembers something says
as of when it was read (``as_of``): if another thread has applied a change since, it is not remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from config.database.triggers import Kind

MOST_NEWS = 1000
NEWS = f"""
    SELECT
        pg_current_snapshot()::text AS snapshot,
        own.transaction::text AS own_transaction,
        max(note.own_id)::text AS own_id,
        CASE
            WHEN count(*) < {MOST_NEWS} THEN string_agg(note.kind || ':' || note.key, ',') ELSE 'everything:0'
        END AS notes
    FROM (SELECT pg_current_xact_id_if_assigned() AS transaction OFFSET 0) own
    LEFT JOIN LATERAL (
        (
            SELECT kind, key, NULL::bigint AS own_id FROM config_invalidation
            WHERE transaction >= %(since)s::xid8 AND transaction < pg_snapshot_xmax(pg_current_snapshot())
                AND transaction IS DISTINCT FROM own.transaction
            ORDER BY transaction LIMIT {MOST_NEWS}
        )
        UNION ALL
        (
            SELECT kind, key, NULL FROM config_invalidation
            WHERE transaction = ANY (%(running)s::xid8[]) AND transaction IS DISTINCT FROM own.transaction
            LIMIT {MOST_NEWS}
        )
        UNION ALL
        SELECT kind, key, id FROM config_invalidation
        WHERE transaction = own.transaction AND id > %(own_id)s::bigint
    ) note ON true
    GROUP BY own.transaction
"""
"""One row, to select from: the columns are the fields of ``News``.

The limits let PostgreSQL expect few rows, and use the index. No transaction of this server is as new as xmax or newer,
but notes that came with a dump of another server may be. A transaction that reads its own notes, as an admin page may,
reads each of them once.
"""

LONGEST_SILENCE = 600
"""Seconds without a request after which a process forgets everything, rather than read all the notes since."""


class Remembered(Protocol):
    """Something that can be in a memory."""

    is_current: bool


Value = TypeVar("Value", bound=Remembered)


class Memory(Generic[Value]):
    """Things of one kind by their ids (decimal digits, in ASCII), of a bounded weight; who comes first goes first.

    A thing that goes, for whatever reason, is marked as no longer current: nobody would hear of its changes.
    """

    def __init__(
        self, kind: Kind | Literal["answer"], *, bound: int, weigh: Callable[[Value], int] = lambda _: 1
    ) -> None:
        self._things: dict[bytes, Value] = {}
        self._bound = bound
        self._weigh = weigh
        self._weight = 0
        self.get = self._things.get
        _memories.setdefault(kind, []).append(self)

    def remember(self, key: bytes, value: Value, *, as_of: int) -> None:
        """Keep ``value``, unless anything was heard since it was read."""
        with _lock:
            self._forget(key)
            if as_of != _heard.generation:
                value.is_current = False
                return
            self._things[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._bound:
                self._forget(next(iter(self._things)))

    def _forget(self, key: bytes) -> None:
        value = self._things.pop(key, None)
        if value is not None:
            value.is_current = False
            _heard.losses += 1  # last: who sees it looks at what is current
            self._weight -= self._weigh(value)

    def _clear(self) -> None:
        for key in list(self._things):
            self._forget(key)


class News(NamedTuple):
    """What the columns of ``NEWS`` hold, as text."""

    snapshot: bytes
    """In PostgreSQL's notation: xmin, xmax and the running transactions between them."""
    own_transaction: bytes | None
    """The id of the transaction that reads, if it has one. It may write more notes, but its snapshot leaves it out."""
    own_id: bytes | None
    """The id of the newest note of its own."""
    notes: bytes | None


class Position(NamedTuple):
    """Which transactions' notes are still to be read, on one database server: an era is the time on that."""

    era: int
    since: bytes
    """The first transaction id of those that are all to be read."""
    running: bytes
    """Older ones besides, with commas between them, in braces: an array in PostgreSQL's notation."""
    own_id: bytes
    """The newest note that a transaction has read of its own."""


_BEGINNING = b"%d" % (2**64 - 1)
"""Is told nothing: whoever hears that forgets everything."""
OVERTAKEN = -1
"""The ``as_of`` of what a statement has read that saw less than another thread's."""


class _Heard:
    """The state that all memories of the process share.

    ``generation`` counts what was heard of, ``losses`` what went.
    """

    position = Position(0, _BEGINNING, b"{}", b"0")
    horizon = (0, 0, 0)
    generation = 0
    losses = 0
    at = time.monotonic()


_lock = Lock()
_heard = _Heard()
_memories: dict[str, list[Memory]] = {}


class Question(NamedTuple):
    """Asks for the news since ``position``; to be given to ``hear`` with the answer."""

    position: Position
    as_of: int

    @property
    def values(self) -> dict[str, bytes]:
        """Those of the parameters of ``NEWS``."""
        return {"since": self.position.since, "running": self.position.running, "own_id": self.position.own_id}


def ask() -> Question:
    with _lock:
        return Question(_heard.position, _heard.generation)


def as_of_now() -> int:
    """For ``Memory.remember``: what is read after this call, without asking for news."""
    return _heard.generation


def losses() -> int:
    """How many things are no longer current: as long as that is the same, those that are current still are."""
    return _heard.losses


def hear(question: Question, news: News) -> int:
    """Forget what ``news`` names.

    Returns ``as_of`` of what the same statement has read: see ``holds`` and ``Memory.remember``.
    """
    xmin, xmax, running = news.snapshot.split(b":")
    horizon = (int(xmax), int(xmin), -len(running))
    position = question.position
    with _lock:
        now = time.monotonic()
        # Who asked at the beginning was told nothing: what is remembered may have changed since it was read.
        if position.since == _BEGINNING or now - _heard.at > LONGEST_SILENCE:
            _forget_everything()
        elif news.notes:
            _forget_noted(news.notes)
        _heard.at = now
        # Of two threads, the one whose statement saw less may come last; and who asked at the beginning knows nothing
        # of what another thread has heard.
        if position != _heard.position and (
            position.era != _heard.position.era or position.since == _BEGINNING or horizon < _heard.horizon
        ):
            return OVERTAKEN
        _heard.horizon = horizon
        # A hot standby lists no running transactions, though there may be some from xmin on; elsewhere the two are the
        # same if there are none.
        since = xmax if running else xmin
        unfinished = [ids for ids in (running, news.own_transaction) if ids]
        _heard.position = Position(position.era, since, b"{%b}" % b",".join(unfinished), news.own_id or position.own_id)
        return _heard.generation


def holds(as_of: int) -> bool:
    """Whether all that is remembered is as it was then: no thread has heard of a change since."""
    return as_of == _heard.generation


def begin_anew(**signal: Any) -> None:
    """Remember nothing: a new connection may lead to another server, or to the same with less on it."""
    with _lock:
        _forget_everything()
        _heard.position = Position(_heard.position.era + 1, _BEGINNING, b"{}", b"0")
        _heard.horizon = (0, 0, 0)


def _forget_noted(notes: bytes) -> None:
    _heard.generation += 1
    for note in notes.split(b","):
        kind, _, key = note.partition(b":")
        if kind == b"everything":
            _forget_everything()
        for memory in _memories.get(kind.decode(), ()):
            memory._forget(key)


def _forget_everything() -> None:
    _heard.generation += 1
    for memories in _memories.values():
        for memory in memories:
            memory._clear()

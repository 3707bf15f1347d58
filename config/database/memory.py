"""What a process remembers of the database between requests, without ever giving a stale answer.

Triggers note every change of what may be remembered (``config.database.triggers.noted``). A request that uses the
memory reads, in the very statement that it needs anyway, the notes that this process has not heard of (``NEWS``); what
they name is forgotten (``hear``) before anything remembered is used. A statement sees the notes of just the
transactions whose changes it sees, so what remains in the memory is what the statement itself would have found.

A process knows which notes it has heard by the highest of their ids, and by the transactions that were under way then:
those may yet commit notes of lower ids. Whoever remembers something says as of when it was read (``as_of``): if another
thread has heard of a change since, it is not remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from config.database.triggers import Kind

MOST_NEWS = 1000
NEWS = f"""
    (SELECT coalesce(max(id), 0) FROM config_invalidation),
    pg_current_snapshot()::text,
    (
        SELECT CASE
            WHEN count(*) < {MOST_NEWS} THEN string_agg(note.kind || ':' || note.key, ',') ELSE 'everything:0'
        END
        FROM (
            (
                SELECT kind, key FROM config_invalidation
                WHERE id > %(heard_id)s::bigint ORDER BY id LIMIT {MOST_NEWS}
            )
            UNION ALL
            SELECT kind, key FROM config_invalidation WHERE transaction = ANY (%(heard_pending)s::xid8[])
        ) note
    )
"""
"""Three columns to select: what ``hear`` takes. The limit lets PostgreSQL expect few rows, and use the index."""

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


class Position(NamedTuple):
    """Up to where the notes have been heard, on one database server: an era is the time on that."""

    era: int
    heard_id: int
    heard_pending: bytes
    """Transaction ids with commas between them, in braces: an array in PostgreSQL's notation."""


_BEGINNING = 2**63 - 1
"""Is told nothing: whoever hears that forgets everything."""


class _Heard:
    """The state that all memories of the process share.

    ``generation`` counts what was heard of, ``losses`` what went.
    """

    position = Position(0, _BEGINNING, b"{}")
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
        return {"heard_id": b"%d" % self.position.heard_id, "heard_pending": self.position.heard_pending}


def ask() -> Question:
    with _lock:
        return Question(_heard.position, _heard.generation)


def as_of_now() -> int:
    """For ``Memory.remember``: what is read after this call, without asking for news."""
    return _heard.generation


def losses() -> int:
    """How many things are no longer current: as long as that is the same, those that are current still are."""
    return _heard.losses


def hear(question: Question, newest_id: int, snapshot: str, notes: str | None) -> int:
    """Forget what the columns of ``NEWS`` name.

    Returns ``as_of``, for ``Memory.remember``, of what the same statement has read.
    """
    oldest_pending, first_unknown, pending = snapshot.split(":")
    horizon = (int(first_unknown), int(oldest_pending), -len(pending))
    position = question.position
    with _lock:
        is_first_to_hear = question.as_of == _heard.generation
        now = time.monotonic()
        # Who asked at the beginning was told nothing: what is remembered may have changed since it was read.
        if position.heard_id == _BEGINNING or now - _heard.at > LONGEST_SILENCE:
            _forget_everything()
        elif notes:
            _forget_noted(notes)
        _heard.at = now
        # Of two threads, the one whose statement saw less may come last; and who asked at the beginning knows nothing
        # of what another thread has heard.
        if position == _heard.position or (
            position.era == _heard.position.era and position.heard_id != _BEGINNING and horizon >= _heard.horizon
        ):
            _heard.horizon = horizon
            _heard.position = Position(position.era, newest_id, b"{%b}" % pending.encode())
        return _heard.generation if is_first_to_hear else question.as_of


def begin_anew(**signal: Any) -> None:
    """Remember nothing: a new connection may lead to another server, or to the same with less on it."""
    with _lock:
        _forget_everything()
        _heard.position = Position(_heard.position.era + 1, _BEGINNING, b"{}")
        _heard.horizon = (0, 0, 0)


def _forget_noted(notes: str) -> None:
    _heard.generation += 1
    for note in notes.split(","):
        kind, _, key = note.partition(":")
        if kind == "everything":
            _forget_everything()
        for memory in _memories.get(kind, ()):
            memory._forget(key.encode())


def _forget_everything() -> None:
    _heard.generation += 1
    for memories in _memories.values():
        for memory in memories:
            memory._clear()

"""Writes at a given rate, by a process of its own: what others change while somebody polls."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

WRITERS = 4
"""Connections that share the changes of memberships."""

_CHANGE = """
    UPDATE memberships_workspacemembership SET public_metadata = jsonb_build_object('number', %(number)s::int)
    WHERE id = %(id)s
"""
_GIVE = """
    INSERT INTO memberships_workspacemembershiprole (membership_id, role_id) VALUES (%(id)s, %(role)s)
    ON CONFLICT DO NOTHING
"""
_TAKE = "DELETE FROM memberships_workspacemembershiprole WHERE membership_id = %(id)s AND role_id = %(role)s"
_LEAVE = (
    "DELETE FROM memberships_workspacemembership WHERE id = %(id)s RETURNING user_id, organization_id, workspace_id"
)
_JOIN = """
    INSERT INTO memberships_workspacemembership (user_id, organization_id, workspace_id) VALUES (%s, %s, %s)
    RETURNING id
"""
_RENAME = "UPDATE organizations_segment SET name = concat('Segment ', %(number)s::int) WHERE id = %(segment)s"


class Rates(NamedTuple):
    """Commits a second: changes of memberships, and of a segment's name."""

    memberships: int = 0
    renames: int = 0


class Rows(NamedTuple):
    """The rows to change: memberships, a role that each of them may be given, a segment."""

    memberships: list[int]
    role: int
    segment: int


@contextmanager
def writing(url: str, rates: Rates, rows: Rows) -> Iterator[Any]:
    """Write until the block ends; gives a counter whose ``value`` is the number of commits so far.

    Raises ``RuntimeError`` if a writer has failed.
    """
    spawn = multiprocessing.get_context("spawn")
    commits, stop = spawn.Value("L", 0), spawn.Event()
    process = spawn.Process(target=_write, args=(url, rates, rows, commits, stop), daemon=True)
    process.start()
    try:
        while not commits.value and process.is_alive():
            time.sleep(0.05)
        yield commits
    finally:
        stop.set()
        process.join()
    if process.exitcode:
        raise RuntimeError("A writer has failed.")


def _write(url: str, rates: Rates, rows: Rows, commits: Any, stop: Any) -> None:
    def at_rate(rate: float, change: Callable[[psycopg.Connection, int], object]) -> None:
        # The question is not how fast this machine's disk is.
        with psycopg.connect(url, autocommit=True, options="-c synchronous_commit=off") as connection:
            begin = time.monotonic()
            for number in itertools.count():
                if stop.wait(max(0.0, begin + number / rate - time.monotonic())):
                    return
                change(connection, number)
                with commits.get_lock():
                    commits.value += 1

    def rename(connection: psycopg.Connection, number: int) -> None:
        connection.execute(_RENAME, {"number": number, "segment": rows.segment})

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        running = []
        if rates.memberships:
            owners = [_Owner(rows.memberships[index::WRITERS], rows.role, index) for index in range(WRITERS)]
            running += [threads.submit(at_rate, rates.memberships / WRITERS, owner.change) for owner in owners]
        if rates.renames:
            running.append(threads.submit(at_rate, rates.renames, rename))
    for done in running:
        done.result()


@dataclass
class _Owner:
    """Changes memberships that nobody else changes."""

    ids: list[int]
    role: int
    seed: int
    away: list[tuple[int, int, int]] = field(default_factory=list)
    """User, organization and workspace of those who have left."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def change(self, connection: psycopg.Connection, number: int) -> None:
        """Of ten changes seven are of a membership's metadata, two of its roles; in one somebody leaves or joins."""
        index = self._chance.randrange(len(self.ids))
        values = {"id": self.ids[index], "number": number, "role": self.role}
        kind = self._chance.random()
        if kind < 0.7:
            connection.execute(_CHANGE, values)
        elif kind < 0.9:
            connection.execute(self._chance.choice([_GIVE, _TAKE]), values)
        elif self.away:
            self.ids.append(_only_row(connection.execute(_JOIN, self.away.pop()))[0])
        else:
            self.away.append(_only_row(connection.execute(_LEAVE, values)))
            del self.ids[index]


def _only_row(cursor: psycopg.Cursor[Any]) -> Any:
    (row,) = cursor.fetchall()
    return row

"""All targets side by side: in short rounds in turn, so that what else the machine does meets them all alike."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import floor, load
from benchmarks.data import PATH, Data, Member
from benchmarks.load import Load
from benchmarks.servers import Postgres, Server, running, seconds_between

OURS = "rollcall"
UNCHANGED = "rollcall-304"
PEERS = ["textbook-drf", "fastapi-asyncpg"]
FLOOR = "postgres-floor"
TARGETS = [OURS, UNCHANGED, *PEERS, FLOOR]

COUNTED = 100
"""Requests by which the database round trips of one are counted, at the smallest size: they don't depend on it."""
SETTLED = 11
"""Seconds after which a PostgreSQL backend that has nothing to do has reported all its transactions."""

Row = dict[str, Any]
Say = Callable[[str], None]


class DifferentAnswersError(Exception):
    """A peer does not give what we give."""


@dataclass(frozen=True)
class Round:
    load: Load
    cpu_ms: float | None


class Comparison:
    """The running targets, on one database."""

    def __init__(self, data: Data, servers: dict[str, Server], postgres: Postgres, *, connections: int) -> None:
        self.data = data
        self.servers = servers
        self.postgres = postgres
        self.connections = connections

    def server_of(self, target: str) -> Server | None:
        return self.servers.get(OURS if target == UNCHANGED else target)

    def check(self, members: Sequence[Member]) -> None:
        """Raise ``DifferentAnswersError`` unless every peer gives each of ``members`` what we give."""
        for member in members:
            ours = json.loads(fetch(self.servers[OURS], member).body)
            for peer in self.servers:
                if json.loads(fetch(self.servers[peer], member).body) != ours:
                    raise DifferentAnswersError(f"{peer} answers otherwise in session {member.session_id}")

    def run(self, target: str, members: Sequence[Member], *, seconds: float) -> Round:
        """One round of ``target``: its load, and the processor time per request of it and of PostgreSQL."""
        server = self.server_of(target)
        before = self._cpu(server)
        if server is None:
            loaded = floor.run(
                self.data, members, connections=self.connections, seconds=seconds, body_bytes=self._body_bytes(members)
            )
        else:
            loaded = load.run(
                server.port, self._requests(target, members), connections=self.connections, seconds=seconds
            )
        used = seconds_between(before, self._cpu(server))
        return Round(loaded, None if used is None else used / loaded.requests * 1e3)

    def queries(self, target: str, members: Sequence[Member]) -> float | None:
        """Database round trips of a request in a warm server, as PostgreSQL counts transactions; None for the floor."""
        server = self.server_of(target)
        if server is None:
            return None
        requests = self._requests(target, members)
        counts = []
        for number in (5 * COUNTED, COUNTED):
            load.run(server.port, requests, connections=self.connections, number=number)
            time.sleep(SETTLED)
            counts.append(self.postgres.transactions())
        return round((counts[1] - counts[0]) / COUNTED, 1)

    def _cpu(self, server: Server | None) -> list[float | None]:
        return [self.postgres.cpu_seconds(), *([] if server is None else [server.cpu_seconds()])]

    def _requests(self, target: str, members: Sequence[Member]) -> list[load.Request]:
        if target != UNCHANGED:
            return [member.request() for member in members]
        return [member.request(etag=fetch(self.servers[OURS], member).etag) for member in members]

    def _body_bytes(self, members: Sequence[Member]) -> int:
        server = self.servers.get("fastapi-asyncpg", self.servers[OURS])
        return round(statistics.mean(len(fetch(server, member).body) for member in members))


@dataclass(frozen=True)
class Reply:
    body: bytes
    etag: str


def fetch(server: Server, member: Member) -> Reply:
    """The answer to ``member``, which must be a 200."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", PATH, headers={"Host": member.host, "Cookie": f"__session={member.token}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise DifferentAnswersError(f"{server.name} answers {response.status}: {body[:300]!r}")
    return Reply(body, response.headers.get("ETag", ""))


@contextmanager
def comparison(data: Data, targets: Sequence[str], *, connections: int) -> Iterator[Comparison]:
    """``targets`` and ourselves, running."""
    with ExitStack() as stack:
        postgres = Postgres(data.url)
        stack.callback(postgres.close)
        servers = {
            name: stack.enter_context(running(name, env=data.env))
            for name in (OURS, *PEERS)
            if name == OURS or name in targets
        }
        yield Comparison(data, servers, postgres, connections=connections)


def compare(
    comparison: Comparison, targets: Sequence[str], *, sizes: Sequence[int], rounds: int, seconds: float, say: Say
) -> list[Row]:
    """The rows of ``benchmarks/results/latest.json``: of each target with each number of memberships, medians."""
    members = {size: comparison.data.members(size) for size in sizes}
    for size in sizes:
        comparison.check(members[size])
    say("All peers give the same answers as Rollcall.")
    queries = {target: comparison.queries(target, members[min(sizes)]) for target in targets}
    rows = []
    for size in sizes:
        for target in targets:
            comparison.run(target, members[size], seconds=min(1.0, seconds))
        done: dict[str, list[Round]] = {target: [] for target in targets}
        for number in range(rounds):
            for index in range(len(targets)):
                target = targets[(number + index) % len(targets)]
                done[target].append(comparison.run(target, members[size], seconds=seconds))
        rows += [row_of(target, size, done[target]) | {"queries": queries[target]} for target in targets]
        say(
            f"{size} memberships: "
            + ", ".join(f"{row['target']} {row['rps']:.0f}/s" for row in rows if row["memberships"] == size)
        )
    for row in rows:
        server = comparison.server_of(row["target"])
        row["peak_memory_mb"] = None if server is None else round(server.peak_memory_mb())
        if server is None and floor.PGBENCH is None:
            row["note"] = "by asyncpg: there is no pgbench"
    return rows


def row_of(target: str, memberships: int, rounds: Sequence[Round]) -> Row:
    """The medians of ``rounds``; times in milliseconds, of which ``cpu_ms`` is processor time."""
    loads = [one.load for one in rounds]
    cpu = [one.cpu_ms for one in rounds if one.cpu_ms is not None]
    return {
        "target": target,
        "memberships": memberships,
        "rps": round(statistics.median(one.rps for one in loads), 1),
        "p50_ms": round(statistics.median(one.percentile_ms(50) for one in loads), 2),
        "p99_ms": round(statistics.median(one.percentile_ms(99) for one in loads), 2),
        "cpu_ms": round(statistics.median(cpu), 3) if cpu else None,
        "bytes": round(statistics.median(one.body_bytes / one.requests for one in loads)),
        "rounds": [round(one.rps, 1) for one in loads],
    }

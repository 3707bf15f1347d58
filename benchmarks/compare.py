"""All targets side by side: in short rounds in turn, so that what else the machine does meets them all alike."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import floor, load
from benchmarks.data import IN_TWO_ORGANIZATIONS, Data, Member
from benchmarks.endpoints import ENDPOINTS, LIST, Endpoint, check_differences, difference
from benchmarks.load import Load, Unit
from benchmarks.servers import Postgres, Server, running, seconds_between

OURS = "rollcall"
UNCHANGED = "rollcall-304"
TEXTBOOK = "textbook-drf"
FASTAPI = "fastapi-asyncpg"
FASTAPI_UNCHANGED = "fastapi-asyncpg-304"
FLOOR = "postgres-floor"
SERVERS = [OURS, TEXTBOOK, FASTAPI]
TARGETS = [OURS, UNCHANGED, TEXTBOOK, FASTAPI, FLOOR]
"""For the list."""
SMALL_TARGETS = [OURS, UNCHANGED, FASTAPI, FASTAPI_UNCHANGED]
"""For the other endpoints, and for a tab."""

MANY = 64
"""Connections at which the time of answers is measured once more."""
COUNTED = 100
"""Requests by which the database round trips of one are counted, at the smallest size: they don't depend on it."""
SETTLED = 11
"""Seconds after which a PostgreSQL backend that has nothing to do has reported all its transactions."""

Row = dict[str, Any]
Say = Callable[[str], None]


class DifferentAnswersError(Exception):
    """A peer does not give what we give."""


@dataclass(frozen=True)
class Group:
    """The subject of a comparison; ``key`` is a part of the rows."""

    endpoint: Endpoint
    members: Sequence[Member]
    key: Row

    @property
    def name(self) -> str:
        return ", ".join([self.endpoint.name, *(f"{number} {name}" for name, number in self.key.items() if number)])


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
        """None for the floor."""
        return self.servers.get(target.removesuffix("-304"))

    def check(self, group: Group) -> None:
        """Raise ``DifferentAnswersError`` unless every peer that has the endpoint gives each member what we give."""
        targets = _targets_of(group.endpoint)
        peers = [server for name, server in self.servers.items() if name in targets and name != OURS]
        for path in group.endpoint.paths:
            minted = ENDPOINTS[path].minted
            for member in group.members:
                ours = fetch(self.servers[OURS], member, path).body
                for peer in peers:
                    if place := difference(fetch(peer, member, path).body, ours, minted):
                        raise DifferentAnswersError(
                            f"{peer.name} gives another {place} at {path} in session {member.session_id}"
                        )

    def offers(self, target: str, group: Group) -> bool:
        """Whether the target's answers have ETags that are good for a 304, if it is one that is asked for that."""
        server = self.server_of(target)
        if server is None or target in self.servers:
            return True
        member = group.members[0]
        replies = {path: fetch(server, member, path) for path in group.endpoint.paths}
        return all(
            reply.etag and fetch(server, member, path, etag=reply.etag).status == 304 for path, reply in replies.items()
        )

    def run(self, target: str, group: Group, *, seconds: float, connections: int | None = None) -> Round:
        """One round of ``target``."""
        server = self.server_of(target)
        if server is not None:
            return self.send(server, self._units(target, group), seconds=seconds, connections=connections)
        size = self._body_bytes(group)
        return self._measured(
            None,
            lambda: floor.run(
                self.data, group.members, connections=connections or self.connections, seconds=seconds, body_bytes=size
            ),
        )

    def send(
        self,
        server: Server,
        units: Sequence[Unit],
        *,
        seconds: float = 0,
        number: int = 0,
        connections: int | None = None,
    ) -> Round:
        """One round of ``units`` for ``seconds``, or of a ``number`` of them."""
        connections = connections or self.connections
        return self._measured(
            server, lambda: load.run(server.port, units, connections=connections, seconds=seconds, number=number)
        )

    def _measured(self, server: Server | None, run: Callable[[], Load]) -> Round:
        """With the processor time per unit that ``server`` and PostgreSQL take."""
        before = self._cpu(server)
        loaded = run()
        used = seconds_between(before, self._cpu(server))
        return Round(loaded, None if used is None else used / loaded.units * 1e3)

    def _cpu(self, server: Server | None) -> list[float | None]:
        """Seconds of processor time so far, of PostgreSQL and ``server``."""
        return [self.postgres.cpu_seconds(), *([] if server is None else [server.cpu_seconds()])]

    def _units(self, target: str, group: Group) -> list[Unit]:
        server = self.server_of(target)
        assert server is not None
        asks_again = target not in self.servers

        def etag(member: Member, path: str) -> str:
            return fetch(server, member, path).etag if asks_again else ""

        return [
            tuple(member.get(path, etag=etag(member, path)) for path in group.endpoint.paths)
            for member in group.members
        ]

    def _body_bytes(self, group: Group) -> int:
        server = self.servers.get(FASTAPI, self.servers[OURS])
        return round(statistics.mean(len(fetch(server, member, LIST).body) for member in group.members))

    def queries(self, asked: Sequence[tuple[str, Group]]) -> Iterator[float]:
        """Database round trips of a unit in a warm server, as PostgreSQL counts transactions, for each of ``asked``."""
        prepared = [(self.servers[target.removesuffix("-304")], self._units(target, group)) for target, group in asked]
        for server, units in prepared:
            self.send(server, units, number=5 * COUNTED)
        time.sleep(SETTLED)
        before = self.postgres.transactions()
        for server, units in prepared:
            self.send(server, units, number=COUNTED)
            time.sleep(SETTLED)
            after = self.postgres.transactions()
            yield round((after - before) / COUNTED, 1)
            before = after


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    etag: str


def fetch(server: Server, member: Member, path: str, *, etag: str = "") -> Reply:
    """The answer to ``member``, which must be a 200, or a 304 to an ``etag``."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Host": member.host, "Cookie": f"__session={member.token}"}
    connection.request("GET", path, headers=headers | ({"If-None-Match": etag} if etag else {}))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status not in (200, 304):
        raise DifferentAnswersError(f"{server.name} answers {response.status} at {path}: {body[:300]!r}")
    return Reply(response.status, body, response.headers.get("ETag", ""))


@contextmanager
def comparison(data: Data, targets: Sequence[str], *, connections: int) -> Iterator[Comparison]:
    """``targets`` and ourselves, running."""
    with ExitStack() as stack:
        postgres = Postgres(data.url)
        stack.callback(postgres.close)
        servers = {
            name: stack.enter_context(running(name, env=data.env))
            for name in SERVERS
            if name == OURS or name in targets
        }
        yield Comparison(data, servers, postgres, connections=connections)


def groups(data: Data, *, endpoints: Sequence[str], sizes: Sequence[int]) -> list[Group]:
    """The list for users with each of ``sizes``, the other endpoints and a tab for users in two organizations."""
    found = []
    if LIST in endpoints:
        found += [Group(ENDPOINTS[LIST], data.members(size), {"memberships": size}) for size in sizes]
    if others := [endpoint for endpoint in ENDPOINTS.values() if endpoint.name in endpoints and endpoint.name != LIST]:
        members = data.members_of_two_organizations()
        key = {"memberships": IN_TWO_ORGANIZATIONS, "organizations": 2}
        found += [Group(endpoint, members, key) for endpoint in others]
    return found


def compare(
    comparison: Comparison,
    groups: Sequence[Group],
    *,
    skip: Sequence[str],
    rounds: int,
    seconds: float,
    counts_queries: bool,
    say: Say,
) -> list[Row]:
    """The rows of ``benchmarks/results/latest.json``: of each target with each group, medians."""
    check_differences()
    for group in groups:
        comparison.check(group)
    say("All peers give the same answers as Rollcall.")
    plan: list[tuple[Group, list[str]]] = []
    for group in groups:
        wanted = [target for target in _targets_of(group.endpoint) if target.removesuffix("-304") not in skip]
        offered = [target for target in wanted if comparison.offers(target, group)]
        plan.append((group, offered))
        for target in wanted:
            if target not in offered:
                say(f"{group.name}: no row {target}, because the answers have no ETag that is good for a 304.")
    queries = _queries(comparison, plan) if counts_queries else {}
    rows = []
    for group, targets in plan:
        measured = _measure(comparison, group, targets, rounds=rounds, seconds=seconds)
        for row in measured:
            row["queries"] = queries.get((row["target"], row["endpoint"]))
        rows += measured
        say(f"{group.name}: " + ", ".join(f"{row['target']} {row['rps']:.0f}/s" for row in measured))
    for row in rows:
        server = comparison.server_of(row["target"])
        row["peak_memory_mb"] = None if server is None else round(server.peak_memory_mb())
    return rows


def _targets_of(endpoint: Endpoint) -> list[str]:
    return TARGETS if endpoint.name == LIST else SMALL_TARGETS


def _queries(comparison: Comparison, plan: list[tuple[Group, list[str]]]) -> dict[tuple[str, str], float]:
    """By target and endpoint: of every server for the list, of ours for the others."""
    asked: dict[tuple[str, str], Group] = {}
    for group, targets in plan:
        for target in targets:
            if target != FLOOR and (group.endpoint.name == LIST or target == OURS):
                asked.setdefault((target, group.endpoint.name), group)
    counts = comparison.queries([(target, group) for (target, _), group in asked.items()])
    return dict(zip(asked, counts, strict=True))


def _measure(comparison: Comparison, group: Group, targets: Sequence[str], *, rounds: int, seconds: float) -> list[Row]:
    for target in targets:
        comparison.run(target, group, seconds=min(1.0, seconds))
    done: dict[str, list[Round]] = {target: [] for target in targets}
    for number in range(rounds):
        for index in range(len(targets)):
            target = targets[(number + index) % len(targets)]
            done[target].append(comparison.run(target, group, seconds=seconds))
    rows = [row_of(target, group, done[target]) for target in targets]
    for row in rows:
        if row["target"] in (OURS, UNCHANGED):
            many = comparison.run(row["target"], group, seconds=seconds, connections=MANY).load
            row |= {f"p{percent}_ms_{MANY}": round(many.percentile_ms(percent), 2) for percent in (50, 99)}
    return rows


def row_of(target: str, group: Group, rounds: Sequence[Round]) -> Row:
    """The medians of ``rounds``; times in milliseconds, of which ``cpu_ms`` is processor time."""
    loads = [one.load for one in rounds]
    cpu = [one.cpu_ms for one in rounds if one.cpu_ms is not None]
    return {
        "target": target,
        "endpoint": group.endpoint.name,
        **group.key,
        "rps": round(statistics.median(one.rps for one in loads), 1),
        "p50_ms": round(statistics.median(one.percentile_ms(50) for one in loads), 2),
        "p99_ms": round(statistics.median(one.percentile_ms(99) for one in loads), 2),
        "cpu_ms": round(statistics.median(cpu), 3) if cpu else None,
        "bytes": round(statistics.median(one.body_bytes / one.units for one in loads)),
        "rounds": [round(one.rps, 1) for one in loads],
        "load": floor.NAME if target == FLOOR else load.NAME,
    }

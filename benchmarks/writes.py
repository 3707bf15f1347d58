"""The list while others write: how much of its throughput is left, and is an answer ever stale?"""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
import psycopg

from benchmarks.compare import OURS, UNCHANGED, Comparison, Group, Round, Row, fetch, groups, row_of
from benchmarks.data import Data, Member
from benchmarks.endpoints import LIST
from benchmarks.load import percentile
from benchmarks.report import Verdict
from benchmarks.servers import Server
from benchmarks.writing import Rates, Rows, writing

MEMBERSHIPS = 10
"""Of the users who poll."""
RATES = {
    "nothing": Rates(),
    "100 changes of memberships": Rates(memberships=100),
    "1,000 changes of memberships": Rates(memberships=1000),
    "10 renames of a segment of another deployment": Rates(renames=10),
}
TARGETS = [OURS, UNCHANGED]
GOALS = {"1,000 changes of memberships": 0.5, "10 renames of a segment of another deployment": 0.8}
"""The share of the throughput without writes that must be left."""
MIN_RATE = 0.9
"""The share of the writes that must come about, or nothing was measured."""
CHANGEABLE = 4000
"""Memberships that are changed."""
PAUSE = 0.1
"""Seconds between two changes of the witness."""

_WITNESS = """
    UPDATE memberships_workspacemembership SET public_metadata = jsonb_build_object('number', %(number)s::int)
    WHERE user_id = %(user)s
"""
_OTHERS = """
    SELECT membership.id FROM memberships_workspacemembership membership
    WHERE membership.user_id <> %(witness)s AND NOT EXISTS (
        SELECT 1 FROM memberships_organizationmembership polled
        WHERE polled.organization_id = membership.organization_id AND polled.user_id = ANY (%(polled)s)
    )
    ORDER BY hashint8(membership.id) LIMIT %(number)s
"""


@dataclass
class Seen:
    """The answers to the witness, a user who polls after each change of their own membership."""

    fresh_after: list[float] = field(default_factory=list)
    """Seconds from the return of each commit to the first answer that shows it."""
    stale: int = 0
    """Answers to requests sent after a commit had returned that did not show it."""


@contextmanager
def witness(url: str, server: Server, member: Member, seen: Seen) -> Iterator[None]:
    """Have ``member`` watch in the block."""
    stop = threading.Event()

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            number = 0
            while not stop.wait(PAUSE):
                number += 1
                connection.execute(_WITNESS, {"number": number, "user": member.user_id})
                committed_at = time.monotonic()
                while _shown(server, member) != number:
                    seen.stale += 1
                seen.fresh_after.append(time.monotonic() - committed_at)

    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch)
        try:
            yield
        finally:
            stop.set()
        watching.result()


def _shown(server: Server, member: Member) -> int:
    (item,) = orjson.loads(fetch(server, member, LIST).body)["data"]
    number: int = item["public_metadata"]["number"]
    return number


def changeable(data: Data, polling: Sequence[Member], witness: Member) -> Rows:
    """Memberships in organizations that nobody who polls is in, and a segment of another deployment."""
    from accounts.models import Deployment
    from organizations.models import Segment, WorkspaceRole

    other, _ = Deployment.objects.get_or_create(host="other.localhost", defaults={"name": "Another"})
    segment, _ = Segment.objects.get_or_create(deployment=other, type=Segment.Type.WORKSPACE)
    role = WorkspaceRole.objects.get(deployment=data.deployment_id, organization=None, workspace=None, name="Auditor")
    values = {
        "witness": witness.user_id,
        "polled": [member.user_id for member in polling],
        "number": CHANGEABLE,
    }
    with psycopg.connect(data.url) as connection:
        ids = [id_ for (id_,) in connection.execute(_OTHERS, values)]
    return Rows(ids, role.pk, segment.pk)


def measure(comparison: Comparison, *, rounds: int, seconds: float) -> list[Row]:
    """A row for each of ``RATES`` and ``TARGETS``, measured in turn."""
    data, server = comparison.data, comparison.servers[OURS]
    (group,) = groups(data, endpoints=[LIST], sizes=[MEMBERSHIPS])
    watching = data.members(1)[0]
    seen = {name: Seen() for name in RATES}
    commits: dict[str, list[float]] = defaultdict(list)
    done: dict[tuple[str, str], list[Round]] = defaultdict(list)
    for target in TARGETS:
        comparison.run(target, group, seconds=min(1.0, seconds))
    for _ in range(rounds):
        for name, rates in RATES.items():
            rows = changeable(data, group.members, watching)  # anew, as some have left and joined meanwhile
            with _written(data, rates, rows) as count, witness(data.url, server, watching, seen[name]):
                begin, before = time.monotonic(), count()
                for target in TARGETS:
                    done[name, target].append(comparison.run(target, group, seconds=seconds))
                commits[name].append((count() - before) / (time.monotonic() - begin))
    return [
        _row(group, target, name, done[name, target], statistics.median(commits[name]), seen[name])
        for target in TARGETS
        for name in RATES
    ]


@contextmanager
def _written(data: Data, rates: Rates, rows: Rows) -> Iterator[Callable[[], int]]:
    if rates == Rates():
        yield lambda: 0
        return
    with writing(data.url, rates, rows) as commits:
        yield lambda: int(commits.value)


def _row(group: Group, target: str, name: str, rounds: Sequence[Round], commits: float, seen: Seen) -> Row:
    return row_of(target, group, rounds) | {
        "writes": name,
        "commits_per_second": round(commits, 1),
        "changes_watched": len(seen.fresh_after),
        "stale": seen.stale,
        "fresh_p50_ms": round(percentile(seen.fresh_after, 50) * 1e3, 2),
        "fresh_p99_ms": round(percentile(seen.fresh_after, 99) * 1e3, 2),
    }


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield "| writes a second | committed | target | req/s | share | p50 ms | p99 ms | watched | stale | seen within |"
    yield f"|{'---|' * 10}"
    for row in rows:
        yield (
            f"| {row['writes']} | {row['commits_per_second']:.0f} | `{row['target']}` | {row['rps']:,.0f} "
            f"| {_share(rows, row):.2f} | {row['p50_ms']} | {row['p99_ms']} "
            f"| {row['changes_watched']} | {row['stale']} | {row['fresh_p99_ms']} |"
        )


def verdicts(rows: Sequence[Row]) -> Iterator[Verdict]:
    for row in rows:
        case = f"{row['target']} beside {row['writes']} a second"
        if (goal := GOALS.get(row["writes"])) is not None:
            share = _share(rows, row)
            yield Verdict(share >= goal, f"{case}: {share:.2f} of the throughput without (at least {goal})")
        if wanted := sum(RATES[row["writes"]]):
            rate = row["commits_per_second"]
            yield Verdict(rate >= MIN_RATE * wanted, f"{case}: {rate} committed (at least {MIN_RATE * wanted:g})")
    stale, watched = (sum(row[name] for row in rows if row["target"] == OURS) for name in ("stale", "changes_watched"))
    yield Verdict(stale == 0 and watched > 0, f"{stale} stale answers to the witness of {watched} changes (none)")


def _share(rows: Sequence[Row], row: Row) -> float:
    (without,) = (one for one in rows if one["target"] == row["target"] and RATES[one["writes"]] == Rates())
    return float(row["rps"] / without["rps"])

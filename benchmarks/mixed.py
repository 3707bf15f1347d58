"""A load that is not all hits: many different users in random order, and tokens that the server has not seen before."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks import load
from benchmarks.compare import FASTAPI, OURS, Comparison, Group, Round, Row, row_of
from benchmarks.data import Data, with_new_tokens
from benchmarks.endpoints import ENDPOINTS, LIST
from benchmarks.servers import seconds_between

USERS = 2000
FIRST_SEEN = 0.1
"""The share of requests whose token the server sees for the first time."""
TARGETS = [OURS, FASTAPI]


def group(data: Data) -> Group:
    members = data.members(None, limit=USERS)
    return Group(ENDPOINTS[LIST], members, {"memberships": None, "users": len(members), "first_seen": FIRST_SEEN})


def measure(comparison: Comparison, group: Group, targets: Sequence[str], *, rounds: int, seconds: float) -> list[Row]:
    """A row for each of ``targets``; every request is of a user whom chance picks."""
    chance = random.Random(1)  # noqa: S311
    size = {target: comparison.run(target, group, seconds=seconds).load.units for target in targets}
    done: dict[str, list[Round]] = {target: [] for target in targets}
    for number in range(rounds):
        for index in range(len(targets)):
            target = targets[(number + index) % len(targets)]
            done[target].append(_run(comparison, group, target, chance, number=size[target]))
    return [row_of(target, group, done[target]) | {"peak_memory_mb": None, "queries": None} for target in targets]


def _run(comparison: Comparison, group: Group, target: str, chance: random.Random, *, number: int) -> Round:
    server = comparison.servers[target]
    picked = chance.choices(group.members, k=number)
    fresh = with_new_tokens(picked[: round(number * FIRST_SEEN)])
    asking = fresh + picked[len(fresh) :]
    chance.shuffle(asking)
    units = [(member.get(LIST),) for member in asking]
    before = comparison.cpu(server)
    loaded = load.run(server.port, units, connections=comparison.connections, number=number)
    used = seconds_between(before, comparison.cpu(server))
    return Round(loaded, None if used is None else used / loaded.units * 1e3)

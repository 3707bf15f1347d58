"""A load that is not all hits: many different users in random order, and tokens that the server has not seen before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.compare import FASTAPI, OURS, Comparison, Group, Round, Row, row_of
from benchmarks.data import Data, with_new_tokens
from benchmarks.endpoints import ENDPOINTS, LIST
from benchmarks.load import Unit

USERS = 2000
FIRST_SEEN = 0.1
"""The share of requests whose token the server sees for the first time."""
CHECKED = 100
"""Users whose answers are compared with the peers'."""
TARGETS = [OURS, FASTAPI]


def group(data: Data) -> Group:
    members = data.members(None, limit=USERS)
    return Group(ENDPOINTS[LIST], members, {"memberships": None, "users": len(members), "first_seen": FIRST_SEEN})


def measure(comparison: Comparison, group: Group, targets: Sequence[str], *, rounds: int, seconds: float) -> list[Row]:
    """A row for each of ``targets``; every request is of a user whom chance picks."""
    sample = random.Random(1).sample(group.members, min(CHECKED, len(group.members)))
    comparison.check(replace(group, members=sample))
    size = {target: comparison.run(target, group, seconds=seconds).load.units for target in targets}
    done: dict[str, list[Round]] = {target: [] for target in targets}
    for number in range(rounds):
        for index in range(len(targets)):
            target = targets[(number + index) % len(targets)]
            units = _units(group, random.Random(number), number=size[target])
            done[target].append(comparison.send(comparison.servers[target], units, number=len(units)))
    return [row_of(target, group, done[target]) for target in targets]


def _units(group: Group, chance: random.Random, *, number: int) -> list[Unit]:
    asking = chance.choices(group.members, k=number)
    fresh = round(number * FIRST_SEEN)
    asking[:fresh] = with_new_tokens(asking[:fresh])
    chance.shuffle(asking)
    return [(member.get(LIST),) for member in asking]

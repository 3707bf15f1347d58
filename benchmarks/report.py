"""The results of measurements: figures, ratios, and whether the ratios meet their limits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import FASTAPI, FLOOR, MANY, OURS, TEXTBOOK, UNCHANGED, Row
from benchmarks.endpoints import DEPLOYMENT, LIST, ME, ORGANIZATIONS, SESSION, TAB, TOKEN

RESULTS = Path(__file__).parent / "results"

MAX_P99 = 5.0
"""Times the median, at the concurrency of the comparison and at ``MANY`` connections."""
STRAY = 0.2
"""Round trips of others, such as autovacuum, that may be counted for each request."""


@dataclass(frozen=True)
class Verdict:
    is_met: bool
    text: str

    def __str__(self) -> str:
        return f"{'met    ' if self.is_met else 'NOT MET'} {self.text}"


Case = tuple[str, str, int | None]
"""A target, an endpoint, and the number of memberships where several are measured."""


@dataclass(frozen=True)
class Goal:
    """``case`` does at least ``ratio`` times as many requests (polls, of a tab) a second as ``other``."""

    case: Case
    other: Case
    ratio: float

    def __str__(self) -> str:
        return f"{_name(self.case)} / {_name(self.other)}"


def _name(case: Case) -> str:
    target, endpoint, memberships = case
    return f"{target} {endpoint}" + ("" if memberships is None else f" at {memberships}")


def _at(size: int, ratio: float, other: str, target: str = OURS) -> Goal:
    return Goal((target, LIST, size), (other, LIST, size), ratio)


SMALL = [SESSION, ME, ORGANIZATIONS, DEPLOYMENT]
GOALS = [
    *(_at(size, ratio, TEXTBOOK) for size, ratio in ((10, 20.0), (50, 40.0), (200, 60.0))),
    *(_at(size, ratio, FASTAPI) for size, ratio in ((1, 2.0), (10, 2.0), (50, 2.5), (200, 3.0), (1000, 3.0))),
    *(_at(size, ratio, FLOOR) for size, ratio in ((50, 1.0), (200, 2.0))),
    _at(50, 3.0, OURS, UNCHANGED),
    *(Goal((OURS, endpoint, None), (OURS, LIST, 10), 0.7) for endpoint in SMALL),
    *(Goal((UNCHANGED, endpoint, None), (UNCHANGED, LIST, 10), 0.8) for endpoint in SMALL),
    Goal((OURS, TOKEN, None), (OURS, LIST, 10), 0.35),
    *(Goal((OURS, endpoint, None), (FASTAPI, endpoint, None), 1.5) for endpoint in (*SMALL, TOKEN)),
    Goal((OURS, TAB, None), (FASTAPI, TAB, None), 2.0),
]


def keep(name: str, rows: Sequence[Row]) -> Path:
    """Keep ``rows`` as benchmarks/results/NAME.json; gives where."""
    path = _path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    return path


def kept(name: str) -> list[Row]:
    path = _path(name)
    return json.loads(path.read_text()) if path.exists() else []


def _path(name: str) -> Path:
    return RESULTS / f"{name}.json"


def table(rows: Sequence[Row]) -> str:
    """The figures, a line for each target, endpoint and size."""
    columns = {
        "endpoint": "endpoint",
        "memberships": "memberships",
        "target": "target",
        "rps": "req/s",
        "p50_ms": "p50 ms",
        "p99_ms": "p99 ms",
        "cpu_ms": "CPU ms",
        "bytes": "bytes",
        "queries": "queries",
        "peak_memory_mb": "peak MiB",
    }
    cells = [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    lines = [list(columns.values()), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    return "\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)


def verdicts(rows: Sequence[Row]) -> Iterator[Verdict]:
    """Every goal whose figures are there, with what was measured, by requests and by processor time."""
    found: dict[Case, Row] = {}
    for row in rows:
        if "users" not in row:
            found[row["target"], row["endpoint"], row["memberships"] if row["endpoint"] == LIST else None] = row
    for goal in GOALS:
        ours, theirs = found.get(goal.case), found.get(goal.other)
        if ours is None or theirs is None:
            continue
        ratio = ours["rps"] / theirs["rps"]
        cpu = f", CPU {theirs['cpu_ms'] / ours['cpu_ms']:.2f}" if ours["cpu_ms"] and theirs["cpu_ms"] else ""
        yield Verdict(ratio >= goal.ratio, f"{goal}: {ratio:.2f} (goal {goal.ratio}){cpu}")
    for case, row in found.items():
        if case[0] not in (OURS, UNCHANGED):
            continue
        for where, suffix in (("", ""), (f" with {MANY} connections", f"_{MANY}")):
            ratio = row[f"p99_ms{suffix}"] / row[f"p50_ms{suffix}"]
            yield Verdict(ratio < MAX_P99, f"{_name(case)}{where}: p99 / p50 {ratio:.2f} (below {MAX_P99})")
        if (queries := row.get("queries")) is not None:
            one = 3.0 if row["endpoint"] == TAB else 1.0
            yield Verdict(queries < one + STRAY, f"{_name(case)}: {queries} round trips to the database (of {one})")

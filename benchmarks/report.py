"""What a comparison comes to: figures, ratios, and whether the ratios are what they must be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import FLOOR, OURS, UNCHANGED, Row

RESULTS = Path(__file__).parent / "results"

MAX_P99 = 5.0
"""Times the median, at the concurrency of the comparison."""


@dataclass(frozen=True)
class Goal:
    """``target`` does at least ``ratio`` times as many requests a second as ``peer``."""

    target: str
    peer: str
    memberships: int
    ratio: float


GOALS = [
    *(Goal(OURS, "textbook-drf", size, ratio) for size, ratio in ((10, 20.0), (50, 40.0), (200, 60.0))),
    *(
        Goal(OURS, "fastapi-asyncpg", size, ratio)
        for size, ratio in ((1, 1.0), (10, 1.3), (50, 2.5), (200, 3.0), (1000, 3.0))
    ),
    *(Goal(OURS, FLOOR, size, ratio) for size, ratio in ((50, 1.0), (200, 2.0))),
    Goal(UNCHANGED, OURS, 50, 3.0),
]


def write(rows: Sequence[Row]) -> Path:
    """Keep ``rows``; gives where."""
    path = RESULTS / "latest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    return path


def table(rows: Sequence[Row]) -> str:
    """The figures, a line for each target and size."""
    head = ("memberships", "target", "req/s", "p50 ms", "p99 ms", "CPU ms", "bytes", "queries", "peak MiB")
    names = ("memberships", "target", "rps", "p50_ms", "p99_ms", "cpu_ms", "bytes", "queries", "peak_memory_mb")
    lines = [head, *(tuple("" if row[name] is None else str(row[name]) for name in names) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Every goal whose figures are there, with what was measured, by requests and by processor time."""
    found = {(row["target"], row["memberships"]): row for row in rows}
    for goal in GOALS:
        ours, theirs = found.get((goal.target, goal.memberships)), found.get((goal.peer, goal.memberships))
        if ours is None or theirs is None:
            continue
        ratio = ours["rps"] / theirs["rps"]
        cpu = f", CPU {theirs['cpu_ms'] / ours['cpu_ms']:.2f}" if ours["cpu_ms"] and theirs["cpu_ms"] else ""
        yield (
            f"{_met(ratio >= goal.ratio)} {goal.target} / {goal.peer} at {goal.memberships}: "
            f"{ratio:.2f} (goal {goal.ratio}){cpu}"
        )
    for row in rows:
        if row["target"] in (OURS, UNCHANGED):
            ratio = row["p99_ms"] / row["p50_ms"]
            figure = f"p99 / p50 {ratio:.2f} (below {MAX_P99})"
            yield f"{_met(ratio < MAX_P99)} {row['target']} at {row['memberships']}: {figure}"


def _met(is_met: bool) -> str:
    return "met    " if is_met else "NOT MET"

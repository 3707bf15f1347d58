"""How cost grows: with memberships per user, with the size of the tables, with concurrency; drawn for the documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import FASTAPI, OURS, TARGETS, UNCHANGED, Comparison, Row, groups, row_of
from benchmarks.endpoints import LIST
from benchmarks.report import kept
from config.environment import BASE_DIR

FOLDER = BASE_DIR / "docs" / "performance"
CONCURRENCIES = [1, 2, 4, 8, 16, 32, 64]
CONCURRENT_TARGETS = [OURS, UNCHANGED, FASTAPI]
CONCURRENT_MEMBERSHIPS = 50
TABLE_SIZE_TARGETS = [OURS, FASTAPI]


def concurrency(comparison: Comparison, *, seconds: float) -> list[Row]:
    """Rows at each of ``CONCURRENCIES``, of users with fifty memberships."""
    (group,) = groups(comparison.data, endpoints=[LIST], sizes=[CONCURRENT_MEMBERSHIPS])
    rows = []
    for connections in CONCURRENCIES:
        for target in CONCURRENT_TARGETS:
            comparison.run(target, group, seconds=min(1.0, seconds), connections=connections)
            measured = comparison.run(target, group, seconds=seconds, connections=connections)
            rows.append(row_of(target, group, [measured]) | {"connections": connections})
    return rows


def table_size(comparison: Comparison, *, users: int, sizes: Sequence[int], seconds: float) -> list[Row]:
    """Rows for each of ``sizes``, in a database of ``users``."""
    rows = []
    for group in groups(comparison.data, endpoints=[LIST], sizes=sizes):
        for target in TABLE_SIZE_TARGETS:
            comparison.run(target, group, seconds=min(1.0, seconds))
            rows.append(row_of(target, group, [comparison.run(target, group, seconds=seconds)]) | {"users": users})
    return rows


def draw() -> list[Path]:
    """The plots of docs/performance.md, from what was measured last."""
    FOLDER.mkdir(exist_ok=True)
    drawn = []
    # The results of earlier versions are of the list alone, and do not say so.
    if rows := [row for row in kept("latest") if row.get("endpoint", LIST) == LIST and row["memberships"]]:
        drawn.append(
            _plot(
                "memberships",
                _by(rows, "target", TARGETS, x="memberships", y="cpu_ms"),
                x="memberships of the user",
                y="processor time per request (ms)",
                title="Cost against memberships",
            )
        )
    if rows := kept("concurrency"):
        drawn += [
            _plot(
                "concurrency",
                _by(rows, "target", CONCURRENT_TARGETS, x="connections", y="rps"),
                x="connections at a time",
                y="requests per second",
                title=f"Throughput against concurrency, {CONCURRENT_MEMBERSHIPS} memberships",
            ),
            _plot(
                "latency",
                _by(rows, "target", CONCURRENT_TARGETS, x="connections", y="p50_ms", suffix=" p50")
                | _by(rows, "target", CONCURRENT_TARGETS[:1], x="connections", y="p99_ms", suffix=" p99"),
                x="connections at a time",
                y="time of an answer (ms)",
                title=f"Latency against concurrency, {CONCURRENT_MEMBERSHIPS} memberships",
            ),
        ]
    if rows := kept("table-size"):
        users = sorted({row["users"] for row in rows})
        drawn.append(
            _plot(
                "table-size",
                {
                    f"{target}, {number:,} users": points
                    for number in users
                    for target, points in _by(
                        [row for row in rows if row["users"] == number],
                        "target",
                        TABLE_SIZE_TARGETS,
                        x="memberships",
                        y="cpu_ms",
                    ).items()
                },
                x="memberships of the user",
                y="processor time per request (ms)",
                title="Cost against the size of the tables",
            )
        )
    return drawn


def _by(
    rows: Iterable[Row], key: str, values: Iterable[str], *, x: str, y: str, suffix: str = ""
) -> dict[str, list[tuple[float, float]]]:
    rows = list(rows)
    return {
        value + suffix: points
        for value in values
        if (points := [(row[x], row[y]) for row in rows if row[key] == value and row[y] is not None])
    }


def _plot(name: str, lines: Mapping[str, Sequence[tuple[Any, Any]]], *, x: str, y: str, title: str) -> Path:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for label, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    ticks = sorted({point[0] for points in lines.values() for point in points})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    path = FOLDER / f"{name}.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path

"""Measures what front-ends poll. Without a command: the comparison with its peers (`make bench`).

Each command loads data at scale into a new PostgreSQL, or takes what is where DATABASE_URL says. docs/performance.md
says what came of them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable

from benchmarks import curves, frozen, members, memory, mixed, plan, report, search, slow_clients, soak, writes
from benchmarks.compare import OURS, TARGETS, compare, comparison, groups
from benchmarks.data import at_scale
from benchmarks.endpoints import ENDPOINTS, LIST

SIZES = [1, 10, 50, 200, 1000]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_comparison(arguments: argparse.Namespace) -> None:
    """all targets side by side; writes benchmarks/results/latest.json"""
    skip = arguments.skip
    with (
        at_scale(users=arguments.users, workers=arguments.workers) as data,
        comparison(data, [target for target in TARGETS if target not in skip], connections=arguments.connections) as it,
    ):
        rounds, seconds = arguments.rounds, arguments.seconds
        rows = compare(
            it,
            groups(data, endpoints=arguments.endpoints, sizes=arguments.sizes),
            skip=skip,
            rounds=rounds,
            seconds=seconds,
            counts_queries=arguments.queries,
            say=say,
        )
        if LIST in arguments.endpoints:
            targets = [target for target in mixed.TARGETS if target not in skip]
            rows += mixed.measure(it, mixed.group(data), targets, rounds=rounds, seconds=seconds)
    say(f"\n{report.table(rows)}\n")
    for verdict in report.verdicts(rows):
        say(str(verdict))
    say(f"\nWritten to {report.keep('latest', rows)}")


def run_concurrency(arguments: argparse.Namespace) -> None:
    """throughput and latency from 1 to 64 connections"""
    with (
        at_scale(users=arguments.users, workers=arguments.workers) as data,
        comparison(data, curves.CONCURRENT_TARGETS, connections=arguments.connections) as running,
    ):
        report.keep("concurrency", curves.concurrency(running, seconds=arguments.seconds))


def run_table_size(arguments: argparse.Namespace) -> None:
    """cost in tables of --users, beside that in tables of other sizes that were measured before"""
    with (
        at_scale(users=arguments.users, workers=arguments.workers) as data,
        comparison(data, curves.TABLE_SIZE_TARGETS, connections=arguments.connections) as running,
    ):
        rows = curves.table_size(running, users=arguments.users, sizes=arguments.sizes, seconds=arguments.seconds)
    others = [row for row in report.kept("table-size") if row["users"] != arguments.users]
    report.keep("table-size", others + rows)


def run_plots(arguments: argparse.Namespace) -> None:
    """draw docs/performance/*.png from what was measured last"""
    for path in curves.draw():
        say(str(path))


def run_memory(arguments: argparse.Namespace) -> None:
    """resident memory of the workers over 100,000 requests of all users"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        for number, resident, peak in memory.measure(data, requests=100_000, connections=arguments.connections):
            workers = ", ".join(f"{mib:.0f}" for mib in resident[: arguments.workers])
            say(f"{number:>7} requests: {workers} MiB resident, {peak:.0f} MiB at most")


def run_plan(arguments: argparse.Namespace) -> None:
    """EXPLAIN (ANALYZE, BUFFERS) of the endpoint's statement, for a user with 50 memberships"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        say(plan.hot_statement(data, memberships=50))


def run_members(arguments: argparse.Namespace) -> None:
    """the database's time for lists of --users members; exits with 1 if one takes too long"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        conclude(members.measure(data))


def run_search(arguments: argparse.Namespace) -> None:
    """the database's time for searches of the admin among --users; exits with 1 if one takes too long"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        conclude(search.measure(data))


def run_soak(arguments: argparse.Namespace) -> None:
    """is any of --requests answers stale or mixed while writers overlap? exits with 1 if so"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        found = soak.soak(data, requests=arguments.requests)
    say(", ".join(f"{number} {name}" for name, number in found.items()))
    if found["stale"] or found["mixed"] or found["too new"] or found["failed"]:
        sys.exit(1)


def run_writes(arguments: argparse.Namespace) -> None:
    """throughput and staleness of the list while others write; exits with 1 if a goal is not met"""
    with (
        at_scale(users=arguments.users, workers=arguments.workers) as data,
        comparison(data, [OURS], connections=arguments.connections) as it,
    ):
        rows = writes.measure(it, rounds=arguments.rounds, seconds=arguments.seconds)
    for line in writes.table(rows):
        say(line)
    say(f"\nWritten to {report.keep('writes', rows)}\n")
    conclude(writes.verdicts(rows))


def run_slow_clients(arguments: argparse.Namespace) -> None:
    """do others notice clients that are slow to send or to read? exits with 1 if a goal is not met"""
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        conclude(
            slow_clients.measure(
                data,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
        )


def run_frozen(arguments: argparse.Namespace) -> None:
    """freeze PostgreSQL for ten seconds: is every request answered in time? exits with 1 if a goal is not met"""
    if "DATABASE_URL" in os.environ:
        sys.exit("This freezes a PostgreSQL of its own alone: unset DATABASE_URL.")
    with at_scale(users=arguments.users, workers=arguments.workers) as data:
        conclude(frozen.verdicts(frozen.measure(data)))


def conclude(verdicts: Iterable[report.Verdict]) -> None:
    """Print ``verdicts`` as they come; exit with 1 if one is not met."""
    are_met = []
    for verdict in verdicts:
        say(str(verdict))
        are_met.append(verdict.is_met)
    if not all(are_met):
        sys.exit(1)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "compare": run_comparison,
    "concurrency": run_concurrency,
    "table-size": run_table_size,
    "memory": run_memory,
    "plan": run_plan,
    "members": run_members,
    "search": run_search,
    "plots": run_plots,
    "soak": run_soak,
    "writes": run_writes,
    "slow-clients": run_slow_clients,
    "frozen": run_frozen,
}


def main() -> None:
    commands = "\n".join(f"  {name:12} {run.__doc__}" for name, run in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"commands:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="compare", metavar="COMMAND")
    parser.add_argument("--users", type=int, default=20_000, help="of load_scale (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes of each server (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=16, help="at a time (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each target and size (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=200_000, help="of the soak (default: %(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, choices=SIZES, help="memberships per user (default: all)"
    )
    parser.add_argument(
        "--endpoints",
        nargs="+",
        default=list(ENDPOINTS),
        choices=ENDPOINTS,
        metavar="PATH",
        help="or tab (default: all)",
    )
    peers = [target for target in TARGETS if target.removesuffix("-304") != OURS]
    parser.add_argument("--skip", nargs="+", default=[], choices=peers, metavar="TARGET")
    parser.add_argument(
        "--queries",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="count the database round trips of a request, which takes two minutes (default: yes)",
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by the front door, so that all servers are stopped
    COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    main()

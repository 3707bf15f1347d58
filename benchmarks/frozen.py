"""PostgreSQL freezes: it takes connections and statements, and answers none. Does every client get an answer?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.data import Data
from benchmarks.endpoints import ENDPOINTS
from benchmarks.probes import Asked, Question, asking
from benchmarks.report import Verdict
from benchmarks.servers import Postgres, running

FROZEN = 10.0
"""Seconds."""
AROUND = 3.0
"""Seconds before and after, in which everything must be normal."""
PAUSE = 0.05
MAX_SECONDS = 2.0
"""After so many a request must have its answer, a 503."""
MAX_HEALTHZ_SECONDS = 0.1
MAX_RECOVERY = 1.0
"""Seconds after which everything must be normal again."""
HEALTHZ = "/healthz"
UNPOLLED = "/.well-known/jwks.json"
"""Endpoints without a fast path must be answered as well."""


@dataclass(frozen=True)
class Frozen:
    """When it was frozen, and all that was asked around that time."""

    began_at: float
    ended_at: float
    asked: Sequence[Asked]


def measure(data: Data) -> Frozen:
    """Freeze the PostgreSQL of ``data``, which must be this run's own, with clients on kept and on new connections."""
    member = data.members_of_two_organizations()[0]
    headers = {"Host": member.host, "Cookie": f"__session={member.token}"}
    paths = {path for endpoint in ENDPOINTS.values() for path in endpoint.paths} | {UNPOLLED}
    questions = [Question(path, headers, keeps) for path in sorted(paths) for keeps in (False, True)]
    questions += [Question(HEALTHZ, {}, keeps) for keeps in (False, True)]
    postgres = Postgres(data.url)
    with running("rollcall", env=data.env) as server, asking(server.port, questions, pause=PAUSE) as asked:
        time.sleep(AROUND)
        with postgres.frozen():
            began_at = time.monotonic()  # until now some of its processes have answered
            time.sleep(FROZEN)
            ended_at = time.monotonic()
        time.sleep(AROUND)
    postgres.close()
    return Frozen(began_at, ended_at, asked)


def verdicts(frozen: Frozen) -> Iterator[Verdict]:
    """Whether all were answered in time, as they should be."""
    end = frozen.ended_at
    asked = [one for one in frozen.asked if one.path != HEALTHZ]
    before = [one for one in asked if one.sent_at + one.took < frozen.began_at]
    yield Verdict(_are_all(before, 200), f"before: {_statuses(before)}")
    for path in sorted({one.path for one in asked}):
        meanwhile = [
            one for one in asked if one.path == path and one.sent_at < end and one.sent_at + one.took >= frozen.began_at
        ]
        # Those that were sent before may still have their proper answer, and so may those that are answered afterwards.
        refused = [one for one in meanwhile if frozen.began_at <= one.sent_at and one.sent_at + one.took < end]
        slowest = max((one.took for one in meanwhile), default=float("inf"))
        is_met = (
            _are_all(refused, 503) and all(one.status in (200, 503) for one in meanwhile) and slowest <= MAX_SECONDS
        )
        text = f"{path} frozen: {_statuses(meanwhile)}, slowest {slowest:.2f} s (503 within {MAX_SECONDS} s)"
        yield Verdict(is_met, text)
    healthz = [one for one in frozen.asked if one.path == HEALTHZ]
    slowest = max(one.took for one in healthz)
    is_met = _are_all(healthz, 200) and slowest <= MAX_HEALTHZ_SECONDS
    yield Verdict(is_met, f"{HEALTHZ}: {_statuses(healthz)}, slowest {slowest:.3f} s (within {MAX_HEALTHZ_SECONDS} s)")
    failed_at = max((one.sent_at + one.took - end for one in asked if one.status != 200), default=0.0)
    after = [one for one in asked if one.sent_at >= end + MAX_RECOVERY]
    is_met = _are_all(after, 200) and failed_at <= MAX_RECOVERY
    text = f"afterwards: the last failure {max(failed_at, 0):.2f} s after the end (at most {MAX_RECOVERY} s), then"
    yield Verdict(is_met, f"{text} {_statuses(after)}")


def _are_all(asked: Sequence[Asked], status: int) -> bool:
    return bool(asked) and all(one.status == status for one in asked)


def _statuses(asked: Sequence[Asked]) -> str:
    numbers = Counter(one.status or "unanswered" for one in asked)
    return ", ".join(f"{number} × {status}" for status, number in numbers.items()) or "nothing"

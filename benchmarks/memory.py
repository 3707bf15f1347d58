"""Does a worker's memory stay within its bounds? Requests of all users, over and over, and what is resident then."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from benchmarks import load
from benchmarks.data import Data
from benchmarks.endpoints import LIST
from benchmarks.servers import running

SAMPLES = 10


def measure(data: Data, *, requests: int, connections: int) -> Iterator[tuple[int, Sequence[float], float]]:
    """After each tenth of ``requests``: their number, and memory in MiB.

    What is resident in each process, the largest first, and the most that any has ever had.
    """
    sent = [(member.get(LIST),) for member in data.members(None)]
    random.Random(1).shuffle(sent)
    with running("rollcall", env=data.env) as server:
        for sample in range(1, SAMPLES + 1):
            batch = requests // SAMPLES
            first = (sample - 1) * batch % len(sent)
            load.run(server.port, sent[first:] + sent[:first], connections=connections, number=batch)
            yield sample * batch, server.memory_mb(), server.peak_memory_mb()

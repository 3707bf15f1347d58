"""The floor: PostgreSQL with the peer's statement alone, and nobody who does anything with the answer."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import uvloop

from benchmarks.data import Data, Member
from benchmarks.load import Load
from benchmarks.peers.statements import WORKSPACE_MEMBERSHIPS

ADDRESS = "127.0.0.1"
PGBENCH = shutil.which("pgbench")
"""None where postgresql-contrib is not installed: then asyncpg runs the statement, which costs more."""

NAME = "asyncpg" if PGBENCH is None else "pgbench"

_SETTINGS = {"jit": "off", "plan_cache_mode": "force_generic_plan"}


def run(data: Data, members: Sequence[Member], *, connections: int, seconds: float, body_bytes: int) -> Load:
    """Run the statement for ``seconds``, for ``members``, whose bodies have ``body_bytes`` on average."""
    if PGBENCH is None:
        load: Load = uvloop.run(_asyncpg(data, members, connections, seconds))
        return load
    first, last = members[0].session_id, members[-1].session_id
    assert last - first == len(members) - 1
    # pgbench takes what follows a colon for a variable, in literals too; SQL joins literals across a line.
    statement = re.sub(r"(?<!:):(?=\w)", ":'\n'", WORKSPACE_MEMBERSHIPS)
    for parameter, value in (("$1", ":session"), ("$2", str(data.deployment_id)), ("$3", f"'{ADDRESS}'")):
        statement = statement.replace(parameter, value)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "statement.sql"
        script.write_text(f"\\set session random({first}, {last})\n{' '.join(statement.split(' '))};\n")
        command = [
            *(PGBENCH, "--no-vacuum", "--protocol=prepared", f"--client={connections}", "--jobs=2"),
            *(f"--time={max(1, round(seconds))}", "--log", f"--log-prefix={folder}/log", f"--file={script}", data.url),
        ]
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        env = {"PATH": os.environ["PATH"], "PGOPTIONS": options}
        result = subprocess.run(command, env=env, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"pgbench: {result.stderr}")
        latencies = [
            int(line.split()[2]) / 1e6 for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()
        ]
    rps = re.search(r"(?m)^tps = ([0-9.]+) \(without", result.stdout)
    assert rps is not None, result.stdout
    return Load(len(latencies) / float(rps[1]), latencies, len(latencies) * body_bytes)


async def _asyncpg(data: Data, members: Sequence[Member], connections: int, seconds: float) -> Load:
    sessions = itertools.cycle([member.session_id for member in members])
    latencies: list[float] = []
    body_bytes = 0

    async def run_statements(connection: asyncpg.Connection) -> None:
        nonlocal body_bytes
        statement = await connection.prepare(WORKSPACE_MEMBERSHIPS)
        while (sent_at := time.perf_counter()) < deadline:
            body_bytes += len(await statement.fetchval(next(sessions), data.deployment_id, ADDRESS))
            latencies.append(time.perf_counter() - sent_at)

    own = [await asyncpg.connect(data.url, server_settings=_SETTINGS) for _ in range(connections)]
    begin = time.perf_counter()
    deadline = begin + seconds
    await asyncio.gather(*map(run_statements, own))
    took = time.perf_counter() - begin
    for connection in own:
        await connection.close()
    return Load(took, latencies, body_bytes)

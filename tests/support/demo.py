"""The demo data: on PostgreSQLs of their own, loaded once a test run and as new for each module that asks for it; or in
the database of the tests, for the tests of one module.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from fasteners import InterProcessLock

from demo import data
from tests.support.dns import DnsServer
from tests.support.server import (
    OwnPostgres,
    demo_environment,
    manage,
    own_postgres,
    request,
    running_server,
    wait_until,
)

CHIOMA = "chioma@demo.example"
"""A user with one membership."""
DMITRI = "dmitri@demo.example"
"""The user with the most memberships."""

THREADS = 4
"""Of the server with the demo data."""

LOAD = f"""
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
call_command("load_demo")
for user in {(CHIOMA, DMITRI)}:
    call_command("issue_session", user)
staff = Client()
staff.force_login(User.objects.get(username="admin"))
print(staff.cookies[settings.SESSION_COOKIE_NAME].value)
"""
"""Python, in one process rather than in four; it prints a session token for each user, and the key of a session of the
superuser.
"""


@pytest.fixture(scope="session")
def loaded_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a stopped PostgreSQL, and the environment and sessions that fit them."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # all workers have this one in common
    with InterProcessLock(folder / "demo.lock"):
        if not (folder / "demo.json").exists():
            with own_postgres() as postgres:
                with psycopg.connect(postgres.url, autocommit=True) as connection:
                    connection.execute("ALTER SYSTEM SET fsync = off")  # no test pulls the plug of the machine
                    connection.execute("SELECT pg_reload_conf()")
                env = demo_environment(postgres.url)
                *printed, staff_session = manage("shell", "-v0", "-c", LOAD, env=env).split()
                tokens = dict(zip((CHIOMA, DMITRI), printed, strict=True))
                postgres.stop("fast")
                postgres.copy_to(folder / "demo")
            sessions = {"env": env, "tokens": tokens, "staff_session": staff_session}
            (folder / "demo.json").write_text(json.dumps(sessions))
    return folder


@pytest.fixture(scope="session")
def common_postgres(loaded_demo: Path) -> Iterator[OwnPostgres]:
    """A PostgreSQL with the demo data, saved; one in each test process."""
    with own_postgres(loaded_demo / "demo") as postgres:
        postgres.save()
        yield postgres


@pytest.fixture(scope="module")
def demo_postgres(common_postgres: OwnPostgres) -> OwnPostgres:
    """A PostgreSQL with the demo data as new, for the tests of one module."""
    common_postgres.restore()
    return common_postgres


@pytest.fixture(scope="module")
def demo_env(loaded_demo: Path, demo_postgres: OwnPostgres) -> dict[str, str]:
    """The environment of a service on ``demo_postgres``."""
    env: dict[str, str] = json.loads((loaded_demo / "demo.json").read_text())["env"]
    return env | {"DATABASE_URL": demo_postgres.url}


@pytest.fixture(scope="session")
def common_server(loaded_demo: Path, common_postgres: OwnPostgres, name_server: DnsServer) -> Iterator[str]:
    """The base URL of a server with the demo data, which looks up domains at ``name_server``; one in each test process.

    It takes the tests for a proxy.
    """
    env = json.loads((loaded_demo / "demo.json").read_text())["env"] | {"DATABASE_URL": common_postgres.url}
    address, port = name_server.address
    own = {"THREADS": str(THREADS), "TRUSTED_PROXIES": "127.0.0.1", "DNS_SERVERS": f"{address}:{port}"}
    with running_server(env | own) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def demo_server(common_server: str, demo_postgres: OwnPostgres) -> str:
    """The base URL of a server with the demo data as new, for the tests of one module that leave it running."""
    wait_until(lambda: request(common_server, "/readyz").status == 200, "the server has found the new database")
    return common_server


@pytest.fixture(scope="session")
def demo_cookies(loaded_demo: Path) -> dict[str, str]:
    """The cookie of a session in each copy of the demo data, for ``CHIOMA`` and for ``DMITRI``."""
    tokens: dict[str, str] = json.loads((loaded_demo / "demo.json").read_text())["tokens"]
    return {user: f"__session={token}" for user, token in tokens.items()}


@pytest.fixture(scope="module")
def demo_rows(shared_rows: None) -> None:
    """The demo data in the database of the tests, whose own changes to it are rolled back after each."""
    data.load()

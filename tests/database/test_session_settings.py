"""The limits of a connection are options of it, which some poolers ignore: they hold all the same, and the log says so.

PgBouncer itself is asked where it is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from database import session_settings
from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA
from tests.support.server import (
    Connection,
    OwnPostgres,
    ServerProcess,
    free_port,
    wait_until,
)
from tests.support.starting import PRODUCTION, Starts

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
KEEPS_PREPARED_STATEMENTS = (1, 21)
"""The first version of PgBouncer whose transaction pooling knows named statements."""
READ = "SELECT name, current_setting(name, true) FROM unnest(%s::text[]) AS wanted (name)"
PRINT = f"""
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("{READ}", [["search_path", "jit", "statement_timeout"]])
    print(dict(cursor.fetchall()))
"""


@pytest.fixture
def unlimited(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """A connection, still to be opened, whose options somebody drops."""
    monkeypatch.setattr(session_settings, "_logged", Lock())
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "OPTIONS": {**other.settings_dict["OPTIONS"], "options": ""}}
    yield other
    other.close()


def settings_of(other: BaseDatabaseWrapper) -> dict[str, str]:
    with other.cursor() as cursor:
        cursor.execute(READ, [list(settings.DATABASE_SESSION_SETTINGS)])
        return dict(cursor.fetchall())


def test_a_setting_that_a_connection_lacks_is_set(unlimited: BaseDatabaseWrapper) -> None:
    assert settings_of(unlimited) == {
        "statement_timeout": "30s",
        "lock_timeout": "1s",
        "plan_cache_mode": "force_generic_plan",
        "jit": "off",
        "pgtrigger.ignore": "{}",
    }


def test_a_lost_limit_is_logged_once_a_process(
    unlimited: BaseDatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="rollcall"):
        for _ in range(3):
            unlimited.connect()
            unlimited.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "rollcall"]
    for name in ("statement_timeout", "lock_timeout", "docs/operations.md"):
        assert name in line


def test_a_connection_that_keeps_its_options_is_not_logged(
    db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_settings, "_logged", Lock())
    other = connection.copy()
    with caplog.at_level("WARNING", logger="rollcall"):
        assert settings_of(other)["statement_timeout"] == "30s"
    other.close()
    assert caplog.records == []


def test_the_check_costs_one_round_trip_for_a_connection(unlimited: BaseDatabaseWrapper) -> None:
    unlimited.force_debug_cursor = True
    unlimited.connect()
    assert len(unlimited.queries) == 1


def test_options_in_the_url_are_kept_beside_the_limits(starts: Starts) -> None:
    url = f"{os.environ['DATABASE_URL']}&options=-c%20search_path%3Dpg_catalog%20-c%20jit%3Don"
    shown = starts.run(PRINT, env=PRODUCTION | {"DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": url})
    assert shown.stdout.strip() == "{'search_path': 'pg_catalog', 'jit': 'off', 'statement_timeout': '30s'}"


@contextmanager
def pgbouncer(postgres: OwnPostgres, *, mode: str) -> Iterator[str]:
    """The URL of the database behind a PgBouncer that ignores options."""
    url = urlsplit(postgres.url)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rollcall-test-") as folder:
        Path(folder).chmod(0o755)  # for the user who runs it, since root may not
        config = Path(folder) / "pgbouncer.ini"
        lines = [
            "[databases]",
            f"rollcall = host={parse_qs(url.query)['host'][0]} dbname=rollcall user={url.username}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            f"pool_mode = {mode}",
            "ignore_startup_parameters = options",
            *(["max_prepared_statements = 200"] if _version() >= KEEPS_PREPARED_STATEMENTS else []),
        ]
        config.write_text("\n".join(lines))
        process = subprocess.Popen(
            [str(PGBOUNCER), config], user=postgres.system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: _listens(port), "PgBouncer listens")
            yield f"postgresql://rollcall@127.0.0.1:{port}/rollcall"
        finally:
            process.terminate()
            process.wait(15)


def _version() -> tuple[int, ...]:
    if PGBOUNCER is None:
        return ()
    printed = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.findall(r"\d+", printed)[:2])


def _listens(port: int) -> bool:
    try:
        with Connection(f"http://127.0.0.1:{port}"):
            return True
    except OSError:
        return False


def behind(url: str) -> BaseDatabaseWrapper:
    """A connection to ``url``."""
    named, other = urlsplit(url), connection.copy()
    address = {"HOST": named.hostname, "PORT": named.port, "USER": named.username, "NAME": named.path[1:]}
    other.settings_dict = {**other.settings_dict, **address}
    return other


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed (apt-get install pgbouncer)")
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_no_limit_is_lost_behind_pgbouncer(
    db: None, demo_postgres: OwnPostgres, demo_env: dict[str, str], demo_cookies: dict[str, str], mode: str
) -> None:
    if mode == "transaction" and _version() < KEEPS_PREPARED_STATEMENTS:
        pytest.skip("transaction pooling needs PgBouncer 1.21 or newer")
    with pgbouncer(demo_postgres, mode=mode) as url:
        env = demo_env | {"DATABASE_URL": url}
        with closing(behind(url)) as other:
            assert settings_of(other)["lock_timeout"] == "1s"
        service = ServerProcess(env)
        try:
            service.wait_for_it()
            with Connection(service.base_url) as one, Connection(service.base_url) as another:
                answers = [
                    each.request(MEMBERSHIPS, Cookie=demo_cookies[CHIOMA]).status for each in [one, another] * 10
                ]
            assert answers == [200] * 20
            # Once in the main process, from which the others come.
            assert service.log().count("a pooler ignores its options") == 1
        finally:
            service.close()

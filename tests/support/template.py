"""The tests' databases: migrated once, copied for each further process, emptied after a test that commits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import psycopg
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from fasteners import InterProcessLock
from psycopg import sql

from tests.support.database import execute


def copy_a_template(folder: Path) -> None:
    """Let Django make this process's database from the template, which the first process of ``folder`` migrates."""
    test = connection.settings_dict["TEST"]
    with InterProcessLock(folder / "template.lock"):
        if not (folder / "template").exists():
            name, own = connection.settings_dict["NAME"], test["NAME"]
            test["NAME"] = _template()
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            connection.creation.destroy_test_db(name, verbosity=0, keepdb=True)  # only leaves it: none may be connected
            test["NAME"] = own
            (folder / "template").touch()
    test["TEMPLATE"] = _template()


def drop_the_template() -> None:
    params = connection.get_connection_params() | {"dbname": "postgres", "autocommit": True}
    with psycopg.connect(**params) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_template())))


def _template() -> str:
    return f"test_{settings.DATABASES['default']['NAME']}_template"


MIGRATED = {"auth_permission", "django_content_type", "django_migrations"}
"""The tables whose rows migrations have made."""
MANY = 10_000
_truncate: Any = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # no public way


def empty_the_tables(case: TransactionTestCase) -> None:
    """Takes the place of Django's TRUNCATE, which makes the files of all tables and indexes anew: 0.2 s."""
    connection.close_if_unusable_or_obsolete()
    execute("RESET ALL")  # the session goes on, with none of the test's settings: see ``tests/conftest.py``
    cast(Any, connection).ensure_timezone()
    if cast(Any, connection.connection).info.parameter_status("is_superuser") != "on":
        _truncate(case)
        return
    names = set(connection.introspection.django_table_names(only_existing=True)) - MIGRATED
    tables = {name: connection.ops.quote_name(name) for name in sorted(names)}
    tried = ", ".join(f"CASE WHEN EXISTS (TABLE {table}) THEN '{name}' END" for name, table in tables.items())
    session = _emptying_session()
    with session.transaction():
        (filled,) = session.execute(f"SELECT array_remove(ARRAY[{tried}], NULL)").fetchone() or ([],)
        deleted = sum(session.execute(f"DELETE FROM {tables[name]}").rowcount for name in filled)
    if deleted > MANY:  # or the scans of later tests read their remains
        session.execute("VACUUM")


_sessions: list[psycopg.Connection] = []


def _emptying_session() -> psycopg.Connection:
    """A session of its own in which no trigger runs, so that all rows go.

    A session that switches its triggers off and on again discards its plans: the next test would wait for new ones.
    """
    if not _sessions or _sessions[-1].closed:
        own = {
            "application_name": "tests",  # some of which end all sessions of the service
            "options": "-c session_replication_role=replica -c statement_timeout=0 -c lock_timeout=60s",
            "autocommit": True,
            "cursor_factory": psycopg.Cursor,
            "prepare_threshold": 0,
        }
        _sessions.append(psycopg.connect(**connection.get_connection_params() | own))
    return _sessions[-1]


def end_the_emptying_session() -> None:
    while _sessions:
        _sessions.pop().close()

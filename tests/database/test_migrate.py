"""manage.py migrate where it takes long, must wait, or finds no database."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

from tests.support.database import execute


def starts_with(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """Have the first migration execute ``sql``."""
    real = MigrationExecutor.migrate

    def migrate(self: MigrationExecutor, *args: Any, **options: Any) -> Any:
        execute(sql)
        return real(self, *args, **options)

    monkeypatch.setattr(MigrationExecutor, "migrate", migrate)


@pytest.fixture
def impatient(db: None, settings: Settings) -> None:
    """The service's connections bound each statement, and its waiting for a lock, to 0.2 s."""
    limits = {"statement_timeout": "200", "lock_timeout": "200"}
    settings.DATABASE_SESSION_SETTINGS = settings.DATABASE_SESSION_SETTINGS | limits
    execute("SET statement_timeout = 200; SET lock_timeout = 200")


@pytest.mark.usefixtures("impatient")
def test_a_long_migration_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    starts_with(monkeypatch, "SELECT pg_sleep(0.6)")
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("200ms",)


@pytest.mark.usefixtures("impatient")
def test_a_migration_that_waits_for_a_lock_gives_up_in_one_line(
    monkeypatch: pytest.MonkeyPatch, shared_writers: list[psycopg.Connection]
) -> None:
    starts_with(monkeypatch, "ALTER TABLE accounts_user ALTER first_name SET NOT NULL")
    with shared_writers[0].transaction(force_rollback=True):
        shared_writers[0].execute("SELECT FROM accounts_user LIMIT 1")
        with pytest.raises(CommandError, match=r"DATABASE_LOCK_TIMEOUT \(now 200 ms\)") as caught:
            call_command("migrate", verbosity=0)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.django_db
def test_a_migrate_says_in_one_line_that_the_database_is_down() -> None:
    down = connection.copy("down")
    down.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    connections["down"] = down
    try:
        with pytest.raises(CommandError, match="The database cannot be reached") as caught:
            call_command("migrate", database="down")
    finally:
        del connections["down"]
    assert len(str(caught.value).splitlines()) == 1

"""manage.py migrate"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from database.history import require_present_set

ONE_AT_A_TIME = 0x526F6C6C63616C6C
"""The key of the advisory lock that a migrate holds."""
PAUSE = 0.5
"""Seconds between two tries to take it."""


class Command(migrate.Command):
    """Django's migrate, but one at a time and without a time limit; only its waiting for locks is bounded."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run Django's checks, which query the database."""
        try:
            connections[options["database"]].ensure_connection()
        except OperationalError as error:
            raise CommandError(f"The database cannot be reached: {' '.join(str(error).split())}") from error
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        require_present_set(connection)
        try:
            with self._alone(connection), _unbounded(connection):
                super().handle(*args, **options)
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            raise CommandError(
                "A migration waited in vain for a lock that somebody else holds, and was undone; those before it are "
                "done. Run migrate again at a quieter time, or with a longer DATABASE_LOCK_TIMEOUT (now "
                f"{settings.DATABASE_SESSION_SETTINGS['lock_timeout']} ms)."
            ) from error

    @contextmanager
    def _alone(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """Wait until no other migrate runs on the database, and have others wait for the end of the block.

        The lock is a transaction's, on a connection of its own, so that it ends with the process whatever becomes of
        it. It is tried for: to wait inside of a statement would hold up an index that is built concurrently.
        """
        other = connection.copy()
        try:
            other.set_autocommit(False)
            with other.cursor() as cursor:
                has_said = False
                while not _takes_lock(cursor):
                    if not has_said:
                        self.stderr.write("Another migrate is running; waiting for its end ...")
                        has_said = True
                    time.sleep(PAUSE)
            yield
        finally:
            other.close()


def _takes_lock(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
    return bool(cursor.fetchone()[0])


@contextmanager
def _unbounded(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let statements run as long as they take within the block."""
    _set_statement_timeout(connection, "0")
    yield
    _set_statement_timeout(connection, settings.DATABASE_SESSION_SETTINGS["statement_timeout"])


def _set_statement_timeout(connection: BaseDatabaseWrapper, milliseconds: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [milliseconds])

"""Whether a database's migrations are the ones that the project has: before 0.1.0 there were others."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

REFUSAL = (
    "This database was made by a version before 0.1.0, whose tables have other names. "
    "Run `make clean` if its data may go; else dump the data and load it into a new database."
)


def require_present_set(connection: BaseDatabaseWrapper) -> None:
    """Raise ``CommandError`` if nothing leads on from the migrations that the database has."""
    applied = MigrationRecorder(connection).applied_migrations()
    # In the present set accounts depends on database, so it is never the first of the two.
    if ("accounts", "0001_initial") in applied and ("database", "0001_initial") not in applied:
        raise CommandError(REFUSAL)

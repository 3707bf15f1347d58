"""The schema, migrated once a run: the database of each further test process is a copy of the first one's."""

from __future__ import annotations

from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from fasteners import InterProcessLock
from psycopg import sql


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

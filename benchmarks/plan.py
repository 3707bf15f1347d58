"""The plan of the endpoint's statement, as the server runs it: prepared, and planned once for all parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:  # a test calls this where the tools of benchmarks are not installed
    from benchmarks.data import Data


def hot_statement(data: Data, *, memberships: int) -> str:
    """EXPLAIN (ANALYZE, BUFFERS) of the statement for a user with so many memberships, in a process that is warm."""
    from django.db import connection

    from memberships.listing.statement import LISTING

    member = data.members(memberships)[0]
    connection.ensure_connection()
    session: Any = connection.connection
    (xmax,) = session.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    values: dict[str, Any] = {
        "session": member.session_id,
        "deployment": data.deployment_id,
        "organization": None,
        "workspace": None,
        "wants_all": True,
        "since": xmax,
        "running": "{}",
        "own_id": 0,
    }
    session.execute(b"PREPARE listing AS " + LISTING.sql)
    call = sql.SQL("EXPLAIN (ANALYZE, BUFFERS) EXECUTE listing ({})").format(
        sql.SQL(", ").join(sql.Literal(values[name]) for name in LISTING.parameters)
    )
    lines: list[str] = []
    for _ in range(3):  # the last one finds everything in the cache
        lines = [line for (line,) in session.execute(call)]
    return "\n".join(lines)

"""How PostgreSQL would execute a statement."""

from __future__ import annotations

from typing import Any, cast

from django.db import connection


def nodes_of(statement: str) -> list[dict[str, Any]]:
    """All nodes of the plan of ``statement``, as EXPLAIN (FORMAT JSON) has them, from the top on."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        nodes = [cast(Any, cursor.fetchone())[0][0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    return nodes

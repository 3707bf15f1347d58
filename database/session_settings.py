"""The settings that each session with PostgreSQL must have, even through a pooler.

They are options of the connection. Some poolers ignore those silently, and so every limit on how long a statement runs
or waits would be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import AsyncConnection

# The target list is evaluated from left to right: first the former value, then the new one.
_REQUIRE = """
    SELECT wanted.name, current_setting(wanted.name, true), set_config(wanted.name, wanted.value, false)
    FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
"""

logger = logging.getLogger("rollcall")
_logged = Lock()
"""Held from the first line in the log on: of two threads that connect at once, one logs."""


def require(connection: BaseDatabaseWrapper, **signal: Any) -> None:
    """Set those of DATABASE_SESSION_SETTINGS that ``connection`` lacks, in one round trip; log it once a process."""
    with connection.cursor() as cursor:
        cursor.execute(_REQUIRE, _arrays(settings.DATABASE_SESSION_SETTINGS))
        _log_lost(cursor.fetchall())


async def require_in_loop(session: AsyncConnection[Any], own: Mapping[str, str]) -> None:
    """As ``require``; besides, set ``own``, which go before those of all sessions."""
    found = await session.execute(_REQUIRE, _arrays(settings.DATABASE_SESSION_SETTINGS))
    _log_lost(await found.fetchall())
    await session.execute(_REQUIRE, _arrays(own))


def _arrays(wanted: Mapping[str, str]) -> list[list[str]]:
    return [list(wanted), list(wanted.values())]


def _log_lost(rows: list[tuple[Any, ...]]) -> None:
    lost = {name for name, before, after in rows if before != after}
    if lost and _logged.acquire(blocking=False):
        logger.warning(
            "The connection to PostgreSQL came without %s: a pooler ignores its options. They are set now; "
            "docs/operations.md says how to configure a pooler.",
            ", ".join(sorted(lost)),
        )

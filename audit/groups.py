"""The names of actions, each of which has one group of entries in the audit log."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from audit import actors
from audit.models import AuditEntry, AuditGroup

_NAME = """
    INSERT INTO audit_auditgroup (id, name, deployment_id, undoes)
    SELECT entry.group_id, %(name)s,
        CASE WHEN count(*) = count(deployment_id) AND min(deployment_id) = max(deployment_id)
            THEN min(deployment_id) END,
        %(undoes)s
    FROM audit_auditentry entry
    WHERE entry.group_id = {group}
    GROUP BY entry.group_id
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, deployment_id = excluded.deployment_id
"""
_OF_TRANSACTION = "nullif(current_setting('rollcall.group', true), '')::uuid"


def name(text: str, *, undoes: UUID | None = None) -> None:
    """Call the present action ``text``, unless it has changed nothing. To be called in its transaction, at its end."""
    group_id = actors.current_group()
    statement = _NAME.format(group="%(group)s" if group_id else _OF_TRANSACTION)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"name": text, "undoes": undoes, "group": group_id})


_LATEST = """
    WITH RECURSIVE latest (id, group_id, place) AS (
        (SELECT id, group_id, 1 FROM audit_auditentry WHERE {visible} ORDER BY id DESC LIMIT 1)
        UNION ALL
        SELECT earlier.id, earlier.group_id, latest.place + 1
        FROM latest, LATERAL (
            SELECT id, group_id FROM audit_auditentry
            WHERE {visible} AND id < coalesce(
                (SELECT min(id) FROM audit_auditentry own WHERE own.group_id = latest.group_id), latest.id
            )
            ORDER BY id DESC LIMIT 1
        ) earlier
        WHERE latest.place < %(number)s
    )
    SELECT id FROM latest
"""


def latest(number: int, *, deployments: Collection[int] | None) -> list[int]:
    """The ids of the last entries of the latest actions, in ``deployments`` or, for None, in all.

    It leaps from the first entry of each action to what was before, so that its cost does not grow with the actions.
    """
    visible = "true" if deployments is None else "deployment_id = ANY (%(deployments)s)"
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"number": number, "deployments": list(deployments or ())}
        cursor.execute(_LATEST.format(visible=visible), values)
        return [pk for (pk,) in cursor]


def name_groups(entries: Iterable[AuditEntry], groups: Iterable[AuditGroup]) -> None:
    """Give each of ``entries`` a ``group``: the one of ``groups`` that it is in, or None."""
    by_id: dict[UUID | None, AuditGroup] = {group.pk: group for group in groups}
    for entry in entries:
        entry.group = by_id.get(entry.group_id)  # type: ignore[attr-defined]  # added for the page

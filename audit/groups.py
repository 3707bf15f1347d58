"""The names of actions, each of which has one group of entries in the audit log."""

from __future__ import annotations

from collections.abc import Iterable
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


def name_groups(entries: Iterable[AuditEntry], groups: Iterable[AuditGroup]) -> None:
    """Give each of ``entries`` a ``group``: the one of ``groups`` that it is in, or None."""
    by_id: dict[UUID | None, AuditGroup] = {group.pk: group for group in groups}
    for entry in entries:
        entry.group = by_id.get(entry.group_id)  # type: ignore[attr-defined]

"""Deletes old entries of the audit log, in the one way there is, which leaves an entry of its own."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

_BATCH = 10_000


def prune(*, before: datetime) -> int:
    """Delete the entries from before ``before``; gives their number."""
    number = 0
    while deleted := _prune_batch(before):
        number += deleted
    if number:
        _leave_a_trace(before, number)
    return number


def _leave_a_trace(before: datetime, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO audit_auditentry (action, model, object_id, name, subjects,
                actor_kind, actor_id, actor_name, address, before)
            SELECT 'deleted', 'audit.auditentry', 0, '', '{}', actor.kind, actor.id, actor.name, actor.address,
                jsonb_build_object('until', %s::timestamptz, 'number', %s)
            FROM audit_actor() actor
            """,
            [before, number],
        )


@transaction.atomic
def _prune_batch(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL rollcall.pruning = 'on'")
        cursor.execute(
            """
            DELETE FROM audit_auditentry WHERE id IN (
                SELECT id FROM audit_auditentry WHERE at < %s ORDER BY id LIMIT %s
            )
            """,
            [before, _BATCH],
        )
        deleted: int = cursor.rowcount
        cursor.execute("SET LOCAL rollcall.pruning = 'off'")
        return deleted

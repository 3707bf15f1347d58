"""The ends of entries of the audit log: old ones are deleted, and the content of some is erased.

Both leave entries: one about what was deleted, and those whose content is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from audit.models import AuditEntry
from audit.triggers import deployments

RESTORABLE = timedelta(days=30)
"""For so long what was deleted can be restored, however short a time entries are kept otherwise."""
_BATCH = 10_000

_OLD = "at < %(before)s"
_NOT_TO_RESTORE = """
    AND group_id IS NOT NULL AND group_id NOT IN (
        SELECT group_id FROM audit_auditentry
        WHERE at >= %(restorable)s AND action = 'deleted' AND group_id IS NOT NULL
    )
"""
_NAMES_OF_NOTHING = """
    DELETE FROM audit_auditgroup WHERE NOT EXISTS (
        SELECT 1 FROM audit_auditentry WHERE group_id = audit_auditgroup.id
    )
"""
_ERASE = """
    UPDATE audit_auditentry SET name = '', erased_at = now(), {actors}
        before = CASE WHEN before IS NOT NULL THEN '{{}}'::jsonb END,
        after = CASE WHEN after IS NOT NULL THEN '{{}}'::jsonb END
    WHERE erased_at IS NULL AND id IN (
        SELECT id FROM audit_auditentry WHERE {about}
        UNION
        SELECT own.id FROM audit_auditentry deleted
        JOIN audit_auditentry own ON own.object_id = deleted.object_id AND own.model = deleted.model
        WHERE deleted.group_id = (
            SELECT group_id FROM audit_auditentry
            WHERE object_id = %(id)s AND model = %(model)s AND action = 'deleted' ORDER BY id DESC LIMIT 1
        ) AND deleted.action = 'deleted'
    )
    RETURNING group_id
"""
_WITHOUT_USERS = """
        actor_name = CASE WHEN actor_kind IN ('user', 'visitor') THEN '' ELSE actor_name END,
        address = CASE WHEN actor_kind IN ('user', 'visitor') THEN NULL ELSE address END,
"""
_ERASE_NAMES = """
    UPDATE audit_auditgroup SET name = 'Erased' WHERE id = ANY (%(groups)s) AND NOT EXISTS (
        SELECT 1 FROM audit_auditentry
        WHERE group_id = audit_auditgroup.id AND coalesce(nullif(before, '{}'), nullif(after, '{}')) IS NOT NULL
    )
"""


def prune(*, before: datetime) -> int:
    """Delete the entries from before ``before``; gives their number.

    Actions of the last 30 days that deleted something are kept as a whole.
    """
    restorable = timezone.now() - RESTORABLE
    number = _prune(_OLD, {"before": min(before, restorable)})
    if before > restorable:
        number += _prune(_OLD + _NOT_TO_RESTORE, {"before": before, "restorable": restorable})
    if number:
        _leave_a_trace(before, number)
    return number


@transaction.atomic
def erase(row: Model) -> None:
    """Erase the content of all entries about ``row``, which was deleted, and what belonged to it.

    Times, ids and the staff who acted stay; nobody can undo it. ``audit.erasure`` does the same for one person.
    """
    subject = AuditEntry.subject(row)
    about, actors = "subjects @> ARRAY[%(subject)s]", ""
    if isinstance(row, deployments()):  # with its users, who acted
        about, actors = "deployment_id = %(id)s", _WITHOUT_USERS
    values: dict[str, Any] = {"id": row.pk, "model": row._meta.label_lower, "subject": subject}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL rollcall.erasing = 'on'")
        cursor.execute(_ERASE.format(about=about, actors=actors), values)
        groups = [group_id for (group_id,) in cursor if group_id is not None]
        cursor.execute("SET LOCAL rollcall.erasing = 'off'")
        cursor.execute(_ERASE_NAMES, {"groups": list(set(groups))})


def _prune(which: str, values: dict[str, Any]) -> int:
    number = 0
    while deleted := _prune_batch(which, values):
        number += deleted
    with connection.cursor() as cursor:
        cursor.execute(_NAMES_OF_NOTHING)
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
def _prune_batch(which: str, values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL rollcall.pruning = 'on'")
        cursor.execute(
            f"""
            DELETE FROM audit_auditentry WHERE id IN (
                SELECT id FROM audit_auditentry WHERE {which} ORDER BY id LIMIT %(batch)s
            )
            """,
            {**values, "batch": _BATCH},
        )
        deleted: int = cursor.rowcount
        cursor.execute("SET LOCAL rollcall.pruning = 'off'")
        return deleted

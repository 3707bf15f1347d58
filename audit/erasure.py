"""Erases what the audit log says of one person, who has a right to it (GDPR, article 17).

The entries stay, with their time, kind, ids and the member of staff who acted, so that the log has no holes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.db import connection, models, transaction

from audit.models import AuditEntry, AuditGroup

_NAMES = """
    SELECT DISTINCT name FROM audit_auditentry
    WHERE subjects @> ARRAY[%(subject)s] AND model = ANY(%(names_in)s) AND name <> ''
"""
_CONTENT = """
    UPDATE audit_auditentry
    SET name = '', before = CASE WHEN before IS NOT NULL THEN '{}'::jsonb END,
        after = CASE WHEN after IS NOT NULL THEN '{}'::jsonb END, erased_at = now()
    WHERE erased_at IS NULL AND (
        subjects @> ARRAY[%(subject)s]
        OR name <> '' AND lower(name) = ANY(%(names)s) AND model = ANY(%(sent_to)s) AND deployment_id = %(deployment)s
    )
    RETURNING group_id
"""
_ACTS = """
    UPDATE audit_auditentry SET actor_name = '', address = NULL
    WHERE actor_name = ANY(%(names)s) AND actor_kind = 'user' AND actor_id = %(id)s
    RETURNING group_id
"""
_RECORD = """
    INSERT INTO audit_auditentry (action, model, object_id, name, subjects, deployment_id,
        actor_kind, actor_id, actor_name, address, before, erased_at)
    SELECT 'deleted', %(model)s, %(id)s, '', ARRAY[%(subject)s], %(deployment)s,
        actor.kind, actor.id, actor.name, actor.address, jsonb_build_object('entries_erased', %(number)s), now()
    FROM audit_actor() actor
"""


@transaction.atomic
def erase(
    person: models.Model,
    *,
    deployment_id: int,
    names: Iterable[str],
    names_in: Iterable[type[models.Model]],
    sent_to: Iterable[type[models.Model]],
) -> int:
    """Empty the entries about ``person``, and take their name from those of what they did; gives the number of both.

    They are called by ``names``, and by those of their own entries of the models ``names_in``. Rows of the models
    ``sent_to`` have an address for a name, and may be about somebody who is no user. The erasure leaves an entry.
    """
    values: dict[str, Any] = {
        "id": person.pk,
        "model": person._meta.label_lower,
        "subject": AuditEntry.subject(person),
        "deployment": deployment_id,
        "names_in": [model._meta.label_lower for model in names_in],
        "sent_to": [model._meta.label_lower for model in sent_to],
    }
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, values)
        spellings = {*names, *(name for (name,) in cursor)}
        values["names"] = sorted(spellings | {name.lower() for name in spellings})
        cursor.execute("SET LOCAL rollcall.erasing = 'on'")
        groups = []
        for statement in (_CONTENT, _ACTS):
            cursor.execute(statement, values)
            groups += [group for (group,) in cursor]
        cursor.execute("SET LOCAL rollcall.erasing = 'off'")
        cursor.execute(_RECORD, values | {"number": len(groups)})
    _rename(AuditGroup.objects.filter(pk__in=set(groups) - {None}), spellings)
    return len(groups)


def _rename(groups: Iterable[AuditGroup], names: Iterable[str]) -> None:
    """Take ``names`` from the names of ``groups``; a longer one first, which may begin with another."""
    word = re.compile(
        "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names, key=len, reverse=True)), re.IGNORECASE
    )
    for group in groups:
        if (name := word.sub("(erased)", group.name)) != group.name:
            type(group).objects.filter(pk=group.pk).update(name=name)

"""Actions and their undo, compared column by column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from audit import actors, groups
from audit.triggers import audited_models
from memberships.models import Administrator, EndedMembership
from staff.undo import undo

Table = dict[str, dict[str, Any]]
"""Rows as PostgreSQL writes them in JSON, by their primary key."""


def snapshot() -> dict[str, Table]:
    """All rows of all tables that are logged or follow from these, but for the times of the last change."""
    models: list[Any] = [*audited_models(), Administrator, EndedMembership]
    tables = [
        f"""SELECT '{model._meta.label}', coalesce(jsonb_object_agg(
            {model._meta.pk.column}, to_jsonb(found) - ARRAY['updated_at', 'active_sign_in_id']
        ), '{{}}')::text FROM {model._meta.db_table} found"""
        for model in models
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(tables))
        return {label: json.loads(rows) for label, rows in cursor.fetchall()}


def differences(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    found = []
    for label in before:
        found += [
            f"{label} {pk}: {before[label].get(pk)} → {after[label].get(pk)}"
            for pk in {**before[label], **after[label]}
            if before[label].get(pk) != after[label].get(pk)
        ]
    return found


@contextmanager
def action(name: str = "A test") -> Iterator[Callable[[], UUID]]:
    """An action of its own; gives its group, once it is over."""
    with actors.acting(actors.command("test")):
        group_id = actors.current_group()
        assert group_id is not None
        yield lambda: group_id
        groups.name(name)


def undone(group_id: UUID, **options: Any) -> UUID:
    """Undo it; gives the group of the undo."""
    with action() as own:
        undo(None, "a test", group_id=group_id, **{"saves": True} | options)
    return own()

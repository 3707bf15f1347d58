"""Actions and their undo, compared column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from audit import actors, groups
from audit.triggers import audited_models
from memberships.models import Administrator, EndedMembership
from staff.undo import undo

Table = dict[Any, dict[str, Any]]


def snapshot() -> dict[str, Table]:
    """All rows of all tables that are logged or follow from these, but for the times of the last change."""
    models: list[Any] = [*audited_models(), Administrator, EndedMembership]
    return {
        model._meta.label: {
            row[model._meta.pk.attname]: {
                name: value for name, value in row.items() if name not in ("updated_at", "active_sign_in_id")
            }
            for row in model._base_manager.values()
        }
        for model in models
    }


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

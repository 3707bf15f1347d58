"""The sentences that say why an undo is refused, each about one row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg.errors
from django.apps import apps
from django.db import DatabaseError
from django.utils.text import capfirst

from audit.models import AuditEntry, kind_of
from audit.names import name_subjects

_KEY = re.compile(r"Key \(.*?\)=\((\d+).*(is not present in|is still referenced from)")


def described(label: str, object_id: int, name: str) -> str:
    """An object for people, such as “Acme” (organization 12)."""
    kind = kind_of(label)
    return f"“{name}” ({kind} {object_id})" if name else f"{capfirst(kind)} {object_id}"


def object_of(entry: AuditEntry) -> str:
    """The object of ``entry``; one without a name by the names of what it refers to."""
    subjects = entry.subjects[1:]
    beside = ", ".join(name for subject, name in entry.subject_names.items() if subject in subjects)  # type: ignore[attr-defined]  # audit.names adds it
    text = described(entry.model, entry.object_id, entry.name)
    return text if entry.name or not beside else f"{text} ({beside})"


def changed_since(entries: Iterable[AuditEntry]) -> list[str]:
    return [
        f"{object_of(entry)} was {entry.action} since, on {entry.at:%Y-%m-%d at %H:%M:%S} UTC by "
        f"{entry.actor_name or entry.get_actor_kind_display()}{_columns(entry)}."
        for entry in _named(entries)
    ]


def added_since(entries: Iterable[AuditEntry]) -> list[str]:
    return [f"{object_of(entry)} came since, and would be {entry.action} too." for entry in _named(entries)]


def is_busy(error: DatabaseError) -> bool:
    """Whether a statement waited in vain for rows that other transactions hold, or took too long."""
    busy = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled)
    return isinstance(error.__cause__, busy)


def reason_of(error: DatabaseError) -> tuple[int | None, str]:
    """The reason that stands against an undo, where rows have come or gone since, and the id of the row it is about.

    The id is None where the caller knows the row, the reason "" for all other refusals.
    """
    cause: Any = error.__cause__
    if isinstance(cause, psycopg.errors.UniqueViolation) and str(cause.diag.constraint_name).endswith("_pkey"):
        return None, "is there already"
    key = _KEY.search(getattr(getattr(cause, "diag", None), "message_detail", None) or "")
    if not isinstance(cause, psycopg.errors.ForeignKeyViolation) or key is None:
        return None, ""
    if key[2] == "is not present in":
        return None, f"belongs to a row that is gone (id {key[1]})"
    kinds = [model._meta.verbose_name_plural for model in apps.get_models() if _table(model) == cause.diag.table_name]
    return int(key[1]), f"cannot go: there are {kinds[0] if kinds else 'rows'} that belong to it since"


def _named(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    entries = list(entries)
    name_subjects(entries)
    return entries


def _columns(entry: AuditEntry) -> str:
    return f": {', '.join(entry.after or {})}" if entry.action == AuditEntry.Action.CHANGED else ""


def _table(model: Any) -> str:
    return str(model._meta.db_table)
